//! Codes that were bought.

use super::{At, at};
use crate::providers;
use crate::store::StoredPin;
use serde::Serialize;
use utoipa::ToSchema;

/// A code that was bought; never the code itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Pin {
    /// Its id.
    pub id: String,
    /// The top-up that bought it.
    pub topup: String,
    /// The line it was bought for.
    pub subscription: String,
    /// Who sold it.
    pub payer: String,
    /// `stored`, `shown`, `redeeming`, `redeemed` or `rejected`.
    pub state: String,
    /// When it was stored.
    pub stored_at: At,
    /// When it lapses.
    pub expires_at: Option<At>,
    /// Who changed its state last.
    pub actor: String,
    /// What they said.
    pub note: Option<String>,
}

/// A code, without the code.
pub fn pin(pin: &StoredPin) -> Pin {
    Pin {
        id: pin.id.clone(),
        topup: pin.topup.to_string(),
        subscription: pin.subscription.to_string(),
        payer: pin.payer.clone(),
        state: pin.state.clone(),
        stored_at: At(pin.stored_at),
        expires_at: at(pin.expires_at),
        actor: pin.actor.clone(),
        note: pin.note.clone(),
    }
}

/// A code that somebody asked to see. It is money, so it does not print.
#[derive(Clone, Serialize, ToSchema)]
pub struct ShownPin {
    /// What is known of it.
    #[serde(flatten)]
    pub pin: Pin,
    /// What is entered.
    pub code: String,
    /// What identifies the voucher.
    pub serial: Option<String>,
    /// How it is entered.
    pub how: Option<String>,
}

impl std::fmt::Debug for ShownPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ShownPin({})", self.pin.id)
    }
}

/// A code with the code.
pub fn shown_pin(stored: &StoredPin, opened: providers::Pin) -> ShownPin {
    let providers::Pin { code, serial, how, .. } = opened;
    ShownPin { pin: pin(stored), code, serial, how }
}
