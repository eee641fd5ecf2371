//! Canonical documents: one JSON form for each entry, in the words of the fleet file, with every
//! default written out. They are what is stored of a rule, and what plans compare.

use super::{FleetContext, draft::Draft, rule, subscriber, subscription};
use crate::{
    domain::{
        Amount, CapLimits, Condition, OnEnable, OnStale, Plan, Quantity, Rule, Scope, Subscriber,
        Subscription, Timestamp,
    },
    input::{Intake, Origin, Section, Table, Value, from_json},
};
use serde_json::{Map, Value as Json, json};

impl Subscriber {
    /// The canonical document.
    pub fn to_document(&self) -> Json {
        without_nulls(json!({
            "id": self.id.as_str(),
            "name": self.name,
            "email": self.email,
            "phone": self.phone.as_ref().map(|phone| phone.as_str()),
            "locale": self.locale,
            "time_zone": self.time_zone.name(),
            "quiet_hours": self.quiet_hours.map(|hours| hours.to_string()),
            "channels": self.channels,
            "addresses": (!self.addresses.is_empty()).then_some(&self.addresses),
        }))
    }
}

impl Subscription {
    /// The canonical document. Whether it is paused is no part of it: that is said elsewhere.
    pub fn to_document(&self) -> Json {
        without_nulls(json!({
            "id": self.id.as_str(),
            "subscriber": self.subscriber.as_str(),
            "label": self.label,
            "msisdn": self.msisdn.as_ref().map(|number| number.as_str()),
            "iccid": self.iccid.as_ref().map(|iccid| iccid.as_str()),
            "operator": self.operator,
            "time_zone": self.time_zone.name(),
            "reader": self.reader,
            "payers": self.payers,
            "tags": self.tags,
            "plan": self.plan.as_ref().map(plan),
            "products": (!self.products.is_empty()).then_some(&self.products),
        }))
    }
}

impl Rule {
    /// The canonical document; [`rule_from_document`] reads it again.
    pub fn to_document(&self) -> Json {
        let conditions = |list: &[Condition]| {
            (!list.is_empty()).then(|| list.iter().map(condition).collect::<Vec<_>>())
        };
        without_nulls(json!({
            "id": self.id.as_str(),
            "applies_to": scope(&self.scope),
            "priority": self.priority,
            "mode": self.mode.as_str(),
            "any": conditions(&self.any),
            "all": conditions(&self.all),
            "amount": self.amount.as_ref().map(amount),
            "caps": (self.caps != CapLimits::default()).then(|| caps(&self.caps)),
            "approve_first": self.approve_first,
            "approve_above": self.approve_above.map(|money| money.to_string()),
            "cooldown_attempt": self.cooldown_attempt.exact(),
            "cooldown_success": self.cooldown_success.exact(),
            "unless": conditions(&self.unless),
            "fire_after": self.fire_after,
            "clear_after": self.clear_after,
            "milestones": self.milestones,
            "order_min": self.order_min.map(|money| money.to_string()),
            "order_max": self.order_max.map(|money| money.to_string()),
            "approve_if_price_up": format!("{}%", self.approve_if_price_up),
            "approve_if_unusual": self.approve_if_unusual,
            "max_declines": self.max_declines,
            "on_enable": word(&OnEnable::WORDS, &self.on_enable),
            "on_stale": word(&OnStale::WORDS, &self.on_stale),
            "valid_from": self.valid_from.map(Timestamp::rfc3339),
            "valid_until": self.valid_until.map(Timestamp::rfc3339),
        }))
    }
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> Option<&'static str> {
    words.iter().find(|(_, v)| v == value).map(|(word, _)| *word)
}

/// The rule of a stored document. The error says everything that is wrong with it.
pub fn rule_from_document(document: &Json) -> Result<Rule, String> {
    let intake = Intake::new();
    let table = table("the stored rule", document).ok_or("the stored rule is no JSON object")?;
    let origin = Origin::file("the stored rule");
    let section = Section::new(&table, "rule", &origin, &intake);
    let Draft { value, section, .. } = Draft::read(section, &intake, |s| rule::read(s, &intake));
    section.finish();
    let faults: Vec<String> = intake.into_faults().iter().map(ToString::to_string).collect();
    match value {
        Some(rule) if faults.is_empty() => Ok(rule),
        _ => Err(faults.join("; ")),
    }
}

/// The subscription of a stored document; `None` where it cannot be read.
pub(super) fn subscription_from_document(document: &Json) -> Option<Subscription> {
    let intake = Intake::new();
    let table = table("the stored subscription", document)?;
    let origin = Origin::file("the stored subscription");
    let section = Section::new(&table, "", &origin, &intake);
    Draft::read(section, &intake, subscription::read).sound().cloned()
}

/// The subscriber of a canonical document, as [`Subscriber::to_document`] writes it; `None` where it
/// cannot be read any more. Its channels are not looked up.
pub(super) fn subscriber_from_document(
    document: &Json,
    context: &FleetContext,
) -> Option<Subscriber> {
    let intake = Intake::new();
    let table = table("the stored subscriber", document)?;
    let origin = Origin::file("the stored subscriber");
    let section = Section::new(&table, "", &origin, &intake);
    Draft::read(section, &intake, |s| subscriber::read(s, context)).sound().cloned()
}

fn table(name: &str, document: &Json) -> Option<Table> {
    match from_json(name, document) {
        Value::Table(table) => Some(table),
        Value::Text(_)
        | Value::Integer(_)
        | Value::Fraction(_)
        | Value::Boolean(_)
        | Value::List(_) => None,
    }
}

fn without_nulls(document: Json) -> Json {
    let Json::Object(map) = document else { return document };
    Json::Object(map.into_iter().filter(|(_, value)| !value.is_null()).collect())
}

fn plan(plan: &Plan) -> Json {
    without_nulls(json!({
        "price": plan.price.map(|money| money.to_string()),
        "cycle_days": plan.cycle_days,
        "renewal": plan.renewal.as_str(),
        "number_loss_days": plan.number_loss_days,
        "charge_window": plan.charge_window.map(|window| window.to_string()),
    }))
}

fn scope(scope: &Scope) -> Json {
    match scope {
        Scope::Subscription(id) => json!({ "subscription": id.as_str() }),
        Scope::Subscriber(id) => json!({ "subscriber": id.as_str() }),
        Scope::Tag(tag) => json!({ "tag": tag }),
        Scope::Provider(name) => json!({ "provider": name }),
        Scope::All => json!({ "all": true }),
    }
}

fn condition(condition: &Condition) -> Json {
    let mut document = Map::new();
    document.insert("metric".to_owned(), condition.metric.as_str().into());
    document.insert(condition.op.as_str().to_owned(), level(condition.threshold));
    document.insert("clear_at".to_owned(), level(condition.clear_at));
    Json::Object(document)
}

fn level(quantity: Quantity) -> Json {
    match quantity {
        Quantity::Money(money) => money.to_string().into(),
        Quantity::Bytes(n) => bytes(n).into(),
        Quantity::Count(n) => n.into(),
        Quantity::Days(span) => {
            let day = crate::domain::Span::days(1).ms();
            if span.ms() % day == 0 { (span.ms() / day).into() } else { span.exact().into() }
        }
        Quantity::Age(span) => span.exact().into(),
    }
}

/// In the largest unit that loses nothing.
fn bytes(n: i64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    let unit = units.into_iter().find(|(size, _)| n != 0 && n % size == 0);
    unit.map_or_else(|| format!("{n} B"), |(size, unit)| format!("{} {unit}", n / size))
}

fn amount(amount: &Amount) -> Json {
    match amount {
        Amount::Fixed(money) => json!({ "fixed": money.to_string() }),
        Amount::ToTarget(money) => json!({ "to_target": money.to_string() }),
        Amount::CoverNextRenewal { margin_percent } => {
            json!({ "cover_next_renewal": true, "margin": format!("{margin_percent}%") })
        }
        Amount::CoverDays(days) => json!({ "cover_days": days }),
    }
}

/// A rule has no cap of its own on everything together.
fn caps(caps: &CapLimits) -> Json {
    without_nulls(json!({
        "order": caps.order.map(|money| money.to_string()),
        "subscription_24h": caps.subscription_24h.map(|money| money.to_string()),
        "subscription_30d": caps.subscription_30d.map(|money| money.to_string()),
        "subscriber_30d": caps.subscriber_30d.map(|money| money.to_string()),
        "orders_24h": caps.orders_24h,
        "orders_30d": caps.orders_30d,
    }))
}
