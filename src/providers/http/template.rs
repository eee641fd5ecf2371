//! Templates of a declarative provider: MiniJinja with strict undefined values, each with the
//! escaping of what it renders.

use super::{
    escape::{Escape, percent},
    secrets::Secrets,
};
use crate::domain::{Subscription, Timestamp};
use crate::providers::Order;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, LazyLock},
};

/// How the marker begins that stands for a secret in a stored request.
pub(super) const MARK: &str = "<secret:";

/// Every variable but the secrets, each with a value to try templates with.
const SAMPLES: [(&str, &str); 13] = [
    ("subscription.id", "sample"),
    ("subscription.label", "Sample \"line\""),
    ("subscription.msisdn", "+12025550100"),
    ("subscription.iccid", "8901260852290847433"),
    ("subscription.operator", "Sample & Co"),
    ("reference", "abcdefghijklmnopqrstuvwx"),
    ("amount", "10.00"),
    ("currency", "USD"),
    ("product", "SAMPLE"),
    ("transaction_id", "T-1"),
    ("from", "2026-11-20T00:00:00Z"),
    ("to", "2026-11-21T00:00:00Z"),
    ("page", "1"),
];

/// Every variable but the secrets, for people.
pub(super) fn allowed() -> String {
    SAMPLES.map(|(name, _)| name).join(", ")
}

/// A template that has been parsed once. Its source may hold secrets, so it does not print.
#[derive(Clone)]
pub(super) struct Template {
    name: String,
    /// With this one template in it, compiled; everything else is shared with [`ENGINE`].
    engine: Arc<Environment<'static>>,
    pub(super) escape: Escape,
    uses: BTreeSet<String>,
}

impl Template {
    /// Parses `source`, which stands at `place` in the config.
    pub(super) fn new(place: &str, source: &str, escape: Escape) -> Result<Self, String> {
        let name = format!("{}:{place}", escape.word());
        let mut engine = ENGINE.clone();
        let uses = engine
            .add_template_owned(name.clone(), source.to_owned())
            .and_then(|()| engine.get_template(&name))
            .map(|template| template.undeclared_variables(true).into_iter().collect())
            .map_err(|error| format!("allowed is a MiniJinja template ({error})"))?;
        Ok(Self { name, engine: Arc::new(engine), escape, uses })
    }

    /// The variables it may look up: `subscription.msisdn`, `secret.token`.
    pub(super) const fn uses(&self) -> &BTreeSet<String> {
        &self.uses
    }

    /// True where it looks up the variable `name`.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.uses.contains(name)
    }

    /// True where it is the same for every line and order.
    pub(super) fn is_standing(&self) -> bool {
        self.uses.iter().all(|name| name.starts_with("secret."))
    }

    /// True where everything it looks up is a matter of the call that `variables` are for.
    pub(super) fn concerns(&self, variables: &Variables<'_>) -> bool {
        self.uses.iter().all(|name| variables.concerns(name))
    }

    /// Renders; the error says which variable is missing.
    pub(super) fn render(&self, variables: &Variables<'_>) -> Result<String, String> {
        let context = variables.context(self.escape, &self.uses);
        match self.engine.get_template(&self.name).and_then(|found| found.render(context)) {
            Ok(text) => Ok(self.escape.whole(text)),
            Err(error) => {
                let place = self.name.split_once(':').map_or("", |(_, place)| place);
                let missing: Vec<String> =
                    self.uses.iter().filter(|name| !variables.has(name)).cloned().collect();
                Err(if missing.is_empty() {
                    format!("{place}: {error}")
                } else {
                    format!("{place} uses {}, which is not known here", missing.join(", "))
                })
            }
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What a template may look up.
#[derive(Clone, Debug)]
pub(super) struct Variables<'s> {
    known: BTreeMap<&'static str, Cow<'s, str>>,
    secrets: &'s Secrets,
    real: bool,
}

impl<'s> Variables<'s> {
    /// No line and no order: what a test of the connection knows.
    pub(super) const fn none(secrets: &'s Secrets) -> Self {
        Self { known: BTreeMap::new(), secrets, real: true }
    }

    /// Made-up values for the variables that start with one of `tops`.
    pub(super) fn sample(tops: &[&str], secrets: &'s Secrets) -> Self {
        let wanted = |name: &str| tops.iter().any(|top| name.starts_with(top));
        let known = SAMPLES.iter().filter(|(name, _)| wanted(name));
        Self {
            known: known.map(|(name, value)| (*name, Cow::Borrowed(*value))).collect(),
            secrets,
            real: true,
        }
    }

    /// What is known of a line.
    pub(super) fn line(line: &'s Subscription, secrets: &'s Secrets) -> Self {
        let mut known = BTreeMap::new();
        let mut put = |name, value: Option<&'s str>| {
            if let Some(value) = value {
                known.insert(name, Cow::Borrowed(value));
            }
        };
        put("subscription.id", Some(line.id.as_str()));
        put("subscription.label", Some(&line.label));
        put("subscription.msisdn", line.msisdn.as_ref().map(|m| m.as_str()));
        put("subscription.iccid", line.iccid.as_ref().map(|i| i.as_str()));
        put("subscription.operator", line.operator.as_deref());
        Self { known, secrets, real: true }
    }

    /// What is known of an order.
    pub(super) fn order(order: &'s Order, secrets: &'s Secrets) -> Self {
        let mut variables = Self::line(&order.line, secrets);
        let mut put = |name, value: Option<Cow<'s, str>>| {
            if let Some(value) = value {
                variables.known.insert(name, value);
            }
        };
        put("reference", Some(order.reference.as_str().into()));
        put("amount", Some(order.amount.plain().into()));
        put("currency", Some(order.amount.currency().code().into()));
        put("product", order.product.as_deref().map(Cow::Borrowed));
        put("transaction_id", order.transaction_id.as_deref().map(Cow::Borrowed));
        variables
    }

    /// What is known of a page of a list.
    pub(super) fn period(
        from: Timestamp,
        to: Timestamp,
        page: usize,
        secrets: &'s Secrets,
    ) -> Self {
        let mut variables = Self::none(secrets);
        variables.known.insert("from", from.rfc3339().into());
        variables.known.insert("to", to.rfc3339().into());
        variables.known.insert("page", page.to_string().into());
        variables
    }

    /// The same, with markers where the secrets would be.
    pub(super) fn with_markers(mut self) -> Self {
        self.real = false;
        self
    }

    /// True when `name` can be looked up.
    fn has(&self, name: &str) -> bool {
        match name.strip_prefix("secret.") {
            Some(secret) => self.secrets.names().any(|known| known == secret),
            None => name == "secret" || self.known.contains_key(name) || name == "subscription",
        }
    }

    /// True where a header that looks up `name` belongs to this call at all: one with the reference
    /// in it is for orders, not for reads. What a line or order merely lacks is an error instead.
    fn concerns(&self, name: &str) -> bool {
        let top = name.split_once('.').map_or(name, |(top, _)| top);
        match top {
            "secret" => true,
            "subscription" => self.known.contains_key("subscription.id"),
            "transaction_id" => self.known.contains_key(name),
            _ => self.known.contains_key("reference"),
        }
    }

    /// What a template sees that looks up `uses`: those alone, since most look up one or two.
    fn context(&self, escape: Escape, uses: &BTreeSet<String>) -> Value {
        let wants = |name: &str| {
            let top = name.split_once('.').map_or(name, |(top, _)| top);
            uses.contains(name) || uses.contains(top)
        };
        let mut root: BTreeMap<&str, Value> = BTreeMap::new();
        let mut line: BTreeMap<&str, Value> = BTreeMap::new();
        for (name, value) in self.known.iter().filter(|(name, _)| wants(name)) {
            match name.split_once('.') {
                Some((_, below)) => line.insert(below, Value::from(value.as_ref())),
                None => root.insert(name, Value::from(value.as_ref())),
            };
        }
        root.insert("subscription", Value::from(line));
        if uses.iter().any(|name| name.starts_with("secret")) {
            root.insert("secret", self.secrets(escape, uses));
        }
        Value::from(root)
    }

    fn secrets(&self, escape: Escape, uses: &BTreeSet<String>) -> Value {
        let wanted =
            |name: &&str| uses.contains("secret") || uses.contains(&format!("secret.{name}"));
        let written = |name| {
            // Already escaped, so it is marked as safe.
            let real = if self.real { self.secrets.written(name, escape) } else { None };
            (name, Value::from_safe_string(real.unwrap_or_else(|| format!("{MARK}{name}>"))))
        };
        let secrets: BTreeMap<&str, Value> =
            self.secrets.names().filter(wanted).map(written).collect();
        Value::from(secrets)
    }
}

/// What all templates share; the escaping is the word before the colon of a template's name.
static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|name| {
        let word = name.split_once(':').map_or("", |(word, _)| word);
        AutoEscape::Custom(word.to_owned().into())
    });
    engine.set_formatter(|out, state, value| {
        let text = value.to_string();
        let escape = ESCAPES
            .iter()
            .find(|escape| matches!(state.auto_escape(), AutoEscape::Custom(word) if word == escape.word()))
            .copied()
            .filter(|_| !value.is_safe())
            .unwrap_or(Escape::Plain);
        out.write_str(&escape.value(&text)).map_err(minijinja::Error::from)
    });
    // Percent-encodes everything, and is not encoded again by the URL around it.
    engine.add_filter("urlencode", |text: String| Value::from_safe_string(percent(&text, b"-._~")));
    engine.add_filter("base64", |text: String| data_encoding::BASE64.encode(text.as_bytes()));
    engine
});

const ESCAPES: [Escape; 5] = [Escape::Url, Escape::Json, Escape::Form, Escape::Xml, Escape::Plain];

#[cfg(test)]
mod tests {
    use super::super::testing::{line, order};
    use super::*;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.insert("token".into(), "s3\"cret".to_owned().into());
        secrets
    }

    fn render(source: &str, escape: Escape) -> Result<String, String> {
        let (order, secrets) = (order(), secrets());
        Template::new("here", source, escape)?.render(&Variables::order(&order, &secrets))
    }

    #[test]
    fn numbers_go_into_paths_as_they_are_and_encoded_on_demand() {
        let path = "/v1/{{ subscription.msisdn }}/{{ subscription.msisdn|urlencode }}";
        assert_eq!(render(path, Escape::Url).unwrap(), "/v1/+12025550123/%2B12025550123");
        let query = "/v1?n={{ subscription.msisdn }}&l={{ subscription.label }}";
        assert_eq!(render(query, Escape::Url).unwrap(), "/v1?n=%2B12025550123&l=Bank%20%22%2F%22");
    }

    #[test]
    fn bodies_get_the_escaping_of_their_kind() {
        let json = r#"{"l":"{{ subscription.label }}","a":{{ amount }},"t":"{{ secret.token }}"}"#;
        assert_eq!(
            render(json, Escape::Json).unwrap(),
            r#"{"l":"Bank \"/\"","a":10.00,"t":"s3\"cret"}"#
        );
        assert_eq!(
            render("a={{ amount }}&c={{ currency }}&l={{ subscription.label }}", Escape::Form)
                .unwrap(),
            "a=10.00&c=USD&l=Bank%20%22%2F%22"
        );
        assert_eq!(
            render("Basic {{ (secret.token ~ ':') | base64 }}", Escape::Plain).unwrap(),
            "Basic czMiY3JldDo="
        );
    }

    #[test]
    fn what_is_not_known_is_named() {
        let error = render("{{ transaction_id }}", Escape::Url).unwrap_err();
        assert_eq!(error, "here uses transaction_id, which is not known here");
        assert!(render("{{ secret.other }}", Escape::Url).unwrap_err().contains("secret.other"));
        assert!(render("{{ nonsense }}", Escape::Url).is_err());
        assert!(Template::new("here", "{{ amount", Escape::Url).is_err());
        assert_eq!(render("{{ product|default('none') }}", Escape::Url).unwrap(), "none");
    }

    #[test]
    fn secrets_can_be_left_as_markers() {
        let (line, secrets) = (line(), secrets());
        let variables = Variables::line(&line, &secrets).with_markers();
        let template = Template::new("here", "/{{ secret.token }}/x", Escape::Url).unwrap();
        assert_eq!(template.render(&variables).unwrap(), "/<secret:token>/x");
        assert!(template.mentions("secret.token") && !template.mentions("amount"));
    }
}
