//! Requests: templates in the config, frozen text in the journal, bytes on the wire.

use super::{
    escape::Escape,
    secrets::Secrets,
    template::{Template, Variables},
};
use crate::input::Section;
use crate::transport::http::Rendered;
use std::collections::BTreeSet;

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
        Ok(Rendered { method, path, body, content_type, ..Rendered::default() })
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
