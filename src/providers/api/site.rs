//! The keys that the configuration of every API has.

use super::Api;
use crate::domain::Span;
use crate::input::{Fault, Rate, Section};
use crate::providers::{Declares, Provider};
use crate::transport::http::{Reach, base_url};
use secrecy::SecretString;
use std::{
    future::{Ready, ready},
    sync::Arc,
};
use url::Url;

/// Where an API is, and how it is asked.
#[derive(Clone, Debug)]
pub(in crate::providers) struct Site {
    pub(in crate::providers) base: Url,
    pub(super) reach: Reach,
    timeout: Option<Span>,
    concurrency: Option<usize>,
    rate: Option<Rate>,
}

impl Site {
    /// Reads `base_url` (`usual` where it is not written; without one it must be), `allow_private_network`, `timeout`,
    /// `concurrency` and `rate`.
    pub(in crate::providers) fn read(s: &mut Section<'_>, usual: Option<&str>) -> Option<Self> {
        let base = base_url(s, usual);
        let private_network = s.boolean("allow_private_network").unwrap_or(false);
        let timeout = s.span("timeout");
        let concurrency = s.integer("concurrency", 1..=1024).and_then(|n| usize::try_from(n).ok());
        let rate = s.rate("rate");
        let base = base?;
        let reach = Reach { private_network, tls: base.scheme() == "https" };
        Some(Self { base, reach, timeout, concurrency, rate })
    }

    /// Another host of the same API, `usual` where `key` is not written.
    pub(in crate::providers) fn beside(
        &self,
        s: &mut Section<'_>,
        key: &str,
        usual: &str,
    ) -> Option<Self> {
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

    /// What the adapter declares, with what was configured in its place.
    pub(in crate::providers) fn declares(&self, usual: Declares) -> Declares {
        let poll = self.poll_timeout();
        let timeout =
            if usual.tops_up { poll.max(self.money_timeout(usual.max_processing)) } else { poll };
        Declares {
            timeout,
            concurrency: self.concurrency.unwrap_or(usual.concurrency),
            rate: self.rate.or(usual.rate),
            ..usual
        }
    }

    pub(super) fn poll_timeout(&self) -> Span {
        self.timeout.unwrap_or(Declares::default().timeout)
    }

    /// A short timeout manufactures unknown outcomes, so it is never shorter than the work.
    pub(super) fn money_timeout(&self, max_processing: Span) -> Span {
        self.timeout
            .filter(|given| *given > max_processing)
            .unwrap_or_else(|| max_processing.plus(Span::seconds(10)))
    }

    /// Builds a provider named `name` of the kind `kind`.
    pub(in crate::providers) fn build<P: Provider + 'static>(
        &self,
        (kind, name): (&str, &str),
        max_processing: Span,
        secrets: Vec<SecretString>,
        make: impl FnOnce(Api) -> Result<P, String>,
    ) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        ready(match Api::new(self, max_processing, secrets).and_then(make) {
            Ok(provider) => Ok(Arc::new(provider)),
            Err(why) => Err(Fault {
                file: "the network".to_owned(),
                line: None,
                key: format!("providers.{name}.{kind}.base_url"),
                found: self.base.to_string(),
                allowed: format!("allowed is a URL for which an HTTP client can be made ({why})"),
            }),
        })
    }
}

/// A secret that must be there.
pub(in crate::providers) fn secret(s: &mut Section<'_>, key: &str) -> Option<SecretString> {
    let written = s.has(key) || s.has(&format!("{key}_file"));
    let found = s.secret(key);
    if found.is_none() && !written {
        s.fault_hidden(
            key,
            format!("allowed is the provider's secret: write `{key}` or `{key}_file`"),
        );
    }
    found
}
