//! From rows to domain types. A row this version cannot read is an error that names it.

use super::{StoreError, buckets, stored_plan};
use crate::domain::{
    Before, Currency, Episode, EpisodeId, FailureClass, Iccid, Money, Msisdn, Need, NeedId,
    NeedKind, NeedOutcome, Past, QuietHours, Reading, RuleId, State, Subscriber, SubscriberId,
    Subscription, SubscriptionId, SubscriptionStatus, Timestamp, Topup, TopupId, Values,
};
use sqlx::{Row, any::AnyRow};
use std::borrow::Cow;

/// What columns can be read from: a row of the driver's, or one of a [`super::bunch::Bunch`].
pub(super) trait Cells {
    /// The text in `column`, `None` where it is NULL.
    fn maybe_text(&self, column: &str) -> Result<Option<Cow<'_, str>>, sqlx::Error>;

    /// The number in `column`, `None` where it is NULL.
    fn maybe_int(&self, column: &str) -> Result<Option<i64>, sqlx::Error>;
}

impl Cells for AnyRow {
    fn maybe_text(&self, column: &str) -> Result<Option<Cow<'_, str>>, sqlx::Error> {
        Ok(self.try_get::<Option<String>, _>(column)?.map(Cow::Owned))
    }

    fn maybe_int(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(column)
    }
}

/// The columns that make a [`Subscription`], of a table that is `s` in the query.
pub(super) const SUBSCRIPTION: [&str; 13] = [
    "s.id",
    "s.subscriber_id",
    "s.label",
    "s.msisdn",
    "s.iccid",
    "s.operator",
    "s.time_zone",
    "s.reader",
    "s.payers",
    "s.tags",
    "s.plan",
    "s.products",
    "s.status",
];

/// The columns that make a [`Reading`], of a table that is `r` in the query, beside the line's watch
/// `w`: the last reading of a run that goes on has no row of its own.
pub(super) const READING: [&str; 15] = [
    "r.subscription_id",
    "r.provider",
    "CASE WHEN r.at = w.kept_at THEN w.ok_at ELSE r.at END AS at",
    "r.quality",
    "r.balance_minor",
    "r.currency",
    "r.data_left_bytes",
    "r.minutes_left",
    "r.sms_left",
    "r.service_end_at",
    "r.number_loss_at",
    "r.detail",
    "r.buckets",
    "r.next_charge_minor",
    "r.next_charge_currency",
];

/// Reads columns of one table by name.
pub(super) struct Columns<'a, R> {
    pub(super) table: &'static str,
    pub(super) row: &'a R,
}

impl<R: Cells> Columns<'_, R> {
    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.maybe_text(column)?.ok_or_else(|| self.bad(column, "NULL"))
    }

    pub(super) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        Ok(self.row.maybe_text(column)?.map(Cow::into_owned))
    }

    pub(super) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        self.maybe_int(column)?.ok_or_else(|| self.bad(column, "NULL"))
    }

    pub(super) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        Ok(self.row.maybe_int(column)?)
    }

    pub(super) fn at(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_ms)
    }

    pub(super) fn maybe_at(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.maybe_int(column)?.map(Timestamp::from_ms))
    }

    pub(super) fn bad(&self, column: &'static str, found: impl Into<String>) -> StoreError {
        StoreError::BadRow { table: self.table, column, found: found.into() }
    }

    pub(super) fn parsed<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        self.maybe_parsed(column, parse)?.ok_or_else(|| self.bad(column, "NULL"))
    }

    pub(super) fn maybe_parsed<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let Some(text) = self.row.maybe_text(column)? else { return Ok(None) };
        parse(&text).map(Some).ok_or_else(|| self.bad(column, text))
    }

    fn texts(&self, column: &'static str) -> Result<Vec<String>, StoreError> {
        self.parsed(column, |text| serde_json::from_str(text).ok())
    }

    /// An amount in two columns; absent where the number is.
    pub(super) fn money(
        &self,
        minor: &'static str,
        currency: &'static str,
    ) -> Result<Option<Money>, StoreError> {
        let (Some(minor), Some(code)) = (self.maybe_int(minor)?, self.maybe_text(currency)?) else {
            return Ok(None);
        };
        match Currency::parse(&code) {
            Ok(found) => Ok(Some(Money::new(minor, found))),
            Err(_) => Err(self.bad(currency, code)),
        }
    }
}

pub(super) fn subscriber(row: &AnyRow) -> Result<Subscriber, StoreError> {
    let c = Columns { table: "subscribers", row };
    Ok(Subscriber {
        id: SubscriberId::trusted(c.text("id")?),
        name: c.text("name")?,
        email: c.maybe_text("email")?,
        phone: match c.maybe_text("phone")? {
            Some(text) => Some(Msisdn::stored(&text).ok_or_else(|| c.bad("phone", "<number>"))?),
            None => None,
        },
        locale: c.text("locale")?,
        time_zone: c.parsed("time_zone", |text| text.parse().ok())?,
        quiet_hours: match c.maybe_text("quiet_hours")? {
            Some(text) => Some(QuietHours::parse(&text).ok_or_else(|| c.bad("quiet_hours", text))?),
            None => None,
        },
        channels: c.texts("channels")?,
        addresses: c.parsed("addresses", |text| serde_json::from_str(text).ok())?,
    })
}

pub(super) fn subscription<R: Cells>(row: &R) -> Result<Subscription, StoreError> {
    let c = Columns { table: "subscriptions", row };
    Ok(Subscription {
        id: SubscriptionId::trusted(c.text("id")?),
        subscriber: SubscriberId::trusted(c.text("subscriber_id")?),
        label: c.text("label")?,
        msisdn: match c.maybe_text("msisdn")? {
            Some(text) => Some(Msisdn::stored(&text).ok_or_else(|| c.bad("msisdn", "<number>"))?),
            None => None,
        },
        iccid: match c.maybe_text("iccid")? {
            Some(text) => Some(Iccid::parse(&text).map_err(|_| c.bad("iccid", "<iccid>"))?),
            None => None,
        },
        operator: c.maybe_text("operator")?,
        time_zone: c.parsed("time_zone", |text| text.parse().ok())?,
        reader: c.text("reader")?,
        payers: c.texts("payers")?,
        tags: c.texts("tags")?,
        plan: stored_plan::read(&c)?,
        products: c.parsed("products", |text| serde_json::from_str(text).ok())?,
        status: c.parsed("status", SubscriptionStatus::parse)?,
    })
}

pub(super) fn reading<R: Cells>(row: &R) -> Result<Reading, StoreError> {
    let c = Columns { table: "readings", row };
    Ok(Reading {
        subscription: SubscriptionId::trusted(c.text("subscription_id")?),
        provider: c.text("provider")?,
        at: c.at("at")?,
        quality: c.parsed("quality", |text| text.parse().ok())?,
        values: Values {
            balance: c.money("balance_minor", "currency")?,
            data_left: c.maybe_int("data_left_bytes")?,
            minutes_left: c.maybe_int("minutes_left")?,
            sms_left: c.maybe_int("sms_left")?,
            service_end_at: c.maybe_at("service_end_at")?,
            number_loss_at: c.maybe_at("number_loss_at")?,
            next_charge: c.money("next_charge_minor", "next_charge_currency")?,
            buckets: match c.maybe_text("buckets")? {
                Some(text) => buckets::parse(&text).ok_or_else(|| c.bad("buckets", text))?,
                None => Vec::new(),
            },
        },
        detail: c.maybe_text("detail")?,
    })
}

pub(super) fn episode(row: &AnyRow) -> Result<(Episode, Timestamp), StoreError> {
    let c = Columns { table: "episodes", row };
    let episode = Episode {
        id: EpisodeId::trusted(c.text("id")?),
        rule: RuleId::trusted(c.text("rule_id")?),
        subscription: SubscriptionId::trusted(c.text("subscription_id")?),
        opened_at: c.at("opened_at")?,
        trigger: c.text("cause")?,
        is_deadline: c.int("is_deadline")? != 0,
        closed_at: c.maybe_at("closed_at")?,
    };
    Ok((episode, c.at("first_read_at")?))
}

pub(super) fn need(row: &AnyRow) -> Result<Need, StoreError> {
    let c = Columns { table: "needs", row };
    Ok(Need {
        id: NeedId::trusted(c.text("id")?),
        subscription: SubscriptionId::trusted(c.text("subscription_id")?),
        rule: c.maybe_text("rule_id")?.map(RuleId::trusted),
        kind: c.parsed("kind", NeedKind::parse)?,
        seq: c.int("seq")?,
        opened_at: c.at("opened_at")?,
        period_end_at: c.maybe_at("period_end_at")?,
    })
}

/// A top-up with its need, and the instant before which failures of its line are forgiven.
pub(super) fn past(row: &AnyRow) -> Result<(Past, Timestamp), StoreError> {
    let c = Columns { table: "topups", row };
    let past = Past {
        state: c.parsed("state", State::parse)?,
        reason: c.text("reason")?,
        failure: c.maybe_text("failure")?.as_deref().and_then(FailureClass::parse),
        amount: c.money("amount_minor", "currency")?.ok_or_else(|| c.bad("currency", ""))?,
        price: c.money("price_minor", "price_currency")?,
        paid_at: c.maybe_at("paid_at")?,
        finalized_at: c.maybe_at("finalized_at")?,
        need: need(row)?,
        outcome: c.maybe_text("outcome")?.as_deref().and_then(NeedOutcome::parse),
    };
    Ok((past, c.at("failures_reset_at")?))
}

pub(super) fn topup(row: &AnyRow) -> Result<Topup, StoreError> {
    let c = Columns { table: "topups", row };
    let approved = match (c.maybe_at("approved_at")?, c.maybe_text("approved_by")?) {
        (Some(at), Some(who)) => Some((at, who)),
        _ => None,
    };
    Ok(Topup {
        id: TopupId::trusted(c.text("id")?),
        subscription: SubscriptionId::trusted(c.text("subscription_id")?),
        subscriber: SubscriberId::trusted(c.text("subscriber_id")?),
        rule: c.maybe_text("rule_id")?.map(RuleId::trusted),
        need: NeedId::trusted(c.text("need_id")?),
        payer: c.text("payer")?,
        product: c.maybe_text("product")?,
        amount: c.money("amount_minor", "currency")?.ok_or_else(|| c.bad("currency", ""))?,
        reference: c.text("reference")?,
        order_hash: c.text("order_hash")?,
        state: c.parsed("state", State::parse)?,
        reason: c.text("reason")?,
        request: c.maybe_text("request")?,
        submit_no: c.int("submit_no")?,
        maybe_sent: c.int("maybe_sent")?,
        sent_by: c.maybe_text("sent_by")?,
        last_sent_at: c.maybe_at("last_sent_at")?,
        transaction_id: c.maybe_text("transaction_id")?,
        charged: c.money("charged_minor", "charged_currency")?,
        delivered: c.money("delivered_minor", "delivered_currency")?,
        price: c.money("price_minor", "price_currency")?,
        failure: c.maybe_text("failure")?.as_deref().and_then(FailureClass::parse),
        before: Before {
            balance: c.money("before_balance_minor", "before_currency")?,
            data_left: c.maybe_int("before_data_left")?,
            service_end_at: c.maybe_at("before_service_end_at")?,
            read_at: c.maybe_at("before_read_at")?,
        },
        not_found: c.int("not_found")?,
        not_found_since: c.maybe_at("not_found_since")?,
        looks: c.int("looks")?,
        next_action_at: c.maybe_at("next_action_at")?,
        paid_at: c.maybe_at("paid_at")?,
        approved,
        created_at: c.at("created_at")?,
        updated_at: c.at("updated_at")?,
        version: c.int("version")?,
    })
}
