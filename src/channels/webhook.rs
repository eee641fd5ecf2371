//! Any HTTP endpoint: `[channels.NAME.webhook]`, a POST with a body of one's own.
//!
//! Facts: Standard Webhooks 1.0.0 (what is signed, what the receiver does with ids, 410), the pages
//! of `DingTalk` and Feishu on custom robots. The URL may hold a secret, so nothing behind its host is
//! ever shown. Invariant: a receiver knows a message again only where it proves ids by our signature;
//! elsewhere a second try can be a second message.

mod config;
mod sign;
mod template;
#[cfg(test)]
mod tests;

pub(super) use config::Config;
#[cfg(test)]
pub(super) use tests::{CASE, CASE_WITH_RULE};

use super::{
    Channel, Message, Needs, Outcome, Recipient,
    vendor::{self, Vendor},
};
use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::transport::http::{Rendered, Reply};
use async_trait::async_trait;
use config::Signing;
use serde_json::{Value, json};

#[derive(Debug)]
struct Webhook {
    config: Config,
    vendor: Vendor,
}

#[async_trait]
impl Channel for Webhook {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    fn repeats_safely(&self) -> bool {
        matches!(self.config.signing, Signing::Standard(_))
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        if !self.needs().are_met(recipient) {
            return Outcome::BadRecipient {
                why: "what the template names is not known".to_owned(),
            };
        }
        let request = self.request(message, recipient, Clock::System.now());
        let request = request.map_err(|why| Outcome::BadConfig { why: self.vendor.clean(&why) });
        self.vendor.try_once(request, |reply| self.follows(reply)).await
    }

    async fn test(&self) -> Result<String, String> {
        // Whatever its own path is asked may be taken for a message.
        self.vendor.question(&Rendered::get("/")).await?;
        Ok(format!("{} answers; its hook was not called", self.config.place.base))
    }
}

impl Webhook {
    /// The request of a try at `now`.
    fn request(
        &self,
        message: &Message,
        recipient: &Recipient,
        now: Timestamp,
    ) -> Result<Rendered, String> {
        let known = template::known(message, recipient);
        let mut path = self.config.path.render(&known)?;
        let mut body = match &self.config.body {
            Some(body) => body.render(&known)?,
            None => usual_body(message, recipient).to_string(),
        };
        match &self.config.signing {
            Signing::None | Signing::Standard(_) => {}
            Signing::Dingtalk(secret) => {
                let joint = if path.contains('?') { '&' } else { '?' };
                path = format!("{path}{joint}{}", sign::dingtalk(secret, now));
            }
            Signing::Feishu(secret) => body = sign::feishu(secret, now, &body)?,
        }
        let mut headers = std::collections::BTreeMap::new();
        if let Signing::Standard(keys) = &self.config.signing {
            headers = sign::standard(keys, &message.id, now, &body);
        }
        Ok(Rendered {
            method: "POST".to_owned(),
            path,
            body: Some(body),
            content_type: Some(self.config.content_type.clone()),
            headers,
        })
    }

    /// What follows from an answer.
    fn follows(&self, reply: &Reply) -> Outcome {
        let why = self.vendor.status(reply);
        let said = vendor::json(reply);
        if self.config.retry_when.apply_to(&said) {
            return Outcome::Retry { after: reply.retry_after, why };
        }
        if self.config.is_final.apply_to(&said) {
            return Outcome::BadConfig { why };
        }
        let success = &self.config.success;
        let is_listed = if success.status.is_empty() {
            vendor::is_success(reply)
        } else {
            success.status.contains(&i64::from(reply.status))
        };
        if !is_listed {
            return match reply.status {
                410 => Outcome::BadConfig { why: "the endpoint is gone (410)".to_owned() },
                _ => self.vendor.by_status(reply).unwrap_or(Outcome::BadConfig { why }),
            };
        }
        let Some(pointer) = &success.pointer else {
            return Outcome::Accepted { vendor_id: None };
        };
        match said.pointer(pointer) {
            None => {
                Outcome::Ambiguous { why: format!("the answer has nothing at {pointer}: {why}") }
            }
            Some(found) if success.is_met(found) => Outcome::Accepted { vendor_id: None },
            // It was understood, and refused.
            Some(_) => Outcome::BadConfig { why },
        }
    }
}

/// The body where none is configured: the envelope that Standard Webhooks advises.
fn usual_body(message: &Message, recipient: &Recipient) -> Value {
    json!({
        "type": format!("notice.{}", message.kind.as_str()),
        "timestamp": message.at.rfc3339(),
        "data": message.fields(recipient),
    })
}
