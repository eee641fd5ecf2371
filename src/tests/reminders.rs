//! What is still so is told again, ever more rarely, until somebody says that he knows.

use super::support::place::Place;
use topupd::{
    channels::Message,
    domain::{NoticeKind, Span},
};

/// A line that is low, told of and never paid for.
async fn low() -> Place {
    let place = Place::new(|fleet| fleet.replace("mode = \"auto\"", "mode = \"notify\"")).await;
    place.runs_low().await;
    place
}

fn told(place: &Place) -> Vec<Message> {
    let mut took = place.mail.took();
    took.retain(|message| message.kind == NoticeKind::LowBalance);
    took
}

async fn later(place: &Place, span: Span) {
    place.clock.advance(span);
    place.engine.tick().await.unwrap();
}

#[tokio::test]
async fn reminders_grow_apart_and_end() {
    let place = low().await;
    assert_eq!(told(&place).len(), 1);
    later(&place, Span::hours(23)).await;
    assert_eq!(told(&place).len(), 1);
    later(&place, Span::hours(1)).await;
    let two = told(&place);
    assert_eq!(two.len(), 2);
    assert!(
        two[1].text.contains("Reminder: 1") && two[1].text.contains("3.00 USD"),
        "{}",
        two[1].text
    );
    // The same thread, another message.
    assert_eq!((&two[0].subject, &two[0].thread), (&two[1].subject, &two[1].thread));
    assert_ne!(two[0].id, two[1].id);
    later(&place, Span::days(2)).await;
    assert_eq!(told(&place).len(), 2);
    later(&place, Span::days(1)).await;
    assert_eq!(told(&place).len(), 3);
    // The list is through.
    for _ in 0..10 {
        later(&place, Span::days(5)).await;
    }
    assert_eq!(told(&place).len(), 3);
}

#[tokio::test]
async fn the_clock_runs_from_the_acceptance() {
    let place = low().await;
    place.mail.says(Some(topupd::channels::Outcome::Retry { after: None, why: "shut".into() }));
    place.chat.says(Some(topupd::channels::Outcome::Retry { after: None, why: "shut".into() }));
    later(&place, Span::days(1)).await;
    assert_eq!(told(&place).len(), 1, "the first was sent, its reminder was not");
    later(&place, Span::days(1)).await;
    place.mail.says(None);
    place.chat.says(None);
    later(&place, Span::hours(2)).await;
    let both = |place: &Place| {
        let by_chat = place.chat.took().iter().filter(|m| m.kind == NoticeKind::LowBalance).count();
        told(place).len() + by_chat
    };
    assert_eq!(both(&place), 2);
    // Three days from the acceptance, not from when it was due.
    later(&place, Span::days(2)).await;
    assert_eq!(both(&place), 2);
    later(&place, Span::days(1)).await;
    assert_eq!(both(&place), 3);
}

#[tokio::test]
async fn who_knows_is_left_alone_and_who_wants_is_asked_later() {
    let place = low().await;
    let id = told(&place)[0].id.clone();
    let (store, until) = (place.engine.store(), place.clock.now().plus(Span::days(5)));
    store.acknowledge(&id, "li", Some(until), place.clock.now()).await.unwrap();
    later(&place, Span::days(4)).await;
    assert_eq!(told(&place).len(), 1, "snoozed");
    later(&place, Span::days(1)).await;
    assert_eq!(told(&place).len(), 2);
    // Acknowledged by the reminder's id: the whole chain rests.
    let id = told(&place)[1].id.clone();
    let seen = store.acknowledge(&id, "li", None, place.clock.now()).await.unwrap();
    assert_eq!(seen.acknowledged_at, Some(place.clock.now()));
    later(&place, Span::days(30)).await;
    assert_eq!(told(&place).len(), 2);
    assert!(store.acknowledge("m_none", "li", None, place.clock.now()).await.is_err());
}

#[tokio::test]
async fn what_is_over_is_not_told_again() {
    let place = low().await;
    let line = topupd::domain::SubscriptionId::parse("bank").unwrap();
    for _ in 0..2 {
        let reading = topupd::input::HandReading {
            balance: topupd::domain::Money::parse("30.00 USD").ok(),
            ..Default::default()
        };
        place.engine.reading_by_hand(&line, reading).await.unwrap();
        later(&place, Span::minutes(3)).await;
    }
    later(&place, Span::days(1)).await;
    assert_eq!(told(&place).len(), 1);
}
