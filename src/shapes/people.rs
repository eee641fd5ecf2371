//! People, and what they were told.

use super::{At, at, words};
use crate::domain;
use crate::flow::PageLink;
use crate::store::{self, StoredNotice};
use serde::Serialize;
use utoipa::ToSchema;

/// Somebody who owns lines.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Subscriber {
    /// Their id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Where mail goes.
    pub email: Option<String>,
    /// Where messages go.
    pub phone: Option<String>,
    /// The language they are told in.
    pub locale: String,
    /// The zone they read times in.
    #[schema(value_type = String)]
    pub time_zone: &'static str,
    /// When they are told only what is critical.
    pub quiet_hours: Option<String>,
    /// How they are told, the first that works.
    pub channels: Vec<String>,
}

/// A subscriber.
pub fn subscriber(s: &domain::Subscriber) -> Subscriber {
    Subscriber {
        id: s.id.to_string(),
        name: s.name.clone(),
        email: s.email.clone(),
        phone: s.phone.as_ref().map(|p| p.as_str().to_owned()),
        locale: s.locale.clone(),
        time_zone: s.time_zone.name(),
        quiet_hours: s.quiet_hours.map(|q| q.to_string()),
        channels: s.channels.clone(),
    }
}

/// Somebody who may sign in to the pages, or could.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    /// The name they sign in with.
    pub name: String,
    /// What they may do.
    #[schema(value_type = String)]
    pub role: &'static str,
    /// With what: nothing (everything), `subscriber:ID` or `tag:WORD`.
    pub scope: String,
    /// When they were added.
    pub created_at: At,
    /// Since when they may not sign in any more.
    pub disabled_at: Option<At>,
}

/// A user.
pub fn user(u: &store::User) -> User {
    User {
        name: u.name.clone(),
        role: u.grant.role.as_str(),
        scope: u.grant.scope.text(),
        created_at: At(u.created_at),
        disabled_at: at(u.disabled_at),
    }
}

/// The link to a subscriber's own page.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Link {
    /// Whose.
    pub subscriber: String,
    /// Where it leads; whoever holds it may look and answer.
    pub link: String,
    /// When it opens nothing any more.
    pub lapses_at: At,
}

/// A link.
pub fn link(page: &PageLink) -> Link {
    Link {
        subscriber: page.subscriber.to_string(),
        link: page.link.clone(),
        lapses_at: At(page.lapses_at),
    }
}

/// Something that somebody was told, or is to be told; not what it said.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Notice {
    /// Its id.
    pub id: String,
    /// Who is told.
    pub subscriber: String,
    /// About which line.
    pub subscription: Option<String>,
    /// What about.
    #[schema(value_type = words::NoticeKind)]
    pub kind: &'static str,
    /// How much it matters.
    #[schema(value_type = words::Severity)]
    pub severity: &'static str,
    /// How it goes; null where the person has no channel.
    pub channel: Option<String>,
    /// How far it is.
    #[schema(value_type = words::NoticeState)]
    pub state: String,
    /// When its cause happened.
    pub created_at: At,
    /// When it was accepted.
    pub sent_at: Option<At>,
    /// When it is tried next.
    pub next_try_at: Option<At>,
    /// Tries so far.
    pub attempts: i64,
    /// What the last try met with.
    pub last_error: Option<String>,
    /// The top-up it is about.
    pub topup: Option<String>,
    /// What became of it after it was accepted: `underway`, `delivered` or `failed`.
    pub delivery: Option<String>,
    /// The number of the reminder; 0 for a first notice.
    pub reminder: i64,
    /// When it is told again.
    pub remind_at: Option<At>,
    /// When somebody acknowledged it.
    pub acknowledged_at: Option<At>,
}

/// A notice.
pub fn notice(n: &StoredNotice) -> Notice {
    Notice {
        id: n.id.clone(),
        subscriber: n.subscriber.clone(),
        subscription: n.subscription.clone(),
        kind: n.kind.as_str(),
        severity: n.severity.as_str(),
        channel: n.channel.clone(),
        state: n.state.clone(),
        created_at: At(n.created_at),
        sent_at: at(n.sent_at),
        next_try_at: at(n.next_try_at),
        attempts: n.attempts,
        last_error: n.last_error.clone(),
        topup: n.facts.topup.clone(),
        delivery: n.delivery.clone(),
        reminder: n.reminder_no,
        remind_at: at(n.remind_at),
        acknowledged_at: at(n.acknowledged_at),
    }
}
