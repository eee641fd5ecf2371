//! Names of things: text ids, phone numbers, SIM serials. Parsed once at the door, then trusted.

use rlibphonenumber::PHONE_NUMBER_UTIL;
use std::fmt;

/// Why a text is not an id, a phone number or a SIM serial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 1 to 64 of the allowed characters.
    #[error("allowed are 1 to 64 of the characters a-z A-Z 0-9 . _ - (first a letter or digit)")]
    BadId,
    /// Not a possible E.164 number.
    #[error("allowed is a phone number in E.164, such as \"+12025550123\"")]
    BadMsisdn,
    /// Not 18 to 22 digits, or the Luhn check digit is wrong.
    #[error("allowed are the 18 to 22 digits of an ICCID whose last digit is its Luhn check digit")]
    BadIccid,
}

/// True for text that may be an id.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub struct $name(String);

        impl $name {
            /// Parses an id: 1 to 64 letters, digits, `.`, `_`, `-`.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                if is_id(text) { Ok(Self(text.to_owned())) } else { Err(IdError::BadId) }
            }

            /// Takes an id that the store or a derivation made, and that was checked then.
            pub(crate) fn trusted(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_id! {
    /// Who owns lines and gets notices.
    SubscriberId
    /// One watched line or wallet.
    SubscriptionId
    /// One rule.
    RuleId
    /// One continuous breach of one rule on one subscription.
    EpisodeId
    /// One stored need.
    NeedId
    /// One top-up.
    TopupId
}

/// A phone number in E.164, checked against the numbering plans for length and country.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msisdn(String);

impl Msisdn {
    /// Parses a number with its `+` and country code; spaces and punctuation are dropped.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        let clean: String =
            text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '\u{a0}')).collect();
        if !is_e164(&clean) {
            return Err(IdError::BadMsisdn);
        }
        let number = PHONE_NUMBER_UTIL.parse(&clean, None).map_err(|_| IdError::BadMsisdn)?;
        if PHONE_NUMBER_UTIL.is_possible_number(&number) {
            Ok(Self(clean))
        } else {
            Err(IdError::BadMsisdn)
        }
    }

    /// Takes a number that was parsed before it was stored: its form is checked, the numbering
    /// plans are not asked again.
    pub(crate) fn stored(text: &str) -> Option<Self> {
        is_e164(text).then(|| Self(text.to_owned()))
    }

    /// True where `echo` can be this number: the same digits, or the same without its country.
    pub fn reads_as(&self, echo: &str) -> bool {
        let ours = self.0.trim_start_matches('+');
        let theirs = digits(echo).trim_start_matches('0').to_owned();
        ours == theirs
            || (theirs.len() >= 7 && !echo.trim().starts_with('+') && ours.ends_with(&theirs))
    }

    /// The number with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its country (ISO 3166 alpha-2) and the number without the country code. Where several
    /// countries share a code and the number does not tell, the main one.
    pub fn parts(&self) -> Option<(String, String)> {
        let number = PHONE_NUMBER_UTIL.parse(&self.0, None).ok()?;
        let code = number.country_code;
        let region = PHONE_NUMBER_UTIL
            .get_region_for_number(&number)
            .or_else(|| PHONE_NUMBER_UTIL.get_region_for_country_code(code))?;
        let national = self.0.strip_prefix(&format!("+{code}"))?;
        Some((region.to_string(), national.to_owned()))
    }

    /// The last four digits, the part that notices may show.
    pub fn last4(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(4)..).unwrap_or("")
    }
}

/// True for a `+` and 7 to 15 digits.
fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Masked: country digits and the last two, the way logs show it.
impl fmt::Display for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask(&self.0))
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A SIM's serial number (ITU-T E.118): 18 to 22 digits, the last a Luhn check digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iccid(String);

impl Iccid {
    /// Parses the digits; spaces and dashes are dropped, as is the filler `F` some SIMs print.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let clean: String = text.trim().chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let clean = clean.trim_end_matches(['F', 'f']);
        let digits = (18..=22).contains(&clean.len()) && clean.bytes().all(|b| b.is_ascii_digit());
        if digits && luhn(clean) { Ok(Self(clean.to_owned())) } else { Err(IdError::BadIccid) }
    }

    /// True where `echo` is this serial, with or without its check digit.
    pub fn reads_as(&self, echo: &str) -> bool {
        let (ours, theirs) = (self.as_str(), digits(echo));
        ours == theirs
            || (theirs.len() >= 18
                && ours.len() == theirs.len().saturating_add(1)
                && ours.starts_with(&theirs))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

impl fmt::Display for Iccid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask(&self.0))
    }
}

impl fmt::Debug for Iccid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// ISO/IEC 7812-1 annex B: every second digit from the right doubled, the sum divisible by ten.
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            match (place % 2 == 1, digit * 2) {
                (false, _) => digit,
                (true, doubled) if doubled > 9 => doubled - 9,
                (true, doubled) => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Keeps the first three and last two characters; the rest becomes dots.
fn mask(text: &str) -> String {
    let n = text.chars().count();
    text.chars()
        .enumerate()
        .map(|(i, c)| if i < 3 || i + 2 >= n { c } else { '\u{2022}' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_e164() {
        assert_eq!(Msisdn::parse("+1 (202) 555-0123").unwrap().as_str(), "+12025550123");
        assert_eq!(Msisdn::parse("+447700900001").unwrap().last4(), "0001");
        for bad in ["", "12025550123", "+1202555", "+1202555012345", "+1202555o123", "+0123456789"]
        {
            assert_eq!(Msisdn::parse(bad), Err(IdError::BadMsisdn), "{bad}");
        }
    }

    #[test]
    fn stored_numbers_have_the_form_of_parsed_ones() {
        assert_eq!(Msisdn::stored("+12025550123"), Msisdn::parse("+1 202 555 0123").ok());
        for bad in ["", "+", "12025550123", "+1 2025550123", "+12025550123456789", "+1202o550123"] {
            assert_eq!(Msisdn::stored(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_print_masked() {
        let shown = format!("{0} {0:?}", Msisdn::parse("+12025550123").unwrap());
        assert!(!shown.contains("2025550"), "{shown}");
        assert!(shown.starts_with("+12") && shown.ends_with("23"), "{shown}");
    }

    #[test]
    fn iccids_pass_luhn() {
        assert!(Iccid::parse("8901260852290847433").is_ok() == luhn("8901260852290847433"));
        let body = "890126085229084743";
        let good = (0..10).find(|d| luhn(&format!("{body}{d}"))).unwrap();
        assert!(Iccid::parse(&format!("{body}{good}")).is_ok());
        assert_eq!(Iccid::parse(&format!("{body}{}", (good + 1) % 10)), Err(IdError::BadIccid));
        assert_eq!(Iccid::parse("1234"), Err(IdError::BadIccid));
    }

    #[test]
    fn ids_are_plain() {
        assert!(SubscriptionId::parse("li-tmobile").is_ok());
        for bad in ["", "-x", "a b", "a/b", "\u{e9}", &"x".repeat(65)] {
            assert!(SubscriptionId::parse(bad).is_err(), "{bad}");
        }
    }
}
