//! Readings: what a provider said at a time. Only `ok` readings fire or clear rules.

use super::{Metric, Money, Quantity, SubscriptionId, Timestamp};
use std::{fmt, str::FromStr};

/// What a provider said about one subscription at one time; never edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Whose.
    pub subscription: SubscriptionId,
    /// Who said it.
    pub provider: String,
    /// When we had the answer.
    pub at: Timestamp,
    /// How far it can be trusted.
    pub quality: Quality,
    /// The values found; only those the provider gave.
    pub values: Values,
    /// What was wrong, in words, for readings that are not `ok`.
    pub detail: Option<String>,
}

/// The things a provider can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// Money left.
    pub balance: Option<Money>,
    /// Data left, in bytes.
    pub data_left: Option<i64>,
    /// Call minutes left.
    pub minutes_left: Option<i64>,
    /// Text messages left.
    pub sms_left: Option<i64>,
    /// When the service stops.
    pub service_end_at: Option<Timestamp>,
    /// When the number is lost.
    pub number_loss_at: Option<Timestamp>,
    /// The operator's own figure of the next charge, taxes included.
    pub next_charge: Option<Money>,
    /// Balances that run out separately, each with its own expiry.
    pub buckets: Vec<Bucket>,
}

/// One of several balances of a line: a data package, a bonus credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// What the provider calls it.
    pub name: String,
    /// How much is left: money, bytes, or a count of minutes or messages by `metric`.
    pub left: Quantity,
    /// The metric it adds to: `balance`, `data_left`, `minutes_left`, `sms_left`.
    pub metric: Metric,
    /// When it lapses; `None` where it does not.
    pub expires_at: Option<Timestamp>,
}

impl Values {
    /// True when nothing at all was found.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How far a reading can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// Everything asked for was there and made sense.
    Ok,
    /// Some of it was there.
    Partial,
    /// An answer that could not be understood.
    Unparseable,
    /// No answer, or one that must not be used.
    Error(ErrorKind),
}

/// Why there is no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Network trouble, 5xx: try again.
    Temporary,
    /// Our key was refused.
    Authentication,
    /// Asked too often.
    RateLimit,
    /// The provider says it is being serviced.
    Maintenance,
    /// Our configuration cannot work.
    Configuration,
    /// The provider cannot say this about this line.
    Unsupported,
    /// The provider does not know the line.
    Permanent,
    /// The answer is about another line.
    Identity,
    /// The answer is in another currency than this line's.
    Currency,
}

impl ErrorKind {
    const ALL: [(&'static str, Self); 9] = [
        ("temporary", Self::Temporary),
        ("authentication", Self::Authentication),
        ("rate_limit", Self::RateLimit),
        ("maintenance", Self::Maintenance),
        ("configuration", Self::Configuration),
        ("unsupported", Self::Unsupported),
        ("permanent", Self::Permanent),
        ("identity", Self::Identity),
        ("currency", Self::Currency),
    ];
}

/// The stored and shown word: `ok`, `partial`, `unparseable`, `error(temporary)`.
impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Partial => f.write_str("partial"),
            Self::Unparseable => f.write_str("unparseable"),
            Self::Error(kind) => {
                let word = ErrorKind::ALL.iter().find(|(_, k)| k == kind).map_or("", |(w, _)| w);
                write!(f, "error({word})")
            }
        }
    }
}

impl FromStr for Quality {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "ok" => Ok(Self::Ok),
            "partial" => Ok(Self::Partial),
            "unparseable" => Ok(Self::Unparseable),
            _ => word
                .strip_prefix("error(")
                .and_then(|rest| rest.strip_suffix(')'))
                .and_then(|kind| ErrorKind::ALL.iter().find(|(w, _)| *w == kind))
                .map(|(_, kind)| Self::Error(*kind))
                .ok_or(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quality_survives_its_word() {
        let kinds = ErrorKind::ALL.map(|(_, kind)| Quality::Error(kind));
        for quality in
            kinds.into_iter().chain([Quality::Ok, Quality::Partial, Quality::Unparseable])
        {
            assert_eq!(quality.to_string().parse(), Ok(quality));
        }
        assert_eq!("error(weather)".parse::<Quality>(), Err(()));
    }
}
