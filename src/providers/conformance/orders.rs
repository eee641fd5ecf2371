//! Orders and what becomes of them.

use super::*;

/// For every adapter that tops up.
async fn each(check: impl AsyncFn(Scene)) {
    for case in CASES {
        let scene = Scene::new(*case).await;
        if scene.provider.declares().tops_up {
            check(scene).await;
        }
    }
}

#[tokio::test]
async fn an_order_is_charged_once_and_found() {
    each(async |scene| {
        let kind = scene.case.kind;
        if scene.by_ref() {
            assert_eq!(scene.find().await, Found::Nothing, "{kind}: before anything was sent");
        }
        let answer = scene.send().await;
        assert!(stands(&answer), "{kind}: {answer:?}");
        let charges = scene.shared.charges();
        assert_eq!(charges.len(), 1, "{kind}: {charges:?}");
        if scene.by_ref() {
            let found = scene.find().await;
            assert!(matches!(found, Found::One(Answer::Paid(_))), "{kind}: {found:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_frozen_request_names_line_and_reference_and_no_secret() {
    each(async |scene| {
        let (kind, order) = (scene.case.kind, scene.order());
        let frozen = scene.provider.freeze(&order).unwrap();
        assert_eq!(frozen, scene.provider.freeze(&order).unwrap(), "{kind}: not the same twice");
        assert!(!frozen.contains("hush"), "{kind}: {frozen}");
        let target = scene.case.iccid.unwrap_or("2025550123");
        assert!(frozen.contains(target), "{kind}: {frozen}");
        if scene.provider.declares().lookup == Lookup::ByRef {
            assert!(frozen.contains(&order.reference), "{kind}: {frozen}");
        }
        let nobody =
            Order { line: Subscription { msisdn: None, iccid: None, ..scene.line() }, ..order };
        assert!(scene.provider.freeze(&nobody).is_err(), "{kind}: for nobody");
        if scene.provider.declares().wants_product {
            let nothing = Order { product: None, ..scene.order() };
            assert!(scene.provider.freeze(&nothing).is_err(), "{kind}: without a product");
        }
    })
    .await;
}

#[tokio::test]
async fn a_copy_is_never_taken_for_a_new_top_up() {
    each(async |scene| {
        let kind = scene.case.kind;
        assert!(stands(&scene.send().await), "{kind}");
        let again = scene.send().await;
        let charges = scene.shared.charges().len();
        if scene.case.charges_copies {
            assert_eq!(charges, 2, "{kind}: the fake must play what the provider does");
            if scene.by_ref() {
                let found = scene.find().await;
                assert!(matches!(found, Found::Several { count: 2, .. }), "{kind}: {found:?}");
            }
        } else {
            assert_eq!(charges, 1, "{kind}");
            assert!(
                !matches!(again, Answer::Refused(_)),
                "{kind}: a duplicate is no failure: {again:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn silence_is_unclear_and_looked_up() {
    for trouble in
        [Trouble::LostAfter, Trouble::FailedAfter, Trouble::PageAfter, Trouble::Truncated]
    {
        each(async |scene| {
            let kind = scene.case.kind;
            scene.shared.trouble_orders(&[trouble]);
            let answer = scene.send().await;
            assert!(matches!(answer, Answer::Unclear { .. }), "{kind} {trouble:?}: {answer:?}");
            if scene.by_ref() {
                let found = scene.find().await;
                let is_there = matches!(&found, Found::One(answer) if stands(answer));
                assert!(is_there, "{kind} {trouble:?}: {found:?}");
            }
        })
        .await;
    }
    for trouble in [Trouble::LostBefore, Trouble::Page] {
        each(async |scene| {
            let kind = scene.case.kind;
            scene.shared.trouble_orders(&[trouble]);
            let answer = scene.send().await;
            assert!(matches!(answer, Answer::Unclear { .. }), "{kind} {trouble:?}: {answer:?}");
            assert_eq!(scene.shared.charges(), [], "{kind}");
            if scene.by_ref() {
                assert_eq!(scene.find().await, Found::Nothing, "{kind} {trouble:?}");
            }
        })
        .await;
    }
}

#[tokio::test]
async fn nothing_listens_so_nothing_was_sent() {
    for case in CASES {
        let fake = Fake::start(fake_of(case.kind)).await.unwrap();
        let text = fake.config();
        drop(fake);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let provider = config(case.kind, &text).build(case.kind).await.unwrap();
        let scene = Scene::new(*case).await;
        if provider.declares().tops_up {
            let order = scene.order();
            let frozen = provider.freeze(&order).unwrap();
            let answer = provider.topup(&order, &frozen).await;
            assert!(matches!(answer, Answer::NotSent { .. }), "{}: {answer:?}", case.kind);
        }
        if scene.by_ref() {
            assert!(
                matches!(provider.find(&scene.order()).await, Found::Blind { .. }),
                "{}",
                case.kind
            );
        }
    }
}

#[tokio::test]
async fn what_is_turned_away_can_be_sent_again() {
    for trouble in [Trouble::RateLimited, Trouble::Unauthorized] {
        each(async |scene| {
            let kind = scene.case.kind;
            scene.shared.trouble_orders(&[trouble]);
            let answer = scene.send().await;
            assert_eq!(scene.shared.charges(), [], "{kind}");
            if scene.case.turns_away {
                assert!(matches!(answer, Answer::NotSent { .. }), "{kind} {trouble:?}: {answer:?}");
                let again = scene.send().await;
                assert!(stands(&again), "{kind} {trouble:?}: {again:?}");
                assert_eq!(scene.shared.charges().len(), 1, "{kind}");
            } else {
                let ends = matches!(answer, Answer::Unclear { .. } | Answer::Refused(_));
                assert!(ends, "{kind} {trouble:?}: {answer:?}");
            }
        })
        .await;
    }
}

#[tokio::test]
async fn refusals_are_sorted_by_what_may_follow() {
    each(async |scene| {
        let kind = scene.case.kind;
        let mut expected = vec![(Trouble::Refused, scene.case.refused)];
        if !WITHOUT_FLOAT.contains(&kind) {
            expected.push((Trouble::NoFunds, FailureClass::DeclinedSoft));
        }
        expected.extend(scene.case.dearer.map(|class| (Trouble::DearerNow, class)));
        for (trouble, class) in expected {
            let scene = Scene::new(scene.case).await;
            scene.shared.trouble_orders(&[trouble]);
            let mut answer = scene.send().await;
            // Some refuse only after they accepted.
            if let (Answer::Pending(_), true) = (&answer, scene.by_ref())
                && let Found::One(found) = scene.find().await
            {
                answer = found;
            }
            let Answer::Refused(refusal) = answer else {
                panic!("{kind} {trouble:?}: {answer:?}");
            };
            assert_eq!(refusal.class, class, "{kind} {trouble:?}: {refusal:?}");
            assert_eq!(scene.shared.charges(), [], "{kind} {trouble:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn pending_becomes_paid_by_looking() {
    each(async |scene| {
        if !scene.by_ref() {
            return;
        }
        let kind = scene.case.kind;
        scene.shared.trouble_orders(&[Trouble::Pending]);
        let answer = scene.send().await;
        assert!(stands(&answer), "{kind}: {answer:?}");
        for _ in 0..6 {
            if let Found::One(Answer::Paid(_)) = scene.find().await {
                return;
            }
        }
        panic!("{kind}: never paid");
    })
    .await;
}

#[tokio::test]
async fn another_target_is_a_mismatch() {
    each(async |scene| {
        if !scene.case.echoes_target {
            return;
        }
        let kind = scene.case.kind;
        scene.shared.trouble_orders(&[Trouble::OtherTarget]);
        let answer = scene.send().await;
        let noticed = matches!(answer, Answer::Mismatch { .. })
            || matches!(scene.find().await, Found::One(Answer::Mismatch { .. }));
        assert!(noticed, "{kind}: {answer:?}");
    })
    .await;
}

#[tokio::test]
async fn a_look_up_that_fails_proves_nothing() {
    for trouble in [
        Trouble::LostBefore,
        Trouble::FailedAfter,
        Trouble::Page,
        Trouble::PageAfter,
        Trouble::Truncated,
        Trouble::RateLimited,
    ] {
        each(async |scene| {
            if !scene.by_ref() {
                return;
            }
            scene.shared.trouble_questions(&[trouble; 3]);
            let found = scene.find().await;
            assert!(
                matches!(found, Found::Blind { .. }),
                "{} {trouble:?}: {found:?}",
                scene.case.kind
            );
        })
        .await;
    }
}
