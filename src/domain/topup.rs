//! A top-up's life. The table of allowed arrows is here and, word for word, in the schema.
//!
//! ```text
//! proposed ─┬─────────────▶ reserved ─▶ submitting ─┬─▶ paid ─▶ verified ─▶ reversed
//!           └▶ awaiting_approval ▲          │ ▲      ├─▶ pending ─┐
//!                                │          │ │      ├─▶ unknown ─┼▶ paid │ failed │ held
//!            cancelled ◀─ (any   └──────────┘ │      └─▶ failed   │
//!                          unsent) not sent   └── same reference ─┘ (strict providers only)
//! ```

use super::{
    FailureClass, Money, NeedId, RuleId, SubscriberId, SubscriptionId, Timestamp, TopupId,
};

/// Where a top-up stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Need seen; gates not all passed yet.
    Proposed,
    /// A person must say yes to exactly this order.
    AwaitingApproval,
    /// Money counted; reference and request frozen; nothing sent.
    Reserved,
    /// Claimed; the request may be on the wire.
    Submitting,
    /// The provider has it; not final.
    Pending,
    /// Outcome not known.
    Unknown,
    /// The provider says paid; effect not yet seen.
    Paid,
    /// A person must decide; money stays counted.
    Held,
    /// Paid and seen.
    Verified,
    /// Proven not charged.
    Failed,
    /// Never sent.
    Cancelled,
    /// The money came back.
    Reversed,
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 12] = [
        Self::Proposed,
        Self::AwaitingApproval,
        Self::Reserved,
        Self::Submitting,
        Self::Pending,
        Self::Unknown,
        Self::Paid,
        Self::Held,
        Self::Verified,
        Self::Failed,
        Self::Cancelled,
        Self::Reversed,
    ];

    /// The word in table, API and log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Reserved => "reserved",
            Self::Submitting => "submitting",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Paid => "paid",
            Self::Held => "held",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Reversed => "reversed",
        }
    }

    /// The state of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Where it may go from here; the whole truth.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Proposed => &[Self::AwaitingApproval, Self::Reserved, Self::Cancelled],
            Self::AwaitingApproval => &[Self::Reserved, Self::Cancelled],
            Self::Reserved => &[Self::Submitting, Self::Cancelled],
            Self::Submitting => &[
                Self::Pending,
                Self::Paid,
                Self::Failed,
                Self::Unknown,
                Self::Held,
                Self::Reserved,
            ],
            Self::Pending => &[Self::Paid, Self::Failed, Self::Unknown, Self::Held],
            Self::Unknown => &[Self::Paid, Self::Pending, Self::Failed, Self::Held, Self::Reserved],
            Self::Paid => &[Self::Verified, Self::Reversed, Self::Held],
            Self::Held => &[Self::Paid, Self::Verified, Self::Failed],
            Self::Verified => &[Self::Reversed],
            Self::Failed | Self::Cancelled | Self::Reversed => &[],
        }
    }

    /// True when the arrow from here to `to` exists.
    pub fn may_go_to(self, to: Self) -> bool {
        self.next().contains(&to)
    }

    /// True once the story is over but for a late reversal.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Verified | Self::Failed | Self::Cancelled | Self::Reversed => true,
            Self::Proposed
            | Self::AwaitingApproval
            | Self::Reserved
            | Self::Submitting
            | Self::Pending
            | Self::Unknown
            | Self::Paid
            | Self::Held => false,
        }
    }

    /// True while money is reserved or was spent: what the caps count.
    pub const fn counts_money(self) -> bool {
        match self {
            Self::Reserved
            | Self::Submitting
            | Self::Pending
            | Self::Unknown
            | Self::Paid
            | Self::Held
            | Self::Verified => true,
            Self::Proposed
            | Self::AwaitingApproval
            | Self::Failed
            | Self::Cancelled
            | Self::Reversed => false,
        }
    }

    /// True only where a request may leave: `reserved`, and nothing else, ever.
    pub fn may_send(self) -> bool {
        self == Self::Reserved
    }

    /// True while the provider may be working on it, so that the effect is to be expected.
    pub const fn is_in_flight(self) -> bool {
        match self {
            Self::Submitting | Self::Pending | Self::Unknown | Self::Paid | Self::Held => true,
            Self::Proposed
            | Self::AwaitingApproval
            | Self::Reserved
            | Self::Verified
            | Self::Failed
            | Self::Cancelled
            | Self::Reversed => false,
        }
    }
}

/// The line as it was just before the money moved; what verification compares with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// The balance then.
    pub balance: Option<Money>,
    /// Bytes left then.
    pub data_left: Option<i64>,
    /// The service end then.
    pub service_end_at: Option<Timestamp>,
    /// When this was read.
    pub read_at: Option<Timestamp>,
}

/// One order for value on one subscription, with its whole life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topup {
    /// Its id.
    pub id: TopupId,
    /// The line it is for.
    pub subscription: SubscriptionId,
    /// Who owns the line.
    pub subscriber: SubscriberId,
    /// The rule that asked for it; `None` for an order by hand.
    pub rule: Option<RuleId>,
    /// The need it serves.
    pub need: NeedId,
    /// The provider that is asked to pay.
    pub payer: String,
    /// The product bought, where the payer wants one named.
    pub product: Option<String>,
    /// The face value ordered.
    pub amount: Money,
    /// Our idempotency key: `[a-z0-9]{24}`, computed once, never changed.
    pub reference: String,
    /// SHA-256 over what a person approves: line, payer, product, amount, need.
    pub order_hash: String,
    /// Where it stands.
    pub state: State,
    /// The machine-readable reason of the last move.
    pub reason: String,
    /// The frozen request, without secrets; set at `reserved`.
    pub request: Option<String>,
    /// How often it was claimed for sending.
    pub submit_no: i64,
    /// How many of those may have reached the payer.
    pub maybe_sent: i64,
    /// The flight recorder that holds the last submission.
    pub sent_by: Option<String>,
    /// The last moment at which bytes may have left.
    pub last_sent_at: Option<Timestamp>,
    /// The provider's transaction id, once known.
    pub transaction_id: Option<String>,
    /// What the provider says it charged us.
    pub charged: Option<Money>,
    /// What the provider says the line got.
    pub delivered: Option<Money>,
    /// The price of a renewal when it was reserved, where known.
    pub price: Option<Money>,
    /// Why it failed, sorted by what may follow.
    pub failure: Option<FailureClass>,
    /// The line just before.
    pub before: Before,
    /// Counted "not found" answers since the last send.
    pub not_found: i64,
    /// When the first of them was counted.
    pub not_found_since: Option<Timestamp>,
    /// Looks taken in the present state (for the pace).
    pub looks: i64,
    /// When a stage must look at it again.
    pub next_action_at: Option<Timestamp>,
    /// When the provider said paid.
    pub paid_at: Option<Timestamp>,
    /// When a person approved it, and who.
    pub approved: Option<(Timestamp, String)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
    /// Rises with every write; compare-and-set.
    pub version: i64,
}

impl Topup {
    /// Where it may go from here: [`State::next`], but an order that may have reached the payer
    /// can no longer be called off.
    pub fn may_go_to(&self, to: State) -> bool {
        self.state.may_go_to(to) && (to != State::Cancelled || self.maybe_sent == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("done"), None);
    }

    #[test]
    fn final_states_lead_nowhere_but_to_a_reversal() {
        for state in State::ALL.into_iter().filter(|s| s.is_final()) {
            assert!(state.next().iter().all(|to| *to == State::Reversed), "{state:?}");
        }
    }

    #[test]
    fn only_reserved_may_send_and_only_it_leads_to_submitting() {
        for state in State::ALL {
            assert_eq!(state.may_send(), state == State::Reserved);
            assert_eq!(state.may_go_to(State::Submitting), state == State::Reserved);
        }
    }

    #[test]
    fn money_once_reserved_is_counted_until_it_is_proven_gone() {
        for from in State::ALL.into_iter().filter(|s| s.counts_money()) {
            for to in from.next().iter().filter(|to| !to.counts_money()) {
                assert!(matches!(to, State::Failed | State::Cancelled | State::Reversed));
            }
        }
    }
}
