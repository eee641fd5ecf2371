//! A line with two payers: both are asked what the order would cost, the cheaper one is paid, and
//! the receipt says why. The reader is a person.

use super::support::place::Place;
use topupd::{domain::State, sim::fakes::Trouble};

#[tokio::test]
async fn the_cheaper_of_two_payers_is_paid_and_the_history_says_why() {
    let place = Place::new(str::to_owned).await;
    place.alpha.shared().books().world.insert("fee".into(), serde_json::json!(0.75));
    place.runs_low().await;
    let topup = place.topup().await;
    assert_eq!(topup.payer, "beta", "{topup:?}");
    assert!(matches!(topup.state, State::Pending | State::Paid | State::Verified), "{topup:?}");
    assert_eq!((place.alpha.shared().charges().len(), place.beta.shared().charges().len()), (0, 1));
    let history = place.engine.store().topup_events(&topup.id).await.unwrap();
    let why = &history.first().unwrap().why;
    assert!(why.contains("beta is the cheapest") && why.contains("alpha 10.75 USD"), "{why}");
}

#[tokio::test]
async fn a_payer_that_names_no_price_only_loses_the_comparison() {
    let place = Place::new(str::to_owned).await;
    // Whatever beta is asked, a gateway answers with a page.
    place.beta.shared().trouble_questions(&[Trouble::Page; 50]);
    place.runs_low().await;
    let topup = place.topup().await;
    assert_eq!(topup.payer, "alpha", "{topup:?}");
    assert_eq!(place.alpha.shared().charges().len(), 1);
}
