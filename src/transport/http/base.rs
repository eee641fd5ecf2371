//! Where an API is.

use super::{Endpoint, Reach};
use crate::domain::Span;
use crate::input::{Fault, Section};
use url::Url;

/// Where an API is, and how long it is waited for.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Every path is below this.
    pub(crate) base: Url,
    /// What may be reached.
    pub(crate) reach: Reach,
    /// How long an answer may take, where it was written.
    pub(crate) timeout: Option<Span>,
}

impl Place {
    /// Reads `base_url` (`usual` where it is not written; without one it must be),
    /// `allow_private_network` and `timeout`.
    pub(crate) fn read(s: &mut Section<'_>, usual: Option<&str>) -> Option<Self> {
        let base = base_url(s, usual);
        let private_network = s.boolean("allow_private_network").unwrap_or(false);
        let timeout = s.span("timeout");
        let base = base?;
        let reach = Reach { private_network, tls: base.scheme() == "https" };
        Some(Self { base, reach, timeout })
    }

    /// Another host of the same API, `usual` where `key` is not written.
    pub(crate) fn beside(&self, s: &mut Section<'_>, key: &str, usual: &str) -> Option<Self> {
        let allowed = "allowed is a URL such as \"https://auth.example.com\"";
        let is_fine = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        let base = if s.has(key) {
            s.parsed(key, allowed, |text| text.trim().parse().ok().filter(is_fine))
        } else {
            s.value(key);
            usual.parse().ok()
        }?;
        let reach = Reach { tls: base.scheme() == "https", ..self.reach };
        Some(Self { base, reach, ..self.clone() })
    }

    /// An address that a person wrote as a whole, wherever it leads.
    pub(crate) fn trusted(url: &str) -> Option<Self> {
        let base: Url = url.trim().parse().ok()?;
        let reach = Reach { private_network: true, tls: base.scheme() == "https" };
        Some(Self { base, reach, timeout: None })
    }

    /// The clients for it.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, String> {
        Endpoint::new(self.base.clone(), self.reach)
    }

    /// Why nothing can be built for it; `section` is the table that it was read from.
    pub(crate) fn fault(&self, section: &str, why: &str) -> Fault {
        Fault {
            file: "the network".to_owned(),
            line: None,
            key: format!("{section}.base_url"),
            found: self.base.to_string(),
            allowed: format!("allowed is a URL for which an HTTP client can be made ({why})"),
        }
    }
}

/// `base_url`; where there is none, `usual`.
fn base_url(s: &mut Section<'_>, usual: Option<&str>) -> Option<Url> {
    let allowed = "allowed is a URL such as \"https://api.example.com\"";
    let text = match usual {
        Some(usual) => s.text("base_url").unwrap_or_else(|| usual.to_owned()),
        None => s.required("base_url", allowed)?,
    };
    match text.trim().parse::<Url>() {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            s.fault_hidden(
                "base_url",
                "allowed is a URL without user and password (use `headers`)",
            );
            None
        }
        Ok(url)
            if matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none() =>
        {
            Some(url)
        }
        Ok(_) | Err(_) => {
            s.fault("base_url", allowed);
            None
        }
    }
}
