//! Against the simulated carrier with each of its fates, and against servers that just break.

use super::super::testing::{config, example, line, order, provider};
use crate::clock::Clock;
use crate::domain::{ErrorKind, Money, Quality, Timestamp};
use crate::providers::{Answer, Found, Provider};
use crate::sim::{Carrier, CarrierConfig, Fate, Line};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

async fn carrier(fate: Fate) -> (Carrier, Arc<dyn Provider>) {
    let clock = Clock::fixed(Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap());
    let started = CarrierConfig { clock, token: "s3cret".to_owned(), ..CarrierConfig::default() };
    let carrier = Carrier::start(started).await.unwrap();
    let usd = Money::parse("5.00 USD").unwrap();
    carrier.add_line(&line().msisdn.unwrap(), Line { fate, ..Line::quiet(usd) });
    let provider = provider(&carrier.base_url()).await;
    (carrier, provider)
}

async fn pay(provider: &Arc<dyn Provider>) -> Answer {
    provider.topup(&order(), &provider.freeze(&order()).unwrap()).await
}

#[tokio::test]
async fn all_goes_well() {
    let (carrier, provider) = carrier(Fate::Normal).await;
    let read = provider.read(&line()).await.unwrap();
    assert_eq!((read.quality, read.values.balance), (Quality::Ok, Money::parse("5.00 USD").ok()));
    assert_eq!(read.values.service_end_at, Timestamp::parse_rfc3339("2026-12-21T00:00:00Z"));
    assert_eq!(read.values.data_left, Some(2_000_000_000));
    assert_eq!(provider.find(&order()).await, Found::Nothing);
    assert!(
        matches!(pay(&provider).await, Answer::Paid(e) if e.transaction_id.as_deref() == Some("T-1"))
    );
    assert!(
        matches!(pay(&provider).await, Answer::Unclear { .. }),
        "a duplicate must be looked up"
    );
    assert!(matches!(provider.find(&order()).await, Found::One(Answer::Paid(_))));
    assert_eq!(carrier.charges().len(), 1);
    assert_eq!(
        provider.read(&line()).await.unwrap().values.balance,
        Money::parse("15.00 USD").ok()
    );
    let report = provider.test().await.unwrap();
    assert!(
        report.detail.contains("HTTP status 401") || report.detail.contains("HTTP status 404"),
        "{report:?}"
    );
}

#[tokio::test]
async fn every_fate_is_called_by_its_name() {
    let (sim, http) = carrier(Fate::Refuse).await;
    assert!(matches!(pay(&http).await, Answer::Refused(refusal) if refusal.code == "402"));
    assert!(matches!(http.find(&order()).await, Found::One(Answer::Refused(_))));
    assert_eq!(sim.charges(), []);

    let (sim, http) = carrier(Fate::LoseAnswer).await;
    assert!(matches!(pay(&http).await, Answer::Unclear { .. }));
    assert!(matches!(http.find(&order()).await, Found::One(Answer::Paid(_))));
    assert_eq!(sim.charges().len(), 1);

    let (_sim, http) = carrier(Fate::SlowPending).await;
    assert!(matches!(pay(&http).await, Answer::Pending(_)));
    assert!(matches!(http.find(&order()).await, Found::One(Answer::Pending(_))));
    assert!(matches!(http.find(&order()).await, Found::One(Answer::Paid(_))));

    let (_sim, http) = carrier(Fate::Stale { after: 1 }).await;
    assert!(http.read(&line()).await.is_ok());
    let error = http.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Maintenance));

    let (sim, http) = carrier(Fate::Garbage).await;
    assert_eq!(http.read(&line()).await.unwrap_err().quality, Quality::Unparseable);
    assert!(matches!(pay(&http).await, Answer::Unclear { .. }));
    assert!(matches!(http.find(&order()).await, Found::Blind { .. }));
    assert_eq!(sim.charges().len(), 1);

    let (_sim, http) = carrier(Fate::OtherNumber).await;
    let error = http.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Identity));
    assert!(matches!(pay(&http).await, Answer::Mismatch { .. }));

    let (_sim, http) = carrier(Fate::OtherCurrency).await;
    let read = http.read(&line()).await.unwrap();
    assert_eq!(read.values.balance, Money::parse("5.00 EUR").ok());
    assert!(matches!(pay(&http).await, Answer::Mismatch { .. }));

    let (_sim, http) = carrier(Fate::NoEffect).await;
    assert!(matches!(pay(&http).await, Answer::Paid(_)));
    assert_eq!(http.read(&line()).await.unwrap().values.balance, Money::parse("5.00 USD").ok());
}

#[tokio::test]
async fn a_wrong_token_is_an_authentication_error_and_no_charge() {
    let (sim, _) = carrier(Fate::Normal).await;
    let text = example(&sim.base_url()).replace("token = \"s3cret\"", "token = \"wr0ng\"");
    let http = config(&text).unwrap().build("carrier").await.unwrap();
    let error = http.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Authentication));
    assert!(
        matches!(pay(&http).await, Answer::Unclear { .. }),
        "401 is not among the declared refusals"
    );
    assert!(matches!(http.find(&order()).await, Found::Blind { .. }));
    assert_eq!(sim.charges(), []);
}

/// A server that answers everything with `bytes` and closes; `reset` closes with unread bytes.
async fn broken(bytes: &'static str, reset: bool) -> Arc<dyn Provider> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let wanted = if reset { 1 } else { buffer.len() };
            assert!(stream.read(&mut buffer[..wanted]).await.is_ok_and(|n| n > 0));
            stream.write_all(bytes.as_bytes()).await.ok();
        }
    });
    provider(&base).await
}

#[tokio::test]
async fn broken_servers_leave_everything_open() {
    for (bytes, reset) in [
        ("", false),
        ("", true),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{\"status\":\"done\"",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n11\r\n{\"status\":\"done\"}\r\n",
            false,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>", false),
        ("HTTP/1.1 301 M\r\nlocation: /v2\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 502 B\r\ncontent-length: 17\r\n\r\n{\"status\":\"done\"}", false),
        ("garbage\r\n\r\n", false),
    ] {
        let http = broken(bytes, reset).await;
        let answer = pay(&http).await;
        assert!(matches!(answer, Answer::Unclear { .. }), "{bytes:?}: {answer:?}");
        let found = http.find(&order()).await;
        assert!(matches!(found, Found::Blind { .. }), "{bytes:?}: {found:?}");
        assert!(http.read(&line()).await.is_err(), "{bytes:?}");
    }
}

#[tokio::test]
async fn nobody_there_means_nothing_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let http = provider(&base).await;
    assert!(matches!(pay(&http).await, Answer::NotSent { .. }));
    let error = http.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Temporary));
}

#[tokio::test]
async fn private_addresses_need_permission() {
    for base in ["http://127.0.0.1:9", "http://localhost:9", "http://0x7f.1:9", "http://[::1]:9"] {
        let text = example(base).replace("allow_private_network = true\n", "");
        let http = config(&text).unwrap().build("carrier").await.unwrap();
        let error = http.read(&line()).await.unwrap_err();
        assert_eq!(error.quality, Quality::Error(ErrorKind::Configuration), "{base}: {error}");
        assert!(matches!(pay(&http).await, Answer::NotSent { .. }), "{base}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_nothing_is_known() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = example(&format!("http://{}", listener.local_addr().unwrap()))
        .replace("timeout = \"10s\"", "timeout = \"300ms\"")
        .replace("max_processing = \"5s\"", "max_processing = \"200ms\"");
    let http = config(&text).unwrap().build("carrier").await.unwrap();
    assert!(matches!(pay(&http).await, Answer::Unclear { .. }));
    assert!(matches!(http.find(&order()).await, Found::Blind { .. }));
    let error = http.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Temporary));
}
