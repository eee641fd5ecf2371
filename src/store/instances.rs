//! Who is alive, and what it holds.

use super::{Dialect, Store, StoreError, rows::Columns};
use crate::domain::{Span, Timestamp};

/// What an instance holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// Lines claimed for a poll.
    pub polls: i64,
    /// Decisions.
    pub decisions: i64,
    /// Top-ups being sent.
    pub orders: i64,
    /// Top-ups being looked at.
    pub looks: i64,
    /// Notices being sent.
    pub notices: i64,
}

/// One running daemon, or one that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id, another one at every start.
    pub id: String,
    /// Its machine.
    pub host: String,
    /// Its process there.
    pub pid: i64,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// From when on it counts as gone, if nothing more is heard.
    pub lease_until: Timestamp,
    /// When it ended in good order.
    pub stopped_at: Option<Timestamp>,
    /// What it held when it was last heard of.
    pub holds: Holds,
    /// The incarnation of the database that its flight recorder was compared with last.
    pub compared: Option<String>,
    /// Why it takes no work.
    pub idle: Option<String>,
}

/// How an instance does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstanceState {
    /// It was heard of in time.
    Alive,
    /// Nothing was heard of it for longer than its lease.
    Gone,
    /// It ended in good order.
    Stopped,
}

impl InstanceState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Alive, Self::Gone, Self::Stopped];

    /// The word in JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Gone => "gone",
            Self::Stopped => "stopped",
        }
    }
}

impl Instance {
    /// How it does at `now`.
    pub fn state(&self, now: Timestamp) -> InstanceState {
        match self.stopped_at {
            Some(_) => InstanceState::Stopped,
            None if self.lease_until > now => InstanceState::Alive,
            None => InstanceState::Gone,
        }
    }
}

/// What nobody has heard of for so long is forgotten.
const KEPT: Span = Span::days(7);

impl Store {
    /// An instance is alive: its row as it stands now. The first row of one clears away what was
    /// forgotten long ago.
    pub async fn heartbeat(&self, here: &Instance, is_first: bool) -> Result<(), StoreError> {
        if is_first {
            sqlx::query("DELETE FROM instances WHERE lease_until < $1")
                .bind(here.seen_at.minus(KEPT).ms())
                .execute(&self.writer())
                .await?;
        }
        // Written whole every time: a failover may have lost the row.
        sqlx::query(
            "INSERT INTO instances (id, host, pid, version, started_at, seen_at, lease_until, stopped_at, \
             polls, decisions, orders, looks, notices, compared, idle) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
             ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, lease_until = excluded.lease_until, \
             stopped_at = excluded.stopped_at, polls = excluded.polls, decisions = excluded.decisions, \
             orders = excluded.orders, looks = excluded.looks, notices = excluded.notices, \
             compared = excluded.compared, idle = excluded.idle",
        )
        .bind(&here.id)
        .bind(&here.host)
        .bind(here.pid)
        .bind(&here.version)
        .bind(here.started_at.ms())
        .bind(here.seen_at.ms())
        .bind(here.lease_until.ms())
        .bind(here.stopped_at.map(Timestamp::ms))
        .bind(here.holds.polls)
        .bind(here.holds.decisions)
        .bind(here.holds.orders)
        .bind(here.holds.looks)
        .bind(here.holds.notices)
        .bind(&here.compared)
        .bind(&here.idle)
        .execute(&self.writer())
        .await?;
        Ok(())
    }

    /// Everybody heard of within the last days, those heard of last first.
    pub async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM instances ORDER BY CASE WHEN stopped_at IS NULL THEN 0 ELSE 1 END, \
             seen_at DESC, id LIMIT 1000",
        )
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "instances", row };
                Ok(Instance {
                    id: c.text("id")?,
                    host: c.text("host")?,
                    pid: c.int("pid")?,
                    version: c.text("version")?,
                    started_at: c.at("started_at")?,
                    seen_at: c.at("seen_at")?,
                    lease_until: c.at("lease_until")?,
                    stopped_at: c.maybe_at("stopped_at")?,
                    holds: Holds {
                        polls: c.int("polls")?,
                        decisions: c.int("decisions")?,
                        orders: c.int("orders")?,
                        looks: c.int("looks")?,
                        notices: c.int("notices")?,
                    },
                    compared: c.maybe_text("compared")?,
                    idle: c.maybe_text("idle")?,
                })
            })
            .collect()
    }

    /// What the clock of the database shows; `None` where it is this machine's own.
    pub async fn database_clock(&self) -> Result<Option<Timestamp>, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let ms: i64 = sqlx::query_scalar(
            "SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)",
        )
        .fetch_one(self.reader())
        .await?;
        Ok(Some(Timestamp::from_ms(ms)))
    }
}
