//! The document of the API, made from the code: the handlers tell what they take and give, the list
//! of routes tells who may; and a page that shows it.

use super::{
    act, books, catalogue, codes, fleet, installation, lists, live, look, people, receipts, replay,
    texts::{AnchorsText, DayText, IdsText, LocaleText, PlaceText, Told},
};
use crate::admin::{
    guard::{self, policy_with_style},
    health, hook,
    problem::{Problem, ProblemDocument},
    routes::{self, Route},
};
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
        lists::days,
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
        installation::instances,
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
        fleet::stored,
        books::verify,
        books::discrepancies,
        books::close,
        books::reconcile,
        replay::simulate,
        receipts::receipts,
        catalogue::operators,
        catalogue::operator,
        catalogue::products,
        catalogue::quote,
        catalogue::test_provider,
        catalogue::channels,
        catalogue::test_channel,
        people::users,
        people::disable,
        people::link,
        people::preview,
        people::test,
        codes::pins,
        codes::show,
        codes::redeem,
        codes::end,
        codes::fetch,
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
    // What only queries name is not found by itself.
    components(schemas(ProblemDocument, AnchorsText, DayText, IdsText, LocaleText, PlaceText, Told))
)]
struct Described;

/// The document.
pub(in crate::admin) static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());

const CSS: &str = include_str!("docs.css");

/// Answers that are problems: the status, and when it comes. Which operation may give which is told
/// by [`may_answer`]; no handler names them.
const PROBLEMS: [(&str, &str); 11] = [
    ("400", "It cannot be understood"),
    ("401", "No token, or one that is unknown or revoked"),
    ("403", "The role is too small, or this is about more than the token's part of the fleet"),
    ("404", "There is no such thing, or it belongs to others"),
    ("409", "It does not fit what the rows say; the detail tells what would"),
    ("413", "The body is larger than 1 MiB"),
    ("415", "The body is of another type than JSON"),
    ("422", "Values that cannot be right, all of them named"),
    ("421", "The Host header names somebody else"),
    ("500", "Something failed inside; the log has the details"),
    ("503", "It took too long; look how far it came before asking again"),
];

/// What asks providers and channels while the client waits.
const ASKING: [&str; 5] = ["/products", "/quote", "/test", "/reconcile", "/fetch"];

/// What may become of that.
const ASKED: [(&str, &str); 2] = [
    ("502", "The other side refused, or its answer is of no use"),
    ("504", "The other side gave no answer in time"),
];

/// What acts at most once for an `Idempotency-Key`.
const KEYED: [&str; 3] = ["/topup", "/approve", "/resolve"];

/// What may as well be said without a body.
const WORDLESS: [&str; 5] = ["/acknowledge", "/approve", "/money/off", "/reconcile", "/simulate"];

/// What names something in its body or query.
const NAMING: [&str; 2] = ["/notices/test", "/simulate"];

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
    for kind in ["DeclaredSubscriber", "DeclaredSubscription", "DeclaredRule"] {
        loosen(&mut document, kind);
    }
    // No products at all are both: none that it sells, and none that the fleet names.
    let sold = document.pointer_mut("/components/schemas/Catalogue").and_then(Value::as_object_mut);
    if let Some(sold) = sold
        && let Some(either) = sold.remove("oneOf")
    {
        sold.insert("anyOf".to_owned(), either);
    }
    for route in routes::all() {
        if let Some(operation) = operation(&mut document, &route) {
            describe(operation, &route);
        }
    }
    document
}

/// Who may, and what else may be answered.
fn describe(operation: &mut Value, route: &Route) {
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
        // What is called so in config is not held to the form of ids.
        let mut schema = json!({ "type": "string" });
        if name == "id" {
            set(&mut schema, &["pattern"], json!("^[A-Za-z0-9][A-Za-z0-9._-]*$"));
            set(&mut schema, &["maxLength"], json!(64));
        }
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    if is_keyed(route) {
        // Visible characters, with blanks in between.
        let schema =
            json!({ "type": "string", "pattern": "^[!-~]([ -~]*[!-~])?$", "maxLength": 255 });
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "schema": schema,
            "description": "The same request with the same key acts once; kept for 24 hours",
        }));
    }
    set(operation, &["parameters"], json!(parameters));
    if WORDLESS.iter().any(|end| route.path.ends_with(end)) {
        set(operation, &["requestBody", "required"], json!(false));
    }
    let body = operation.pointer_mut("/requestBody/content/application~1json/schema/$ref");
    if let Some(Value::String(name)) = body {
        name.push_str(match route.method {
            Method::PUT => "Body",
            Method::PATCH => "Change",
            _ => "",
        });
    }
    for (status, why) in PROBLEMS {
        if may_answer(status, operation, route) {
            set(operation, &["responses", status], problem(status, why));
        }
    }
    headers(operation, route);
    if ASKING.iter().any(|end| route.path.ends_with(end)) && !route.path.ends_with("/notices/test")
    {
        for (status, why) in ASKED {
            set(operation, &["responses", status], problem(status, why));
        }
    }
}

fn is_keyed(route: &Route) -> bool {
    route.method == Method::POST && KEYED.iter().any(|end| route.path.ends_with(end))
}

/// True where an operation may end with this problem.
fn may_answer(status: &str, operation: &Value, route: &Route) -> bool {
    let is_hook = route.path.starts_with(hook::PREFIX);
    let is_health = guard::HEALTH.contains(&route.path);
    let says = operation.get("requestBody").is_some();
    let is_look = [Method::GET, Method::HEAD].contains(&route.method);
    match status {
        "401" => route.needs.is_some() || (is_hook && route.method != Method::HEAD),
        "403" => route.needs.is_some(),
        "404" => route.path.contains('{') || NAMING.iter().any(|end| route.path.ends_with(end)),
        "409" => route.needs.is_some() && (!is_look || route.path.ends_with("/receipt")),
        "413" => says,
        "415" => says && route.needs.is_some(),
        "421" => !is_hook && !is_health,
        "400" | "422" => route.needs.is_some() || is_hook,
        // What is not ready says so in its own words.
        _ => operation.pointer(&format!("/responses/{status}")).is_none(),
    }
}

/// What stands in the heads of answers, and what lists are beside JSON.
fn headers(operation: &mut Value, route: &Route) {
    let text = |why: &str| json!({ "description": why, "schema": { "type": "string" } });
    let always =
        |why: &str| json!({ "description": why, "required": true, "schema": { "type": "string" } });
    let of_body = "/responses/200/content/application~1json/schema/type";
    if route.method == Method::GET && operation.pointer(of_body) == Some(&json!("array")) {
        let tag = always("For `If-None-Match`");
        let known =
            json!({ "description": "As `If-None-Match` has it", "headers": { "ETag": tag } });
        set(operation, &["responses", "304"], known);
        let next = text("Where there are more: what to go on after");
        let link = text("Where there are more: the next page");
        let heads = json!({ "ETag": tag, "X-Next-After": next, "Link": link });
        set(operation, &["responses", "200", "headers"], heads);
        let forms = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
        if forms.into_iter().any(|parameter| parameter["name"] == "format") {
            let table = json!({ "schema": { "type": "string" } });
            set(operation, &["responses", "200", "content", "text/csv"], table);
        }
    }
    if is_keyed(route) {
        let place = always("The top-up");
        let replayed = text("`true` where an earlier request had this answer");
        set(operation, &["responses", "202", "headers"], json!({ "Location": place }));
        for status in ["200", "202"] {
            set(
                operation,
                &["responses", status, "headers", "Idempotent-Replayed"],
                replayed.clone(),
            );
        }
    }
}

fn problem(status: &str, why: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    let content = json!({ "application/problem+json": { "schema": schema } });
    let mut answer = json!({ "description": why, "content": content });
    if ["401", "403"].contains(&status) {
        let head = json!({ "required": true, "schema": { "type": "string" } });
        set(&mut answer, &["headers"], json!({ "WWW-Authenticate": head }));
    }
    answer
}

/// Entries as they are written: the path names them, so that the body need not (`…Body`); and as they
/// are changed: every field may be absent, and null takes one away (`…Change`).
fn loosen(document: &mut Value, kind: &str) {
    let at = format!("/components/schemas/{kind}");
    let Some(whole) = document.pointer(&at).cloned() else { return };
    let mut body = whole.clone();
    if let Some(needed) = body.get_mut("required").and_then(Value::as_array_mut) {
        needed.retain(|name| name != "id");
    }
    let mut change = whole;
    set(&mut change, &["required"], json!([]));
    let fields = change.get_mut("properties").and_then(Value::as_object_mut);
    for field in fields.into_iter().flat_map(|fields| fields.values_mut()) {
        *field = json!({ "oneOf": [{ "type": "null" }, field.take()] });
    }
    for (name, schema) in [("Body", body), ("Change", change)] {
        set(document, &["components", "schemas", &format!("{kind}{name}")], schema);
    }
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
