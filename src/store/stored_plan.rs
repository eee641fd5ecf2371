//! A line's plan as it stands in one column of `subscriptions`: JSON.

use super::{
    StoreError,
    rows::{Cells, Columns},
};
use crate::domain::{Money, Plan, QuietHours, Renewal};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What its column holds.
#[derive(Serialize, Deserialize)]
struct StoredPlan {
    charge_window: Option<String>,
    cycle_days: Option<i64>,
    number_loss_days: Option<i64>,
    price: Option<String>,
    renewal: Option<String>,
}

/// The text for the column.
pub(super) fn text(plan: &Plan) -> String {
    json!(StoredPlan {
        charge_window: plan.charge_window.map(|window| window.to_string()),
        cycle_days: plan.cycle_days,
        number_loss_days: plan.number_loss_days,
        price: plan.price.map(|price| price.to_string()),
        renewal: Some(plan.renewal.as_str().to_owned()),
    })
    .to_string()
}

/// The plan in the column, where there is one.
pub(super) fn read<R: Cells>(c: &Columns<'_, R>) -> Result<Option<Plan>, StoreError> {
    let stored = c.maybe_parsed("plan", |text| serde_json::from_str::<StoredPlan>(text).ok())?;
    let Some(stored) = stored else { return Ok(None) };
    let price = match &stored.price {
        Some(price) => Some(Money::parse(price).map_err(|_| c.bad("plan", price))?),
        None => None,
    };
    let renewal = stored.renewal.as_deref().unwrap_or("unknown");
    Ok(Some(Plan {
        price,
        cycle_days: stored.cycle_days,
        renewal: Renewal::WORDS
            .iter()
            .find(|(word, _)| *word == renewal)
            .map(|(_, value)| *value)
            .ok_or_else(|| c.bad("plan", renewal))?,
        number_loss_days: stored.number_loss_days,
        charge_window: match &stored.charge_window {
            Some(window) => Some(QuietHours::parse(window).ok_or_else(|| c.bad("plan", window))?),
            None => None,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    /// A row whose every column is this text.
    struct One<'t>(&'t str);

    impl Cells for One<'_> {
        fn maybe_text(&self, _: &str) -> Result<Option<Cow<'_, str>>, sqlx::Error> {
            Ok(Some(Cow::Borrowed(self.0)))
        }

        fn maybe_int(&self, _: &str) -> Result<Option<i64>, sqlx::Error> {
            Ok(None)
        }
    }

    fn read_back(text: &str) -> Result<Option<Plan>, String> {
        let columns = Columns { table: "subscriptions", row: &One(text) };
        read(&columns).map_err(|error| error.to_string())
    }

    #[test]
    fn a_plan_is_read_as_it_was_stored() {
        for (word, renewal) in Renewal::WORDS {
            let plan = Plan {
                price: Money::parse("15.00 USD").ok(),
                cycle_days: Some(30),
                renewal,
                number_loss_days: Some(60),
                charge_window: QuietHours::parse("23:00-01:30"),
            };
            let stored = text(&plan);
            assert!(stored.contains(word), "{stored}");
            assert_eq!(read_back(&stored), Ok(Some(plan)));
        }
        let none = Plan {
            price: None,
            cycle_days: None,
            renewal: Renewal::Unknown,
            number_loss_days: None,
            charge_window: None,
        };
        assert_eq!(read_back(&text(&none)), Ok(Some(none.clone())));
        assert_eq!(read_back("{}"), Ok(Some(none)), "what is not said is not known");
    }

    #[test]
    fn a_plan_that_cannot_be_read_is_named() {
        for bad in [
            "15",
            r#"{"price":"15"}"#,
            r#"{"cycle_days":"a month"}"#,
            r#"{"renewal":"never"}"#,
            r#"{"charge_window":"at night"}"#,
        ] {
            let why = read_back(bad).unwrap_err();
            assert!(why.contains("subscriptions") && why.contains("plan"), "{bad}: {why}");
        }
    }
}
