//! Ding's own traps: results that are not the status, receipts with codes, adapted amounts.

use super::records::{days, without_receipt};
use super::*;
use crate::domain::{Msisdn, Quality};
use crate::providers::{ProductKind, conformance::config, http::testing};
use crate::sim::fakes::{Fake, Shared, Trouble, dingconnect::FAKE};

async fn scene() -> (Fake, Arc<dyn Provider>, Shared) {
    let fake = Fake::start(FAKE).await.unwrap();
    let provider = config("dingconnect", &fake.config()).build("ding").await.unwrap();
    let shared = fake.shared().clone();
    (fake, provider, shared)
}

fn order_of(sku: &str, number: &str) -> Order {
    let mut order = Order { product: Some(sku.to_owned()), ..testing::order() };
    order.line.msisdn = Some(Msisdn::parse(number).unwrap());
    order
}

async fn send(provider: &Arc<dyn Provider>, order: &Order) -> Answer {
    let frozen = provider.freeze(order).unwrap();
    provider.topup(order, &frozen).await
}

#[tokio::test]
async fn the_test_numbers_end_as_documented() {
    for (number, code, class) in [
        ("+12025550004", "ProviderError", FailureClass::DenominationGone),
        ("+12025550005", "AccountNumberInvalid", FailureClass::InvalidTarget),
        ("+12025550007", "InsufficientBalance", FailureClass::DeclinedSoft),
        ("+12025550008", "AccountNumberInvalid", FailureClass::InvalidTarget),
        ("+12025550009", "ProviderError", FailureClass::InvalidTarget),
    ] {
        let (_fake, provider, shared) = scene().await;
        let answer = send(&provider, &order_of("US_TL_TopUp", number)).await;
        let Answer::Refused(refusal) = answer else { panic!("{number}: {answer:?}") };
        assert_eq!((refusal.code.as_str(), refusal.class), (code, class), "{number}");
        assert_eq!(shared.charges(), [], "{number}");
    }
    // Passing trouble proves nothing until the list says what became of it.
    for (number, class) in [
        ("+12025550001", FailureClass::DeclinedSoft),
        ("+12025550002", FailureClass::ProviderDown),
        ("+12025550003", FailureClass::ProviderDown),
    ] {
        let (_fake, provider, _) = scene().await;
        let order = order_of("US_TL_TopUp", number);
        let answer = send(&provider, &order).await;
        assert!(matches!(answer, Answer::Unclear { .. }), "{number}: {answer:?}");
        let found = provider.find(&order).await;
        let Found::One(Answer::Refused(refusal)) = found else { panic!("{number}: {found:?}") };
        assert_eq!(refusal.class, class, "{number}");
    }
}

#[tokio::test]
async fn codes_are_handed_over_and_kept_nowhere_else() {
    let (_fake, provider, shared) = scene().await;
    let order = order_of("US_T9_PIN_10.00", "+12025550123");
    let sent = send(&provider, &order).await;
    let Found::One(found) = provider.find(&order).await else { panic!() };
    for answer in [sent, found] {
        let Answer::Paid(evidence) = &answer else { panic!("{answer:?}") };
        let pin = evidence.pin.as_ref().unwrap();
        assert_eq!(pin.code, "4711-0815");
        assert!(pin.how.as_ref().unwrap().contains("*233*"));
        assert_eq!(evidence.charged, Money::parse("10.25 USD").ok());
        assert_eq!(evidence.delivered, Money::parse("9.19 USD").ok());
        assert!(!format!("{answer:?}").contains("4711"), "{answer:?}");
    }
    // A second record makes it several; the codes are not in what is kept of them.
    send(&provider, &order).await;
    let several = provider.find(&order).await;
    assert!(matches!(several, Found::Several { count: 2, .. }), "{several:?}");
    assert!(!format!("{several:?}").contains("4711"), "{several:?}");
    shared.trouble_orders(&[Trouble::Truncated]);
    let torn = send(&provider, &order).await;
    assert!(!format!("{torn:?}").contains("4711"), "{torn:?}");
}

#[test]
fn a_receipt_is_taken_out_wherever_it_stands_and_a_torn_one_too() {
    let record = json!({"ReceiptText": "code 4711", "ReceiptParams": {"voucher": "4711"}, "a": 1});
    for value in [record.clone(), json!({"TransferRecord": record})] {
        let clean = without_receipt(&value).to_string();
        assert!(!clean.contains("4711") && clean.contains("\"a\":1"), "{clean}");
    }
    let raw = r#"{"TransferRecord":{"ReceiptParams":{"pin":"4711"#.to_owned();
    let Answer::Unclear { raw, .. } = hide_torn(Answer::Unclear { why: String::new(), raw }) else {
        panic!()
    };
    assert_eq!(raw, r#"{"TransferRecord":{"#);
}

#[tokio::test]
async fn the_nearest_amount_counts_only_where_the_line_got_no_less() {
    for (got, is_paid) in [("9.99", false), ("10.00", true)] {
        let (_fake, provider, shared) = scene().await;
        shared.books().world.insert("nearest".to_owned(), serde_json::from_str(got).unwrap());
        let order = order_of("US_TL_TopUp", "+12025550123");
        let sent = send(&provider, &order).await;
        let Found::One(found) = provider.find(&order).await else { panic!() };
        for answer in [sent, found] {
            assert_eq!(matches!(answer, Answer::Paid(_)), is_paid, "{got}: {answer:?}");
            let is_noticed = matches!(&answer, Answer::Mismatch { why, .. } if why.contains(got));
            assert_eq!(is_noticed, !is_paid, "{got}: {answer:?}");
        }
    }
}

/// What the adapter makes of one answer to an order.
async fn judged(status: u16, body: Value) -> Answer {
    use axum::{Json, Router, http::StatusCode};
    let status = StatusCode::from_u16(status).unwrap();
    let app = Router::new().fallback(move || async move { (status, Json(body)) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let text = format!(
        "base_url = \"http://{address}\"\nallow_private_network = true\napi_key = \"hush\"\ncurrency = \"USD\""
    );
    let provider = config("dingconnect", &text).build("ding").await.unwrap();
    let answer = send(&provider, &order_of("US_TL_TopUp", "+12025550123")).await;
    server.abort();
    answer
}

fn error(result: u8, code: &str) -> Value {
    json!({"ResultCode": result, "ErrorCodes": [{"Code": code}]})
}

#[tokio::test]
async fn only_a_result_of_theirs_proves_something() {
    let unclear = |answer: &Answer| matches!(answer, Answer::Unclear { .. });
    for (status, body) in [
        (400, error(4, "DuplicateTransactionPrevented")),
        (200, json!({"ResultCode": 1, "ErrorCodes": []})),
        (500, error(5, "SomethingNew")),
        (503, json!({"message": "no"})),
        (401, json!({"message": "no"})),
        (429, json!({"message": "no"})),
        (400, json!({"error": "no"})),
        (200, error(9, "InsufficientBalance")),
        (200, error(3, "InsufficientBalance")),
    ] {
        let answer = judged(status, body.clone()).await;
        assert!(unclear(&answer), "{status} {body}: {answer:?}");
    }
    let answer = judged(401, error(4, "AuthenticationFailed")).await;
    assert!(matches!(answer, Answer::NotSent { .. }), "{answer:?}");
    for (status, body, class) in [
        (400, error(4, "SomethingNew"), FailureClass::Internal),
        (400, error(4, "ParameterInvalid"), FailureClass::Internal),
        (500, error(5, "InsufficientBalance"), FailureClass::DeclinedSoft),
    ] {
        let answer = judged(status, body.clone()).await;
        assert!(matches!(&answer, Answer::Refused(r) if r.class == class), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn every_state_has_its_meaning() {
    let record = |state: &str| {
        json!({"ResultCode": 1, "ErrorCodes": [], "TransferRecord": {
            "TransferId": {"TransferRef": "9", "DistributorRef": "abcdefghijklmnopqrstuvwx"},
            "SkuCode": "US_TL_TopUp", "AccountNumber": "12025550123", "ProcessingState": state,
            "Price": {"SendValue": "10.0", "SendCurrencyIso": "USD", "DistributorFee": 0},
        }})
    };
    for state in ["Complete", "Completed"] {
        assert!(matches!(judged(200, record(state)).await, Answer::Paid(_)), "{state}");
    }
    for state in ["Submitted", "Processing", "Cancelling"] {
        assert!(matches!(judged(200, record(state)).await, Answer::Pending(_)), "{state}");
    }
    for state in ["Failed", "Cancelled"] {
        assert!(matches!(judged(200, record(state)).await, Answer::Refused(_)), "{state}");
    }
    assert!(matches!(judged(200, record("Resting")).await, Answer::Unclear { .. }));
    // What cannot be both is nothing.
    let mut both = record("Complete");
    both["ResultCode"] = json!(5);
    assert!(matches!(judged(200, both).await, Answer::Unclear { .. }));
    for (at, value) in [
        ("/TransferRecord/Price/SendValue", json!(10.01)),
        ("/TransferRecord/Price/SendCurrencyIso", json!("EUR")),
        ("/TransferRecord/SkuCode", json!("US_AT_TopUp")),
        ("/TransferRecord/TransferId/DistributorRef", json!("another")),
        ("/TransferRecord/AccountNumber", json!("12025550199")),
    ] {
        let mut other = record("Complete");
        *other.pointer_mut(at).unwrap() = value;
        assert!(matches!(judged(200, other).await, Answer::Mismatch { .. }), "{at}");
    }
}

#[tokio::test]
async fn a_list_that_goes_on_proves_no_absence() {
    let (_fake, provider, shared) = scene().await;
    let order = order_of("US_TL_TopUp", "+12025550123");
    shared.books().world.insert("more".to_owned(), json!(true));
    assert!(matches!(provider.find(&order).await, Found::Blind { .. }));
    assert_eq!(shared.asked("AccountNumber"), 0, "another number would not be found");
}

#[tokio::test]
async fn the_catalogue_holds_what_can_be_ordered() {
    let (_fake, provider, _) = scene().await;
    let products = provider.products(Some(&testing::line())).await.unwrap();
    let ids: Vec<&str> = products.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, ["US_TL_TopUp", "US_T9_PIN_10.00", "US_LY_30"]);
    let usd = |text| Money::parse(text).ok();
    assert_eq!((products[0].min, products[0].max), (usd("10.01 USD"), usd("91.78 USD")));
    assert_eq!((products[0].cost, products[0].denominations.len()), (None, 0));
    assert_eq!((products[1].kind, products[1].cost), (ProductKind::Pin, usd("10.26 USD")));
    assert_eq!((products[2].kind, products[2].days), (ProductKind::Bundle, Some(30)));
    let quote = provider.quote(&order_of("US_TL_TopUp", "+12025550123")).await.unwrap();
    assert_eq!((quote.cost, quote.delivered), (usd("10.25 USD").unwrap(), usd("10.00 USD")));
}

#[tokio::test]
async fn numbers_nobody_serves_and_errors_inside_a_success() {
    let (_fake, provider, _) = scene().await;
    let nobody = order_of("US_TL_TopUp", "+12025550000").line;
    assert_eq!(provider.operator(&nobody).await.unwrap(), None);
    assert_eq!(provider.operator(&testing::line()).await.unwrap().as_deref(), Some("TLUS"));
    for (code, result, kind) in [
        ("AuthenticationFailed", 4, ErrorKind::Authentication),
        ("RateLimited", 3, ErrorKind::RateLimit),
        ("TransientProviderError", 3, ErrorKind::Temporary),
        ("ParameterInvalid", 4, ErrorKind::Configuration),
    ] {
        let verdict = Verdict::of(&error(result, code));
        assert!(!verdict.is_fine());
        assert_eq!(Quality::Error(verdict.kind()), Quality::Error(kind), "{code}");
    }
}

#[test]
fn durations_are_days() {
    for (text, expected) in [
        ("P30D", Some(30)),
        ("P1M", Some(28)),
        ("P2W", Some(14)),
        ("PT36H", Some(1)),
        ("P1DT12H", Some(1)),
        ("PT5M", None),
        ("30", None),
        ("", None),
        ("P", None),
        ("PXD", None),
    ] {
        assert_eq!(days(text), expected, "{text}");
    }
}

#[tokio::test]
async fn the_frozen_request_never_lacks_its_mode_and_names_the_account_s_currency() {
    let (_fake, provider, _) = scene().await;
    let order = order_of("US_TL_TopUp", "+12025550123");
    let frozen = provider.freeze(&order).unwrap();
    assert!(frozen.contains(r#"\"ValidateOnly\":false"#), "{frozen}");
    assert!(frozen.contains(r#"\"SendValue\":10.0,"#), "{frozen}");
    let euros = Order { amount: Money::parse("10.00 EUR").unwrap(), ..order };
    assert!(provider.freeze(&euros).is_err());
}
