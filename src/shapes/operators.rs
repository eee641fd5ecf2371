//! What is known of networks and brands.

use crate::operators;
use serde::Serialize;
use utoipa::ToSchema;

/// A network or brand.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Operator {
    /// Its word in config and command line.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// Other names that mean the same.
    pub also: Vec<String>,
    /// The operator whose network it uses.
    pub network: Option<String>,
    /// ISO 3166 code of the country.
    pub country: String,
    /// The currency of its balances.
    #[schema(value_type = String)]
    pub currency: &'static str,
    /// The zone its times are in; `line` where it is that of the line.
    pub time_zone: String,
    /// How to ask for the balance, best first.
    pub balance: Vec<Ask>,
    /// How to redeem a voucher, best first; `CODE` stands for its code.
    pub redeem: Vec<Ask>,
    /// Kinds of replies that can be read.
    pub replies: usize,
    /// What paying does to the dates of a line.
    #[schema(value_type = String)]
    pub renewal: &'static str,
    /// Days that one payment buys.
    pub cycle_days: Option<i64>,
    /// The hours in which it renews.
    pub charge_window: Option<String>,
    /// Days after the service end at which the number is lost.
    pub number_loss_days: Option<i64>,
    /// What else a user has to know.
    pub notes: Vec<String>,
    /// Where the facts are from.
    pub sources: Vec<String>,
    /// Which of the facts nobody has proved.
    pub unverified: Vec<String>,
}

/// A question to the operator: a code that is dialled, or a text message.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ask {
    /// The code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ussd: Option<String>,
    /// What the message says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms: Option<String>,
    /// The number it goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

fn ask(ask: &operators::Ask) -> Ask {
    match ask {
        operators::Ask::Ussd(code) => Ask { ussd: Some(code.clone()), sms: None, to: None },
        operators::Ask::Sms { to, text } => {
            Ask { ussd: None, sms: Some(text.clone()), to: Some(to.clone()) }
        }
    }
}

/// An operator.
pub fn operator(o: &operators::Operator) -> Operator {
    Operator {
        id: o.id.clone(),
        name: o.name.clone(),
        also: o.also.clone(),
        network: o.network.clone(),
        country: o.country.clone(),
        currency: o.currency.code(),
        time_zone: o.zone.map_or_else(|| "line".to_owned(), |zone| zone.name().to_owned()),
        balance: o.balance.iter().map(ask).collect(),
        redeem: o.redeem.iter().map(ask).collect(),
        replies: o.replies.len(),
        renewal: o.renewal.as_str(),
        cycle_days: o.cycle_days,
        charge_window: o.charge_window.map(|window| window.to_string()),
        number_loss_days: o.number_loss_days,
        notes: o.notes.clone(),
        sources: o.sources.clone(),
        unverified: o.unverified.clone(),
    }
}
