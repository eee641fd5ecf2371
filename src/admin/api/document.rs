//! The document of the API, made from the code: the handlers tell what they take and give, the list
//! of routes tells who may; and a page that shows it.

use super::{act, fleet, installation, lists, live, look};
use crate::admin::{
    guard::policy_with_style,
    health, hook,
    problem::{Problem, ProblemDocument},
    routes::{self, Route},
};
use crate::domain::State;
use axum::{
    http::{HeaderValue, Method, header},
    response::{Html, IntoResponse, Response},
};
use minijinja::{Environment, value::Serde};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::LazyLock;
use utoipa::OpenApi;

/// What the handlers tell.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "topupd",
        version = "1",
        description = "Keeps prepaid lines alive. A viewer may look, an operator may act, an admin may let money \
            flow again; `x-role` names the least role. A token may be held to a part of the fleet: what is \
            outside of it is not there, and what `x-reach` calls `whole` is closed."
    ),
    paths(
        lists::subscribers,
        lists::subscriptions,
        look::subscription,
        look::explain,
        look::forecast,
        lists::readings,
        lists::rules,
        lists::topups,
        look::topup,
        lists::notices,
        lists::ledger,
        look::money,
        live::events,
        act::poll,
        act::topup,
        act::pause,
        act::resume,
        act::reading,
        act::sms,
        act::acknowledge,
        act::approve,
        act::reject,
        act::resolve,
        act::money_off,
        act::money_on,
        look::receipt,
        installation::audit,
        installation::providers,
        installation::tokens,
        installation::create_token,
        installation::revoke_token,
        fleet::fleet,
        fleet::subscription::put,
        fleet::subscription::patch,
        fleet::subscription::delete,
        fleet::subscriber::put,
        fleet::subscriber::patch,
        fleet::subscriber::delete,
        fleet::rule::put,
        fleet::rule::patch,
        fleet::rule::delete,
        openapi,
        docs,
        health::healthz,
        health::readyz,
        health::metrics,
        hook::sms,
        hook::provider,
        hook::here,
        hook::channel,
    ),
    components(schemas(ProblemDocument))
)]
struct Described;

/// The document.
pub(in crate::admin) static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());

const CSS: &str = include_str!("docs.css");

/// Answers that are problems: the status, and when it comes.
const PROBLEMS: [(&str, &str); 10] = [
    ("400", "It cannot be understood"),
    ("401", "No token, or one that is unknown or revoked"),
    ("403", "The role is too small, or this is about more than the token's part of the fleet"),
    ("404", "There is no such thing, or it belongs to others"),
    ("409", "It does not fit what the rows say; the detail tells what would"),
    ("413", "The body is larger than 1 MiB"),
    ("415", "The body is of another type than JSON"),
    ("422", "Values that cannot be right, all of them named"),
    ("429", "Too many at once; `Retry-After` tells when to come again"),
    ("503", "It took too long; look how far it came before asking again"),
];

/// What acts at most once for an `Idempotency-Key`.
const KEYED: [&str; 3] = ["/topup", "/approve", "/resolve"];

/// The operation of a route in `document`.
fn operation<'a>(document: &'a mut Value, route: &Route) -> Option<&'a mut Value> {
    let method = route.method.as_str().to_lowercase();
    document.get_mut("paths")?.get_mut(route.path)?.get_mut(method)
}

/// Writes `value` at the end of `path`, all of which but the last step must be there.
fn set(json: &mut Value, path: &[&str], value: Value) {
    let Some((last, way)) = path.split_last() else { return };
    let place = way.iter().try_fold(json, |place, key| place.get_mut(*key));
    if let Some(fields) = place.and_then(Value::as_object_mut) {
        fields.insert((*last).to_owned(), value);
    }
}

fn document() -> Value {
    let mut document = serde_json::to_value(Described::openapi()).unwrap_or_default();
    set(&mut document, &["openapi"], json!("3.1.0"));
    let bearer = json!({ "type": "http", "scheme": "bearer", "description": "Made by `topupd token create`" });
    set(&mut document, &["components", "securitySchemes"], json!({ "token": bearer }));
    let states: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    let state = ["components", "schemas", "Topup", "properties", "state", "enum"];
    set(&mut document, &state, json!(states));
    for route in routes::all() {
        if let Some(operation) = operation(&mut document, &route) {
            describe(operation, &route);
        }
    }
    document
}

/// Who may, and what else may be answered.
fn describe(operation: &mut Value, route: &Route) {
    let says = [Method::POST, Method::PUT, Method::PATCH].contains(&route.method);
    let security = match route.needs {
        Some(role) => {
            set(operation, &["x-role"], json!(role.as_str()));
            set(operation, &["x-reach"], json!(route.reach.as_str()));
            json!([{ "token": [] }])
        }
        None => json!([]),
    };
    set(operation, &["security"], security);
    // The name of the handler is none that a client needs.
    set(operation, &["operationId"], json!(format!("{} {}", route.method.as_str(), route.path)));
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let mut parameters = parameters.cloned().unwrap_or_default();
    for name in route.path.split(['{', '}']).skip(1).step_by(2) {
        parameters.push(
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }),
        );
    }
    if KEYED.iter().any(|end| route.path.ends_with(end)) {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "schema": { "type": "string", "maxLength": 255 },
            "description": "The same request with the same key acts once; kept for 24 hours",
        }));
    }
    set(operation, &["parameters"], json!(parameters));
    if route.path.starts_with("/hooks/") {
        set(operation, &["responses", "default"], problem("Why not"));
        return;
    }
    for (status, why) in PROBLEMS {
        let comes = match status {
            "401" | "403" => route.needs.is_some(),
            "404" => route.path.contains('{'),
            "409" => route.method != Method::GET || route.path.ends_with("/receipt"),
            "413" | "415" => says,
            _ => route.needs.is_some(),
        };
        if comes {
            set(operation, &["responses", status], problem(why));
        }
    }
    if operation.pointer("/responses/200").is_some() && route.method == Method::GET {
        let known = json!({ "description": "As `If-None-Match` has it" });
        set(operation, &["responses", "304"], known);
    }
    set(operation, &["responses", "default"], problem("Another error: 405, 421 or 500"));
}

fn problem(why: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({ "description": why, "content": { "application/problem+json": { "schema": schema } } })
}

/// This document; it tells nothing about anybody.
#[utoipa::path(get, path = "/api/v1/openapi.json", responses((status = 200, description = "OpenAPI 3.1", body = Value)))]
pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

/// The document as a page, without a script.
#[utoipa::path(get, path = "/api/docs", responses((status = 200, description = "HTML", body = String, content_type = "text/html")))]
pub(super) async fn docs() -> Result<Response, Problem> {
    let page = render().map_err(Problem::inner)?;
    let mut response = Html(page).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy_with_style(CSS)) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// What the page shows.
#[derive(Serialize)]
struct Shown<'a> {
    css: &'a str,
    document: &'a Value,
}

fn render() -> Result<String, minijinja::Error> {
    let mut pages = Environment::new();
    pages.add_template("docs.html", include_str!("docs.html"))?;
    pages.get_template("docs.html")?.render(Serde(Shown { css: CSS, document: &DOCUMENT }))
}
