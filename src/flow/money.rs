//! What stops all paying: the flag file, the storm breaker, a suspect clock, RECOVERY, a full disk,
//! books that contradict each other, payers whose outcomes are unknown. Each stops paying only,
//! never polling or telling.

use super::{Engine, EngineError, Stage, books::BOOKS, incident::reader_of, recover::RECOVERY};
use crate::domain::{MoneySwitch, Span, State, Timestamp};
use crate::store::{Dialect, Store, StoreError};
use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, Write},
    path::Path,
    sync::PoisonError,
};

/// Outcomes of one payer that are looked back upon.
const TEN: usize = 10;
const HALF_OF: i64 = 10;

/// The storm breaker's name.
const STORM: &str = "storm";
/// What stops instances on other machines, which do not see the flag file of this one.
const BY_HAND: &str = "by_hand";

impl Engine {
    /// The switches as they stand.
    pub async fn money_switch(&self, now: Timestamp) -> Result<MoneySwitch, EngineError> {
        let breakers = self.store().breakers().await?;
        let readers_out = breakers
            .iter()
            .filter_map(|(name, _, why)| Some((reader_of(name)?.to_owned(), why.clone())))
            .collect();
        let mut tripped: BTreeMap<String, String> =
            breakers.into_iter().map(|(name, _, why)| (name, why)).collect();
        let clock = self.clock_doubt(now).await?;
        let behind = self.others_behind(now).await?;
        let disk = self.disk_trouble(now).await;
        let mut payers_out = Vec::new();
        let limit = self.settings().safety.unknown_limit;
        for (name, provider) in self.providers() {
            if !provider.declares().tops_up || provider.declares().assisted {
                continue;
            }
            let outcomes = self.store().last_outcomes(name, limit.max(HALF_OF)).await?;
            let is_unknown = |s: &&State| matches!(s, State::Unknown | State::Held);
            let in_a_row = outcomes.iter().take_while(is_unknown).count();
            let unknown = outcomes.iter().take(TEN).filter(is_unknown).count();
            // A few in a row, or half of the last ten where that is more than the limit.
            let is_out = i64::try_from(in_a_row).is_ok_and(|n| n >= limit)
                || (unknown.saturating_mul(2) >= TEN
                    && i64::try_from(unknown).is_ok_and(|n| n > limit));
            if is_out {
                payers_out.push((
                    name.clone(),
                    format!("{unknown} of the last outcomes at {name} are unknown; paying through it waits until one is resolved"),
                ));
            }
        }
        Ok(MoneySwitch {
            off: self.money_off().or(tripped.remove(BY_HAND)),
            storm: tripped.remove(STORM),
            clock,
            recovery: tripped.remove(RECOVERY).or(behind),
            disk,
            books: tripped.remove(BOOKS),
            payers_out,
            readers_out,
        })
    }

    /// Why what must be written before a send could not be: the disk is nearly full, or the flight
    /// recorder takes no lines. Goes away by itself.
    async fn disk_trouble(&self, now: Timestamp) -> Option<String> {
        let recorder = self.recorder();
        if let Some(recorder) = recorder
            && let Some(why) = recorder.trouble(now).await
        {
            return Some(format!("the flight recorder {}: {why}", recorder.path().display()));
        }
        let folder = |path: &Path| {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            parent.unwrap_or(Path::new(".")).to_path_buf()
        };
        let least = u64::try_from(self.settings().safety.disk_min).unwrap_or(0);
        let places = [self.store().file(), recorder.map(crate::store::Recorder::path)];
        places.into_iter().flatten().map(folder).find_map(|folder| {
            let free = match rustix::fs::statvfs(&folder) {
                Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
                Err(error) => return Some(format!("{}: {error}", folder.display())),
            };
            let mega = |bytes: u64| bytes / 1_000_000;
            (free < least).then(|| {
                let (free, least) = (mega(free), mega(least));
                format!("{} has {free} MB left, less than {least} MB", folder.display())
            })
        })
    }

    /// Writes down how the switches stand where they turned, so that history can be replayed.
    pub(super) async fn note_switch(
        &self,
        switch: &MoneySwitch,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let known = self.0.switch.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if known.is_some_and(|known| known.is_like(switch)) {
            return Ok(());
        }
        for (gate, why) in switch.stops() {
            tracing::warn!(gate, "paying waits: {why}");
        }
        self.store().keep_switch(switch, now).await?;
        *self.0.switch.lock().unwrap_or_else(PoisonError::into_inner) = Some(switch.clone());
        Ok(())
    }

    /// Why paying is off by hand; works without the database.
    pub fn money_off(&self) -> Option<String> {
        match std::fs::read_to_string(&self.0.parts.money_off_file) {
            Ok(text) => Some(format!("paying is off by hand{}", reason(&text))),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            // A flag that cannot be read still is a flag.
            Err(error) => Some(format!("the flag file that stops paying cannot be read: {error}")),
        }
    }

    /// Stops all paying (`off` says why), or lets it go on, which also clears every safety that
    /// tripped. Each way the step that stops comes first and the step that pays comes last, so that
    /// a fault in the middle leaves paying off.
    pub async fn set_money(&self, off: Option<&str>) -> Result<MoneySwitch, EngineError> {
        let path = &self.0.parts.money_off_file;
        let failed = |source| EngineError::Flag { path: path.clone(), source };
        match off {
            Some(why) => {
                raise_flag(path, why).map_err(failed)?;
                stop_everywhere(self.store(), why, self.now()).await?;
                tracing::warn!("paying is off by hand: {why}");
            }
            None => {
                let now = self.now();
                self.release_recovery(now).await?;
                self.0.clock_watch.believe(now);
                self.store().reset_wall(now).await?;
                let cleared = self.store().clear_breakers(now).await?;
                lower_flag(path).map_err(failed)?;
                tracing::warn!(?cleared, "paying is on again");
            }
        }
        self.switch_turned().await
    }

    /// Trips the storm breaker when too many needs came up within an hour. True when it is new.
    pub(super) async fn watch_for_storm(&self, now: Timestamp) -> Result<bool, EngineError> {
        let safety = &self.settings().safety;
        let cleared = self.store().breaker_cleared_at(STORM).await?;
        let hour_ago = now.minus(Span::hours(1));
        let since = cleared.map_or(hour_ago, |at| at.max(hour_ago));
        let needs = self.store().needs_since(since).await?;
        if needs <= safety.storm_min {
            return Ok(false);
        }
        let lines = self.active_lines().await?;
        let share = lines.saturating_mul(safety.storm_share) / 100;
        let limit = safety.storm_min.max(share);
        if needs <= limit {
            return Ok(false);
        }
        self.stop_in_storm(
            format!("{needs} lines needed money within an hour, more than {limit}"),
            now,
        )
        .await
    }

    /// A line's values fell too far too fast. Others of the same reader are read at once, so that a
    /// broken page shows itself before the first of them is believed; where most of them fell as
    /// well, all paying stops.
    pub(super) async fn compare_with_siblings(
        &self,
        reader: &str,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let limit = self.settings().safety.storm_min;
        let cleared = self.store().breaker_cleared_at(STORM).await?;
        let hour_ago = now.minus(Span::hours(1));
        let since = cleared.map_or(hour_ago, |at| at.max(hour_ago));
        let (doubted, read) = self.store().doubt_figures(reader, since).await?;
        if doubted > limit && doubted.saturating_mul(2) > read {
            let why = format!(
                "the values of {doubted} of the {read} lines read through {reader} within an hour fell at once"
            );
            self.stop_in_storm(why, now).await?;
        }
        let others = limit.saturating_mul(2).saturating_add(2);
        if self.store().poll_siblings(reader, others, now).await? > 0 {
            self.wake(Stage::Poll);
        }
        Ok(())
    }

    async fn stop_in_storm(&self, why: String, now: Timestamp) -> Result<bool, EngineError> {
        let why = format!("{why}; paying stopped until a person runs `topupd money on`");
        self.trip(STORM, &why, now).await
    }

    /// Trips a breaker that stops all paying, and tells everybody. True when it is new.
    pub(super) async fn trip(
        &self,
        breaker: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let is_new = self.store().trip(breaker, why, now).await?;
        if is_new {
            tracing::error!("all paying stopped: {why}");
            self.tell_paying_stopped(why, now).await?;
            self.wake(Stage::Notify);
        }
        Ok(is_new)
    }
}

/// Stops paying in every instance over a shared database; nothing on SQLite, where the flag file is
/// seen by all there are.
pub async fn stop_everywhere(store: &Store, why: &str, now: Timestamp) -> Result<(), StoreError> {
    if store.dialect() == Dialect::Postgres {
        store.trip(BY_HAND, &format!("paying is off by hand{}", reason(why)), now).await?;
    }
    Ok(())
}

/// Writes the flag file that stops all paying; needs no database. A reader sees the old file or
/// the whole new one.
pub fn raise_flag(path: &Path, why: &str) -> io::Result<()> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect();
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    writeln!(file, "{}", why.trim())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    std::fs::File::open(directory)?.sync_all()
}

/// Removes the flag file; it need not be there.
pub fn lower_flag(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn reason(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_one_line_and_can_be_lowered_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("money-off");
        raise_flag(&path, "first").unwrap();
        raise_flag(&path, "carrier\ncharges twice").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "carrier charges twice\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        lower_flag(&path).unwrap();
        lower_flag(&path).unwrap();
        assert!(!path.exists());
        assert!(raise_flag(&dir.path().join("no/such"), "").is_err());
    }
}
