//! What can be typed.

mod notices;
mod subscriber;
mod verbs;

pub(super) use notices::NoticesVerb;
pub(super) use subscriber::SubscriberVerb;
pub(super) use verbs::{
    ChannelVerb, DiscrepanciesVerb, MoneyVerb, OperatorVerb, PeriodArgs, PinsVerb, ProviderVerb,
    ReadingArgs, ReceiptsArgs, SmsVerb, SubscriptionVerb, TokenVerb, TopupArgs, TopupsVerb,
    UserVerb,
};

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
    Run {
        /// Pay although the flight recorder is missing, damaged or another one: you checked at the
        /// providers that nothing is under way.
        #[arg(long)]
        accept_missing_recorder: bool,
    },
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
    /// A subscriber's own page.
    #[command(subcommand)]
    Subscriber(SubscriberVerb),
    /// Look at lines, pause and resume them.
    #[command(subcommand)]
    Subscription(SubscriptionVerb),
    /// Poll now: the named lines, or all.
    Poll {
        /// Subscriptions; all where none is named.
        ids: Vec<String>,
    },
    /// Text messages of operators, as readings.
    #[command(subcommand)]
    Sms(SmsVerb),
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
    #[command(
        after_help = "Examples:\n  topupd receipts --from 2026-11-01 --csv > november.csv\n  topupd receipts --topup t_0123 --page > receipt.html"
    )]
    Receipts(ReceiptsArgs),
    /// Every money movement, oldest first.
    Ledger(PeriodArgs),
    /// Prove the books: journal, orders, caps, notices; the first offending row of each.
    #[command(
        after_help = "Examples:\n  topupd verify\n  topupd verify --json\n  topupd verify --anchor 4711:9f2c...   a head that was printed or mailed before\n\nExit code 1 where something does not hold. The last line is the head to keep elsewhere."
    )]
    Verify {
        /// A journal head from before, as SEQ:HASH; may be given several times.
        #[arg(long, value_name = "SEQ:HASH")]
        anchor: Vec<String>,
    },
    /// Compare with the providers' own books now (also done every day).
    Reconcile {
        /// Providers; all that can be compared where none is named.
        payers: Vec<String>,
    },
    /// What our books and the providers' do not agree about.
    #[command(subcommand)]
    Discrepancies(DiscrepanciesVerb),
    /// Codes that were bought: list them, show one, say what became of it.
    #[command(subcommand)]
    Pins(PinsVerb),
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
    /// Look up networks and brands: codes for the balance, renewal, when the number is lost.
    #[command(subcommand)]
    Operator(OperatorVerb),
    /// Look at providers, try them.
    #[command(subcommand)]
    Provider(ProviderVerb),
    /// Look at channels, try them.
    #[command(subcommand)]
    Channel(ChannelVerb),
    /// Stop or allow all paying at once.
    #[command(subcommand)]
    Money(MoneyVerb),
    /// Who is alive over this database, and what it holds.
    #[command(
        after_help = "Examples:\n  topupd instances\n  topupd instances --json\n\nSTATE: alive; gone, where nothing was heard for longer than its lease (others take over\nwhat it held); stopped, where it ended in good order. Kept for seven days."
    )]
    Instances,
    /// API tokens.
    #[command(subcommand)]
    Token(TokenVerb),
    /// People who may sign in to the pages.
    #[command(subcommand)]
    User(UserVerb),
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
