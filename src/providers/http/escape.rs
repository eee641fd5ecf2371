//! How a value is written into a URL, a JSON text, a form or XML, so that it can never change the
//! shape of what it is written into.

use std::fmt::Write as _;

/// What a template's output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// A path with its query.
    Url,
    /// JSON; values stand between quotes that the author wrote.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// XML.
    Xml,
    /// Anything else: as it is.
    Plain,
}

/// Stands for a `+` of a value until it is known whether it is in the path or in the query.
const PLUS: char = '\u{e02b}';

impl Escape {
    /// The word that starts the name of a template of this kind.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Json => "json",
            Self::Form => "form",
            Self::Xml => "xml",
            Self::Plain => "plain",
        }
    }

    /// Writes a value of ours.
    pub(super) fn value(self, text: &str) -> String {
        match self {
            Self::Url => percent(text, b"-._~:@,+").replace('+', PLUS.encode_utf8(&mut [0; 4])),
            Self::Form => percent(text, b"-._~"),
            Self::Json => json(text),
            Self::Xml => xml(text),
            Self::Plain => text.to_owned(),
        }
    }

    /// Writes a secret: like a value, and the same wherever in a URL it stands.
    pub(super) fn secret(self, text: &str) -> String {
        match self {
            Self::Url => percent(text, b"-._~"),
            Self::Form | Self::Json | Self::Xml | Self::Plain => self.value(text),
        }
    }

    /// The last touch on a whole rendered text. A `+` is itself in a path (`/lines/+1202…`), but
    /// means a space in a query, where it must be written `%2B`.
    pub(super) fn whole(self, text: String) -> String {
        if self != Self::Url {
            return text;
        }
        match text.split_once('?') {
            Some((path, query)) => {
                format!("{}?{}", path.replace(PLUS, "+"), query.replace(PLUS, "%2B"))
            }
            None => text.replace(PLUS, "+"),
        }
    }
}

/// Percent-encodes all but letters, digits and `keep`.
pub(super) fn percent(text: &str, keep: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(out, "%{byte:02X}").ok();
        }
    }
    out
}

/// The inside of a JSON string. `<` of the marker for secrets is written `\u003c`, so that no
/// value can pass for a secret.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    inside.replace(super::template::MARK, "\\u003csecret:")
}

fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_change_the_shape_of_what_they_stand_in() {
        let nasty = "a/b?c&d=e\"f\\<g>#%\n\u{e9}";
        assert_eq!(Escape::Url.value(nasty), "a%2Fb%3Fc%26d%3De%22f%5C%3Cg%3E%23%25%0A%C3%A9");
        assert_eq!(Escape::Form.value("a b+c"), "a%20b%2Bc");
        let json = format!("\"{}\"", Escape::Json.value(nasty));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), nasty);
        assert_eq!(Escape::Xml.value("<a b=\"'&\">"), "&lt;a b=&quot;&apos;&amp;&quot;&gt;");
    }

    #[test]
    fn a_plus_is_itself_in_a_path_and_encoded_in_a_query() {
        let value = Escape::Url.value("+12025550123");
        let whole = Escape::Url.whole(format!("/lines/{value}?n={value}"));
        assert_eq!(whole, "/lines/+12025550123?n=%2B12025550123");
        assert_eq!(Escape::Url.whole(format!("/lines/{value}")), "/lines/+12025550123");
    }

    #[test]
    fn no_value_passes_for_a_secret() {
        for escape in [Escape::Url, Escape::Json, Escape::Form, Escape::Xml] {
            let text = escape.value("<secret:token>");
            assert!(!text.contains("<secret:"), "{escape:?}: {text}");
        }
    }
}
