//! Is the answer about the line that was asked about?

use super::place::Document;
use crate::domain::{Iccid, Msisdn, Subscription};
use crate::providers::api::plain;

/// Members that usually hold a line's number.
const NUMBERS: [&str; 3] = ["msisdn", "phone_number", "phoneNumber"];

/// Members that usually hold a SIM's serial.
const SERIALS: [&str; 1] = ["iccid"];

/// Where no place for an echo is configured: looks through the members that usually hold one.
/// `Err` says whose the answer is instead.
pub(super) fn check_usual(document: &Document, line: &Subscription) -> Result<(), String> {
    if let Some(ours) = &line.msisdn {
        for echo in document.members(&NUMBERS).filter_map(plain) {
            if !ours.reads_as(&echo)
                && let Some(other) = number(&echo)
            {
                return Err(format!("asked about {ours}, the answer is about {other}"));
            }
        }
    }
    if let Some(ours) = &line.iccid {
        for echo in document.members(&SERIALS).filter_map(plain) {
            if !ours.reads_as(&echo)
                && let Ok(other) = Iccid::parse(&echo)
            {
                return Err(format!("asked about ICCID {ours}, the answer is about {other}"));
            }
        }
    }
    Ok(())
}

/// A number as providers write it, also without the `+`.
fn number(text: &str) -> Option<Msisdn> {
    Msisdn::parse(text).or_else(|_| Msisdn::parse(&format!("+{}", text.trim()))).ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::line;
    use super::*;

    #[test]
    fn numbers_in_every_dress() {
        let ours = Msisdn::parse("+12025550123").unwrap();
        for same in [
            "+12025550123",
            "12025550123",
            "2025550123",
            "(202) 555-0123",
            "0012025550123",
            "1-202-555-0123",
        ] {
            assert!(ours.reads_as(same), "{same}");
        }
        for other in
            ["+12025550124", "", "0123", "550123", "+2025550123", "912025550123", "3025550123"]
        {
            assert!(!ours.reads_as(other), "{other}");
        }
    }

    #[test]
    fn an_answer_about_another_line_is_noticed() {
        let check = |json: &str| check_usual(&Document::parse(json, None).unwrap(), &line());
        for fine in [
            "{}",
            r#"{"msisdn":"+12025550123"}"#,
            r#"{"line":{"phoneNumber":"12025550123"}}"#,
            r#"{"msisdn":2025550123}"#,
            r#"{"msisdn":"unknown"}"#,
            r#"{"others":[{"msisdn":"+12025550199"}]}"#,
            r#"{"iccid":"8901260852290847433"}"#,
        ] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
        for foreign in [
            r#"{"msisdn":"+12025550199"}"#,
            r#"{"data":{"phone_number":"12025550199"}}"#,
            r#"{"line":{"phoneNumber":"+447700900001"}}"#,
        ] {
            let why = check(foreign).unwrap_err();
            assert!(!why.contains("2025550"), "the number must stay masked: {why}");
        }
    }
}
