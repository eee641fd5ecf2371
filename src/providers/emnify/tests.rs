//! What is particular about emnify: absolute quotas, endpoints by hand, the lock-out.

use super::CASE;
use crate::domain::{ErrorKind, FailureClass, Iccid, Quality, Subscription, Timestamp};
use crate::providers::{
    Answer, Class, Found, Order, Provider, ReadError, conformance::config, http::testing,
};
use crate::sim::fakes::{Fake, Trouble, emnify::FAKE};
use serde_json::{Value, json};
use std::sync::Arc;

struct Scene {
    fake: Fake,
    emnify: Arc<dyn Provider>,
}

impl Scene {
    async fn new() -> Self {
        Self::with("").await
    }

    async fn with(more: &str) -> Self {
        let fake = Fake::start(FAKE).await.unwrap();
        let text = format!("{}{more}", fake.config());
        let emnify = config("emnify", &text).build("it").await.unwrap();
        Self { fake, emnify }
    }

    fn tell(&self, key: &str, value: Value) {
        self.fake.shared().books().world.insert(key.to_owned(), value);
    }

    async fn kind(&self, line: &Subscription) -> Quality {
        self.emnify.read(line).await.unwrap_err().quality
    }

    async fn send(&self, order: &Order) -> Answer {
        let frozen = self.emnify.freeze(order).unwrap();
        self.emnify.topup(order, &frozen).await
    }
}

fn line() -> Subscription {
    let iccid = Iccid::parse(CASE.iccid.unwrap()).ok();
    Subscription { msisdn: None, iccid, ..testing::line() }
}

fn order() -> Order {
    Order { line: line(), product: CASE.product.map(str::to_owned), ..testing::order() }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

#[tokio::test]
async fn an_order_holds_the_whole_target_and_a_copy_changes_nothing() {
    let scene = Scene::new().await;
    let frozen = scene.emnify.freeze(&order()).unwrap();
    for part in ["endpoint/4711/", "89883030000000123452", "2099-12-31T23:59:59Z", ":500"] {
        assert!(frozen.contains(part), "{part} is not in {frozen}");
    }
    assert_eq!(scene.emnify.declares().class(), Class::D);
    let before = scene.emnify.read(&line()).await.unwrap().values;
    assert_eq!(before.data_left, Some(12_500_000));
    assert_eq!(before.service_end_at, Some(at("2027-06-30T22:00:00Z")));

    assert!(matches!(scene.send(&order()).await, Answer::Paid(_)));
    assert!(matches!(scene.send(&order()).await, Answer::Paid(_)));
    assert_eq!(scene.fake.shared().charges().len(), 1);
    let after = scene.emnify.read(&line()).await.unwrap().values;
    assert_eq!(after.data_left, Some(500_000_000));
    assert_eq!(after.service_end_at, Some(at("2099-12-31T23:59:59Z")));
    assert!(matches!(scene.emnify.find(&order()).await, Found::Blind { .. }));
}

#[tokio::test]
async fn a_target_that_is_over_is_not_sent() {
    let scene = Scene::with("until = \"2020-01-01\"\n").await;
    for product in ["500 MB", "500 MB until 2020-01-01"] {
        let order = Order { product: Some(product.to_owned()), ..order() };
        let Answer::Refused(refusal) = scene.send(&order).await else { panic!("{product}") };
        assert_eq!(refusal.class, FailureClass::DenominationGone, "{product}");
    }
    assert_eq!(scene.fake.shared().asked("POST"), 0);
    // The usual date does not stand in for one that is written.
    assert!(matches!(scene.send(&order()).await, Answer::Paid(_)));
}

#[tokio::test]
async fn what_names_no_target_cannot_be_frozen() {
    let scene = Scene::new().await;
    let other = Subscription { iccid: Iccid::parse("89882280666000000012").ok(), ..line() };
    for order in [
        Order { product: Some("500 MB".to_owned()), ..order() },
        Order { product: Some("500 MB/30d".to_owned()), ..order() },
        Order { line: other.clone(), ..order() },
        Order { line: testing::line(), ..order() },
    ] {
        assert!(scene.emnify.freeze(&order).is_err(), "{order:?}");
    }
    let frozen = scene.emnify.freeze(&order()).unwrap();
    let moved = [
        (Order { line: other, ..order() }, frozen.clone()),
        // The endpoint of the line is another by now.
        (order(), frozen.replace("4711", "47111")),
        (order(), "{}".to_owned()),
    ];
    for (order, frozen) in moved {
        let answer = scene.emnify.topup(&order, &frozen).await;
        assert!(matches!(answer, Answer::NotSent { .. }), "{answer:?}");
    }
    assert_eq!(scene.fake.shared().asked("POST"), 0);
}

#[tokio::test]
async fn the_endpoint_must_have_the_line_s_sim() {
    let scene = Scene::new().await;
    let identity = Quality::Error(ErrorKind::Identity);
    for sim in [json!({"id": 8, "iccid": "8988303000000099999"}), json!({"id": 8}), json!(null)] {
        scene.tell("sim", sim.clone());
        assert_eq!(scene.kind(&line()).await, identity, "{sim}");
    }
    let unknown = Subscription { iccid: Iccid::parse("89882280666000000012").ok(), ..line() };
    assert_eq!(scene.kind(&unknown).await, Quality::Error(ErrorKind::Configuration));
}

#[tokio::test]
async fn quotas_that_cannot_be_used() {
    let scene = Scene::new().await;
    let quota = |status: Value, volume: Value, date: Value| json!({"status": {"id": status}, "volume": volume, "expiry_date": date});
    let date = json!("2026-10-01T00:00:00.000+0000");
    for (told, left, quality) in [
        (quota(json!("1"), json!("7.5"), date.clone()), 7_500_000, Quality::Ok),
        (quota(json!(2), json!(0), date.clone()), 0, Quality::Ok),
        // Expired: what is left of it is not left.
        (quota(json!("3"), json!(300), date.clone()), 0, Quality::Ok),
        (quota(json!("4"), json!(300), date.clone()), 300_000_000, Quality::Partial),
        (
            quota(json!("1"), json!(300), json!("2027-06-30T22:00:00")),
            300_000_000,
            Quality::Partial,
        ),
    ] {
        scene.tell("quota", told.clone());
        let read = scene.emnify.read(&line()).await.unwrap();
        assert_eq!((read.values.data_left, read.quality), (Some(left), quality), "{told}");
    }
    scene.tell("quota", json!({"status": {"id": "1"}}));
    assert_eq!(scene.kind(&line()).await, Quality::Unparseable);
    scene.tell("quota", json!(null));
    assert_eq!(scene.kind(&line()).await, Quality::Error(ErrorKind::Permanent));
}

#[tokio::test]
async fn an_unknown_endpoint_is_refused() {
    let fake = Fake::start(FAKE).await.unwrap();
    let text = fake.config().replace("4711", "4712");
    let emnify = config("emnify", &text).build("it").await.unwrap();
    let frozen = emnify.freeze(&order()).unwrap();
    let Answer::Refused(refusal) = emnify.topup(&order(), &frozen).await else { panic!() };
    assert_eq!(refusal.class, FailureClass::InvalidTarget);
}

#[tokio::test]
async fn a_refused_application_token_is_not_tried_into_a_lock_out() {
    let fake = Fake::start(FAKE).await.unwrap();
    let text = fake.config().replace("hush", "wrong");
    let emnify = config("emnify", &text).build("it").await.unwrap();
    for _ in 0..4 {
        let error: ReadError = emnify.read(&line()).await.unwrap_err();
        assert_eq!(error.quality, Quality::Error(ErrorKind::Authentication), "{error:?}");
    }
    let frozen = emnify.freeze(&order()).unwrap();
    let answer = emnify.topup(&order(), &frozen).await;
    assert!(matches!(answer, Answer::NotSent { .. }), "{answer:?}");
    assert_eq!(fake.shared().asked("/authenticate"), 1);
}

#[tokio::test]
async fn nothing_but_201_says_that_it_was_set() {
    let scene = Scene::new().await;
    scene.fake.shared().trouble_orders(&[Trouble::FailedAfter]);
    assert!(matches!(scene.send(&order()).await, Answer::Unclear { .. }));
    let said = |status, value: Value| {
        super::classify(&crate::providers::api::Said { status, value, raw: String::new() })
    };
    let oops = json!({"message": "oops"});
    for status in [200, 202, 204, 302, 500, 503] {
        assert!(matches!(said(status, oops.clone()), Answer::Unclear { .. }), "{status}");
    }
    assert!(matches!(said(201, json!([])), Answer::Unclear { .. }));
    assert!(matches!(said(422, json!(null)), Answer::Unclear { .. }));
    for (status, class) in [
        (400, FailureClass::Internal),
        (403, FailureClass::Internal),
        (404, FailureClass::InvalidTarget),
    ] {
        let Answer::Refused(refusal) = said(status, oops.clone()) else { panic!("{status}") };
        assert_eq!(refusal.class, class, "{status}");
    }
}

#[test]
fn endpoints_are_serials_and_numbers() {
    use crate::input::{Intake, Origin, Section, from_toml};
    let faults = |endpoints: &str| {
        let text = format!("application_token = \"hush\"\n{endpoints}");
        let table = from_toml("a.toml", &text).unwrap();
        let intake = Intake::new();
        let section = Section::new(&table, "providers.it.emnify", &Origin::file("a.toml"), &intake);
        super::Config::read(section);
        intake.into_faults().len()
    };
    assert_eq!(faults("endpoints = { \"89883030000000123452\" = 4711 }"), 0);
    assert_eq!(faults(""), 1);
    assert_eq!(faults("endpoints = { \"8988303000000012345\" = \"4711\" }"), 1);
    assert_eq!(faults("endpoints = { \"89883030000000123452\" = \"../x\" }"), 1);
    assert_eq!(faults("endpoints = { }\nuntil = \"soon\""), 1);
}
