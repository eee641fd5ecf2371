//! `instances`: who is alive over this database, and what it holds.

use super::context::{CliError, Context};
use super::out::{Out, table};
use crate::domain::Timestamp;
use crate::shapes;
use crate::store::Instance;

pub(super) async fn instances(context: &Context, out: &Out) -> Result<(), CliError> {
    let app = context.app().await?;
    let now = app.engine().now();
    let found = app.engine().store().instances().await?;
    let document: Vec<_> = found.iter().map(|one| shapes::instance(one, now)).collect();
    out.result(&document, || {
        let rows: Vec<Vec<String>> = found.iter().map(|one| row(one, now)).collect();
        table(
            &["INSTANCE", "STATE", "HOST", "PID", "VERSION", "STARTED", "HEARD OF", "HOLDS"],
            &rows,
        )
    });
    Ok(())
}

fn row(one: &Instance, now: Timestamp) -> Vec<String> {
    vec![
        one.id.clone(),
        one.state(now).as_str().to_owned(),
        one.host.clone(),
        one.pid.to_string(),
        one.version.clone(),
        one.started_at.rfc3339(),
        format!("{} ago", now.since(one.seen_at)),
        holds(one),
    ]
}

fn holds(one: &Instance) -> String {
    let h = one.holds;
    let all = [
        (h.polls, "polls"),
        (h.decisions, "decisions"),
        (h.orders, "orders"),
        (h.looks, "looks"),
        (h.notices, "notices"),
    ];
    let held: Vec<String> =
        all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    match &one.idle {
        Some(why) => format!("takes no work: {why}"),
        None if held.is_empty() => "nothing".to_owned(),
        None => held.join(", "),
    }
}
