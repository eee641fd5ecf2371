//! What the carrier was asked: by whom, about which line, and when, by its own clock.

use super::carrier::{Carrier, PATH};
use anyhow::Context;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{Read as _, Write as _},
    ops::Range,
    sync::{LazyLock, Mutex, PoisonError},
    time::Instant,
};

/// Where it tells what it was asked since it told so last.
const ASKS: &str = "/asks";

/// What an instance adds to the path of a line; its number follows.
pub(super) const BY: &str = "?by=";

/// In the carrier: when it began, and what it has not told yet.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
static UNTOLD: Mutex<String> = Mutex::new(String::new());

/// In the carrier: writes down what it is asked.
pub(super) fn hears(path: &str) -> Option<String> {
    let mut untold = UNTOLD.lock().unwrap_or_else(PoisonError::into_inner);
    let now = BEGAN.elapsed().as_millis();
    if path == ASKS {
        return Some(format!("{now}\n{}", std::mem::take(&mut *untold)));
    }
    if let Some((line, by)) = path.strip_prefix(PATH).and_then(|rest| rest.split_once(BY)) {
        writeln!(untold, "{now} {by} {line}").ok();
    }
    None
}

/// One question about a line.
#[derive(Clone, Debug)]
struct Ask {
    at: u64,
    by: usize,
    line: String,
}

/// All that the carrier was asked.
#[derive(Debug, Default)]
pub(super) struct Asks(Vec<Ask>);

/// Lines that were asked about again before they could be due.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Again {
    pub(super) all: usize,
    /// By another instance than the one before.
    pub(super) by_another: usize,
}

impl Asks {
    /// Fetches what was asked since the last time; returns the time of the carrier.
    pub(super) fn fetch(&mut self, carrier: &Carrier) -> anyhow::Result<u64> {
        let mut stream = std::net::TcpStream::connect(carrier.address)?;
        write!(stream, "GET {ASKS} HTTP/1.1\r\nhost: carrier\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("the carrier said nothing")?;
        let mut rows = body.lines();
        let now =
            rows.next().and_then(|row| row.parse().ok()).context("the carrier has no time")?;
        for row in rows {
            let ask = ask(row).with_context(|| format!("the carrier said {row:?}"))?;
            self.0.push(ask);
        }
        Ok(now)
    }

    /// How many lines were asked about at least so often since then.
    pub(super) fn lines_asked(&self, times: usize, since: u64) -> usize {
        let mut counts = BTreeMap::<&str, usize>::new();
        for ask in self.0.iter().filter(|ask| ask.at >= since) {
            let count = counts.entry(&ask.line).or_default();
            *count = count.saturating_add(1);
        }
        counts.values().filter(|count| **count >= times).count()
    }

    /// How many there were in `window`, by each of so many instances.
    pub(super) fn by_each(&self, window: &Range<u64>, instances: usize) -> Vec<u64> {
        let mut counts = vec![0_u64; instances];
        for ask in self.0.iter().filter(|ask| window.contains(&ask.at)) {
            if let Some(count) = counts.get_mut(ask.by) {
                *count = count.saturating_add(1);
            }
        }
        counts
    }

    /// Lines asked in `window` that were asked less than `least` before, at `since` or later.
    pub(super) fn again(&self, window: &Range<u64>, least: u64, since: u64) -> Again {
        let (mut before, mut again) = (BTreeMap::<&str, &Ask>::new(), Again::default());
        // They are in the order in which they came.
        for ask in self.0.iter().filter(|ask| ask.at >= since && ask.at < window.end) {
            let Some(last) = before.insert(&ask.line, ask) else { continue };
            if ask.at >= window.start && ask.at.saturating_sub(last.at) < least {
                again.all = again.all.saturating_add(1);
                let another = usize::from(ask.by != last.by);
                again.by_another = again.by_another.saturating_add(another);
            }
        }
        again
    }
}

fn ask(row: &str) -> Option<Ask> {
    let (at, rest) = row.split_once(' ')?;
    let (by, line) = rest.split_once(' ')?;
    Some(Ask { at: at.parse().ok()?, by: by.parse().ok()?, line: line.to_owned() })
}
