//! The pipeline: schedule → poll → decide → act → reconcile/verify → notify, one file per stage,
//! and what goes through old rows.
//!
//! Every stage is a function of the rows and `now`: it reads rows that need it, acts, writes rows,
//! and wakes the next. Stages never call each other. Kill the process anywhere: the next start
//! reads the same rows. The command line runs the same functions.

mod engine;
mod fleet;
mod wake;
mod aloud;
mod instance;
mod schedule;
mod rules;
mod settle;
mod money;
mod calendar;
mod catalogue;
mod catch_up;
mod retain;
mod clock;
mod recover;
mod books;
mod late;
mod heartbeat;
mod hints;
mod incident;
mod links;
mod poll;
mod poll_thread;
mod polling;
mod gather;
mod assess;
mod decide;
mod escalate;
mod foresee;
mod pins;
mod prices;
mod proof;
mod act;
mod calls;
mod answer;
mod operators;
mod orphans;
mod reconcile;
mod verify;
mod remind;
mod reports;
mod resolve;
mod by_hand;
mod messages;
mod meters;
mod stuck;
mod tally;
mod tell;
mod traced;
mod trial;
mod brake;
mod notify;
mod daemon;

pub use books::BooksReport;
pub use catalogue::{Catalogue, CatalogueError, catalogue, price};
pub use daemon::Daemon;
pub use engine::{BuiltParts, Engine, EngineError, Parts, build_parts};
pub use fleet::{fleet_changes, stored_fleet};
pub use hints::HintError;
pub use links::{LinkError, PageLink, Reply};
pub use messages::{HearError, Heard};
pub use meters::{Counted, Meters, Times};
pub use money::{lower_flag, raise_flag, stop_everywhere};
pub use proof::{ProofError, Proven, prove_books};
pub use reports::ReportError;
pub use resolve::{OrderError, Resolution};
pub use wake::{Beats, Stage, StageReport};
