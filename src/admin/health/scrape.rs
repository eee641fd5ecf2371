//! `/metrics`: what the rows know is read now, what only the process knows was counted on the way.

use super::{
    super::{Admin, problem::Problem},
    catalogue as c,
    page::{Page, instant, seconds},
    process,
};
use crate::domain::{MoneySwitch, State as TopupState, Timestamp};
use crate::flow::{Counted, Engine};
use crate::store::{Ends, Figures, InstanceState, ReaderFigures};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use std::collections::BTreeMap;

/// The text format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The limit whose use is known without a line in question.
const GLOBAL_24H: &str = "global_24h";

/// Everything in the catalogue, in its order.
#[utoipa::path(get, path = "/metrics", responses((status = 200, description = "Text format 0.0.4", body = String, content_type = "text/plain")))]
pub(in super::super) async fn metrics(State(admin): State<Admin>) -> Result<Response, Problem> {
    let engine = admin.engine();
    let now = engine.now();
    let tally = engine.tally(now).await?;
    let figures = engine.store().figures(&tally, now).await?;
    let switch = engine.money_switch(now).await?;
    let counted = engine.meters().all();
    let mut page = Page::default();
    page.each(&c::BUILD, [([env!("CARGO_PKG_VERSION")], 1)]);
    let all = engine.store().instances().await?;
    let of = |state| all.iter().filter(|one| one.state(now) == state).count();
    page.each(&c::INSTANCES, InstanceState::ALL.map(|state| ([state.as_str()], of(state))));
    paying(&mut page, engine, &switch);
    money(&mut page, engine, &figures, &counted, now);
    lines(&mut page, engine, &figures, now);
    polls(&mut page, &counted, &switch);
    notices(&mut page, &figures, &counted, now);
    stages(&mut page, &admin, &counted, now);
    books(&mut page, engine, &figures, now).await;
    process::write(&mut page);
    Ok(([(header::CONTENT_TYPE, METRICS)], page.finish()).into_response())
}

fn paying(page: &mut Page, engine: &Engine, switch: &MoneySwitch) {
    let stops = switch.stops();
    page.one(&c::MONEY_OFF, Some(u8::from(!stops.is_empty())));
    let is_shut = |gate: &str| stops.iter().any(|(shut, _)| *shut == gate);
    page.each(&c::PAYING_STOPPED, MoneySwitch::GATES.map(|gate| ([gate], u8::from(is_shut(gate)))));
    let payers = payers(engine);
    let is_out = |name: &str| switch.payers_out.iter().any(|(out, _)| out == name);
    page.each(&c::PAYER_STOPPED, payers.iter().map(|name| ([*name], u8::from(is_out(name)))));
}

fn payers(engine: &Engine) -> Vec<&str> {
    let payers = engine.providers().iter().filter(|(_, p)| p.declares().tops_up);
    payers.map(|(name, _)| name.as_str()).collect()
}

fn money(page: &mut Page, engine: &Engine, figures: &Figures, counted: &Counted, now: Timestamp) {
    let open = || TopupState::ALL.into_iter().filter(|state| !state.is_final());
    let mut topups: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for payer in payers(engine) {
        topups.extend(open().map(|state| ((payer, state.as_str()), 0)));
    }
    let known = figures.topups.iter();
    topups.extend(known.map(|some| ((some.payer.as_str(), some.state.as_str()), some.count)));
    page.each(&c::TOPUPS, topups.into_iter().map(|((payer, state), n)| ([payer, state], n)));
    let oldest = |state: TopupState| {
        figures.topups.iter().filter(|some| some.state == state).map(|some| some.oldest_at).min()
    };
    page.each(&c::OLDEST_TOPUP, open().map(|state| ([state.as_str()], age(oldest(state), now))));
    page.each(
        &c::RESULTS,
        counted.results.iter().map(|((payer, state), n)| ([payer.as_str(), *state], n)),
    );
    page.times(&c::PAYMENT, counted.payment_times.iter().map(|(name, t)| (name.as_str(), t)));
    let limits = engine.settings().caps.amounts();
    // A limit that nothing counts against yet is used up to zero.
    let mut used: BTreeMap<&str, i64> = limits
        .iter()
        .filter(|(kind, _)| *kind == GLOBAL_24H)
        .map(|(_, limit)| (limit.currency().code(), 0))
        .collect();
    used.extend(figures.counted_24h.iter().map(|sum| (sum.currency().code(), sum.minor())));
    page.each(&c::CAP_USED, used.into_iter().map(|(code, n)| ([GLOBAL_24H, code], n)));
    let limit =
        limits.iter().map(|(kind, limit)| ([*kind, limit.currency().code()], limit.minor()));
    page.each(&c::CAP_LIMIT, limit);
    let wallets = figures.wallets.iter();
    page.each(
        &c::WALLET,
        wallets.clone().map(|(payer, wallet)| {
            ([payer.as_str(), wallet.balance.currency().code()], wallet.balance.minor())
        }),
    );
    page.each(&c::WALLET_AT, wallets.map(|(payer, wallet)| ([payer.as_str()], instant(wallet.at))));
}

fn lines(page: &mut Page, engine: &Engine, figures: &Figures, now: Timestamp) {
    page.each(&c::SUBSCRIPTIONS, figures.subscriptions.iter().map(|(word, n)| ([*word], n)));
    let readers = || figures.readers.iter();
    page.each(&c::STALE, readers().map(|r| ([r.reader.as_str()], r.stale)));
    page.each(&c::FAILING, readers().map(|r| ([r.reader.as_str()], r.failing)));
    let oldest = |at| age(Some(at), now);
    page.each(
        &c::OLDEST_READING,
        readers().map(|r| ([r.reader.as_str()], oldest(r.oldest_reading_at))),
    );
    let within = |kind, ends: fn(&ReaderFigures) -> Ends| {
        let sum = |one: fn(Ends) -> i64| readers().map(|r| one(ends(r))).sum::<i64>();
        [("passed", sum(|e| e.passed)), ("24h", sum(|e| e.day)), ("7d", sum(|e| e.week))]
            .map(|(within, n)| ([kind, within], n))
    };
    let ends = within("service_end", |r| r.service_ends);
    page.each(&c::ENDING, ends.into_iter().chain(within("number_loss", |r| r.number_losses)));
    // Whoever tells by himself is not asked, and no poll of his is late.
    let asked = |name: &str| engine.provider(name).is_none_or(|p| p.declares().polled);
    page.each(
        &c::OLDEST_POLL,
        readers()
            .filter(|r| asked(&r.reader))
            .map(|r| ([r.reader.as_str()], age(r.oldest_due_at, now))),
    );
}

fn polls(page: &mut Page, counted: &Counted, switch: &MoneySwitch) {
    page.each(
        &c::POLLS,
        counted.polls.iter().map(|((name, quality), n)| ([name.as_str(), quality.as_str()], n)),
    );
    page.times(&c::POLL_TIMES, counted.poll_times.iter().map(|(name, t)| (name.as_str(), t)));
    let is_out = |name: &str| switch.readers_out.iter().any(|(out, _)| out == name);
    let readers = counted.poll_times.keys();
    page.each(&c::INCIDENT, readers.map(|name| ([name.as_str()], u8::from(is_out(name)))));
}

fn notices(page: &mut Page, figures: &Figures, counted: &Counted, now: Timestamp) {
    page.each(&c::NOTICES, figures.notices.iter().map(|(word, n)| ([*word], n)));
    page.one(&c::OLDEST_NOTICE, Some(age(figures.oldest_due_notice_at, now)));
    page.one(&c::OLDEST_UNSENT, Some(age(figures.oldest_unsent_notice_at, now)));
    page.each(
        &c::TRIES,
        counted.tries.iter().map(|((channel, word), n)| ([channel.as_str(), *word], n)),
    );
}

fn stages(page: &mut Page, admin: &Admin, counted: &Counted, now: Timestamp) {
    page.times(&c::ROUNDS, counted.round_times.iter().map(|(stage, t)| (*stage, t)));
    page.each(&c::FAILED_ROUNDS, counted.failed_rounds.iter().map(|(stage, n)| ([*stage], n)));
    let rounds = admin.beats().all().into_iter().map(|(name, (at, _))| (name, at)).collect();
    for (metric, loops) in
        [(&c::LAST_ROUND, rounds), (&c::LAST_PROGRESS, admin.beats().progressed())]
    {
        let samples = loops.iter().map(|(name, at)| {
            let (stage, provider) = name.split_once(' ').unwrap_or((name, ""));
            ([stage, provider], age(Some(*at), now))
        });
        page.each(metric, samples);
    }
}

async fn books(page: &mut Page, engine: &Engine, figures: &Figures, now: Timestamp) {
    let recorder = engine.recorder();
    let up = match recorder {
        Some(recorder) => recorder.trouble(now).await.is_none(),
        None => false,
    };
    page.one(&c::RECORDER_UP, Some(u8::from(up)));
    page.one(&c::RECORDER_AT, recorder.and_then(|r| r.last_at()).map(instant));
    page.one(&c::JOURNAL_AT, figures.journal_at.map(instant));
}

/// Seconds from `at` to `now`, never below zero.
fn age(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| seconds(crate::domain::Span::ZERO), |at| seconds(now.since(at)))
}
