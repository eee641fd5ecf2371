//! A line with two payers: both are asked what the order would cost, the cheaper one is paid, and
//! the receipt says why. The reader is a person.

use super::support::place::Place;
use topupd::{
    domain::{State, Timestamp},
    sim::fakes::Trouble,
    transport::hook::HookCall,
};

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

/// One payer, and what the fleet says of the number's operator.
fn with(operator: &str) -> impl Fn(&str) -> String {
    let operator = format!("label = \"Bank\"\noperator = {operator:?}");
    move |fleet| {
        fleet
            .replace("label = \"Bank\"", &operator)
            .replace("payers = [\"alpha\", \"beta\"]", "payers = [\"alpha\"]")
            .replace(", beta = \"548\"", "")
    }
}

#[tokio::test]
async fn a_number_that_is_with_another_operator_is_not_paid_without_a_person() {
    // The fake says T-Mobile USA of every number.
    let place = Place::new(with("Verizon")).await;
    place.runs_low().await;
    place.engine.tick().await.unwrap();
    let all = (Timestamp::from_ms(0), Timestamp::from_ms(i64::MAX));
    let topups = place.engine.store().topups(None, all.0, all.1, 10).await.unwrap();
    let states: Vec<(State, &str)> = topups.iter().map(|t| (t.state, t.reason.as_str())).collect();
    assert!(states.contains(&(State::Cancelled, "operator_differs")), "{states:?}");
    assert!(place.alpha.shared().charges().is_empty(), "{states:?}");
    let asks = topups.iter().find(|t| t.state == State::AwaitingApproval).unwrap();
    let history = place.engine.store().topup_events(&asks.id).await.unwrap();
    let why = history.iter().map(|event| event.why.as_str()).collect::<Vec<_>>().join("; ");
    assert!(why.contains("alpha says that the number is with T-Mobile USA"), "{why}");
    // A person's word about this very order is enough.
    place.engine.approve(asks.id.as_str(), None, "li").await.unwrap();
    place.engine.tick().await.unwrap();
    assert_eq!(place.alpha.shared().charges().len(), 1);
}

#[tokio::test]
async fn a_brand_on_the_same_network_and_a_question_that_fails_stop_nothing() {
    let place = Place::new(with("Tello")).await;
    place.runs_low().await;
    assert_eq!(place.alpha.shared().charges().len(), 1);
    let place = Place::new(with("Verizon")).await;
    place.alpha.shared().trouble_questions(&[Trouble::Page; 50]);
    place.runs_low().await;
    assert_eq!(place.alpha.shared().charges().len(), 1);
}

#[tokio::test]
async fn a_call_of_the_provider_makes_us_look_and_nothing_else() {
    let place = Place::new(with("T-Mobile US")).await;
    place.runs_low().await;
    let paid = place.topup().await;
    assert!(matches!(paid.state, State::Pending | State::Paid), "{paid:?}");
    assert!(paid.next_action_at > Some(place.clock.now()), "{paid:?}");
    let call = |token: &str, body: String| HookCall {
        query: vec![("token".to_owned(), token.to_owned())],
        body: body.into_bytes(),
        ..HookCall::default()
    };
    let news = format!("{{\"data\": {{\"customIdentifier\": \"{}\"}}}}", paid.reference);
    let secret = "0123456789abcdef";
    assert!(place.engine.hint("alpha", &call("wrong", news.clone())).await.is_err());
    assert!(place.engine.hint("me", &call(secret, news.clone())).await.is_err());
    assert!(place.engine.hint("alpha", &call(secret, "<html>".to_owned())).await.is_err());
    let lie = "{\"status\": \"REFUNDED\", \"customIdentifier\": \"somebody-elses\"}";
    assert_eq!(place.engine.hint("alpha", &call(secret, lie.to_owned())).await.unwrap(), 0);
    place.engine.tick().await.unwrap();
    assert_eq!(place.topup().await.updated_at, paid.updated_at);
    assert_eq!(place.engine.hint("alpha", &call(secret, news)).await.unwrap(), 1);
    let due = place.engine.store().topup(paid.id.as_str()).await.unwrap();
    assert_eq!(due.next_action_at, Some(place.clock.now()));
}
