//! Any carrier, reseller panel or gateway with an HTTP API, described in the config alone.
//!
//! Invariant: what is stored of a request holds no secret; what is sent is the stored request with
//! the secrets put in, so that every try sends the same bytes.

mod config;
mod dates;
mod escape;
mod field;
mod find;
mod list;
mod identity;
mod place;
mod buckets;
mod read;
mod record;
mod request;
mod secrets;
mod template;
mod topup;

pub(super) use config::{ABOUT, Config};

use super::api::Api;
use super::{
    Answer, Declares, Found, FreezeError, Listed, Order, Provider, ReadError, ReadOk, TestReport,
};
use crate::domain::{ErrorKind, Money, Span, Subscription, Timestamp};
use crate::transport::http::{CallError, Rendered, Reply};
use async_trait::async_trait;
use reqwest::header::{HeaderMap, HeaderValue};
use std::sync::OnceLock;
use template::Variables;

/// A provider made of a config.
#[derive(Debug)]
struct Http {
    config: Config,
    api: Api,
    /// The headers that are the same for every line and order, once they were made.
    standing: OnceLock<Result<HeaderMap, String>>,
}

impl Http {
    /// Asks. [`CallError::Forbidden`] also where the request cannot be made.
    async fn get(
        &self,
        rendered: Result<Rendered, String>,
        variables: &Variables<'_>,
    ) -> Result<Reply, CallError> {
        let rendered = rendered.map_err(CallError::Forbidden)?;
        let headers = self.headers(variables).map_err(CallError::Forbidden)?;
        self.api.with(headers).get(&rendered).await
    }

    /// Asks a question; only whole answers come back.
    async fn ask(
        &self,
        request: &request::Request,
        variables: &Variables<'_>,
    ) -> Result<Reply, ReadError> {
        Ok(self.get(request.render(variables), variables).await?)
    }

    fn headers(&self, variables: &Variables<'_>) -> Result<HeaderMap, String> {
        let standing = || self.rendered(&Variables::none(&self.config.secrets), true);
        let mut headers = self.standing.get_or_init(standing).clone()?;
        headers.extend(self.rendered(variables, false)?);
        Ok(headers)
    }

    /// The headers that are standing, or those that are not.
    fn rendered(&self, variables: &Variables<'_>, standing: bool) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, template) in &self.config.headers {
            if template.is_standing() != standing || !template.concerns(variables) {
                continue;
            }
            let text = template.render(variables)?;
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| format!("the header {name} has characters no header may have"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

#[async_trait]
impl Provider for Http {
    fn declares(&self) -> &Declares {
        &self.config.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let Some(read) = &self.config.read else {
            return Err(ReadError::new(ErrorKind::Unsupported, "there is no [read]"));
        };
        let variables = Variables::line(line, &self.config.secrets);
        let reply = self.ask(&read.request, &variables).await?;
        read.judge(&reply, line, &self.config.secrets)
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        let topup = self
            .config
            .topup
            .as_ref()
            .ok_or_else(|| FreezeError("there is no [topup]".to_owned()))?;
        let variables = Variables::order(order, &self.config.secrets);
        let frozen = topup.request.freeze(&variables, &self.config.secrets).map_err(FreezeError)?;
        frozen.freeze(order)
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        let Some(topup) = &self.config.topup else {
            return Answer::NotSent { why: "there is no [topup]".to_owned() };
        };
        let secrets = &self.config.secrets;
        let thawed = serde_json::from_str::<Rendered>(frozen)
            .map_err(|error| format!("the stored request cannot be read ({error})"))
            .and_then(|stored| topup.request.thaw(&stored, secrets));
        let ready = thawed
            .and_then(|rendered| Ok((rendered, self.headers(&Variables::order(order, secrets))?)));
        let outcome = match ready {
            Ok((rendered, headers)) => self.api.with(headers).once(&rendered).await,
            Err(why) => Err(CallError::Forbidden(why)),
        };
        topup.judge(outcome, order, secrets)
    }

    async fn find(&self, order: &Order) -> Found {
        let Some(find) = &self.config.find else {
            return Found::Blind { why: "there is no [find]".to_owned() };
        };
        let variables = Variables::order(order, &self.config.secrets);
        let outcome = self.get(find.request.render(&variables), &variables).await;
        find.judge(outcome, order, &self.config.secrets)
    }

    async fn list(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Listed>, ReadError> {
        let Some(list) = &self.config.list else {
            return Err(ReadError::new(ErrorKind::Unsupported, "there is no [list]"));
        };
        let (mut all, mut last) = (Vec::new(), Vec::new());
        for page in 1..=list::PAGES {
            let variables = Variables::period(from, to, page, &self.config.secrets);
            let reply = self.ask(&list.request, &variables).await?;
            let found = list.judge(&reply, &self.config.secrets)?;
            // A page that repeats the one before is the end of a list that ignores its pages.
            if found.is_empty() || found == last {
                return Ok(all);
            }
            all.extend(found.iter().cloned());
            if !list.has_pages() {
                return Ok(all);
            }
            last = found;
        }
        Err(ReadError::unparseable(format!("the list has more than {} pages", list::PAGES)))
    }

    async fn wallet(&self) -> Result<Money, ReadError> {
        let Some(wallet) = &self.config.wallet else {
            return Err(ReadError::new(ErrorKind::Unsupported, "there is no [wallet]"));
        };
        let variables = Variables::none(&self.config.secrets);
        wallet.judge(&self.ask(&wallet.request, &variables).await?)
    }

    fn clock_skew(&self) -> Option<Span> {
        self.api.skew()
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        let variables = Variables::none(&self.config.secrets);
        let status = self.get(Ok(Rendered::get("/")), &variables).await?.status;
        let detail = format!("{} answers (HTTP status {status})", self.config.site.place.base);
        Ok(TestReport { detail })
    }
}

#[cfg(test)]
pub(in crate::providers) mod testing;
#[cfg(test)]
mod tests;
