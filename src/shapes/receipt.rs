//! A receipt: the quote, the order, what the provider said, when, and the line before and after. As
//! JSON, as a row of CSV, as a page to print.

use super::{At, TopupWithEvents, amount, at, money, reading, topup_with_events};
use crate::domain::{Money, Reading, State, Timestamp, Topup};
use crate::store::TopupEvent;
use minijinja::{Environment, context};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

/// One top-up with its evidence.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The top-up.
    pub topup: Topup,
    /// Its history.
    pub events: Vec<TopupEvent>,
    /// The reading that showed the effect, or the last one before it ended.
    pub after: Option<Reading>,
}

/// A receipt: the top-up's own fields, and what else a dispute wants to know.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
pub struct ReceiptDocument {
    /// The top-up with its history.
    #[serde(flatten)]
    pub topup: TopupWithEvents,
    /// What was ordered, under which limits.
    pub quote: Quote,
    /// When it came how far.
    pub times: Times,
    /// The reading that showed the effect, or the last one before it ended.
    pub after: Option<super::Reading>,
    /// When its effect was seen.
    pub verified_at: Option<At>,
    /// Its effect, in words.
    pub effect: Option<String>,
}

/// What was ordered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Quote {
    /// How much.
    pub amount: super::Money,
    /// The payer's product.
    pub product: Option<String>,
    /// What the plan cost then.
    pub renewal_price: Option<super::Money>,
    /// The limits it was reserved under.
    #[schema(value_type = Option<Limits>)]
    pub limits: Json,
}

/// The limits of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Limits {
    /// One order.
    pub order: Option<super::Money>,
    /// A line in 24 hours.
    pub subscription_24h: Option<super::Money>,
    /// A line in 30 days.
    pub subscription_30d: Option<super::Money>,
    /// A person in 30 days.
    pub subscriber_30d: Option<super::Money>,
    /// Everything in 24 hours, by currency.
    pub global_24h: Vec<super::Money>,
    /// Orders on a line in 24 hours.
    pub orders_24h: Option<i64>,
    /// Orders on a line in 30 days.
    pub orders_30d: Option<i64>,
}

/// When a top-up came how far.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Times {
    /// Written down.
    pub proposed_at: At,
    /// Somebody said yes.
    pub approved_at: Option<At>,
    /// The money was counted.
    pub reserved_at: Option<At>,
    /// It left.
    pub sent_at: Option<At>,
    /// The payer confirmed it.
    pub paid_at: Option<At>,
    /// Its effect was seen.
    pub verified_at: Option<At>,
}

impl Receipt {
    /// Whatever was sent may have moved money, so it has a receipt.
    pub fn is_due(topup: &Topup) -> bool {
        topup.submit_no > 0 && !matches!(topup.state, State::Reserved | State::Cancelled)
    }

    fn reached(&self, state: State) -> Option<&TopupEvent> {
        self.events.iter().find(|e| e.to == state.as_str() && e.from != e.to)
    }

    /// As JSON.
    pub fn document(&self) -> ReceiptDocument {
        let t = &self.topup;
        let when = |state| at(self.reached(state).map(|event| event.at));
        let verified = self.reached(State::Verified);
        ReceiptDocument {
            topup: topup_with_events(t, &self.events),
            quote: Quote {
                amount: amount(t.amount),
                product: t.product.clone(),
                renewal_price: money(t.price),
                limits: self.limits(),
            },
            times: Times {
                proposed_at: At(t.created_at),
                approved_at: at(t.approved.as_ref().map(|(at, _)| *at)),
                reserved_at: when(State::Reserved),
                sent_at: when(State::Submitting),
                paid_at: at(t.paid_at),
                verified_at: at(verified.map(|event| event.at)),
            },
            after: self.after.as_ref().map(reading),
            verified_at: at(verified.map(|event| event.at)),
            effect: verified.map(|event| event.why.clone()),
        }
    }

    /// The limits it was reserved under.
    fn limits(&self) -> Json {
        let evidence = self.reached(State::Reserved).and_then(|event| event.evidence.as_deref());
        evidence.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Json::Null)
    }

    /// The columns of [`Receipt::row`].
    pub const COLUMNS: [&'static str; 18] = [
        "topup",
        "created_at",
        "subscription",
        "subscriber",
        "payer",
        "amount",
        "currency",
        "charged",
        "charged_currency",
        "state",
        "reference",
        "transaction_id",
        "paid_at",
        "updated_at",
        "product",
        "balance_before",
        "balance_after",
        "verified_at",
    ];

    /// As a row of CSV.
    pub fn row(&self) -> Vec<String> {
        let t = &self.topup;
        let plain = |m: Option<Money>| m.map(Money::plain).unwrap_or_default();
        let code = |m: Option<Money>| m.map(|m| m.currency().code().to_owned()).unwrap_or_default();
        let verified = self.reached(State::Verified);
        vec![
            t.id.to_string(),
            t.created_at.rfc3339(),
            t.subscription.to_string(),
            t.subscriber.to_string(),
            t.payer.clone(),
            t.amount.plain(),
            t.amount.currency().code().to_owned(),
            plain(t.charged),
            code(t.charged),
            t.state.as_str().to_owned(),
            t.reference.clone(),
            t.transaction_id.clone().unwrap_or_default(),
            t.paid_at.map(Timestamp::rfc3339).unwrap_or_default(),
            t.updated_at.rfc3339(),
            t.product.clone().unwrap_or_default(),
            plain(t.before.balance),
            plain(self.after.as_ref().and_then(|r| r.values.balance)),
            verified.map(|event| event.at.rfc3339()).unwrap_or_default(),
        ]
    }
}

/// The receipts as one page to print, each on a sheet of its own. Everything in it is escaped.
pub fn receipts_page(receipts: &[Receipt]) -> Result<String, minijinja::Error> {
    let mut pages = Environment::new();
    pages.add_template("receipts.html", include_str!("receipts.html"))?;
    let text = |m: Option<Money>| m.map(|m| m.to_string());
    let sheets: Vec<minijinja::Value> = receipts
        .iter()
        .map(|receipt| {
            let t = &receipt.topup;
            let after = receipt.after.as_ref();
            let events: Vec<minijinja::Value> = receipt
                .events
                .iter()
                .map(|e| {
                    context! {
                        at => e.at.to_string(), from => e.from.clone(), to => e.to.clone(), actor => e.actor.clone(),
                        why => e.why.clone(), evidence => e.evidence.clone(),
                    }
                })
                .collect();
            context! {
                id => t.id.as_str(), state => t.state.as_str(), amount => t.amount.to_string(),
                subscription => t.subscription.as_str(), subscriber => t.subscriber.as_str(),
                payer => t.payer.clone(), product => t.product.clone(), reason => t.reason.clone(),
                reference => t.reference.clone(), transaction => t.transaction_id.clone(),
                charged => text(t.charged), delivered => text(t.delivered), price => text(t.price),
                created => t.created_at.to_string(), paid => t.paid_at.map(|at| at.to_string()),
                verified => receipt.reached(State::Verified).map(|e| e.at.to_string()),
                effect => receipt.reached(State::Verified).map(|e| e.why.clone()),
                approved => t.approved.as_ref().map(|(at, who)| format!("{at}, {who}")),
                before => text(t.before.balance),
                before_at => t.before.read_at.map(|at| at.to_string()),
                before_end => t.before.service_end_at.map(|at| at.to_string()),
                after => text(after.and_then(|r| r.values.balance)),
                after_at => after.map(|r| r.at.to_string()),
                after_end => after.and_then(|r| r.values.service_end_at).map(|at| at.to_string()),
                request => t.request.clone(), events,
            }
        })
        .collect();
    pages.get_template("receipts.html")?.render(context! { sheets })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures;

    #[test]
    fn what_a_provider_says_cannot_break_the_page() {
        let evil = "<script>alert(1)</script>";
        let topup = Topup {
            transaction_id: Some(evil.into()),
            reason: evil.into(),
            submit_no: 1,
            ..fixtures::order(State::Verified, Money::parse("10.00 USD").unwrap())
        };
        let event = TopupEvent {
            at: Timestamp::from_ms(0),
            from: "paid".into(),
            to: "verified".into(),
            actor: "verify".into(),
            why: evil.into(),
            evidence: Some(evil.into()),
        };
        let receipt = Receipt { topup, events: vec![event], after: None };
        let page = receipts_page(&[receipt.clone(), receipt.clone()]).unwrap();
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"), "{page}");
        assert_eq!(page.matches("<article").count(), 2);
        assert_eq!(receipt.row().len(), Receipt::COLUMNS.len());
        assert_eq!(receipt.document().effect.as_deref(), Some(evil));
        assert!(Receipt::is_due(&receipt.topup));
    }
}
