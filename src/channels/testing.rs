//! What the tests of all channels share: a message, its reader, a vendor that follows a script.

use super::{Channel, ChannelConfig, HookCall, Message, Recipient};
use crate::domain::{Msisdn, NoticeKind, Severity, Timestamp};
use crate::input::{Intake, Origin, Section, from_toml};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, Uri},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;

/// A notice in Chinese about one line; its short form is UCS-2.
pub(super) fn message() -> Message {
    Message {
        id: "n-42".to_owned(),
        kind: NoticeKind::LowBalance,
        severity: Severity::Warning,
        locale: "zh-CN",
        subject: "[topupd] \u{94f6}\u{884c}\u{5361} (..0123): \u{4f59}\u{989d}".to_owned(),
        text: "\u{4f59}\u{989d} 3.20 USD\n.\nlast line".to_owned(),
        html: "<p>\u{4f59}\u{989d} 3.20 USD</p>".to_owned(),
        short: "topupd: \u{94f6}\u{884c}\u{5361}(..0123) \u{4f59}\u{989d} 3.20 USD".to_owned(),
        params: BTreeMap::from([
            ("kind", "low_balance".to_owned()),
            ("label", "\u{94f6}\u{884c}\u{5361}".to_owned()),
            ("last4", "0123".to_owned()),
            ("balance", "3.20 USD".to_owned()),
        ]),
        link: None,
        thread: "li-tmobile.balance".to_owned(),
        at: Timestamp::parse_rfc3339("2026-11-20T18:04:05Z").unwrap(),
    }
}

/// The same in English, within GSM-7.
pub(super) fn english() -> Message {
    Message {
        locale: "en",
        short: "topupd: Home1 (..0001) balance 1.20 USD".to_owned(),
        ..message()
    }
}

/// Somebody who can be reached by every means.
pub(super) fn reader() -> Recipient {
    Recipient {
        name: "Li Wei".to_owned(),
        email: Some("li@example.com".to_owned()),
        phone: Some(Msisdn::parse("+12025550199").unwrap()),
        address: Some("chat-7".to_owned()),
    }
}

/// Reads `[channels.out.KIND]`.
pub(super) fn config(kind: &str, text: &str) -> Result<ChannelConfig, Vec<String>> {
    let table = from_toml("test.toml", text).map_err(|fault| vec![fault.to_string()])?;
    let intake = Intake::new();
    let path = format!("channels.out.{kind}");
    let section = Section::new(&table, &path, &Origin::file("test.toml"), &intake);
    let config = ChannelConfig::read(kind, section);
    let faults: Vec<String> = intake.into_faults().iter().map(ToString::to_string).collect();
    config.filter(|_| faults.is_empty()).ok_or(faults)
}

/// The channel `[channels.out.KIND]`.
pub(super) fn channel(kind: &str, text: &str) -> Arc<dyn Channel> {
    config(kind, text).unwrap_or_else(|faults| panic!("{faults:?}")).build("out").unwrap()
}

/// A call with a body, and what stands in its headers.
pub(super) fn call(headers: &[(&str, &str)], body: &str) -> HookCall {
    let headers = headers.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    HookCall { headers: headers.collect(), body: body.as_bytes().to_vec(), ..HookCall::default() }
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) method: String,
    /// Path and query.
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// An answer: a status, headers, a body.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn new(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }
}

/// A vendor that answers as told and remembers what it was asked. The last answer repeats.
#[derive(Clone, Debug)]
pub(super) struct Vendor {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Vendor {
    pub(super) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let vendor = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            seen: Arc::default(),
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
        };
        let router = Router::new().fallback(answer).with_state(vendor.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        vendor
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }
}

async fn answer(
    State(vendor): State<Vendor>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
        .collect();
    vendor.seen.lock().unwrap().push(Seen {
        method: method.to_string(),
        path: uri.to_string(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    let answer = {
        let mut answers = vendor.answers.lock().unwrap();
        let one = answers.front().cloned().unwrap_or_default();
        if answers.len() > 1 {
            answers.pop_front();
        }
        one
    };
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}
