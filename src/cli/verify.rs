//! `verify`, `reconcile`, `discrepancies`: the books, proven and compared.

use super::args::DiscrepanciesVerb;
use super::context::{CliError, Context, actor};
use super::out::{Out, table};
use crate::app::recorder_file;
use crate::flow::BooksReport;
use crate::store::{Anchor, Discrepancy, Head, Proof, Replay};
use serde_json::{Value as Json, json};

pub(super) async fn verify(
    context: &Context,
    anchors: &[String],
    out: &Out,
) -> Result<(), CliError> {
    let mut known = anchors.iter().map(|text| typed(text)).collect::<Result<Vec<Anchor>, _>>()?;
    let path = recorder_file(&context.settings()?);
    let mut damage = None;
    match Replay::load(&path) {
        Ok(replay) => {
            damage = replay.damage;
            known.extend(replay.heads.into_iter().map(|(seq, hash)| Anchor {
                head: Head { seq, hash },
                origin: format!("the flight recorder {}", path.display()),
            }));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(anyhow::anyhow!("{}: {error}", path.display()).into()),
    }
    let proof = context.store().await?.prove(&known).await?;
    report(&proof, damage.as_deref(), out);
    if proof.findings.is_empty() && damage.is_none() { Ok(()) } else { Err(CliError::Quiet) }
}

fn typed(text: &str) -> Result<Anchor, CliError> {
    let head = text.split_once(':').and_then(|(seq, hash)| {
        let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let seq = seq.parse::<i64>().ok().filter(|seq| *seq > 0 && is_hash)?;
        Some(Head { seq, hash: hash.to_ascii_lowercase() })
    });
    let head = head.ok_or_else(|| {
        CliError::Usage(format!(
            "--anchor: found {text:?}; allowed is SEQ:HASH as `topupd verify` prints it"
        ))
    })?;
    Ok(Anchor { head, origin: "--anchor".to_owned() })
}

fn report(proof: &Proof, damage: Option<&str>, out: &Out) {
    let findings: Vec<Json> = proof
        .findings
        .iter()
        .map(|f| json!({ "proof": f.proof, "row": f.row, "why": f.why }))
        .chain(damage.map(|why| json!({ "proof": "recorder", "row": "recorder", "why": why })))
        .collect();
    let document = json!({
        "ok": findings.is_empty(),
        "findings": findings,
        "links": proof.links,
        "topups": proof.topups,
        "ledger": proof.entries,
        "notices": proof.notices,
        "anchors": proof.anchors,
        "head": proof.head.to_string(),
    });
    out.result(&document, || {
        let mut lines: Vec<String> =
            proof.findings.iter().map(|f| format!("{}: {}: {}", f.proof, f.row, f.why)).collect();
        lines.extend(damage.map(|why| format!("recorder: {why}")));
        let Proof { links, topups, entries, notices, anchors, head, .. } = proof;
        lines.push(format!(
            "{}: {links} links, {topups} top-ups, {entries} ledger entries, {notices} notices, {anchors} anchors",
            if lines.is_empty() { "everything holds" } else { "NOT everything holds" }
        ));
        lines.push(format!("head {head}"));
        lines.join("\n")
    });
}

pub(super) async fn reconcile(
    context: &Context,
    payers: &[String],
    out: &Out,
) -> Result<(), CliError> {
    let app = context.app().await?;
    let engine = app.engine();
    let now = engine.now();
    let can = |name: &String| {
        engine.provider(name).is_some_and(|p| p.declares().lists || p.declares().wallet)
    };
    if let Some(other) = payers.iter().find(|name| !can(name)) {
        let allowed: Vec<&String> = engine.providers().keys().filter(|name| can(name)).collect();
        return Err(CliError::Usage(format!(
            "{other:?} lists no transactions and has no wallet; allowed are {allowed:?}"
        )));
    }
    let names: Vec<String> = if payers.is_empty() {
        engine.providers().keys().filter(|name| can(name)).cloned().collect()
    } else {
        payers.to_vec()
    };
    let mut reports: Vec<BooksReport> = Vec::new();
    for name in names {
        let from = now.minus(crate::domain::Span::hours(48));
        match engine.compare_books(&name, from, now).await? {
            Ok(report) => reports.push(report),
            Err(why) => return Err(anyhow::anyhow!("{name}: {why}").into()),
        }
    }
    let documents: Vec<Json> = reports
        .iter()
        .map(|r| {
            let found: Vec<Json> = r.found.iter().map(document).collect();
            json!({ "payer": r.payer, "theirs": r.theirs, "ours": r.ours, "found": found })
        })
        .collect();
    out.result(&Json::Array(documents), || {
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

fn document(d: &Discrepancy) -> Json {
    json!({
        "id": d.id, "kind": d.kind, "payer": d.payer, "topup": d.topup,
        "transaction_id": d.transaction_id, "what": d.what, "found_at": d.found_at.rfc3339(),
        "closed_at": d.closed_at.map(crate::domain::Timestamp::rfc3339),
    })
}

pub(super) async fn discrepancies(
    context: &Context,
    verb: &DiscrepanciesVerb,
    out: &Out,
) -> Result<(), CliError> {
    match verb {
        DiscrepanciesVerb::List { all } => {
            let found = context.store().await?.discrepancies(!all).await?;
            out.result(&Json::Array(found.iter().map(document).collect()), || {
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
            out.result(&json!({ "id": id, "closed_at": now.rfc3339() }), || {
                format!("{id} is settled")
            });
            Ok(())
        }
    }
}
