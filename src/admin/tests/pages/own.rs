//! A subscriber's own page: theirs alone, for a while, and each answer once.

use super::is_harmless;
use crate::admin::tests::{Answer, World};
use crate::domain::{NoticeKind, Span, State, SubscriberId, Subscription, fixtures};
use crate::store::FleetChanges;

impl World {
    fn page_of(&self, id: &str) -> String {
        let id = SubscriberId::parse(id).unwrap();
        self.engine().page_of(&id, self.clock.now()).unwrap().0
    }

    /// A reader, who knows us by another name.
    async fn reads(&self, path: &str) -> Answer {
        let headers = [("Host", "topupd.example.com".to_owned())];
        self.send("GET", path, &headers, "").await
    }

    async fn answers(&self, path: &str, body: &str) -> Answer {
        let headers = [
            ("Host", "topupd.example.com".to_owned()),
            ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
        ];
        self.send("POST", path, &headers, body).await
    }
}

#[tokio::test]
async fn it_shows_what_is_theirs_and_nothing_else_can_be_reached() {
    let world = World::new().await;
    world.zhang().await;
    let evil = Subscription { label: super::EVIL.into(), ..fixtures::line("l0") };
    let mut fleet = FleetChanges::default();
    fleet.subscriptions.push((evil, "{}".into()));
    world.engine().store().save_fleet(&fleet, world.clock.now()).await.unwrap();
    let own = world.topup("l1", &[State::AwaitingApproval]).await;
    let foreign = world.topup("z0", &[State::AwaitingApproval]).await;
    let told = world.notice("li", Some("l1"), NoticeKind::LowBalance).await.id;
    let month = world.notice("li", None, NoticeKind::Statement).await.id;
    let theirs = world.notice("zhang", Some("z0"), NoticeKind::LowBalance).await.id;
    let home = world.page_of("li");
    let page = world.reads(&home).await;
    is_harmless(&page);
    for id in [own.id.as_str(), &told, &month] {
        assert!(page.body.contains(id), "{id}: {}", page.body);
    }
    for other in [foreign.id.as_str(), &theirs, "z0", "Zhang", "href=\"/topups", "/sign-"] {
        assert!(!page.body.contains(other), "{other}: {}", page.body);
    }
    assert!(page.header("cache-control") == "no-store");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let style = page.body.split("href=\"/assets/").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(world.reads(&format!("/assets/{style}")).await.status, 200);
    for id in [&told, &month] {
        is_harmless_or_plain(&world.reads(&format!("{home}/notices/{id}")).await);
    }
    assert_eq!(world.reads(&format!("{home}/topups/{}", own.id)).await.status, 200);
    // What belongs to others is as if it were not there, to look at and to answer.
    let hash = format!("reply=approve&hash={}", foreign.order_hash);
    for path in [format!("{home}/topups/{}", foreign.id), format!("{home}/notices/{theirs}")] {
        assert_eq!(world.reads(&path).await.status, 404, "{path}");
        for body in ["reply=acknowledge", "reply=snooze", "reply=reject", &hash] {
            assert_eq!(world.answers(&path, body).await.status, 404, "{path} {body}");
        }
    }
    let store = world.engine().store();
    let state = store.topup(foreign.id.as_str()).await.unwrap();
    assert!(state.approved.is_none() && state.state == State::AwaitingApproval);
    assert!(store.notice(&theirs).await.unwrap().acknowledged_at.is_none());
    // The pages of people who sign in are not for this name.
    for path in ["/", "/topups", "/notices", "/ledger"] {
        assert_eq!(world.reads(path).await.status, 421, "{path}");
    }
}

#[track_caller]
fn is_harmless_or_plain(page: &Answer) {
    assert_eq!(page.status, 200, "{page:?}");
    assert!(!page.body.contains("<script>"), "{}", page.body);
}

#[tokio::test]
async fn a_link_is_forged_by_nobody_and_lapses() {
    let world = World::new().await;
    world.zhang().await;
    let home = world.page_of("li");
    let (plain, proof) = home.rsplit_once('.').unwrap();
    let (_, ends) = plain.rsplit_once('.').unwrap();
    let later: i64 = ends.parse::<i64>().unwrap() + 1;
    for forged in [
        format!("/s/zhang.{ends}.{proof}"),
        format!("/s/li.{later}.{proof}"),
        format!("{plain}.{}", "0".repeat(proof.len())),
        "/s/x".to_owned(),
        "/s/li".to_owned(),
    ] {
        let page = world.reads(&forged).await;
        assert_eq!(page.status, 404, "{forged}");
        assert!(page.body.contains("not valid"), "{}", page.body);
    }
    world.clock.advance(Span::days(29));
    assert_eq!(world.reads(&home).await.status, 200);
    world.clock.advance(Span::days(1));
    assert_eq!(world.reads(&home).await.status, 410);
    // Who is gone has no page any more.
    let home = world.page_of("zhang");
    assert_eq!(world.reads(&home).await.status, 200);
    let mut fleet = FleetChanges::default();
    fleet.close_subscribers.push(SubscriberId::parse("zhang").unwrap());
    world.engine().store().save_fleet(&fleet, world.clock.now()).await.unwrap();
    assert_eq!(world.reads(&home).await.status, 404);
}

#[tokio::test]
async fn they_approve_exactly_the_order_that_was_shown_and_once() {
    let world = World::new().await;
    let topup = world.topup("l1", &[State::AwaitingApproval]).await;
    let path = format!("{}/topups/{}", world.page_of("li"), topup.id);
    let page = world.reads(&path).await;
    assert!(page.body.contains(&topup.order_hash) && page.body.contains("value=\"approve\""));
    let right = format!("reply=approve&hash={}", topup.order_hash);
    for (body, status) in [
        ("reply=approve&hash=feed", 409),
        ("reply=approve", 409),
        ("reply=reject&hash=feed", 409),
        (&format!("reply=pay&hash={}", topup.order_hash), 422),
    ] {
        assert_eq!(world.answers(&path, body).await.status, status, "{body}");
    }
    let headers = [
        ("Host", world.at.to_string()),
        ("Sec-Fetch-Site", "cross-site".to_owned()),
        ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
    ];
    assert_eq!(world.send("POST", &path, &headers, &right).await.status, 403);
    let store = world.engine().store();
    assert!(store.topup(topup.id.as_str()).await.unwrap().approved.is_none());
    assert_eq!(world.answers(&path, &right).await.status, 303);
    let now = store.topup(topup.id.as_str()).await.unwrap();
    assert_eq!(now.approved.unwrap().1, "link:li");
    assert_eq!(world.answers(&path, &right).await.status, 409, "once");
    let acts = store.audit_page((Some(topup.id.as_str()), None), None, 9).await.unwrap();
    let acts: Vec<_> = acts
        .iter()
        .map(|row| (row.what.actor.as_str(), row.what.act.as_str(), row.what.status))
        .collect();
    assert_eq!(acts[..2], [("link:li", "approve", 409), ("link:li", "approve", 303)]);
}

#[tokio::test]
async fn a_notice_is_answered_once_and_looking_answers_nothing() {
    let world = World::new().await;
    let notice = world.notice("li", Some("l1"), NoticeKind::LowBalance).await;
    let home = world.page_of("li");
    let path = format!("{home}/notices/{}", notice.id);
    let store = world.engine().store();
    for _ in 0..2 {
        assert!(world.reads(&path).await.body.contains("value=\"snooze\""));
    }
    assert_eq!(store.notice(&notice.id).await.unwrap().acknowledged_at, None);
    assert_eq!(world.answers(&path, "reply=approve").await.status, 422);
    let done = world.answers(&path, "reply=snooze").await;
    assert_eq!((done.status, done.header("location")), (303, home.as_str()));
    assert!(!world.reads(&home).await.body.contains(&notice.id), "it is not asked about again");
    let until = store.notice(&notice.id).await.unwrap().remind_at;
    assert_eq!(until, Some(world.clock.now().plus(Span::days(2))));
    assert_eq!(world.answers(&path, "reply=acknowledge").await.status, 409);
    assert_eq!(store.notice(&notice.id).await.unwrap().acknowledged_at, None);
    assert!(!world.reads(&path).await.body.contains("value=\"snooze\""));
    // A statement wants no answer.
    let month = world.notice("li", None, NoticeKind::Statement).await.id;
    let path = format!("{home}/notices/{month}");
    assert!(!world.reads(&path).await.body.contains("value=\"acknowledge\""));
    assert_eq!(world.answers(&path, "reply=acknowledge").await.status, 409);
}
