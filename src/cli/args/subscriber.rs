//! The verbs of `subscriber`.

use clap::Subcommand;

/// `subscriber`
#[derive(Debug, Subcommand)]
pub enum SubscriberVerb {
    /// Print the link to a subscriber's own page: their lines, top-ups and statements, and what
    /// waits for their word. Whoever holds it may look and answer for 30 days.
    #[command(after_help = "Example:\n  topupd subscriber link li")]
    Link {
        /// The subscriber.
        id: String,
    },
}
