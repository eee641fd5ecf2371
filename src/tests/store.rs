//! One story, told to SQLite and to PostgreSQL: the same migrations, the same statements, the same
//! answers.

use super::support::{at, line, money, policy, postgres, reading, rule, subscriber};
use topupd::domain::{Decision, EpisodeChange, OrderStep, Span, State, Topup, decide};
use topupd::store::{Change, FleetChanges, HandOrder, Polled, Prepared, Store, StoreError};

async fn on_sqlite() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store =
        Store::open(&format!("sqlite://{}", dir.path().join("t.db").display())).await.unwrap();
    (store, dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn story_on_sqlite() {
    let (store, _dir) = on_sqlite().await;
    story(&store).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn story_on_postgresql() {
    let Some(server) = postgres::server() else { return };
    let url = server.database("story").await;
    let store = Store::open(&url).await.unwrap();
    story(&store).await;
    the_lock_of_the_caps_is_waited_for(&store, &url).await;
    store.close().await;
}

fn polled(id: &str, balance: &str, minute: i64) -> Polled {
    Polled { reading: reading(id, balance, minute), next_poll_at: at(minute + 360) }
}

fn prepared(request: Option<&str>) -> Prepared {
    Prepared {
        install_id: "install".into(),
        request: request.map(str::to_owned),
        limits: policy().caps,
        notices: Vec::new(),
        approval_expires_at: at(10_000),
    }
}

/// Decides about `id` by the stored rows and applies it; returns the decision.
async fn judge(store: &Store, id: &str, minute: i64) -> Result<Decision, StoreError> {
    let now = at(minute);
    let mut row = store.snapshots(&[id.to_owned()]).await?.remove(0);
    row.snapshot.rules = vec![rule()];
    row.snapshot.usage = store
        .cap_usage(
            &row.snapshot.subscription.id,
            &row.snapshot.subscription.subscriber,
            money("1 USD").currency(),
            now,
        )
        .await?;
    let decision = decide(&row.snapshot, &policy(), now);
    let request =
        matches!(decision.order, OrderStep::Reserve { .. }).then_some("{\"body\":\"frozen\"}");
    // Further ahead than anything that a decision asks for: whatever the row says is before it.
    let claimed = now.plus(Span::days(400));
    store.claim_decisions_of(&[id.to_owned()], claimed, now).await?;
    store.apply_decision(&row, &decision, &prepared(request), claimed, now).await?;
    Ok(decision)
}

async fn story(store: &Store) {
    store.migrate().await.unwrap();
    store.migrate().await.unwrap();
    store.ping().await.unwrap();
    let install = store.install_id(at(0)).await.unwrap();
    assert_eq!(store.install_id(at(1)).await.unwrap(), install);

    fleet(store).await;
    polls(store).await;
    a_life(store).await;
    indexes_hold(store).await;
    caps_under_concurrency(store).await;
    super::store_parts::outbox(store).await;
    super::store_parts::reports(store).await;
    super::store_parts::telling(store).await;
    super::lists::within_a_scope(store).await;
    super::lists::page_by_page(store).await;
    super::lists::keys(store).await;
    super::store_parts::switches_and_tokens(store).await;
    super::store_parts::history(store).await;
    super::store_parts::messages(store).await;
    super::steady::runs(store).await;
}

async fn fleet(store: &Store) {
    let changes = FleetChanges {
        subscribers: vec![(subscriber("li"), "{\"id\":\"li\"}".into())],
        subscriptions: vec![(line("a", 1), "{}".into()), (line("b", 2), "{}".into())],
        rules: vec![(rule(), "{\"id\":\"keep-alive\"}".into())],
        ..FleetChanges::default()
    };
    store.save_fleet(&changes, at(0)).await.unwrap();
    store.save_fleet(&changes, at(0)).await.unwrap();
    assert_eq!(store.fleet_version().await.unwrap(), 2);
    assert_eq!(store.subscription(&line("a", 1).id).await.unwrap(), line("a", 1));
    assert_eq!(store.subscribers().await.unwrap(), vec![subscriber("li")]);
    assert_eq!(store.documents().await.unwrap().rules.len(), 1);
    // All or nothing: a line of an unknown subscriber takes the good ones with it.
    let mut orphan = line("c", 3);
    orphan.subscriber = subscriber("nobody").id;
    let bad = FleetChanges {
        subscriptions: vec![(line("d", 4), "{}".into()), (orphan, "{}".into())],
        ..FleetChanges::default()
    };
    assert!(store.save_fleet(&bad, at(0)).await.is_err());
    assert!(matches!(store.subscription(&line("d", 4).id).await, Err(StoreError::NotFound(_))));
    assert_eq!(store.views(None, "", 10).await.unwrap().len(), 2);
}

async fn polls(store: &Store) {
    let claimed = store.claim_polls("carrier", 10, at(1), at(0)).await.unwrap();
    assert_eq!(claimed.len(), 2);
    assert!(
        store.claim_polls("carrier", 10, at(1), at(0)).await.unwrap().is_empty(),
        "claimed twice"
    );
    assert_eq!(
        store.claim_polls("carrier", 1, at(3), at(2)).await.unwrap().len(),
        1,
        "a lost claim comes back"
    );
    store
        .apply_polls(&[polled("a", "3.20 USD", 0), polled("b", "30.00 USD", 0)], at(0))
        .await
        .unwrap();
    assert_eq!(store.next_poll_due("carrier").await.unwrap(), Some(at(360)));
    assert_eq!(store.due_decisions(10, at(0)).await.unwrap().len(), 2);
    assert_eq!(
        store.readings(&line("a", 1).id, 10).await.unwrap(),
        vec![reading("a", "3.20 USD", 0)]
    );
    // A failed poll counts as failure and leaves the last good reading in place.
    let mut bad = polled("b", "30.00 USD", 1);
    bad.reading.quality = topupd::domain::Quality::Unparseable;
    bad.reading.values = topupd::domain::Values::default();
    store.apply_polls(&[bad], at(1)).await.unwrap();
    let row = store.snapshot(&line("b", 2).id).await.unwrap();
    assert_eq!(row.snapshot.reading, Some(reading("b", "30.00 USD", 0)));
    assert!(row.snapshot.trouble.is_some());
    assert_eq!(store.due_polls(&["b".into()]).await.unwrap()[0].failures, 1);
    store.apply_polls(&[polled("b", "30.00 USD", 2)], at(2)).await.unwrap();
    assert!(store.snapshot(&line("b", 2).id).await.unwrap().snapshot.trouble.is_none());
}

/// From the first low reading to verified, with its ledger, events and need.
async fn a_life(store: &Store) {
    let first = judge(store, "a", 0).await.unwrap();
    assert!(matches!(first.episodes[..], [EpisodeChange::Open { .. }]));
    let proposed = store.snapshot(&line("a", 1).id).await.unwrap().snapshot;
    assert_eq!(proposed.topup.as_ref().unwrap().state, State::Proposed);
    assert_eq!(proposed.need.as_ref().unwrap().seq, 1);
    assert_eq!(store.notices(None, 10).await.unwrap().len(), 1);
    // Judged a thousand times, it stays one episode, one need, one order, one notice.
    for minute in [0, 0, 0, 1, 1] {
        judge(store, "a", minute).await.unwrap();
    }
    assert_eq!(store.topups(None, at(-1), at(99), 99).await.unwrap().len(), 1);
    assert_eq!(store.notices(None, 10).await.unwrap().len(), 1);
    store.apply_polls(&[polled("a", "3.10 USD", 3)], at(3)).await.unwrap();
    assert!(matches!(judge(store, "a", 3).await.unwrap().order, OrderStep::Reserve { .. }));
    let reserved = store.due_topups(&[State::Reserved], 10, at(3)).await.unwrap().remove(0);
    assert_eq!(reserved.before.balance, Some(money("3.10 USD")));
    assert_eq!(reserved.request.as_deref(), Some("{\"body\":\"frozen\"}"));

    let sending = Topup {
        state: State::Submitting,
        submit_no: 1,
        last_sent_at: Some(at(3)),
        next_action_at: Some(at(4)),
        ..reserved.clone()
    };
    let claimed = store
        .move_topup(&reserved, sending.clone(), &Change::by("act", "sent"), &[], at(3))
        .await
        .unwrap();
    let twice = store.move_topup(&reserved, sending, &Change::by("act", "sent"), &[], at(3)).await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })), "claimed twice");
    let backwards = Topup { state: State::Proposed, ..claimed.clone() };
    assert!(matches!(
        store.move_topup(&claimed, backwards, &Change::default(), &[], at(3)).await,
        Err(StoreError::Conflict { .. })
    ));

    let unknown = Topup { state: State::Unknown, ..claimed.clone() };
    let unknown = store
        .move_topup(&claimed, unknown, &Change::by("provider", "timeout").with("{}"), &[], at(4))
        .await
        .unwrap();
    let paid = Topup {
        state: State::Paid,
        transaction_id: Some("tx-1".into()),
        charged: Some(money("10.50 USD")),
        next_action_at: Some(at(50)),
        ..unknown.clone()
    };
    let paid = store
        .move_topup(&unknown, paid, &Change::by("reconcile", "found"), &[], at(5))
        .await
        .unwrap();
    assert_eq!(paid.paid_at, Some(at(5)));
    // A reading of a paid line makes it due for a look at once.
    store.apply_polls(&[polled("a", "13.10 USD", 6)], at(6)).await.unwrap();
    let due = store.due_topups(&[State::Paid], 10, at(6)).await.unwrap().remove(0);
    let verified = Topup { state: State::Verified, next_action_at: None, ..due.clone() };
    store.move_topup(&due, verified, &Change::by("verify", "moved"), &[], at(6)).await.unwrap();

    let row = store.snapshot(&line("a", 1).id).await.unwrap().snapshot;
    assert!(row.topup.is_none() && row.need.is_none(), "the need is served");
    assert!(row.history.ever_paid && row.history.last_success_at == Some(at(6)));
    let entries = store.ledger(at(-1), at(99)).await.unwrap();
    let told: Vec<(String, String)> =
        entries.iter().map(|e| (e.kind.clone(), e.amount.to_string())).collect();
    let expect = [("reserve", "10.00 USD"), ("release", "10.00 USD"), ("settle", "10.50 USD")];
    assert_eq!(told, expect.map(|(k, a)| (k.to_owned(), a.to_owned())));
    let usage = store
        .cap_usage(&line("a", 1).id, &subscriber("li").id, money("1 USD").currency(), at(7))
        .await
        .unwrap();
    assert_eq!((usage.subscription_24h, usage.global_24h, usage.orders_24h), (1050, 1050, 1));
    let events = store.topup_events(&paid.id).await.unwrap();
    let path: Vec<&str> = events.iter().map(|e| e.to.as_str()).collect();
    assert_eq!(path, ["proposed", "reserved", "submitting", "unknown", "paid", "verified"]);
    assert_eq!(
        store.topup(&paid.id.as_str()[..8]).await.unwrap().id,
        paid.id,
        "found by its beginning"
    );
    assert_eq!(store.topup(&paid.reference).await.unwrap().id, paid.id, "found by its reference");
}

fn hand_order(amount: &str) -> HandOrder<'_> {
    HandOrder { payer: "carrier", amount: money(amount), product: None, actor: "li" }
}

/// What the code must never try, the schema refuses.
async fn indexes_hold(store: &Store) {
    let hand = |id: &'static str| async move {
        let row = store.snapshot(&line(id, 1).id).await.unwrap();
        store.propose_by_hand(&row.snapshot, &hand_order("10.00 USD"), "install", at(10)).await
    };
    let first = hand("b").await.unwrap();
    let mut blind = store.snapshot(&line("b", 2).id).await.unwrap();
    blind.snapshot.topup = None;
    let second =
        store.propose_by_hand(&blind.snapshot, &hand_order("1.00 USD"), "install", at(10)).await;
    assert!(second.unwrap_err().is_duplicate(), "two open top-ups on one line");
    let skipped = Topup { state: State::Cancelled, reason: "test".into(), ..first.clone() };
    store.move_topup(&first, skipped, &Change::by("li", "no"), &[], at(11)).await.unwrap();
    // A cancelled one makes room for the next attempt at the same need, with another reference.
    let again = hand("b").await.unwrap();
    assert_eq!(again.need, first.need);
    assert_ne!(again.reference, first.reference);
    // A paid state without the frozen request is refused by the CHECKs.
    let broken = Topup { state: State::Reserved, request: None, ..again.clone() };
    assert!(store.move_topup(&again, broken, &Change::default(), &[], at(11)).await.is_err());
    let gone = Topup { state: State::Cancelled, reason: "test".into(), ..again.clone() };
    store.move_topup(&again, gone, &Change::by("li", "no"), &[], at(11)).await.unwrap();
}

/// Forty lines want 10.00 USD each at the same moment; 100.00 USD less what is used is allowed.
/// While somebody else holds the lock of the caps, nobody reserves: without it, or with a check
/// outside of it, this would not wait. (That too much is spent then, the forty reservations at once
/// show.)
async fn the_lock_of_the_caps_is_waited_for(store: &Store, url: &str) {
    use sqlx::Connection;
    let mut other = sqlx::AnyConnection::connect(url).await.unwrap();
    let mut held = other.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(7878)").execute(&mut *held).await.unwrap();
    let mut waiting = Vec::new();
    for mut row in store.snapshots(&["cap-38".to_owned(), "cap-39".to_owned()]).await.unwrap() {
        row.snapshot.rules = vec![rule()];
        let decision = decide(&row.snapshot, &policy(), at(23));
        if matches!(decision.order, OrderStep::Reserve { .. }) {
            let store = store.clone();
            waiting.push(tokio::spawn(async move {
                let prepared = prepared(Some("{}"));
                store.apply_decision(&row, &decision, &prepared, at(24), at(23)).await
            }));
        }
    }
    assert!(!waiting.is_empty(), "nobody wants to reserve");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(waiting.iter().all(|task| !task.is_finished()), "reserved without the lock");
    held.rollback().await.unwrap();
    for task in waiting {
        assert!(matches!(task.await.unwrap(), Err(StoreError::Conflict { .. })));
    }
}

async fn caps_under_concurrency(store: &Store) {
    let ids: Vec<String> = (0..40).map(|n| format!("cap-{n}")).collect();
    let subscriptions =
        ids.iter().enumerate().map(|(n, id)| (line(id, 100 + n), "{}".to_owned())).collect();
    store
        .save_fleet(&FleetChanges { subscriptions, ..FleetChanges::default() }, at(20))
        .await
        .unwrap();
    for id in &ids {
        store.apply_polls(&[polled(id, "1.00 USD", 20)], at(20)).await.unwrap();
        judge(store, id, 20).await.unwrap();
        store.apply_polls(&[polled(id, "1.00 USD", 23)], at(23)).await.unwrap();
    }
    // Every decision is made before the first is applied, so each believes there is room.
    let mut rows = Vec::new();
    for mut row in store.snapshots(&ids).await.unwrap() {
        row.snapshot.rules = vec![rule()];
        let decision = decide(&row.snapshot, &policy(), at(23));
        assert!(matches!(decision.order, OrderStep::Reserve { .. }));
        rows.push((row, decision));
    }
    let prepared = prepared(Some("{}"));
    let all = rows
        .iter()
        .map(|(row, decision)| store.apply_decision(row, decision, &prepared, at(24), at(23)));
    let results = futures_util::future::join_all(all).await;
    let refused = results.iter().filter(|r| matches!(r, Err(StoreError::Conflict { .. }))).count();
    let used = store
        .cap_usage(&line("a", 1).id, &subscriber("li").id, money("1 USD").currency(), at(23))
        .await
        .unwrap();
    assert_eq!((results.iter().filter(|r| r.is_ok()).count(), refused), (8, 32), "{results:?}");
    assert_eq!(used.global_24h, 1050 + 8000);
}
