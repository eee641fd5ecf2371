//! The tests' PostgreSQL server, as it is.

#[path = "../tests/support/postgres.rs"]
#[expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the tests' server, as it is"
)]
mod postgres;

pub(crate) use postgres::server;
