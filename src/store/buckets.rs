//! Buckets as one JSON text in a column: `[{"name", "metric", "left", "currency", "expires_at"}]`.

use crate::domain::{Bucket, Currency, Metric, Money, Quantity, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    name: String,
    metric: String,
    left: i64,
    currency: Option<String>,
    expires_at: Option<i64>,
}

/// The text; nothing where there are no buckets.
pub(super) fn text(buckets: &[Bucket]) -> Option<String> {
    if buckets.is_empty() {
        return None;
    }
    let stored = |bucket: &Bucket| {
        let (left, currency) = match bucket.left {
            Quantity::Money(money) => (money.minor(), Some(money.currency().code().to_owned())),
            Quantity::Bytes(n) | Quantity::Count(n) => (n, None),
            Quantity::Days(span) | Quantity::Age(span) => (span.ms(), None),
        };
        Stored {
            name: bucket.name.clone(),
            metric: bucket.metric.as_str().to_owned(),
            left,
            currency,
            expires_at: bucket.expires_at.map(Timestamp::ms),
        }
    };
    serde_json::to_string(&buckets.iter().map(stored).collect::<Vec<_>>()).ok()
}

/// The buckets of a stored text; `None` where it cannot be read.
pub(super) fn parse(text: &str) -> Option<Vec<Bucket>> {
    let stored: Vec<Stored> = serde_json::from_str(text).ok()?;
    let bucket = |s: Stored| {
        let (_, metric) = Metric::WORDS.into_iter().find(|(word, _)| *word == s.metric)?;
        let left = match (metric, s.currency) {
            (Metric::Balance, Some(code)) => {
                Quantity::Money(Money::new(s.left, Currency::parse(&code).ok()?))
            }
            (Metric::DataLeft, None) => Quantity::Bytes(s.left),
            (_, None) => Quantity::Count(s.left),
            (_, Some(_)) => return None,
        };
        let expires_at = s.expires_at.map(Timestamp::from_ms);
        Some(Bucket { name: s.name, left, metric, expires_at })
    };
    stored.into_iter().map(bucket).collect()
}
