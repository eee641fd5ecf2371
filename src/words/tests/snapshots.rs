//! Every notice in every language and form, as it was last looked at by a person. A change shows as
//! a difference; `INSTA_UPDATE=always cargo test --lib words` accepts it.

use super::super::{LOCALES, NoticeText, Words, sample};
use crate::channels::Message;
use crate::domain::NoticeKind;
use std::fmt::Write as _;

fn all(locale: &str, form: impl Fn(&Message) -> &str) -> String {
    let words = Words::new().unwrap();
    let (full, minimal) = (sample::full(), sample::minimal());
    let mut page = String::new();
    for kind in NoticeKind::ALL {
        for (name, facts) in [("everything is known", &full), ("nothing is known", &minimal)] {
            let link = (name == "everything is known").then_some("https://t.example/n/1");
            let notice = NoticeText { link, ..sample::notice(*kind, locale, facts) };
            let message = words.render(&notice).unwrap();
            writeln!(page, "=== {}, {name}\n{}\n", kind.as_str(), form(&message)).unwrap();
        }
    }
    page
}

#[test]
fn every_kind_in_every_language_and_form() {
    for locale in LOCALES {
        insta::assert_snapshot!(format!("{locale}_text"), all(locale, |message| &message.text));
        insta::assert_snapshot!(format!("{locale}_html"), all(locale, |message| &message.html));
        insta::assert_snapshot!(format!("{locale}_short"), all(locale, |message| &message.short));
        insta::assert_snapshot!(
            format!("{locale}_subject"),
            all(locale, |message| &message.subject)
        );
    }
}

/// `docs/notices.md` says of every kind what the code does.
#[test]
fn the_page_of_notices_knows_every_kind() {
    let page = include_str!("../../../docs/notices.md");
    for name in super::super::PARAMETERS {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
    for kind in NoticeKind::ALL {
        let begins = format!("| `{}` | ", kind.as_str());
        let row = page.lines().find(|line| line.starts_with(&begins));
        let row: Vec<&str> = row.unwrap_or_else(|| panic!("{begins}")).split(" | ").collect();
        let again = if kind.reminds() { "yes" } else { "no" };
        let span = kind.lifetime();
        let (hours, days) = (span.ms() / 3_600_000, span.ms() / 86_400_000);
        let lasts = match days {
            0 => format!("{hours} hour"),
            1 => "1 day".to_owned(),
            _ => format!("{days} days"),
        };
        assert_eq!((row[3], row[4].trim_end_matches(" |")), (again, lasts.as_str()), "{begins}");
    }
}
