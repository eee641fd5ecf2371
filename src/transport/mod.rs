//! Ways to the outside that providers and channels share: an HTTP client that never repeats
//! itself, a program, a modem, signatures, what a phone posts, and what may be kept of an answer.
//!
//! Invariant: nothing here knows what an order or a notice is, and nothing here tries twice.

pub mod hook;
pub mod http;
pub(crate) mod mac;
pub mod modem;
pub mod program;
pub mod redact;
pub mod sms_gate;
