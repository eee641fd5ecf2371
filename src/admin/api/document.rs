//! The document of the API, made from the code: the handlers tell what they take and give, the list
//! of routes tells who may; and a page that shows it.

use super::{act, lists, look};
use crate::admin::{
    guard::policy_with_style,
    health, hook,
    problem::{Problem, ProblemDocument},
    routes::{self, Route},
};
use crate::domain::State;
use axum::{
    http::{HeaderValue, header},
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

/// The operation of a route in `document`.
fn operation<'a>(document: &'a mut Value, route: &Route) -> Option<&'a mut Value> {
    let method = route.method.as_str().to_lowercase();
    document.get_mut("paths")?.get_mut(route.path)?.get_mut(method)
}

fn document() -> Value {
    let mut document = serde_json::to_value(Described::openapi()).unwrap_or_default();
    document["openapi"] = json!("3.1.0");
    document["components"]["securitySchemes"] = json!({
        "token": { "type": "http", "scheme": "bearer", "description": "Made by `topupd token create`" }
    });
    let states: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    document["components"]["schemas"]["Topup"]["properties"]["state"]["enum"] = json!(states);
    for route in routes::all() {
        if let Some(operation) = operation(&mut document, &route) {
            describe(operation, &route);
        }
    }
    document
}

/// Who may, and what else may be answered.
fn describe(operation: &mut Value, route: &Route) {
    let is_post = route.method == axum::http::Method::POST;
    operation["security"] = match route.needs {
        Some(role) => {
            operation["x-role"] = json!(role.as_str());
            operation["x-reach"] = json!(route.reach.as_str());
            json!([{ "token": [] }])
        }
        None => json!([]),
    };
    // The name of the handler is none that a client needs.
    operation["operationId"] = json!(format!("{} {}", route.method.as_str(), route.path));
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let mut parameters = parameters.cloned().unwrap_or_default();
    for name in route.path.split(['{', '}']).skip(1).step_by(2) {
        parameters.push(
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }),
        );
    }
    operation["parameters"] = json!(parameters);
    if route.path.starts_with("/hooks/") {
        operation["responses"]["default"] = problem("Why not");
        return;
    }
    for (status, why) in PROBLEMS {
        let comes = match status {
            "401" | "403" => route.needs.is_some(),
            "404" => route.path.contains('{'),
            "409" | "413" | "415" => is_post,
            _ => route.needs.is_some(),
        };
        if comes {
            operation["responses"][status] = problem(why);
        }
    }
    if operation["responses"].get("200").is_some() && route.method == axum::http::Method::GET {
        operation["responses"]["304"] = json!({ "description": "As `If-None-Match` has it" });
    }
    operation["responses"]["default"] = problem("Another error: 405, 421 or 500");
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
