//! What can be typed.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Keeps prepaid SIM and eSIM lines alive: polls balances, tops up at most once per need, tells people.
#[derive(Debug, Parser)]
#[command(name = "topupd", version, arg_required_else_help = true, propagate_version = true)]
#[command(
    after_help = "Examples:\n  topupd demo                          see it work, nothing to configure\n  topupd --config my.toml apply fleet.toml --plan\n  topupd --config my.toml run\n  topupd subscription explain li-tmobile\n\nExit codes: 0 ok, 1 failed, 2 bad usage or bad config."
)]
pub struct Cli {
    /// Config file; may be given several times, later wins. Default: config/topupd.toml or
    /// /etc/topupd/topupd.toml. The environment (`TOPUPD__SECTION__KEY`) comes last.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Vec<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The daemon.
    Run,
    /// The main job with nothing to configure: simulated carrier, captured mail, the story as it happens.
    #[command(
        after_help = "Examples:\n  topupd demo\n  topupd demo --speed 600 --for 30s\n  topupd demo --for 5m --listen 127.0.0.1:7878"
    )]
    Demo(DemoArgs),
    /// Validate config, database and fleet.
    Check {
        /// Also try every provider and channel, without spending or sending.
        #[arg(long)]
        online: bool,
    },
    /// Bring the database up to date (also done by run).
    Migrate,
    /// Apply a fleet file: TOML, or CSV for subscriptions. All or nothing.
    #[command(
        after_help = "Examples:\n  topupd apply fleet.toml --plan       show the difference, change nothing\n  topupd apply people.toml lines.csv\n  topupd apply fleet.toml --prune      also close what the files no longer name"
    )]
    Apply(ApplyArgs),
    /// Look at lines, pause and resume them.
    #[command(subcommand)]
    Subscription(SubscriptionVerb),
    /// Poll now: the named lines, or all.
    Poll {
        /// Subscriptions; all where none is named.
        ids: Vec<String>,
    },
    /// Run every stage once until nothing is due.
    Tick,
    /// Order by hand; the same road as a rule.
    #[command(
        after_help = "Examples:\n  topupd topup li-tmobile --amount \"10.00 USD\" --dry-run\n  topupd topup li-tmobile --amount \"10.00 USD\" --yes"
    )]
    Topup(TopupArgs),
    /// Look at top-ups; approve, reject, resolve them.
    #[command(subcommand)]
    Topups(TopupsVerb),
    /// Evidence of top-ups, for disputes and accounts.
    Receipts(PeriodArgs),
    /// Every money movement, oldest first.
    Ledger(PeriodArgs),
    /// When lines run out, as a range, from what was read of them.
    #[command(
        after_help = "Examples:\n  topupd forecast\n  topupd forecast li-tmobile --json\n\nTRUST: collecting until there are 7 days and 5 readings that show use; proven once it\npredicted each of the last four weeks within 25 %. Only a proven forecast moves money."
    )]
    Forecast {
        /// Subscriptions; all where none is named.
        ids: Vec<String>,
    },
    /// Replay stored readings under draft rules: orders, spend, notices, days dark.
    #[command(
        after_help = "Examples:\n  topupd simulate --rules draft.toml --from 2026-08-01 --to 2026-11-01\n  topupd simulate --from 2026-11-01 --lines li-tmobile --story\n  topupd simulate --rules draft.toml --from 2026-08-01 --json\n\nRules of the files replace active ones of the same id; the others stay, as with apply.\nWithout --rules the active rules are replayed. Nothing is written, ordered or sent."
    )]
    Simulate(SimulateArgs),
    /// Look at notices, send a test.
    #[command(subcommand)]
    Notices(NoticesVerb),
    /// Look at providers, try them.
    #[command(subcommand)]
    Provider(ProviderVerb),
    /// Look at channels, try them.
    #[command(subcommand)]
    Channel(ChannelVerb),
    /// Stop or allow all paying at once.
    #[command(subcommand)]
    Money(MoneyVerb),
    /// API tokens.
    #[command(subcommand)]
    Token(TokenVerb),
    /// A consistent copy of the database.
    Backup {
        /// Where to; must not exist.
        file: PathBuf,
    },
    /// Everything as JSON.
    Export,
    /// Shell completions, to standard output.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// The manual page, to standard output.
    Man,
}

/// `demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Simulated seconds per real second, for what the lines use up.
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    pub speed: i64,
    /// How long, such as 30s or 5m. Without it: until every line's story is told, or Ctrl-C.
    #[arg(long = "for", value_name = "DURATION")]
    pub duration: Option<String>,
    /// Where the dashboard listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
}

/// `apply`
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Fleet files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Print the difference and change nothing.
    #[arg(long)]
    pub plan: bool,
    /// Also close and remove what the files no longer name.
    #[arg(long)]
    pub prune: bool,
}

/// `simulate`
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Files with draft rules; whole fleet files do, only their rules count.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub rules: Vec<PathBuf>,
    /// From this date or instant on.
    #[arg(long)]
    pub from: String,
    /// Up to this date or instant; now where nothing is said.
    #[arg(long)]
    pub to: Option<String>,
    /// Only these subscriptions.
    #[arg(long, value_name = "ID", num_args = 1.., value_delimiter = ',')]
    pub lines: Vec<String>,
    /// Only the rules of the files, none of the active ones.
    #[arg(long, requires = "rules")]
    pub prune: bool,
    /// Tell what happens as it happens.
    #[arg(long)]
    pub story: bool,
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

/// `notices`
#[derive(Debug, Subcommand)]
pub enum NoticesVerb {
    /// The newest notices.
    List {
        /// Only to this subscriber.
        #[arg(long)]
        subscriber: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: i64,
    },
    /// Send a test notice to a subscriber, now.
    Test {
        /// The subscriber.
        subscriber: String,
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
    /// What it sells.
    Products {
        /// Its name in config.
        name: String,
        /// For this subscription.
        id: Option<String>,
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
