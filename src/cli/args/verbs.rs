//! The verbs that have verbs of their own.

use clap::{Args, Subcommand};

/// `discrepancies`
#[derive(Debug, Subcommand)]
pub enum DiscrepanciesVerb {
    /// The open ones, newest first.
    List {
        /// Settled ones as well.
        #[arg(long)]
        all: bool,
    },
    /// Settle one, after looking at the provider's console.
    #[command(
        after_help = "Example:\n  topupd discrepancies close d_0123 --note \"bought by hand in the console\""
    )]
    Close {
        /// Its id.
        id: String,
        /// What it was.
        #[arg(long)]
        note: String,
    },
}

/// `pins`
#[derive(Debug, Subcommand)]
pub enum PinsVerb {
    /// Codes that nobody has redeemed yet; never the codes themselves.
    List {
        /// Those that are redeemed or rejected, too.
        #[arg(long)]
        all: bool,
    },
    /// Print one code. That you asked is written down.
    #[command(after_help = "Example:\n  topupd pins show p_0123")]
    Show {
        /// Its id, or that of its top-up.
        id: String,
    },
    /// Have a provider enter a code, once.
    #[command(after_help = "Example:\n  topupd pins redeem p_0123 --with gsm")]
    Redeem {
        /// Its id, or that of its top-up.
        id: String,
        /// A provider that redeems codes.
        #[arg(long)]
        with: String,
    },
    /// Say what became of a code that you entered yourself.
    #[command(
        after_help = "Example:\n  topupd pins end p_0123 --as rejected --note \"expired voucher\""
    )]
    End {
        /// Its id, or that of its top-up.
        id: String,
        /// What the network said.
        #[arg(long = "as", value_parser = ["redeemed", "rejected"])]
        as_what: String,
        /// How you know.
        #[arg(long)]
        note: Option<String>,
    },
    /// Fetch the code of a top-up again by its reference. Nothing is bought.
    Fetch {
        /// The top-up.
        topup: String,
    },
}

/// `subscription`
#[derive(Debug, Subcommand)]
pub enum SubscriptionVerb {
    /// All lines, with their newest reading and what happens next.
    List,
    /// One line.
    Show {
        /// The subscription.
        id: String,
    },
    /// Stop polling, judging and paying for a line.
    Pause {
        /// The subscription.
        id: String,
    },
    /// Go on with a line; forgives earlier failures.
    Resume {
        /// The subscription.
        id: String,
    },
    /// Every gate passed or failed, what happens next and when.
    Explain {
        /// The subscription.
        id: String,
    },
    /// Enter a reading by hand.
    #[command(
        after_help = "Example:\n  topupd subscription reading li-tmobile --balance \"5.00 USD\" --service-end 2026-12-24"
    )]
    Reading(ReadingArgs),
}

/// `subscription reading`
#[derive(Debug, Args)]
pub struct ReadingArgs {
    /// The subscription.
    pub id: String,
    /// Money left, such as "5.00 USD".
    #[arg(long)]
    pub balance: Option<String>,
    /// Data left, such as "500 MB".
    #[arg(long)]
    pub data_left: Option<String>,
    /// Minutes left.
    #[arg(long)]
    pub minutes_left: Option<i64>,
    /// Text messages left.
    #[arg(long)]
    pub sms_left: Option<i64>,
    /// When the service stops: a date (start of that day at the operator) or RFC 3339.
    #[arg(long)]
    pub service_end: Option<String>,
    /// When the number is lost.
    #[arg(long)]
    pub number_loss: Option<String>,
    /// What the operator says it takes next, such as "16.20 USD".
    #[arg(long)]
    pub next_charge: Option<String>,
    /// A balance with its own expiry: "name=Bonus,left=500 MB,expires=2026-12-01", with
    /// `metric=balance`, `minutes_left` or `sms_left` for others than data. May be given several times.
    #[arg(long = "bucket", value_name = "KEY=VALUE,…")]
    pub buckets: Vec<String>,
}

/// `sms`
#[derive(Debug, Subcommand)]
pub enum SmsVerb {
    /// Read the balance from a text message of a line's operator, and write it down.
    #[command(
        after_help = "Examples:\n  topupd sms add --subscription li-tmobile \"Current plan active until 12/24/2026 and will renew for $15.00. Account Balance $20.00.\"\n  topupd sms add --subscription li-tmobile --at 2026-11-21T08:00:00Z \"$(cat message.txt)\"\n\nThe line's reader must be an sms_inbox. A text that holds no balance in the words of the\noperator is written down as unparseable."
    )]
    Add(SmsArgs),
}

/// `sms add`
#[derive(Debug, Args)]
pub struct SmsArgs {
    /// The subscription that it reached.
    #[arg(long, value_name = "ID")]
    pub subscription: String,
    /// Who sent it, if that is to be checked.
    #[arg(long)]
    pub from: Option<String>,
    /// When it was received, in RFC 3339; now where nothing is said.
    #[arg(long)]
    pub at: Option<String>,
    /// What it says, whole.
    pub text: String,
}

/// `topup`
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["amount", "product"])))]
pub struct TopupArgs {
    /// The subscription.
    pub id: String,
    /// How much, such as "10.00 USD".
    #[arg(long)]
    pub amount: Option<String>,
    /// Which product.
    #[arg(long)]
    pub product: Option<String>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Show the order and every gate; order nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `topups`
#[derive(Debug, Subcommand)]
pub enum TopupsVerb {
    /// The newest top-ups.
    List {
        /// Only of this subscription.
        #[arg(long)]
        subscription: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: i64,
    },
    /// One top-up with its full history and receipt.
    Show {
        /// The top-up, or a unique beginning of its id.
        id: String,
    },
    /// Say yes to exactly this order.
    Approve {
        /// The top-up.
        id: String,
        /// Only if the order still has this hash.
        #[arg(long)]
        hash: Option<String>,
    },
    /// Say no, or withdraw an order that was not sent yet.
    Reject {
        /// The top-up.
        id: String,
    },
    /// Settle a case that a person must decide.
    #[command(
        after_help = "Examples:\n  topupd topups resolve t_12ab --as paid --note \"seen in the console, tx 99\"\n  topupd topups resolve t_12ab --as failed --note \"console shows nothing\" --checked"
    )]
    Resolve {
        /// The top-up.
        id: String,
        /// What the provider's records say.
        #[arg(long = "as", value_parser = ["paid", "failed"])]
        as_what: String,
        /// How you know.
        #[arg(long)]
        note: String,
        /// You looked at the provider's own console.
        #[arg(long)]
        checked: bool,
    },
}

/// `receipts`
#[derive(Debug, Args)]
pub struct ReceiptsArgs {
    /// Which ones, and how.
    #[command(flatten)]
    pub period: PeriodArgs,
    /// As one HTML page to print, to standard output.
    #[arg(long, conflicts_with = "csv")]
    pub page: bool,
    /// Only of this top-up.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub topup: Option<String>,
}

/// `receipts`, `ledger`
#[derive(Debug, Args)]
pub struct PeriodArgs {
    /// From this date or instant on.
    #[arg(long)]
    pub from: Option<String>,
    /// Up to this date or instant.
    #[arg(long)]
    pub to: Option<String>,
    /// As CSV.
    #[arg(long)]
    pub csv: bool,
}

/// `operator`
#[derive(Debug, Subcommand)]
pub enum OperatorVerb {
    /// All of them, with the first way to ask for the balance.
    #[command(after_help = "Examples:\n  topupd operator list\n  topupd operator list --json")]
    List,
    /// Everything known of one; what nobody has proved is marked.
    #[command(
        after_help = "Examples:\n  topupd operator show t-mobile-us\n  topupd operator show \"Ultra Mobile\" --json"
    )]
    Show {
        /// Its id, or one of its names.
        id: String,
    },
}

/// `provider`
#[derive(Debug, Subcommand)]
pub enum ProviderVerb {
    /// Configured providers and what they declare.
    List,
    /// Try the connection without spending.
    Test {
        /// Its name in config.
        name: String,
    },
    /// What it sells; its catalogue is kept for a day.
    #[command(
        after_help = "Examples:\n  topupd provider products reloadly\n  topupd provider products airalo travel-esim --refresh"
    )]
    Products {
        /// Its name in config.
        name: String,
        /// For this subscription.
        id: Option<String>,
        /// Ask anew.
        #[arg(long)]
        refresh: bool,
    },
    /// What an order would cost, without making it.
    #[command(after_help = "Example:\n  topupd provider quote reloadly bank-sim \"10.00 USD\"")]
    Quote {
        /// Its name in config.
        name: String,
        /// For this subscription.
        id: String,
        /// The face value.
        amount: String,
    },
}

/// `channel`
#[derive(Debug, Subcommand)]
pub enum ChannelVerb {
    /// Configured channels.
    List,
    /// Try the connection without sending.
    Test {
        /// Its name in config.
        name: String,
    },
}

/// `money`
#[derive(Debug, Subcommand)]
pub enum MoneyVerb {
    /// Stop all paying; works without the database.
    Off {
        /// Why, for whoever finds it.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Allow paying again; also clears tripped safeties.
    On,
    /// Whether paying is on, and what stops it.
    Status,
}

/// `token`
#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Make a token; its text is shown once.
    Create {
        /// What it may do.
        #[arg(long, value_parser = ["viewer", "operator", "admin"])]
        role: String,
        /// The part of the fleet it is limited to: subscriber:ID or tag:WORD.
        #[arg(long)]
        scope: Option<String>,
        /// What it is for.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// All tokens, without their texts.
    List,
    /// Revoke a token for good.
    Revoke {
        /// Its id.
        id: String,
    },
}

/// `user …`
#[derive(Debug, Subcommand)]
pub enum UserVerb {
    /// Add somebody who may sign in to the pages, or give them another role and password. The
    /// password is asked for, or read as one line from standard input.
    Create {
        /// The name they sign in with.
        name: String,
        /// What they may do.
        #[arg(long, value_parser = ["viewer", "operator", "admin"])]
        role: String,
        /// The part of the fleet they are limited to: subscriber:ID or tag:WORD.
        #[arg(long)]
        scope: Option<String>,
    },
    /// Give somebody another password; they are signed out everywhere.
    Password {
        /// Their name.
        name: String,
    },
    /// Everybody who may sign in, or could.
    List,
    /// Nobody signs in under this name any more.
    Disable {
        /// Their name.
        name: String,
    },
}
