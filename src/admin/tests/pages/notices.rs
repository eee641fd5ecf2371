//! Notices: what could not be said stands first, and only who may act acknowledges.

use super::{EVIL, is_harmless};
use crate::admin::tests::World;
use crate::domain::{NoticeKind, Span};
use crate::store::{Grant, Role, Scope, Tried};

impl World {
    /// A notice that no channel took.
    async fn dead_notice(&self) -> String {
        let notice = self.notice("li", Some("l1"), NoticeKind::LowBalance).await;
        let (store, now) = (self.engine().store(), self.clock.now());
        let due = store.claim_notices(9, Span::minutes(2), now).await.unwrap();
        let due = due.iter().find(|due| due.notice.id == notice.id).unwrap();
        store.tried(due, "bad_recipient", Some(EVIL), &Tried::Dead, now).await.unwrap();
        notice.id
    }
}

#[tokio::test]
async fn what_was_given_up_stands_first_until_somebody_has_seen_it() {
    let world = World::new().await;
    let ana = world.signed_in(Role::Operator).await;
    let dead = world.dead_notice().await;
    world.clock.advance(Span::minutes(1));
    let newer = world.notice("li", Some("l2"), NoticeKind::Stale).await.id;
    let list = ana.get("/notices").await;
    is_harmless(&list);
    let place = |page: &str, id: &str| page.find(&format!("href=\"/notices/{id}\""));
    assert!(list.body.contains("seen by nobody"));
    assert!(place(&list.body, &dead) < place(&list.body, &newer));
    for (query, has) in [
        ("state=dead", [true, false]),
        ("state=queued", [false, true]),
        ("kind=stale", [false, true]),
        ("line=l1", [true, false]),
        ("line=l1&state=queued", [false, false]),
        ("state=nonsense", [true, true]),
    ] {
        let page = ana.get(&format!("/notices?{query}")).await.body;
        assert_eq!([&dead, &newer].map(|id| place(&page, id).is_some()), has, "{query}");
    }
    let path = format!("/notices/{dead}");
    let page = ana.get(&path).await;
    is_harmless(&page);
    assert!(page.body.contains("cannot be reached so") && page.body.contains("/acknowledge"));
    let acknowledge = format!("{path}/acknowledge");
    assert_eq!(ana.post(&acknowledge, &[("csrf", "x")]).await.status, 403);
    let csrf = ana.csrf().await;
    let done = ana.post(&acknowledge, &[("csrf", &csrf)]).await;
    assert_eq!((done.status, done.header("location")), (303, path.as_str()));
    assert!(world.engine().store().notice(&dead).await.unwrap().acknowledged_at.is_some());
    assert!(!ana.get("/notices").await.body.contains("seen by nobody"));
}

#[tokio::test]
async fn a_snooze_is_as_long_as_the_form_says() {
    let world = World::new().await;
    let ana = world.signed_in(Role::Operator).await;
    let id = world.notice("li", Some("l1"), NoticeKind::LowBalance).await.id;
    let csrf = ana.csrf().await;
    let form = [("csrf", csrf.as_str()), ("for", "7d")];
    assert_eq!(ana.post(&format!("/notices/{id}/snooze"), &form).await.status, 303);
    let notice = world.engine().store().notice(&id).await.unwrap();
    assert_eq!(notice.remind_at, Some(world.clock.now().plus(Span::days(7))));
    assert_eq!(notice.acknowledged_at, None);
}

#[tokio::test]
async fn notices_of_others_are_as_if_not_there_and_viewers_only_look() {
    let world = World::new().await;
    world.zhang().await;
    let own = world.notice("li", Some("l1"), NoticeKind::LowBalance).await.id;
    let foreign = world.notice("zhang", Some("z0"), NoticeKind::LowBalance).await.id;
    let grant = |role, scope| Grant { role, scope };
    world.person("li", grant(Role::Operator, Scope::Subscriber("li".into()))).await;
    world.person("none", grant(Role::Operator, Scope::Tag("none".into()))).await;
    let li = world.browser("li").await;
    let list = li.get("/notices").await.body;
    assert!(list.contains(&own) && !list.contains(&foreign), "{list}");
    assert_eq!(li.get(&format!("/notices/{own}")).await.status, 200);
    let none = world.browser("none").await;
    for (browser, id) in [(&li, &foreign), (&none, &own), (&none, &foreign)] {
        let csrf = browser.csrf().await;
        assert!(!browser.get("/notices").await.body.contains(id.as_str()));
        assert_eq!(browser.get(&format!("/notices/{id}")).await.status, 404);
        for act in ["acknowledge", "snooze"] {
            let answer = browser.post(&format!("/notices/{id}/{act}"), &[("csrf", &csrf)]).await;
            assert_eq!(answer.status, 404, "{act}");
        }
    }
    let vic = world.signed_in(Role::Viewer).await;
    let page = vic.get(&format!("/notices/{own}")).await;
    assert!(page.status == 200 && !page.body.contains("/acknowledge"));
    let csrf = vic.csrf().await;
    let answer = vic.post(&format!("/notices/{own}/acknowledge"), &[("csrf", &csrf)]).await;
    assert_eq!(answer.status, 403);
    assert_eq!(vic.get("/notices/preview").await.status, 403);
    assert!(world.engine().store().notice(&own).await.unwrap().acknowledged_at.is_none());
}

#[tokio::test]
async fn every_kind_can_be_seen_in_every_language() {
    let world = World::new().await;
    let ana = world.signed_in(Role::Operator).await;
    let all = ana.get("/notices/preview").await;
    assert_eq!(all.status, 200, "{}", all.body);
    assert_eq!(all.body.matches("<section lang=").count(), NoticeKind::ALL.len() * 2);
    let one = ana.get("/notices/preview?kind=topup_held&language=zh-CN").await.body;
    assert_eq!(one.matches("<section lang=\"zh-CN\">").count(), 1);
    assert_eq!(one.matches("<section lang=").count(), 1);
}
