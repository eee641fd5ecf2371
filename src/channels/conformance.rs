//! One suite that the channels of all HTTP APIs pass: what follows from silence, errors, pages,
//! throttling; nothing secret in what is kept; a second try is the same message.

use super::testing::{Answer, Vendor, channel, message, reader};
use super::{Channel, Outcome};
use crate::domain::Span;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// A channel, and what its vendor says when all is well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    /// Its kind.
    pub(super) kind: &'static str,
    /// Its table; `BASE` stands for the vendor's address. Every secret in it is `s3cret`, or
    /// begins with it.
    pub(super) config: &'static str,
    /// A status and a body that accept the message.
    pub(super) accepted: (u16, &'static str),
    /// The id in it.
    pub(super) vendor_id: Option<&'static str>,
    /// A body that says nothing of the kind proves nothing. False where any 2xx is a yes.
    pub(super) reads_body: bool,
}

impl Case {
    /// Its table, for a vendor at `base` in this machine.
    pub(super) fn table(&self, base: &str) -> String {
        format!("allow_private_network = true\n{}", self.config.replace("BASE", base))
    }

    /// The channel, of a vendor that is not there.
    pub(super) fn alone(&self) -> Arc<dyn Channel> {
        channel(self.kind, &self.table("http://127.0.0.1:9"))
    }

    /// A vendor that accepts every message.
    pub(super) async fn vendor(&self) -> Vendor {
        Vendor::start([Answer::new(self.accepted.0, self.accepted.1)]).await
    }
}

/// Every channel of an HTTP API.
const CASES: &[Case] = &[
    super::aliyun_sms::CASE,
    super::android_gateway::CASE,
    super::kannel::CASE,
    super::ntfy::CASE,
    super::plivo::CASE,
    super::telegram::CASE,
    super::telnyx::CASE,
    super::tencent_sms::CASE,
    super::twilio::CASE,
    super::vonage::CASE,
    super::webhook::CASE,
    super::webhook::CASE_WITH_RULE,
];

fn build(case: &Case, base: &str) -> Arc<dyn Channel> {
    channel(case.kind, &format!("timeout = \"2s\"\n{}", case.table(base)))
}

async fn outcome(case: &Case, answer: Answer) -> Outcome {
    let vendor = Vendor::start([answer]).await;
    build(case, &vendor.url).send(&message(), &reader()).await
}

/// Only what must be there: nothing secret, whatever the vendor echoes.
fn why(case: &Case, outcome: &Outcome) -> String {
    let why = match outcome {
        Outcome::Accepted { vendor_id } => vendor_id.clone().unwrap_or_default(),
        Outcome::Retry { why, .. }
        | Outcome::Ambiguous { why }
        | Outcome::BadRecipient { why }
        | Outcome::BadConfig { why } => why.clone(),
    };
    assert!(!why.contains("s3cret"), "{}: {why}", case.kind);
    why
}

#[tokio::test]
async fn what_is_accepted_is_accepted_once_and_under_its_id() {
    for case in CASES {
        let vendor = case.vendor().await;
        let channel = build(case, &vendor.url);
        assert!(channel.needs().are_met(&reader()), "{}", case.kind);
        let outcome = channel.send(&message(), &reader()).await;
        let vendor_id = case.vendor_id.map(str::to_owned);
        assert_eq!(outcome, Outcome::Accepted { vendor_id }, "{}", case.kind);
        assert_eq!(vendor.seen().len(), 1, "{}", case.kind);
    }
}

#[tokio::test]
async fn a_second_try_says_the_same() {
    for case in CASES {
        let vendor = case.vendor().await;
        let channel = build(case, &vendor.url);
        channel.send(&message(), &reader()).await;
        channel.send(&message(), &reader()).await;
        let seen = vendor.seen();
        assert_eq!(seen[0].body, seen[1].body, "{}", case.kind);
    }
}

#[tokio::test]
async fn nobody_there_is_worth_another_try() {
    for case in CASES {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let channel = build(case, &format!("http://{gone}"));
        let outcome = channel.send(&message(), &reader()).await;
        assert!(matches!(outcome, Outcome::Retry { .. }), "{}: {outcome:?}", case.kind);
        why(case, &outcome);
        let tested = channel.test().await;
        assert!(tested.is_err_and(|why| !why.contains("s3cret")), "{}", case.kind);
    }
}

#[tokio::test]
async fn silence_and_broken_answers_are_ambiguous() {
    for case in CASES {
        for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"half\":"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let mut buffer = [0; 65_536];
                    if stream.read(&mut buffer).await.is_err() {
                        continue;
                    }
                    if answer.is_empty() {
                        // Long after the time limit.
                        tokio::time::sleep(Duration::from_secs(60)).await;
                    }
                    stream.write_all(answer.as_bytes()).await.ok();
                }
            });
            let outcome = build(case, &base).send(&message(), &reader()).await;
            let is_ambiguous = matches!(outcome, Outcome::Ambiguous { .. });
            assert!(is_ambiguous, "{} {answer}: {outcome:?}", case.kind);
            why(case, &outcome);
        }
    }
}

#[tokio::test]
async fn what_proves_nothing_is_no_success() {
    for case in CASES {
        for status in [500, 502, 503, 504] {
            let outcome = outcome(case, Answer::new(status, "s3cret oops")).await;
            let repeats = matches!(outcome, Outcome::Retry { .. } | Outcome::Ambiguous { .. });
            assert!(repeats, "{} {status}: {outcome:?}", case.kind);
            why(case, &outcome);
        }
        for status in [301, 302, 401, 403] {
            let outcome = outcome(case, Answer::new(status, "s3cret")).await;
            let is_ours = matches!(outcome, Outcome::BadConfig { .. });
            assert!(is_ours, "{} {status}: {outcome:?}", case.kind);
            why(case, &outcome);
        }
        for page in ["<html>s3cret hello</html>", "{\"half\":", "", "[]", "{}", "null"] {
            let outcome = outcome(case, Answer::new(200, page)).await;
            let is_accepted = matches!(outcome, Outcome::Accepted { .. });
            assert_eq!(is_accepted, !case.reads_body, "{} {page}: {outcome:?}", case.kind);
            why(case, &outcome);
        }
    }
}

#[tokio::test]
async fn throttling_is_waited_for_as_long_as_asked() {
    for case in CASES {
        let headers = vec![("retry-after", "7".to_owned())];
        let outcome = outcome(case, Answer { headers, ..Answer::new(429, "slow down") }).await;
        let Outcome::Retry { after, .. } = outcome else { panic!("{}: {outcome:?}", case.kind) };
        assert_eq!(after, Some(Span::seconds(7)), "{}", case.kind);
    }
}

#[tokio::test]
async fn private_addresses_need_permission() {
    for case in CASES {
        let config = case.config.replace("BASE", "http://127.0.0.1:9");
        let outcome = channel(case.kind, &config).send(&message(), &reader()).await;
        let is_ours = matches!(&outcome, Outcome::BadConfig { .. });
        assert!(is_ours, "{}: {outcome:?}", case.kind);
        assert!(why(case, &outcome).contains("allow_private_network"), "{}", case.kind);
    }
}
