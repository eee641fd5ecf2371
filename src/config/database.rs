//! `[database]`.

use crate::input::Section;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use url::Url;

const URL: &str =
    "allowed are sqlite://FILE and postgres://USER@HOST/NAME, in `url` or in the file `url_file`";

/// Where the rows are. Prints without the password.
#[derive(Clone)]
pub struct Database {
    url: SecretString,
}

impl Database {
    /// Reads the section.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let url = section.secret("url").filter(|url| {
            let usable = is_usable(url.expose_secret());
            if !usable {
                let written = if section.has("url_file") { "url_file" } else { "url" };
                section.fault_hidden(written, URL);
            }
            usable
        });
        section.finish();
        Self { url: url.unwrap_or_else(|| SecretString::from("sqlite://topupd.db")) }
    }

    /// The URL, password and all; never to be printed.
    pub fn url(&self) -> &str {
        self.url.expose_secret()
    }
}

/// The URL without password and options.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.url().starts_with("sqlite:") {
            return f.write_str(self.url());
        }
        match Url::parse(self.url()) {
            Ok(mut url) => {
                url.set_query(None);
                // Fails only for URLs that cannot have a password.
                url.set_password(None).ok();
                f.write_str(url.as_str())
            }
            Err(_) => f.write_str("<secret>"),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("url", &self.to_string()).finish()
    }
}

/// In-memory SQLite is refused: what is owed must outlive the process.
fn is_usable(url: &str) -> bool {
    if let Some(file) = url.strip_prefix("sqlite:") {
        let file = file.trim_start_matches("//");
        let file = file.split('?').next().unwrap_or(file);
        return !file.is_empty() && file != ":memory:";
    }
    let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    postgres && Url::parse(url).is_ok()
}
