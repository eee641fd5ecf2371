//! Subscriptions as CSV: one header row with the keys of the TOML form, one row a subscription.
//!
//! A row becomes the same table that TOML would have given, so that both are read by one reader.

use crate::input::{Fault, Intake, Origin, Table, Value};
use csv::{ReaderBuilder, StringRecord, Trim};

/// Every column, as TOML names the keys; those of the plan in one piece.
const COLUMNS: [&str; 15] = [
    "id",
    "subscriber",
    "label",
    "msisdn",
    "iccid",
    "operator",
    "time_zone",
    "reader",
    "payers",
    "tags",
    "plan_price",
    "plan_cycle_days",
    "plan_renewal",
    "plan_number_loss_days",
    "products",
];
const REQUIRED: [&str; 3] = ["id", "subscriber", "reader"];

/// Reads `text` as the table of a file that has nothing but `[[subscriptions]]`.
pub(super) fn read(file: &str, text: &str, intake: &Intake) -> Table {
    let mut reader =
        ReaderBuilder::new().trim(Trim::All).flexible(true).from_reader(text.as_bytes());
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            intake.push(fault(&Origin::file(file), "syntax", error.to_string(), "allowed is CSV"));
            return Table::new();
        }
    };
    let lines = Lines::of_text(text);
    let origin = |line| Origin { file: file.into(), line };
    if !check_header(&header, &origin(Some(1)), intake) {
        return Table::new();
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let at = origin(lines.of(record.position()));
                if record.len() != header.len() {
                    let allowed = format!("allowed are {} fields, as in the header", header.len());
                    intake.push(fault(&at, "row", format!("{} fields", record.len()), &allowed));
                    continue;
                }
                rows.push((Value::Table(row(&header, &record, &at, intake)), at));
            }
            Err(error) => {
                let at = origin(lines.of(error.position()));
                intake.push(fault(&at, "syntax", error.to_string(), "allowed is CSV"));
            }
        }
    }
    Table::from([("subscriptions".to_owned(), (Value::List(rows), origin(Some(1))))])
}

/// Where each line starts. The `csv` crate has lines of its own, but it counts a row from the end of
/// the row before, so that blank lines between them lead to the wrong one.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of_text(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        Self { text, starts: std::iter::once(0).chain(ends).collect() }
    }

    fn of(&self, position: Option<&csv::Position>) -> Option<usize> {
        let from = usize::try_from(position?.byte()).ok()?;
        let blank = self.text.get(from..)?.find(|c| !matches!(c, '\r' | '\n')).unwrap_or(0);
        let at = from.saturating_add(blank);
        Some(self.starts.partition_point(|start| *start <= at))
    }
}

fn fault(origin: &Origin, key: &str, found: String, allowed: &str) -> Fault {
    let file = origin.file.to_string();
    Fault { file, line: origin.line, key: key.to_owned(), found, allowed: allowed.to_owned() }
}

/// False where the rows make no sense under this header.
fn check_header(header: &StringRecord, origin: &Origin, intake: &Intake) -> bool {
    let mut usable = true;
    for (n, column) in header.iter().enumerate() {
        if !COLUMNS.contains(&column) {
            let allowed = format!("unknown column; allowed: {}", COLUMNS.join(", "));
            intake.push(fault(origin, "header", format!("{column:?}"), &allowed));
        } else if header.iter().take(n).any(|earlier| earlier == column) {
            let found = format!("{column:?} twice");
            intake.push(fault(origin, "header", found, "allowed is each column once"));
        }
    }
    for column in REQUIRED.iter().filter(|column| !header.iter().any(|found| found == **column)) {
        let allowed = format!("a column {column:?} is needed");
        intake.push(fault(origin, "header", String::new(), &allowed));
        usable = false;
    }
    usable
}

fn row(header: &StringRecord, record: &StringRecord, at: &Origin, intake: &Intake) -> Table {
    let mut row = Table::new();
    let mut plan = Table::new();
    let written = header.iter().zip(record).filter(|(_, cell)| !cell.is_empty());
    for (column, cell) in written.filter(|(column, _)| COLUMNS.contains(column)) {
        let text = Value::Text(cell.to_owned());
        match column {
            "payers" | "tags" => {
                let words = cell.split(|c: char| c == ';' || c.is_whitespace());
                let words = words.filter(|word| !word.is_empty());
                let words = words.map(|word| (Value::Text(word.to_owned()), at.clone())).collect();
                row.insert(column.to_owned(), (Value::List(words), at.clone()));
            }
            "products" => {
                if let Some(products) = products(cell, at) {
                    row.insert(column.to_owned(), (Value::Table(products), at.clone()));
                } else {
                    let allowed = "allowed is PAYER=PRODUCT, several with `;` between them";
                    intake.push(fault(at, column, format!("{cell:?}"), allowed));
                }
            }
            _ => match column.strip_prefix("plan_") {
                Some(key) => drop(plan.insert(key.to_owned(), (text, at.clone()))),
                None => drop(row.insert(column.to_owned(), (text, at.clone()))),
            },
        }
    }
    if !plan.is_empty() {
        row.insert("plan".to_owned(), (Value::Table(plan), at.clone()));
    }
    row
}

fn products(cell: &str, at: &Origin) -> Option<Table> {
    let pairs = cell.split(';').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (payer, product) = pair.split_once('=')?;
            let product = Value::Text(product.trim().to_owned());
            Some((payer.trim().to_owned(), (product, at.clone())))
        })
        .collect()
}
