//! CELITECH's own traps.

use super::*;
use crate::providers::{
    Class, Evidence, conformance,
    http::testing::{line, order},
};
use crate::sim::fakes::{Fake, Shared, Trouble, celitech::FAKE};

const ICCID: &str = "1111222233334444555003";

async fn scene() -> (Fake, Arc<dyn Provider>) {
    let fake = Fake::start(FAKE).await.unwrap();
    let provider = conformance::config("celitech", &fake.config()).build("it").await.unwrap();
    (fake, provider)
}

fn set(shared: &Shared, key: &str, value: Value) {
    shared.books().world.insert(key.to_owned(), value);
}

fn esim() -> Subscription {
    Subscription { msisdn: None, iccid: Iccid::parse(ICCID).ok(), ..line() }
}

fn wanting(product: &str) -> Order {
    Order { line: esim(), product: Some(product.to_owned()), ..order() }
}

async fn send(provider: &Arc<dyn Provider>, order: &Order) -> Answer {
    provider.topup(order, &provider.freeze(order).unwrap()).await
}

#[test]
fn products_are_size_and_duration() {
    for (text, size, days) in [("1GB/7d", "1", 7), ("0.5GB/1d", "0.5", 1), (" 50GB/90d ", "50", 90)]
    {
        assert_eq!(Plan::parse(text), Some(Plan { size, days }), "{text}");
    }
    for bad in [
        "", "1GB", "1GB/7", "4GB/7d", "1GB/8d", "-1GB/7d", "1 GB/7d", "1.0GB/7d", "1GB/07d",
        "1gb/7d",
    ] {
        assert_eq!(Plan::parse(bad), None, "{bad}");
    }
}

#[tokio::test]
async fn an_order_has_its_key_twice_and_nothing_that_is_not_sold() {
    let (fake, provider) = scene().await;
    let order = wanting("0.5GB/7d");
    let frozen = provider.freeze(&order).unwrap();
    for part in ["\\\"dataLimitInGB\\\":0.5", "\\\"duration\\\":7", "Idempotency-Key"] {
        assert!(frozen.contains(part), "{part}: {frozen}");
    }
    assert_eq!(frozen.matches(&order.reference).count(), 2);
    let error = provider.freeze(&wanting("4GB/7d")).unwrap_err();
    assert!(error.0.contains("1GB/7d"), "{error}");
    let euro = Order { amount: Money::parse("5.00 EUR").unwrap(), ..order.clone() };
    assert!(provider.freeze(&euro).is_err());
    // What is there is found with what it cost.
    assert!(matches!(send(&provider, &order).await, Answer::Paid(_)));
    let Found::One(Answer::Paid(Evidence { charged, transaction_id, .. })) =
        provider.find(&order).await
    else {
        panic!("not found");
    };
    assert_eq!(charged, Money::parse("2.25 USD").ok());
    assert_eq!(transaction_id.as_deref(), Some(fake.shared().charges()[0].id.as_str()));
    // The same reference, but another size.
    let other = Order { product: Some("1GB/7d".to_owned()), ..order };
    assert!(matches!(provider.find(&other).await, Found::One(Answer::Mismatch { .. })));
}

#[tokio::test]
async fn a_key_is_good_for_three_days_and_every_doubt_is_looked_up() {
    let (fake, provider) = scene().await;
    let order = wanting("1GB/7d");
    for state in ["running", "down"] {
        set(fake.shared(), "key", json!(state));
        let answer = send(&provider, &order).await;
        assert!(matches!(answer, Answer::Unclear { .. }), "{state}: {answer:?}");
        assert_eq!(provider.find(&order).await, Found::Nothing, "{state}");
    }
    set(fake.shared(), "key", Value::Null);
    let first = send(&provider, &order).await;
    assert!(matches!(first, Answer::Paid(_)), "{first:?}");
    assert_eq!(send(&provider, &order).await, first, "played again");
    let larger = Order { product: Some("3GB/7d".to_owned()), ..order.clone() };
    let answer = send(&provider, &larger).await;
    assert!(matches!(answer, Answer::Unclear { .. }), "the key was used for something else");
    assert_eq!(fake.shared().charges().len(), 1);
    // Days later: the second charge that the window guards against.
    set(fake.shared(), "key", json!("forgotten"));
    send(&provider, &order).await;
    assert!(matches!(provider.find(&order).await, Found::Several { count: 2, .. }));
    let declares = provider.declares();
    assert_eq!((declares.ref_window, declares.class()), (Some(Span::days(3)), Class::APrime));
}

#[tokio::test]
async fn refusals_are_sorted_by_asking_the_esim() {
    let (fake, provider) = scene().await;
    let order = wanting("1GB/7d");
    // The fake refuses what its own table does not have; the eSIM is fine.
    let frozen = provider.freeze(&order).unwrap().replace(":7", ":8");
    let Answer::Refused(refusal) = provider.topup(&order, &frozen).await else {
        panic!("not refused");
    };
    assert_eq!((refusal.code.as_str(), refusal.class), ("400", FailureClass::Internal));
    set(fake.shared(), "esim", json!({"status": "DELETED"}));
    let Answer::Refused(refusal) = provider.topup(&order, &frozen).await else {
        panic!("not refused");
    };
    assert_eq!(refusal.class, FailureClass::InvalidTarget);
    assert_eq!(fake.shared().charges(), []);
    assert!(lacks_funds("Insufficient Balance") && !lacks_funds("eSIM is not eligible"));
}

#[tokio::test]
async fn data_is_the_sum_of_what_lasts() {
    let (fake, provider) = scene().await;
    let read = provider.read(&esim()).await.unwrap();
    assert_eq!(read.values.data_left, Some(2_125_000_000));
    assert_eq!(read.values.buckets.len(), 2);
    assert!(read.values.buckets[0].name.contains("France, 0.5 GB"), "{:?}", read.values.buckets);
    let end = read.values.buckets.iter().filter_map(|b| b.expires_at).max();
    assert!(end.is_some() && read.values.service_end_at == end);
    assert_eq!(fake.shared().asked("/purchases/over/consumption"), 0, "what is over is not asked");
    // What was just bought has not begun: it counts, and its end is not known.
    send(&provider, &wanting("1GB/7d")).await;
    let more = provider.read(&esim()).await.unwrap();
    assert_eq!(more.values.data_left, Some(3_125_000_000));
    assert_eq!(more.values.service_end_at, None);
    // No limit is no figure.
    set(fake.shared(), "left", json!({"small": -1}));
    let free = provider.read(&esim()).await.unwrap();
    assert_eq!((free.quality, free.values.data_left), (Quality::Ok, None));
    assert!(free.values.buckets.is_empty());
    set(fake.shared(), "left", json!({"small": null}));
    let error = provider.read(&esim()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Unparseable);
}

#[tokio::test]
async fn dates_have_an_offset_in_either_form() {
    let (fake, provider) = scene().await;
    let purchase = |end: &str| json!([{"id": "large", "endDate": end, "esim": {"iccid": ICCID}, "package": {}}]);
    for end in ["2099-01-01T00:00:00+0000", "2099-01-01T00:00:00+00:00", "2099-01-01T00:00:00Z"] {
        set(fake.shared(), "purchases", purchase(end));
        let read = provider.read(&esim()).await.unwrap();
        assert_eq!(read.values.service_end_at.unwrap().rfc3339(), "2099-01-01T00:00:00Z", "{end}");
    }
    for bad in ["2099-01-01T00:00:00", "2099-01-01", "soon"] {
        set(fake.shared(), "purchases", purchase(bad));
        let error = provider.read(&esim()).await.unwrap_err();
        assert_eq!(error.quality, Quality::Unparseable, "{bad}");
    }
    set(fake.shared(), "purchases", json!([]));
    assert_eq!(provider.read(&esim()).await.unwrap_err().quality, Quality::Unparseable);
}

#[tokio::test]
async fn all_pages_are_read() {
    let (fake, provider) = scene().await;
    let many: Vec<Value> = (0..250)
        .map(|n| json!({"id": format!("p{n}"), "endDate": "2099-01-01T00:00:00+0000", "esim": {"iccid": ICCID}}))
        .collect();
    let left: serde_json::Map<String, Value> =
        (0..250).map(|n| (format!("p{n}"), json!(1000))).collect();
    set(fake.shared(), "purchases", Value::Array(many));
    set(fake.shared(), "left", Value::Object(left));
    let read = provider.read(&esim()).await.unwrap();
    assert_eq!((read.values.data_left, read.values.buckets.len()), (Some(250_000), 250));
    assert_eq!(fake.shared().asked("/purchases?"), 3);
}

#[tokio::test]
async fn a_dead_line_is_said_to_be_dead() {
    for (esim_says, kind) in [
        (json!({"status": "DELETED"}), ErrorKind::Permanent),
        (json!({"isTopUpAllowed": false}), ErrorKind::Permanent),
        (json!({"iccid": "8901260880000000001"}), ErrorKind::Identity),
    ] {
        let (fake, provider) = scene().await;
        set(fake.shared(), "esim", esim_says.clone());
        let error = provider.read(&esim()).await.unwrap_err();
        assert_eq!(error.quality, Quality::Error(kind), "{esim_says}");
    }
    let (_fake, provider) = scene().await;
    let error = provider.read(&line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Unsupported));
}

#[tokio::test]
async fn the_token_is_a_form_and_a_refused_one_is_given_up() {
    let (fake, provider) = scene().await;
    fake.shared().trouble_orders(&[Trouble::Unauthorized]);
    let order = wanting("1GB/7d");
    assert!(matches!(send(&provider, &order).await, Answer::NotSent { .. }));
    assert!(matches!(send(&provider, &order).await, Answer::Paid(_)));
    assert_eq!(fake.shared().books().tokens, 2);
    assert_eq!(fake.shared().asked("grant_type=client_credentials&client_id=me"), 2);
    let wrong = fake.config().replace("hush", "wrong");
    let stranger = conformance::config("celitech", &wrong).build("it").await.unwrap();
    let error = stranger.test().await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Authentication));
    assert!(!error.detail.contains("wrong"), "{error}");
    assert!(matches!(send(&stranger, &order).await, Answer::NotSent { .. }));
}

#[tokio::test]
async fn prices_are_of_the_place_the_esim_is_for() {
    let (fake, provider) = scene().await;
    let quote = provider.quote(&wanting("3GB/7d")).await.unwrap();
    assert_eq!(quote.cost, Money::parse("13.50 USD").unwrap());
    assert_eq!(fake.shared().asked("destination=FRA"), 1);
    let error = provider.quote(&wanting("50GB/7d")).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Unsupported));
    let products = provider.products(Some(&esim())).await.unwrap();
    let one = products.iter().find(|p| p.id == "0.5GB/30d").unwrap();
    assert_eq!((one.days, one.data), (Some(30), Some(500_000_000)));
    assert_eq!(one.cost, Money::parse("2.25 USD").ok());
}
