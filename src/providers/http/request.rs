//! Requests: templates in the config, frozen text in the journal, bytes on the wire.

use super::{
    escape::Escape,
    secrets::Secrets,
    template::{Template, Variables},
};
use crate::input::Section;
use crate::providers::client::check_host;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use url::Url;

/// The methods a call may have.
const METHODS: [(&str, &str); 4] =
    [("GET", "GET"), ("POST", "POST"), ("PUT", "PUT"), ("PATCH", "PATCH")];

const FORM: &str = "application/x-www-form-urlencoded";

/// One request, as templates.
#[derive(Clone, Debug)]
pub(super) struct Request {
    method: &'static str,
    path: Template,
    body: Option<Template>,
    content_type: Option<String>,
}

/// One request, rendered; with markers for secrets this is what is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rendered {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Option<String>,
    pub(super) content_type: Option<String>,
}

impl Request {
    /// Reads `method`, `path` and `body`; `content_type` is what `headers` say.
    pub(super) fn read(
        section: &mut Section<'_>,
        method: &'static str,
        content_type: Option<&str>,
    ) -> Option<Self> {
        let method = section.word("method", &METHODS).unwrap_or(method);
        let allowed = "allowed is a path that starts with \"/\"";
        let path = section.required("path", allowed);
        if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            section.fault("path", allowed);
        }
        let path = path.and_then(|source| template(section, "path", &source, Escape::Url));
        let source = section.text("body");
        let (escape, usual) = kind(source.as_deref().unwrap_or_default(), content_type);
        let body = source.as_ref().and_then(|source| template(section, "body", source, escape));
        let content_type = body.as_ref().map(|_| content_type.unwrap_or(usual).to_owned());
        Some(Self { method, path: path?, body, content_type })
    }

    /// The variables that its templates look up.
    pub(super) fn uses(&self) -> BTreeSet<String> {
        let mut uses = self.path.uses().clone();
        uses.extend(self.body.iter().flat_map(Template::uses).cloned());
        uses
    }

    /// The request with every variable in its place.
    pub(super) fn render(&self, variables: &Variables<'_>) -> Result<Rendered, String> {
        let path = self.path.render(variables)?;
        let body = self.body.as_ref().map(|body| body.render(variables)).transpose()?;
        if let (Some(Escape::Json), Some(text)) = (self.escape(), &body) {
            serde_json::from_str::<serde::de::IgnoredAny>(text)
                .map_err(|error| format!("the body is not JSON once rendered ({error})"))?;
        }
        let (method, content_type) = (self.method.to_owned(), self.content_type.clone());
        Ok(Rendered { method, path, body, content_type })
    }

    /// The request with markers for secrets. It is proven here that putting the secrets back gives
    /// exactly the request that would have been rendered with them.
    pub(super) fn freeze(
        &self,
        variables: &Variables<'_>,
        secrets: &Secrets,
    ) -> Result<Rendered, String> {
        let frozen = self.render(&variables.clone().with_markers())?;
        if self.thaw(&frozen, secrets)? == self.render(variables)? {
            return Ok(frozen);
        }
        Err("a secret in a path or body must stand alone, as {{ secret.NAME }}, without a filter \
             (in `headers` filters are allowed)"
            .to_owned())
    }

    /// Puts the secrets where their markers are.
    pub(super) fn thaw(&self, frozen: &Rendered, secrets: &Secrets) -> Result<Rendered, String> {
        let escape = self.escape().unwrap_or(Escape::Plain);
        let fill = |text: &String| secrets.fill(text, escape);
        Ok(Rendered {
            path: secrets.fill(&frozen.path, Escape::Url)?,
            body: frozen.body.as_ref().map(fill).transpose()?,
            ..frozen.clone()
        })
    }

    fn escape(&self) -> Option<Escape> {
        self.body.as_ref().map(|body| body.escape)
    }
}

impl Rendered {
    /// The request's method.
    pub(super) fn method(&self) -> Result<Method, String> {
        Method::from_bytes(self.method.as_bytes())
            .map_err(|_| format!("`{}` is not an HTTP method", self.method))
    }

    /// Where it goes: below `base`, and nowhere else, whatever the values were.
    pub(super) fn url(&self, base: &Url, private_network: bool) -> Result<Url, String> {
        let text = format!("{}{}", base.as_str().trim_end_matches('/'), self.path);
        let url: Url = text.parse().map_err(|error| format!("the URL cannot be read ({error})"))?;
        let origin = |url: &Url| {
            let host = url.host_str().map(str::to_owned);
            (
                url.scheme().to_owned(),
                host,
                url.port(),
                url.username().to_owned(),
                url.password().is_some(),
            )
        };
        let steps_out = self.path.split(['?', '#']).next().is_some_and(|path| {
            path.replace("%2e", ".")
                .replace("%2E", ".")
                .split(['/', '\\'])
                .any(|s| matches!(s, "." | ".."))
        });
        if origin(&url) != origin(base) || url.fragment().is_some() || steps_out {
            return Err("the rendered path leaves `base_url`".to_owned());
        }
        check_host(&url, private_network).map_err(|refused| refused.to_string())?;
        Ok(url)
    }
}

/// How values are written into a body, and the content type that goes without saying.
fn kind(body: &str, content_type: Option<&str>) -> (Escape, &'static str) {
    let body = body.trim_start();
    let object = body.starts_with('{') && !body.starts_with("{{") && !body.starts_with("{%");
    let says =
        |word: &str| content_type.is_some_and(|text| text.to_ascii_lowercase().contains(word));
    if says("json") || object || body.starts_with('[') {
        (Escape::Json, "application/json")
    } else if says("xml") {
        (Escape::Xml, FORM)
    } else if content_type.is_none() || says("form-urlencoded") {
        (Escape::Form, FORM)
    } else {
        (Escape::Plain, FORM)
    }
}

fn template(section: &Section<'_>, key: &str, source: &str, escape: Escape) -> Option<Template> {
    let place = format!("{}.{key}", section.path());
    Template::new(&place, source, escape).map_err(|why| section.fault(key, why)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, path: &str) -> Result<String, String> {
        let rendered =
            Rendered { method: "GET".into(), path: path.into(), body: None, content_type: None };
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
        let rendered =
            Rendered { method: "GET".into(), path: "/x".into(), body: None, content_type: None };
        let why = rendered.url(&"http://10.1.2.3/".parse().unwrap(), false).unwrap_err();
        assert!(why.contains("allow_private_network"), "{why}");
    }

    #[test]
    fn bodies_have_the_kind_they_look_like() {
        assert_eq!(kind("{\"a\":1}", None), (Escape::Json, "application/json"));
        assert_eq!(kind("  [1]", None).0, Escape::Json);
        assert_eq!(kind("{{ a }}=1", None), (Escape::Form, FORM));
        assert_eq!(kind("a=1", Some("application/vnd.api+JSON")).0, Escape::Json);
        assert_eq!(kind("<a/>", Some("text/xml")).0, Escape::Xml);
        assert_eq!(kind("a=1", Some("text/plain")).0, Escape::Plain);
    }
}
