//! Money as integer minor units with an ISO 4217 currency. There is no float in sight:
//! decimals are parsed from text, and every sum is checked.
#![warn(clippy::arithmetic_side_effects)]

use rust_decimal::{Decimal, RoundingStrategy};
use std::{fmt, str::FromStr};

/// A currency of ISO 4217 that has minor units (precious metals and test codes do not count).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Parses an alphabetic code such as `USD`, in any letter case.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        let unknown = || MoneyError::UnknownCurrency(code.chars().take(16).collect());
        let found = iso_currency::Currency::from_code(&code.trim().to_ascii_uppercase())
            .ok_or_else(unknown)?;
        found.exponent().ok_or_else(unknown)?;
        Ok(Self(found))
    }

    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the decimal point (USD 2, JPY 0, KWD 3).
    pub fn digits(self) -> u32 {
        self.0.exponent().map_or(2, u32::from)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What to do with digits finer than the currency has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Refuse them: a person or a price said something that cannot be paid.
    Exact,
    /// Towards minus infinity: a balance is never read as more than it is.
    Floor,
    /// Towards plus infinity: what must be covered is never understated.
    Ceiling,
}

/// An amount in minor units (cents for USD) of one currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why a text or a sum is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code with minor units.
    #[error("unknown currency `{0}` (an ISO 4217 code such as USD is allowed)")]
    UnknownCurrency(String),
    /// Not of the form `10.00 USD`.
    #[error("`{0}` is not an amount of money (write for example \"10.00 USD\")")]
    Malformed(String),
    /// More digits than the currency has.
    #[error("`{text}` has more than the {digits} decimal digits of {currency}")]
    TooFine {
        /// The text as found.
        text: String,
        /// Digits allowed.
        digits: u32,
        /// The currency that limits them.
        currency: Currency,
    },
    /// Outside the range of 64-bit minor units.
    #[error("`{0}` is too large an amount")]
    TooLarge(String),
}

impl Money {
    /// `minor` minor units of `currency`.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// True above zero.
    pub const fn is_positive(self) -> bool {
        self.minor > 0
    }

    /// Parses `10.00 USD` (also `USD 10.00`), refusing digits finer than the currency.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let malformed = || MoneyError::Malformed(text.chars().take(40).collect());
        let (left, right) = text.trim().split_once(char::is_whitespace).ok_or_else(malformed)?;
        let (number, code) = if left.starts_with(|c: char| c.is_ascii_alphabetic()) {
            (right.trim(), left)
        } else {
            (left, right.trim())
        };
        Self::from_text(number, Currency::parse(code)?, Rounding::Exact)
    }

    /// Parses a plain decimal such as `10.00` or `-3` in a known currency.
    pub fn from_text(
        number: &str,
        currency: Currency,
        rounding: Rounding,
    ) -> Result<Self, MoneyError> {
        let number = number.trim();
        let plain = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
        let decimal = Decimal::from_str(number)
            .ok()
            .filter(|_| plain)
            .ok_or_else(|| MoneyError::Malformed(number.chars().take(40).collect()))?;
        Self::from_decimal(decimal, currency, rounding)
    }

    /// Converts major units to minor ones.
    pub fn from_decimal(
        major: Decimal,
        currency: Currency,
        rounding: Rounding,
    ) -> Result<Self, MoneyError> {
        let digits = currency.digits();
        let rounded = match rounding {
            Rounding::Exact if major.normalize().scale() > digits => {
                return Err(MoneyError::TooFine { text: major.to_string(), digits, currency });
            }
            Rounding::Exact | Rounding::Floor => {
                major.round_dp_with_strategy(digits, RoundingStrategy::ToNegativeInfinity)
            }
            Rounding::Ceiling => {
                major.round_dp_with_strategy(digits, RoundingStrategy::ToPositiveInfinity)
            }
        };
        let too_large = || MoneyError::TooLarge(major.to_string());
        let scale = Decimal::from(10_i64.checked_pow(digits).ok_or_else(too_large)?);
        let minor = rounded.checked_mul(scale).ok_or_else(too_large)?;
        let minor = i64::try_from(
            minor
                .trunc()
                .mantissa()
                .checked_div(10_i128.checked_pow(minor.trunc().scale()).ok_or_else(too_large)?)
                .ok_or_else(too_large)?,
        )
        .map_err(|_| too_large())?;
        Ok(Self { minor, currency })
    }

    /// The plain decimal with the currency's digits: `10.00`, `-0.05`, `500` (JPY).
    pub fn plain(self) -> String {
        let digits = usize::try_from(self.currency.digits()).unwrap_or(2);
        let sign = if self.minor < 0 { "-" } else { "" };
        let units =
            format!("{:0width$}", self.minor.unsigned_abs(), width = digits.saturating_add(1));
        let (major, fraction) = units.split_at(units.len().saturating_sub(digits));
        if digits == 0 { format!("{sign}{major}") } else { format!("{sign}{major}.{fraction}") }
    }

    /// Sum; `None` on another currency or overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        (self.currency == other.currency)
            .then(|| self.minor.checked_add(other.minor))
            .flatten()
            .map(|minor| Self { minor, ..self })
    }

    /// Difference; `None` on another currency or overflow.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        (self.currency == other.currency)
            .then(|| self.minor.checked_sub(other.minor))
            .flatten()
            .map(|minor| Self { minor, ..self })
    }

    /// This amount `n` times; `None` on overflow.
    #[must_use]
    pub fn checked_mul(self, n: i64) -> Option<Self> {
        self.minor.checked_mul(n).map(|minor| Self { minor, ..self })
    }

    /// `percent` hundredths of this amount, rounded up; `None` on overflow.
    #[must_use]
    pub fn percent_ceiling(self, percent: i64) -> Option<Self> {
        let product = i128::from(self.minor).checked_mul(i128::from(percent))?;
        let up = product.checked_add(if product > 0 { 99 } else { 0 })?.checked_div(100)?;
        i64::try_from(up).ok().map(|minor| Self { minor, ..self })
    }

    /// Orders two amounts of the same currency; `None` across currencies.
    pub fn partial_cmp_same(self, other: Self) -> Option<std::cmp::Ordering> {
        (self.currency == other.currency).then(|| self.minor.cmp(&other.minor))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.plain(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> serde::Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Shape {
            amount_minor: i64,
            currency: String,
        }
        let shape = Shape::deserialize(deserializer)?;
        let currency = Currency::parse(&shape.currency).map_err(serde::de::Error::custom)?;
        Ok(Self::new(shape.amount_minor, currency))
    }
}

impl serde::Serialize for Money {
    /// `{"amount_minor": 1000, "currency": "USD"}`, the shape of the CLI and the API.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("Money", 2)?;
        out.serialize_field("amount_minor", &self.minor)?;
        out.serialize_field("currency", self.currency.code())?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_prints_the_currency_s_digits() {
        for (text, minor, plain) in [
            ("10.00 USD", 1000, "10.00"),
            ("10 USD", 1000, "10.00"),
            ("USD 0.05", 5, "0.05"),
            ("500 JPY", 500, "500"),
            ("1.234 KWD", 1234, "1.234"),
            ("-0.05 usd", -5, "-0.05"),
        ] {
            let money = Money::parse(text).unwrap();
            assert_eq!((money.minor(), money.plain().as_str()), (minor, plain), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_an_amount() {
        for bad in
            ["10.00", "ten USD", "10.005 USD", "1e3 USD", "5 XXX", "5 XAU", "5.00", "", "1_000 USD"]
        {
            assert!(Money::parse(bad).is_err(), "{bad}");
        }
        assert!(matches!(
            Money::parse("99999999999999999999 USD"),
            Err(MoneyError::TooLarge(_) | MoneyError::Malformed(_))
        ));
    }

    #[test]
    fn currencies_never_mix() {
        let (usd, eur) = (Money::parse("1 USD").unwrap(), Money::parse("1 EUR").unwrap());
        assert_eq!(usd.checked_add(eur), None);
        assert_eq!(usd.partial_cmp_same(eur), None);
        assert_eq!(usd.percent_ceiling(5).unwrap().minor(), 5);
        assert_eq!(Money::parse("0.01 USD").unwrap().percent_ceiling(110).unwrap().minor(), 2);
    }

    proptest! {
        #[test]
        fn printing_and_parsing_agree(minor in any::<i64>(), code in prop::sample::select(vec!["USD", "JPY", "KWD"])) {
            let money = Money::new(minor, Currency::parse(code).unwrap());
            prop_assert_eq!(Money::parse(&money.to_string()), Ok(money));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            Money::parse(&text).ok();
        }
    }
}
