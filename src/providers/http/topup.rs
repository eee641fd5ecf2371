//! Topping up: what the answer to an order proves.

use super::{place::Document, record::Record, request::Request, secrets::Secrets};
use crate::input::Section;
use crate::providers::{Answer, Order};
use crate::transport::http::{CallError, Reply};

/// `[providers.NAME.http.topup]`.
#[derive(Clone, Debug)]
pub(super) struct Topup {
    pub(super) request: Request,
    pub(super) record: Record,
    refused_http: Vec<i64>,
}

impl Topup {
    /// Reads the section; every fault is reported.
    pub(super) fn from_section(
        mut section: Section<'_>,
        content_type: Option<&str>,
    ) -> Option<Self> {
        let request = Request::read(&mut section, "POST", content_type);
        let record = Record::read(&mut section, None);
        let refused_http = section.integers("refused_http", &(400..=599)).unwrap_or_default();
        if refused_http.contains(&409) {
            section.fault(
                "refused_http",
                "409 is not allowed: it may mean that the order exists already, which [find] settles",
            );
        }
        section.finish();
        Some(Self { request: request?, record, refused_http })
    }

    /// What came of sending.
    pub(super) fn judge(
        &self,
        outcome: Result<Reply, CallError>,
        order: &Order,
        secrets: &Secrets,
    ) -> Answer {
        let reply = match outcome {
            Ok(reply) => reply,
            Err(CallError::Forbidden(why) | CallError::NotConnected(why)) => {
                return Answer::NotSent { why };
            }
            Err(CallError::Lost(why)) => {
                return Answer::Unclear { why, raw: String::new() };
            }
        };
        let raw = secrets.redact(&reply.body);
        let document = Document::parse(&reply.body, self.record.pattern.as_ref());
        let said = match &document {
            Ok(document) => Ok(self.record.judge(document, order, secrets, &raw)),
            Err(why) => Err(why.clone()),
        };
        let status = reply.status;
        let unclear = |why: String| Answer::Unclear { why, raw: raw.clone() };
        if self.refused_http.contains(&i64::from(status)) {
            return match said {
                Ok(
                    Answer::Paid(_)
                    | Answer::Pending(_)
                    | Answer::Reversed(_)
                    | Answer::Mismatch { .. },
                ) => unclear(format!(
                    "HTTP status {status} refuses, but the answer's status word does not"
                )),
                Ok(Answer::Refused(_) | Answer::Unclear { .. } | Answer::NotSent { .. })
                | Err(_) => {
                    let (document, word) = (document.as_ref().ok(), status.to_string());
                    Answer::Refused(self.record.refusal(document, &word, secrets, raw))
                }
            };
        }
        match (status, said) {
            // The order may exist already: even a word of refusal may be about this copy only.
            (409, _) => unclear("HTTP status 409: the reference may exist already".to_owned()),
            (200..=299, Ok(said)) | (_, Ok(said @ Answer::Refused(_))) => said,
            (200..=299, Err(why)) => unclear(why),
            (_, Ok(_) | Err(_)) => unclear(format!("HTTP status {status} proves nothing")),
        }
    }
}
