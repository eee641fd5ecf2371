//! `[log]`.

use crate::input::Section;

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// In which form.
    pub format: LogFormat,
    /// The least severity: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
}

/// In which form logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people, on standard error.
    Human,
    /// One JSON object a line, on standard error.
    Json,
    /// Into the systemd journal, with fields.
    Journald,
}

impl LogFormat {
    /// The words in config.
    pub const WORDS: [(&'static str, Self); 3] =
        [("human", Self::Human), ("json", Self::Json), ("journald", Self::Journald)];
}

const LEVELS: [(&str, &str); 5] = [
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("debug", "debug"),
    ("trace", "trace"),
];

impl Log {
    /// Reads the section.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let log = Self {
            format: section.word("format", &LogFormat::WORDS).unwrap_or(LogFormat::Human),
            level: section.word("level", &LEVELS).unwrap_or("info"),
        };
        section.finish();
        log
    }
}
