//! ALL the SQL there is, one file per table group. The middle of the program.
//!
//! One SQL text serves SQLite and PostgreSQL: columns are TEXT and BIGINT, parameters `$n`. The few
//! places where the two must differ go through [`Dialect`].
//!
//! Invariants: no transaction spans a network call; money rows commit alone and durably; the store
//! never reads a clock.

mod calendar;
mod connect;
mod reminders;
mod reports;
mod rows;
mod bunch;
mod buckets;
mod installation;
mod fleet;
mod forecasts;
mod watches;
mod readings;
mod messages;
mod snapshots;
mod needs;
mod decisions;
mod digest;
mod topups;
mod journal;
mod proof;
mod recorder;
mod recovery;
mod discrepancies;
mod transition;
mod operators;
mod orders;
mod pins;
mod prices;
mod ledger;
mod notices;
mod changes;
mod version;
mod outbox;
mod access;
mod tokens;
mod users;
mod sessions;
mod audit;
mod views;
mod keys;
mod lists;
mod scoped;
mod figures;
mod gauges;
mod overview;
mod pace;
mod tally;
mod retention;
mod days;
mod months;
mod plans;
mod told;
mod spending;
mod acts;
mod hints;
mod given_up;
mod history;

pub use access::{Grant, Role, Scope};
pub use acts::{StoredAct, settle_times};
pub use audit::{AuditRow, Audited};
pub use calendar::{Spent, Week, total};
pub use changes::{Changed, Journaled};
pub use connect::{Dialect, Store, StoreError};
pub use decisions::StoredDecision;
pub use discrepancies::{Discrepancy, Wallet};
pub use fleet::{Documents, FleetChanges};
pub use gauges::{Figures, TopupFigures};
pub use history::PastNeed;
pub use journal::Head;
pub use keys::Keyed;
pub use ledger::LedgerEntry;
pub use lists::{LineOrder, LinesAsked, NoticesAsked, Place, TopupsAsked};
pub use notices::{StoredNotice, notice_id};
pub use operators::OperatorSaid;
pub use orders::{HandOrder, Prepared, order_hash};
pub use outbox::{DueNotice, NoticesDue, Tried};
pub use overview::Near;
pub use pins::StoredPin;
pub use plans::StatementPlan;
pub use prices::{OpenPrice, PriceAnswer};
pub use proof::{Anchor, Finding, Proof};
pub use recorder::{Outcome, Recorder, RecorderError, Replay, Sent};
pub use reports::{DueDelivery, Reported};
pub use retention::{Keep, Retained};
pub use sessions::Session;
pub use snapshots::SnapshotRow;
pub use spending::SpentBy;
pub use tally::{Ends, ReaderFigures, Tally};
pub use tokens::Token;
pub use told::{ChannelFigures, Delivery};
pub use topups::TopupEvent;
pub use transition::Change;
pub use users::User;
pub use version::Version;
pub use views::{NoticeView, SubscriptionView};
pub use watches::{DuePoll, Polled};

pub(crate) use connect::Tx;
