//! Lines that say the same again and again: counted, not written anew.
//!
//! Of a run of equal readings the first and the last have rows in `readings`. While a run goes on, its
//! last reading is in `watches` alone (`ok_at`, with `kept_at` where its values are); the view
//! `sightings` has it with the others. Its row is written when something else is read.

use super::{Polled, Store, StoreError, Tx, buckets};
use crate::domain::{Currency, Money, Reading, Span, Timestamp};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// How long a run of equal readings lasts at most; then the next one begins.
pub const LONGEST_RUN: Span = Span::days(7);

/// What a line said last, while saying it again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steady {
    /// The mark of the last reading, as [`steady_mark`] makes it.
    pub mark: String,
    /// When the run of equal readings began.
    pub since: Timestamp,
    /// When it is decided about next, unless something else is read.
    pub decide_at: Option<Timestamp>,
    /// Until when saying it again changes nothing.
    pub until: Option<Timestamp>,
}

impl Steady {
    /// The currency of the balance, where there is one.
    pub(super) fn currency(&self) -> Option<Currency> {
        Currency::parse(self.mark.split_once(' ')?.0).ok()
    }
}

/// A reading that says what the last one said.
#[derive(Clone, Debug)]
pub struct SeenAgain {
    /// What came of the poll.
    pub polled: Polled,
    /// The mark of the last reading, as [`Steady::mark`].
    pub mark: String,
    /// When the line counts as stale if nothing else is read; none where it may be decided about when it
    /// is due for that anyway, which is before then.
    pub stale_at: Option<Timestamp>,
}

/// Who read what: equal for readings that say the same of one line, and for no others.
///
/// It is the currency of the balance and 128 bits of the SHA-256 of all that was said. (A row with all of
/// it would have half as many neighbours on its page, and every poll writes a page.)
pub fn steady_mark(reading: &Reading) -> String {
    let v = &reading.values;
    let money = |money: Option<Money>| money.map(|m| (m.minor(), m.currency().code()));
    let times = [v.service_end_at, v.number_loss_at].map(|at| at.map(Timestamp::ms));
    let said = (
        reading.provider.as_str(),
        money(v.balance),
        v.data_left,
        v.minutes_left,
        v.sms_left,
        times,
        money(v.next_charge),
        buckets::text(&v.buckets),
    );
    let text = serde_json::to_string(&said).unwrap_or_else(|_| format!("{said:?}"));
    let hash = Sha256::digest(text);
    let short = hash.get(..16).unwrap_or(&hash);
    let currency = v.balance.map_or("-", |m| m.currency().code());
    format!("{currency} {}", BASE64URL_NOPAD.encode(short))
}

impl Store {
    /// Counts readings that say the same again, without a row and without a decision; what is due for
    /// one stays due. Returns those that must be written in full: their lines changed since they were
    /// claimed.
    pub(super) async fn see_again<'a>(
        &self,
        tx: &mut Tx,
        seen: &'a [SeenAgain],
        now: Timestamp,
    ) -> Result<Vec<&'a Polled>, StoreError> {
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        let id = |s: &'a SeenAgain| s.polled.reading.subscription.as_str();
        let rows = seen
            .iter()
            .map(|s| json!([id(s), s.polled.reading.at.ms(), s.polled.next_poll_at.ms(), s.mark]));
        let rows = Value::Array(rows.collect()).to_string();
        let done = sqlx::query(self.sql(COUNT_AGAIN)).bind(&rows).execute(&mut **tx).await?;
        let stale = seen.iter().filter_map(|s| s.stale_at.map(|at| (s, at.ms())));
        let stale: Vec<Value> =
            stale.map(|(s, at)| json!([id(s), s.polled.reading.at.ms(), at])).collect();
        if !stale.is_empty() {
            let stale = Value::Array(stale).to_string();
            let query = sqlx::query(self.sql(DECIDE_LATER)).bind(stale).bind(now.ms());
            query.execute(&mut **tx).await?;
        }
        if usize::try_from(done.rows_affected()) == Ok(seen.len()) {
            return Ok(Vec::new());
        }
        // Rare: a reading by hand or a claimed decision came in between.
        let counted: Vec<String> =
            sqlx::query_scalar(self.sql(COUNTED)).bind(&rows).fetch_all(&mut **tx).await?;
        let is_counted =
            |p: &Polled| counted.iter().any(|id| id == p.reading.subscription.as_str());
        Ok(seen.iter().map(|s| &s.polled).filter(|polled| !is_counted(polled)).collect())
    }

    /// Ends the runs of the named lines: the last reading of each gets its row.
    pub(super) async fn end_runs(&self, tx: &mut Tx, ids: &str) -> Result<(), StoreError> {
        let sql = self.sql(
            "INSERT INTO readings (subscription_id, at, provider, quality, balance_minor, currency, \
             data_left_bytes, minutes_left, sms_left, service_end_at, number_loss_at, detail, buckets, \
             next_charge_minor, next_charge_currency, since, times) \
             SELECT w.subscription_id, w.ok_at, r.provider, r.quality, r.balance_minor, r.currency, \
             r.data_left_bytes, r.minutes_left, r.sms_left, r.service_end_at, r.number_loss_at, r.detail, \
             r.buckets, r.next_charge_minor, r.next_charge_currency, r.at, w.seen_again \
             FROM watches w JOIN readings r ON r.subscription_id = w.subscription_id AND r.at = w.kept_at \
             WHERE w.kept_at IS NOT NULL AND w.subscription_id IN {ids $1} \
             ON CONFLICT (subscription_id, at) DO NOTHING",
        );
        sqlx::query(sql).bind(ids).execute(&mut **tx).await?;
        Ok(())
    }
}

const COUNT_AGAIN: &str = "UPDATE watches SET next_poll_at = CASE WHEN next_poll_at IS NULL THEN NULL ELSE n.w END, \
     newest_at = n.a, ok_at = n.a, kept_at = COALESCE(kept_at, ok_at), seen_again = seen_again + 1 \
     FROM {records $1 s text, a bigint, w bigint, t text} \
     WHERE watches.subscription_id = n.s AND watches.steady = n.t \
     AND watches.newest_at = watches.ok_at AND watches.newest_at < n.a";

/// What is due for a decision stays due. (A statement of its own: an index is written anew wherever its
/// column is set, changed or not.)
const DECIDE_LATER: &str = "UPDATE watches SET next_decide_at = CASE WHEN steady_until < n.g THEN steady_until ELSE n.g END \
     FROM {records $1 s text, a bigint, g bigint} WHERE watches.subscription_id = n.s \
     AND watches.ok_at = n.a AND watches.kept_at IS NOT NULL \
     AND (watches.next_decide_at IS NULL OR watches.next_decide_at > $2)";

const COUNTED: &str = "SELECT n.s FROM {records $1 s text, a bigint} \
     JOIN watches w ON w.subscription_id = n.s WHERE w.ok_at = n.a AND w.kept_at IS NOT NULL";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Values, fixtures::reading};

    #[test]
    fn the_currency_is_in_the_mark() {
        let of = |reading: &Reading| {
            let (mark, since) = (steady_mark(reading), Timestamp::from_ms(0));
            Steady { mark, since, decide_at: None, until: None }.currency()
        };
        let first = reading("23.00 USD", 0);
        assert_eq!(of(&first), Currency::parse("USD").ok());
        let none = Values { balance: None, ..first.values.clone() };
        assert_eq!(of(&Reading { values: none, ..first }), None);
    }

    /// Another mark for the same reading would have every line of every fleet written and judged anew.
    #[test]
    fn marks_that_were_stored_before_still_hold() {
        assert_eq!(steady_mark(&reading("23.00 USD", 0)), "USD suJ8vX-mtK4EQ5VAmoIF8g");
    }

    #[test]
    fn only_equal_readings_have_equal_marks() {
        let first = reading("23.00 USD", 0);
        assert_eq!(steady_mark(&first), steady_mark(&reading("23.00 USD", 5)));
        let with = |change: fn(&mut Values)| {
            let mut changed = first.clone();
            change(&mut changed.values);
            changed
        };
        for other in [
            reading("23.01 USD", 0),
            reading("23.00 EUR", 0),
            Reading { provider: "other".into(), ..first.clone() },
            with(|v| v.balance = None),
            with(|v| v.data_left = Some(0)),
            with(|v| v.minutes_left = Some(0)),
            with(|v| v.sms_left = Some(0)),
            with(|v| v.service_end_at = None),
            with(|v| v.number_loss_at = v.service_end_at),
            with(|v| v.next_charge = v.balance),
        ] {
            assert_ne!(steady_mark(&first), steady_mark(&other));
        }
    }
}
