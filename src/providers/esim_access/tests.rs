//! eSIM Access's own traps: envelopes, error codes, dead eSIMs, serials given out again.

use super::envelope::{Envelope, class, open, read_error};
use super::orders::judge;
use super::records::{ours, reading};
use crate::domain::{
    ErrorKind, FailureClass, Iccid, Money, Quality, Span, Subscription, Timestamp,
};
use crate::providers::{
    Answer, Class, Found, Order, Provider, api::Said, conformance, http::testing,
};
use crate::sim::fakes::{Fake, Shared, Trouble, esim_access::FAKE};
use serde_json::{Value, json};
use std::sync::Arc;

async fn scene() -> (Fake, Shared, Arc<dyn Provider>) {
    let fake = Fake::start(FAKE).await.unwrap();
    let config = conformance::config("esim_access", &fake.config());
    let shared = fake.shared().clone();
    (fake, shared, config.build("esim_access").await.unwrap())
}

fn line() -> Subscription {
    let iccid = Iccid::parse("8943108170000775671").ok();
    Subscription { msisdn: None, iccid, ..testing::line() }
}

fn order() -> Order {
    Order { line: line(), product: Some("TOPUP_JC172".to_owned()), ..testing::order() }
}

async fn send(provider: &Arc<dyn Provider>, order: &Order) -> Answer {
    provider.topup(order, &provider.freeze(order).unwrap()).await
}

fn esim(change: &[(&str, Value)]) -> Value {
    let mut esim = json!({
        "iccid": "8943108170000775671", "esimStatus": "IN_USE", "totalVolume": 6_442_450_944_i64,
        "orderUsage": 1_073_741_824, "expiredTime": "2026-12-28T09:47:00+0000",
    });
    for (key, value) in change {
        esim[*key] = value.clone();
    }
    esim
}

#[test]
fn envelopes_are_read_leniently_and_never_both_ways() {
    let obj = json!({"balance": 1});
    for success in [json!(true), json!("true")] {
        for code in [json!("0"), json!(null), json!(""), json!(0), json!("000000")] {
            let value = json!({"success": success, "errorCode": code, "obj": obj});
            assert_eq!(open(&value), Envelope::Done(&obj), "{value}");
        }
    }
    let value = json!({"success": "false", "errorCode": 1, "errorMessage": "oops"});
    let refused = Envelope::Refused { code: "000001".to_owned(), message: "oops".to_owned() };
    assert_eq!(open(&value), refused);
    for neither in [
        json!({"success": true, "errorCode": "200007", "obj": {}}),
        json!({"success": false, "errorCode": "0"}),
        json!({"success": true, "obj": null}),
        json!({"errorCode": "200007"}),
        json!({"message": "oops"}),
        json!([]),
    ] {
        assert_eq!(open(&neither), Envelope::Neither, "{neither}");
    }
}

#[test]
fn errors_are_sorted_by_what_may_follow() {
    use FailureClass as F;
    let expected = [
        ("000001", None),
        ("900001", None),
        ("200008", None),
        ("200009", None),
        ("777777", None),
        ("000101", Some(F::Internal)),
        ("101003", Some(F::Internal)),
        ("310272", Some(F::Internal)),
        ("200007", Some(F::DeclinedSoft)),
        ("200005", Some(F::PriceChanged)),
        ("200006", Some(F::PriceChanged)),
        ("200011", Some(F::OutOfStock)),
        ("200010", Some(F::ProviderDown)),
        ("200002", Some(F::InvalidTarget)),
        ("310201", Some(F::InvalidTarget)),
        ("310251", Some(F::InvalidTarget)),
        ("310403", Some(F::InvalidTarget)),
        ("310409", Some(F::InvalidTarget)),
        ("310241", Some(F::DenominationGone)),
        ("310243", Some(F::DenominationGone)),
    ];
    for (code, expected) in expected {
        assert_eq!(class(code, None), expected, "{code}");
    }
    assert_eq!(class("777777", Some(F::Internal)), Some(F::Internal));
    assert_eq!(class("000001", Some(F::Internal)), None);
    for (code, kind) in [
        ("101003", ErrorKind::Authentication),
        ("101001", ErrorKind::Configuration),
        ("000105", ErrorKind::Configuration),
        ("310403", ErrorKind::Permanent),
        ("310230", ErrorKind::Permanent),
        ("900001", ErrorKind::Temporary),
        ("000001", ErrorKind::Temporary),
        ("777777", ErrorKind::Temporary),
    ] {
        assert_eq!(read_error(code, "no").quality, Quality::Error(kind), "{code}");
    }
}

#[test]
fn the_http_status_has_a_say_where_it_is_none_of_theirs() {
    let said = |status, value: Value| Said { status, raw: value.to_string(), value };
    let error = |code: &str| json!({"success": false, "errorCode": code, "errorMsg": "no"});
    let class = |status, code: &str| {
        let answer = judge(&said(status, error(code)), &order());
        assert!(matches!(answer, Answer::Refused(_) | Answer::Unclear { .. }), "{answer:?}");
        if let Answer::Refused(refusal) = answer { Some(refusal.class) } else { None }
    };
    for status in [200, 400, 422] {
        assert_eq!(class(status, "200007"), Some(FailureClass::DeclinedSoft), "{status}");
        assert_eq!(class(status, "900001"), None, "{status}");
    }
    assert_eq!(class(200, "777777"), None);
    assert_eq!(class(400, "777777"), Some(FailureClass::Internal));
    for status in [302, 408, 409, 500, 502] {
        assert_eq!(class(status, "200007"), None, "{status}");
    }
    let empty = said(200, json!({"success": true, "errorCode": "0", "obj": {}}));
    assert!(matches!(judge(&empty, &order()), Answer::Unclear { .. }));
    let other = json!({"success": true, "obj": {"transactionId": "x"}});
    assert!(matches!(judge(&said(200, other), &order()), Answer::Mismatch { .. }));
}

#[test]
fn of_several_esims_with_one_serial_the_living_counts() {
    let iccid = Iccid::parse("8943108170000775671").unwrap();
    let list = |esims: &[Value]| json!({"esimList": esims});
    let kind = |esims: &[Value]| ours(&list(esims), &iccid).unwrap_err().quality;
    let dead = |word: &str| esim(&[("esimStatus", json!(word))]);
    for word in ["USED_EXPIRED", "UNUSED_EXPIRED", "CANCEL", "REVOKED", "DELETED", "revoked"] {
        assert_eq!(kind(&[dead(word)]), Quality::Error(ErrorKind::Permanent), "{word}");
    }
    let both = list(&[dead("CANCEL"), esim(&[])]);
    assert_eq!(ours(&both, &iccid).unwrap(), &esim(&[]));
    assert_eq!(kind(&[esim(&[]), esim(&[])]), Quality::Error(ErrorKind::Identity));
    assert_eq!(kind(&[]), Quality::Error(ErrorKind::Permanent));
    let other = esim(&[("iccid", json!("8943108170000775689"))]);
    assert_eq!(kind(&[other]), Quality::Error(ErrorKind::Identity));
    assert_eq!(ours(&json!({}), &iccid).unwrap_err().quality, Quality::Unparseable);
}

#[test]
fn figures_that_are_not_there_are_left_out() {
    let read = reading(&esim(&[])).unwrap();
    assert_eq!(read.quality, Quality::Ok);
    assert_eq!(read.values.data_left, Some(5 << 30));
    let end = Timestamp::parse_rfc3339("2026-12-28T09:47:00Z");
    assert_eq!(read.values.service_end_at, end);
    for (change, left) in [
        (("totalVolume", json!(-1)), None),
        (("totalVolume", json!(0)), None),
        (("orderUsage", json!(null)), None),
        (("orderUsage", json!(7_000_000_000_i64)), Some(0)),
        (("expiredTime", json!("2026-12-28 09:47:00")), Some(5 << 30)),
        (("expiredTime", json!(null)), Some(5 << 30)),
        (("esimStatus", json!("SUSPENDED")), Some(5 << 30)),
        (("esimStatus", json!("DREAMING")), Some(5 << 30)),
    ] {
        let read = reading(&esim(std::slice::from_ref(&change))).unwrap();
        assert_eq!(read.values.data_left, left, "{change:?}");
        let sure = change.0 == "orderUsage" && left.is_some();
        assert_eq!(read.quality == Quality::Ok, sure, "{change:?}");
    }
    let new = [
        ("esimStatus", json!("GOT_RESOURCE")),
        ("orderUsage", json!(0)),
        ("expiredTime", json!(null)),
    ];
    let read = reading(&esim(&new)).unwrap();
    assert_eq!((read.quality, read.values.data_left), (Quality::Ok, Some(6 << 30)));
    let z = esim(&[("expiredTime", json!("2026-12-28T09:47:00Z"))]);
    assert_eq!(reading(&z).unwrap().values.service_end_at, end);
    let empty = esim(&[("totalVolume", json!(null)), ("expiredTime", json!(null))]);
    assert_eq!(reading(&empty).unwrap_err().quality, Quality::Unparseable);
}

#[tokio::test]
async fn the_line_tells_what_became_of_an_order() {
    let (_fake, shared, provider) = scene().await;
    assert_eq!(provider.declares().class(), Class::D);
    assert_eq!(provider.declares().balance_lag, Span::hours(3));
    let before = provider.read(&line()).await.unwrap().values;
    shared.trouble_orders(&[Trouble::LostAfter]);
    let lost = send(&provider, &order()).await;
    assert!(matches!(lost, Answer::Unclear { .. }), "{lost:?}");
    assert!(matches!(provider.find(&order()).await, Found::Blind { .. }));
    let after = provider.read(&line()).await.unwrap().values;
    assert_eq!(after.data_left, before.data_left.map(|left| left + (3 << 30)));
    assert_eq!(after.service_end_at, before.service_end_at.map(|end| end.plus(Span::days(30))));
}

#[tokio::test]
async fn a_reference_that_was_used_is_no_refusal() {
    let (_fake, shared, provider) = scene().await;
    let Answer::Paid(evidence) = send(&provider, &order()).await else { panic!("not paid") };
    assert_eq!(evidence.transaction_id, Some(order().reference));
    let again = send(&provider, &order()).await;
    assert!(matches!(again, Answer::Unclear { .. }), "{again:?}");
    assert_eq!(shared.charges().len(), 1);
}

#[tokio::test]
async fn errors_without_an_answer_about_the_order_are_unclear() {
    for code in ["000001", "900001", "654321"] {
        let (_fake, shared, provider) = scene().await;
        shared.books().world.insert("error".to_owned(), json!(code));
        let answer = send(&provider, &order()).await;
        assert!(matches!(answer, Answer::Unclear { .. }), "{code}: {answer:?}");
        let error = provider.read(&line()).await.unwrap_err();
        assert_eq!(error.quality, Quality::Error(ErrorKind::Temporary), "{code}");
    }
}

#[tokio::test]
async fn dead_esims_are_read_as_such_and_refused() {
    for status in ["USED_EXPIRED", "REVOKED"] {
        let (_fake, shared, provider) = scene().await;
        shared.books().world.insert("status".to_owned(), json!(status));
        let error = provider.read(&line()).await.unwrap_err();
        assert_eq!(error.quality, Quality::Error(ErrorKind::Permanent), "{error:?}");
        let Answer::Refused(refusal) = send(&provider, &order()).await else { panic!("{status}") };
        assert_eq!(refusal.class, FailureClass::InvalidTarget, "{status}");
        assert_eq!(shared.charges(), []);
    }
}

#[tokio::test]
async fn a_wrong_key_is_said_and_kept_nowhere() {
    let fake = Fake::start(FAKE).await.unwrap();
    let text = fake.config().replace("\"hush\"", "\"wrong\"");
    let provider = conformance::config("esim_access", &text).build("it").await.unwrap();
    let error = provider.wallet().await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Authentication), "{error:?}");
    let Answer::Refused(refusal) = send(&provider, &order()).await else { panic!("not refused") };
    assert_eq!(refusal.class, FailureClass::Internal);
    assert!(!format!("{provider:?}{refusal:?}").contains("wrong"));
}

#[tokio::test]
async fn prices_and_balances_are_ten_thousandths_of_a_dollar() {
    let (_fake, _shared, provider) = scene().await;
    assert_eq!(provider.wallet().await.unwrap(), Money::parse("125.43 USD").unwrap());
    assert_eq!(provider.quote(&order()).await.unwrap().cost, Money::parse("9.50 USD").unwrap());
    let products = provider.products(Some(&line())).await.unwrap();
    assert_eq!((products[0].data, products[0].days), (Some(3 << 30), Some(30)));
    let usd = crate::domain::Currency::parse("USD").unwrap();
    let package = json!({"packageCode": "P", "name": "n", "price": 10_001, "currencyCode": "USD"});
    let product = super::records::product(&package, usd).unwrap();
    assert_eq!(product.cost, Money::parse("1.01 USD").ok(), "rounded up");
    let euros = json!({"packageCode": "P", "name": "n", "price": 10_001, "currencyCode": "EUR"});
    assert_eq!(super::records::product(&euros, usd), None);
    let gone = Order { product: Some("gone".to_owned()), ..order() };
    assert!(provider.quote(&gone).await.is_err());
}

#[tokio::test]
async fn wallets_other_lines_and_long_references() {
    let (_fake, _shared, provider) = scene().await;
    let wallet = Subscription { iccid: None, ..line() };
    assert!(provider.read(&wallet).await.unwrap().values.balance.is_some());
    let error = provider.read(&testing::line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Unsupported));
    let long = Order { reference: "a".repeat(51), ..order() };
    assert!(provider.freeze(&long).is_err());
    let euros = Order { amount: Money::parse("10.00 EUR").unwrap(), ..order() };
    assert!(provider.freeze(&euros).is_err());
}
