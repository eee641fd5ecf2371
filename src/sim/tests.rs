//! The carrier over real HTTP, asked by a client that does as little as possible.

use super::*;
use crate::domain::{Money, Timestamp};
use crate::transport::http::{CallError, Reach, Reply, call, money_client};
use serde_json::Value;

fn number() -> Msisdn {
    Msisdn::parse("+12025550123").unwrap()
}

fn usd(text: &str) -> Money {
    Money::parse(&format!("{text} USD")).unwrap()
}

struct Bench {
    carrier: Carrier,
    clock: Clock,
}

impl Bench {
    async fn new(speed: i64) -> Self {
        let clock = Clock::fixed(Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap());
        let config = CarrierConfig { clock: clock.clone(), speed, ..CarrierConfig::default() };
        let carrier = Carrier::start(config).await.unwrap();
        carrier.add_line(&number(), Line { burn_per_day_minor: 100, ..Line::quiet(usd("20.00")) });
        Self { carrier, clock }
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
    ) -> Result<Reply, CallError> {
        let client = money_client(Reach { private_network: true, tls: false }).unwrap();
        let url = format!("{}{path}", self.carrier.base_url());
        let request = client
            .request(method.parse().unwrap(), url)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(body.to_owned());
        call(request, Span::seconds(20)).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let reply = self.ask("GET", path, "simulated", "").await.unwrap();
        (reply.status, serde_json::from_str(&reply.body).unwrap_or_default())
    }

    async fn order(&self, reference: &str) -> Result<Reply, CallError> {
        let body = format!(
            r#"{{"ref":"{reference}","msisdn":"+12025550123","amount":"10.00","currency":"USD"}}"#
        );
        self.ask("POST", "/v1/topups", "simulated", &body).await
    }
}

#[tokio::test]
async fn a_line_burns_as_its_days_go_by() {
    let bench = Bench::new(24).await;
    bench.clock.advance(Span::hours(1));
    let (status, line) = bench.get("/v1/lines/+12025550123").await;
    assert_eq!((status, line["balance"]["amount"].as_str()), (200, Some("19.00")));
    // 29 of 30 days are left, counted from the clock of whoever asks.
    assert_eq!(line["expires_at"], "2026-12-20T01:00:00Z");
    assert_eq!(line["data"]["left_mb"], 2000);
    assert_eq!(bench.get("/v1/lines/%2B12025550123").await.0, 200);
    assert_eq!(bench.get("/v1/lines/+12025550124").await.0, 404);
    assert_eq!(bench.ask("GET", "/v1/lines/+12025550123", "wrong", "").await.unwrap().status, 401);
}

#[tokio::test]
async fn of_many_copies_of_one_order_exactly_one_is_charged() {
    let bench = Arc::new(Bench::new(1).await);
    let mut copies = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let bench = Arc::clone(&bench);
        copies.spawn(async move { bench.order("same").await.unwrap().status });
    }
    let mut statuses = copies.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201);
    assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    let charges = bench.carrier.charges();
    assert_eq!(charges.len(), 1);
    assert_eq!((charges[0].amount, &charges[0].msisdn), (usd("10.00"), &number()));
    assert_eq!(bench.carrier.line(&number()).unwrap().balance, usd("30.00"));
}

#[tokio::test]
async fn every_fate_comes_true() {
    let bench = Bench::new(1).await;
    let balance = || bench.carrier.line(&number()).unwrap().balance;
    let fate = |fate| bench.carrier.set_fate(&number(), fate);

    fate(Fate::Refuse);
    assert_eq!(bench.order("r1").await.unwrap().status, 402);
    assert_eq!((bench.carrier.charges().len(), balance()), (0, usd("20.00")));

    fate(Fate::LoseAnswer);
    let lost = bench.order("r2").await.unwrap_err();
    assert!(matches!(lost, CallError::Lost(_)), "{lost:?}");
    assert_eq!((bench.carrier.charges().len(), balance()), (1, usd("30.00")));
    assert_eq!(bench.get("/v1/topups?ref=r2").await.1["items"][0]["status"], "done");
    assert_eq!(bench.order("r3").await.unwrap().status, 201, "only one answer is lost");

    fate(Fate::SlowPending);
    assert_eq!(bench.order("r4").await.unwrap().status, 202);
    assert_eq!(balance(), usd("40.00"));
    assert_eq!(bench.get("/v1/topups?ref=r4").await.1["items"][0]["status"], "pending");
    assert_eq!(bench.get("/v1/topups?ref=r4").await.1["items"][0]["status"], "done");
    assert_eq!(balance(), usd("50.00"));

    fate(Fate::NoEffect);
    assert_eq!(bench.order("r5").await.unwrap().status, 201);
    assert_eq!(balance(), usd("50.00"));

    fate(Fate::Stale { after: bench.carrier.line(&number()).unwrap().reads + 1 });
    assert_eq!(bench.get("/v1/lines/+12025550123").await.0, 200);
    assert_eq!(bench.get("/v1/lines/+12025550123").await.0, 503);

    fate(Fate::Garbage);
    let page = bench.ask("GET", "/v1/lines/+12025550123", "simulated", "").await.unwrap();
    assert!(page.status == 200 && page.body.starts_with("<!doctype html>"));

    fate(Fate::OtherNumber);
    assert_eq!(bench.get("/v1/lines/+12025550123").await.1["msisdn"], "+12025550129");
    fate(Fate::OtherCurrency);
    assert_eq!(bench.get("/v1/lines/+12025550123").await.1["balance"]["currency"], "EUR");

    assert!(
        bench.carrier.reverse("r2") && !bench.carrier.reverse("r1") && !bench.carrier.reverse("r9")
    );
    assert_eq!(bench.get("/v1/topups?ref=r2").await.1["items"][0]["status"], "reversed");
    assert_eq!(balance(), usd("40.00"));
}

#[tokio::test]
async fn what_cannot_be_bought_is_not_charged() {
    let bench = Bench::new(1).await;
    for (body, status) in [
        ("nonsense", 400),
        (r#"{"ref":"a","msisdn":"+12025550123","amount":"ten","currency":"USD"}"#, 400),
        (r#"{"ref":"a","msisdn":"+12025550199","amount":"10.00","currency":"USD"}"#, 404),
        (r#"{"ref":"a","msisdn":"+12025550123","amount":"10.00","currency":"EUR"}"#, 422),
        (r#"{"ref":"a","msisdn":"+12025550123","amount":"-1.00","currency":"USD"}"#, 422),
    ] {
        let reply = bench.ask("POST", "/v1/topups", "simulated", body).await.unwrap();
        assert_eq!(reply.status, status, "{body}");
    }
    assert_eq!(bench.carrier.charges(), []);
    assert_eq!(bench.get("/v1/topups?ref=a").await.1["items"], serde_json::json!([]));
}

#[tokio::test]
async fn newcomers_are_welcome_where_the_config_says_so_and_a_stopped_carrier_is_silent() {
    let newcomer = Some(Line::quiet(usd("3.00")));
    let carrier =
        Carrier::start(CarrierConfig { newcomer, ..CarrierConfig::default() }).await.unwrap();
    let bench = Bench { carrier, clock: Clock::System };
    assert_eq!(bench.get("/v1/lines/+12025550177").await.1["balance"]["amount"], "3.00");
    let url = format!("{}/v1/lines/+12025550177", bench.carrier.base_url());
    bench.carrier.shutdown().await;
    let client = money_client(Reach { private_network: true, tls: false }).unwrap();
    let gone = call(client.get(url), Span::seconds(20)).await.unwrap_err();
    assert!(matches!(gone, CallError::NotConnected(_)), "{gone:?}");
}
