//! What is particular about 1NCE: bare answers, serials without check digit, the list of orders.

use super::CASE;
use crate::domain::{
    ErrorKind, FailureClass, Iccid, Money, Quality, Span, Subscription, Timestamp,
};
use crate::providers::{
    Answer, Booked, Found, Order, Provider, conformance::config, http::testing,
};
use crate::sim::fakes::{Fake, Trouble, onence::FAKE};
use serde_json::{Value, json};
use std::sync::Arc;

struct Scene {
    fake: Fake,
    onence: Arc<dyn Provider>,
}

impl Scene {
    async fn new() -> Self {
        let fake = Fake::start(FAKE).await.unwrap();
        let onence = config("onence", &fake.config()).build("it").await.unwrap();
        Self { fake, onence }
    }

    fn tell(&self, key: &str, value: Value) {
        self.fake.shared().books().world.insert(key.to_owned(), value);
    }

    async fn send(&self) -> Answer {
        let frozen = self.onence.freeze(&order()).unwrap();
        self.onence.topup(&order(), &frozen).await
    }
}

fn line() -> Subscription {
    let iccid = Iccid::parse(CASE.iccid.unwrap()).ok();
    Subscription { msisdn: None, iccid, ..testing::line() }
}

fn order() -> Order {
    Order { line: line(), product: Some("topup".to_owned()), ..testing::order() }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn week() -> (Timestamp, Timestamp) {
    (at("2026-11-20T00:00:00Z"), at("2026-11-27T00:00:00Z"))
}

fn row(number: usize, date: &str, kind: &str) -> Value {
    json!({
        "order_number": number, "order_type": kind, "order_date": date, "order_status": "COMPLETED",
        "invoice_amount": "11.90", "currency": "USD", "sims": [{"iccid": "8988228066600000001"}],
    })
}

#[tokio::test]
async fn an_order_is_its_address_and_is_found_in_the_list() {
    let scene = Scene::new().await;
    let frozen = scene.onence.freeze(&order()).unwrap();
    let path = "/v1/sims/8988228066600000001/topup?payment_method=creditcard";
    assert!(frozen.contains(path), "{frozen}");
    let Answer::Pending(evidence) = scene.send().await else { panic!() };
    assert_eq!(evidence.transaction_id.as_deref(), Some("2000000001"));
    let charges = scene.fake.shared().charges();
    assert_eq!(
        (charges[0].target.as_str(), charges[0].product.as_str()),
        ("8988228066600000001", "creditcard")
    );

    let (from, to) = week();
    let listed = scene.onence.list(from, to).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].is_like(&order()), "{listed:?}");
    assert_eq!(listed[0].transaction_id, evidence.transaction_id);
    assert_eq!((listed[0].booked, listed[0].at), (Booked::Paid, Some(at("2026-11-21T00:00:00Z"))));
    // The face value is ours; what the invoice says, taxes included, is what was charged.
    assert_eq!(listed[0].amount, Money::parse("10.00 USD").ok());
    assert_eq!(listed[0].charged, Money::parse("11.90 USD").ok());
    assert!(!listed[0].raw.contains("Berlin"), "{}", listed[0].raw);

    let known = Order { transaction_id: evidence.transaction_id, ..order() };
    let found = scene.onence.find(&known).await;
    let Found::One(Answer::Paid(paid)) = found else { panic!("{found:?}") };
    assert_eq!(paid.charged, Money::parse("11.90 USD").ok());
    assert!(matches!(scene.onence.find(&order()).await, Found::Blind { .. }));
    let gone = Order { transaction_id: Some("7".to_owned()), ..order() };
    assert!(matches!(scene.onence.find(&gone).await, Found::Blind { .. }));
    let odd = Order { transaction_id: Some("../sims".to_owned()), ..order() };
    assert!(matches!(scene.onence.find(&odd).await, Found::Blind { .. }));
}

#[tokio::test]
async fn only_a_top_up_of_this_sim_alone_is_like_ours() {
    let scene = Scene::new().await;
    let day = "2026-11-21T00:00:00Z";
    let with = |key: &str, value: Value| {
        let mut one = row(9, day, "TOPUP");
        one[key] = value;
        one
    };
    let other_sim = json!([{"iccid": "8988228066600000002"}]);
    let two_sims = json!([{"iccid": "8988228066600000001"}, {"iccid": "8988228066600000002"}]);
    for (one, booked, like) in [
        (row(9, day, "TOPUP"), Booked::Paid, true),
        (with("invoice_amount", json!("13.00")), Booked::Paid, true),
        (with("order_status", json!("OPEN")), Booked::Unclear, true),
        (with("order_status", json!(null)), Booked::Unclear, true),
        (with("sims", other_sim), Booked::Paid, false),
        (with("sims", two_sims), Booked::Paid, false),
        (with("sims", json!([])), Booked::Paid, false),
        (with("currency", json!("EUR")), Booked::Paid, false),
        (with("products", json!([{"product_id": 1, "quantity": 2}])), Booked::Paid, false),
    ] {
        scene.fake.shared().books().records = vec![one.clone()];
        let listed = scene.onence.list(week().0, week().1).await.unwrap();
        assert_eq!((listed[0].booked, listed[0].is_like(&order())), (booked, like), "{one}");
    }
    for kind in ["FIRST_ORDER", "ADDITIONAL_ORDER", "BULK_TOPUP", "TARIFF_CHANGE", "NEW"] {
        scene.fake.shared().books().records = vec![row(9, day, kind)];
        assert_eq!(scene.onence.list(week().0, week().1).await, Ok(Vec::new()), "{kind}");
        let known = Order { transaction_id: Some("9".to_owned()), ..order() };
        assert!(matches!(scene.onence.find(&known).await, Found::Blind { .. }), "{kind}");
    }
    scene.fake.shared().books().records =
        vec![with("sims", json!([{"iccid": "8988228066600000002"}]))];
    let known = Order { transaction_id: Some("9".to_owned()), ..order() };
    let found = scene.onence.find(&known).await;
    assert!(matches!(found, Found::One(Answer::Mismatch { .. })), "{found:?}");
}

#[tokio::test]
async fn the_list_is_read_as_far_as_it_has_to_be() {
    for (word, pages) in [(None, 2), (Some("old_first"), 5), (Some("no_sort"), 6)] {
        let scene = Scene::new().await;
        if let Some(word) = word {
            scene.tell("orders", json!(word));
        }
        let dates = (1..=30).map(|day| format!("2026-10-{day:02}T00:00:00.000+0000"));
        let recent = (1..=12).map(|hour| format!("2026-11-21T{hour:02}:00:00.000+0000"));
        let rows = dates.chain(recent).enumerate();
        scene.fake.shared().books().records = rows.map(|(n, d)| row(n, &d, "TOPUP")).collect();
        let listed = scene.onence.list(week().0, week().1).await.unwrap();
        assert_eq!(listed.len(), 12, "{word:?}");
        assert_eq!(scene.fake.shared().asked("/v1/orders"), pages, "{word:?}");
    }
    // Equal dates tell nothing about which way the pages run.
    let scene = Scene::new().await;
    scene.tell("orders", json!("old_first"));
    let mut rows = vec![row(1, "2026-10-01T00:00:00Z", "TOPUP"); 10];
    rows.push(row(2, "2026-11-21T00:00:00Z", "TOPUP"));
    // One without a date can be of any time.
    rows.push(row(3, "yesterday", "TOPUP"));
    scene.fake.shared().books().records = rows;
    let listed = scene.onence.list(week().0, week().1).await.unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    scene.fake.shared().books().records = vec![row(1, "2026-11-21T00:00:00Z", "TOPUP"); 801];
    let error = scene.onence.list(week().0, week().1).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Unsupported));
    scene.fake.shared().trouble_questions(&[Trouble::Truncated]);
    let error = scene.onence.list(week().0, week().1).await.unwrap_err();
    assert_eq!(error.quality, Quality::Unparseable);
}

#[tokio::test]
async fn a_sim_that_expired_is_a_dead_line() {
    let scene = Scene::new().await;
    scene.tell("expired", json!("8988228066600000001"));
    let error = scene.onence.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Permanent), "{error:?}");
    let Answer::Refused(refusal) = scene.send().await else { panic!() };
    assert_eq!(
        (refusal.class, refusal.code.as_str()),
        (FailureClass::InvalidTarget, "sim_expired")
    );
    assert_eq!(scene.fake.shared().charges(), []);
}

#[tokio::test]
async fn quotas_are_read_at_their_least() {
    let scene = Scene::new().await;
    let read = scene.onence.read(&line()).await.unwrap();
    assert_eq!(read.values.data_left, Some(35_787_951));
    assert_eq!(read.values.sms_left, Some(249));
    assert_eq!(read.values.service_end_at, Some(at("2036-01-01T00:00:00Z")));

    scene.tell("sms", json!(null));
    scene.tell("data", json!({"volume": "0.0000009", "expiry_date": null}));
    let read = scene.onence.read(&line()).await.unwrap();
    assert_eq!((read.quality, read.values.data_left), (Quality::Ok, Some(0)));
    assert_eq!((read.values.sms_left, read.values.service_end_at), (None, None));

    scene.tell("data", json!({"volume": 1, "expiry_date": "2036-01-01"}));
    let read = scene.onence.read(&line()).await.unwrap();
    assert_eq!((read.quality, read.values.service_end_at), (Quality::Partial, None));

    scene.tell("data", json!({"total_volume": 500}));
    let error = scene.onence.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Unparseable);
    scene.tell("data", json!(null));
    let error = scene.onence.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Permanent));
    let nameless = Subscription { iccid: None, ..line() };
    let error = scene.onence.read(&nameless).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Unsupported));
}

#[tokio::test]
async fn what_cannot_be_paid_is_said_before_or_refused() {
    let scene = Scene::new().await;
    let odd = [
        Order { amount: Money::parse("20.00 USD").unwrap(), ..order() },
        Order { product: Some("500MB".to_owned()), ..order() },
        Order { line: testing::line(), ..order() },
    ];
    for order in odd {
        assert!(scene.onence.freeze(&order).is_err(), "{order:?}");
    }
    scene.tell("no_method", json!("creditcard"));
    let Answer::Refused(refusal) = scene.send().await else { panic!() };
    assert_eq!(refusal.class, FailureClass::DeclinedHard);
    // A request that was frozen for another line is not sent.
    let frozen = scene.onence.freeze(&order()).unwrap();
    let other = Iccid::parse("89883030000000123452").ok();
    let moved = Order { line: Subscription { iccid: other, ..line() }, ..order() };
    let answer = scene.onence.topup(&moved, &frozen).await;
    assert!(matches!(answer, Answer::NotSent { .. }), "{answer:?}");
    assert_eq!(scene.fake.shared().asked("topup"), 1);
}

#[tokio::test]
async fn wrong_credentials_are_said_and_nothing_is_sent() {
    let fake = Fake::start(FAKE).await.unwrap();
    let onence =
        config("onence", &fake.config().replace("hush", "wrong")).build("it").await.unwrap();
    let error = onence.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Authentication), "{error:?}");
    let frozen = onence.freeze(&order()).unwrap();
    let answer = onence.topup(&order(), &frozen).await;
    assert!(matches!(answer, Answer::NotSent { .. }), "{answer:?}");
    assert_eq!(fake.shared().asked("topup"), 0);
}

#[test]
fn addresses_of_orders() {
    let number = super::order_number;
    for fine in ["https://api.1nce.com/management-api/v1/orders/1234", "/v1/orders/1234/"] {
        assert_eq!(number(fine).as_deref(), Some("1234"), "{fine}");
    }
    for bad in ["", "/v1/orders/", "/v1/orders/12a", "/v1/sims/12", "/v1/orders/1/2"] {
        assert_eq!(number(bad), None, "{bad}");
    }
}

#[test]
fn the_method_and_the_price_are_written_out() {
    use crate::input::{Intake, Origin, Section, from_toml};
    let faults = |text: &str| {
        let table = from_toml("a.toml", text).unwrap();
        let intake = Intake::new();
        let section = Section::new(&table, "providers.it.onence", &Origin::file("a.toml"), &intake);
        assert!(super::Config::read(section).is_none());
        intake.into_faults().into_iter().map(|fault| fault.key).collect::<Vec<_>>()
    };
    let account = "username = \"me\"\npassword = \"hush\"\n";
    let key = |key: &str| format!("providers.it.onence.{key}");
    assert_eq!(faults(account), [key("payment_method"), key("price")]);
    let odd = format!("{account}payment_method = \"cash\"\nprice = \"0 EUR\"");
    assert_eq!(faults(&odd), [key("payment_method"), key("price")]);
    let offer = config("onence", super::ABOUT.setup).declares();
    assert_eq!(offer.offer.denominations, [Money::parse("10.00 EUR").unwrap()]);
    assert_eq!(
        (offer.class(), offer.max_processing),
        (crate::providers::Class::C, Span::seconds(90))
    );
}
