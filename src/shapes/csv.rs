//! Lists as CSV whose cells no spreadsheet takes for formulas.

use crate::domain::{Money, Reading, Timestamp, Topup};
use crate::store::{LedgerEntry, SubscriptionView};

/// Rows of cells under their headings.
pub fn csv(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>, csv::Error> {
    let safe = |cell: String| {
        let number = cell.parse::<rust_decimal::Decimal>().is_ok();
        if !number && cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            format!("'{cell}")
        } else {
            cell
        }
    };
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(heads)?;
    for row in rows {
        writer.write_record(row.into_iter().map(safe))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn plain(m: Option<Money>) -> String {
    m.map(Money::plain).unwrap_or_default()
}

fn code(m: Option<Money>) -> String {
    m.map(|m| m.currency().code().to_owned()).unwrap_or_default()
}

fn instant(at: Option<Timestamp>) -> String {
    at.map(Timestamp::rfc3339).unwrap_or_default()
}

fn number(n: Option<i64>) -> String {
    n.map(|n| n.to_string()).unwrap_or_default()
}

/// The columns of [`line_row`].
pub const LINE_COLUMNS: [&str; 14] = [
    "subscription",
    "subscriber",
    "label",
    "msisdn",
    "operator",
    "tags",
    "status",
    "read_at",
    "quality",
    "balance",
    "currency",
    "data_left_bytes",
    "service_end_at",
    "number_loss_at",
];

/// A line with its newest reading.
pub fn line_row(v: &SubscriptionView) -> Vec<String> {
    let (s, values) = (&v.subscription, v.good.as_ref().map(|good| &good.values));
    let balance = values.and_then(|v| v.balance);
    vec![
        s.id.to_string(),
        s.subscriber.to_string(),
        s.label.clone(),
        s.msisdn.as_ref().map(|m| m.as_str().to_owned()).unwrap_or_default(),
        s.operator.clone().unwrap_or_default(),
        s.tags.join(" "),
        v.status.clone(),
        instant(v.newest.as_ref().map(|r| r.at)),
        v.newest.as_ref().map(|r| r.quality.to_string()).unwrap_or_default(),
        plain(balance),
        code(balance),
        number(values.and_then(|v| v.data_left)),
        instant(v.service_end_at()),
        instant(v.number_loss_at()),
    ]
}

/// The columns of [`reading_row`].
pub const READING_COLUMNS: [&str; 11] = [
    "at",
    "subscription",
    "provider",
    "quality",
    "balance",
    "currency",
    "data_left_bytes",
    "minutes_left",
    "sms_left",
    "service_end_at",
    "detail",
];

/// A reading.
pub fn reading_row(r: &Reading) -> Vec<String> {
    vec![
        r.at.rfc3339(),
        r.subscription.to_string(),
        r.provider.clone(),
        r.quality.to_string(),
        plain(r.values.balance),
        code(r.values.balance),
        number(r.values.data_left),
        number(r.values.minutes_left),
        number(r.values.sms_left),
        instant(r.values.service_end_at),
        r.detail.clone().unwrap_or_default(),
    ]
}

/// The columns of [`topup_row`].
pub const TOPUP_COLUMNS: [&str; 13] = [
    "topup",
    "created_at",
    "subscription",
    "subscriber",
    "payer",
    "product",
    "amount",
    "currency",
    "state",
    "reason",
    "reference",
    "transaction_id",
    "updated_at",
];

/// A top-up.
pub fn topup_row(t: &Topup) -> Vec<String> {
    vec![
        t.id.to_string(),
        t.created_at.rfc3339(),
        t.subscription.to_string(),
        t.subscriber.to_string(),
        t.payer.clone(),
        t.product.clone().unwrap_or_default(),
        t.amount.plain(),
        t.amount.currency().code().to_owned(),
        t.state.as_str().to_owned(),
        t.reason.clone(),
        t.reference.clone(),
        t.transaction_id.clone().unwrap_or_default(),
        t.updated_at.rfc3339(),
    ]
}

/// The columns of [`ledger_row`].
pub const LEDGER_COLUMNS: [&str; 8] =
    ["at", "kind", "amount", "currency", "subscription", "subscriber", "payer", "topup"];

/// A money movement.
pub fn ledger_row(e: &LedgerEntry) -> Vec<String> {
    vec![
        e.at.rfc3339(),
        e.kind.clone(),
        e.amount.plain(),
        e.amount.currency().code().to_owned(),
        e.subscription.clone(),
        e.subscriber.clone(),
        e.payer.clone(),
        e.topup.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        let cells = ["=1+1", "+1", "-5.00", "-cmd", "@x", "\tx", "fine", "a,\"b"];
        let rows = std::iter::once(cells.map(str::to_owned).to_vec());
        let text = String::from_utf8(csv(&["a"; 8], rows).unwrap()).unwrap();
        let row = text.lines().nth(1).unwrap();
        assert_eq!(row, "'=1+1,+1,-5.00,'-cmd,'@x,'\tx,fine,\"a,\"\"b\"");
    }
}
