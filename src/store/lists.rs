//! Lists as people page through them: of their scope only, narrowed, in an order that stays.
//!
//! Invariant: what is outside of a scope is held back by the query itself, so no list can leak it.

use super::{
    AuditRow, LedgerEntry, Scope, Store, StoreError, StoredNotice, SubscriptionView, ledger,
    notices, rows, rows::Columns,
};
use crate::domain::{Reading, SubscriptionId, Timestamp, Topup};
use std::collections::HashMap;

/// True for rows of line `$line` within the scope of the two parameters.
macro_rules! within {
    ($line:literal, $subscriber:literal, $tag:literal) => {
        within!(@of $line, "", $subscriber, $tag)
    };
    (@of $row:literal, $column:literal, $subscriber:literal, $tag:literal) => {
        concat!(
            "((",
            $subscriber,
            " IS NULL AND ",
            $tag,
            " IS NULL) OR EXISTS (SELECT 1 FROM subscriptions sc WHERE sc.id = ",
            $row,
            $column,
            " AND (",
            $subscriber,
            " IS NULL OR sc.subscriber_id = ",
            $subscriber,
            ")",
            " AND (",
            $tag,
            " IS NULL OR ",
            $tag,
            " IN {ids sc.tags})))"
        )
    };
}

/// True for notices `n` within the scope of the two parameters. Of a subscriber's scope are those
/// that were told to them, and not about the lines of others; of a tag's, those about its lines.
macro_rules! notices_within {
    ($subscriber:literal, $tag:literal) => {
        concat!(
            "(",
            $subscriber,
            " IS NULL OR n.subscriber_id = ",
            $subscriber,
            ") AND ((n.subscription_id IS NULL AND ",
            $tag,
            " IS NULL) OR ",
            within!("n.subscription_id", $subscriber, $tag),
            ")"
        )
    };
}
/// True for rows of money `$row` (top-ups, ledger) within the scope of the two parameters. Of a
/// subscriber's scope are those that were theirs when they were ordered, on lines that still are:
/// whoever takes over a line does not take over what others paid.
macro_rules! money_within {
    ($row:literal, $subscriber:literal, $tag:literal) => {
        concat!(
            "(",
            $subscriber,
            " IS NULL OR ",
            $row,
            ".subscriber_id = ",
            $subscriber,
            ") AND ",
            within!(@of $row, ".subscription_id", $subscriber, $tag)
        )
    };
}
pub(super) use {money_within, notices_within, within};

/// The ids of the lines asked for, with what they are sorted by.
macro_rules! lines {
    ($key:literal, $beyond:literal) => {
        concat!(
            "SELECT s.id, ", $key, " AS sort_key FROM subscriptions s JOIN watches w ON w.subscription_id = s.id \
             WHERE ($1 IS NULL OR s.subscriber_id = $1) AND ($2 IS NULL OR $2 IN {ids s.tags}) \
             AND ($3 IS NULL OR s.subscriber_id = $3) AND ($4 IS NULL OR $4 IN {ids s.tags}) \
             AND ($5 IS NULL OR s.operator = $5) AND ($6 IS NULL OR s.reader = $6) \
             AND ($7 IS NULL OR lower(s.id || ' ' || s.label || ' ' || COALESCE(s.msisdn, '') || ' ' || COALESCE(s.iccid, '')) LIKE $7 ESCAPE '!') \
             AND ((s.status <> 'closed' AND $8 IS NULL) OR $8 = CASE WHEN s.status = 'active' AND EXISTS \
             (SELECT 1 FROM topups t WHERE t.subscription_id = s.id AND t.state = 'held') THEN 'held' ELSE s.status END) \
             AND ", $beyond, " ORDER BY ", $key, ", s.id LIMIT $11"
        )
    };
}

/// What lines are sorted by; equals by their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineOrder {
    /// Their ids.
    #[default]
    Id,
    /// Their labels.
    Label,
    /// When their service ends, by the newest `ok` reading; those that told nothing come last.
    ServiceEnd,
}

impl LineOrder {
    /// The words of the API.
    pub const WORDS: [(&'static str, Self); 3] =
        [("id", Self::Id), ("label", Self::Label), ("service_end", Self::ServiceEnd)];
}

/// Which lines are asked for; what is absent narrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinesAsked {
    /// Of this owner.
    pub subscriber: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// `active`, `paused`, `held` or `closed`; closed ones are left out otherwise.
    pub status: Option<String>,
    /// At this operator.
    pub operator: Option<String>,
    /// Read by this reader.
    pub reader: Option<String>,
    /// With this in the id, the label or a number, whatever the case.
    pub text: Option<String>,
    /// In this order.
    pub order: LineOrder,
}

/// Which top-ups are asked for; what is absent narrows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopupsAsked {
    /// On this line.
    pub subscription: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Through this payer.
    pub payer: Option<String>,
    /// Created then or later.
    pub from: Timestamp,
    /// Created before.
    pub to: Timestamp,
}

impl Default for TopupsAsked {
    /// All of all times.
    fn default() -> Self {
        Self {
            subscription: None,
            state: None,
            payer: None,
            from: Timestamp::from_ms(i64::MIN),
            to: Timestamp::from_ms(i64::MAX),
        }
    }
}

/// Which notices are asked for; what is absent narrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticesAsked {
    /// To this person.
    pub subscriber: Option<String>,
    /// About this line.
    pub subscription: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// By this channel.
    pub channel: Option<String>,
    /// Not older.
    pub since: Option<Timestamp>,
    /// Only those that nobody has acknowledged.
    pub unseen: bool,
}

/// The place of a row in a list that is sorted by time and id.
pub type Place = (i64, String);

impl Store {
    /// A page of lines after `after`, each with what it is sorted by (nothing for its id).
    pub async fn lines_page(
        &self,
        scope: &Scope,
        asked: &LinesAsked,
        after: &(String, String),
        limit: i64,
    ) -> Result<Vec<(String, SubscriptionView)>, StoreError> {
        const SERVICE_END: &str = lines!(
            "COALESCE(w.service_end_at, 9223372036854775807)",
            "(COALESCE(w.service_end_at, 9223372036854775807) > $9 OR (COALESCE(w.service_end_at, 9223372036854775807) = $9 AND s.id > $10))"
        );
        const LABEL: &str = lines!("s.label", "(s.label > $9 OR (s.label = $9 AND s.id > $10))");
        const ID: &str = lines!("s.id", "(s.id > $10 AND $9 = '')");
        let sql = match asked.order {
            LineOrder::Id => ID,
            LineOrder::Label => LABEL,
            LineOrder::ServiceEnd => SERVICE_END,
        };
        let (subscriber, tag) = scope.keys();
        let query = sqlx::query(self.sql(sql))
            .bind(subscriber)
            .bind(tag)
            .bind(&asked.subscriber)
            .bind(&asked.tag)
            .bind(&asked.operator)
            .bind(&asked.reader)
            .bind(asked.text.as_deref().map(containing))
            .bind(&asked.status);
        let (key, id) = after;
        let query = match asked.order {
            LineOrder::Id => query.bind(""),
            LineOrder::Label => query.bind(key),
            LineOrder::ServiceEnd => query.bind(key.parse().unwrap_or(i64::MIN)),
        };
        let found = query.bind(id).bind(limit).fetch_all(self.reader()).await?;
        let mut places = Vec::with_capacity(found.len());
        for row in &found {
            let c = Columns { table: "subscriptions", row };
            let key = match asked.order {
                LineOrder::Id => String::new(),
                LineOrder::Label => c.text("sort_key")?,
                LineOrder::ServiceEnd => c.int("sort_key")?.to_string(),
            };
            places.push((key, c.text("id")?));
        }
        let ids: Vec<String> = places.iter().map(|(_, id)| id.clone()).collect();
        let views = self.views_of(&ids).await?;
        let mut by_id: HashMap<String, SubscriptionView> =
            views.into_iter().map(|view| (view.subscription.id.to_string(), view)).collect();
        Ok(places.into_iter().filter_map(|(key, id)| Some((key, by_id.remove(&id)?))).collect())
    }

    /// A page of readings of a line, newest first, those before `before` only.
    pub async fn readings_page(
        &self,
        id: &SubscriptionId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Reading>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM sightings WHERE subscription_id = $1 AND at < $2 ORDER BY at DESC LIMIT $3",
        )
        .bind(id.as_str())
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(rows::reading).collect()
    }

    /// A page of top-ups, newest first.
    pub async fn topups_page(
        &self,
        scope: &Scope,
        asked: &TopupsAsked,
        after: Option<&Place>,
        limit: i64,
    ) -> Result<Vec<Topup>, StoreError> {
        let (subscriber, tag) = scope.keys();
        let (at, id) = after.cloned().unwrap_or((i64::MAX, String::new()));
        let rows = sqlx::query(self.sql(concat!(
            "SELECT t.* FROM topups t WHERE t.created_at >= $1 AND t.created_at < $2 AND ($3 IS NULL OR t.subscription_id = $3) \
             AND ($4 IS NULL OR t.state = $4) AND ($5 IS NULL OR t.payer = $5) AND ",
            money_within!("t", "$6", "$7"),
            " AND (t.created_at < $8 OR (t.created_at = $8 AND t.id > $9)) ORDER BY t.created_at DESC, t.id LIMIT $10"
        )))
        .bind(asked.from.ms())
        .bind(asked.to.ms())
        .bind(&asked.subscription)
        .bind(&asked.state)
        .bind(&asked.payer)
        .bind(subscriber)
        .bind(tag)
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(rows::topup).collect()
    }

    /// A page of notices, newest first.
    pub async fn notices_page(
        &self,
        scope: &Scope,
        asked: &NoticesAsked,
        after: Option<&Place>,
        limit: i64,
    ) -> Result<Vec<StoredNotice>, StoreError> {
        let (subscriber, tag) = scope.keys();
        let (at, id) = after.cloned().unwrap_or((i64::MAX, String::new()));
        let rows = sqlx::query(self.sql(concat!(
            "SELECT n.* FROM notices n WHERE ($1 IS NULL OR n.subscriber_id = $1) AND ($2 IS NULL OR n.subscription_id = $2) \
             AND ($3 IS NULL OR n.state = $3) AND ($4 IS NULL OR n.kind = $4) AND ($5 IS NULL OR n.channel = $5) \
             AND n.created_at >= $11 AND ($12 = 0 OR n.acknowledged_at IS NULL) AND ",
            notices_within!("$6", "$7"),
            " AND (n.created_at < $8 OR (n.created_at = $8 AND n.id > $9)) ORDER BY n.created_at DESC, n.id LIMIT $10"
        )))
        .bind(&asked.subscriber)
        .bind(&asked.subscription)
        .bind(&asked.state)
        .bind(&asked.kind)
        .bind(&asked.channel)
        .bind(subscriber)
        .bind(tag)
        .bind(at)
        .bind(id)
        .bind(limit)
        .bind(asked.since.map_or(i64::MIN, Timestamp::ms))
        .bind(i64::from(asked.unseen))
        .fetch_all(self.reader())
        .await?;
        Ok(notices::readable(&rows))
    }

    /// A page of money movements from `from` up to `to`, oldest first, after the one at a place and
    /// with a number of its own there.
    pub async fn ledger_page(
        &self,
        scope: &Scope,
        (from, to): (Timestamp, Timestamp),
        after: Option<&(i64, String, i64)>,
        limit: i64,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let (subscriber, tag) = scope.keys();
        let (at, topup, seq) = after.cloned().unwrap_or((i64::MIN, String::new(), 0));
        let rows = sqlx::query(self.sql(concat!(
            "SELECT l.* FROM ledger l WHERE l.at >= $1 AND l.at < $2 AND ",
            money_within!("l", "$3", "$4"),
            " AND (l.at > $5 OR (l.at = $5 AND (l.topup_id > $6 OR (l.topup_id = $6 AND l.seq > $7)))) \
             ORDER BY l.at, l.topup_id, l.seq LIMIT $8"
        )))
        .bind(from.ms())
        .bind(to.ms())
        .bind(subscriber)
        .bind(tag)
        .bind(at)
        .bind(topup)
        .bind(seq)
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(ledger::entry).collect()
    }

    /// A page of what people did, newest first, before the act of number `before`.
    pub async fn audit_page(
        &self,
        (target, actor): (Option<&str>, Option<&str>),
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM audit WHERE seq < $1 AND ($2 IS NULL OR target = $2) AND ($3 IS NULL OR actor = $3) \
             ORDER BY seq DESC LIMIT $4",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(target.map(str::to_owned))
        .bind(actor.map(str::to_owned))
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(super::audit::row).collect()
    }
}

/// A pattern for LIKE, for what holds `text` whatever its case.
pub(super) fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if ['%', '_', '!'].contains(&c) {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
