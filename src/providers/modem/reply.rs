//! What the network's words mean: values, or the fate of a code.
//!
//! Invariant: words that are not understood are no values, and prove nothing about a code.

use crate::domain::{Span, Timestamp, Values};
use crate::operators::{Operator, Reply};
use crate::transport::modem::sms::Message;
use chrono_tz::Tz;
use regex::{Regex, RegexBuilder};

/// A clock of the network may be off by so much.
const SKEW: Span = Span::minutes(10);

/// How a balance is read.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// As the config says.
    Own(Box<Reply>),
    /// As it is known of the operator.
    Known(&'static Operator),
}

impl Reading {
    /// What a text says of a line in `zone`.
    pub(super) fn read(&self, text: &str, zone: Tz) -> Option<Values> {
        forms(text).iter().find_map(|text| match self {
            Self::Own(reply) => reply.read(text, zone),
            Self::Known(operator) => operator.read(text, zone),
        })
    }
}

/// What the network said of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It took it.
    Redeemed,
    /// It did not.
    Rejected,
}

/// How the words about a code are told apart.
#[derive(Clone, Debug)]
pub(super) struct Verdicts {
    pub(super) redeemed: Regex,
    /// Words of "used already" do not belong here: they may be about this very code.
    pub(super) rejected: Regex,
}

impl Verdicts {
    /// A pattern for a part of the text; letter case does not count, white space is one blank.
    pub(super) fn pattern(text: &str) -> Result<Regex, String> {
        let allowed = "allowed is a regular expression for words of the answer";
        let pattern = RegexBuilder::new(text)
            .case_insensitive(true)
            .build()
            .map_err(|error| format!("{allowed} ({})", error.to_string().replace('\n', " ")))?;
        // One that fits everything would make every answer a success.
        if pattern.is_match("") { Err(allowed.to_owned()) } else { Ok(pattern) }
    }

    /// The verdict, where exactly one of the patterns fits.
    pub(super) fn of(&self, text: &str) -> Option<Verdict> {
        let fits = |pattern: &Regex| forms(text).iter().any(|text| pattern.is_match(text));
        match (fits(&self.redeemed), fits(&self.rejected)) {
            (true, false) => Some(Verdict::Redeemed),
            (false, true) => Some(Verdict::Rejected),
            (true, true) | (false, false) => None,
        }
    }

    /// The verdict of a message about a code that was sent at `sent`: older ones are about another.
    pub(super) fn of_message(&self, message: &Message, sent: Timestamp) -> Option<Verdict> {
        let fresh = message.at.is_some_and(|at| at.ms() >= sent.minus(SKEW).ms());
        if fresh { self.of(&message.text) } else { None }
    }
}

/// The text on one line, and what it would be where UCS-2 leaked through as hexadecimal digits.
fn forms(text: &str) -> Vec<String> {
    [Some(text.to_owned()), leaked(text)].into_iter().flatten().map(|t| one_line(&t)).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn leaked(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() < 8 || !text.len().is_multiple_of(4) || !text.is_ascii() {
        return None;
    }
    let units = text.as_bytes().chunks(4).map(|four| {
        let four = std::str::from_utf8(four).ok()?;
        four.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(four, 16).ok())?
    });
    String::from_utf16(&units.collect::<Option<Vec<u16>>>()?).ok()
}

/// The words for a log or a reading: short, and numbers of lines not in full.
pub(super) fn excerpt(text: &str) -> String {
    // Digits alone would be letters of some script, too.
    let letters = leaked(text).filter(|letters| letters.is_ascii());
    let text = one_line(letters.as_deref().unwrap_or(text));
    let (mut out, mut digits) = (String::new(), String::new());
    for c in text.chars().take(100).chain(['\n']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        match digits.char_indices().nth_back(3) {
            Some((at, _)) if digits.len() >= 7 => {
                out.push_str("..");
                out.push_str(digits.get(at..).unwrap_or_default());
            }
            Some(_) | None => out.push_str(&digits),
        }
        digits.clear();
        if !c.is_control() {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Money;
    use chrono_tz::America::New_York;

    const T_MOBILE: &str = "Current plan active until 08/10/2022 and will renew for $15.00. \
                            Account Balance $3.20. Add money by dialing *233 or redeem a card.";

    fn hex(text: &str) -> String {
        text.encode_utf16().map(|unit| format!("{unit:04X}")).collect()
    }

    #[test]
    fn letters_that_leaked_as_hexadecimal_are_letters_again() {
        let reading = Reading::Known(crate::operators::find("t-mobile-us").unwrap());
        for text in [T_MOBILE, &hex(T_MOBILE), &hex(T_MOBILE).to_lowercase()] {
            let values = reading.read(text, New_York).unwrap();
            assert_eq!(values.balance, Money::parse("3.20 USD").ok());
            assert_eq!(values.next_charge, Money::parse("15.00 USD").ok());
        }
        for text in ["", "0", "00000000", "12345678", "D800D800", "1 Balance 2 Exit", "é123é123"]
        {
            assert_eq!(reading.read(text, New_York), None, "{text}");
        }
    }

    #[test]
    fn only_one_clear_word_is_a_verdict() {
        let verdicts = Verdicts {
            redeemed: Verdicts::pattern("has been added").unwrap(),
            rejected: Verdicts::pattern("invalid").unwrap(),
        };
        for (text, verdict) in [
            ("$10.00 HAS BEEN\r\nadded to your account", Some(Verdict::Redeemed)),
            (&*hex("Your refill has been added"), Some(Verdict::Redeemed)),
            ("This card is INVALID", Some(Verdict::Rejected)),
            // Perhaps by this very code.
            ("This card was already used", None),
            ("Invalid: nothing has been added", None),
            ("Thank you, please wait", None),
            ("", None),
        ] {
            assert_eq!(verdicts.of(text), verdict, "{text}");
        }
        for bad in ["(", "", ".*", "x?"] {
            assert!(Verdicts::pattern(bad).is_err(), "{bad}");
        }
        let sent = Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap();
        let about = |at: Option<Timestamp>| {
            verdicts.of_message(&Message { text: "has been added".to_owned(), at }, sent)
        };
        assert_eq!(about(Some(sent)), Some(Verdict::Redeemed));
        assert_eq!(about(Some(sent.minus(Span::minutes(9)))), Some(Verdict::Redeemed));
        assert_eq!(about(Some(sent.minus(Span::hours(1)))), None);
        assert_eq!(about(None), None);
    }

    #[test]
    fn excerpts_are_short_and_hide_numbers() {
        assert_eq!(excerpt("Line 12025550123 has\r\n$3.20."), "Line ..0123 has $3.20.");
        assert_eq!(excerpt("12345678"), "..5678");
        assert_eq!(excerpt(&hex("Service unavailable")), "Service unavailable");
        assert!(excerpt(&"x".repeat(5000)).len() <= 101);
        assert_eq!(excerpt(""), "");
    }
}
