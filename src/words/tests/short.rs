//! Notices in one SMS.

use super::*;

#[test]
fn the_short_line_fits_one_sms_and_keeps_the_amount() {
    let long = "Großmutters Nummer für die Bank, täglich “gebraucht” \u{1f600}".repeat(3);
    let facts = [
        sample::full(),
        Facts { label: long, ..sample::full() },
        Facts { label: "家里卡".repeat(20), payer: Some("p".repeat(64)), ..sample::full() },
        Facts {
            amount: Some("92233720368547758.07 USD".into()),
            trigger: Some("balance 92233720368547.07 USD is at most 9223372036854.07 USD".into()),
            detail: Some("x".repeat(400)),
            transaction_id: Some("t".repeat(200)),
            ..sample::full()
        },
    ];
    let words = words();
    for facts in &facts {
        for (kind, locale) in every_notice() {
            let message = words.render(&sample::notice(kind, locale, facts)).unwrap();
            let short = &message.short;
            if locale == "en" {
                let septets: usize =
                    short.chars().map(|c| if "^{}\\[]~|€".contains(c) { 2 } else { 1 }).sum();
                assert!(septets <= 160, "{septets}: {short}");
                assert!(
                    short.chars().all(|c| (c.is_ascii() && !c.is_control()) || "ßüä€".contains(c)),
                    "{short}"
                );
            } else {
                assert!(short.encode_utf16().count() <= 70, "{short}");
            }
            if kind.topic() == "topup" {
                assert!(short.contains(facts.amount.as_deref().unwrap()), "{short}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_goes_in_a_fixed_order() {
    let facts = Facts { detail: Some("x".repeat(60)), ..sample::full() };
    let short = render(NoticeKind::TopupFailed, "en", &facts).short;
    // The balance and the next time go before the reason would; the reference stays.
    assert_eq!(
        short,
        format!(
            "topupd: Bank number (..0123): top-up of 10.00 USD FAILED, not charged. {}. Txn 8F3A21",
            "x".repeat(60)
        )
    );
    let unspeakable = Facts { label: "家里卡".into(), ..sample::full() };
    let short = render(NoticeKind::Recovered, "en", &unspeakable).short;
    assert!(short.starts_with("topupd: Line ..0123: back to normal."), "{short}");
}
