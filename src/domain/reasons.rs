//! Every reason a decision can give for not ordering, or for taking an order back: stable codes
//! for machines, and what they mean for people. `docs/reasons.md` is made from this table.

/// One reason code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The stable code, as in gates, decisions, the API and logs.
    pub code: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What happens next by itself, or what a person does.
    pub then: &'static str,
}

const fn reason(code: &'static str, means: &'static str, then: &'static str) -> Reason {
    Reason { code, means, then }
}

/// The gates, in the order in which they are passed; the first that is shut gives the reason.
pub const GATES: [Reason; 27] = [
    reason(
        "subscription_active",
        "the line is paused or no longer in the fleet",
        "`topupd subscription resume ID`, or apply it again",
    ),
    reason(
        "number_lost",
        "the number is gone for good: money would not bring it back",
        "told; take the line out of the fleet",
    ),
    reason("kill_switch", "paying is off by hand", "`topupd money on`"),
    reason(
        "fleet_anomaly",
        "too many lines needed money at once: more likely a broken page than a coincidence",
        "look at the readings, then `topupd money on`",
    ),
    reason(
        "clock_suspect",
        "the clock ran back, leapt, or providers' clocks say another time",
        "goes on when the clock is right again; `topupd money on` believes it as it is",
    ),
    reason(
        "recovery",
        "the flight recorder knows submissions that the database had forgotten, or is damaged or missing",
        "goes on when each of them is settled; `topupd money on` releases it",
    ),
    reason(
        "disk_space",
        "the disk is nearly full, or what must be written before sending cannot be",
        "goes on by itself when there is room",
    ),
    reason(
        "books_disagree",
        "a provider charged an order that it had called not charged",
        "look at its console and `topupd discrepancies`, then `topupd money on`",
    ),
    reason(
        "provider_incident",
        "the payer's last outcomes are all unknown",
        "goes on when one of them is known",
    ),
    reason(
        "line_in_flight",
        "another top-up of the line is under way",
        "goes on when that one is settled",
    ),
    reason(
        "need_already_served",
        "a verified top-up pays for this period already",
        "nothing is needed",
    ),
    reason(
        "cooldown",
        "the line rests after a top-up, a failure or a person's no",
        "goes on by itself",
    ),
    reason(
        "renewal_timing",
        "the plan restarts at the payment: paying now would lose days",
        "goes on a day before the service ends",
    ),
    reason(
        "charge_window",
        "the operator renews the line itself this morning",
        "goes on when the window ends",
    ),
    reason(
        "payment_suspended",
        "declined too often, declined for good, or money came back",
        "put right what is wrong, then `topupd subscription resume ID`",
    ),
    reason(
        "preflight_identity",
        "it is not sure that number and reader mean this line",
        "told; correct the fleet or the reader",
    ),
    reason(
        "implausible_reading",
        "the values fell too far too fast to be believed at once",
        "read again; goes on when that reading agrees",
    ),
    reason(
        "preflight_fresh_read",
        "two fresh readings must agree before money moves",
        "read again; goes on when it agrees",
    ),
    reason(
        "cap_order",
        "the order is above the limit for one order",
        "raise the cap or lower the amount",
    ),
    reason(
        "cap_subscription_24h",
        "the line has spent its limit of 24 hours",
        "goes on as the window moves on",
    ),
    reason(
        "cap_subscription_30d",
        "the line has spent its limit of 30 days",
        "goes on as the window moves on, or raise the cap",
    ),
    reason(
        "cap_subscriber_30d",
        "the subscriber's lines have spent their limit of 30 days",
        "goes on as the window moves on, or raise the cap",
    ),
    reason(
        "cap_global_24h",
        "all lines together have spent the limit of 24 hours",
        "goes on as the window moves on, or raise the cap",
    ),
    reason(
        "count_24h",
        "the line has had its orders of 24 hours",
        "goes on as the window moves on",
    ),
    reason("count_30d", "the line has had its orders of 30 days", "goes on as the window moves on"),
    reason("price_guard", "the renewal became dearer than the rule lets pass", "a person is asked"),
    reason(
        "approval_needed",
        "a person must say yes to exactly this order",
        "`topupd topups approve T`",
    ),
];

/// Reasons that are no gates: why an order is not named at all, or is taken back.
pub const STEPS: [Reason; 7] = [
    reason(
        "prices_awaited",
        "the line has several payers, and they are asked what the order would cost",
        "goes on when they have answered, after two minutes without those that have not",
    ),
    reason(
        "order_max",
        "more is needed than may be ordered at once, and less would not help",
        "told; raise `order_max`",
    ),
    reason("need_gone", "what was missing is there again", "the order is cancelled"),
    reason("externally_renewed", "somebody else renewed the line", "the order is cancelled"),
    reason(
        "rule_gone",
        "the rule behind the order is gone or no longer pays",
        "the order is cancelled",
    ),
    reason(
        "subscription_inactive",
        "the line was paused or taken out of the fleet",
        "the order is cancelled",
    ),
    reason(
        "approval_expired",
        "nobody said yes in time",
        "the order is cancelled and proposed anew",
    ),
];
