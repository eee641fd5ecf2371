//! `operator`: what is known of networks and brands, without any configuration.

use super::args::OperatorVerb;
use super::context::CliError;
use super::out::{Out, table};
use crate::operators::{self, Ask, Operator};
use crate::shapes;

pub(super) fn operator(verb: &OperatorVerb, out: Out) -> Result<(), CliError> {
    match verb {
        OperatorVerb::List => {
            let document: Vec<_> = operators::all().iter().map(shapes::operator).collect();
            out.result(&document, || {
                let heads = ["OPERATOR", "NAME", "COUNTRY", "BALANCE", "REPLIES", "NUMBER LOST"];
                table(&heads, &operators::all().iter().map(row).collect::<Vec<_>>())
            });
            Ok(())
        }
        OperatorVerb::Show { id } => {
            let found = operators::find(id).ok_or_else(|| {
                CliError::Usage(format!("operator: found {id:?}; see `topupd operator list`"))
            })?;
            out.result(&shapes::operator(found), || words(found));
            Ok(())
        }
    }
}

fn row(operator: &Operator) -> Vec<String> {
    let dash = || "-".to_owned();
    vec![
        operator.id.clone(),
        operator.name.clone(),
        operator.country.clone(),
        operator.balance.first().map_or_else(dash, Ask::to_string),
        operator.replies.len().to_string(),
        operator.number_loss_days.map_or_else(dash, |days| format!("after {days} days")),
    ]
}

fn words(operator: &Operator) -> String {
    let mut lines = vec![format!("{}  {}  ({})", operator.id, operator.name, operator.country)];
    let mut say = |what: &str, text: String| lines.push(format!("  {what:<14} {text}"));
    if !operator.also.is_empty() {
        say("also", operator.also.join(", "));
    }
    if let Some(network) = &operator.network {
        say("network", network.clone());
    }
    say("currency", operator.currency.to_string());
    say("times", zone(operator));
    for ask in &operator.balance {
        say("balance", ask.to_string());
    }
    for ask in &operator.redeem {
        say("redeem", ask.to_string());
    }
    say("replies", format!("{} kind(s) can be read", operator.replies.len()));
    say("renewal", operator.renewal.as_str().to_owned());
    if let Some(days) = operator.cycle_days {
        say("cycle", format!("{days} days"));
    }
    if let Some(window) = operator.charge_window {
        say("renews at", window.to_string());
    }
    if let Some(days) = operator.number_loss_days {
        say("number lost", format!("{days} days after the service end"));
    }
    for note in &operator.notes {
        say("note", note.clone());
    }
    for source in &operator.sources {
        say("source", source.clone());
    }
    for what in &operator.unverified {
        say("not verified", what.clone());
    }
    lines.join("\n")
}

fn zone(operator: &Operator) -> String {
    operator.zone.map_or_else(|| "line".to_owned(), |zone| zone.name().to_owned())
}
