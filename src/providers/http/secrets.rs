//! The provider's secrets: never in a stored request, never in evidence.

use super::{escape::Escape, template::MARK};
use crate::transport::redact::clean;
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;

/// Secrets by name. Prints as names only.
#[derive(Clone, Default)]
pub(super) struct Secrets(BTreeMap<String, SecretString>);

impl Secrets {
    pub(super) fn insert(&mut self, name: String, secret: SecretString) {
        self.0.insert(name, secret);
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The secret as it is written into a text of kind `escape`.
    pub(super) fn written(&self, name: &str, escape: Escape) -> Option<String> {
        self.0.get(name).map(|secret| escape.secret(secret.expose_secret()))
    }

    /// Puts the secrets where a stored text has their markers; `Err` names one that is gone.
    pub(super) fn fill(&self, text: &str, escape: Escape) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(MARK) {
            let (name, tail) = after.split_once('>').unwrap_or((after, ""));
            let secret = self
                .written(name, escape)
                .ok_or_else(|| format!("the secret `{name}` is no longer in the config"))?;
            out.push_str(before);
            out.push_str(&secret);
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// An answer as it may be kept: without control characters and secrets, cut to 4 KiB.
    pub(super) fn redact(&self, text: &str) -> String {
        let written = |secret: &str| {
            vec![secret.to_owned(), Escape::Json.secret(secret), Escape::Url.secret(secret)]
        };
        clean(text, self.0.values().map(|secret| written(secret.expose_secret())))
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::redact::RAW_MAX;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.insert("token".into(), "s3\"cret&".to_owned().into());
        secrets
    }

    #[test]
    fn markers_are_filled_with_the_escaping_of_their_place() {
        let fill = |escape| secrets().fill("a<secret:token>b", escape).unwrap();
        assert_eq!(fill(Escape::Json), "as3\\\"cret&b");
        assert_eq!(fill(Escape::Url), "as3%22cret%26b");
        assert!(secrets().fill("<secret:other>", Escape::Json).unwrap_err().contains("other"));
    }

    #[test]
    fn what_is_kept_has_no_secret_and_no_control_characters() {
        let kept =
            secrets().redact("\u{1b}[31m{\"echo\":\"s3\\\"cret&\",\"u\":\"s3%22cret%26\"}\r\n");
        assert_eq!(kept, "[31m{\"echo\":\"<secret>\",\"u\":\"<secret>\"}\n");
        assert!(!format!("{:?}", secrets()).contains("cret"));
        // A secret that straddles the cut is gone before the cut is made.
        let long = format!("{}s3\"cret&", "\u{e9}".repeat(RAW_MAX / 2 - 1));
        let kept = secrets().redact(&long);
        assert!(kept.len() <= RAW_MAX && !kept.contains("s3"), "{kept}");
    }
}
