//! Zendit's own traps.

use super::*;
use crate::domain::{FailureClass, Iccid, Msisdn, Quality, Timestamp};
use crate::providers::{
    Evidence, ProductKind, Refusal,
    api::Said,
    conformance,
    http::testing::{line, order},
};
use crate::sim::fakes::{Fake, Shared, Trouble, zendit::FAKE};

const ICCID: &str = "8910300000005271142";

async fn scene() -> (Fake, Arc<dyn Provider>) {
    let fake = Fake::start(FAKE).await.unwrap();
    let provider = conformance::config("zendit", &fake.config()).build("it").await.unwrap();
    (fake, provider)
}

fn set(shared: &Shared, key: &str, value: Value) {
    shared.books().world.insert(key.to_owned(), value);
}

fn esim() -> Subscription {
    Subscription { msisdn: None, iccid: Iccid::parse(ICCID).ok(), ..line() }
}

fn airtime(product: &str) -> Order {
    Order { product: Some(product.to_owned()), ..order() }
}

async fn send(provider: &Arc<dyn Provider>, order: &Order) -> Answer {
    provider.topup(order, &provider.freeze(order).unwrap()).await
}

fn said(value: Value) -> Said {
    Said { status: 200, raw: value.to_string(), value }
}

#[tokio::test]
async fn however_a_copy_is_answered_it_is_looked_up() {
    for (duplicate, looked_up) in [("invalid", true), ("conflict", true), ("original", false)] {
        let (fake, provider) = scene().await;
        set(fake.shared(), "duplicate", json!(duplicate));
        let order = airtime("TMOBILE_US_010");
        assert!(matches!(send(&provider, &order).await, Answer::Pending(_)));
        let again = send(&provider, &order).await;
        assert_eq!(matches!(again, Answer::Unclear { .. }), looked_up, "{duplicate}: {again:?}");
        let Found::One(Answer::Paid(Evidence { charged, delivered, .. })) =
            provider.find(&order).await
        else {
            panic!("{duplicate}: not found");
        };
        assert_eq!(charged, Money::parse("9.50 USD").ok());
        assert_eq!(delivered, Money::parse("10.00 USD").ok());
        assert_eq!(fake.shared().charges().len(), 1);
    }
    assert_eq!(conformance::config("zendit", ABOUT.setup).declares().class().as_str(), "B");
}

#[tokio::test]
async fn a_purchase_fails_after_it_was_accepted() {
    for (code, class) in [
        ("INSUFFICIENT_FUNDS", FailureClass::DeclinedSoft),
        ("SYSTEM_UNAVAILABLE", FailureClass::ProviderDown),
        ("CARRIER_SAYS_NO", FailureClass::Internal),
    ] {
        let (fake, provider) = scene().await;
        set(fake.shared(), "fails", json!(code));
        let order = airtime("TMOBILE_US_010");
        assert!(matches!(send(&provider, &order).await, Answer::Pending(_)), "{code}");
        let found = provider.find(&order).await;
        let Found::One(Answer::Refused(Refusal { code: said, class: sorted, .. })) = found else {
            panic!("{code}: {found:?}");
        };
        assert_eq!((said.as_str(), sorted), (code, class));
    }
}

#[test]
fn a_refused_request_proves_little() {
    let of = |code, fields: Value| refusal(code, &json!({"errorCode": code, "fields": fields}));
    let invalid = |fields| of("INVALID_REQUEST", fields);
    assert_eq!(invalid(json!({"recipientPhoneNumber": ""})), Some(FailureClass::InvalidTarget));
    assert_eq!(invalid(json!({"iccid": ""})), Some(FailureClass::InvalidTarget));
    assert_eq!(invalid(json!({"offerId": ""})), Some(FailureClass::DenominationGone));
    assert_eq!(invalid(json!({"value.value": ""})), Some(FailureClass::DenominationGone));
    assert_eq!(invalid(json!({"sender": ""})), Some(FailureClass::Internal));
    // Each of these may be said of an id that is there already.
    assert_eq!(invalid(json!({})), None);
    assert_eq!(invalid(json!({"transactionId": "", "offerId": ""})), None);
    assert_eq!(refusal("INVALID_REQUEST", &json!({})), None);
    assert_eq!(of("CONFLICT", json!({})), None);
    assert_eq!(of("", json!({})), None);
    assert_eq!(of("NOT_FOUND", json!({})), Some(FailureClass::DenominationGone));
    assert_eq!(of("FORBIDDEN", json!({})), Some(FailureClass::Internal));
}

#[test]
fn every_state_has_its_answer() {
    let order = airtime("A");
    let of = |status: &str, more: Value| {
        let mut row = json!({
            "transactionId": order.reference, "offerId": "A", "status": status,
            "recipientPhoneNumber": "+12025550123",
        });
        for (key, value) in more.as_object().unwrap() {
            row[key] = value.clone();
        }
        judge(&said(row), &order)
    };
    for word in ["ACCEPTED", "PENDING", "AUTHORIZED", "IN_PROGRESS"] {
        assert!(matches!(of(word, json!({})), Answer::Pending(_)), "{word}");
    }
    assert!(matches!(of("DONE", json!({})), Answer::Paid(_)));
    let refund = |status| json!({"refund": {"status": status}});
    assert!(matches!(of("DONE", refund("DONE")), Answer::Reversed(_)));
    assert!(matches!(of("DONE", refund("PENDING")), Answer::Paid(_)));
    assert!(matches!(of("FAILED", json!({})), Answer::Refused(_)));
    assert!(matches!(of("SOMETHING", json!({})), Answer::Unclear { .. }));
    for more in [
        json!({"transactionId": "another"}),
        json!({"offerId": "B"}),
        json!({"recipientPhoneNumber": "+12025550199"}),
        json!({"confirmation": {"iccid": "8901260880000000001"}}),
    ] {
        assert!(matches!(of("DONE", more.clone()), Answer::Mismatch { .. }), "{more}");
    }
    assert!(matches!(judge(&said(json!({"status": "DONE"})), &order), Answer::Unclear { .. }));
}

#[test]
fn money_has_a_divisor() {
    let of = |amount: Value, divisor: Value, rounding| {
        let value = json!({"a": amount, "c": "USD", "cDivisor": divisor});
        minor(&value, "/a", "/c", rounding).map(|money| money.plain())
    };
    let up = Rounding::Ceiling;
    assert_eq!(of(json!(12345), json!(100), up).as_deref(), Some("123.45"));
    assert_eq!(of(json!(12345), json!(1000), up).as_deref(), Some("12.35"));
    assert_eq!(of(json!(12345), json!(1000), Rounding::Floor).as_deref(), Some("12.34"));
    assert_eq!(of(json!(5), json!(1), up).as_deref(), Some("5.00"));
    for divisor in [json!(0), json!(-100), json!(null), json!("x")] {
        assert_eq!(of(json!(5), divisor, up), None);
    }
}

#[tokio::test]
async fn an_amount_is_named_only_where_the_product_says_so() {
    let (fake, provider) = scene().await;
    assert!(!provider.freeze(&airtime("TMOBILE_US_OPEN")).unwrap().contains("\\\"value\\\""));
    let order = airtime("TMOBILE_US_OPEN/cost");
    let frozen = provider.freeze(&order).unwrap();
    assert!(frozen.contains(r#"{\"type\":\"COST\",\"value\":1000}"#), "{frozen}");
    send(&provider, &order).await;
    assert!(matches!(provider.find(&order).await, Found::One(Answer::Paid(_))));
    assert_eq!(fake.shared().charges()[0].minor, 1000);
    assert_eq!(provider.quote(&order).await.unwrap().cost, order.amount);
    assert!(provider.quote(&airtime("TMOBILE_US_OPEN/zend")).await.is_err());
    // The purchase says another amount than the one that was named.
    let other = Order { amount: Money::parse("11.00 USD").unwrap(), ..order };
    assert!(matches!(provider.find(&other).await, Found::One(Answer::Mismatch { .. })));
    for bad in ["A/all", "A B", "../A", "", "A?b", "A/"] {
        assert!(provider.freeze(&airtime(bad)).is_err(), "{bad}");
    }
    let plan = Order { line: esim(), ..airtime("A/zend") };
    assert!(provider.freeze(&plan).is_err(), "a plan takes no amount");
    let odd = Order { reference: "a-b".to_owned(), ..airtime("A") };
    assert!(provider.freeze(&odd).is_err(), "a reference with a dash");
}

#[tokio::test]
async fn a_line_with_number_and_serial_gets_what_the_config_says() {
    let both = Subscription { msisdn: Msisdn::parse("+12025550123").ok(), ..esim() };
    let order = Order { line: both, ..airtime("A") };
    for (text, path) in
        [("", "/esim/purchases"), ("with_both = \"airtime\"\n", "/topups/purchases")]
    {
        let text = format!("api_key = \"k\"\n{text}");
        let provider = conformance::config("zendit", &text).build("it").await.unwrap();
        let frozen = provider.freeze(&order).unwrap();
        assert!(frozen.contains(path), "{frozen}");
    }
    // Whatever it was sent as, it is found.
    let (_fake, provider) = scene().await;
    let sent = airtime("A");
    send(&provider, &sent).await;
    let edited = Order { line: order.line.clone(), ..sent };
    assert!(matches!(provider.find(&edited).await, Found::One(Answer::Paid(_))));
}

#[tokio::test]
async fn only_their_own_not_found_means_that_there_is_nothing() {
    let (fake, provider) = scene().await;
    let order = airtime("A");
    assert_eq!(provider.find(&order).await, Found::Nothing);
    let text = fake.config().replace("\"\napi_key", "/v9\"\napi_key");
    let lost = conformance::config("zendit", &text).build("it").await.unwrap();
    assert!(matches!(lost.find(&order).await, Found::Blind { .. }));
    fake.shared().trouble_questions(&[Trouble::None, Trouble::Unauthorized]);
    assert!(matches!(provider.find(&order).await, Found::Blind { .. }));
}

#[test]
fn plans_are_packages_and_a_doubt_leaves_no_figure() {
    let now = Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap();
    let plan = |left: Value, end: Value, status: &str| json!({"description": "p", "iccid": ICCID, "remainingDataGB": left, "endAt": end, "status": status});
    let read = |list: Value| plans(&json!({ "list": list }), &esim(), now);
    let ends = "2026-12-01T00:00:00";
    let whole = read(json!([
        plan(json!(1.25), json!(ends), "ACTIVE"),
        plan(json!("0.5"), json!("2026-11-25T00:00:00Z"), "ACTIVE"),
        plan(json!(9), json!("2026-11-20T00:00:00Z"), "EXPIRED"),
    ]))
    .unwrap();
    assert_eq!((whole.quality, whole.values.data_left), (Quality::Ok, Some(1_750_000_000)));
    assert_eq!(whole.values.buckets.len(), 2);
    assert_eq!(whole.values.service_end_at, Timestamp::parse_rfc3339("2026-12-01T00:00:00Z"));
    let queued =
        read(json!(
            [plan(json!(1), json!(ends), "ACTIVE"), plan(json!(2), Value::Null, "QUEUED"),]
        ))
        .unwrap();
    assert_eq!(queued.values.data_left, Some(3_000_000_000));
    assert_eq!(queued.values.service_end_at, None, "the end of what has not begun is not known");
    let mut free = plan(json!(0), json!(ends), "ACTIVE");
    free["unlimited"] = json!(true);
    let free = read(json!([free, plan(json!(1), json!(ends), "ACTIVE")])).unwrap();
    assert_eq!((free.quality, free.values.data_left), (Quality::Ok, None));
    assert_eq!(read(json!([])).unwrap().values.data_left, Some(0));
    for doubt in [
        json!([plan(json!(1), json!(ends), "SUSPENDED")]),
        json!([plan(json!(-1), json!(ends), "ACTIVE")]),
        json!([plan(Value::Null, json!(ends), "ACTIVE")]),
        json!([plan(json!(1), json!("soon"), "ACTIVE")]),
    ] {
        let read = read(doubt.clone()).unwrap();
        assert_eq!((read.quality, read.values.data_left), (Quality::Partial, None), "{doubt}");
    }
    let cut_off = plans(&json!({"list": [], "total": 3}), &esim(), now).unwrap();
    assert_eq!(cut_off.quality, Quality::Partial);
    let mut other = plan(json!(1), json!(ends), "ACTIVE");
    other["iccid"] = json!("8901260880000000001");
    let error = read(json!([other])).unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Identity));
    assert_eq!(plans(&json!({}), &esim(), now).unwrap_err().quality, Quality::Unparseable);
}

#[tokio::test]
async fn a_number_alone_has_nothing_to_read() {
    let (_fake, provider) = scene().await;
    let error = provider.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Unsupported));
}

#[tokio::test]
async fn offers_that_are_switched_off_are_not_listed() {
    let (fake, provider) = scene().await;
    let products = provider.products(Some(&line())).await.unwrap();
    assert!(fake.shared().asked("country=US") == 1);
    let ids: Vec<&str> = products.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, ["TMOBILE_US_010", "TMOBILE_US_OPEN/zend"]);
    assert_eq!(products[0].cost, Money::parse("9.50 USD").ok());
    assert_eq!(products[1].min, Money::parse("5.00 USD").ok());
    let all = provider.products(None).await.unwrap();
    let plan = all.iter().find(|p| p.kind == ProductKind::Esim).unwrap();
    assert_eq!((plan.data, plan.days), (Some(3_000_000_000), Some(30)));
}
