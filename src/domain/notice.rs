//! What is said, and why. A notice is a row; words are made of it only when it is sent.

use super::{Span, SubscriberId, SubscriptionId, Timestamp, TopupId};
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in table, API and template name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The value of a stored word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }
    };
}

words! {
    /// What a notice is about.
    NoticeKind {
        /// A level was breached.
        LowBalance = "low_balance",
        /// A deadline is near.
        ExpiryNear = "expiry_near",
        /// An order is about to be sent.
        TopupStarted = "topup_started",
        /// The provider says paid.
        TopupPaid = "topup_paid",
        /// The effect was seen.
        TopupVerified = "topup_verified",
        /// Proven not charged.
        TopupFailed = "topup_failed",
        /// May have been charged; not retried until checked.
        TopupUnknown = "topup_unknown",
        /// A person must decide.
        TopupHeld = "topup_held",
        /// The money came back.
        TopupReversed = "topup_reversed",
        /// A top-up is needed and a limit forbids it.
        TopupRefused = "topup_refused",
        /// A person is asked to pay by hand and nothing else will.
        TopupTask = "topup_task",
        /// A person must approve an order.
        ApprovalWanted = "approval_wanted",
        /// No usable reading for too long.
        Stale = "stale",
        /// A breach or staleness is over.
        Recovered = "recovered",
        /// Several of those below, about several lines of one subscriber, in one.
        Digest = "digest",
        /// The balance rose and no top-up of ours explains it.
        ExternalTopup = "external_topup",
        /// A provider does not answer for most of its lines; stands for one notice per line.
        ProviderIncident = "provider_incident",
        /// A channel does not take notices; said through another.
        ChannelTrouble = "channel_trouble",
        /// A rule opens and closes over and over.
        Flapping = "flapping",
        /// All paying was stopped by a safety.
        PayingStopped = "paying_stopped",
        /// A provider's own books and ours do not agree.
        BooksDisagree = "books_disagree",
        /// A code was bought; somebody has to redeem it.
        PinReady = "pin_ready",
        /// A notice to somebody else could not be delivered by any channel.
        Undelivered = "undelivered",
        /// A month of one subscriber: what was spent, what comes.
        Statement = "statement",
        /// A week of the installation: it is alive, and what it did.
        Report = "report",
        /// A test, asked for by a person.
        Test = "test",
    }
}

words! {
    /// How much it matters; critical breaks through quiet hours.
    Severity {
        /// Good to know.
        Info = "info",
        /// Act in days.
        Warning = "warning",
        /// Act today.
        High = "high",
        /// Act now.
        Critical = "critical",
    }
}

impl NoticeKind {
    /// How long it is worth sending.
    pub const fn lifetime(self) -> Span {
        match self {
            Self::Test => Span::hours(1),
            Self::TopupStarted | Self::TopupPaid | Self::Recovered | Self::ExternalTopup => {
                Span::days(1)
            }
            Self::LowBalance
            | Self::Stale
            | Self::ApprovalWanted
            | Self::Flapping
            | Self::Digest
            | Self::ProviderIncident
            | Self::ChannelTrouble => Span::days(3),
            Self::ExpiryNear
            | Self::TopupVerified
            | Self::TopupFailed
            | Self::TopupUnknown
            | Self::TopupHeld
            | Self::TopupReversed
            | Self::TopupRefused
            | Self::TopupTask
            | Self::BooksDisagree
            | Self::PinReady
            | Self::Undelivered
            | Self::Statement
            | Self::Report
            | Self::PayingStopped => Span::days(7),
        }
    }

    /// Whether it is told again while it is still so and nobody has acknowledged it.
    pub const fn reminds(self) -> bool {
        match self {
            Self::LowBalance
            | Self::Stale
            | Self::ApprovalWanted
            | Self::TopupUnknown
            | Self::TopupHeld
            | Self::TopupTask
            | Self::PinReady
            | Self::PayingStopped => true,
            // Deadlines have milestones of their own; the rest happened once.
            Self::ExpiryNear
            | Self::TopupStarted
            | Self::TopupPaid
            | Self::TopupVerified
            | Self::TopupFailed
            | Self::TopupReversed
            | Self::TopupRefused
            | Self::Recovered
            | Self::Digest
            | Self::ExternalTopup
            | Self::ProviderIncident
            | Self::ChannelTrouble
            | Self::Flapping
            | Self::BooksDisagree
            | Self::Undelivered
            | Self::Statement
            | Self::Report
            | Self::Test => false,
        }
    }

    /// The thread it belongs to: one constant subject per line and topic keeps mail threads whole.
    pub const fn topic(self) -> &'static str {
        match self {
            Self::LowBalance
            | Self::ExpiryNear
            | Self::Recovered
            | Self::Flapping
            | Self::ExternalTopup => "balance",
            Self::TopupStarted
            | Self::TopupPaid
            | Self::TopupVerified
            | Self::TopupFailed
            | Self::TopupUnknown
            | Self::TopupHeld
            | Self::TopupReversed
            | Self::TopupRefused
            | Self::TopupTask
            | Self::PinReady
            | Self::ApprovalWanted => "topup",
            Self::Stale | Self::ProviderIncident => "readings",
            Self::PayingStopped | Self::BooksDisagree => "paying",
            Self::Digest => "digest",
            Self::ChannelTrouble | Self::Undelivered => "channel",
            Self::Statement => "statement",
            Self::Report => "report",
            Self::Test => "test",
        }
    }
}

/// The facts a notice speaks of; everything a template may show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// What the owner calls the line.
    pub label: String,
    /// The last four digits of its number.
    pub last4: String,
    /// What fired, in words: `balance 3.20 USD is at most 5.00 USD`.
    pub trigger: Option<String>,
    /// The newest balance, with its currency code.
    pub balance: Option<String>,
    /// The newest data volume.
    pub data_left: Option<String>,
    /// When that was read.
    pub read_at: Option<i64>,
    /// When the service ends (Unix milliseconds).
    pub service_end_at: Option<i64>,
    /// When the number is lost (Unix milliseconds).
    pub number_loss_at: Option<i64>,
    /// The amount ordered.
    pub amount: Option<String>,
    /// Who is asked to pay.
    pub payer: Option<String>,
    /// The balance before the order.
    pub balance_before: Option<String>,
    /// The provider's transaction id.
    pub transaction_id: Option<String>,
    /// Our reference.
    pub reference: Option<String>,
    /// The top-up's id, for `topups show`.
    pub topup: Option<String>,
    /// The hash a person approves.
    pub order_hash: Option<String>,
    /// The machine-readable reason.
    pub reason: Option<String>,
    /// The same in words.
    pub detail: Option<String>,
    /// What topupd does next, in words; absent means "nothing: you must act".
    pub next: Option<String>,
    /// When (Unix milliseconds).
    pub next_at: Option<i64>,
    /// The number of the reminder, from 1; absent in a first notice.
    pub reminder: Option<i64>,
    /// What was spent, in a statement or report.
    pub spent: Option<String>,
    /// How many top-ups that was.
    pub topups: Option<i64>,
    /// The month or week, in a statement or report.
    pub period: Option<String>,
    /// The journal's head, in a report: kept elsewhere, it proves that no row was changed.
    pub journal_head: Option<String>,
    /// In a digest: what each line's own notice would have said.
    pub items: Vec<Item>,
}

/// One line of a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// The kind of the notice it stands for.
    pub kind: String,
    /// What the owner calls the line.
    pub label: String,
    /// The last four digits of its number.
    pub last4: String,
    /// The newest balance.
    pub balance: Option<String>,
    /// When the service ends (Unix milliseconds).
    pub service_end_at: Option<i64>,
    /// What was spent on it, in a statement.
    pub spent: Option<String>,
}

impl NoticeKind {
    /// Kinds of which one owner of many lines may get many at once; they are told in one.
    pub const GATHERED: [Self; 5] =
        [Self::LowBalance, Self::ExpiryNear, Self::Stale, Self::Recovered, Self::Flapping];
}

/// A notice about to be written into the outbox, in the transaction of its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeDraft {
    /// Who is told.
    pub subscriber: SubscriberId,
    /// About which line.
    pub subscription: Option<SubscriptionId>,
    /// About which top-up.
    pub topup: Option<TopupId>,
    /// What about.
    pub kind: NoticeKind,
    /// How much it matters.
    pub severity: Severity,
    /// One row per key, whatever the number of polls, restarts or instances. The store puts the
    /// subscriber in front.
    pub dedupe: String,
    /// When the cause happened.
    pub at: Timestamp,
    /// What it says.
    pub facts: Facts,
}
