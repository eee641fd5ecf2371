//! `subscription`, `sms`, `poll`, `tick`: looking at lines, and running the stages by hand.

use super::args::{ReadingArgs, SmsVerb, SubscriptionVerb};
use super::context::{CliError, Context, instant, subscription_id};
use super::out::{Out, table};
use crate::domain::{Gate, Reading, SubscriptionStatus, Timestamp};
use crate::flow::Stage;
use crate::input::{Fault, HandReading, Intake, Origin, Section, Table, Value};
use crate::providers::Sms;
use crate::shapes;
use crate::store::{Store, StoreError, SubscriptionView};
use serde_json::{Value as Json, json};

pub(super) async fn subscription(
    context: &Context,
    verb: &SubscriptionVerb,
    out: &Out,
) -> Result<(), CliError> {
    match verb {
        SubscriptionVerb::List => list(context, out).await,
        SubscriptionVerb::Show { id } => show(context, id, out).await,
        SubscriptionVerb::Pause { id } => set(context, id, SubscriptionStatus::Paused, out).await,
        SubscriptionVerb::Resume { id } => set(context, id, SubscriptionStatus::Active, out).await,
        SubscriptionVerb::Explain { id } => explain(context, id, out).await,
        SubscriptionVerb::Reading(args) => reading(context, args, out).await,
    }
}

async fn list(context: &Context, out: &Out) -> Result<(), CliError> {
    let store = context.store().await?;
    let views = store.every_view().await?;
    let document = views.iter().map(shapes::subscription).collect::<Vec<_>>();
    out.result(&document, || {
        let heads = [
            "SUBSCRIPTION",
            "LABEL",
            "STATUS",
            "BALANCE",
            "SERVICE END",
            "READ",
            "QUALITY",
            "NEXT",
        ];
        table(&heads, &views.iter().map(row).collect::<Vec<_>>())
    });
    Ok(())
}

fn row(view: &SubscriptionView) -> Vec<String> {
    let values = view.good.as_ref().map(|good| &good.values);
    let dash = || "-".to_owned();
    let (at, what, _) = &view.next;
    let next = match at.or(view.next_poll_at) {
        Some(at) => format!("{what} {at}"),
        None => what.clone(),
    };
    vec![
        view.subscription.id.to_string(),
        view.subscription.label.clone(),
        view.status.clone(),
        values.and_then(|v| v.balance).map_or_else(dash, |m| m.to_string()),
        values.and_then(|v| v.service_end_at).map_or_else(dash, |at| at.to_string()),
        view.newest.as_ref().map_or_else(dash, |r| r.at.to_string()),
        view.newest.as_ref().map_or_else(dash, |r| r.quality.to_string()),
        next,
    ]
}

async fn one(store: &Store, id: &str) -> Result<SubscriptionView, CliError> {
    let id = subscription_id(id)?;
    let found = store.views_of(&[id.to_string()]).await?;
    found
        .into_iter()
        .next()
        .ok_or_else(|| StoreError::NotFound(format!("subscription {id}")).into())
}

async fn show(context: &Context, id: &str, out: &Out) -> Result<(), CliError> {
    let store = context.store().await?;
    let view = one(&store, id).await?;
    out.result(&shapes::subscription(&view), || {
        let s = &view.subscription;
        let mut lines = vec![
            format!("{}  {}  ({})", s.id, s.short_name(), view.status),
            format!("  subscriber  {}", s.subscriber),
            format!("  operator    {}", s.operator.as_deref().unwrap_or("-")),
            format!("  reader      {}   payers {}", s.reader, s.payers.join(", ")),
        ];
        if let Some(good) = &view.good {
            lines.push(format!("  reading     {}", reading_words(good)));
        }
        if let Some(newest) =
            view.newest.as_ref().filter(|n| view.good.as_ref().is_none_or(|g| g.at != n.at))
        {
            lines.push(format!("  newest      {}", reading_words(newest)));
        }
        let (at, what, why) = &view.next;
        let when = at.or(view.next_poll_at).map_or_else(String::new, |at| format!(" at {at}"));
        lines.push(format!("  next        {what}{when}: {why}"));
        lines.join("\n")
    });
    Ok(())
}

fn reading_words(r: &Reading) -> String {
    let v = &r.values;
    let mut parts = vec![format!("{} {}", r.at, r.quality)];
    parts.extend(v.balance.map(|m| m.to_string()));
    parts.extend(v.data_left.map(|n| format!("{n} bytes left")));
    parts.extend(v.service_end_at.map(|at| format!("service ends {at}")));
    parts.extend(v.number_loss_at.map(|at| format!("number lost {at}")));
    parts.extend(r.detail.clone());
    parts.join(", ")
}

async fn set(
    context: &Context,
    id: &str,
    status: SubscriptionStatus,
    out: &Out,
) -> Result<(), CliError> {
    let store = context.store().await?;
    let id = subscription_id(id)?;
    let now = crate::clock::Clock::System.now();
    let present = store.subscription(&id).await?.status;
    if present == SubscriptionStatus::Closed {
        let why = "is no longer in the fleet; apply a fleet file that names it";
        return Err(anyhow::anyhow!("subscription {id} {why}").into());
    }
    store.set_status(&id, status, now).await?;
    let view = one(&store, id.as_str()).await?;
    out.result(&shapes::subscription(&view), || format!("{id} is {}", view.status));
    Ok(())
}

async fn explain(context: &Context, id: &str, out: &Out) -> Result<(), CliError> {
    let app = context.app().await?;
    let engine = app.engine();
    let (snapshot, decision) = engine.explain(&subscription_id(id)?).await?;
    let last = engine.store().last_decision(&snapshot.subscription.id).await?;
    let now = engine.now();
    let mut document = json!(shapes::explain(&snapshot, &decision, now));
    if let (Some(fields), Some(last)) = (document.as_object_mut(), &last) {
        let words = json!({ "at": last.at.rfc3339(), "step": last.step, "reason": last.reason, "detail": last.detail });
        fields.insert("last_decision".into(), words);
    }
    out.result(&document, || {
        let mut lines =
            vec![format!("{}  {}", snapshot.subscription.id, snapshot.subscription.short_name())];
        if let Some(reading) = &snapshot.reading {
            lines.push(format!("  read      {}", reading_words(reading)));
        }
        if let Some(trouble) = &snapshot.trouble {
            lines.push(format!("  trouble   {}", reading_words(trouble)));
        }
        for rule in &snapshot.rules {
            let open = snapshot.episodes.iter().find(|(e, _)| e.rule == rule.id);
            let state = match open {
                Some((e, _)) => format!("in breach since {} ({})", e.opened_at, e.trigger),
                None => "quiet".to_owned(),
            };
            lines.push(format!("  rule      {} ({}): {state}", rule.id, rule.mode.as_str()));
        }
        if let Some(topup) = &snapshot.topup {
            lines.push(format!(
                "  top-up    {} {} of {} at {}",
                topup.id,
                topup.state.as_str(),
                topup.amount,
                topup.payer
            ));
        }
        for Gate { name, passed, why } in &decision.gates {
            lines.push(format!("  {} {name:<22} {why}", if *passed { "pass" } else { "SHUT" }));
        }
        if let Some(last) = last {
            lines.push(format!("  decided   {} {} {}", last.at, last.step, last.reason));
        }
        let next_at =
            if decision.next.what == "poll" { snapshot.next_poll_at } else { decision.next.at };
        let when = next_at.map_or_else(|| "when a person acts".to_owned(), |at| at.to_string());
        lines.push(format!("  next      {} {when}: {}", decision.next.what, decision.next.why));
        lines.join("\n")
    });
    Ok(())
}

async fn reading(context: &Context, args: &ReadingArgs, out: &Out) -> Result<(), CliError> {
    let app = context.app().await?;
    let given = given(args).map_err(CliError::Faults)?;
    let reading = app.engine().reading_by_hand(&subscription_id(&args.id)?, given).await?;
    out.result(&shapes::reading(&reading), || format!("stored: {}", reading_words(&reading)));
    Ok(())
}

pub(super) async fn sms(context: &Context, verb: &SmsVerb, out: &Out) -> Result<(), CliError> {
    let SmsVerb::Add(args) = verb;
    let app = context.app().await?;
    let at = match &args.at {
        Some(at) => Some(instant("at", Some(at), app.engine().now())?),
        None => None,
    };
    let sms = Sms { from: args.from.clone(), text: args.text.clone(), at, ..Sms::default() };
    let id = subscription_id(&args.subscription)?;
    let reading = app.engine().sms_by_hand(&id, &sms).await?;
    out.result(&shapes::reading(&reading), || format!("stored: {}", reading_words(&reading)));
    Ok(())
}

/// What was typed, read as the API reads it.
fn given(args: &ReadingArgs) -> Result<HandReading, Vec<Fault>> {
    let origin = Origin::file("the command line");
    let numbers = [("minutes_left", args.minutes_left), ("sms_left", args.sms_left)];
    let numbers = numbers.into_iter().filter_map(|(key, n)| Some((key, Value::Integer(n?))));
    let texts = [
        ("balance", &args.balance),
        ("data_left", &args.data_left),
        ("service_end", &args.service_end),
        ("number_loss", &args.number_loss),
        ("next_charge", &args.next_charge),
    ];
    let texts = texts.into_iter().filter_map(|(key, text)| Some((key, Value::Text(text.clone()?))));
    let buckets: Vec<(Value, Origin)> =
        args.buckets.iter().map(|text| (bucket(text, &origin), origin.clone())).collect();
    let buckets = (!buckets.is_empty()).then_some(("buckets", Value::List(buckets)));
    let table: Table = numbers
        .chain(texts)
        .chain(buckets)
        .map(|(key, value)| (key.to_owned(), (value, origin.clone())))
        .collect();
    let intake = Intake::new();
    let mut section = Section::new(&table, "", &origin, &intake);
    let given = HandReading::read(&mut section);
    section.finish();
    let faults = intake.into_faults();
    if faults.is_empty() { Ok(given) } else { Err(faults) }
}

/// `name=Bonus,left=500 MB` as a table; a part without `=` is a key that nobody allows.
fn bucket(text: &str, origin: &Origin) -> Value {
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        (key.trim().to_owned(), (Value::Text(value.trim().to_owned()), origin.clone()))
    };
    Value::Table(text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect())
}

pub(super) async fn poll(context: &Context, ids: &[String], out: &Out) -> Result<(), CliError> {
    let app = context.app().await?;
    let engine = app.engine();
    let mut names = Vec::new();
    for id in ids {
        names.push(one(engine.store(), id).await?.subscription.id.to_string());
    }
    if ids.is_empty() {
        let views = engine.store().every_view().await?;
        let polled = views.iter().filter(|view| view.next_poll_at.is_some());
        names.extend(polled.map(|view| view.subscription.id.to_string()));
    }
    let readings = engine.poll_lines(&names).await?;
    let document = readings.iter().map(shapes::reading).collect::<Vec<_>>();
    out.result(&document, || {
        let lines: Vec<String> =
            readings.iter().map(|r| format!("{}  {}", r.subscription, reading_words(r))).collect();
        if lines.is_empty() { "nothing to poll".into() } else { lines.join("\n") }
    });
    Ok(())
}

pub(super) async fn tick(context: &Context, out: &Out) -> Result<(), CliError> {
    let app = context.acting_app().await?;
    let engine = app.engine();
    if app.may_pay() {
        engine.adopt_orphans().await?;
    } else {
        out.note("another topupd is running and does the paying; every other stage is run here");
    }
    let done = engine.tick().await?;
    let figure = |at: Option<Timestamp>| at.map_or(Json::Null, |at| json!(at.rfc3339()));
    let stages: Vec<Json> = done
        .iter()
        .map(|(stage, r)| json!({ "stage": stage.as_str(), "seen": r.seen, "done": r.done, "failed": r.failed, "next_at": figure(r.next_at) }))
        .collect();
    out.result(&Json::Array(stages), || {
        let rows: Vec<Vec<String>> = Stage::ALL
            .iter()
            .filter_map(|stage| done.get(stage).map(|r| (stage, r)))
            .map(|(stage, r)| {
                let next = r.next_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
                vec![
                    stage.as_str().into(),
                    r.seen.to_string(),
                    r.done.to_string(),
                    r.failed.to_string(),
                    next,
                ]
            })
            .collect();
        table(&["STAGE", "SEEN", "DONE", "FAILED", "NEXT DUE"], &rows)
    });
    Ok(())
}
