//! The declarative provider as a whole.

mod answers;
mod config;
mod frozen;
mod fuzz;
mod lookups;
mod readings;
mod wire;
