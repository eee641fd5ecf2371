//! A code that was bought: sealed, shown to who asks, fetched again but never bought again, and the
//! top-up verified only when the line moved.

use super::support::place::Place;
use topupd::{
    domain::{Money, NoticeKind, Span, State, SubscriptionId},
    input::HandReading,
    sim::fakes::Trouble,
};

/// The first payer sells codes.
fn codes(fleet: &str) -> String {
    fleet
        .replace("payers = [\"alpha\", \"beta\"]", "payers = [\"alpha\"]")
        .replace("alpha = \"548\", beta = \"548\"", "alpha = \"1230\"")
}

async fn reads(place: &Place, balance: &str) {
    let line = SubscriptionId::parse("bank").unwrap();
    let reading = HandReading { balance: Money::parse(balance).ok(), ..HandReading::default() };
    place.engine.reading_by_hand(&line, reading).await.unwrap();
    place.engine.tick().await.unwrap();
}

/// Looks until the provider has made up its mind.
async fn settle(place: &Place) {
    for _ in 0..6 {
        place.clock.advance(Span::minutes(1));
        place.engine.tick().await.unwrap();
    }
}

#[tokio::test]
async fn a_code_is_sealed_shown_and_seen_on_the_line() {
    let place = Place::new(codes).await;
    place.runs_low().await;
    settle(&place).await;
    let topup = place.topup().await;
    assert_eq!(topup.state, State::Paid, "{topup:?}");
    let store = place.engine.store();
    let open = store.pins(false).await.unwrap();
    assert_eq!(open.len(), 1);
    let code = "000000001000";
    assert!(!open[0].sealed.contains(code));
    // Nothing that was kept of the answers holds it.
    let history = store.topup_events(&topup.id).await.unwrap();
    assert!(!format!("{history:?} {topup:?}").contains(code), "{history:?}");
    let notices = store.notices(None, 100).await.unwrap();
    assert!(!format!("{notices:?}").contains(code));
    assert_eq!(notices.iter().filter(|n| n.kind == NoticeKind::PinReady).count(), 1);

    // Two days pass: nobody redeemed it, so it is neither held nor bought again.
    place.clock.advance(Span::days(2));
    place.engine.tick().await.unwrap();
    assert_eq!(place.topup().await.state, State::Paid);
    let (shown, pin) = place.engine.show_pin(&open[0].id, "li").await.unwrap();
    assert_eq!((shown.state.as_str(), pin.code.as_str()), ("shown", code));
    assert_eq!(format!("{pin:?}"), "Pin(12 characters)");
    assert!(pin.how.unwrap().contains("*233"));
    reads(&place, "13.00 USD").await;
    place.clock.advance(Span::hours(1));
    place.engine.tick().await.unwrap();
    assert_eq!(place.topup().await.state, State::Verified);
    assert_eq!(store.pin(&open[0].id).await.unwrap().state, "redeemed");
    assert_eq!(place.alpha.shared().charges().len(), 1);
    assert_eq!(store.prove(&[]).await.unwrap().findings, []);
}

#[tokio::test]
async fn a_lost_answer_is_fetched_again_and_nothing_is_bought_twice() {
    let place = Place::new(codes).await;
    place.alpha.shared().trouble_orders(&[Trouble::LostAfter]);
    place.runs_low().await;
    settle(&place).await;
    let topup = place.topup().await;
    assert_eq!(topup.state, State::Paid, "{topup:?}");
    let fetched = place.engine.fetch_pin(&topup).await.unwrap();
    assert_eq!(place.engine.store().pins(true).await.unwrap(), std::slice::from_ref(&fetched));
    assert_eq!(place.alpha.shared().charges().len(), 1);
    let ended = place.engine.end_pin(&fetched.id, "rejected", Some("used"), "li").await.unwrap();
    assert_eq!(ended.state, "rejected");
    let why = place.engine.end_pin(&fetched.id, "redeemed", None, "li").await.unwrap_err();
    assert!(why.to_string().contains("rejected already"), "{why}");
    let why = place.engine.redeem_pin(&fetched.id, "beta", "li").await.unwrap_err();
    assert!(why.to_string().contains("allowed is one that is stored or shown"), "{why}");
}
