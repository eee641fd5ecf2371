//! Templates of URL and body: MiniJinja, where a name that is not known is an error. Values in a URL
//! are percent-encoded by themselves; in a body everything is as it is, and `tojson` writes JSON.

use crate::channels::{Message, Recipient};
use crate::domain::{Msisdn, NoticeKind, Severity, Timestamp};
use crate::words::PARAMETERS;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context, value::Serde};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// What a template can name.
const ALLOWED: &str = "id, kind, severity, locale, subject, text, html, short, recipient.name, \
                       recipient.email, recipient.phone, recipient.address, params.NAME";

/// A template that was parsed once and tried with made-up values. Its source may hold secrets, so it
/// does not print.
#[derive(Clone)]
pub(super) struct Template {
    engine: Arc<Environment<'static>>,
    is_url: bool,
    uses: BTreeSet<String>,
}

impl Template {
    /// The part of a URL behind its host.
    pub(super) fn url(source: &str) -> Result<Self, String> {
        Self::new(source, true)
    }

    /// A body.
    pub(super) fn body(source: &str) -> Result<Self, String> {
        Self::new(source, false)
    }

    fn new(source: &str, is_url: bool) -> Result<Self, String> {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        if is_url {
            engine.set_auto_escape_callback(|_| AutoEscape::Custom("url".to_owned().into()));
            engine.set_formatter(|out, _, value| {
                let text = value.to_string();
                let text = if value.is_safe() { text } else { encoded(&text) };
                out.write_str(&text).map_err(minijinja::Error::from)
            });
            // Who asks for it by name gets it once.
            let once = |text: String| Value::from_safe_string(encoded(&text));
            engine.add_filter("urlencode", once);
        } else {
            engine.set_auto_escape_callback(|_| AutoEscape::None);
            engine.add_filter("tojson", |value: Value| {
                serde_json::to_string(&value).map_err(|error| {
                    minijinja::Error::new(minijinja::ErrorKind::BadSerialization, error.to_string())
                })
            });
        }
        // An error of the engine's may quote the source, and that may be a secret.
        let why = |error: minijinja::Error| {
            let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
            format!(
                "allowed is a MiniJinja template ({}{line}); it can name {ALLOWED}",
                error.kind()
            )
        };
        engine.add_template_owned("it", source.to_owned()).map_err(why)?;
        let uses = engine.get_template("it").map_err(why)?.undeclared_variables(true);
        let template = Self { engine: Arc::new(engine), is_url, uses: uses.into_iter().collect() };
        let (message, recipient) = sample();
        template.render_whole(&known(&message, &recipient)).map_err(why)?;
        Ok(template)
    }

    /// True where it looks up the variable `name`.
    pub(super) fn names(&self, name: &str) -> bool {
        self.uses.contains(name) || self.uses.contains("recipient")
    }

    /// What it comes to.
    pub(super) fn render(&self, known: &Value) -> Result<String, String> {
        self.render_whole(known).map_err(|error| {
            let what = if self.is_url { "url" } else { "body" };
            format!("`{what}` cannot be made for this message ({})", error.kind())
        })
    }

    /// What it comes to with made-up values that have quotes and line ends in them.
    pub(super) fn try_out(&self) -> String {
        let (message, recipient) = sample();
        self.render_whole(&known(&message, &recipient)).unwrap_or_default()
    }

    fn render_whole(&self, known: &Value) -> Result<String, minijinja::Error> {
        self.engine.get_template("it")?.render(known)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.uses).finish()
    }
}

/// Everything but letters, digits and `-._~`, so that no value can end its place.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Everything that a template can name.
pub(super) fn known(message: &Message, recipient: &Recipient) -> Value {
    let params: BTreeMap<&str, &str> = PARAMETERS
        .iter()
        .map(|name| (*name, message.params.get(name).map_or("", String::as_str)))
        .collect();
    context! {
        id => message.id.as_str(),
        kind => message.kind.as_str(),
        severity => message.severity.as_str(),
        locale => message.locale,
        subject => message.subject.as_str(),
        text => message.text.as_str(),
        html => message.html.as_str(),
        short => message.short.as_str(),
        link => message.link.as_deref().unwrap_or_default(),
        recipient => context! {
            name => recipient.name.as_str(),
            email => recipient.email.as_deref().unwrap_or_default(),
            phone => recipient.phone.as_ref().map_or("", |phone| phone.as_str()),
            address => recipient.address.as_deref().unwrap_or_default(),
        },
        params => Value::from(Serde(params)),
    }
}

/// A message with everything in it that breaks a careless template.
fn sample() -> (Message, Recipient) {
    let nasty = "a \"quoted\" \\ text,\nin two lines".to_owned();
    let message = Message {
        id: "m-sample".to_owned(),
        kind: NoticeKind::LowBalance,
        severity: Severity::Warning,
        locale: "en",
        subject: nasty.clone(),
        text: nasty.clone(),
        html: format!("<p>{nasty}</p>"),
        short: nasty.clone(),
        params: PARAMETERS.iter().map(|name| (*name, nasty.clone())).collect(),
        link: Some("https://topupd.example.com/n/sample".to_owned()),
        thread: "sample.balance".to_owned(),
        at: Timestamp::from_ms(0),
    };
    let recipient = Recipient {
        name: nasty,
        email: Some("li@example.com".to_owned()),
        phone: Msisdn::parse("+12025550100").ok(),
        address: Some("sample".to_owned()),
    };
    (message, recipient)
}
