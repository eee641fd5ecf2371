//! Receipts of a period, page by page or as CSV.

use super::{
    fields::Params,
    lists::span,
    paging::{Asked, Cut, Form, after_time, page, place},
    wants::ReceiptsQuery,
};
use crate::admin::{Admin, guard::Caller, problem::Problem};
use crate::domain::Span;
use crate::shapes::{Receipt, ReceiptDocument};
use crate::store::TopupsAsked;
use axum::{Extension, extract::State, response::Response};

/// Top-ups that are looked at in one go; those that were never sent have no receipt.
const STEP: i64 = 200;

/// Receipts of the top-ups that were made then, newest first; of the last 30 days where nothing is
/// said.
#[utoipa::path(get, path = "/api/v1/receipts", params(ReceiptsQuery), responses((status = 200, description = "A page", body = [ReceiptDocument])))]
pub(super) async fn receipts(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Asked,
    params: Params,
) -> Result<Response, Problem> {
    let now = admin.engine().now();
    let ((from, to), mut from_place, cut) = params.read(|section| {
        let during = span(section, now.minus(Span::days(30)), now);
        Some((during, after_time(section), Cut::read_or_csv(section, &asked)))
    })?;
    let store = admin.engine().store();
    let topups = TopupsAsked { from, to, ..TopupsAsked::default() };
    let wanted = usize::try_from(cut.most()).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    while found.len() < wanted {
        let step = store.topups_page(caller.scope(), &topups, from_place.as_ref(), STEP).await?;
        let Some(last) = step.last() else { break };
        from_place = Some((last.created_at.ms(), last.id.to_string()));
        let rest = wanted.saturating_sub(found.len());
        for topup in step.into_iter().filter(Receipt::is_due).take(rest) {
            let (events, after) = store.evidence(&topup).await?;
            found.push(Receipt { topup, events, after });
        }
    }
    let form = Form { shape: Receipt::document, table: (&Receipt::COLUMNS, Receipt::row) };
    let place = |r: &Receipt| place(&[&r.topup.created_at.ms().to_string(), r.topup.id.as_str()]);
    page(&asked, cut, found, place, &form)
}
