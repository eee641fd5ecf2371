//! topupd keeps prepaid SIM and eSIM lines alive.

pub mod clock;
pub mod domain;
pub mod input;
pub mod providers;
pub mod channels;
pub mod sim;
