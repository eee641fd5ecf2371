//! The chain: link by link, and row by row against the links.

use super::{Anchor, Finding, Proof};
use crate::store::{
    Head, StoreError, Tx,
    journal::{self, Entry, Table},
    rows::Columns,
};
use std::collections::HashMap;

/// Links read in one go.
const PAGE: i64 = 10_000;

pub(super) async fn prove(
    tx: &mut Tx,
    anchors: &[Anchor],
    proof: &mut Proof,
) -> Result<(), StoreError> {
    // What each row must be, by the newest link about it.
    let mut digests: HashMap<String, (i64, String)> = HashMap::new();
    let mut last = Head::default();
    let mut wanted: HashMap<i64, Vec<&Anchor>> = HashMap::new();
    for anchor in anchors {
        wanted.entry(anchor.head.seq).or_default().push(anchor);
    }
    loop {
        let rows = sqlx::query("SELECT * FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(last.seq)
            .bind(PAGE)
            .fetch_all(&mut **tx)
            .await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let c = Columns { table: "journal", row };
            let (seq, at, found) = (c.int("seq")?, c.int("at")?, c.text("hash")?);
            let entry = Entry { subject: c.text("subject")?, digest: c.text("digest")? };
            let link = || format!("journal:{seq}");
            if seq != last.seq.saturating_add(1) {
                let why = format!("links {} to {} are missing", last.seq + 1, seq - 1);
                proof.find(Finding::new("journal", link(), why));
            } else if found != journal::hash(&last.hash, seq, at, &entry) {
                let why =
                    "the link does not follow from the one before it: it or that one was edited";
                proof.find(Finding::new("journal", link(), why));
            }
            for anchor in wanted.remove(&seq).unwrap_or_default() {
                if anchor.head.hash != found {
                    let why = format!("{} has another hash for this link", anchor.origin);
                    proof.find(Finding::new("journal", link(), why));
                }
            }
            digests.insert(entry.subject, (seq, entry.digest));
            last = Head { seq, hash: found };
        }
    }
    let row = sqlx::query("SELECT seq, hash FROM journal_head WHERE id = 1")
        .fetch_optional(&mut **tx)
        .await?;
    let kept = match &row {
        Some(row) => {
            let c = Columns { table: "journal_head", row };
            Head { seq: c.int("seq")?, hash: c.text("hash")? }
        }
        None => Head::default(),
    };
    if kept != last {
        let why =
            format!("the journal ends at link {}, its head is kept as link {}", last.seq, kept.seq);
        proof.find(Finding::new("journal", format!("journal:{}", last.seq), why));
    }
    let mut beyond: Vec<&Anchor> =
        wanted.into_values().flatten().filter(|a| a.head.seq > 0).collect();
    beyond.sort_by_key(|anchor| anchor.head.seq);
    if let Some(anchor) = beyond.first() {
        let (seq, origin) = (anchor.head.seq, &anchor.origin);
        let why =
            format!("the tail is cut: {origin} knows link {seq}, the journal ends at {}", last.seq);
        proof.find(Finding::new("journal", format!("journal:{seq}"), why));
    }
    proof.links = last.seq;
    proof.head = last;
    rows_against_links(tx, digests, proof).await
}

async fn rows_against_links(
    tx: &mut Tx,
    mut digests: HashMap<String, (i64, String)>,
    proof: &mut Proof,
) -> Result<(), StoreError> {
    for (table, pages) in [
        (Table::Events, "SELECT * FROM topup_events ORDER BY topup_id, seq LIMIT $1 OFFSET $2"),
        (Table::Topups, "SELECT * FROM topups ORDER BY id LIMIT $1 OFFSET $2"),
        (Table::Ledger, "SELECT * FROM ledger ORDER BY topup_id, seq LIMIT $1 OFFSET $2"),
        (Table::Acts, "SELECT * FROM acts ORDER BY seq LIMIT $1 OFFSET $2"),
    ] {
        let mut offset = 0_i64;
        loop {
            let rows = sqlx::query(pages).bind(PAGE).bind(offset).fetch_all(&mut **tx).await?;
            if rows.is_empty() {
                break;
            }
            offset = offset.saturating_add(PAGE);
            for row in &rows {
                let entry = table.entry(row)?;
                match digests.remove(&entry.subject) {
                    Some((_, digest)) if digest == entry.digest => {}
                    Some((seq, _)) => {
                        let why = format!("the row is not what link {seq} of the journal says");
                        proof.find(Finding::new("journal", entry.subject, why));
                    }
                    None => {
                        let why = "the row is not in the journal";
                        proof.find(Finding::new("journal", entry.subject, why));
                    }
                }
            }
        }
    }
    // Earlier versions of a top-up are gone by nature; of what is append-only nothing may be.
    let mut gone: Vec<(i64, String)> = digests
        .into_iter()
        .filter(|(subject, _)| !subject.starts_with("topups:"))
        .map(|(subject, (seq, _))| (seq, subject))
        .collect();
    gone.sort();
    for (seq, subject) in gone {
        let why = format!("link {seq} of the journal is about a row that is gone");
        proof.find(Finding::new("journal", subject, why));
    }
    Ok(())
}
