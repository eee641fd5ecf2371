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

use super::client::{self, CallError, Rendered, Reply};
use super::{
    Answer, Declares, Found, FreezeError, Listed, Order, Provider, ReadError, ReadOk, TestReport,
};
use crate::domain::{ErrorKind, Money, Span, Subscription, Timestamp};
use async_trait::async_trait;
use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use template::Variables;

/// A provider made of a config.
#[derive(Debug)]
struct Http {
    config: Config,
    poll: Client,
    money: Client,
    skew: client::Skew,
}

impl Http {
    fn new(config: Config) -> Result<Self, String> {
        let poll = client::poll_client(config.reach)?;
        let money = client::money_client(config.reach)?;
        Ok(Self { config, poll, money, skew: client::Skew::default() })
    }

    /// Sends a rendered request once. [`CallError::Forbidden`] also where it cannot be made.
    async fn send(
        &self,
        client: &Client,
        rendered: Rendered,
        variables: &Variables<'_>,
        timeout: Span,
    ) -> Result<Reply, CallError> {
        let method = rendered.method().map_err(CallError::Forbidden)?;
        let url = rendered
            .url(&self.config.base, self.config.reach.private_network)
            .map_err(CallError::Forbidden)?;
        let mut headers = self.headers(variables).map_err(CallError::Forbidden)?;
        if let Some(kind) = &rendered.content_type {
            let kind = HeaderValue::from_str(kind)
                .map_err(|_| CallError::Forbidden("Content-Type cannot be sent".to_owned()))?;
            headers.insert(CONTENT_TYPE, kind);
        }
        let mut request = client.request(method, url).headers(headers);
        if let Some(body) = rendered.body {
            request = request.body(body);
        }
        let reply = client::call(request, timeout).await?;
        self.skew.note(reply.skew);
        Ok(reply)
    }

    /// Asks a question; only whole answers come back.
    async fn ask(
        &self,
        request: &request::Request,
        variables: &Variables<'_>,
    ) -> Result<Reply, ReadError> {
        let rendered = request
            .render(variables)
            .map_err(|why| ReadError::new(ErrorKind::Configuration, why))?;
        self.send(&self.poll, rendered, variables, self.config.poll_timeout)
            .await
            .map_err(|error| no_answer(&error))
    }

    fn headers(&self, variables: &Variables<'_>) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, template) in &self.config.headers {
            if !template.concerns(variables) {
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
        let rendered = read
            .request
            .render(&variables)
            .map_err(|why| ReadError::new(ErrorKind::Configuration, why))?;
        let reply = self
            .send(&self.poll, rendered, &variables, self.config.poll_timeout)
            .await
            .map_err(|error| no_answer(&error))?;
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
        let outcome = match thawed {
            Ok(rendered) => {
                let variables = Variables::order(order, secrets);
                self.send(&self.money, rendered, &variables, self.config.money_timeout).await
            }
            Err(why) => Err(CallError::Forbidden(why)),
        };
        topup.judge(outcome, order, secrets)
    }

    async fn find(&self, order: &Order) -> Found {
        let Some(find) = &self.config.find else {
            return Found::Blind { why: "there is no [find]".to_owned() };
        };
        let variables = Variables::order(order, &self.config.secrets);
        let outcome = match find.request.render(&variables) {
            Ok(rendered) => {
                self.send(&self.poll, rendered, &variables, self.config.poll_timeout).await
            }
            Err(why) => Err(CallError::Forbidden(why)),
        };
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
        self.skew.known()
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        let rendered = Rendered::get("/");
        let variables = Variables::none(&self.config.secrets);
        let reply = self
            .send(&self.poll, rendered, &variables, self.config.poll_timeout)
            .await
            .map_err(|error| no_answer(&error))?;
        let detail = format!("{} answers (HTTP status {})", self.config.base, reply.status);
        Ok(TestReport { detail })
    }
}

/// What it means for a read that there is no whole answer.
fn no_answer(error: &CallError) -> ReadError {
    let kind = match error {
        CallError::Forbidden(_) => ErrorKind::Configuration,
        CallError::NotConnected(_) | CallError::Lost(_) => ErrorKind::Temporary,
    };
    ReadError::new(kind, error.why())
}

#[cfg(test)]
pub(in crate::providers) mod testing;
#[cfg(test)]
mod tests;
