//! The declarative provider as a whole.

mod answers;
mod config;
mod frozen;
mod lookups;
mod readings;
mod wire;
