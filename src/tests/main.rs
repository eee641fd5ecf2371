//! Integration tests: one binary.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that meets the unexpected should stop where it stands"
)]

mod support;
mod telling;
mod tidy;
mod store;
mod store_parts;
mod steady;
mod lists;
mod money;
mod safety;
mod prices;
mod pins;
mod reminders;
mod retention;
mod rules;
mod simulate;
mod links;
mod instances;
mod model;
mod fuzz;
mod api;
mod books;
mod browser;
mod commands;
mod monitoring;
mod traces;
mod official;
mod outside;
mod outbox;
mod modem;
mod prism;
