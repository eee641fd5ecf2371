//! Operators and brands as data: how a line's balance is asked for, how vouchers are redeemed, what
//! the replies look like, and what is known of renewal and loss of the number.
//!
//! Invariant: a reply that is not understood as a whole gives nothing, never a value of zero.

mod file;
mod reply;
#[cfg(test)]
mod tests;

pub use reply::{Reply, ReplyFault};

use crate::domain::{Currency, QuietHours, Renewal, Values};
use chrono_tz::Tz;
use std::sync::LazyLock;

/// The data, as it was compiled in.
const FILE: &str = include_str!("operators.toml");

/// A test parses the file, so that nothing is missing here.
static ALL: LazyLock<Vec<Operator>> = LazyLock::new(|| file::parse(FILE).unwrap_or_default());

/// A network or brand.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Its word in config and command line.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// The operator whose network it uses; itself where it has one, `None` where that is not sure.
    pub network: Option<String>,
    /// Other names that mean the same.
    pub also: Vec<String>,
    /// ISO 3166 code of the country.
    pub country: String,
    /// The zone its times are in; `None` where it is that of the line.
    pub zone: Option<Tz>,
    /// The currency of its balances.
    pub currency: Currency,
    /// How to ask for the balance, best first.
    pub balance: Vec<Ask>,
    /// How to redeem a voucher, best first; `CODE` stands for its code.
    pub redeem: Vec<Ask>,
    /// What its replies look like.
    pub replies: Vec<Reply>,
    /// What paying does to the dates of a line.
    pub renewal: Renewal,
    /// Days that one payment buys.
    pub cycle_days: Option<i64>,
    /// The hours of the day of the service end in which it renews.
    pub charge_window: Option<QuietHours>,
    /// Days after the service end at which the number is lost.
    pub number_loss_days: Option<i64>,
    /// What else a user has to know.
    pub notes: Vec<String>,
    /// Where the facts are from.
    pub sources: Vec<String>,
    /// Which of the facts nobody has proved.
    pub unverified: Vec<String>,
}

/// A question to the operator, over the line itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A code that is dialled, such as `#999#`.
    Ussd(String),
    /// A text message.
    Sms {
        /// The number it goes to.
        to: String,
        /// What it says.
        text: String,
    },
}

/// Every operator of the file.
pub fn all() -> &'static [Operator] {
    &ALL
}

/// The operator of an id or of one of its names; letter case, spaces and signs do not count.
pub fn find(id_or_name: &str) -> Option<&'static Operator> {
    let wanted = plain(id_or_name);
    all().iter().find(|operator| operator.names().any(|name| plain(name) == wanted))
}

/// Whether two names can be of the same line: the same operator, or brands on one network. `None`
/// where that cannot be told: a lookup may name the network or the brand, and not all are known.
pub fn agree(ours: &str, theirs: &str) -> Option<bool> {
    // Catalogues write the country or the goods behind the name.
    let bare = |name: &str| {
        let mut words: Vec<&str> = name.split_whitespace().collect();
        while words.last().is_some_and(|word| AFTER.contains(&word.to_lowercase().as_str())) {
            words.pop();
        }
        words.join(" ")
    };
    let known = |name: &str| find(name).or_else(|| find(&bare(name)));
    if plain(&bare(ours)) == plain(&bare(theirs)) {
        return Some(true);
    }
    let (ours, theirs) = (known(ours)?, known(theirs)?);
    if ours.id == theirs.id {
        return Some(true);
    }
    Some(ours.network.as_ref()? == theirs.network.as_ref()?)
}

/// Words behind an operator's name that are no part of it.
const AFTER: [&str; 8] = ["us", "usa", "pin", "data", "bundles", "bundle", "prepaid", "rtr"];

impl Operator {
    /// What a reply says of a line in `zone`; `None` for every text that is not understood as a
    /// whole: menus, adverts, maintenance, other currencies.
    pub fn read(&self, text: &str, zone: Tz) -> Option<Values> {
        let zone = self.zone.unwrap_or(zone);
        self.replies.iter().find_map(|reply| reply.read(text, zone))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        [&self.id, &self.name].into_iter().chain(&self.also).map(String::as_str)
    }
}

/// Letters and digits only.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
