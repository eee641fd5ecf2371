//! topupd keeps prepaid SIM and eSIM lines alive: it polls balances, applies rules, tops up at most
//! once per need, and tells people.
//!
//! ```text
//!            ┌───────────────────────── the database ─────────────────────────┐
//! schedule ─▶ poll ──readings──▶ decide ──orders──▶ act ──outcomes──▶ verify
//!  (wakes)                          │                └──unknown──▶ reconcile
//!                                   └──────────notices──────────▶ notify
//! ```
//!
//! Every stage is a function of the rows and `now`; stages never call each other. Kill the process
//! anywhere and the next start reads the same rows. One need, at most one charge; no line lost in
//! silence.
//!
//! Reading order: [`domain`] (pure: the words and [`domain::decide()`]), [`store`] (all SQL),
//! [`providers`] and [`channels`] (the outside world, one file each), [`flow`] (the pipeline),
//! [`app`] (puts it together), [`cli`] (verbs).

pub mod domain;
pub mod failpoint;
pub mod input;
pub mod operators;
pub mod clock;
pub mod config;
pub mod transport;
pub mod providers;
pub mod channels;
pub mod vault;
pub mod words;
pub mod store;
pub mod flow;
pub mod sim;
pub mod shapes;
pub mod admin;
pub mod app;
pub mod systemd;
pub mod telemetry;
pub mod cli;
