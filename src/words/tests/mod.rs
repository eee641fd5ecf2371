//! Whole notices, as people read them.

mod short;
mod snapshots;

use super::*;

fn words() -> Words {
    Words::new().unwrap()
}

fn every_notice() -> impl Iterator<Item = (NoticeKind, &'static str)> {
    NoticeKind::ALL.iter().flat_map(|kind| LOCALES.map(|locale| (*kind, locale)))
}

fn render(kind: NoticeKind, locale: &str, facts: &Facts) -> Message {
    words().render(&sample::notice(kind, locale, facts)).unwrap()
}

#[test]
fn every_kind_in_every_language_is_whole_whatever_is_known() {
    let words = words();
    for facts in [sample::full(), sample::minimal()] {
        for (kind, locale) in every_notice() {
            let message = words.render(&sample::notice(kind, locale, &facts)).unwrap();
            let place = format!("{locale} {}:\n{}", kind.as_str(), message.text);
            for body in [&message.text, &message.html, &message.short, &message.subject] {
                for never in
                    ["None", "none", "undefined", "{{", "{%", "..:", "()", "()", ": .", "  ."]
                {
                    let in_style = never == "none" && body == &message.html;
                    assert!(in_style || !body.contains(never), "{never:?} in {place}");
                }
            }
            assert!(!message.text.contains("\n\n\n"), "{place}");
            // A label without a value ends its line; only the heading of the commands may.
            for line in message.text.lines().filter(|line| line.ends_with([':', '\u{ff1a}'])) {
                assert!(["Commands:", "\u{547d}\u{4ee4}\u{ff1a}"].contains(&line), "{place}");
            }
            assert!(message.text.lines().all(|line| line.trim_end() == line), "{place}");
            assert!(message.html.contains(&format!("<html lang=\"{locale}\">")), "{place}");
            assert!(
                message.html.contains("name=\"color-scheme\" content=\"light dark\""),
                "{place}"
            );
            assert!(message.subject.starts_with("[topupd] "), "{place}");
            assert!(!message.short.contains('\n') && message.short.contains("topupd"), "{place}");
        }
    }
}

#[test]
fn a_low_balance_in_english() {
    let facts = Facts {
        label: "Bank number".into(),
        last4: "0123".into(),
        trigger: Some("balance 3.20 USD is at most 5.00 USD".into()),
        balance: Some("3.20 USD".into()),
        read_at: sample::full().read_at,
        service_end_at: sample::full().service_end_at,
        number_loss_at: sample::full().number_loss_at,
        ..Facts::default()
    };
    let message = render(NoticeKind::LowBalance, "en", &facts);
    assert_eq!(message.subject, "[topupd] Bank number (..0123): balance");
    assert_eq!(message.thread, "li-tmobile.balance");
    assert_eq!(
        message.text,
        "Bank number (..0123): running low

Seen: balance 3.20 USD is at most 5.00 USD.

Importance: high
Balance: 3.20 USD
As of: 2026-11-20 18:02 CST
Service ends: 2026-11-30 18:04 CST (10 days left)
Number is lost: 2027-01-29 18:04 CST (70 days left)

What happens next: nothing. You must act

topupd, notice n-42, 2026-11-20 18:04 CST
"
    );
    assert_eq!(
        message.short,
        "topupd: Bank number (..0123): balance 3.20 USD is at most 5.00 USD. You must act. \
         Service ends 2026-11-30 (10 days left)."
    );
}

#[test]
fn a_held_top_up_in_english() {
    let facts = Facts {
        label: "Bank number".into(),
        last4: "0123".into(),
        amount: Some("10.00 USD".into()),
        payer: Some("carrier".into()),
        transaction_id: Some("8F3A21".into()),
        topup: Some("t-7".into()),
        detail: Some("paid 1h ago and not seen on the line.".into()),
        ..Facts::default()
    };
    let message = render(NoticeKind::TopupHeld, "en", &facts);
    assert_eq!(
        message.text,
        "Bank number (..0123): top-up of 10.00 USD waits for your decision

Unknown: you may have been charged. It will not be retried, and nothing else is bought for this line, until you decide.

Check with carrier or on your statement whether it was paid, then say so with one of the commands below.

Importance: high
Why: paid 1h ago and not seen on the line
Amount: 10.00 USD
Payer: carrier
Transaction: 8F3A21
Top-up: t-7

What happens next: nothing. You must act

Commands:
  topupd topups show t-7
  topupd topups resolve t-7 --as paid --note \"...\"
  topupd topups resolve t-7 --as failed --note \"...\"

topupd, notice n-42, 2026-11-20 18:04 CST
"
    );
}

#[test]
fn a_failed_top_up_in_chinese() {
    let facts = Facts {
        label: "家里卡".into(),
        last4: "0123".into(),
        balance: Some("1.20 USD".into()),
        read_at: sample::full().read_at,
        amount: Some("10.00 USD".into()),
        payer: Some("carrier".into()),
        reason: Some("error(authentication)".into()),
        detail: Some("the key was refused".into()),
        next: Some("the line is judged again after a pause".into()),
        next_at: sample::full().next_at,
        topup: Some("t-7".into()),
        ..Facts::default()
    };
    let message = render(NoticeKind::TopupFailed, "zh-CN", &facts);
    assert_eq!(message.subject, "[topupd] 家里卡 (..0123): 充值");
    assert_eq!(
        message.text,
        "家里卡（尾号0123）：充值 10.00 USD 失败，未扣款

失败：carrier没有办理。您没有被扣款。

级别：重要
原因：登录凭据被拒绝（the key was refused）
余额：1.20 USD
查询时间：2026-11-20 18:02 CST
金额：10.00 USD
付款渠道：carrier
充值单：t-7

接下来：稍后会重新判断此线路（2026-11-20 18:14 CST）

命令：
  topupd topups show t-7

topupd 通知 n-42, 2026-11-20 18:04 CST
"
    );
    assert_eq!(
        message.short,
        "【topupd】家里卡（尾号0123）充值 10.00 USD 失败，未扣款。登录凭据被拒绝。单号t-7"
    );
}

#[test]
fn money_events_say_plainly_what_became_of_the_money() {
    let facts = sample::full();
    for (kind, en, zh) in [
        (NoticeKind::TopupStarted, "Not done yet", "尚未完成"),
        (NoticeKind::TopupPaid, "Done: ", "已完成"),
        (NoticeKind::TopupVerified, "Done: ", "已完成"),
        (NoticeKind::TopupFailed, "You were not charged", "没有被扣款"),
        (
            NoticeKind::TopupUnknown,
            "you may have been charged. It will not be retried until",
            "可能已扣款。核实之前不会重试",
        ),
        (
            NoticeKind::TopupHeld,
            "you may have been charged. It will not be retried",
            "可能已扣款。在您决定之前不会重试",
        ),
        (NoticeKind::TopupReversed, "returned the money", "款项已退回"),
        (NoticeKind::TopupRefused, "Not sent, not charged", "未提交，未扣款"),
        (NoticeKind::TopupTask, "the next reading confirms the payment", "下一次查询会确认到账"),
        (NoticeKind::ApprovalWanted, "Not sent, not charged", "未提交，未扣款"),
    ] {
        for (locale, says) in [("en", en), ("zh-CN", zh)] {
            let message = render(kind, locale, &facts);
            for expected in [says, "10.00 USD", "8F3A21", "carrier"] {
                assert!(message.text.contains(expected), "{expected} in {}", message.text);
                assert!(message.html.contains(expected), "{expected} in {}", message.html);
            }
            assert!(message.short.contains("10.00 USD"), "{}", message.short);
        }
    }
}

#[test]
fn people_are_told_what_to_type() {
    let commands = |kind, facts| render(kind, "en", &facts).text;
    let approve = commands(NoticeKind::ApprovalWanted, sample::full());
    assert!(
        approve.contains("\n  topupd topups approve t-7\n  topupd topups reject t-7\n"),
        "{approve}"
    );
    let stale = commands(NoticeKind::Stale, sample::full());
    assert!(stale.contains("\n  topupd poll li-tmobile\n"), "{stale}");
    // What is not an id never becomes part of a command.
    let odd = Facts { topup: Some("t-7; rm -rf /".into()), ..sample::full() };
    assert!(!commands(NoticeKind::ApprovalWanted, odd).contains("approve t-7;"));
}

#[test]
fn labels_cannot_break_out() {
    let facts = Facts {
        label: "A\r\nBcc: eve@example.com\u{202e} <b>&\"'".into(),
        last4: "+12025550123".into(),
        detail: Some("<script>alert(1)</script>\r\n\r\n\r\nx".into()),
        ..sample::full()
    };
    for (kind, locale) in every_notice() {
        let message = render(kind, locale, &facts);
        assert!(
            message.subject.starts_with("[topupd] A Bcc: eve@example.com <b>&\"' (..0123): "),
            "{}",
            message.subject
        );
        for bad in ["<script", "<b>", "2025550123", "\r", "\u{202e}"] {
            assert!(!message.html.contains(bad), "{bad} in {}", message.html);
        }
        assert!(!message.text.contains("2025550123") && !message.text.contains('\r'));
    }
}

#[test]
fn days_are_counted_from_the_cause() {
    let (day, at) = (86_400_000, sample::notice(NoticeKind::Test, "en", &Facts::default()).at.ms());
    for (end, en, zh) in [
        (at - 1, "(passed)", "（已过）"),
        (at + day - 1, "(less than a day left)", "（不足1天）"),
        (at + day, "(1 day left)", "（还有1天）"),
        (at + 3 * day - 1, "(2 days left)", "（还有2天）"),
    ] {
        let facts = Facts { service_end_at: Some(end), ..Facts::default() };
        for (locale, expected) in [("en", en), ("zh-CN", zh)] {
            let text = render(NoticeKind::ExpiryNear, locale, &facts).text;
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
}

#[test]
fn one_topic_of_one_line_is_one_thread() {
    let facts = sample::full();
    let paid = render(NoticeKind::TopupPaid, "en", &facts);
    let failed =
        render(NoticeKind::TopupFailed, "en", &Facts { amount: Some("5.00 USD".into()), ..facts });
    assert_eq!((&paid.subject, &paid.thread), (&failed.subject, &failed.thread));
    let nothing = Facts::default();
    let stopped = NoticeText {
        link: None,
        subscription: None,
        ..sample::notice(NoticeKind::PayingStopped, "en", &nothing)
    };
    let stopped = words().render(&stopped).unwrap();
    assert_eq!(
        (stopped.subject.as_str(), stopped.thread.as_str()),
        ("[topupd] paying", "all.paying")
    );
}

#[test]
fn other_languages_get_english_and_other_chinese_gets_chinese() {
    let text = |locale| render(NoticeKind::Test, locale, &Facts::default()).text;
    assert_eq!(text("fr"), text("en"));
    assert_eq!(text("zh-Hans"), text("zh-CN"));
    assert_ne!(text("en"), text("zh-CN"));
}
