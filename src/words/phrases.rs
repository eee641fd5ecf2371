//! The sentences of one language, called by name.

use super::view::View;
use minijinja::{Captured, Environment, Error, Value, value::Serde};
use serde::Serialize;

/// An opened file of sentences.
#[derive(Debug)]
pub(super) struct Phrases<'e> {
    page: Captured<'e>,
}

/// One fact with its name.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    label: String,
    value: String,
}

impl<'e> Phrases<'e> {
    /// Opens the sentences in `locale`.
    pub(super) fn open(environment: &'e Environment<'e>, locale: &str) -> Result<Self, Error> {
        Ok(Self { page: environment.get_template(locale)?.render_captured(())? })
    }

    /// What the macro `name` says of `about`.
    pub(super) fn say(&mut self, name: &str, about: impl Serialize) -> Result<String, Error> {
        let about = Value::from(Serde(about));
        self.page.with_state_mut(|state| state.call_macro(name, &[about]))
    }

    /// The same, as trimmed lines without empty ones.
    pub(super) fn lines(&mut self, name: &str, view: &View) -> Result<Vec<String>, Error> {
        let said = self.say(name, view)?;
        let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
        Ok(lines.map(ToOwned::to_owned).collect())
    }

    /// The facts that are known, in the order in which people look for them.
    pub(super) fn rows(&mut self, view: &View) -> Result<Vec<Row>, Error> {
        let deadline = |phrases: &mut Self, deadline| match deadline {
            Some(deadline) => phrases.say("deadline", deadline).map(Some),
            None => Ok(None),
        };
        let service_end = deadline(self, view.service_end.as_ref())?;
        let number_loss = deadline(self, view.number_loss.as_ref())?;
        let facts = [
            ("severity", Some(self.say("severity", view.severity)?)),
            ("reminder", view.reminder.map(|n| n.to_string())),
            ("period", view.period.clone()),
            ("spent", view.spent.clone()),
            ("topups", view.topups.map(|n| n.to_string())),
            ("journal_head", view.journal_head.clone()),
            ("why", Some(self.say("why", view)?)),
            ("balance", view.balance.clone()),
            ("data_left", view.data_left.clone()),
            ("read_at", view.read_at.clone()),
            ("balance_before", view.balance_before.clone()),
            ("service_end", service_end),
            ("number_loss", number_loss),
            ("amount", view.amount.clone()),
            ("payer", view.payer.clone()),
            ("transaction", view.transaction.clone()),
            ("reference", view.reference.clone()),
            ("topup", view.topup.clone()),
            ("order_hash", view.order_hash.clone()),
        ];
        let mut rows = Vec::new();
        for (key, value) in facts {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                rows.push(Row { label: self.say("label", key)?, value });
            }
        }
        Ok(rows)
    }

    /// What happens next, or that nothing does.
    pub(super) fn next(&mut self, view: &View) -> Result<Row, Error> {
        let value = self.say("next", view)?.trim().to_owned();
        Ok(Row { label: self.say("label", "next")?, value })
    }
}
