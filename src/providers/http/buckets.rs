//! `buckets` of a reading: a list in the answer, each item one balance with its own expiry.

use super::{
    dates::{self, Date},
    field::{self, BytesAt, CurrencyAt, DateAt},
    place::{Document, Place},
    read::whole,
};
use crate::domain::{Bucket, Currency, Metric, Money, Quantity, Rounding, Subscription, Unit};
use crate::input::{Section, Value as Written};
use serde_json::Value;

/// Where one list of buckets stands, and what each item has.
#[derive(Clone, Debug)]
pub(super) struct BucketsAt {
    items: Place,
    name: Place,
    left: BytesAt,
    currency: Option<CurrencyAt>,
    expires: Option<DateAt>,
    metric: Metric,
}

/// `buckets = { … }`, or a list of such tables.
pub(super) fn read(section: &mut Section<'_>) -> Vec<BucketsAt> {
    if matches!(section.value("buckets"), Some(Written::Table(_))) {
        return section.section("buckets").and_then(one).into_iter().collect();
    }
    section.tables("buckets").into_iter().filter_map(one).collect()
}

fn one(mut section: Section<'_>) -> Option<BucketsAt> {
    let s = &mut section;
    let place = "allowed is a place, such as \"/bundles\"";
    let items = s.required("items", place).and_then(|_| field::place(s, "items", None));
    let name = s.required("name", place).and_then(|_| field::place(s, "name", None));
    let left = s.has("left").then(|| field::bytes(s, "left", None));
    if left.is_none() {
        s.fault(
            "left",
            "allowed is a place, such as \"/left\" or { at = \"/left\", unit = \"MB\" }",
        );
    }
    let metric = s.word("metric", &Bucket::METRICS).unwrap_or(Metric::DataLeft);
    let currency = field::currency(s, "currency", None);
    if metric == Metric::Balance && currency.is_none() {
        s.fault("currency", "allowed is a place, or { fixed = \"USD\" }; money needs one");
    }
    let expires = field::date(s, "expires", None);
    section.finish();
    Some(BucketsAt { items: items?, name: name?, left: left??, currency, expires, metric })
}

impl BucketsAt {
    /// The buckets of an answer. What is broken goes into `gaps`, and is no bucket.
    pub(super) fn find(
        &self,
        document: &Document,
        line: &Subscription,
        gaps: &mut Vec<String>,
    ) -> Vec<Bucket> {
        let Some(Value::Array(items)) = document.at(&self.items) else {
            gaps.push("buckets: the list is missing".to_owned());
            return Vec::new();
        };
        let mut buckets = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            match self.bucket(&Document::Json(item.clone()), line) {
                Ok(bucket) => buckets.push(bucket),
                Err(why) => gaps.push(format!("buckets[{}]: {why}", n.saturating_add(1))),
            }
        }
        buckets
    }

    fn bucket(&self, item: &Document, line: &Subscription) -> Result<Bucket, String> {
        let name = item.text(&self.name).ok_or("it has no name")?;
        let text = item.text(&self.left.place).ok_or("nothing says what is left")?;
        let left = match self.metric.unit() {
            Unit::Money => {
                let currency = match self.currency.as_ref().ok_or("it has no currency")? {
                    CurrencyAt::Fixed(currency) => *currency,
                    CurrencyAt::Place(place) => {
                        let code = item.text(place).ok_or("it has no currency")?;
                        Currency::parse(&code).map_err(|why| why.to_string())?
                    }
                };
                let money = Money::from_text(&text, currency, Rounding::Floor);
                Quantity::Money(money.map_err(|why| why.to_string())?)
            }
            Unit::Bytes => Quantity::Bytes(whole(&text, self.left.unit)?),
            Unit::Count | Unit::Days | Unit::Age => Quantity::Count(whole(&text, self.left.unit)?),
        };
        let expires_at = match &self.expires {
            None => None,
            Some(DateAt { place, format }) => match item.text(place) {
                None => None,
                Some(text) => match dates::read(&text, format.as_deref(), line.time_zone) {
                    Date::At(at) => Some(at),
                    Date::None => None,
                    Date::Unreadable => return Err("its expiry is not a date".to_owned()),
                },
            },
        };
        let name = name.chars().take(60).collect();
        Ok(Bucket { name, left, metric: self.metric, expires_at })
    }
}
