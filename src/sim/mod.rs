//! Stand-ins for the world outside: real servers on loopback.

pub mod mailbox;
