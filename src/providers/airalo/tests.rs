//! Airalo's own traps: errors by number and by field, sentinels, dates, the search that contains.

use super::orders::{class, refusal};
use super::reading::reading;
use crate::domain::{
    ErrorKind, FailureClass, Iccid, Money, Quality, Quantity, Span, Subscription, Timestamp,
};
use crate::input::{Intake, Origin, Section, from_toml};
use crate::providers::{
    Answer, Class, Found, Order, Provider, ReadError, api::Said, conformance, http::testing,
};
use crate::sim::fakes::{Fake, Shared, Trouble, airalo::FAKE};
use serde_json::{Value, json};
use std::sync::Arc;

async fn scene() -> (Fake, Shared, Arc<dyn Provider>) {
    let fake = Fake::start(FAKE).await.unwrap();
    let config = conformance::config("airalo", &fake.config());
    let shared = fake.shared().clone();
    (fake, shared, config.build("airalo").await.unwrap())
}

fn line() -> Subscription {
    let iccid = Iccid::parse("8943108170000775671").ok();
    Subscription { msisdn: None, iccid, ..testing::line() }
}

fn order() -> Order {
    let product = Some("bonbon-mobile-30days-3gb-topup".to_owned());
    Order { line: line(), product, ..testing::order() }
}

async fn send(provider: &Arc<dyn Provider>, order: &Order) -> Answer {
    provider.topup(order, &provider.freeze(order).unwrap()).await
}

fn at(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text)
}

fn gb(n: i64) -> i64 {
    n << 30
}

fn said(status: u16, value: Value) -> Said {
    Said { status, raw: value.to_string(), value }
}

fn usage(change: &[(&str, Value)]) -> Value {
    let mut data = json!({
        "remaining": 767, "total": 2048, "expired_at": "2026-12-28 09:47:00", "is_unlimited": false,
        "status": "ACTIVE", "remaining_voice": 0, "remaining_text": 0, "total_voice": 0, "total_text": 0,
    });
    for (key, value) in change {
        data[*key] = value.clone();
    }
    json!({"data": data, "meta": {"message": "api.succes"}})
}

fn package(id: i64, status: &str, remaining: i64, until: Option<&str>) -> Value {
    json!({
        "id": id, "status": status, "remaining": remaining, "expired_at": until,
        "package": {"id": "p", "amount": 3072, "is_unlimited": false, "title": "3 GB - 30 Days"},
    })
}

#[test]
fn errors_are_sorted_by_their_number() {
    use FailureClass as F;
    let expected = [
        ("11", Some(F::DeclinedSoft)),
        ("13", Some(F::ProviderDown)),
        ("14", Some(F::Internal)),
        ("23", Some(F::DenominationGone)),
        ("33", Some(F::OutOfStock)),
        ("34", Some(F::DenominationGone)),
        ("43", Some(F::Internal)),
        ("53", None),
        ("73", Some(F::InvalidTarget)),
        ("89", Some(F::Internal)),
        ("12345", Some(F::Internal)),
    ];
    for (code, expected) in expected {
        assert_eq!(class(code), expected, "{code}");
    }
    let unexpected = refusal(&said(422, json!({"code": 53, "reason": "unexpected"})));
    assert!(matches!(unexpected, Answer::Unclear { .. }), "{unexpected:?}");
    for status in [302, 408, 409, 500, 503] {
        let answer = refusal(&said(status, json!({"code": 11, "reason": "no credit"})));
        assert!(matches!(answer, Answer::Unclear { .. }), "{status}: {answer:?}");
    }
}

#[test]
fn errors_are_sorted_by_the_field_they_name() {
    let class = |value: Value| {
        let answer = refusal(&said(422, value));
        if let Answer::Refused(refusal) = answer { Some(refusal.class) } else { None }
    };
    let invalid =
        |data: Value| json!({"data": data, "meta": {"message": "the parameter is invalid"}});
    for (data, expected) in [
        (json!({"package_id": "invalid topup package"}), FailureClass::DenominationGone),
        (json!({"package_id": "validation.order_exceed_limit"}), FailureClass::Internal),
        (json!({"iccid": ["The selected iccid is invalid."]}), FailureClass::InvalidTarget),
        (json!({"description": "too long"}), FailureClass::Internal),
        (json!([]), FailureClass::Internal),
    ] {
        assert_eq!(class(invalid(data.clone())), Some(expected), "{data}");
    }
    let unknown = json!({"data": [], "meta": {"message": "messages.resource_not_found"}});
    assert_eq!(class(unknown), Some(FailureClass::InvalidTarget));
    assert_eq!(class(json!({"error": "of somebody else's"})), None);
}

#[test]
fn what_has_no_limit_is_never_low() {
    let packages = json!({"data": [package(1, "ACTIVE", 0, Some("2026-12-28T09:47:00+00:00"))]});
    let unlimited = usage(&[("is_unlimited", json!(true)), ("remaining", json!(0))]);
    let read = reading(&unlimited, &packages).unwrap();
    assert_eq!((read.values.data_left, read.values.buckets.len()), (None, 0));
    // One package without a limit is enough.
    let mut one = packages.clone();
    one["data"][0]["package"]["is_unlimited"] = json!(true);
    let read = reading(&usage(&[]), &one).unwrap();
    assert_eq!((read.values.data_left, read.values.buckets.len()), (None, 0));
    // Minutes that never were did not run out; those that were did.
    let voice = usage(&[("total_voice", json!(100)), ("total_text", json!(null))]);
    let read = reading(&voice, &packages).unwrap();
    assert_eq!((read.values.minutes_left, read.values.sms_left), (Some(0), None));
    let negative = usage(&[("remaining", json!(-1))]);
    assert_eq!(reading(&negative, &packages).unwrap().values.data_left, None);
}

#[test]
fn the_dates_of_active_packages_come_first() {
    let packages = json!({"data": [
        package(9, "ACTIVE", 3072, Some("2027-01-20T02:00:00+02:00")),
        package(7, "ACTIVE", 767, Some("2026-12-28T09:47:00+00:00")),
        package(8, "NOT_ACTIVE", 3072, None),
        package(1, "EXPIRED", 100, Some("2028-01-01T00:00:00+00:00")),
    ]});
    let read = reading(&usage(&[("remaining", json!("3839"))]), &packages).unwrap();
    assert_eq!(read.quality, Quality::Ok);
    assert_eq!(read.values.service_end_at, at("2027-01-20T00:00:00Z"));
    assert_eq!(read.values.data_left, Some(3839 << 20));
    let buckets: Vec<_> =
        read.values.buckets.iter().map(|b| (b.name.as_str(), b.left, b.expires_at)).collect();
    assert_eq!(
        buckets,
        [
            ("3 GB - 30 Days (7)", Quantity::Bytes(767 << 20), at("2026-12-28T09:47:00Z")),
            ("3 GB - 30 Days (9)", Quantity::Bytes(gb(3)), at("2027-01-20T00:00:00Z")),
        ]
    );
    // Without active packages the date of the usage counts, as UTC.
    let none = json!({"data": []});
    let read = reading(&usage(&[]), &none).unwrap();
    assert_eq!(read.values.service_end_at, at("2026-12-28T09:47:00Z"));
    // An active package whose date has no offset is no date.
    let vague = json!({"data": [package(7, "ACTIVE", 767, Some("2026-12-28 09:47:00"))]});
    assert_eq!(reading(&usage(&[]), &vague).unwrap().quality, Quality::Partial);
    let undated = usage(&[("expired_at", json!(null))]);
    assert_eq!(reading(&undated, &none).unwrap().quality, Quality::Partial);
}

#[test]
fn the_status_says_how_far_figures_count() {
    let none = json!({"data": []});
    let read = |status: &str, remaining: i64| {
        let change = [("status", json!(status)), ("remaining", json!(remaining))];
        reading(&usage(&change), &none).unwrap()
    };
    assert_eq!(read("FINISHED", 0).values.data_left, Some(0));
    assert_eq!(read("EXPIRED", 500).values.data_left, Some(0));
    assert_eq!(read("NOT_ACTIVE", 0).values.data_left, None);
    assert_eq!(read("NOT_ACTIVE", 1024).values.data_left, Some(gb(1)));
    for unsure in ["UNKNOWN", "HIBERNATING", ""] {
        let read = read(unsure, 10);
        assert!(read.quality == Quality::Partial && read.detail.is_some(), "{unsure}");
    }
    let nothing = usage(&[
        ("status", json!("NOT_ACTIVE")),
        ("remaining", json!(0)),
        ("expired_at", json!(null)),
    ]);
    assert_eq!(reading(&nothing, &none).unwrap().quality, Quality::Partial);
    for garbage in [json!({}), json!({"data": []}), json!("x")] {
        assert_eq!(reading(&garbage, &none).unwrap_err().quality, Quality::Unparseable);
        assert_eq!(
            reading(&usage(&[]), &json!({"data": {}})).unwrap_err().quality,
            Quality::Unparseable
        );
    }
}

#[tokio::test]
async fn a_recycled_esim_is_dead() {
    let (_fake, shared, provider) = scene().await;
    shared.books().world.insert("status".to_owned(), json!("RECYCLED"));
    let error = provider.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Permanent), "{error:?}");
    let error = provider.products(Some(&line())).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Permanent), "{error:?}");
    let Answer::Refused(refusal) = send(&provider, &order()).await else { panic!("not refused") };
    assert_eq!((refusal.class, refusal.code.as_str()), (FailureClass::InvalidTarget, "73"));
    let iccid = Iccid::parse("8943108170000775689").ok();
    let unknown = provider.read(&Subscription { iccid, ..line() }).await.unwrap_err();
    assert_eq!(unknown.quality, Quality::Error(ErrorKind::Permanent), "{unknown:?}");
}

#[tokio::test]
async fn usage_is_told_from_a_cache_after_a_top_up() {
    let (_fake, shared, provider) = scene().await;
    let before = provider.read(&line()).await.unwrap();
    assert!(matches!(send(&provider, &order()).await, Answer::Paid(_)));
    let after = provider.read(&line()).await.unwrap();
    assert_eq!(before.values, after.values, "for twenty minutes: hence the lag that is declared");
    shared.books().world.remove("cached");
    let later = provider.read(&line()).await.unwrap();
    assert_eq!(later.values.data_left, before.values.data_left.map(|left| left + gb(3)));
}

#[tokio::test]
async fn only_the_very_same_description_is_ours() {
    let (_fake, _shared, provider) = scene().await;
    let longer = Order { reference: format!("{}z", order().reference), ..order() };
    assert!(matches!(send(&provider, &longer).await, Answer::Paid(_)));
    assert_eq!(provider.find(&order()).await, Found::Nothing);
    assert!(matches!(send(&provider, &order()).await, Answer::Paid(_)));
    let Found::One(Answer::Paid(evidence)) = provider.find(&order()).await else {
        panic!("not found")
    };
    assert_eq!(evidence.transaction_id.as_deref(), Some("175"));
    assert_eq!(evidence.charged, Money::parse("9.50 USD").ok());
}

async fn found(row: Value) -> Found {
    let (_fake, shared, provider) = scene().await;
    assert!(matches!(send(&provider, &order()).await, Answer::Paid(_)));
    for (key, value) in row.as_object().unwrap() {
        shared.books().records[0][key] = value.clone();
    }
    provider.find(&order()).await
}

#[tokio::test]
async fn the_status_of_an_order_is_not_guessed() {
    let status = |slug: &str| json!({"status": {"name": slug, "slug": slug}});
    assert!(matches!(found(status("refunded")).await, Found::One(Answer::Reversed(_))));
    for unsure in ["failed", "partially_refunded", "dreaming"] {
        let answer = found(status(unsure)).await;
        assert!(matches!(answer, Found::One(Answer::Unclear { .. })), "{unsure}: {answer:?}");
    }
    let without = found(json!({"status": null})).await;
    assert!(matches!(without, Found::One(Answer::Pending(_))), "{without:?}");
}

#[tokio::test]
async fn what_an_order_names_is_compared() {
    let sims = json!([{"iccid": "8943108170000775689", "qrcode": "LPA:1$SECRET"}]);
    for other in [
        json!({"package_id": "another"}),
        json!({"type": "sim"}),
        json!({"currency": "EUR"}),
        json!({"price": "12.00"}),
        json!({"sims": sims}),
    ] {
        let answer = found(other.clone()).await;
        let Found::One(Answer::Mismatch { evidence, .. }) = answer else {
            panic!("{other}: {answer:?}")
        };
        assert!(!evidence.raw.contains("SECRET"), "{}", evidence.raw);
    }
    let same = found(json!({"sims": [{"iccid": "8943108170000775671"}], "price": 9})).await;
    assert!(matches!(same, Found::One(Answer::Paid(_))), "{same:?}");
}

#[tokio::test]
async fn a_price_above_the_amount_is_noticed() {
    let (_fake, shared, provider) = scene().await;
    shared.trouble_orders(&[Trouble::DearerNow]);
    let Answer::Mismatch { evidence, why } = send(&provider, &order()).await else {
        panic!("not noticed")
    };
    assert!(why.contains("12.00 USD") && evidence.transaction_id.is_some(), "{why}");
}

#[tokio::test]
async fn a_list_that_goes_on_proves_nothing() {
    let (_fake, shared, provider) = scene().await;
    let row = json!({"description": format!("{}-other", order().reference)});
    shared.books().records = vec![row; 50];
    assert!(matches!(provider.find(&order()).await, Found::Blind { .. }));
}

#[tokio::test]
async fn prices_are_decimals_and_the_greater_is_the_bound() {
    let (_fake, shared, provider) = scene().await;
    let quote = provider.quote(&order()).await.unwrap();
    assert_eq!(quote.cost, Money::parse("9.50 USD").unwrap());
    assert!(quote.why.contains("6.00 USD net"), "{}", quote.why);
    shared.books().world.insert("price".to_owned(), json!("5.001"));
    assert_eq!(provider.quote(&order()).await.unwrap().cost, Money::parse("6.00 USD").unwrap());
    let products = provider.products(Some(&line())).await.unwrap();
    assert_eq!(products[0].min, Money::parse("5.01 USD").ok());
    assert_eq!((products[0].data, products[0].days), (Some(gb(3)), Some(30)));
    assert_eq!((products[1].data, products[1].days), (None, Some(10)));
    let gone = Order { product: Some("gone".to_owned()), ..order() };
    assert!(provider.quote(&gone).await.is_err());
    assert!(provider.products(None).await.is_err());
}

#[tokio::test]
async fn wallets_and_other_lines() {
    let (_fake, _shared, provider) = scene().await;
    let wallet = Subscription { iccid: None, ..line() };
    let read = provider.read(&wallet).await.unwrap();
    assert_eq!(read.values.balance, Money::parse("225.35 USD").ok());
    let ReadError { quality, .. } = provider.read(&testing::line()).await.unwrap_err();
    assert_eq!(quality, Quality::Error(ErrorKind::Unsupported));
    let euros = Order { amount: Money::parse("10.00 EUR").unwrap(), ..order() };
    assert!(provider.freeze(&euros).is_err());
}

#[tokio::test]
async fn a_refused_client_is_said() {
    let fake = Fake::start(FAKE).await.unwrap();
    for (ours, theirs) in [("\"hush\"", "\"wrong\""), ("\"me\"", "\"somebody\"")] {
        let text = fake.config().replace(ours, theirs);
        let provider = conformance::config("airalo", &text).build("airalo").await.unwrap();
        let error = provider.wallet().await.unwrap_err();
        assert_eq!(error.quality, Quality::Error(ErrorKind::Authentication), "{error:?}");
        assert!(matches!(send(&provider, &order()).await, Answer::NotSent { .. }));
    }
}

#[test]
fn the_mode_must_be_written() {
    let base = "client_id = \"me\"\nclient_secret = \"hush\"\n";
    let faults = |text: &str| {
        let table = from_toml("a.toml", text).unwrap();
        let intake = Intake::new();
        let section = Section::new(&table, "providers.it.airalo", &Origin::file("a.toml"), &intake);
        assert!(super::Config::read(section).is_none());
        intake.into_faults()
    };
    assert_eq!(faults(base)[0].key, "providers.it.airalo.mode");
    assert_eq!(faults(&format!("{base}mode = \"test\""))[0].allowed, "allowed: live, sandbox");
    let declares =
        |mode: &str| conformance::config("airalo", &format!("{base}mode = \"{mode}\"")).declares();
    assert_eq!(declares("live").balance_lag, Span::minutes(20));
    assert_eq!(declares("sandbox").balance_lag, Span::minutes(60));
    assert_eq!(declares("live").class(), Class::B);
}
