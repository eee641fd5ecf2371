//! Records that a fake keeps. Members that begin with `_` are its own; nobody is shown them.

use rust_decimal::Decimal;
use serde_json::{Value, json};

/// A record as it is shown.
pub(super) fn shown(record: &Value) -> Value {
    let mut shown = record.clone();
    if let Some(members) = shown.as_object_mut() {
        members.retain(|key, _| !key.starts_with('_'));
    }
    shown
}

/// At how many looks from now a record becomes final; this is one.
pub(super) fn look(record: &mut Value) -> i64 {
    let Some(looks) = record.get_mut("_looks") else { return 0 };
    let left = looks.as_i64().unwrap_or(0);
    *looks = json!((left - 1).max(0));
    left
}

/// An amount in hundredths.
pub(super) fn cents(amount: &Value) -> i64 {
    let amount = amount.to_string().parse::<Decimal>().unwrap_or_default();
    (amount * Decimal::from(100)).trunc().try_into().unwrap_or(0)
}
