//! Integration tests: one binary.

mod support;
mod tidy;
mod store;
mod money;
mod commands;
