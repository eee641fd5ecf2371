//! The verbs of `notices`.

use crate::domain::Span;
use clap::Subcommand;

/// `notices`
#[derive(Debug, Subcommand)]
pub enum NoticesVerb {
    /// The newest notices.
    List {
        /// Only to this subscriber.
        #[arg(long)]
        subscriber: Option<String>,
        /// Only those that were given up.
        #[arg(long)]
        dead: bool,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: i64,
    },
    /// Say that it was seen: it is not told again, unless it gets worse.
    #[command(
        after_help = "Examples:\n  topupd notices acknowledge m_3f2a91c07d5e6b84\n  topupd notices acknowledge m_3f2a91c07d5e6b84 --snooze 2d"
    )]
    Acknowledge {
        /// The notice.
        id: String,
        /// Only for so long; then it is told again if it is still so.
        #[arg(long, value_name = "SPAN", value_parser = span)]
        snooze: Option<Span>,
    },
    /// Every notice as it would look, written into a folder as text, HTML and SMS.
    #[command(
        after_help = "Examples:\n  topupd notices preview notices\n  topupd notices preview /tmp/n --kind topup_held --locale zh-CN --channel email"
    )]
    Preview {
        /// Where to; made where it is not there.
        folder: std::path::PathBuf,
        /// Only this kind.
        #[arg(long)]
        kind: Option<String>,
        /// Only this language: en, zh-CN.
        #[arg(long)]
        locale: Option<String>,
        /// Only what this sort of channel sends: email, sms, chat.
        #[arg(long)]
        channel: Option<String>,
    },
    /// Send a test notice to a subscriber, now.
    Test {
        /// The subscriber.
        subscriber: String,
    },
}

fn span(text: &str) -> Result<Span, String> {
    let found = Span::parse(text).filter(|span| *span > Span::ZERO);
    found.ok_or_else(|| "allowed is a span such as \"12h\" or \"2d\"".to_owned())
}
