//! R12, R13, R15: old backups, disks that fill up or fail, clocks that leap.

use super::{
    fault::Fault,
    faults::{fleet, number, provider},
    house::House,
    oracle::{Class, Line, Oracle},
    process::{Installation, helper, until},
    table::Row,
};
use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};
use topupd::domain::{Span, State, Timestamp};

const CALM: &str = "[flow]\npoll_every = \"6h\"\n[safety]\nstorm_min = 100000\npayer_rate = \"1000000/s\"\nresubmit = \"strict\"\n\
    unknown_limit = 1000\ndisk_min = \"1 MB\"\n[caps]\nglobal_24h = \"1000000.00 USD\"\n[channels.mail.email]\nurl = \"smtp://127.0.0.1:9\"\nfrom = \"a@example.com\"\n";

/// R12: a database from an hour, a day, a week ago takes the place of the present one, which had
/// sent an order since.
pub(crate) async fn restored(every: usize) -> anyhow::Result<Row> {
    let started = Instant::now();
    let mut row = Row::new("R12 restored backups");
    let fates =
        [Fault::Done, Fault::ResetCharged, Fault::ResetUncharged, Fault::Refused, Fault::Pending];
    let mut all = Vec::new();
    for class in Class::ALL {
        for age in [Span::hours(1), Span::days(1), Span::days(7)] {
            for fate in fates {
                all.extend(
                    [Span::ZERO, Span::minutes(20)].map(|moment| (class, age, fate, moment)),
                );
            }
        }
    }
    for (class, age, fate, moment) in all.into_iter().step_by(every.max(1)) {
        row.trials += 1;
        let before = row.faults.len();
        restore(class, age, fate, moment, &mut row).await?;
        for fault in row.faults.iter_mut().skip(before) {
            *fault = format!("{class:?}, {age} old, {fate:?}, {moment} after: {fault}");
        }
    }
    row.note = "1 hour, 1 day, 7 days old, at once and after the outcome was known; RECOVERY each time something had left".into();
    Ok(row.timed(started))
}

async fn restore(
    class: Class,
    age: Span,
    fate: Fault,
    moment: Span,
    row: &mut Row,
) -> anyhow::Result<()> {
    let oracle = Oracle::start(Duration::ZERO).await?;
    let config =
        Class::ALL.iter().map(|c| provider(*c, &oracle.address)).collect::<String>() + CALM;
    let sends = vec![fate, Fault::Done];
    oracle.set_line(&number(0), Line { cents: 2000, sends, ..Line::default() });
    let begin = Timestamp::from_ms(1_800_000_000_000);
    let mut house = House::new(&config, &fleet(&[class.word()]), BTreeMap::new(), begin).await?;
    house.pass(Span::hours(1)).await?;
    house.close().await;
    let backup = house.dir.path().join("backup");
    house.copy_rows(&backup)?;
    house.open().await?;
    house.pass(age).await?;
    oracle.line(&number(0), |line| line.cents = 320);
    let id = topupd::domain::SubscriptionId::parse("line-00000")?;
    house.engine().store().poll_now(&[id], house.now()).await?;
    // Until the order has left, then a moment more.
    for _ in 0..2000 {
        house.pass(Span::seconds(30)).await?;
        if house.topups().await?.iter().any(|t| t.maybe_sent > 0) {
            break;
        }
    }
    house.pass(moment).await?;
    let had_sent = house.topups().await?.iter().any(|t| t.maybe_sent > 0);
    let reference = house.topups().await?.first().map(|t| t.reference.clone()).unwrap_or_default();
    house.close().await;
    house.restore_rows(&backup)?;
    house.open().await?;
    let switch = house.engine().money_switch(house.now()).await?;
    if !had_sent || switch.recovery.is_none() {
        row.fault(format!("sent: {had_sent}, RECOVERY: {:?}", switch.recovery));
    }
    if !house.topups().await?.iter().any(|t| t.reference == reference && t.state == State::Unknown)
    {
        row.fault("the order did not come back as unknown");
    }
    house.pass(Span::days(2)).await?;
    let (charges, topups) = (oracle.charges(), house.topups().await?);
    row.compare(&charges, &topups);
    row.findings(house.findings().await?);
    let copies = oracle.arrived(&reference);
    if copies > if class == Class::A { 2 } else { 1 } {
        row.fault(format!("{copies} copies of the reference arrived"));
    }
    let is_open =
        topups.iter().any(|t| matches!(t.state, State::Held | State::Unknown | State::Pending));
    let switch = house.engine().money_switch(house.now()).await?;
    if switch.recovery.is_some() != is_open {
        row.fault(format!("RECOVERY {:?}, open orders: {is_open}", switch.recovery.is_some()));
    }
    Ok(())
}

/// R13: every write from the first on meets a full disk (a limit of file size that moves on), then
/// syncs and writes that fail at random; afterwards there is room again.
pub(crate) async fn disks(trials: u64) -> anyhow::Result<Row> {
    let started = Instant::now();
    let mut row = Row::new("R13 full and failing disks");
    let oracle = Oracle::start(Duration::ZERO).await?;
    let fiu = helper(&["/usr/bin/fiu-run"]);
    let mut with_fiu: u64 = 0;
    for n in 0..trials {
        let mine = usize::try_from(20_000 + n)?;
        let class = Class::ALL[mine % Class::ALL.len()];
        oracle.set_line(&number(mine), Line { cents: 320, ..Line::default() });
        let rule = "cooldown_attempt = \"90d\"\ncooldown_success = \"90d\"\n";
        let place = Installation::new(&oracle, mine, &[class], rule)?;
        let real = place.command();
        let mut command = match &fiu {
            Some(fiu) if n % 3 == 2 => {
                with_fiu += 1;
                let mut command = Command::new(fiu);
                let often = ["0.02", "0.05", "0.15", "0.4"][usize::try_from(n / 3 % 4)?];
                for name in ["posix/io/sync/*", "posix/io/rw/pwrite", "posix/io/rw/write"] {
                    command.args(["-c", &format!("enable_random name={name},probability={often}")]);
                }
                command.arg("-x").arg(real.get_program());
                command
            }
            _ => {
                let blocks = 2 * (4 + 6 * (n / 3 * 2 + n % 3));
                let mut command = Command::new("/bin/sh");
                // Without the trap the first write over the limit would kill it.
                let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
                command.args(["-c", &script, "sh"]).arg(real.get_program());
                command
            }
        };
        command.current_dir(place.folder.path()).args(real.get_args());
        let mut daemon = place.start_as(command)?;
        tokio::task::block_in_place(|| daemon.died_within(Duration::from_millis(1500)))?;
        daemon.kill()?;
        // There is room again.
        let daemon = place.start()?;
        let is_settled = || async {
            let topups = place.topups().await?;
            Ok(!topups.is_empty()
                && topups.iter().all(|t| t.state.is_final() || t.state == State::Held))
        };
        if !until(Duration::from_secs(30), is_settled).await? {
            row.fault(format!("trial {n} ({class:?}): not settled afterwards"));
        }
        daemon.stop()?;
        row.trials += 1;
        let charges: Vec<_> =
            oracle.charges().into_iter().filter(|c| c.msisdn == number(mine)).collect();
        row.compare(&charges, &place.topups().await?);
        row.findings(place.findings().await?);
        let recorded = place.recorded()?;
        for charge in charges.iter().filter(|c| !recorded.contains(&c.reference)) {
            row.fault(format!(
                "trial {n}: {} was sent without a line on the disk",
                charge.reference
            ));
        }
    }
    row.note = format!(
        "{} with a limit of file size, {with_fiu} with failing writes and syncs (libfiu)",
        trials - with_fiu
    );
    Ok(row.timed(started))
}

/// R15: the wall clock leaps while the daemon runs (libfaketime); the clock since boot does not.
pub(crate) async fn clocks() -> anyhow::Result<Row> {
    let started = Instant::now();
    let mut row = Row::new("R15 leaps of the clock");
    let Some(library) = helper(&[
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    ]) else {
        row.fault("libfaketime is not installed (apt-get install faketime)");
        return Ok(row.timed(started));
    };
    for (n, leap) in ["+3d", "-3d", "+3650d", "-10m"].into_iter().enumerate() {
        let oracle = Oracle::start(Duration::ZERO).await?;
        let mine = 30_000 + n;
        oracle.set_line(&number(mine), Line { cents: 2000, ..Line::default() });
        // A breach seen under a clock of last week lies before the rule: it pays all the same.
        let place = Installation::new(&oracle, mine, &[Class::A], "on_enable = \"charge\"\n")?;
        let clock = place.path("clock");
        std::fs::write(&clock, "+0")?;
        let mut command = place.command();
        command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let daemon = place.start_as(command)?;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        std::fs::write(&clock, leap)?;
        tokio::time::sleep(Duration::from_millis(6500)).await;
        // Now money is needed, too: the leap keeps it back.
        oracle.line(&number(mine), |line| line.cents = 300);
        tokio::time::sleep(Duration::from_secs(4)).await;
        if !oracle.charges().is_empty() {
            row.fault(format!("{leap}: paid under a clock that had leapt"));
        }
        if !place.text_of_log().contains("the clock") {
            row.fault(format!("{leap}: the leap was not noticed"));
        }
        // Right again: what is needed is paid, once.
        std::fs::write(&clock, "+0")?;
        let paid =
            until(Duration::from_secs(30), || async { Ok(!oracle.charges().is_empty()) }).await?;
        if !paid {
            row.fault(format!("{leap}: not paid when the clock was right again"));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        daemon.stop()?;
        row.trials += 1;
        row.compare(&oracle.charges(), &place.topups().await?);
        row.findings(place.findings().await?);
    }
    row.note = "three days, ten minutes, ten years, forward and back; nothing is bought under it, then it goes on".into();
    Ok(row.timed(started))
}
