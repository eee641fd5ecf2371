//! A modem in this machine, through ModemManager over D-Bus: which one it is, whether it is
//! ready, and how codes are dialled and messages sent on it.
//!
//! Facts: ModemManager's interface descriptions, and ModemManager 1.20.4 with a simulated modem.

pub(crate) mod bus;
pub(crate) mod device;
pub(crate) mod sms;
pub(crate) mod ussd;
