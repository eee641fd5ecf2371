//! Reading what people wrote: config files, fleet files, tables of one row.
//!
//! A [`Section`] reads one table key by key and writes every fault into one list, so that a
//! person sees all of them at once, each with its place, the value found and what is allowed.
//! It belongs to nobody: config, fleet, providers and channels all read through it.

mod fault;
mod reading;
mod section;
mod units;
mod value;

pub use fault::{Fault, Intake};
pub use reading::{End, HandBucket, HandReading};
pub use section::Section;
pub use units::{Rate, parse_bytes, parse_percent, parse_rate, unit_bytes};
pub use value::{Origin, Table, Value, from_config, from_json, from_toml};
