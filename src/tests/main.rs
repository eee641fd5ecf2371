//! Integration tests: one binary.

mod support;
mod tidy;
mod store;
mod store_parts;
mod money;
mod commands;
