//! DT One's own traps: two steps, prices, expiry, eSIMs that would be new ones, units.

use super::*;
use crate::domain::{Iccid, Msisdn, Quality};
use crate::providers::{ProductKind, conformance::config, http::testing};
use crate::sim::fakes::{Fake, Shared, Trouble, dtone::FAKE};
use records::{Class, Proof, refusal};

const SERIAL: &str = "8944500102102198405";

struct Scene {
    _fake: Fake,
    provider: Arc<dyn Provider>,
    shared: Shared,
}

impl Scene {
    async fn new() -> Self {
        Self::with("").await
    }

    /// With more keys in the configuration.
    async fn with(more: &str) -> Self {
        let fake = Fake::start(FAKE).await.unwrap();
        let text = format!("{}{more}", fake.config());
        let provider = config("dtone", &text).build("dt").await.unwrap();
        Self { provider, shared: fake.shared().clone(), _fake: fake }
    }

    fn world(&self, key: &str, value: Value) {
        self.shared.books().world.insert(key.to_owned(), value);
    }

    async fn send(&self, order: &Order) -> Answer {
        let frozen = self.provider.freeze(order).unwrap();
        self.provider.topup(order, &frozen).await
    }

    async fn found(&self, order: &Order) -> Answer {
        let found = self.provider.find(order).await;
        let Found::One(answer) = &found else { panic!("{found:?}") };
        answer.clone()
    }

    fn asked(&self, word: &str) -> usize {
        self.shared.asked(word)
    }
}

fn order() -> Order {
    Order { product: Some("123:ranged".to_owned()), ..testing::order() }
}

fn esim() -> Order {
    let mut order = Order { product: Some("777:esim".to_owned()), ..testing::order() };
    order.line.iccid = Iccid::parse(SERIAL).ok();
    order
}

fn class_of(answer: &Answer) -> Option<FailureClass> {
    if let Answer::Refused(refusal) = answer { Some(refusal.class) } else { None }
}

#[tokio::test]
async fn it_is_created_compared_and_confirmed_once() {
    let scene = Scene::new().await;
    assert!(matches!(scene.send(&order()).await, Answer::Pending(_)));
    assert_eq!((scene.asked("/confirm"), scene.asked("/cancel")), (1, 0));
    let Answer::Paid(evidence) = scene.found(&order()).await else { panic!() };
    assert_eq!(evidence.charged, Money::parse("9.75 USD").ok());
    assert_eq!(evidence.delivered, Money::parse("10.00 USD").ok());
    assert_eq!(scene.shared.charges().len(), 1);
    // Money may come back much later.
    scene.shared.books().records[0]["status"]["class"]["id"] = json!(8);
    assert!(matches!(scene.found(&order()).await, Answer::Reversed(_)));
}

#[tokio::test]
async fn looking_never_confirms_and_what_expired_is_refused() {
    let scene = Scene::new().await;
    scene.shared.trouble_orders(&[Trouble::LostAfter]);
    assert!(matches!(scene.send(&order()).await, Answer::Unclear { .. }));
    for _ in 0..3 {
        assert!(matches!(scene.found(&order()).await, Answer::Pending(_)));
    }
    assert_eq!((scene.asked("/confirm"), scene.asked("/cancel")), (0, 0));
    let set = |key: &str, value: Value| scene.shared.books().records[0][key] = value;
    let ago = |minutes| json!(Clock::System.now().minus(Span::minutes(minutes)).rfc3339());
    set("confirmation_expiration_date", ago(5));
    assert!(matches!(scene.found(&order()).await, Answer::Pending(_)), "clocks differ");
    set("confirmation_expiration_date", ago(15));
    set("confirmation_date", ago(30));
    assert!(matches!(scene.found(&order()).await, Answer::Pending(_)), "it was confirmed");
    set("confirmation_date", Value::Null);
    assert_eq!(class_of(&scene.found(&order()).await), Some(FailureClass::ProviderDown));
    set("confirmation_expiration_date", Value::Null);
    assert!(matches!(scene.found(&order()).await, Answer::Pending(_)), "nobody knows");
    assert_eq!(scene.shared.charges(), []);
}

#[tokio::test]
async fn a_price_above_the_margin_is_cancelled() {
    // The fake asks 9.75 now and 12.75 when it is dearer; the order is for 10.00.
    for (margin, is_bought) in [("0%", false), ("27%", false), ("28%", true)] {
        let scene = Scene::with(&format!("price_margin = \"{margin}\"\n")).await;
        scene.shared.trouble_orders(&[Trouble::DearerNow]);
        let answer = scene.send(&order()).await;
        assert_eq!(scene.asked("/cancel"), usize::from(!is_bought), "{margin}");
        assert_eq!(scene.shared.charges().len(), usize::from(is_bought), "{margin}");
        let expected = (!is_bought).then_some(FailureClass::PriceChanged);
        assert_eq!(class_of(&answer), expected, "{margin}: {answer:?}");
    }
    // Without a price, or in another currency, nothing is agreed to.
    for prices in [json!(null), json!({"wholesale": {"unit": "EUR", "amount": 1, "fee": 0}})] {
        let scene = Scene::new().await;
        scene.world("created", json!({ "prices": prices }));
        assert_eq!(class_of(&scene.send(&order()).await), Some(FailureClass::PriceChanged));
        assert_eq!(scene.shared.charges(), []);
    }
}

#[tokio::test]
async fn a_cancellation_that_is_lost_waits_and_is_then_found() {
    for trouble in [Trouble::LostBefore, Trouble::LostAfter, Trouble::FailedAfter] {
        let scene = Scene::new().await;
        scene.shared.trouble_orders(&[Trouble::DearerNow]);
        scene.shared.trouble_questions(&[trouble]);
        let answer = scene.send(&order()).await;
        assert!(matches!(answer, Answer::Pending(_)), "{trouble:?}: {answer:?}");
        let found = scene.found(&order()).await;
        if trouble == Trouble::LostBefore {
            assert!(matches!(found, Answer::Pending(_)), "{found:?}");
        } else {
            assert_eq!(class_of(&found), Some(FailureClass::PriceChanged), "{trouble:?}");
        }
        assert_eq!((scene.asked("/confirm"), scene.shared.charges().len()), (0, 0));
    }
}

#[tokio::test]
async fn a_confirmation_that_is_lost_is_looked_up() {
    for (trouble, is_charged) in [
        (Trouble::LostBefore, false),
        (Trouble::Page, false),
        (Trouble::LostAfter, true),
        (Trouble::FailedAfter, true),
        (Trouble::Truncated, true),
    ] {
        let scene = Scene::new().await;
        scene.shared.trouble_questions(&[trouble]);
        let answer = scene.send(&order()).await;
        assert!(matches!(answer, Answer::Unclear { .. }), "{trouble:?}: {answer:?}");
        let found = scene.found(&order()).await;
        assert_eq!(matches!(found, Answer::Paid(_)), is_charged, "{trouble:?}: {found:?}");
        assert_eq!(scene.shared.charges().len(), usize::from(is_charged), "{trouble:?}");
        assert_eq!(scene.asked("/confirm"), 1, "{trouble:?}");
    }
    // Too many requests: nothing is proved, and it cannot be created again.
    let scene = Scene::new().await;
    scene.shared.trouble_questions(&[Trouble::RateLimited]);
    assert!(matches!(scene.send(&order()).await, Answer::Unclear { .. }));
}

#[tokio::test]
async fn a_confirmation_that_is_refused_is_taken_back() {
    for (code, status, class) in [
        (1_006_001, 400, FailureClass::DeclinedSoft),
        (1_000_429, 429, FailureClass::ProviderDown),
        (1_007_004, 400, FailureClass::Internal),
    ] {
        let scene = Scene::new().await;
        scene.world("confirm_error", json!({"status": status, "code": code}));
        let answer = scene.send(&order()).await;
        assert_eq!(class_of(&answer), Some(class), "{code}: {answer:?}");
        assert_eq!(class_of(&scene.found(&order()).await), Some(FailureClass::ProviderDown));
        assert_eq!(scene.asked("/cancel"), 1, "{code}");
    }
    // Confirmed already is no harm; an error of theirs proves nothing.
    for (code, status, is_pending) in [(1_007_002, 400, true), (1_009_001, 500, false)] {
        let scene = Scene::new().await;
        scene.world("confirm_error", json!({"status": status, "code": code}));
        let answer = scene.send(&order()).await;
        assert_eq!(matches!(answer, Answer::Pending(_)), is_pending, "{code}: {answer:?}");
        assert_eq!(matches!(answer, Answer::Unclear { .. }), !is_pending, "{code}: {answer:?}");
        assert_eq!(scene.asked("/cancel"), 0, "{code}");
    }
    // Where taking it back is refused as well, a look-up tells.
    let scene = Scene::new().await;
    scene.world("confirm_error", json!({"status": 400, "code": 1_007_004}));
    scene.world("cancel_error", json!({"status": 400, "code": 1_007_007}));
    assert!(matches!(scene.send(&order()).await, Answer::Pending(_)));
    scene.world("cancel_error", json!({"status": 400, "code": 1_007_005}));
    let other = Order { reference: "another".to_owned(), ..order() };
    assert!(matches!(scene.send(&other).await, Answer::Refused(_)));
}

#[tokio::test]
async fn what_differs_is_never_confirmed() {
    for created in [
        json!({"credit_party_identifier": {"mobile_number": "+12025550199"}}),
        json!({"credit_party_identifier": null}),
        json!({"product": {"id": 124}}),
        json!({"product": null}),
        json!({"external_id": "another"}),
        json!({"requested_values": {"source": {"unit": "USD", "amount": 11}}}),
        json!({"requested_values": {"source": {"unit": "EUR", "amount": 10}}}),
        json!({"adjusted_values": {"source": {"unit": "USD", "amount": 10.5}}}),
        json!({"product": {"id": 123, "service": {"id": 13}}}),
    ] {
        let scene = Scene::new().await;
        scene.world("created", created.clone());
        let answer = scene.send(&order()).await;
        assert!(matches!(answer, Answer::Mismatch { .. }), "{created}: {answer:?}");
        assert_eq!((scene.asked("/confirm"), scene.shared.charges().len()), (0, 0), "{created}");
    }
}

#[tokio::test]
async fn an_esim_is_topped_up_and_no_new_one_bought() {
    let scene = Scene::new().await;
    assert!(matches!(scene.send(&esim()).await, Answer::Pending(_)));
    assert_eq!(scene.shared.charges()[0].target, SERIAL);
    let Answer::Paid(evidence) = scene.found(&esim()).await else { panic!() };
    assert_eq!(evidence.pin.map(|pin| pin.code).as_deref(), Some("4711-0815"));
    for created in [
        json!({"credit_party_identifier": {"mobile_number": "+12025550123"}}),
        json!({"credit_party_identifier": {"account_number": "8944500102102198413"}}),
        json!({"metadata": {"profile": {"iccid": "89445001021021984089"}}}),
        json!({"pin": {"code": null, "serial": "89445001021021984089"}}),
    ] {
        let scene = Scene::new().await;
        scene.world("created", created.clone());
        let answer = scene.send(&esim()).await;
        assert!(matches!(answer, Answer::Mismatch { .. }), "{created}: {answer:?}");
        assert_eq!(scene.shared.charges(), [], "{created}");
    }
    // Ordered as if it were for a number: it would be a new eSIM.
    let wrong = Order { product: Some("777".to_owned()), ..testing::order() };
    let scene = Scene::new().await;
    assert!(matches!(scene.send(&wrong).await, Answer::Mismatch { .. }));
    assert_eq!(scene.shared.charges(), []);
    // Neither kind of order can be made for a line that lacks what it is for.
    let nobody = Order { line: testing::line(), ..esim() };
    assert!(scene.provider.freeze(&nobody).is_err());
    for bad in ["", "x", "-1", "1:x", ":esim", "1:ranged:esim"] {
        let order = Order { product: Some(bad.to_owned()), ..order() };
        assert!(scene.provider.freeze(&order).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn endings_and_codes_have_their_classes() {
    for (number, class) in [
        ("+12025550102", FailureClass::InvalidTarget),
        ("+12025550103", FailureClass::InvalidTarget),
        ("+12025550104", FailureClass::ProviderDown),
        ("+12025550105", FailureClass::DeclinedSoft),
        ("+12025550106", FailureClass::DeclinedSoft),
        ("+12025550107", FailureClass::ProviderDown),
    ] {
        let scene = Scene::new().await;
        let mut order = order();
        order.line.msisdn = Msisdn::parse(number).ok();
        assert!(matches!(scene.send(&order).await, Answer::Pending(_)), "{number}");
        assert_eq!(class_of(&scene.found(&order).await), Some(class), "{number}");
    }
    for (status, code, class) in [
        (400, 1_000_400, Some(FailureClass::Internal)),
        (404, 1_003_001, Some(FailureClass::DenominationGone)),
        (400, 1_003_002, Some(FailureClass::DenominationGone)),
        (400, 1_005_003, Some(FailureClass::InvalidTarget)),
        (400, 1_006_001, Some(FailureClass::DeclinedSoft)),
        (400, 1_234_567, Some(FailureClass::Internal)),
        (400, 1_007_001, None),
        (500, 1_009_001, None),
        (500, 1_234_567, None),
    ] {
        let scene = Scene::new().await;
        scene.world("create_error", json!({"status": status, "code": code}));
        let answer = scene.send(&order()).await;
        assert_eq!(class_of(&answer), class, "{code}: {answer:?}");
        let is_unclear = matches!(answer, Answer::Unclear { .. });
        assert_eq!(is_unclear, class.is_none(), "{code}: {answer:?}");
    }
    for code in [1_000_401, 1_000_429, 1_009_503] {
        assert_eq!(refusal(code), Proof::TurnedAway, "{code}");
    }
    let class = |id: i64| Class::of(&json!({"status": {"id": 70_000, "class": {"id": id}}}));
    assert_eq!((class(7), class(6), class(0)), (Some(Class::Completed), None, None));
    let used = json!({"errors": [{"code": 1_000_400}, {"code": 1_007_001}]});
    assert_eq!(records::error_code(&used), Some(1_007_001));
}

#[tokio::test]
async fn codes_are_handed_over_and_kept_nowhere_else() {
    let scene = Scene::new().await;
    let order = Order { product: Some("125".to_owned()), ..order() };
    let sent = scene.send(&order).await;
    let Answer::Pending(evidence) = &sent else { panic!("{sent:?}") };
    assert_eq!(evidence.pin.as_ref().unwrap().code, "4711-0815");
    let Answer::Paid(evidence) = scene.found(&order).await else { panic!() };
    let pin = evidence.pin.as_ref().unwrap();
    assert_eq!((pin.code.as_str(), pin.serial.as_deref()), ("4711-0815", Some("77")));
    assert_eq!(pin.how.as_deref(), Some("Dial *233* then the code"));
    let copy = scene.shared.books().records[0].clone();
    scene.shared.books().records.push(copy);
    let several = scene.provider.find(&order).await;
    assert!(matches!(several, Found::Several { count: 2, .. }));
    for shown in [format!("{sent:?}"), format!("{evidence:?}"), format!("{several:?}")] {
        assert!(!shown.contains("4711"), "{shown}");
    }
    let raw = r#"{"id":1,"pin":{"code":"4711"#.to_owned();
    let torn = records::hide_torn(Answer::Unclear { why: String::new(), raw });
    assert!(!format!("{torn:?}").contains("4711"), "{torn:?}");
}

#[tokio::test]
async fn nothing_is_there_only_where_the_list_says_so() {
    let scene = Scene::new().await;
    assert_eq!(scene.provider.find(&order()).await, Found::Nothing);
    scene.world("empty_is_404", json!(true));
    assert_eq!(scene.provider.find(&order()).await, Found::Nothing);
    let elsewhere = Fake::start(FAKE).await.unwrap();
    let text = elsewhere.config().replace("/v1\"", "/v2\"");
    let provider = config("dtone", &text).build("dt").await.unwrap();
    assert!(matches!(provider.find(&order()).await, Found::Blind { .. }));
}

#[tokio::test]
async fn lines_it_cannot_read_are_said_to_be_so() {
    let scene = Scene::new().await;
    let error = scene.provider.read(&testing::line()).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Unsupported));
    let both = scene.provider.read(&esim().line).await.unwrap();
    assert_eq!(both.values.data_left, Some(512_000_000));
    let not_found = r#"{"errors": [{"code": 1005004, "message": "x"}]}"#;
    let error = records::read_error(not_found, ReadError::unparseable("x"));
    assert_eq!(error.quality, Quality::Error(ErrorKind::Permanent));
}

#[tokio::test]
async fn the_catalogue_holds_what_can_be_ordered_and_quotes_it() {
    let scene = Scene::new().await;
    let usd = |text| Money::parse(text).ok();
    let products = scene.provider.products(Some(&testing::line())).await.unwrap();
    let ids: Vec<&str> = products.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, ["123:ranged", "124", "125", "777:esim"]);
    let kinds: Vec<ProductKind> = products.iter().map(|p| p.kind).collect();
    assert_eq!(
        kinds,
        [ProductKind::Airtime, ProductKind::Bundle, ProductKind::Pin, ProductKind::Esim]
    );
    assert_eq!((products[0].min, products[0].max), (usd("5.00 USD"), usd("95.00 USD")));
    assert_eq!((products[0].cost, products[0].days), (None, None));
    assert_eq!((products[1].cost, products[1].days), (usd("9.75 USD"), Some(30)));
    assert_eq!(products[1].data, Some(1_000_000_000));
    let esims = Subscription { msisdn: None, ..esim().line };
    assert_eq!(scene.provider.products(Some(&esims)).await.unwrap().len(), 1);
    // 9.50 for 10.00 of 4.75 for 5.00 to 90.25 for 95.00, and the fee.
    let quote = scene.provider.quote(&order()).await.unwrap();
    assert_eq!(Some(quote.cost), usd("9.75 USD"), "{}", quote.why);
    let fixed = Order { product: Some("124".to_owned()), ..order() };
    assert_eq!(Some(scene.provider.quote(&fixed).await.unwrap().cost), usd("9.75 USD"));
    let beyond = Order { amount: Money::parse("96.00 USD").unwrap(), ..order() };
    assert!(scene.provider.quote(&beyond).await.is_err());
    let mut guessed = testing::line();
    guessed.msisdn = Msisdn::parse("+12025550000").ok();
    assert_eq!(scene.provider.operator(&guessed).await.unwrap(), None);
    let name = scene.provider.operator(&testing::line()).await.unwrap();
    assert_eq!(name.as_deref(), Some("T-Mobile USA"));
}
