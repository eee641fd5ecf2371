//! Stored requests: no secrets, the same bytes on every try, always with their target.

use super::super::testing::{config, edited, example, order, provider};
use crate::domain::{Iccid, Money};
use crate::providers::{Answer, Provider};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

async fn built(edit: impl FnOnce(String) -> String) -> Arc<dyn Provider> {
    edited(edit).unwrap().build("carrier").await.unwrap()
}

#[tokio::test]
async fn a_frozen_request_is_stable_and_holds_no_secret() {
    let with_secret = |text: String| {
        text.replace("\"/v1/topups\"", "\"/v1/{{ secret.token }}/topups\"")
            .replace("{\"ref\"", "{\"key\":\"{{ secret.token }}\",\"ref\"")
    };
    let provider = built(with_secret).await;
    let frozen = provider.freeze(&order()).unwrap();
    assert!(!frozen.contains("s3cret"), "{frozen}");
    assert_eq!(frozen, built(with_secret).await.freeze(&order()).unwrap());
    assert_eq!(
        frozen,
        r#"{"method":"POST","path":"/v1/<secret:token>/topups","body":"{\"key\":\"<secret:token>\",\"ref\":\"abcdefghijklmnopqrstuvwx\",\"msisdn\":\"+12025550123\",\"amount\":\"10.00\",\"currency\":\"USD\"}","content_type":"application/json"}"#
    );
}

#[tokio::test]
async fn an_order_without_its_target_or_values_is_not_frozen() {
    let no_target =
        built(|text| text.replace(",\"msisdn\":\"{{ subscription.msisdn }}\"", "")).await;
    assert!(no_target.freeze(&order()).unwrap_err().0.contains("msisdn or iccid"));
    let provider = built(|text| text).await;
    let mut nobody = order();
    nobody.line.msisdn = None;
    let why = provider.freeze(&nobody).unwrap_err().0;
    assert!(why.contains("uses subscription.msisdn"), "{why}");
    let mut nothing = order();
    nothing.amount = Money::zero(nothing.amount.currency());
    assert!(provider.freeze(&nothing).is_err());
    let by_serial = built(|text| {
        text.replace(
            "\"msisdn\":\"{{ subscription.msisdn }}\"",
            "\"sim\":\"{{ subscription.iccid }}\"",
        )
    })
    .await;
    assert!(by_serial.freeze(&order()).is_err(), "this line has no ICCID");
    let mut esim = order();
    esim.line.iccid = (0..10).find_map(|d| Iccid::parse(&format!("890126085229084743{d}")).ok());
    assert!(by_serial.freeze(&esim).unwrap().contains("890126085229084743"));
}

#[tokio::test]
async fn a_value_cannot_pass_for_a_secret() {
    let provider = built(|text| {
        text.replace("\"currency\":", "\"note\":\"{{ subscription.label }}\",\"currency\":")
    })
    .await;
    let mut sly = order();
    sly.line.label = "<secret:token>".to_owned();
    let frozen = provider.freeze(&sly).unwrap();
    assert!(!frozen.contains("<secret:"), "{frozen}");
    let plain = built(|text| {
        text.replace(
            "Bearer {{ secret.token }}\"",
            "Bearer {{ secret.token }}\", Content-Type = \"text/plain\"",
        )
        .replace("body = '{", "body = '{{ subscription.label }} {% if true %}{% endif %}{")
    })
    .await;
    assert!(plain.freeze(&sly).is_err(), "in plain text there is no way to tell them apart");
}

#[tokio::test]
async fn what_cannot_be_rebuilt_is_not_sent() {
    let provider = provider("http://127.0.0.1:9").await;
    let gone = provider.freeze(&order()).unwrap().replace("/v1/topups", "/<secret:gone>");
    for frozen in ["", "{}", "not json", &gone] {
        let answer = provider.topup(&order(), frozen).await;
        assert!(matches!(&answer, Answer::NotSent { .. }), "{frozen}: {answer:?}");
    }
}

#[tokio::test]
async fn every_try_sends_the_same_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (seen, mut requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"\"USD\"}") {
                let mut buffer = [0; 4096];
                let n = stream.read(&mut buffer).await.unwrap();
                bytes.extend_from_slice(&buffer[..n]);
            }
            stream.write_all(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            seen.send(String::from_utf8(bytes).unwrap()).unwrap();
        }
    });
    let text = example(&base).replace(
        "Bearer {{ secret.token }}\"",
        "Bearer {{ secret.token }}\", Idempotency-Key = \"{{ reference }}\"",
    );
    let provider = config(&text).unwrap().build("carrier").await.unwrap();
    let frozen = provider.freeze(&order()).unwrap();
    for _ in 0..2 {
        let answer = provider.topup(&order(), &frozen).await;
        assert!(matches!(answer, Answer::Unclear { .. }), "{answer:?}");
    }
    let (first, second) = (requests.recv().await.unwrap(), requests.recv().await.unwrap());
    assert_eq!(first, second);
    let (head, body) = first.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/topups HTTP/1.1\r\n"), "{head}");
    for line in [
        "authorization: Bearer s3cret",
        "content-type: application/json",
        concat!("user-agent: topupd/", env!("CARGO_PKG_VERSION")),
        "idempotency-key: abcdefghijklmnopqrstuvwx",
    ] {
        assert!(head.lines().any(|l| l.eq_ignore_ascii_case(line)), "{line}\n{head}");
    }
    assert!(!head.to_ascii_lowercase().contains("accept-encoding"), "{head}");
    assert_eq!(
        body,
        r#"{"ref":"abcdefghijklmnopqrstuvwx","msisdn":"+12025550123","amount":"10.00","currency":"USD"}"#
    );
}
