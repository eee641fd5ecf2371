//! `demo`: the main job with nothing to configure, told as it happens.

use super::args::DemoArgs;
use super::context::CliError;
use super::out::Out;
use crate::app::{App, Paying};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{Money, Msisdn, Span, State, Timestamp};
use crate::flow::{Daemon, Engine};
use crate::sim::mailbox::Mailbox;
use crate::sim::{Carrier, CarrierConfig, Fate, Line};
use crate::{admin, telemetry};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use tokio::signal::unix::{SignalKind, signal};

const CONFIG: &str = include_str!("../sim/demo/topupd.toml");
const FLEET: &str = include_str!("../sim/demo/fleet.toml");

/// The lines at the carrier: number, dollars, days of service, dollars used a day, what goes wrong.
const LINES: [(&str, &str, i64, i64, Fate); 6] = [
    ("+12025550101", "5.20 USD", 24, 2, Fate::Normal),
    ("+12025550102", "4.00 USD", 5, 0, Fate::Normal),
    ("+12025550103", "1.10 USD", 20, 0, Fate::Refuse),
    ("+12025550104", "2.75 USD", 21, 0, Fate::LoseAnswer),
    ("+12025550105", "18.00 USD", 12, 1, Fate::Stale { after: 1 }),
    ("+12025550106", "4.40 USD", 16, 0, Fate::Normal),
];

const INTRODUCTION: &str = "\
A simulated carrier, an e-mail server and topupd run here now, over real HTTP and SMTP.
  Bank number     is used and falls below 5.00 USD
  Travel SIM      ends in 5 days; its balance does not pay the renewal
  Mother's phone  is low, and the carrier refuses the card
  Shop terminal   is low; the carrier charges, and its answer is lost on the way
  Tablet          can be read once, then the carrier is silent about it
  Spare phone     is low, and its rule asks a person first
";

/// Told when nobody says for how long.
const LONGEST: Span = Span::minutes(2);

pub(super) async fn demo(args: &DemoArgs, out: &Out) -> Result<(), CliError> {
    let duration = match &args.duration {
        Some(text) => Some(Span::parse(text).ok_or_else(|| {
            CliError::Usage(format!("--for: found {text:?}; allowed is a span such as 30s or 5m"))
        })?),
        None => None,
    };
    telemetry::start(crate::config::LogFormat::Human, "error");
    // Everything is made in a folder that goes away when this function ends, however it ends.
    let folder = tempfile::tempdir().map_err(anyhow::Error::from)?;
    let clock = Clock::System;
    let carrier = carrier(args.speed, &clock).await?;
    let mailbox = Mailbox::start().await.map_err(anyhow::Error::from)?;
    let config = folder.path().join("topupd.toml");
    let text = CONFIG
        .replace("{database}", &folder.path().join("demo.db").display().to_string())
        .replace("{listen}", &args.listen.to_string())
        .replace("{carrier}", &carrier.base_url())
        .replace("{mail}", &mailbox.url());
    let fleet = folder.path().join("fleet.toml");
    std::fs::write(&config, text)
        .and_then(|()| std::fs::write(&fleet, FLEET))
        .map_err(anyhow::Error::from)?;
    let settings = Settings::load(&[config], std::iter::empty()).map_err(CliError::Faults)?;
    let app = App::open(settings, clock, Paying::Required).await?;
    super::apply::apply_files(app.engine(), &[fleet], false).await?;

    let listener = tokio::net::TcpListener::bind(args.listen).await;
    let listener =
        listener.map_err(|error| anyhow::anyhow!("--listen {}: {error}", args.listen))?;
    let address = listener.local_addr().map_err(anyhow::Error::from)?;
    out.note(INTRODUCTION);
    out.note(&format!("Dashboard: http://{address}/   ({}x speed)\n", args.speed));
    let daemon = app.start().await?;
    let page = tokio::spawn(admin::serve(
        app.engine().clone(),
        daemon.beats(),
        listener,
        std::future::pending(),
    ));
    let told = tell(app.engine(), &mailbox, duration, *out).await?;
    end(app, daemon, page, &carrier, &mailbox, told, out).await
}

async fn carrier(speed: i64, clock: &Clock) -> Result<Carrier, CliError> {
    let config = CarrierConfig { speed, clock: clock.clone(), ..CarrierConfig::default() };
    let carrier = Carrier::start(config).await.map_err(anyhow::Error::from)?;
    for (number, balance, service_days, dollars_a_day, fate) in LINES {
        let number = Msisdn::parse(number).map_err(anyhow::Error::from)?;
        let balance = Money::parse(balance).map_err(anyhow::Error::from)?;
        let burn_per_day_minor = dollars_a_day.saturating_mul(100);
        carrier.add_line(
            &number,
            Line { service_days, burn_per_day_minor, fate, ..Line::quiet(balance) },
        );
    }
    Ok(carrier)
}

/// Follows the rows and says what is new, until every story is told or the time is up.
async fn tell(
    engine: &Engine,
    mailbox: &Mailbox,
    duration: Option<Span>,
    out: Out,
) -> Result<Told, CliError> {
    let started = engine.now();
    let mut told = Told::new(started);
    let mut interrupted = signal(SignalKind::interrupt()).map_err(anyhow::Error::from)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(anyhow::Error::from)?;
    loop {
        for line in told.news(engine, mailbox).await? {
            out.line_unless_json(&line);
        }
        let elapsed = engine.now().since(started);
        let over = match duration {
            Some(duration) => elapsed >= duration,
            None => told.is_complete(engine).await? || elapsed >= LONGEST,
        };
        if over {
            return Ok(told);
        }
        tokio::select! {
            () = tokio::time::sleep(std::time::Duration::from_millis(150)) => {}
            _ = interrupted.recv() => return Ok(told),
            _ = terminated.recv() => return Ok(told),
        }
    }
}

/// What was said already.
struct Told {
    started: Timestamp,
    readings: BTreeMap<String, (Timestamp, String)>,
    events: HashSet<(String, usize)>,
    mails: usize,
}

impl Told {
    fn new(started: Timestamp) -> Self {
        Self { started, readings: BTreeMap::new(), events: HashSet::new(), mails: 0 }
    }

    fn stamp(&self, at: Timestamp) -> String {
        let ms = at.since(self.started).ms().max(0);
        format!("{:>3}.{}s", ms / 1000, ms % 1000 / 100)
    }

    /// Lines not said yet: readings that changed, moves of top-ups, mail that arrived.
    async fn news(&mut self, engine: &Engine, mailbox: &Mailbox) -> Result<Vec<String>, CliError> {
        let store = engine.store();
        let mut lines: Vec<(Timestamp, String)> = Vec::new();
        let mut labels = BTreeMap::new();
        for view in store.views(None, "", 100).await? {
            let id = view.subscription.id.to_string();
            labels.insert(id.clone(), view.subscription.label.clone());
            let Some(newest) = view.newest else { continue };
            let words = match newest.values.balance {
                Some(balance) => format!("read: balance {balance}"),
                None => format!(
                    "cannot be read: {} ({})",
                    newest.quality,
                    newest.detail.clone().unwrap_or_default()
                ),
            };
            let last = self.readings.get(&id).map(|(_, words)| words.clone());
            if last.as_ref() != Some(&words) {
                lines.push((
                    newest.at,
                    format!("{}  {:<15} {words}", self.stamp(newest.at), view.subscription.label),
                ));
                self.readings.insert(id, (newest.at, words));
            }
        }
        for topup in store.topups(None, self.started, Timestamp::from_ms(i64::MAX), 1000).await? {
            let label = labels.get(topup.subscription.as_str()).cloned().unwrap_or_default();
            for (n, event) in store.topup_events(&topup.id).await?.into_iter().enumerate() {
                if event.from != event.to && self.events.insert((topup.id.to_string(), n)) {
                    let what = format!("top-up {} {}: {}", topup.amount, event.to, event.why);
                    lines.push((event.at, format!("{}  {label:<15} {what}", self.stamp(event.at))));
                }
            }
        }
        lines.sort_by_key(|(at, _)| *at);
        let mut lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
        let mails = mailbox.mails();
        let now = self.stamp(engine.now());
        for mail in mails.iter().skip(self.mails) {
            let text = mail.part("text/plain").unwrap_or_default();
            let gist =
                text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
            lines.push(format!("{now}  mail to {}: {}: {gist}", mail.to.join(", "), mail.subject));
        }
        self.mails = mails.len();
        Ok(lines)
    }

    /// True when every line's story has come to its end (the spare phone's waits for a person).
    async fn is_complete(&self, engine: &Engine) -> Result<bool, CliError> {
        let store = engine.store();
        let topups = store.topups(None, self.started, Timestamp::from_ms(i64::MAX), 1000).await?;
        let ended =
            |t: &crate::domain::Topup| t.state.is_final() || t.state == State::AwaitingApproval;
        let notices = store.notices(None, 1000).await?;
        let stale = notices.iter().any(|n| n.kind == crate::domain::NoticeKind::Stale);
        let sent = notices.iter().all(|n| n.state != "queued" && n.state != "sending");
        Ok(topups.len() >= 5 && topups.iter().all(ended) && stale && sent)
    }
}

/// Stops everything and sums up, by the carrier's own books.
async fn end(
    app: App,
    daemon: Daemon,
    page: tokio::task::JoinHandle<std::io::Result<()>>,
    carrier: &Carrier,
    mailbox: &Mailbox,
    told: Told,
    out: &Out,
) -> Result<(), CliError> {
    daemon.stop(Span::seconds(10)).await;
    page.abort();
    let topups =
        app.engine().store().topups(None, told.started, Timestamp::from_ms(i64::MAX), 1000).await?;
    let charges = carrier.charges();
    let numbers: HashSet<&str> = charges.iter().map(|c| c.reference.as_str()).collect();
    let twice = charges.len() - numbers.len();
    let document = json!({
        "topups": topups.iter().map(crate::shapes::topup).collect::<Vec<_>>(),
        "charges": charges.iter().map(|c| json!({ "id": c.id, "reference": c.reference, "amount": c.amount })).collect::<Vec<_>>(),
        "charged_twice": twice,
        "mails": mailbox.mails().len(),
    });
    out.result(&document, || {
        format!(
            "\nThe carrier's books: {} charge(s), {twice} of them double. topupd's: {} top-up(s), {} mail(s) sent.\nNothing is left behind: the database was temporary.",
            charges.len(),
            topups.len(),
            mailbox.mails().len()
        )
    });
    app.close().await;
    if twice == 0 { Ok(()) } else { Err(CliError::Quiet) }
}
