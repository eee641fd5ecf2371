//! One line of the flight recorder: a JSON document, a tab, its CRC-32.

use crate::domain::{Before, Currency, Money, Timestamp, Topup};
use serde::{Deserialize, Serialize};

/// A money request that is about to leave: enough to write its top-up anew, should the database
/// forget it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields of the tables `topups` and `needs`, by their names")]
pub struct Sent {
    pub topup: String,
    pub reference: String,
    pub submit_no: i64,
    pub payer: String,
    pub subscription: String,
    pub subscriber: String,
    pub rule: Option<String>,
    pub need: String,
    pub need_seq: i64,
    pub need_kind: String,
    pub product: Option<String>,
    pub amount_minor: i64,
    pub currency: String,
    pub request: String,
    pub order_hash: String,
    pub created_at: i64,
    pub before_balance: Option<(i64, String)>,
    pub before_data_left: Option<i64>,
    pub before_service_end_at: Option<i64>,
    pub before_read_at: Option<i64>,
    /// The journal's head when it left: what a cut tail is measured with.
    pub head: (i64, String),
}

/// What came of a submission, as far as it can stand without the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Paid, by the provider's word.
    Paid {
        /// Its transaction id.
        transaction_id: Option<String>,
        /// What it charged: minor units and currency.
        charged: Option<(i64, String)>,
    },
    /// Proven not charged.
    Refused {
        /// The provider's code.
        code: String,
        /// The class of the failure.
        class: String,
    },
    /// Provably never left.
    NotSent,
    /// Anything else: it is looked up.
    Open,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// A file begins: whose it is.
    Open { recorder: String, install: String },
    /// Nothing but a proof that the disk takes lines.
    Probe,
    /// A request is about to leave.
    Send(Box<Sent>),
    /// The rows were brought up to date after a restore: what the journal was before is history.
    Rebased,
    /// What came of it.
    Result { reference: String, submit_no: i64, outcome: Outcome },
}

#[derive(Debug, Serialize, Deserialize)]
struct Numbered {
    n: u64,
    at: i64,
    #[serde(flatten)]
    line: Line,
}

/// `line` as it is written, the line feed included.
pub(super) fn write(n: u64, at: Timestamp, line: &Line) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string(&Numbered { n, at: at.ms(), line: line.clone() })?;
    Ok(format!("{text}\t{:08x}\n", crc32fast::hash(text.as_bytes())))
}

/// The number, time and content of a line without its line feed; `None` where it is damaged.
pub(super) fn read(text: &[u8]) -> Option<(u64, Timestamp, Line)> {
    let text = std::str::from_utf8(text).ok()?;
    let (text, crc) = text.rsplit_once('\t')?;
    let sum = u32::from_str_radix(crc, 16).ok().filter(|_| crc.len() == 8)?;
    if sum != crc32fast::hash(text.as_bytes()) {
        return None;
    }
    let read: Numbered = serde_json::from_str(text).ok()?;
    Some((read.n, Timestamp::from_ms(read.at), read.line))
}

impl Sent {
    /// The line for `topup`, whose need is `seq` of its kind.
    pub(crate) fn of(topup: &Topup, need: (i64, &str), head: (i64, String)) -> Self {
        Self {
            topup: topup.id.to_string(),
            reference: topup.reference.clone(),
            submit_no: topup.submit_no,
            payer: topup.payer.clone(),
            subscription: topup.subscription.to_string(),
            subscriber: topup.subscriber.to_string(),
            rule: topup.rule.as_ref().map(ToString::to_string),
            need: topup.need.to_string(),
            need_seq: need.0,
            need_kind: need.1.to_owned(),
            product: topup.product.clone(),
            amount_minor: topup.amount.minor(),
            currency: topup.amount.currency().code().to_owned(),
            request: topup.request.clone().unwrap_or_default(),
            order_hash: topup.order_hash.clone(),
            created_at: topup.created_at.ms(),
            before_balance: topup
                .before
                .balance
                .map(|m| (m.minor(), m.currency().code().to_owned())),
            before_data_left: topup.before.data_left,
            before_service_end_at: topup.before.service_end_at.map(Timestamp::ms),
            before_read_at: topup.before.read_at.map(Timestamp::ms),
            head,
        }
    }

    /// The line as it was just before.
    pub(crate) fn before(&self) -> Before {
        let balance = self
            .before_balance
            .as_ref()
            .and_then(|(minor, code)| Some(Money::new(*minor, Currency::parse(code).ok()?)));
        Before {
            balance,
            data_left: self.before_data_left,
            service_end_at: self.before_service_end_at.map(Timestamp::from_ms),
            read_at: self.before_read_at.map(Timestamp::from_ms),
        }
    }

    /// The face value.
    pub fn amount(&self) -> Option<Money> {
        let currency = Currency::parse(&self.currency).ok()?;
        Some(Money::new(self.amount_minor, currency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_read_back_and_a_changed_byte_is_seen() {
        let line = Line::Result {
            reference: "a".repeat(24),
            submit_no: 2,
            outcome: Outcome::Paid { transaction_id: Some("T-1".into()), charged: None },
        };
        let text = write(7, Timestamp::from_ms(9), &line).unwrap();
        let bytes = text.trim_end().as_bytes();
        assert_eq!(read(bytes), Some((7, Timestamp::from_ms(9), line)));
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            assert_eq!(read(&changed), None, "byte {at}");
        }
        for len in 0..bytes.len() {
            assert_eq!(read(&bytes[..len]), None, "cut at {len}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_no_line_is_read_as_one(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(read(&bytes), None);
        }
    }
}
