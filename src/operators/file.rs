//! The file of operators, row by row.

use super::{Ask, Operator, Reply};
use crate::domain::{Currency, QuietHours, Renewal};
use chrono::NaiveTime;
use serde::Deserialize;
use std::fmt::Display;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    operators: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    name: String,
    #[serde(default)]
    also: Vec<String>,
    network: Option<String>,
    country: String,
    currency: String,
    /// `line`, or the name of a zone.
    zone: String,
    /// What a date without a time means: that time of the day. Without it, the start of the day.
    day_ends: Option<Fact<String>>,
    #[serde(default)]
    balance: Vec<AskRow>,
    #[serde(default)]
    redeem: Vec<AskRow>,
    #[serde(default)]
    replies: Vec<ReplyRow>,
    renewal: Option<Fact<String>>,
    cycle_days: Option<Fact<i64>>,
    charge_window: Option<Fact<String>>,
    number_loss_days: Option<Fact<i64>>,
    #[serde(default)]
    notes: Vec<String>,
    sources: Vec<String>,
}

/// A fact, and whether anybody has proved it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact<T> {
    is: T,
    #[serde(default)]
    unverified: bool,
}

/// A code to dial, or a text message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskRow {
    ussd: Option<String>,
    sms: Option<String>,
    to: Option<String>,
    #[serde(default)]
    unverified: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyRow {
    pattern: String,
    date: Option<String>,
    #[serde(default)]
    decimal_comma: bool,
    #[serde(default)]
    unverified: bool,
}

/// Every operator of `text`.
pub(super) fn parse(text: &str) -> Result<Vec<Operator>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    file.operators.into_iter().map(|row| with_id(row.id.clone(), row.operator())).collect()
}

fn with_id<T>(id: impl Display, result: Result<T, String>) -> Result<T, String> {
    result.map_err(|why| format!("{id}: {why}"))
}

impl Row {
    fn operator(self) -> Result<Operator, String> {
        let currency = Currency::parse(&self.currency).map_err(|why| why.to_string())?;
        let mut unverified = Vec::new();
        let day_ends = fact(self.day_ends, "day_ends", &mut unverified)
            .map(|text| NaiveTime::parse_from_str(&text, "%H:%M").map_err(|e| e.to_string()))
            .transpose()?;
        let renewal = match fact(self.renewal, "renewal", &mut unverified) {
            Some(word) => Renewal::WORDS
                .iter()
                .find_map(|(known, renewal)| (*known == word).then_some(*renewal))
                .ok_or_else(|| format!("{word} is no renewal"))?,
            None => Renewal::Unknown,
        };
        let charge_window = fact(self.charge_window, "charge_window", &mut unverified)
            .map(|text| QuietHours::parse(&text).ok_or_else(|| format!("{text} are no hours")))
            .transpose()?;
        let zone = match self.zone.as_str() {
            "line" => None,
            name => Some(name.parse().map_err(|_| format!("{name} is no zone"))?),
        };
        let cycle_days = fact(self.cycle_days, "cycle_days", &mut unverified);
        let number_loss_days = fact(self.number_loss_days, "number_loss_days", &mut unverified);
        let balance = asks(self.balance, "balance", &mut unverified)?;
        let redeem = asks(self.redeem, "redeem", &mut unverified)?;
        let mut replies = Vec::with_capacity(self.replies.len());
        for (n, row) in self.replies.into_iter().enumerate() {
            let reply = Reply::new(&row.pattern, currency, row.date.as_deref());
            let reply = reply.map_err(|why| format!("replies[{n}]: {why}"))?;
            replies.push(reply.with_day_end(day_ends).with_decimal_comma(row.decimal_comma));
            if row.unverified {
                unverified.push(format!("reply {}", n.saturating_add(1)));
            }
        }
        Ok(Operator {
            id: self.id,
            name: self.name,
            also: self.also,
            network: self.network,
            country: self.country,
            zone,
            currency,
            balance,
            redeem,
            replies,
            renewal,
            cycle_days,
            charge_window,
            number_loss_days,
            notes: self.notes,
            sources: self.sources,
            unverified,
        })
    }
}

fn fact<T>(fact: Option<Fact<T>>, what: &str, unverified: &mut Vec<String>) -> Option<T> {
    let fact = fact?;
    if fact.unverified {
        unverified.push(what.to_owned());
    }
    Some(fact.is)
}

fn asks(rows: Vec<AskRow>, what: &str, unverified: &mut Vec<String>) -> Result<Vec<Ask>, String> {
    let mut asks = Vec::with_capacity(rows.len());
    for row in rows {
        let ask = match (row.ussd, row.sms, row.to) {
            (Some(code), None, None) => Ask::Ussd(code),
            (None, Some(text), Some(to)) => Ask::Sms { to, text },
            _ => return Err(format!("{what}: allowed is `ussd`, or `sms` and `to`")),
        };
        if row.unverified {
            unverified.push(format!("{what} {ask}"));
        }
        asks.push(ask);
    }
    Ok(asks)
}

/// `dial #999#`, `text BAL to 6700`.
impl Display for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ussd(code) => write!(f, "dial {code}"),
            Self::Sms { to, text } => write!(f, "text {text} to {to}"),
        }
    }
}
