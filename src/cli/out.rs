//! The one place that prints.

use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Standard output as text or as one JSON document; standard error for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Out {
    json: bool,
}

impl Out {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// The result: the document with `--json`, else the text.
    pub(super) fn result(self, document: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json {
            // As a value first: its keys are sorted.
            let document = serde_json::to_value(document).unwrap_or_default();
            self.line(&serde_json::to_string_pretty(&document).unwrap_or_default());
        } else {
            self.line(text().trim_end());
        }
    }

    /// A line of the result. Whoever closed the pipe has read enough.
    pub(super) fn line(self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush()).ok();
    }

    /// A line of a story, which a JSON document has no room for.
    pub(super) fn line_unless_json(self, text: &str) {
        if !self.json {
            self.line(text);
        }
    }

    /// Bytes as they are.
    pub(super) fn raw(self, bytes: &[u8]) {
        std::io::stdout().lock().write_all(bytes).ok();
    }

    /// Progress and questions: standard error, and only for people.
    pub(super) fn note(self, text: &str) {
        if !self.json {
            writeln!(std::io::stderr(), "{text}").ok();
        }
    }

    /// How far something is, in one line that is written over; only on a terminal. Nothing ends it.
    pub(super) fn progress(self, text: &str) {
        let mut stderr = std::io::stderr();
        if !self.json && stderr.is_terminal() {
            write!(stderr, "\r\x1b[K{text}").and_then(|()| stderr.flush()).ok();
        }
    }

    /// One cause of failure.
    pub(super) fn error(self, text: &str) {
        writeln!(std::io::stderr(), "topupd: {text}").ok();
    }
}

/// Columns aligned under their headings.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |n: usize, head: &str| {
        let cells = rows.iter().filter_map(|row| row.get(n)).map(|cell| cell.chars().count());
        cells.chain([head.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = heads.iter().enumerate().map(|(n, head)| width(n, head)).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut heads.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    if rows.is_empty() {
        lines.push("(none)".into());
    }
    lines.join("\n")
}
