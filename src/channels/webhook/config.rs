//! `[channels.NAME.webhook]`: read once, tried with made-up values, then trusted.

use super::{Webhook, sign::Key, template::Template};
use crate::channels::{
    Channel, Needs,
    vendor::{self, Vendor},
};
use crate::input::{Fault, Section};
use crate::transport::http::Place;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use url::Url;

const URL: &str = "allowed is https://HOST[:PORT]/PATH; behind the host it may be a template";
/// What is shorter or as common as these stands in no secret's place in a path.
const SECRET_MIN: usize = 6;
const WORDS: [&str; 14] = [
    "webhook",
    "webhooks",
    "message",
    "messages",
    "services",
    "workflows",
    "triggers",
    "manual",
    "invoke",
    "open-apis",
    "cgi-bin",
    "notify",
    "publish",
    "direct",
];

/// What is written in `[channels.NAME.webhook]`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Scheme, host and port of the URL, and nothing else of it.
    pub(super) place: Place,
    /// What comes behind them.
    pub(super) path: Template,
    pub(super) body: Option<Template>,
    pub(super) content_type: String,
    pub(super) signing: Signing,
    pub(super) success: Success,
    pub(super) retry_when: Rules,
    pub(super) is_final: Rules,
    headers: BTreeMap<String, SecretString>,
    /// What must not be kept of an answer.
    secrets: Vec<SecretString>,
}

/// Who proves that the message is ours, and how.
#[derive(Clone, Debug)]
pub(super) enum Signing {
    None,
    /// With each of these.
    Standard(Vec<Key>),
    Dingtalk(SecretString),
    Feishu(SecretString),
}

/// What an answer must be.
#[derive(Clone, Debug, Default)]
pub(super) struct Success {
    /// Empty: every 2xx.
    pub(super) status: Vec<i64>,
    pub(super) pointer: Option<String>,
    equals: Option<String>,
}

impl Success {
    /// True where what was found at the pointer is a yes.
    pub(super) fn is_met(&self, found: &Value) -> bool {
        match &self.equals {
            Some(equals) => as_text(found) == *equals,
            None => !found.is_null(),
        }
    }
}

/// Values by JSON pointer, any of which decides.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules(BTreeMap<String, Vec<String>>);

impl Rules {
    /// True where one of the values is there.
    pub(super) fn apply_to(&self, said: &Value) -> bool {
        self.0.iter().any(|(pointer, values)| {
            said.pointer(pointer).is_some_and(|found| values.contains(&as_text(found)))
        })
    }
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let url = read_url(s);
        let private_network = s.boolean("allow_private_network").unwrap_or(false);
        let timeout = vendor::time_limit(s);
        let content_type = s.text("content_type").unwrap_or_else(|| "application/json".to_owned());
        let signing = read_signing(s);
        let is_json = content_type.contains("json");
        let written = s.secret("body");
        let body = written.as_ref().and_then(|source| {
            let found = body(source.expose_secret(), is_json);
            found.map_err(|allowed| s.fault_hidden("body", allowed)).ok()
        });
        let broken = body.is_none() && (written.is_some() || s.has("body") || s.has("body_file"));
        let headers = read_headers(s.section_or_empty("headers"));
        let success = s.section("success").map(read_success).unwrap_or_default();
        let retry_when = read_rules(s.section_or_empty("retry_when"));
        let is_final = read_rules(s.section_or_empty("final"));
        section.finish();
        let (place, path, mut secrets) = url.filter(|_| !broken)?;
        let reach = crate::transport::http::Reach { private_network, ..place.reach };
        secrets.extend(headers.values().flat_map(parts));
        if let Some(Signing::Dingtalk(secret) | Signing::Feishu(secret)) = &signing {
            secrets.push(secret.clone());
        }
        Some(Self {
            place: Place { reach, timeout, ..place },
            path,
            body,
            content_type,
            signing: signing?,
            success,
            retry_when,
            is_final,
            headers,
            secrets,
        })
    }

    /// What it needs of a recipient: what its templates name.
    pub fn needs(&self) -> Needs {
        let names = |name: &str| {
            self.path.names(name) || self.body.as_ref().is_some_and(|body| body.names(name))
        };
        if names("recipient.address") {
            Needs::Address
        } else if names("recipient.phone") {
            Needs::Phone
        } else if names("recipient.email") {
            Needs::Email
        } else {
            Needs::Nothing
        }
    }

    /// Builds the channel, named `name` in errors.
    pub fn build(&self, name: &str) -> Result<Arc<dyn Channel>, Fault> {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose_secret()))
            .collect();
        let vendor = Vendor::new(&self.place, ("webhook", name), &headers, self.secrets.clone())
            .map_err(|fault| Fault { key: format!("channels.{name}.webhook"), ..fault })?;
        Ok(Arc::new(Webhook { config: self.clone(), vendor }))
    }
}

/// Where it is, what comes behind the host, and what of that may be secret.
fn read_url(s: &mut Section<'_>) -> Option<(Place, Template, Vec<SecretString>)> {
    let written = s.required_secret("url")?;
    let text = written.expose_secret().trim();
    let parsed = split(text).ok_or_else(|| URL.to_owned()).and_then(|(base, rest)| {
        let secrets = secrets_of(rest);
        Ok((base, Template::url(rest)?, secrets))
    });
    let (base, path, secrets) = parsed.map_err(|allowed| s.fault_hidden("url", allowed)).ok()?;
    let reach =
        crate::transport::http::Reach { private_network: false, tls: base.scheme() == "https" };
    Some((Place { base, reach, timeout: None }, path, secrets))
}

/// `https://host:1/a?b` → `https://host:1` and `/a?b`. Nothing before the path is a template, and
/// nobody signs in by it.
fn split(text: &str) -> Option<(Url, &str)> {
    let host = text.find("://")?.checked_add(3)?;
    let end = text.get(host..)?.find(['/', '?']).and_then(|at| host.checked_add(at));
    let (base, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let base: Url = base.parse().ok()?;
    let plain =
        base.username().is_empty() && base.password().is_none() && base.fragment().is_none();
    let fits = plain && base.has_host() && matches!(base.scheme(), "http" | "https");
    (fits && !base.as_str().contains(['{', '}', '%'])).then_some((base, rest))
}

/// Whatever in a path or query may be the secret of it.
fn secrets_of(rest: &str) -> Vec<SecretString> {
    let parts = rest.split(['/', '?', '&', '=']).flat_map(|part| {
        let stem = part.split_once('.').map_or(part, |(stem, _)| stem);
        [part, stem]
    });
    let decoded = |part: &str| form_decoded(part);
    let mut found: Vec<String> = parts
        .filter(|part| part.len() >= SECRET_MIN && !WORDS.contains(part) && !part.contains('{'))
        .flat_map(|part| [part.to_owned(), decoded(part)])
        .collect();
    // Longer ones first: a secret may begin with another.
    found.sort_by_key(|part| std::cmp::Reverse(part.len()));
    found.dedup();
    found.into_iter().map(SecretString::from).collect()
}

fn form_decoded(part: &str) -> String {
    let pairs = url::form_urlencoded::parse(part.as_bytes());
    pairs.map(|(key, _)| key.into_owned()).collect()
}

/// A header's value, and what follows the scheme in it.
fn parts(value: &SecretString) -> Vec<SecretString> {
    let whole = value.expose_secret();
    let credentials = whole.rsplit(' ').next().unwrap_or(whole);
    [whole, credentials]
        .into_iter()
        .filter(|part| part.len() >= SECRET_MIN)
        .map(SecretString::from)
        .collect()
}

/// `secret`, `secret_old` and `sign`.
fn read_signing(s: &mut Section<'_>) -> Option<Signing> {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Robot {
        Dingtalk,
        Feishu,
    }
    let robot = s.word("sign", &[("dingtalk", Robot::Dingtalk), ("feishu", Robot::Feishu)]);
    if robot.is_none() && s.has("sign") {
        return None;
    }
    if let Some(robot) = robot {
        if s.has("secret_old") || s.has("secret_old_file") {
            s.fault_hidden("secret_old", "allowed only without `sign`");
            return None;
        }
        s.value("secret_old");
        let secret = s.required_secret("secret")?;
        return Some(match robot {
            Robot::Dingtalk => Signing::Dingtalk(secret),
            Robot::Feishu => Signing::Feishu(secret),
        });
    }
    let is_written = |s: &Section<'_>, key: &str| s.has(key) || s.has(&format!("{key}_file"));
    let mut keys = Vec::new();
    for name in ["secret", "secret_old"] {
        let Some(secret) = s.secret(name) else {
            if is_written(s, name) {
                return None;
            }
            continue;
        };
        let Some(key) = Key::parse(&secret) else {
            s.fault_hidden(name, "allowed is whsec_ and at least 16 bytes in Base64");
            return None;
        };
        keys.push(key);
    }
    if is_written(s, "secret_old") && !is_written(s, "secret") {
        s.fault_hidden("secret_old", "allowed only beside `secret`, while that is new");
        return None;
    }
    Some(if keys.is_empty() { Signing::None } else { Signing::Standard(keys) })
}

/// A body that is what its kind says, whatever the values are.
fn body(source: &str, is_json: bool) -> Result<Template, String> {
    let template = Template::body(source)?;
    if is_json && let Err(error) = serde_json::from_str::<Value>(&template.try_out()) {
        let allowed = "allowed is a template of JSON: write {{ text | tojson }}, without quotes \
                       around it, or another `content_type`";
        return Err(format!("{allowed} ({error})"));
    }
    Ok(template)
}

/// Headers by name; each value may be secret and has its twin `NAME_file`.
fn read_headers(mut s: Section<'_>) -> BTreeMap<String, SecretString> {
    let keys = s.keys();
    let names = keys.iter().map(|key| key.strip_suffix("_file").unwrap_or(key));
    let headers = names.filter_map(|name| Some((name.to_owned(), s.secret(name)?))).collect();
    s.finish();
    headers
}

fn read_success(mut s: Section<'_>) -> Success {
    let status = s.integers("status", &(200..=599)).unwrap_or_default();
    let pointer = s.parsed("pointer", POINTER, |text| is_pointer(text).then(|| text.to_owned()));
    let equals = s.text("equals");
    if equals.is_some() && !s.has("pointer") {
        s.fault("equals", "allowed only with `pointer`");
    }
    s.finish();
    Success { status, pointer, equals }
}

const POINTER: &str = "allowed are JSON pointers, such as \"/errcode\"";

/// `{ "/errcode" = ["45009"] }`.
fn read_rules(mut s: Section<'_>) -> Rules {
    let mut rules = BTreeMap::new();
    for key in s.keys() {
        let values = s.texts(&key);
        if !is_pointer(&key) {
            s.fault(&key, POINTER);
        }
        rules.extend(values.map(|values| (key, values)));
    }
    s.finish();
    Rules(rules)
}

fn is_pointer(text: &str) -> bool {
    text.starts_with('/')
}

/// A value as it is written in the config.
fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
