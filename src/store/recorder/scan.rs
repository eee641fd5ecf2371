//! Reading the whole recorder, files put aside first.

use super::line::{self, Line, Outcome, Sent};
use crate::domain::Timestamp;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

/// What the recorder knows.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// The newest submission of every reference, in the order in which they left.
    pub sent: Vec<Sent>,
    /// What came of a submission, by reference and number.
    pub results: BTreeMap<(String, i64), Outcome>,
    /// Heads of the journal as they were when requests left, since the rows were last brought up to
    /// date after a restore.
    pub heads: Vec<(i64, String)>,
    /// The recorder's identity, from its first line.
    pub recorder: Option<String>,
    /// The installation it was begun for.
    pub install: Option<String>,
    /// Its first and last time.
    pub first_at: Option<Timestamp>,
    pub(super) last_at: Option<Timestamp>,
    /// Where a line is damaged or missing, in words; a torn end is no damage.
    pub damage: Option<String>,
    pub(super) torn_at: Option<u64>,
    pub(super) next: u64,
    /// Where each reference stands in `sent`.
    by_reference: BTreeMap<String, usize>,
}

impl Replay {
    /// Reads a recorder that another process may be writing: a line that is not whole yet is left
    /// alone.
    pub fn load(path: &Path) -> io::Result<Self> {
        let mut replay = Self::default();
        for old in put_aside(path)? {
            replay.read(&old, true)?;
        }
        replay.read(path, false)?;
        Ok(replay)
    }

    /// What came of the submission `submit_no` of `reference`.
    pub fn result(&self, reference: &str, submit_no: i64) -> Option<&Outcome> {
        self.results.get(&(reference.to_owned(), submit_no))
    }

    /// The newest submission of `reference` that left, if any did.
    pub fn last_sent(&self, reference: &str) -> Option<&Sent> {
        self.by_reference.get(reference).and_then(|at| self.sent.get(*at))
    }

    /// Reads one file; returns how many of its bytes are whole lines.
    pub(super) fn read(&mut self, path: &Path, is_whole: bool) -> io::Result<u64> {
        let mut reader = BufReader::new(File::open(path)?);
        let (mut offset, mut text, mut number) = (0_u64, Vec::new(), 0_u64);
        let damaged =
            |number: u64| format!("line {number} of {} is damaged or missing", path.display());
        loop {
            text.clear();
            let length = reader.read_until(b'\n', &mut text)? as u64;
            if length == 0 {
                return Ok(offset);
            }
            number = number.saturating_add(1);
            let whole = text.strip_suffix(b"\n").and_then(line::read);
            let Some((n, at, line)) = whole else {
                let is_last = reader.fill_buf()?.is_empty();
                if is_last && !is_whole {
                    self.torn_at = Some(offset);
                    return Ok(offset);
                }
                self.damage.get_or_insert_with(|| damaged(number));
                offset = offset.saturating_add(length);
                continue;
            };
            if n != self.next && self.first_at.is_some() {
                self.damage.get_or_insert_with(|| damaged(number));
            }
            self.next = n.saturating_add(1);
            self.first_at = self.first_at.or(Some(at));
            self.last_at = Some(at);
            self.take(line);
            offset = offset.saturating_add(length);
        }
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Open { recorder, install } => {
                self.recorder = Some(recorder);
                self.install = self.install.take().or(Some(install));
            }
            Line::Probe => {}
            Line::Rebased => self.heads.clear(),
            Line::Send(sent) => self.take_sent(sent),
            Line::Result { reference, submit_no, outcome } => {
                self.results.insert((reference, submit_no), outcome);
            }
        }
    }

    fn take_sent(&mut self, sent: Box<Sent>) {
        if sent.head.0 > 0 {
            self.heads.push(sent.head.clone());
        }
        match self.by_reference.get(&sent.reference) {
            Some(at) => {
                if let Some(known) = self.sent.get_mut(*at) {
                    *known = *sent;
                }
            }
            None => {
                self.by_reference.insert(sent.reference.clone(), self.sent.len());
                self.sent.push(*sent);
            }
        }
    }
}

/// Where a full file goes.
pub(super) fn aside(path: &Path, next: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{next:012}"));
    PathBuf::from(name)
}

/// The files put aside, oldest first.
pub(super) fn put_aside(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let other = entry.file_name().to_string_lossy().into_owned();
        let number = other.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.'));
        if number.is_some_and(|n| n.len() == 12 && n.bytes().all(|b| b.is_ascii_digit())) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
