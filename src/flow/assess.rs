//! Is an answer usable? Quality checks that need to know the line: its currency, sane values.

use crate::domain::{Bucket, Currency, ErrorKind, Quality, Subscription, Values};
use crate::providers::{ReadError, ReadOk};

/// The quality of an answer about `line`, whose readings have been in `known` so far.
///
/// A reading in another currency than the plan's or the earlier ones never fires or clears
/// anything; neither does a negative volume.
pub(super) fn assess(
    line: &Subscription,
    known: Option<Currency>,
    answer: Result<ReadOk, ReadError>,
) -> (Quality, Values, Option<String>) {
    let read = match answer {
        Ok(read) => read,
        Err(error) => return (error.quality, Values::default(), Some(error.detail)),
    };
    let read = ReadOk { values: read.values.with_sums(), ..read };
    let expected = line.plan.as_ref().and_then(|p| p.price).map(|price| price.currency()).or(known);
    if let (Some(expected), Some(balance)) = (expected, read.values.balance)
        && balance.currency() != expected
    {
        let detail =
            format!("the balance is in {}, this line's money is {expected}", balance.currency());
        return (Quality::Error(ErrorKind::Currency), Values::default(), Some(detail));
    }
    let volumes = [read.values.data_left, read.values.minutes_left, read.values.sms_left];
    if volumes.into_iter().flatten().any(|n| n < 0)
        || read.values.buckets.iter().any(Bucket::is_negative)
    {
        let detail = "a remaining volume is negative".to_owned();
        return (Quality::Unparseable, Values::default(), Some(detail));
    }
    (read.quality, read.values, read.detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Money;
    use crate::domain::fixtures::line;

    fn read(balance: &str) -> Result<ReadOk, ReadError> {
        let values = Values { balance: Some(Money::parse(balance).unwrap()), ..Values::default() };
        Ok(ReadOk { values, quality: Quality::Ok, detail: None })
    }

    #[test]
    fn another_currency_is_never_a_value() {
        let line = line("l");
        let usd = Currency::parse("USD").unwrap();
        let (quality, values, _) = assess(&line, Some(usd), read("500 JPY"));
        assert_eq!(quality, Quality::Error(ErrorKind::Currency));
        assert!(values.is_empty());
        assert_eq!(assess(&line, Some(usd), read("5 USD")).0, Quality::Ok);
        // Without a plan and without earlier readings nobody knows better.
        let unplanned = Subscription { plan: None, ..line };
        assert_eq!(assess(&unplanned, None, read("500 JPY")).0, Quality::Ok);
        assert_ne!(assess(&unplanned, Some(usd), read("500 JPY")).0, Quality::Ok);
    }
}
