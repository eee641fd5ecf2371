//! topupd keeps prepaid SIM and eSIM lines alive.

pub mod domain;
pub mod input;
pub mod clock;
pub mod providers;
pub mod channels;
pub mod sim;
pub mod words;
