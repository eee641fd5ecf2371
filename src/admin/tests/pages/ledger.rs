//! The ledger: each currency for itself, and nobody sees what others spent.

use super::is_harmless;
use crate::admin::tests::World;
use crate::domain::{Msisdn, State, Subscriber};
use crate::store::{FleetChanges, Grant, Role, Scope};

const PAID: [State; 4] = [State::Reserved, State::Submitting, State::Pending, State::Paid];

#[tokio::test]
async fn spending_is_shown_by_month_and_person_and_as_csv() {
    let world = World::new().await;
    world.zhang().await;
    let ana = world.signed_in(Role::Viewer).await;
    world.topup("l1", &PAID).await;
    let theirs = world.topup("z0", &PAID).await;
    let month = world.clock.now().rfc3339()[..7].to_owned();
    let page = ana.get("/ledger").await;
    assert_eq!(page.status, 200, "{}", page.body);
    for part in ["<b>20.00 USD</b>", "in 2 top-ups", "Li &lt;Wei&gt;", "Zhang", "200.00 USD"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    let other = ana.get("/ledger?month=2020-01").await.body;
    assert!(other.contains("Nothing was spent") && !other.contains(theirs.id.as_str()));
    let csv = ana.get(&format!("/ledger.csv?month={month}")).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.header("content-disposition").contains(&format!("ledger-{month}.csv")));
    assert!(csv.body.starts_with("at,kind,amount,currency"), "{}", csv.body);
    assert_eq!(csv.body.matches(",settle,10.00,USD,").count(), 2, "{}", csv.body);
    // Who may see a part sees that part, also of the sums.
    let grant = Grant { role: Role::Viewer, scope: Scope::Subscriber("li".into()) };
    world.person("li", grant).await;
    let tagged = Grant { role: Role::Viewer, scope: Scope::Tag("none".into()) };
    world.person("none", tagged).await;
    for (name, sees) in [("li", true), ("none", false)] {
        let browser = world.browser(name).await;
        let page = browser.get("/ledger").await.body;
        assert_eq!(page.contains("<b>10.00 USD</b>"), sees, "{page}");
        assert!(!page.contains("Zhang") && !page.contains("200.00 USD"), "{page}");
        let csv = browser.get("/ledger.csv").await.body;
        assert_eq!((csv.contains(",l1,"), csv.contains(",z0,")), (sees, false), "{csv}");
    }
}

#[tokio::test]
async fn names_are_text_and_nothing_else() {
    let world = World::new().await;
    let ana = world.signed_in(Role::Viewer).await;
    let mut fleet = FleetChanges::default();
    let li = crate::admin::tests::li();
    let phone = Msisdn::parse("+12025550123").ok();
    let li = Subscriber { name: super::EVIL.into(), phone, ..li };
    fleet.subscribers.push((li, "{}".into()));
    world.engine().store().save_fleet(&fleet, world.clock.now()).await.unwrap();
    world.topup("l1", &PAID).await;
    is_harmless(&ana.get("/ledger").await);
}
