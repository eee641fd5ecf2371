//! The books: what does not agree with providers, and what was proven.

use super::{At, at};
use crate::flow::{BooksReport, Proven};
use crate::store;
use serde::Serialize;
use utoipa::ToSchema;

/// What our books and a provider's do not agree about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Discrepancy {
    /// Its id.
    pub id: String,
    /// `charged_after_failed`, `theirs_only`, `ours_only`, `amount`, `wallet` or `recorder`.
    pub kind: String,
    /// The provider.
    pub payer: String,
    /// Our top-up, where there is one.
    pub topup: Option<String>,
    /// Their transaction, where there is one.
    pub transaction_id: Option<String>,
    /// In words.
    pub what: String,
    /// When it was found first.
    pub found_at: At,
    /// When it was settled.
    pub closed_at: Option<At>,
}

/// A discrepancy.
pub fn discrepancy(d: &store::Discrepancy) -> Discrepancy {
    Discrepancy {
        id: d.id.clone(),
        kind: d.kind.clone(),
        payer: d.payer.clone(),
        topup: d.topup.clone(),
        transaction_id: d.transaction_id.clone(),
        what: d.what.clone(),
        found_at: At(d.found_at),
        closed_at: at(d.closed_at),
    }
}

/// A discrepancy that was settled.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Closed {
    /// Its id.
    pub id: String,
    /// When it was settled.
    pub closed_at: At,
}

/// A comparison with a provider's own books.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Comparison {
    /// The provider.
    pub payer: String,
    /// Transactions in its list.
    pub theirs: usize,
    /// Top-ups of ours in the same time.
    pub ours: usize,
    /// What does not agree and is new.
    pub found: Vec<Discrepancy>,
}

/// A comparison.
pub fn comparison(report: &BooksReport) -> Comparison {
    Comparison {
        payer: report.payer.clone(),
        theirs: report.theirs,
        ours: report.ours,
        found: report.found.iter().map(discrepancy).collect(),
    }
}

/// Whether the books hold.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Proof {
    /// Everything holds.
    pub ok: bool,
    /// What does not, at most a hundred of each kind.
    pub findings: Vec<Finding>,
    /// Links of the journal.
    pub links: i64,
    /// Top-ups.
    pub topups: i64,
    /// Entries of the ledger.
    pub ledger: i64,
    /// Notices.
    pub notices: i64,
    /// Heads from before that were compared.
    pub anchors: usize,
    /// The head of the journal as `SEQ:HASH`, to be kept elsewhere.
    pub head: String,
}

/// Something that does not hold.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Finding {
    /// `journal`, `ledger`, `database`, `recorder`, or `P1` to `P6`.
    #[schema(value_type = String)]
    pub proof: &'static str,
    /// The first offending row.
    pub row: String,
    /// What is wrong with it.
    pub why: String,
}

/// What was proven.
pub fn proof(proven: &Proven) -> Proof {
    let of_rows = proven.proof.findings.iter().map(|found| Finding {
        proof: found.proof,
        row: found.row.clone(),
        why: found.why.clone(),
    });
    let of_recorder = proven.damage.iter().map(|why| Finding {
        proof: "recorder",
        row: "recorder".to_owned(),
        why: why.clone(),
    });
    let findings: Vec<Finding> = of_rows.chain(of_recorder).collect();
    let proof = &proven.proof;
    Proof {
        ok: findings.is_empty(),
        findings,
        links: proof.links,
        topups: proof.topups,
        ledger: proof.entries,
        notices: proof.notices,
        anchors: proof.anchors,
        head: proof.head.to_string(),
    }
}
