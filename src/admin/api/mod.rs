//! The API: what machines look at and do, as JSON under `/api/v1`.
//!
//! Invariant: whoever asks sees and touches the lines of their scope only, and what is refused
//! leaves nothing behind.

mod act;
mod asks;
mod books;
mod catalogue;
mod codes;
mod declared;
mod document;
mod fields;
pub(super) mod fleet;
mod installation;
pub(super) mod kept;
pub(super) mod live;
mod lists;
mod look;
mod once;
mod own;
mod paging;
mod people;
mod receipts;
mod replay;
pub(super) mod routes;
mod texts;
mod wait;
mod wants;

#[cfg(test)]
pub(super) use document::DOCUMENT;
