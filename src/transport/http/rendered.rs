//! A request as it is stored before it is sent, and as it then goes out.

use super::guard::check_host;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use url::Url;

/// One request, rendered; with markers for secrets this is what is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rendered {
    /// Its method.
    pub(crate) method: String,
    /// Its path and query, below the base URL.
    pub(crate) path: String,
    /// Its body.
    pub(crate) body: Option<String>,
    /// The kind of its body.
    pub(crate) content_type: Option<String>,
    /// Headers that are part of what is asked for, such as an idempotency key; never secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
}

impl Rendered {
    /// A question without a body.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET".to_owned(), path: path.into(), ..Self::default() }
    }

    /// A question with a query; values are encoded here.
    pub(crate) fn query(path: &str, pairs: &[(&str, &str)]) -> Self {
        Self::get(format!("{path}?{}", form(pairs)))
    }

    /// A JSON body.
    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self {
            method: "POST".to_owned(),
            path: path.into(),
            body: Some(body.to_string()),
            content_type: Some("application/json".to_owned()),
            headers: BTreeMap::new(),
        }
    }

    /// A form as its body.
    pub(crate) fn form(path: impl Into<String>, pairs: &[(&str, &str)]) -> Self {
        Self {
            method: "POST".to_owned(),
            path: path.into(),
            body: Some(form(pairs)),
            content_type: Some("application/x-www-form-urlencoded".to_owned()),
            headers: BTreeMap::new(),
        }
    }

    /// The same with a header that is part of what is asked for.
    pub(crate) fn with(mut self, header: &str, value: &str) -> Self {
        self.headers.insert(header.to_owned(), value.to_owned());
        self
    }

    /// The request's method.
    pub(crate) fn method(&self) -> Result<Method, String> {
        Method::from_bytes(self.method.as_bytes())
            .map_err(|_| format!("`{}` is not an HTTP method", self.method))
    }

    /// Where it goes: below `base`, and nowhere else, whatever the values were.
    pub(crate) fn url(&self, base: &Url, private_network: bool) -> Result<Url, String> {
        let text = format!("{}{}", base.as_str().trim_end_matches('/'), self.path);
        let url: Url = text.parse().map_err(|error| format!("the URL cannot be read ({error})"))?;
        let is_at_home = (url.scheme(), url.host_str(), url.port())
            == (base.scheme(), base.host_str(), base.port())
            && url.username() == base.username()
            && url.password().is_some() == base.password().is_some();
        let mut steps = self.path.split(['?', '#']).next().unwrap_or_default().split(['/', '\\']);
        if !is_at_home || url.fragment().is_some() || steps.any(steps_out) {
            return Err("the rendered path leaves `base_url`".to_owned());
        }
        check_host(&url, private_network).map_err(|refused| refused.to_string())?;
        Ok(url)
    }
}

/// A step of a path that leads to where it is, or up.
fn steps_out(step: &str) -> bool {
    // Most have no dot at all, and nothing to look at.
    let may = step.starts_with(['.', '%']);
    may && matches!(step.replace("%2e", ".").replace("%2E", ".").as_str(), "." | "..")
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, path: &str) -> Result<String, String> {
        let rendered = Rendered::get(path);
        rendered.url(&base.parse().unwrap(), true).map(String::from)
    }

    #[test]
    fn a_path_never_leaves_its_base() {
        let base = "http://127.0.0.1:9100";
        assert_eq!(
            url(base, "/v1/lines/+1202?a=b").unwrap(),
            "http://127.0.0.1:9100/v1/lines/+1202?a=b"
        );
        assert_eq!(url("https://a.example/api/", "/x").unwrap(), "https://a.example/api/x");
        for bad in [
            "@evil.example/",
            ".evil.example/",
            "/a/../../b",
            "/a/%2e%2E/b",
            "/./a",
            "/a#b",
            ":80/",
        ] {
            assert!(url(base, bad).is_err(), "{bad} became {:?}", url(base, bad));
        }
        assert!(url("http://127.0.0.1", "9/a").is_err());
        assert!(url("https://a.example", "/?q=../x").is_ok());
    }

    #[test]
    fn private_literals_need_permission() {
        let rendered = Rendered::get("/x");
        let why = rendered.url(&"http://10.1.2.3/".parse().unwrap(), false).unwrap_err();
        assert!(why.contains("allow_private_network"), "{why}");
    }
}
