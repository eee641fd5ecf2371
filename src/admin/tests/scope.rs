//! Who holds a part of the fleet sees and touches that part, and learns of no other.

use super::{World, filled};
use crate::admin::routes::{self, Reach, Route};
use crate::domain::{
    Facts, NoticeDraft, NoticeKind, Severity, State, Subscriber, SubscriberId, SubscriptionId,
    fixtures,
};
use crate::store::{FleetChanges, Grant, Role, Scope, notice_id};

/// A world in which `li` owns `l0` (tagged `home`) with one of everything, and `zhang` owns `z0`
/// (tagged `away`); the paths of what `l0` has.
struct Parted {
    world: World,
    topup: String,
    notice: String,
}

impl Parted {
    async fn new() -> Self {
        let world = World::new().await;
        let (store, now) = (world.engine().store(), world.clock.now());
        let zhang = SubscriberId::parse("zhang").unwrap();
        let tagged = |id: &str, owner: SubscriberId, tag: &str| {
            let mut line = fixtures::line(id);
            line.subscriber = owner;
            line.tags = vec![tag.to_owned()];
            (line, "{}".to_owned())
        };
        let li = super::li();
        let owner = Subscriber { id: zhang.clone(), name: "Zhang".into(), ..li.clone() };
        let fleet = FleetChanges {
            subscribers: vec![(owner, "{}".into())],
            subscriptions: vec![
                tagged("l0", li.id.clone(), "home"),
                tagged("z0", zhang.clone(), "away"),
            ],
            rules: vec![{
                let rule = crate::domain::Rule {
                    scope: crate::domain::Scope::Tag("home".into()),
                    ..fixtures::keep_alive()
                };
                let document = rule.to_document().to_string();
                (rule, document)
            }],
            ..Default::default()
        };
        store.save_fleet(&fleet, now).await.unwrap();
        let path = "/api/v1/subscriptions/l0/readings";
        assert_eq!(world.post(path, r#"{"balance":"5.00 USD"}"#).await.status, 201);
        let topup = world.topup("l0", &[State::Reserved, State::Submitting, State::Held]).await;
        let notice = NoticeDraft {
            subscriber: li.id.clone(),
            subscription: Some(SubscriptionId::parse("l0").unwrap()),
            topup: Some(topup.id.clone()),
            kind: NoticeKind::TopupHeld,
            severity: Severity::Critical,
            dedupe: "x".into(),
            at: now,
            facts: Facts::default(),
        };
        let about_nothing = NoticeDraft { subscription: None, topup: None, ..notice.clone() };
        let notice_of_l0 = notice_id(&notice);
        store.say(&[notice, about_nothing]).await.unwrap();
        world.clock.advance(crate::domain::Span::minutes(1));
        Self { world, topup: topup.id.to_string(), notice: notice_of_l0 }
    }

    fn path(&self, route: &Route) -> String {
        let id = match route.path.split('/').nth(3) {
            Some("topups") => &self.topup,
            Some("notices") => &self.notice,
            Some("subscriptions") => "l0",
            _ => "li",
        };
        filled(route.path, id)
    }

    async fn token(&self, role: Role, scope: Scope) -> String {
        let (store, now) = (self.world.engine().store(), self.world.clock.now());
        store.create_token(&Grant { role, scope }, "test", now).await.unwrap().1
    }

    async fn ask(&self, route: &Route, path: &str, token: &str) -> super::Answer {
        let headers =
            [("Host", self.world.at.to_string()), ("Authorization", format!("Bearer {token}"))];
        self.world.send(route.method.as_str(), path, &headers, "").await
    }
}

fn foreign() -> [Scope; 3] {
    [Scope::Subscriber("zhang".into()), Scope::Tag("away".into()), Scope::Tag("nothing".into())]
}

fn own() -> [Scope; 2] {
    [Scope::Subscriber("li".into()), Scope::Tag("home".into())]
}

#[tokio::test]
async fn what_is_of_others_is_not_there_on_any_route() {
    let parted = Parted::new().await;
    let mut before = Vec::new();
    for route in routes::all().into_iter().filter(|route| route.needs.is_some()) {
        let path = parted.path(&route);
        for (word, role) in Role::WORDS {
            for scope in foreign() {
                let place = format!("{} {path} as {word} of {}", route.method, scope.text());
                let token = parted.token(role, scope).await;
                let answer = parted.ask(&route, &path, &token).await;
                let is_closed = route.needs > Some(role) || route.reach == Reach::Whole;
                if is_closed {
                    answer.problem(403);
                } else if route.path.contains("{id}") {
                    answer.problem(404);
                } else {
                    assert_eq!(answer.status, 200, "{place}: {answer:?}");
                    for secret in ["\"l0\"", "\"li\"", &parted.topup, &parted.notice] {
                        assert!(!answer.body.contains(secret), "{place}: {}", answer.body);
                    }
                }
            }
        }
        before.push(path);
    }
    assert!(before.len() > 20);
    // None of them did anything.
    let line = parted.world.get("/api/v1/subscriptions/l0").await.json();
    assert_eq!(line["status"], "held");
    let topup = parted.world.get(&format!("/api/v1/topups/{}", parted.topup)).await.json();
    assert_eq!(topup["state"], "held");
    assert_eq!(parted.world.get("/api/v1/topups").await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_one_s_own_is_there_on_every_route_about_lines() {
    let parted = Parted::new().await;
    let mut seen = 0;
    for route in routes::all().into_iter().filter(|route| route.needs.is_some()) {
        let path = parted.path(&route);
        for scope in own() {
            for (word, role) in Role::WORDS {
                let place = format!("{} {path} as {word} of {}", route.method, scope.text());
                let token = parted.token(role, scope.clone()).await;
                let answer = parted.ask(&route, &path, &token).await;
                if route.needs > Some(role) || route.reach == Reach::Whole {
                    answer.problem(403);
                    continue;
                }
                assert!(![401, 403, 404, 405, 500].contains(&answer.status), "{place}: {answer:?}");
                if answer.status == 200 {
                    assert!(answer.body.len() > 2, "{place} shows nothing");
                    assert!(!answer.body.contains("\"z0\""), "{place}: {}", answer.body);
                    assert!(!answer.body.contains("zhang"), "{place}: {}", answer.body);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 20, "{seen}");
}

#[tokio::test]
async fn the_whole_fleet_is_there_without_a_scope() {
    let parted = Parted::new().await;
    for route in routes::all() {
        let Some(needs) = route.needs else { continue };
        let token = parted.token(needs, Scope::All).await;
        let answer = parted.ask(&route, &parted.path(&route), &token).await;
        let place = format!("{} {}", route.method, route.path);
        assert!(![401, 403, 405, 500].contains(&answer.status), "{place}: {answer:?}");
    }
}

#[tokio::test]
async fn a_notice_about_no_line_is_for_whom_it_was_told_to() {
    let parted = Parted::new().await;
    let route = routes::all().into_iter().find(|route| route.path == "/api/v1/notices").unwrap();
    let count = async |scope| {
        let token = parted.token(Role::Viewer, scope).await;
        let answer = parted.ask(&route, "/api/v1/notices", &token).await;
        answer.json().as_array().unwrap().len()
    };
    assert_eq!(count(Scope::All).await, 2);
    assert_eq!(count(Scope::Subscriber("li".into())).await, 2);
    assert_eq!(count(Scope::Tag("home".into())).await, 1);
    assert_eq!(count(Scope::Subscriber("zhang".into())).await, 0);
}

#[tokio::test]
async fn whoever_takes_over_a_line_does_not_take_over_what_others_paid() {
    let parted = Parted::new().await;
    let (world, store) = (&parted.world, parted.world.engine().store());
    let mut line = fixtures::line("l0");
    line.subscriber = SubscriberId::parse("zhang").unwrap();
    line.tags = vec!["home".to_owned()];
    let fleet = FleetChanges { subscriptions: vec![(line, "{}".into())], ..Default::default() };
    store.save_fleet(&fleet, world.clock.now()).await.unwrap();
    let one = format!("/api/v1/topups/{}", parted.topup);
    for owner in ["zhang", "li"] {
        let token = parted.token(Role::Viewer, Scope::Subscriber(owner.into())).await;
        let headers =
            [("Host", world.at.to_string()), ("Authorization", format!("Bearer {token}"))];
        for list in ["/api/v1/topups", "/api/v1/ledger"] {
            let answer = world.send("GET", list, &headers, "").await;
            assert_eq!((answer.status, answer.body.as_str()), (200, "[]"), "{owner} {list}");
        }
        world.send("GET", &one, &headers, "").await.problem(404);
        let open = store.open_topups(&Scope::Subscriber(owner.into()), 9).await.unwrap();
        assert!(open.is_empty(), "{owner}: {open:?}");
    }
    // A tag is about lines, whoever has them.
    let token = parted.token(Role::Viewer, Scope::Tag("home".into())).await;
    let headers = [("Host", world.at.to_string()), ("Authorization", format!("Bearer {token}"))];
    assert_eq!(world.send("GET", &one, &headers, "").await.status, 200);
}
