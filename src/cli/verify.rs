//! `verify`, `reconcile`, `discrepancies`: the books, proven and compared.

use super::args::DiscrepanciesVerb;
use super::context::{CliError, Context, actor};
use super::out::{Out, table};
use crate::app::recorder_file;
use crate::flow::{BooksReport, prove_books};
use crate::shapes;
use crate::store::Anchor;

pub(super) async fn verify(
    context: &Context,
    anchors: &[String],
    out: &Out,
) -> Result<(), CliError> {
    let anchors = anchors.iter().map(|text| typed(text)).collect::<Result<Vec<Anchor>, _>>()?;
    let path = recorder_file(&context.settings()?);
    let proven = prove_books(&context.store().await?, &path, anchors).await;
    let proven = proven.map_err(anyhow::Error::from)?;
    let document = shapes::proof(&proven);
    out.result(&document, || words(&document));
    if document.ok { Ok(()) } else { Err(CliError::Quiet) }
}

fn typed(text: &str) -> Result<Anchor, CliError> {
    let anchor = Anchor::parse(text, "--anchor");
    anchor.ok_or_else(|| CliError::Usage(format!("--anchor: found {text:?}; {}", Anchor::ALLOWED)))
}

fn words(document: &shapes::Proof) -> String {
    let line = |f: &shapes::Finding| match f.proof {
        "recorder" => format!("recorder: {}", f.why),
        proof => format!("{proof}: {}: {}", f.row, f.why),
    };
    let mut lines: Vec<String> = document.findings.iter().map(line).collect();
    let shapes::Proof { ok, links, topups, ledger, notices, anchors, head, .. } = document;
    lines.push(format!(
        "{}: {links} links, {topups} top-ups, {ledger} ledger entries, {notices} notices, {anchors} anchors",
        if *ok { "everything holds" } else { "NOT everything holds" }
    ));
    lines.push(format!("head {head}"));
    lines.join("\n")
}

pub(super) async fn reconcile(
    context: &Context,
    payers: &[String],
    out: &Out,
) -> Result<(), CliError> {
    let app = context.app().await?;
    let engine = app.engine();
    let able = engine.bookkeepers();
    if let Some(other) = payers.iter().find(|name| !able.contains(&name.as_str())) {
        return Err(CliError::Usage(format!(
            "{other:?} lists no transactions and has no wallet; allowed are {able:?}"
        )));
    }
    let names: Vec<&str> =
        if payers.is_empty() { able } else { payers.iter().map(String::as_str).collect() };
    let mut reports: Vec<BooksReport> = Vec::new();
    for name in names {
        match engine.compare_now(name).await? {
            Ok(report) => reports.push(report),
            Err(why) => return Err(anyhow::anyhow!("{name}: {why}").into()),
        }
    }
    let documents: Vec<_> = reports.iter().map(shapes::comparison).collect();
    out.result(&documents, || {
        if reports.is_empty() {
            return "no provider lists its transactions or has a wallet".into();
        }
        let mut lines = Vec::new();
        for r in &reports {
            lines.push(format!(
                "{}: {} theirs, {} ours, {} new",
                r.payer,
                r.theirs,
                r.ours,
                r.found.len()
            ));
            lines.extend(r.found.iter().map(|d| format!("  {}  {}: {}", d.id, d.kind, d.what)));
        }
        lines.join("\n")
    });
    Ok(())
}

pub(super) async fn discrepancies(
    context: &Context,
    verb: &DiscrepanciesVerb,
    out: &Out,
) -> Result<(), CliError> {
    match verb {
        DiscrepanciesVerb::List { all } => {
            let found = context.store().await?.discrepancies(!all).await?;
            out.result(&found.iter().map(shapes::discrepancy).collect::<Vec<_>>(), || {
                let rows: Vec<Vec<String>> = found
                    .iter()
                    .map(|d| {
                        vec![
                            d.id.clone(),
                            d.found_at.to_string(),
                            d.kind.clone(),
                            d.payer.clone(),
                            d.what.clone(),
                        ]
                    })
                    .collect();
                table(&["ID", "FOUND", "KIND", "PAYER", "WHAT"], &rows)
            });
            Ok(())
        }
        DiscrepanciesVerb::Close { id, note } => {
            let app = context.app().await?;
            let by = format!("{}: {note}", actor());
            let now = app.engine().now();
            if !app.engine().store().close_discrepancy(id, &by, now).await? {
                return Err(anyhow::anyhow!("there is no open discrepancy {id}").into());
            }
            let closed = shapes::Closed { id: id.clone(), closed_at: shapes::At(now) };
            out.result(&closed, || format!("{id} is settled"));
            Ok(())
        }
    }
}
