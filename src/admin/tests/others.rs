//! Routes that ask payers and channels: what is said, what is refused, and what silence becomes.

use super::{World, document::misfit};
use crate::admin::api::DOCUMENT;
use crate::admin::connections::Limits;
use crate::channels::{Channel, Message, Needs, Outcome, Recipient};
use crate::domain::{Money, State, Subscription, Timestamp, fixtures};
use crate::flow::Beats;
use crate::providers::{
    Answer as Sent, Booked, Declares, Evidence, Found, FreezeError, Listed, Order, Pin, Product,
    ProductKind, Provider, Quote, ReadError, ReadOk, TestReport,
};
use crate::store::FleetChanges;
use async_trait::async_trait;
use std::{collections::BTreeMap, future::pending, sync::Arc};

/// Sells codes, keeps books and names prices; or says no; or nothing at all.
#[derive(Debug)]
struct Shop {
    declares: Declares,
    mood: Mood,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Open,
    Grumpy,
    Mute,
}

impl Shop {
    fn of(mood: Mood) -> Arc<dyn Provider> {
        let (lists, sells, quotes, redeems, tops_up) = (true, true, true, true, true);
        let declares = Declares { lists, sells, quotes, redeems, tops_up, ..Declares::default() };
        Arc::new(Self { declares, mood })
    }

    async fn says<T: Send>(&self, answer: T) -> Result<T, ReadError> {
        match self.mood {
            Mood::Open => Ok(answer),
            Mood::Grumpy => Err(ReadError::unparseable("not today")),
            Mood::Mute => pending().await,
        }
    }
}

fn usd(text: &str) -> Money {
    Money::parse(text).unwrap()
}

#[async_trait]
impl Provider for Shop {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, _: &Subscription) -> Result<ReadOk, ReadError> {
        Err(ReadError::unparseable("it reads nothing"))
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        Ok(order.reference.clone())
    }

    async fn topup(&self, _: &Order, _: &str) -> Sent {
        Sent::Unclear { why: "silence".into(), raw: String::new() }
    }

    async fn find(&self, _: &Order) -> Found {
        let pin =
            Pin { code: "000111222".into(), how: Some("*233*CODE#".into()), ..Pin::default() };
        let evidence = Evidence { pin: Some(pin), ..Evidence::default() };
        self.says(Found::One(Sent::Paid(evidence))).await.unwrap_or(Found::Nothing)
    }

    async fn list(&self, _: Timestamp, now: Timestamp) -> Result<Vec<Listed>, ReadError> {
        let listed = Listed {
            transaction_id: Some("tx-1".into()),
            reference: None,
            at: Some(now),
            target: Some("+12025550199".into()),
            product: None,
            amount: Some(usd("5.00 USD")),
            charged: None,
            booked: Booked::Paid,
            raw: "{}".into(),
        };
        self.says(vec![listed]).await
    }

    async fn products(&self, _: Option<&Subscription>) -> Result<Vec<Product>, ReadError> {
        let product = Product {
            id: "548".into(),
            name: "Ten".into(),
            kind: ProductKind::Airtime,
            operator: None,
            min: Some(usd("10.00 USD")),
            max: None,
            denominations: vec![usd("10.00 USD")],
            cost: Some(usd("9.50 USD")),
            days: None,
            data: None,
        };
        self.says(vec![product]).await
    }

    async fn quote(&self, order: &Order) -> Result<Quote, ReadError> {
        let (delivered, bonus) = (Some(order.amount), None);
        self.says(Quote { cost: usd("9.50 USD"), delivered, bonus, why: "a list".into() }).await
    }

    async fn redeem(&self, _: &Subscription, pin: &Pin) -> Sent {
        assert_eq!(pin.code, "000111222");
        match self.says(()).await {
            Ok(()) => Sent::Paid(Evidence::default()),
            Err(error) => Sent::NotSent { why: error.detail },
        }
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        self.says(TestReport { detail: "it answers".into() }).await
    }
}

/// Takes every message.
#[derive(Debug)]
struct Post(Mood);

#[async_trait]
impl Channel for Post {
    fn needs(&self) -> Needs {
        Needs::Email
    }

    async fn send(&self, _: &Message, _: &Recipient) -> Outcome {
        Outcome::Accepted { vendor_id: None }
    }

    async fn test(&self) -> Result<String, String> {
        match self.0 {
            Mood::Open => Ok("it listens".into()),
            Mood::Grumpy => Err("not today".into()),
            Mood::Mute => pending().await,
        }
    }
}

const MOODS: [(&str, Mood); 3] =
    [("shop", Mood::Open), ("grumpy", Mood::Grumpy), ("mute", Mood::Mute)];

/// A world with shops and channels of every mood, and `s0`, which the first shop pays for.
pub(super) async fn world() -> World {
    let shops = MOODS.map(|(name, mood)| (name.to_owned(), Shop::of(mood)));
    let posts = [("mail", Mood::Open), ("grumpy", Mood::Grumpy), ("mute", Mood::Mute)];
    let posts =
        posts.map(|(name, mood)| (name.to_owned(), Arc::new(Post(mood)) as Arc<dyn Channel>));
    let (shops, posts) = (BTreeMap::from(shops), BTreeMap::from(posts));
    let world = World::made("127.0.0.1:0", Beats::default(), (shops, posts), Limits::USUAL).await;
    let line = Subscription { payers: vec!["shop".into()], ..fixtures::line("s0") };
    let fleet = FleetChanges { subscriptions: vec![(line, "{}".into())], ..Default::default() };
    world.engine().store().save_fleet(&fleet, world.clock.now()).await.unwrap();
    world
}

/// Of the shape that the document tells for this operation.
#[track_caller]
pub(super) fn fits(answer: &super::Answer, method: &str, path: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let place = format!(
        "/paths/{}/{method}/responses/200/content/application~1json/schema",
        path.replace('/', "~1")
    );
    let schema = DOCUMENT.pointer(&place).unwrap_or_else(|| panic!("{place}"));
    assert_eq!(misfit(&answer.json(), schema, &DOCUMENT, path), None);
}

#[tokio::test]
async fn payers_and_channels_are_asked_and_what_they_do_not_say_is_said() {
    let world = world().await;
    let path = |name: &str, rest: &str| format!("/api/v1/providers/{name}/{rest}");
    let quote = "quote?subscription=s0&amount=10.00%20USD";
    for (rest, place) in [("products", "products"), (quote, "quote")] {
        let told = world.get(&path("shop", rest)).await;
        fits(&told, "get", &format!("/api/v1/providers/{{name}}/{place}"));
        assert!(told.body.contains("950"), "{}", told.body);
        assert!(world.get(&path("grumpy", rest)).await.problem(502).contains("not today"));
        assert!(world.get(&path("mute", rest)).await.problem(504).contains("no answer"));
        assert!(world.get(&path("nobody", rest)).await.problem(404).contains("nobody"));
    }
    assert!(world.get(&path("carrier", quote)).await.problem(404).contains("prices"));
    assert_eq!(world.get(&path("carrier", "products")).await.body, "[]");
    assert!(world.get(&path("shop", "products?subscription=x")).await.problem(404).contains('x'));
    let wrong = world.get(&path("shop", "quote?amount=ten")).await.problem(422);
    assert!(wrong.contains("subscription") && wrong.contains("amount"), "{wrong}");
    // What was told once is kept; who wants it anew asks.
    assert_eq!(world.get(&path("shop", "products?refresh=true")).await.status, 200);
    for (about, open) in [("providers", "shop"), ("channels", "mail")] {
        let test = |name: &str| format!("/api/v1/{about}/{name}/test");
        let told = world.post(&test(open), "").await;
        fits(&told, "post", &test("{name}"));
        assert!(world.post(&test("grumpy"), "").await.problem(502).contains("not today"));
        world.post(&test("mute"), "").await.problem(504);
        world.post(&test("nobody"), "").await.problem(404);
        world.ask("POST", &test(open), "viewer", "").await.problem(403);
    }
    let channels = world.get("/api/v1/channels").await;
    fits(&channels, "get", "/api/v1/channels");
    assert_eq!(channels.json().as_array().unwrap().len(), 3);
    assert!(world.get("/api/v1/operators/nobody").await.problem(404).contains("nobody"));
}

#[tokio::test]
async fn books_are_compared_settled_and_proven() {
    let world = world().await;
    let reconcile = "/api/v1/reconcile";
    let told = world.post(reconcile, r#"{"payers":["shop"]}"#).await;
    fits(&told, "post", reconcile);
    let id = told.json()[0]["found"][0]["id"].as_str().unwrap().to_owned();
    assert!(world.post(reconcile, r#"{"payers":["carrier"]}"#).await.problem(422).contains("shop"));
    assert!(
        world.post(reconcile, r#"{"payers":["grumpy"]}"#).await.problem(502).contains("grumpy")
    );
    assert!(world.post(reconcile, "").await.problem(504).contains("goes on"));
    let list = "/api/v1/discrepancies";
    let count = async |path: &str| world.get(path).await.json().as_array().unwrap().len();
    // The same transaction, found at another shop, is another one.
    let before = count(list).await;
    assert!(before >= 1);
    let close = format!("{list}/{id}/close");
    assert!(world.post(&close, "{}").await.problem(422).contains("note"));
    let closed = world.post(&close, r#"{"note":"bought by hand"}"#).await;
    fits(&closed, "post", "/api/v1/discrepancies/{id}/close");
    assert!(world.post(&close, r#"{"note":"again"}"#).await.problem(404).contains(&id));
    assert_eq!((count(list).await, count(&format!("{list}?all=true")).await), (before - 1, before));
    let proven = world.get("/api/v1/verify").await;
    fits(&proven, "get", "/api/v1/verify");
    assert_eq!(proven.json()["ok"], true, "{}", proven.body);
    let wrong = world.get("/api/v1/verify?anchor=1:x").await.problem(422);
    assert!(wrong.contains("SEQ:HASH"), "{wrong}");
    let forged = format!("/api/v1/verify?anchor=1:{}", "0".repeat(64));
    let forged = world.get(&forged).await.json();
    assert!(forged["ok"] == false && forged["anchors"].as_u64() >= Some(1), "{forged}");
}

#[tokio::test]
async fn a_code_is_shown_to_an_admin_by_name_and_entered_once() {
    let world = world().await;
    let topup = world.topup("s0", &[State::Reserved, State::Submitting, State::Paid]).await;
    let admin = async |path: &str, body: &str| {
        world.ask("POST", &format!("/api/v1/pins/{path}"), "admin", body).await
    };
    assert!(admin("t_0000/fetch", "").await.problem(404).contains("t_0000"));
    let stored = admin(&format!("{}/fetch", topup.id), "").await;
    fits(&stored, "post", "/api/v1/pins/{id}/fetch");
    let id = stored.json()["id"].as_str().unwrap().to_owned();
    for role in ["viewer", "operator"] {
        world.ask("GET", "/api/v1/pins", role, "").await.problem(403);
        world.ask("POST", &format!("/api/v1/pins/{id}/show"), role, "").await.problem(403);
    }
    let list = world.ask("GET", "/api/v1/pins", "admin", "").await;
    fits(&list, "get", "/api/v1/pins");
    assert!(!list.body.contains("000111222"), "{}", list.body);
    let shown = admin(&format!("{id}/show"), "").await;
    fits(&shown, "post", "/api/v1/pins/{id}/show");
    assert_eq!((shown.header("cache-control"), shown.header("etag")), ("no-store", ""));
    assert_eq!(
        (&shown.json()["code"], &shown.json()["state"]),
        (&"000111222".into(), &"shown".into())
    );
    // Who asked stands in the record, the code does not.
    let audit = world.ask("GET", &format!("/api/v1/audit?target={id}"), "admin", "").await.body;
    assert!(audit.contains("\"show\"") && !audit.contains("000111222"), "{audit}");
    let redeem = format!("{id}/redeem");
    assert!(admin(&redeem, "{}").await.problem(422).contains("with"));
    assert!(admin(&redeem, r#"{"with":"carrier"}"#).await.problem(409).contains("redeems"));
    // Nothing was sent: it is still there. Nothing was heard: it is not entered again.
    let refused = admin(&redeem, r#"{"with":"grumpy"}"#).await;
    assert_eq!((refused.status, &refused.json()["state"]), (200, &"stored".into()));
    let silent = admin(&redeem, r#"{"with":"mute"}"#).await;
    assert_eq!((silent.status, &silent.json()["state"]), (202, &"redeeming".into()));
    assert!(admin(&redeem, r#"{"with":"shop"}"#).await.problem(409).contains("redeeming"));
    let end = format!("{id}/end");
    assert!(admin(&end, r#"{"as":"lost"}"#).await.problem(422).contains("redeemed"));
    fits(&admin(&end, r#"{"as":"redeemed","note":"seen"}"#).await, "post", "/api/v1/pins/{id}/end");
    assert!(admin(&end, r#"{"as":"rejected"}"#).await.problem(409).contains("already"));
    assert_eq!(world.ask("GET", "/api/v1/pins", "admin", "").await.body, "[]");
}
