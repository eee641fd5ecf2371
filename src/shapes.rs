//! The JSON that the command line and the API share. Domain types are not serialisable by design;
//! this is the boundary, and fields here are only ever added.

mod receipt;
mod simulation;

pub use receipt::{Receipt, receipts_page};
pub use simulation::{amounts, figures, figures_less};

use crate::domain::{
    Bucket, Decision, ExternalTopup, Forecast, Gate, LEAST_CHANGES, LEAST_DAYS, Money, MoneySwitch,
    Quantity, Reading, Rule, Runout, Snapshot, Subscriber, SubscriptionId, Timestamp, Topup,
};
use crate::store::{LedgerEntry, StoredNotice, SubscriptionView, TopupEvent};
use serde_json::{Value as Json, json};

fn at(at: Option<Timestamp>) -> Json {
    at.map_or(Json::Null, |at| Json::String(at.rfc3339()))
}

fn money(money: Option<Money>) -> Json {
    money.map_or(
        Json::Null,
        |m| json!({ "amount_minor": m.minor(), "currency": m.currency().code() }),
    )
}

/// A reading.
pub fn reading(r: &Reading) -> Json {
    json!({
        "subscription": r.subscription.as_str(),
        "at": r.at.rfc3339(),
        "provider": r.provider,
        "quality": r.quality.to_string(),
        "balance": money(r.values.balance),
        "data_left_bytes": r.values.data_left,
        "minutes_left": r.values.minutes_left,
        "sms_left": r.values.sms_left,
        "service_end_at": at(r.values.service_end_at),
        "number_loss_at": at(r.values.number_loss_at),
        "next_charge": money(r.values.next_charge),
        "buckets": r.values.buckets.iter().map(bucket).collect::<Vec<_>>(),
        "detail": r.detail,
    })
}

fn bucket(b: &Bucket) -> Json {
    let left = match b.left {
        Quantity::Money(m) => money(Some(m)),
        Quantity::Bytes(n) | Quantity::Count(n) => json!(n),
        Quantity::Days(span) | Quantity::Age(span) => json!(span.ms()),
    };
    json!({ "name": b.name, "metric": b.metric.as_str(), "left": left, "expires_at": at(b.expires_at) })
}

/// A subscriber.
pub fn subscriber(s: &Subscriber) -> Json {
    json!({
        "id": s.id.as_str(),
        "name": s.name,
        "email": s.email,
        "phone": s.phone.as_ref().map(|p| p.as_str()),
        "locale": s.locale,
        "time_zone": s.time_zone.name(),
        "quiet_hours": s.quiet_hours.map(|q| q.to_string()),
        "channels": s.channels,
    })
}

/// A subscription with its newest reading and what happens next. Values are those of the newest
/// `ok` reading; `quality` and `at` tell how the newest reading of any kind went.
pub fn subscription(v: &SubscriptionView) -> Json {
    let s = &v.subscription;
    let newest = v.newest.as_ref().map(|newest| {
        let values = v.good.as_ref().map(|good| &good.values);
        json!({
            "at": newest.at.rfc3339(),
            "quality": newest.quality.to_string(),
            "detail": newest.detail,
            "ok_at": at(v.good.as_ref().map(|good| good.at)),
            "balance": money(values.and_then(|values| values.balance)),
            "data_left_bytes": values.and_then(|values| values.data_left),
            "minutes_left": values.and_then(|values| values.minutes_left),
            "sms_left": values.and_then(|values| values.sms_left),
            "service_end_at": at(values.and_then(|values| values.service_end_at)),
            "number_loss_at": at(v.number_loss_at()),
        })
    });
    let (_, what, why) = &v.next;
    json!({
        "id": s.id.as_str(),
        "subscriber": s.subscriber.as_str(),
        "label": s.label,
        "msisdn": s.msisdn.as_ref().map(|m| m.as_str()),
        "iccid": s.iccid.as_ref().map(|i| i.as_str()),
        "operator": s.operator,
        "time_zone": s.time_zone.name(),
        "reader": s.reader,
        "payers": s.payers,
        "tags": s.tags,
        "status": v.status,
        "reading": newest,
        "next": { "at": at(v.next_at()), "what": what, "why": why },
    })
}

/// A top-up.
pub fn topup(t: &Topup) -> Json {
    json!({
        "id": t.id.as_str(),
        "subscription": t.subscription.as_str(),
        "subscriber": t.subscriber.as_str(),
        "rule": t.rule.as_ref().map(|r| r.as_str()),
        "need": t.need.as_str(),
        "payer": t.payer,
        "product": t.product,
        "amount": money(Some(t.amount)),
        "charged": money(t.charged),
        "delivered": money(t.delivered),
        "state": t.state.as_str(),
        "reference": t.reference,
        "order_hash": t.order_hash,
        "transaction_id": t.transaction_id,
        "submissions": t.submit_no,
        "before": {
            "balance": money(t.before.balance),
            "service_end_at": at(t.before.service_end_at),
            "at": at(t.before.read_at),
        },
        "approved_at": at(t.approved.as_ref().map(|(at, _)| *at)),
        "approved_by": t.approved.as_ref().map(|(_, who)| who),
        "paid_at": at(t.paid_at),
        "next_action_at": at(t.next_action_at),
        "created_at": t.created_at.rfc3339(),
        "updated_at": t.updated_at.rfc3339(),
        "reason": t.reason,
    })
}

/// A top-up with its history.
pub fn topup_with_events(t: &Topup, events: &[TopupEvent]) -> Json {
    let mut json = topup(t);
    let events: Vec<Json> = events
        .iter()
        .map(|e| {
            json!({ "at": e.at.rfc3339(), "from": e.from, "to": e.to, "actor": e.actor, "why": e.why,
                    "evidence": e.evidence })
        })
        .collect();
    if let Some(fields) = json.as_object_mut() {
        fields.insert("events".into(), Json::Array(events));
        fields.insert("request".into(), json!(t.request));
    }
    json
}

/// A notice.
pub fn notice(n: &StoredNotice) -> Json {
    json!({
        "id": n.id,
        "subscriber": n.subscriber,
        "subscription": n.subscription,
        "kind": n.kind.as_str(),
        "severity": n.severity.as_str(),
        "channel": n.channel,
        "state": n.state,
        "created_at": n.created_at.rfc3339(),
        "sent_at": at(n.sent_at),
        "next_try_at": at(n.next_try_at),
        "attempts": n.attempts,
        "last_error": n.last_error,
        "topup": n.facts.topup,
        "delivery": n.delivery,
        "reminder": n.reminder_no,
        "remind_at": at(n.remind_at),
        "acknowledged_at": at(n.acknowledged_at),
    })
}

/// One money movement.
pub fn ledger_entry(e: &LedgerEntry) -> Json {
    json!({
        "topup": e.topup,
        "at": e.at.rfc3339(),
        "kind": e.kind,
        "amount": money(Some(e.amount)),
        "subscription": e.subscription,
        "subscriber": e.subscriber,
        "payer": e.payer,
    })
}

/// Whether money may be spent, and what stands against it.
pub fn money_switch(switch: &MoneySwitch) -> Json {
    let out: Vec<Json> = switch
        .payers_out
        .iter()
        .map(|(payer, why)| json!({ "payer": payer, "why": why }))
        .collect();
    json!({
        "paying": switch.stops().is_empty(),
        "off": switch.off,
        "storm": switch.storm,
        "clock": switch.clock,
        "recovery": switch.recovery,
        "disk": switch.disk,
        "books": switch.books,
        "payers_out": out,
    })
}

/// What `explain` tells: every gate, and what happens next.
pub fn explain(snapshot: &Snapshot, decision: &Decision, now: Timestamp) -> Json {
    let gates: Vec<Json> = decision
        .gates
        .iter()
        .map(|Gate { name, passed, why }| json!({ "name": name, "passed": passed, "why": why }))
        .collect();
    let next_at =
        if decision.next.what == "poll" { snapshot.next_poll_at } else { decision.next.at };
    json!({
        "subscription": snapshot.subscription.id.as_str(),
        "at": now.rfc3339(),
        "rules": snapshot.rules.iter().map(rule_state(snapshot)).collect::<Vec<Json>>(),
        "topup": snapshot.topup.as_ref().map(topup),
        "gates": gates,
        "next": { "at": at(next_at), "what": decision.next.what, "why": decision.next.why },
    })
}

fn rule_state(snapshot: &Snapshot) -> impl Fn(&Rule) -> Json {
    let open: Vec<(String, String, String)> = snapshot
        .episodes
        .iter()
        .map(|(e, _)| (e.rule.to_string(), e.opened_at.rfc3339(), e.trigger.clone()))
        .collect();
    move |rule| {
        let episode = open.iter().find(|(id, _, _)| id == rule.id.as_str());
        json!({
            "id": rule.id.as_str(),
            "mode": rule.mode.as_str(),
            "conditions": rule.conditions().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "in_breach_since": episode.map(|(_, since, _)| since),
            "trigger": episode.map(|(_, _, trigger)| trigger),
        })
    }
}

/// A line with what its readings foretell.
#[derive(Clone, Debug)]
pub struct LineForecast {
    /// The line.
    pub id: SubscriptionId,
    /// Its newest `ok` reading.
    pub good: Option<Reading>,
    /// How fast it uses what it has.
    pub forecast: Forecast,
    /// Rises that others paid for, within what was looked at.
    pub external: Vec<ExternalTopup>,
}

impl LineForecast {
    /// When the money runs out, and when the data does.
    pub fn runouts(&self) -> (Option<Runout>, Option<Runout>) {
        let Some(good) = &self.good else { return (None, None) };
        let money = self.forecast.money_runout(good.values.balance, good.at);
        (money, self.forecast.data_runout(&good.values, good.at))
    }
}

/// What a forecast still lacks, in words; empty where it says something.
pub fn missing(forecast: &Forecast) -> String {
    let lack = |found: i64, least: i64, what: &str| {
        (found < least).then(|| format!("{found} of {least} {what}"))
    };
    let days = lack(forecast.days, LEAST_DAYS, "days");
    let changes = lack(forecast.changes, LEAST_CHANGES, "readings that show use");
    let parts: Vec<String> = [days, changes].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("collecting: {}", parts.join(", ")) }
}

/// What a line's readings foretell.
pub fn forecast(line: &LineForecast) -> Json {
    let f = &line.forecast;
    let range = |runout: Option<Runout>| {
        runout.map(
            |r| json!({ "earliest_at": r.earliest_at.rfc3339(), "middle_at": at(r.middle_at) }),
        )
    };
    let (money_runout, data_runout) = line.runouts();
    let values = line.good.as_ref().map(|reading| &reading.values);
    let external: Vec<Json> = line
        .external
        .iter()
        .map(|e| json!({ "at": e.at.rfc3339(), "amount": money(Some(e.amount)) }))
        .collect();
    json!({
        "subscription": line.id.as_str(),
        "at": f.at.rfc3339(),
        "trust": f.trust.as_str(),
        "missing": missing(f),
        "days": f.days,
        "changes": f.changes,
        "balance": money(values.and_then(|v| v.balance)),
        "burn_per_day": { "median": money(f.burn_median), "p80": money(f.burn_p80) },
        "runout": range(money_runout),
        "data_left_bytes": values.and_then(|v| v.data_left),
        "data_per_day_bytes": { "median": f.data_median, "p80": f.data_p80 },
        "data_runout": range(data_runout),
        "last_used_at": at(f.last_used_at),
        "external_topups": external,
    })
}
