//! Readings, wallets, catalogues, quotes.

use super::*;

async fn each(check: impl AsyncFn(Scene)) {
    for case in CASES {
        check(Scene::new(*case).await).await;
    }
}

#[tokio::test]
async fn a_reading_is_read() {
    each(async |scene| {
        let kind = scene.case.kind;
        let read = scene.provider.read(&scene.read_line()).await.unwrap();
        assert_eq!(read.quality, Quality::Ok, "{kind}: {read:?}");
        assert!(!read.values.is_empty(), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_none_gives_no_value() {
    for (trouble, kinds) in [
        (Trouble::LostBefore, &[ErrorKind::Temporary][..]),
        (Trouble::Page, &[ErrorKind::Temporary]),
        (Trouble::FailedAfter, &[ErrorKind::Temporary]),
        (Trouble::RateLimited, &[ErrorKind::RateLimit]),
    ] {
        each(async |scene| {
            let kind = scene.case.kind;
            scene.shared.trouble_questions(&[trouble; 4]);
            let error = scene.provider.read(&scene.read_line()).await.unwrap_err();
            let expected = kinds.iter().any(|kind| error.quality == Quality::Error(*kind));
            assert!(expected, "{kind} {trouble:?}: {error:?}");
            if trouble == Trouble::RateLimited {
                assert_eq!(error.retry_after, Some(crate::domain::Span::seconds(7)), "{kind}");
            }
        })
        .await;
    }
    for trouble in [Trouble::PageAfter, Trouble::Truncated] {
        each(async |scene| {
            scene.shared.trouble_questions(&[trouble; 4]);
            let error = scene.provider.read(&scene.read_line()).await.unwrap_err();
            assert_eq!(
                error.quality,
                Quality::Unparseable,
                "{} {trouble:?}: {error:?}",
                scene.case.kind
            );
        })
        .await;
    }
}

#[tokio::test]
async fn a_refused_key_is_said_and_a_token_that_ran_out_is_renewed() {
    each(async |scene| {
        let kind = scene.case.kind;
        scene.shared.trouble_questions(&[Trouble::Unauthorized]);
        let read = scene.provider.read(&scene.read_line()).await;
        if scene.case.has_token {
            assert!(read.is_ok(), "{kind}: {read:?}");
            assert_eq!(scene.shared.books().tokens, 2, "{kind}");
        } else {
            let error = read.unwrap_err();
            assert_eq!(error.quality, Quality::Error(ErrorKind::Authentication), "{kind}");
        }
        scene.shared.trouble_questions(&[Trouble::Unauthorized; 4]);
        let error = scene.provider.read(&scene.read_line()).await.unwrap_err();
        assert_eq!(error.quality, Quality::Error(ErrorKind::Authentication), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn what_is_declared_can_be_asked() {
    each(async |scene| {
        let (kind, declares) = (scene.case.kind, scene.provider.declares().clone());
        if declares.wallet {
            assert!(scene.provider.wallet().await.unwrap().is_positive(), "{kind}");
        }
        if declares.sells {
            let products = scene.provider.products(Some(&scene.line())).await.unwrap();
            let wanted = scene.case.product.unwrap_or_default();
            assert!(products.iter().any(|p| p.id == wanted), "{kind}: {products:?}");
        }
        if declares.quotes {
            let quote = scene.provider.quote(&scene.order()).await.unwrap();
            assert!(quote.cost.is_positive() && !quote.why.is_empty(), "{kind}: {quote:?}");
        }
        // They are known by number.
        if declares.knows_operators && scene.line().msisdn.is_some() {
            assert!(scene.provider.operator(&scene.line()).await.unwrap().is_some(), "{kind}");
        }
        let report = scene.provider.test().await.unwrap();
        assert!(!report.detail.is_empty() && !report.detail.contains("hush"), "{kind}");
    })
    .await;
}
