//! What is left on an eSIM: the totals of its usage, the packages with their own dates.
//!
//! Invariant: "unlimited" and "nothing known" are never a low value.

use crate::domain::{Bucket, ErrorKind, Metric, Quality, Quantity, Timestamp, Values};
use crate::providers::{
    ReadError, ReadOk,
    api::{bytes, cut, items, moment, number, text},
};
use serde_json::Value;

/// Airalo counts in MB, and calls 3072 of them 3 GB.
pub(super) const MB: i64 = 1 << 20;

/// True where the eSIM is gone for good; the usage alone says so with status 200.
pub(super) fn is_recycled(usage: &Value) -> bool {
    is(usage, "/data/status", "RECYCLED")
}

/// The eSIM is gone for good.
pub(super) fn recycled() -> ReadError {
    ReadError::new(ErrorKind::Permanent, "the eSIM was recycled: it can no longer be used")
}

/// The answers about usage and packages as one reading.
pub(super) fn reading(usage: &Value, packages: &Value) -> Result<ReadOk, ReadError> {
    let told = usage
        .get("data")
        .filter(|data| data.is_object())
        .ok_or_else(|| ReadError::unparseable("no usage in the answer"))?;
    if !packages.get("data").is_some_and(Value::is_array) {
        return Err(ReadError::unparseable("no list of packages in the answer"));
    }
    let mut active: Vec<&Value> =
        items(packages, "/data").iter().filter(|row| is(row, "/status", "ACTIVE")).collect();
    // The order of an answer means nothing; one that changes would look like other packages.
    active.sort_by_key(|row| number(row, "/id"));
    let is_unlimited = is(told, "/is_unlimited", "true")
        || active.iter().any(|row| is(row, "/package/is_unlimited", "true"));
    let mut gaps = Vec::new();
    let status = text(told, "/status").unwrap_or_default().to_ascii_uppercase();
    if !matches!(status.as_str(), "NOT_ACTIVE" | "ACTIVE" | "FINISHED" | "EXPIRED") {
        gaps.push(format!("the status is `{}`", cut(&status, 40)));
    }
    let left = |remaining: &str, total: &str| {
        let left = bytes(told, remaining, 1).filter(|left| *left >= 0)?;
        match (left, status.as_str()) {
            // Where there never was any, nothing ran out.
            (0, _) if number(told, total).is_none_or(|total| total <= 0) => None,
            // Nothing can have been used yet: a figure that is not there yet.
            (0, "NOT_ACTIVE") => None,
            (_, "EXPIRED") => Some(0),
            _ => Some(left),
        }
    };
    let data_left = left("/remaining", "/total").and_then(|left| left.checked_mul(MB));
    let values = Values {
        data_left: data_left.filter(|_| !is_unlimited),
        minutes_left: left("/remaining_voice", "/total_voice"),
        sms_left: left("/remaining_text", "/total_text"),
        service_end_at: ends(told, &active, &mut gaps),
        // A sum of what is limited would say too little of what is not.
        buckets: if is_unlimited { Vec::new() } else { buckets(&active) },
        ..Values::default()
    };
    if values.is_empty() && gaps.is_empty() {
        gaps.push("nothing is known of it yet".to_owned());
    }
    let quality = if gaps.is_empty() { Quality::Ok } else { Quality::Partial };
    let detail = (!gaps.is_empty()).then(|| gaps.join("; "));
    Ok(ReadOk { values, quality, detail })
}

/// When the service ends: with the last of the active packages, whose dates have an offset. Only
/// without those the date of the usage counts, which has none.
fn ends(told: &Value, active: &[&Value], gaps: &mut Vec<String>) -> Option<Timestamp> {
    let dates = active.iter().filter_map(|row| text(row, "/expired_at"));
    let mut last = None;
    for date in dates {
        match moment(&date, false) {
            Some(at) => last = last.max(Some(at)),
            None => gaps.push(format!("`{}` is not a date with an offset", cut(&date, 40))),
        }
    }
    if last.is_some() {
        return last;
    }
    let Some(date) = text(told, "/expired_at") else {
        if is(told, "/status", "ACTIVE") {
            gaps.push("it is active, and no date says how long".to_owned());
        }
        return None;
    };
    let at = moment(&date, true);
    if at.is_none() {
        gaps.push(format!("`{}` is not a date", cut(&date, 40)));
    }
    at
}

/// The data packages that are in use.
fn buckets(active: &[&Value]) -> Vec<Bucket> {
    let bucket = |row: &&Value| {
        let left = bytes(row, "/remaining", MB).filter(|left| *left >= 0)?;
        if left == 0 && number(row, "/package/amount").is_none_or(|amount| amount <= 0) {
            return None;
        }
        let title = text(row, "/package/title").or_else(|| text(row, "/package/id"))?;
        Some(Bucket {
            // Two of one package are told apart by the row, whose id stays the same.
            name: text(row, "/id").map_or_else(|| title.clone(), |id| format!("{title} ({id})")),
            left: Quantity::Bytes(left),
            metric: Metric::DataLeft,
            expires_at: text(row, "/expired_at").and_then(|date| moment(&date, false)),
        })
    };
    active.iter().filter_map(bucket).collect()
}

fn is(value: &Value, pointer: &str, word: &str) -> bool {
    text(value, pointer).is_some_and(|found| found.eq_ignore_ascii_case(word))
}
