//! The carrier's HTTP API.

use super::{
    book::{Book, LineState, Ordered, Record, Status},
    line::Fate,
    wire::Cut,
};
use crate::domain::{Currency, Money, Msisdn, Rounding};
use axum::{
    Json, Router,
    extract::{ConnectInfo, Path, Query, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Everything the carrier answers.
pub(super) fn router(book: Arc<Book>) -> Router {
    Router::new()
        .route("/v1/lines/{msisdn}", get(read_line))
        .route("/v1/topups", get(find_topups).post(order_topup))
        .layer(middleware::from_fn_with_state(Arc::clone(&book), check_token))
        .with_state(book)
}

async fn check_token(State(book): State<Arc<Book>>, request: Request, next: Next) -> Response {
    let expected = format!("Bearer {}", book.config.token);
    let given = request.headers().get(header::AUTHORIZATION);
    if given.is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
        return failure(StatusCode::UNAUTHORIZED, "the bearer token is missing or wrong");
    }
    next.run(request).await
}

async fn read_line(State(book): State<Arc<Book>>, Path(number): Path<String>) -> Response {
    let Some((msisdn, (line, fate))) =
        Msisdn::parse(&number).ok().and_then(|msisdn| Some((msisdn.clone(), book.read(&msisdn)?)))
    else {
        return failure(StatusCode::NOT_FOUND, "there is no such line");
    };
    match fate {
        Fate::Stale { .. } => {
            failure(StatusCode::SERVICE_UNAVAILABLE, "the balance is being serviced")
        }
        Fate::Garbage => page(),
        Fate::OtherNumber => show_line(&other_number(&msisdn), &line, line.balance.currency()),
        Fate::OtherCurrency => {
            show_line(msisdn.as_str(), &line, other_currency(line.balance.currency()))
        }
        Fate::Normal | Fate::Refuse | Fate::LoseAnswer | Fate::SlowPending | Fate::NoEffect => {
            show_line(msisdn.as_str(), &line, line.balance.currency())
        }
    }
}

fn show_line(number: &str, line: &LineState, currency: Currency) -> Response {
    Json(json!({
        "msisdn": number,
        "active": line.in_service,
        "balance": { "amount": line.balance.plain(), "currency": currency.code() },
        "expires_at": line.service_end_at.rfc3339(),
        "data": { "left_mb": line.data_left / 1_000_000 },
    }))
    .into_response()
}

#[derive(Deserialize)]
struct OrderBody {
    #[serde(rename = "ref")]
    reference: String,
    msisdn: String,
    amount: String,
    currency: String,
}

async fn order_topup(
    State(book): State<Arc<Book>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    body: Result<Json<OrderBody>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let parsed = body.ok().and_then(|Json(body)| {
        let currency = Currency::parse(&body.currency).ok()?;
        let amount = Money::from_text(&body.amount, currency, Rounding::Exact).ok()?;
        Some((body.reference, Msisdn::parse(&body.msisdn).ok()?, amount))
    });
    let Some((reference, msisdn, amount)) = parsed else {
        return failure(StatusCode::BAD_REQUEST, "the order cannot be understood");
    };
    match book.order(&reference, &msisdn, amount) {
        Ordered::Duplicate => failure(StatusCode::CONFLICT, "the reference exists already"),
        Ordered::UnknownLine => failure(StatusCode::NOT_FOUND, "there is no such line"),
        Ordered::WrongAmount => {
            failure(StatusCode::UNPROCESSABLE_ENTITY, "the amount cannot be bought for this line")
        }
        Ordered::Taken(record, Fate::LoseAnswer) => {
            cut.now();
            (StatusCode::CREATED, Json(show_record(&record, Fate::Normal))).into_response()
        }
        Ordered::Taken(_, Fate::Garbage) => page(),
        Ordered::Taken(record, fate) => {
            let status = match record.status {
                Status::Refused => StatusCode::PAYMENT_REQUIRED,
                Status::Pending(_) => StatusCode::ACCEPTED,
                Status::Done | Status::Reversed => StatusCode::CREATED,
            };
            (status, Json(show_record(&record, fate))).into_response()
        }
    }
}

#[derive(Deserialize)]
struct ByReference {
    #[serde(rename = "ref")]
    reference: String,
}

async fn find_topups(State(book): State<Arc<Book>>, Query(by): Query<ByReference>) -> Response {
    match book.find(&by.reference) {
        None => Json(json!({ "items": [] })).into_response(),
        Some((_, Fate::Garbage)) => page(),
        Some((record, fate)) => {
            Json(json!({ "items": [show_record(&record, fate)] })).into_response()
        }
    }
}

fn show_record(record: &Record, fate: Fate) -> Value {
    let status = match record.status {
        Status::Done => "done",
        Status::Pending(_) => "pending",
        Status::Refused => "refused",
        Status::Reversed => "reversed",
    };
    let number = if fate == Fate::OtherNumber {
        other_number(&record.msisdn)
    } else {
        record.msisdn.as_str().to_owned()
    };
    let ours = record.amount.currency();
    let currency = if fate == Fate::OtherCurrency { other_currency(ours) } else { ours };
    json!({
        "id": record.id,
        "ref": record.reference,
        "status": status,
        "msisdn": number,
        "amount": record.amount.plain(),
        "currency": currency.code(),
    })
}

/// The same number with another last digit.
fn other_number(msisdn: &Msisdn) -> String {
    let mut number = msisdn.as_str().to_owned();
    let last = number.pop();
    number.push(if last == Some('9') { '8' } else { '9' });
    number
}

/// Euro, or what is not euro.
fn other_currency(currency: Currency) -> Currency {
    let other = if currency.code() == "EUR" { "USD" } else { "EUR" };
    Currency::parse(other).unwrap_or(currency)
}

fn page() -> Response {
    Html("<!doctype html><title>Sorry</title><p>Something went wrong.").into_response()
}

fn failure(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
