//! Who is alive, and what it holds.

use super::{At, at, words};
use crate::domain::Timestamp;
use crate::store;
use serde::Serialize;
use utoipa::ToSchema;

/// A running daemon, or one that ran within the last days.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Instance {
    /// Its id, another one at every start.
    pub id: String,
    /// Its machine.
    pub host: String,
    /// Its process there.
    pub pid: i64,
    /// Its version.
    pub version: String,
    /// How it does: `gone` where nothing was heard of it for longer than its lease.
    #[schema(value_type = words::InstanceState)]
    pub state: &'static str,
    /// When it started.
    pub started_at: At,
    /// When it was last heard of.
    pub seen_at: At,
    /// From when on it counts as gone, if nothing more is heard.
    pub lease_until: At,
    /// When it ended in good order.
    pub stopped_at: Option<At>,
    /// What it held when it was last heard of.
    pub holds: Holds,
    /// Why it takes no work.
    pub idle: Option<String>,
}

/// What an instance holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
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

/// An instance as it is at `now`.
pub fn instance(i: &store::Instance, now: Timestamp) -> Instance {
    let h = i.holds;
    Instance {
        id: i.id.clone(),
        host: i.host.clone(),
        pid: i.pid,
        version: i.version.clone(),
        state: i.state(now).as_str(),
        started_at: At(i.started_at),
        seen_at: At(i.seen_at),
        lease_until: At(i.lease_until),
        stopped_at: at(i.stopped_at),
        holds: Holds {
            polls: h.polls,
            decisions: h.decisions,
            orders: h.orders,
            looks: h.looks,
            notices: h.notices,
        },
        idle: i.idle.clone(),
    }
}
