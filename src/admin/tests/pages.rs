//! The pages as a browser without a script sees them: signing in, forms, and who may do what.

mod declare;
mod ledger;
mod notices;
mod own;
mod providers;

use super::{Answer, World, li};
use crate::admin::password;
use crate::domain::{
    Facts, NoticeDraft, NoticeKind, Severity, Span, State, Subscriber, SubscriberId, Subscription,
    SubscriptionId, fixtures,
};
use crate::flow::Beats;
use crate::store::{FleetChanges, Grant, Polled, Role, Scope, StoredNotice, notice_id};

const PASSWORD: &str = "correct horse battery";

/// What somebody may have put anywhere.
const EVIL: &str = "<script>alert(1)</script>\"'";

/// A page on which nothing of [`EVIL`] is more than text.
#[track_caller]
fn is_harmless(page: &Answer) {
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("&lt;script&gt;"), "it is not even shown: {}", page.body);
    assert!(!page.body.contains("<script>") && !page.body.contains("alert(1)</script>"));
}

/// A browser with its cookies.
struct Browser<'w> {
    world: &'w World,
    cookie: String,
}

impl World {
    async fn person(&self, name: &str, grant: Grant) {
        let hash = password::hash(PASSWORD.into()).await.unwrap();
        self.engine().store().save_user(name, &grant, &hash, self.clock.now()).await.unwrap();
    }

    /// Somebody of a role over the whole fleet, signed in.
    async fn signed_in(&self, role: Role) -> Browser<'_> {
        self.person(role.as_str(), Grant::of(role)).await;
        self.browser(role.as_str()).await
    }

    /// Another subscriber, `zhang`, with a line `z0`.
    async fn zhang(&self) {
        let id = SubscriberId::parse("zhang").unwrap();
        let line = Subscription { subscriber: id.clone(), ..fixtures::line("z0") };
        let mut fleet = FleetChanges::default();
        fleet.subscribers.push((Subscriber { id, name: "Zhang".into(), ..li() }, "{}".into()));
        fleet.subscriptions.push((line, "{}".into()));
        self.engine().store().save_fleet(&fleet, self.clock.now()).await.unwrap();
    }

    /// A notice that is written and not sent.
    pub(super) async fn notice(
        &self,
        to: &str,
        line: Option<&str>,
        kind: NoticeKind,
    ) -> StoredNotice {
        let draft = NoticeDraft {
            subscriber: SubscriberId::parse(to).unwrap(),
            subscription: line.map(|line| SubscriptionId::parse(line).unwrap()),
            topup: None,
            kind,
            severity: Severity::High,
            dedupe: format!("{to}{line:?}{kind:?}{}", self.clock.now()),
            at: self.clock.now(),
            facts: Facts { label: EVIL.into(), detail: Some(EVIL.into()), ..Facts::default() },
        };
        let store = self.engine().store();
        store.say(std::slice::from_ref(&draft)).await.unwrap();
        store.notice(&notice_id(&draft)).await.unwrap()
    }

    /// Somebody signed in.
    async fn browser(&self, name: &str) -> Browser<'_> {
        let mut browser = Browser { world: self, cookie: String::new() };
        let form = [("name", name), ("password", PASSWORD), ("next", "/")];
        let answer = browser.post("/sign-in", &form).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/"));
        let cookie = answer.header("set-cookie");
        for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        browser
    }
}

impl Browser<'_> {
    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", &[]).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.ask("POST", path, &body, &[]).await
    }

    async fn ask(&self, method: &str, path: &str, body: &str, more: &[(&str, String)]) -> Answer {
        let mut headers = vec![
            ("Host", self.world.at.to_string()),
            ("Cookie", self.cookie.clone()),
            ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
        ];
        headers.extend(more.iter().cloned());
        self.world.send(method, path, &headers, body).await
    }

    /// The secret that forms of this session hold.
    async fn csrf(&self) -> String {
        let page = self.get("/").await.body;
        let rest = page.split("name=\"csrf\" value=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn whoever_can_sign_in_has_to() {
    let world = World::new().await;
    assert_eq!(world.get("/").await.status, 200, "as long as nobody can, this machine may look");
    world.person("ana", Grant::of(Role::Admin)).await;
    let page = world.get("/topups?state=open").await;
    assert_eq!(page.status, 303);
    assert_eq!(page.header("location"), "/sign-in?next=%2Ftopups%3Fstate%3Dopen");
    let nobody = Browser { world: &world, cookie: String::new() };
    for (name, typed) in [("ana", "wrong password"), ("bob", PASSWORD), ("", "")] {
        let answer = nobody.post("/sign-in", &[("name", name), ("password", typed)]).await;
        assert!(answer.status == 401 && answer.body.contains("role=\"alert\""), "{name}");
    }
    let ana = world.browser("ana").await;
    let page = ana.get("/").await;
    assert!(page.status == 200 && page.body.contains("Sign out"));
    let forged = Browser { world: &world, cookie: "topupd_session=abc".to_owned() };
    assert_eq!(forged.get("/").await.status, 303);
    // What was done stands in the record; a wrong name is not an actor.
    let acts = world.engine().store().audit_page((None, None), None, 9).await.unwrap();
    let acts: Vec<_> = acts.iter().map(|row| (row.what.actor.as_str(), row.what.status)).collect();
    assert_eq!(acts, [("user:ana", 303), ("user:", 401), ("user:", 401), ("user:", 401)]);
    // Signed out is signed out, for this browser.
    let csrf = ana.csrf().await;
    assert_eq!(ana.post("/sign-out", &[("csrf", "x")]).await.status, 403);
    assert_eq!(ana.get("/").await.status, 200);
    assert_eq!(ana.post("/sign-out", &[("csrf", &csrf)]).await.status, 303);
    assert_eq!(ana.get("/").await.status, 303);
}

#[tokio::test]
async fn guessing_ends_soon() {
    let world = World::new().await;
    world.person("ana", Grant::of(Role::Admin)).await;
    let nobody = Browser { world: &world, cookie: String::new() };
    for _ in 0..5 {
        let answer = nobody.post("/sign-in", &[("name", "ana"), ("password", "guess")]).await;
        assert_eq!(answer.status, 401);
    }
    let right = nobody.post("/sign-in", &[("name", "ana"), ("password", PASSWORD)]).await;
    assert_eq!(right.status, 429, "not even the right one");
    world.clock.advance(Span::minutes(16));
    world.browser("ana").await;
}

#[tokio::test]
async fn a_form_acts_only_from_our_own_page() {
    let world = World::new().await;
    world.person("ana", Grant::of(Role::Operator)).await;
    let ana = world.browser("ana").await;
    let topup = world.topup("l1", &[State::AwaitingApproval]).await;
    let (path, hash) = (format!("/topups/{}", topup.id), topup.order_hash.clone());
    let page = ana.get(&path).await;
    assert!(page.body.contains("/approve") && page.body.contains(&hash), "{}", page.body);
    let csrf = ana.csrf().await;
    let approve = format!("{path}/approve");
    let body = |csrf: &str, hash: &str| format!("csrf={csrf}&hash={hash}");
    assert_eq!(ana.ask("POST", &approve, &body("", &hash), &[]).await.status, 403);
    let foreign = [("Sec-Fetch-Site", "cross-site".to_owned())];
    assert_eq!(ana.ask("POST", &approve, &body(&csrf, &hash), &foreign).await.status, 403);
    // Another order than the one that was shown is not approved.
    let other = ana.ask("POST", &approve, &body(&csrf, "feed"), &[]).await;
    assert!(other.status == 409 && other.body.contains("role=\"alert\""), "{}", other.body);
    // Money moves only after the password was typed of late.
    world.clock.advance(Span::minutes(11));
    let away = ana.ask("POST", &approve, &body(&csrf, &hash), &[]).await;
    assert_eq!(away.status, 303);
    assert!(away.header("location").starts_with("/confirm?next=%2Ftopups%2F"), "{away:?}");
    let form = |typed| [("csrf", csrf.as_str()), ("password", typed), ("next", path.as_str())];
    assert_eq!(ana.post("/confirm", &form("wrong")).await.status, 403);
    let confirmed = ana.post("/confirm", &form(PASSWORD)).await;
    assert_eq!(confirmed.header("location"), path);
    let done = ana.ask("POST", &approve, &body(&csrf, &hash), &[]).await;
    assert_eq!((done.status, done.header("location")), (303, path.as_str()));
    let now = world.engine().store().topup(topup.id.as_str()).await.unwrap();
    assert_eq!(now.approved.unwrap().1, "user:ana");
    let acts =
        world.engine().store().audit_page((Some(topup.id.as_str()), None), None, 9).await.unwrap();
    let acts: Vec<_> = acts.iter().map(|r| (r.what.act.as_str(), r.what.status)).collect();
    assert_eq!(acts[0], ("approve", 303));
    assert_eq!(acts.iter().filter(|(_, status)| *status == 403).count(), 2);
}

#[tokio::test]
async fn who_may_only_look_has_no_buttons_and_no_say() {
    let world = World::new().await;
    world.person("vic", Grant::of(Role::Viewer)).await;
    let vic = world.browser("vic").await;
    let topup = world.topup("l1", &[State::AwaitingApproval]).await;
    let path = format!("/topups/{}", topup.id);
    assert!(!vic.get(&path).await.body.contains("/approve"));
    let csrf = vic.csrf().await;
    let form = [("csrf", csrf.as_str()), ("hash", topup.order_hash.as_str())];
    for act in ["approve", "reject", "resolve"] {
        assert_eq!(vic.post(&format!("{path}/{act}"), &form).await.status, 403, "{act}");
    }
}

#[tokio::test]
async fn a_scope_hides_what_is_not_in_it() {
    let world = World::new().await;
    let topup = world.topup("l1", &[State::AwaitingApproval]).await;
    let of = |id: &str| Grant { role: Role::Operator, scope: Scope::Subscriber(id.into()) };
    world.person("li-helper", of("li")).await;
    world.person("other", of("zhang")).await;
    world.person("tagged", Grant { role: Role::Operator, scope: Scope::Tag("none".into()) }).await;
    let path = format!("/topups/{}", topup.id);
    let own = world.browser("li-helper").await;
    assert!(own.get("/").await.body.contains("l1") && own.get(&path).await.status == 200);
    for name in ["other", "tagged"] {
        let foreign = world.browser(name).await;
        for page in ["/", "/topups", "/topups?state=open"] {
            let page = foreign.get(page).await;
            assert!(page.status == 200 && !page.body.contains(topup.id.as_str()), "{name}");
        }
        let overview = foreign.get("/").await.body;
        assert!(!overview.contains("<b>l1</b>") && !overview.contains("<b>carrier</b>"));
        assert_eq!(foreign.get(&path).await.status, 404);
        let csrf = foreign.csrf().await;
        let form = [("csrf", csrf.as_str()), ("hash", topup.order_hash.as_str())];
        for act in ["approve", "reject", "resolve"] {
            assert_eq!(foreign.post(&format!("{path}/{act}"), &form).await.status, 404, "{act}");
        }
    }
}

#[tokio::test]
async fn the_overview_tells_how_providers_fare_and_when_the_last_round_was() {
    let beats = Beats::default();
    beats.beat("poll carrier", fixtures::at(0), None);
    let world = World::on("127.0.0.1:0", beats).await;
    let page = world.signed_in(Role::Viewer).await.get("/").await.body;
    assert!(page.contains("<b>carrier</b>: <span"), "{page}");
    assert!(page.contains("last round"), "{page}");
    let store = world.engine().store();
    store.trip("reader:carrier", "most of its lines fail", world.clock.now()).await.unwrap();
    let page = world.browser("viewer").await.get("/").await.body;
    assert!(page.contains("out: most of its lines fail"), "{page}");
}

#[tokio::test]
async fn language_and_theme_are_chosen_and_stay() {
    let world = World::new().await;
    let mut browser = Browser { world: &world, cookie: String::new() };
    let form = [("locale", "zh-CN"), ("theme", "dark"), ("next", "/topups")];
    let answer = browser.post("/taste", &form).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/topups"));
    browser.cookie = "topupd_locale=zh-CN; topupd_theme=dark".to_owned();
    let page = browser.get("/").await.body;
    assert!(page.contains("lang=\"zh-CN\" data-theme=\"dark\"") && page.contains("付款已开启"));
    let style = page.split("href=\"/assets/").nth(1).unwrap().split('"').next().unwrap();
    let asset = browser.get(&format!("/assets/{style}")).await;
    assert!(asset.status == 200 && asset.header("cache-control").contains("immutable"));
    assert_eq!(browser.get("/assets/../Cargo.toml").await.status, 404);
}

#[tokio::test]
async fn a_line_tells_what_it_is_and_what_can_be_done() {
    let world = World::new().await;
    for n in 0..40 {
        let mut reading = fixtures::reading(&format!("{}.00 USD", 60 - n), -90 + 60 * (n - 40));
        reading.subscription = SubscriptionId::parse("l1").unwrap();
        reading.values.service_end_at = Some(world.clock.now().plus(Span::days(3)));
        let polled = Polled { reading, next_poll_at: fixtures::at(360) };
        world.engine().store().apply_polls(&[polled], world.clock.now()).await.unwrap();
    }
    let topup = world.topup("l1", &[State::Reserved]).await;
    world.person("ana", Grant::of(Role::Operator)).await;
    let ana = world.browser("ana").await;
    let page = ana.get("/lines/l1").await.body;
    for part in
        ["<svg", "<polyline", "21.00 USD", "/lines/l1/poll", "/lines/l1/pause", topup.id.as_str()]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(ana.get("/lines/nothing").await.status, 404);
    let csrf = ana.csrf().await;
    let form = [("csrf", csrf.as_str())];
    assert_eq!(ana.post("/lines/l1/pause", &form).await.header("location"), "/lines/l1");
    assert!(ana.get("/lines/l1").await.body.contains("/lines/l1/resume"));
    let refused = ana.post("/lines/l1/poll", &form).await;
    assert!(
        refused.status == 409 && refused.body.contains("allowed is an active one"),
        "{refused:?}"
    );
    assert_eq!(ana.post("/lines/l1/resume", &form).await.status, 303);
    assert_eq!(ana.post("/lines/l1/poll", &form).await.status, 303);
}

#[tokio::test]
async fn a_top_up_is_asked_for_twice_and_ordered_once() {
    let world = World::new().await;
    world.person("ana", Grant::of(Role::Operator)).await;
    let ana = world.browser("ana").await;
    let csrf = ana.csrf().await;
    let form = |amount, sure| [("csrf", csrf.as_str()), ("amount", amount), ("sure", sure)];
    for amount in ["", "ten", "10.00", "-1.00 USD", "0.00 USD"] {
        let page = ana.post("/lines/l2/topup", &form(amount, "yes")).await;
        assert!(page.status == 409 && page.body.contains("allowed is money"), "{amount}");
    }
    let asks = ana.post("/lines/l2/topup", &form("10.00 USD", "")).await;
    assert!(asks.status == 200 && asks.body.contains("name=\"sure\""), "{}", asks.body);
    let all = || async {
        world
            .engine()
            .store()
            .topups(Some("l2"), fixtures::at(-9), fixtures::at(9), 9)
            .await
            .unwrap()
    };
    assert!(all().await.is_empty(), "asking orders nothing");
    let done = ana.post("/lines/l2/topup", &form("10.00 USD", "yes")).await;
    assert!(done.header("location").starts_with("/topups/"), "{done:?}");
    let again = ana.post("/lines/l2/topup", &form("10.00 USD", "yes")).await;
    assert!(again.status == 409 && again.body.contains("one at a time"), "{}", again.body);
    assert_eq!(all().await.len(), 1);
}

#[tokio::test]
async fn what_others_write_is_shown_and_never_run() {
    let world = World::new().await;
    let mut line = fixtures::line("l3");
    line.label = "<script>alert(1)</script>\"'".to_owned();
    let mut fleet = FleetChanges::default();
    fleet.subscriptions.push((line, "{}".into()));
    world.engine().store().save_fleet(&fleet, world.clock.now()).await.unwrap();
    let topup = world.topup("l3", &[State::AwaitingApproval]).await;
    for path in ["/", "/lines/l3", "/topups", &format!("/topups/{}", topup.id)] {
        let page = world.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains("<script>alert"), "{path}");
    }
    let q = world.get("/?q=%22%3E%3Cscript%3Ealert(1)").await;
    assert!(q.status == 200 && !q.body.contains("<script>alert"), "{}", q.body);
}
