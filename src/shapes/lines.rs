//! Lines and what was read of them.

use super::{At, Money, amount, at, money, words};
use crate::domain::{self, Quantity};
use crate::store::SubscriptionView;
use serde::Serialize;
use utoipa::ToSchema;

/// What a reader told of a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reading {
    /// Of which line.
    pub subscription: String,
    /// When it was read.
    pub at: At,
    /// Who told.
    pub provider: String,
    /// `ok`, `partial`, `unparseable` or `error(kind)`.
    pub quality: String,
    /// Money left.
    pub balance: Option<Money>,
    /// Data left, in bytes.
    pub data_left_bytes: Option<i64>,
    /// Call minutes left.
    pub minutes_left: Option<i64>,
    /// Text messages left.
    pub sms_left: Option<i64>,
    /// When the service stops.
    pub service_end_at: Option<At>,
    /// When the number is lost.
    pub number_loss_at: Option<At>,
    /// What the operator takes next.
    pub next_charge: Option<Money>,
    /// Balances with an expiry of their own.
    pub buckets: Vec<Bucket>,
    /// What else was said.
    pub detail: Option<String>,
}

/// One of several balances, with its own expiry.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Bucket {
    /// What it is called.
    pub name: String,
    /// What it counts.
    #[schema(value_type = words::BucketMetric)]
    pub metric: &'static str,
    /// How much is left.
    pub left: Left,
    /// Until when.
    pub expires_at: Option<At>,
}

/// Money, or bytes or pieces.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Left {
    /// Money.
    Money(Money),
    /// Bytes or pieces.
    Number(i64),
}

/// A reading.
pub fn reading(r: &domain::Reading) -> Reading {
    Reading {
        subscription: r.subscription.to_string(),
        at: At(r.at),
        provider: r.provider.clone(),
        quality: r.quality.to_string(),
        balance: money(r.values.balance),
        data_left_bytes: r.values.data_left,
        minutes_left: r.values.minutes_left,
        sms_left: r.values.sms_left,
        service_end_at: at(r.values.service_end_at),
        number_loss_at: at(r.values.number_loss_at),
        next_charge: money(r.values.next_charge),
        buckets: r.values.buckets.iter().map(bucket).collect(),
        detail: r.detail.clone(),
    }
}

fn bucket(b: &domain::Bucket) -> Bucket {
    let left = match b.left {
        Quantity::Money(m) => Left::Money(amount(m)),
        Quantity::Bytes(n) | Quantity::Count(n) => Left::Number(n),
        Quantity::Days(span) | Quantity::Age(span) => Left::Number(span.ms()),
    };
    Bucket { name: b.name.clone(), metric: b.metric.as_str(), left, expires_at: at(b.expires_at) }
}

/// A line with its newest reading and what happens next.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Its owner.
    pub subscriber: String,
    /// What people call it.
    pub label: String,
    /// Its number.
    pub msisdn: Option<String>,
    /// Its card.
    pub iccid: Option<String>,
    /// Its operator.
    pub operator: Option<String>,
    /// Where the operator is.
    #[schema(value_type = String)]
    pub time_zone: &'static str,
    /// Who reads it.
    pub reader: String,
    /// Who may pay for it, in this order.
    pub payers: Vec<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// How it is.
    #[schema(value_type = words::LineStatus)]
    pub status: String,
    /// Its newest reading.
    pub reading: Option<Latest>,
    /// What happens next.
    pub next: Next,
}

/// The values of the newest `ok` reading; `quality` and `at` tell how the newest of any kind went.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Latest {
    /// Of the newest reading of any quality.
    pub at: At,
    /// `ok`, `partial`, `unparseable` or `error(kind)`.
    pub quality: String,
    /// What else was said.
    pub detail: Option<String>,
    /// Of the newest `ok` reading, which the values are from.
    pub ok_at: Option<At>,
    /// Money left.
    pub balance: Option<Money>,
    /// Data left, in bytes.
    pub data_left_bytes: Option<i64>,
    /// Call minutes left.
    pub minutes_left: Option<i64>,
    /// Text messages left.
    pub sms_left: Option<i64>,
    /// When the service stops.
    pub service_end_at: Option<At>,
    /// When the number is lost.
    pub number_loss_at: Option<At>,
}

/// What happens next to a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Next {
    /// When; null where a person must act.
    pub at: Option<At>,
    /// A word.
    pub what: String,
    /// A sentence.
    pub why: String,
}

/// A subscription.
pub fn subscription(v: &SubscriptionView) -> Subscription {
    let s = &v.subscription;
    let newest = v.newest.as_ref().map(|newest| {
        let values = v.good.as_ref().map(|good| &good.values);
        Latest {
            at: At(newest.at),
            quality: newest.quality.to_string(),
            detail: newest.detail.clone(),
            ok_at: at(v.good.as_ref().map(|good| good.at)),
            balance: money(values.and_then(|values| values.balance)),
            data_left_bytes: values.and_then(|values| values.data_left),
            minutes_left: values.and_then(|values| values.minutes_left),
            sms_left: values.and_then(|values| values.sms_left),
            service_end_at: at(values.and_then(|values| values.service_end_at)),
            number_loss_at: at(v.number_loss_at()),
        }
    });
    let (_, what, why) = &v.next;
    Subscription {
        id: s.id.to_string(),
        subscriber: s.subscriber.to_string(),
        label: s.label.clone(),
        msisdn: s.msisdn.as_ref().map(|m| m.as_str().to_owned()),
        iccid: s.iccid.as_ref().map(|i| i.as_str().to_owned()),
        operator: s.operator.clone(),
        time_zone: s.time_zone.name(),
        reader: s.reader.clone(),
        payers: s.payers.clone(),
        tags: s.tags.clone(),
        status: v.status.clone(),
        reading: newest,
        next: Next { at: at(v.next_at()), what: what.clone(), why: why.clone() },
    }
}
