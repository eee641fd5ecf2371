//! Providers: the switch of all paying, what does not agree, and the record of acts.

use super::{EVIL, PASSWORD, is_harmless};
use crate::admin::tests::World;
use crate::domain::Span;
use crate::store::{Discrepancy, Grant, Role, Scope};

#[tokio::test]
async fn everybody_who_works_here_stops_paying_and_only_an_admin_starts_it() {
    let world = World::new().await;
    let ana = world.signed_in(Role::Operator).await;
    let csrf = ana.csrf().await;
    let page = ana.get("/providers").await;
    assert!(page.status == 200 && page.body.contains("<b>carrier</b>"), "{}", page.body);
    assert_eq!(ana.post("/money/off", &[("csrf", "x"), ("reason", "y")]).await.status, 403);
    let empty = ana.post("/money/off", &[("csrf", &csrf), ("reason", " ")]).await;
    assert!(empty.status == 409 && empty.body.contains("role=\"alert\""));
    assert!(world.engine().money_off().is_none());
    let off = ana.post("/money/off", &[("csrf", &csrf), ("reason", EVIL)]).await;
    assert_eq!((off.status, off.header("location")), (303, "/providers"));
    is_harmless(&ana.get("/providers").await);
    assert!(world.engine().money_off().unwrap().contains("user:operator"));
    assert_eq!(ana.post("/money/on", &[("csrf", &csrf)]).await.status, 403);
    let boss = world.signed_in(Role::Admin).await;
    let csrf = boss.csrf().await;
    world.clock.advance(Span::minutes(11));
    let asked = boss.post("/money/on", &[("csrf", &csrf)]).await;
    assert_eq!((asked.status, asked.header("location")), (303, "/confirm?next=%2Fproviders"));
    assert!(world.engine().money_off().is_some(), "the password was not typed of late");
    let form = [("csrf", csrf.as_str()), ("password", PASSWORD), ("next", "/providers")];
    assert_eq!(boss.post("/confirm", &form).await.status, 303);
    assert_eq!(boss.post("/money/on", &[("csrf", &csrf)]).await.status, 303);
    assert!(world.engine().money_off().is_none());
    // How it was and is now stands in the record.
    let audit = boss.get("/audit").await;
    is_harmless(&audit);
    assert!(audit.body.contains("money off") && audit.body.contains("user:operator"));
    let acts = world.engine().store().audit_page((None, None), None, 9).await.unwrap();
    let on = acts.iter().find(|row| row.what.act == "money on" && row.what.after.is_some());
    let on = &on.unwrap().what;
    assert!(on.before.as_deref().unwrap().contains("\"paying\":false"));
    assert!(on.after.as_deref().unwrap().contains("\"paying\":true"));
}

#[tokio::test]
async fn what_does_not_agree_is_settled_by_who_looked() {
    let world = World::new().await;
    let ana = world.signed_in(Role::Operator).await;
    let (store, now) = (world.engine().store(), world.clock.now());
    let found = Discrepancy::new("theirs_only", "carrier", "tx", EVIL.into(), now);
    assert!(store.find_discrepancy(&found).await.unwrap());
    is_harmless(&ana.get("/providers").await);
    let (csrf, path) = (ana.csrf().await, format!("/discrepancies/{}/close", found.id));
    let form = |note, checked| [("csrf", csrf.as_str()), ("note", note), ("checked", checked)];
    for (note, checked) in [("", "yes"), ("bought by hand", "")] {
        assert_eq!(ana.post(&path, &form(note, checked)).await.status, 409);
    }
    assert_eq!(store.discrepancies(true).await.unwrap().len(), 1);
    assert_eq!(ana.post(&path, &form("bought by hand", "yes")).await.status, 303);
    assert!(store.discrepancies(true).await.unwrap().is_empty());
    assert_eq!(ana.post(&path, &form("bought by hand", "yes")).await.status, 404);
    // The carrier of this test has no books.
    let compare = ana.post("/providers/carrier/compare", &[("csrf", &csrf)]).await;
    assert_eq!(compare.status, 404);
}

#[tokio::test]
async fn the_installation_is_for_those_who_may_see_all_of_it() {
    let world = World::new().await;
    let grant = Grant { role: Role::Admin, scope: Scope::Subscriber("li".into()) };
    world.person("li", grant).await;
    let li = world.browser("li").await;
    let csrf = li.csrf().await;
    for page in ["/providers", "/audit"] {
        assert_eq!(li.get(page).await.status, 403, "{page}");
    }
    for act in ["/money/off", "/money/on", "/providers/carrier/compare", "/discrepancies/d/close"] {
        let answer = li.post(act, &[("csrf", &csrf), ("reason", "x"), ("note", "x")]).await;
        assert_eq!(answer.status, 403, "{act}");
    }
    assert!(world.engine().money_off().is_none());
    let nav = li.get("/").await.body.replace("&#x2f;", "/");
    assert!(nav.contains("href=\"/ledger\"") && !nav.contains("href=\"/providers\""));
    let vic = world.signed_in(Role::Viewer).await;
    let page = vic.get("/providers").await;
    assert!(page.status == 200 && !page.body.contains("/money/off"));
    let csrf = vic.csrf().await;
    let form = [("csrf", csrf.as_str()), ("reason", "x")];
    assert_eq!(vic.post("/money/off", &form).await.status, 403);
    assert_eq!(vic.get("/audit").await.status, 403);
}

#[tokio::test]
async fn the_record_is_read_page_by_page() {
    let world = World::new().await;
    let boss = world.signed_in(Role::Admin).await;
    let csrf = boss.csrf().await;
    for _ in 0..101 {
        boss.post("/notices/m_none/acknowledge", &[("csrf", &csrf)]).await;
    }
    let page = boss.get("/audit?target=m_none").await.body;
    let next = page.split("href=\"/audit?before=").nth(1).unwrap().split('"').next().unwrap();
    let next = next.replace("&amp;", "&");
    let rest = boss.get(&format!("/audit?before={next}")).await.body;
    assert_eq!(page.matches("<code>m_none</code>").count(), 100);
    assert_eq!(rest.matches("<code>m_none</code>").count(), 1);
    assert!(!rest.contains("rel=\"next\""));
}
