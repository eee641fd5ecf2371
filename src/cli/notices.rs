//! `notices`: what was said, and a test.

use super::args::NoticesVerb;
use super::context::{CliError, Context, actor, subscriber_id};
use super::out::{Out, table};
use super::preview::{Wanted, preview};
use crate::shapes;
use crate::store::StoredNotice;

pub(super) async fn notices(
    context: &Context,
    verb: &NoticesVerb,
    out: &Out,
) -> Result<(), CliError> {
    match verb {
        NoticesVerb::List { subscriber, dead, limit } => {
            let (store, limit) = (context.store().await?, (*limit).max(1));
            let mut found = if *dead {
                store.dead_notices(limit).await?
            } else {
                store.notices(subscriber.as_deref(), limit).await?
            };
            found.retain(|n| subscriber.as_ref().is_none_or(|name| *name == n.subscriber));
            out.result(&found.iter().map(shapes::notice).collect::<Vec<_>>(), || listing(&found));
            Ok(())
        }
        NoticesVerb::Acknowledge { id, snooze } => {
            let app = context.app().await?;
            let (store, now) = (app.engine().store(), app.engine().now());
            let until = snooze.map(|span| now.plus(span));
            let notice = store.acknowledge(id, &actor(), until, now).await?;
            out.result(&shapes::notice(&notice), || match until {
                Some(until) => format!("{id}: not told again before {until}"),
                None => format!("{id}: not told again, unless it gets worse"),
            });
            Ok(())
        }
        NoticesVerb::Preview { folder, kind, locale, channel } => {
            let (kind, locale) = (kind.as_deref(), locale.as_deref());
            preview(context, folder, &Wanted { kind, locale, form: channel.as_deref() }, out)
        }
        NoticesVerb::Test { subscriber } => test(context, subscriber, out).await,
    }
}

fn listing(found: &[StoredNotice]) -> String {
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|n| {
            vec![
                n.id.clone(),
                n.created_at.to_string(),
                n.kind.as_str().to_owned(),
                n.severity.as_str().to_owned(),
                n.subscriber.clone(),
                n.subscription.clone().unwrap_or_else(|| "-".into()),
                n.channel.clone().unwrap_or_else(|| "-".into()),
                n.state.clone(),
                n.attempts.to_string(),
                n.last_error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(
        &[
            "ID",
            "CREATED",
            "KIND",
            "SEVERITY",
            "SUBSCRIBER",
            "SUBSCRIPTION",
            "CHANNEL",
            "STATE",
            "TRIES",
            "TROUBLE",
        ],
        &rows,
    )
}

async fn test(context: &Context, subscriber: &str, out: &Out) -> Result<(), CliError> {
    let app = context.app().await?;
    let engine = app.engine();
    let sent = engine.send_test(&subscriber_id(subscriber)?).await?;
    out.result(&shapes::notice(&sent), || match (&sent.last_error, sent.state.as_str()) {
        (_, "sent") => {
            format!("sent to {} by {}", sent.subscriber, sent.channel.clone().unwrap_or_default())
        }
        (Some(why), state) => format!("{state}: {why}"),
        (None, state) => state.to_owned(),
    });
    if sent.state == "sent" { Ok(()) } else { Err(CliError::Quiet) }
}
