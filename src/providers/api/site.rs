//! What the configurations of APIs have in common.

use super::Api;
use crate::domain::{Currency, Money, Span};
use crate::input::{Fault, Rate, Section};
use crate::providers::{Declares, Provider, TestReport};
use crate::transport::http::Place;
use secrecy::SecretString;
use std::{
    future::{Ready, ready},
    sync::Arc,
};

/// Where an API is, and how it is asked.
#[derive(Clone, Debug)]
pub(in crate::providers) struct Site {
    pub(in crate::providers) place: Place,
    concurrency: Option<usize>,
    rate: Option<Rate>,
}

impl Site {
    /// Reads the keys of [`Place::read`], `concurrency` and `rate`.
    pub(in crate::providers) fn read(s: &mut Section<'_>, usual: Option<&str>) -> Option<Self> {
        let place = Place::read(s, usual);
        let concurrency = s.integer("concurrency", 1..=1024).and_then(|n| usize::try_from(n).ok());
        let rate = s.rate("rate");
        Some(Self { place: place?, concurrency, rate })
    }

    /// Another host of the same API, `usual` where `key` is not written.
    pub(in crate::providers) fn beside(
        &self,
        s: &mut Section<'_>,
        key: &str,
        usual: &str,
    ) -> Option<Self> {
        Some(Self { place: self.place.beside(s, key, usual)?, ..self.clone() })
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

    /// What a test says that went well.
    pub(in crate::providers) fn answers(&self, more: &str) -> TestReport {
        TestReport { detail: format!("{} answers; {more}", self.place.base) }
    }

    /// The same of a test that asked for our float.
    pub(in crate::providers) fn holds(&self, left: Money) -> TestReport {
        self.answers(&format!("the wallet holds {left}"))
    }

    pub(super) fn poll_timeout(&self) -> Span {
        self.place.timeout.unwrap_or(Declares::default().timeout)
    }

    /// A short timeout manufactures unknown outcomes, so it is never shorter than the work.
    pub(super) fn money_timeout(&self, max_processing: Span) -> Span {
        self.place
            .timeout
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
        let made = Api::new(self, max_processing, secrets).and_then(make);
        let fault = |why: String| self.place.fault(&format!("providers.{name}.{kind}"), &why);
        ready(made.map(|provider| Arc::new(provider) as _).map_err(fault))
    }
}

/// Reads `currency`, which has to be written where the API does not say it.
pub(in crate::providers) fn account_currency(s: &mut Section<'_>) -> Option<Currency> {
    s.required("currency", "allowed is the currency of the account, such as \"USD\"")
        .and_then(|_| s.checked("currency", Currency::parse))
}
