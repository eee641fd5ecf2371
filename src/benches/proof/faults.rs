//! R4: every fault of HTTP, at every position, for every class of provider, with its end asserted.

use super::{
    fault::{End, Fault, Look, end},
    house::House,
    oracle::{Class, Line, Oracle},
    table::Row,
};
use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, Instant},
};
use topupd::domain::{Span, State, Timestamp, Topup};

/// One cell of the matrix.
#[derive(Clone, Copy, Debug)]
struct Cell {
    class: Class,
    first: Fault,
    second: Fault,
    look: Look,
}

/// The whole matrix: what the first submission meets at every class, what look-ups meet at every
/// class that has them, what a second submission meets at the only class that gets one.
fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for class in Class::ALL {
        for first in Fault::all() {
            cells.push(Cell { class, first, second: Fault::Done, look: Look::Normal });
        }
        if class.by_ref() {
            for look in Look::all() {
                let first = Fault::Code { code: 500, charged: true };
                cells.push(Cell { class, first, second: Fault::Done, look });
            }
        }
    }
    for second in Fault::all() {
        let first = Fault::Code { code: 502, charged: false };
        cells.push(Cell { class: Class::A, first, second, look: Look::Normal });
    }
    cells
}

/// A provider of class `class` at `address`, as config.
pub(crate) fn provider(class: Class, address: &str) -> String {
    let word = class.word();
    let mut text = format!(
        "[providers.{word}.http]\nbase_url = \"http://{address}/{word}\"\nallow_private_network = true\ntimeout = \"400ms\"\n\
         [providers.{word}.http.read]\npath = \"/lines/{{{{ subscription.msisdn }}}}\"\nbalance = \"/balance/amount\"\n\
         currency = \"/balance/currency\"\nservice_end = \"/expires_at\"\n\
         [providers.{word}.http.topup]\npath = \"/topups\"\n\
         body = '{{\"ref\":\"{{{{ reference }}}}\",\"msisdn\":\"{{{{ subscription.msisdn }}}}\",\"amount\":\"{{{{ amount }}}}\",\"currency\":\"{{{{ currency }}}}\"}}'\n\
         transaction_id = \"/id\"\nstatus = \"/status\"\npaid = [\"done\"]\npending = [\"pending\"]\nrefused = [\"refused\"]\n\
         reversed = [\"reversed\"]\nrefused_http = [402, 422]\nmsisdn = \"/msisdn\"\namount = \"/amount\"\ncurrency = \"/currency\"\nreference = \"/ref\"\n"
    );
    if class.by_ref() {
        write!(text, "[providers.{word}.http.find]\npath = \"/topups?ref={{{{ reference }}}}\"\nitems = \"/items\"\n").ok();
    }
    if class == Class::C {
        write!(text, "[providers.{word}.http.list]\npath = \"/list?from={{{{ from }}}}&page={{{{ page }}}}\"\nitems = \"/items\"\n").ok();
    }
    let unique = match class {
        Class::A => "strict",
        Class::Sequential => "sequential",
        Class::Reusable => "reusable",
        Class::B | Class::C | Class::D => "not_enforced",
    };
    let lookup = match class {
        Class::C => "list_only",
        Class::D => "none",
        _ => "by_ref",
    };
    write!(
        text,
        "[providers.{word}.http.declares]\nlookup = \"{lookup}\"\nref_unique = \"{unique}\"\nmax_processing = \"100ms\"\nbalance_lag = \"0s\"\n"
    )
    .ok();
    text
}

const CALM: &str = "[flow]\npoll_every = \"6h\"\n[safety]\nstorm_min = 100000\npayer_rate = \"1000000/s\"\nresubmit = \"strict\"\n\
    unknown_limit = 1000\ndisk_min = \"1 MB\"\n[caps]\nglobal_24h = \"1000000.00 USD\"\n";

pub(crate) fn number(n: usize) -> String {
    format!("+1202{:07}", 2_000_000 + n)
}

/// `n` lines, each with its payer.
pub(crate) fn fleet(payers: &[&str]) -> String {
    let mut text = String::from(
        "[[subscribers]]\nid = \"o\"\nname = \"Owner\"\nemail = \"o@example.com\"\nchannels = [\"mail\"]\ntime_zone = \"UTC\"\n",
    );
    for (n, payer) in payers.iter().enumerate() {
        write!(
            text,
            "[[subscriptions]]\nid = \"line-{n:05}\"\nsubscriber = \"o\"\nlabel = \"L\"\nmsisdn = \"{}\"\nreader = \"a\"\npayers = [\"{payer}\"]\n",
            number(n)
        )
        .ok();
    }
    text + "[[rules]]\nid = \"keep\"\napplies_to = { all = true }\nmode = \"auto\"\nany = [{ metric = \"balance\", at_most = \"5.00 USD\" }]\n\
            amount = { fixed = \"10.00 USD\" }\napprove_first = false\ncooldown_attempt = \"90d\"\ncooldown_success = \"90d\"\n"
}

/// All cells, then those whose one payment stops all others.
pub(crate) async fn matrix(share: usize) -> anyhow::Result<Row> {
    let started = Instant::now();
    let mut row = Row::new("R4 HTTP faults");
    let stops = |cell: &Cell| {
        cell.first == Fault::RefusedThenCharged || cell.second == Fault::RefusedThenCharged
    };
    let all: Vec<Cell> = cells().into_iter().step_by(share.max(1)).collect();
    let (alone, together): (Vec<Cell>, Vec<Cell>) = all.into_iter().partition(stops);
    batch(&together, false, &mut row).await?;
    for cell in alone {
        batch(&[cell], cell.class.by_ref() && cell.first == Fault::RefusedThenCharged, &mut row)
            .await?;
    }
    never_sent(&mut row).await?;
    row.note = "cells of 6 classes: answers to the first and second submission, look-ups; every end asserted".into();
    Ok(row.timed(started))
}

async fn batch(cells: &[Cell], stops_paying: bool, row: &mut Row) -> anyhow::Result<()> {
    let oracle = Oracle::start(Duration::ZERO).await?;
    let config = Class::ALL.iter().map(|c| provider(*c, &oracle.address)).collect::<String>()
        + "[channels.mail.email]\nurl = \"smtp://127.0.0.1:9\"\nfrom = \"a@example.com\"\n"
        + CALM;
    let payers: Vec<&str> = cells.iter().map(|cell| cell.class.word()).collect();
    for (n, cell) in cells.iter().enumerate() {
        let sends = vec![cell.first, cell.second];
        oracle.set_line(&number(n), Line { cents: 320, sends, look: cell.look, ..Line::default() });
    }
    let begin = Timestamp::from_ms(1_800_000_000_000);
    let house = House::new(&config, &fleet(&payers), BTreeMap::new(), begin).await?;
    house.pass(Span::hours(34)).await?;
    let (charges, topups) = (oracle.charges(), house.topups().await?);
    row.compare(&charges, &topups);
    row.findings(house.findings().await?);
    let switch = house.engine().money_switch(house.now()).await?;
    if switch.books.is_some() != stops_paying {
        row.fault(format!("{:?}: paying stopped: {:?}", cells.first(), switch.stops()));
    }
    let of_line: BTreeMap<&str, Vec<&Topup>> = topups.iter().fold(BTreeMap::new(), |mut map, t| {
        map.entry(t.subscription.as_str()).or_insert_with(Vec::new).push(t);
        map
    });
    for (n, cell) in cells.iter().enumerate() {
        row.trials += 1;
        let must = end(cell.class, cell.first, cell.second, cell.look);
        let line = format!("line-{n:05}");
        let found = of_line.get(line.as_str()).map(Vec::as_slice).unwrap_or_default();
        let number = number(n);
        let charged = charges.iter().filter(|c| c.msisdn == number).count();
        // After a reversal the line wants money again, and waits for a person: nothing is sent.
        let sent: Vec<&Topup> = found.iter().copied().filter(|t| t.submit_no > 0).collect();
        let is = match sent.as_slice() {
            [one] => End { state: one.state.as_str(), charges: charged },
            [] => End { state: "no order", charges: charged },
            _ => End { state: "several orders", charges: charged },
        };
        if is != must {
            let reason = found.first().map(|t| t.reason.clone()).unwrap_or_default();
            row.fault(format!("{cell:?}: must end as {must:?}, is {is:?} ({reason})"));
        }
        if let [one] = sent.as_slice() {
            let arrived = oracle.arrived(&one.reference);
            let most = if cell.class == Class::A { 2 } else { 1 };
            if arrived > most {
                row.fault(format!("{cell:?}: {arrived} copies of one reference arrived"));
            }
        }
    }
    Ok(())
}

/// Where no connection comes to stand nothing was sent, which is proven, not unknown.
async fn never_sent(row: &mut Row) -> anyhow::Result<()> {
    let oracle = Oracle::start(Duration::ZERO).await?;
    let mut config = provider(Class::A, &oracle.address)
        + "[channels.mail.email]\nurl = \"smtp://127.0.0.1:9\"\nfrom = \"a@example.com\"\n"
        + CALM;
    let secure = oracle.address.clone();
    let ways = [
        ("dns", "http://no-such-host.invalid".to_owned()),
        ("refused", "http://127.0.0.1:1".to_owned()),
        ("tls", format!("https://{secure}")),
    ];
    for (name, base) in &ways {
        config += &provider(Class::A, &oracle.address)
            .replace("providers.a.", &format!("providers.{name}."))
            .replace(&format!("http://{}/a", oracle.address), base);
    }
    let payers: Vec<&str> = ways.iter().map(|(name, _)| *name).collect();
    for n in 0..payers.len() {
        oracle.set_line(&number(n), Line { cents: 320, ..Line::default() });
    }
    let begin = Timestamp::from_ms(1_800_000_000_000);
    let house = House::new(&config, &fleet(&payers), BTreeMap::new(), begin).await?;
    house.pass(Span::hours(4)).await?;
    row.compare(&oracle.charges(), &house.topups().await?);
    row.findings(house.findings().await?);
    for topup in house.topups().await? {
        row.trials += 1;
        // Given up as not charged, or (an outage is nobody's decline) tried anew.
        if !matches!(topup.state, State::Failed | State::Reserved | State::Proposed)
            || topup.maybe_sent > 0
        {
            row.fault(format!("{}: {} ({})", topup.payer, topup.state.as_str(), topup.reason));
        }
    }
    Ok(())
}
