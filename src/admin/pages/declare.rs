//! Rules and new lines: written in a form, checked like a fleet file, shown with what they would
//! change and what they would have spent, and only then stored.

use super::super::{
    Admin,
    api::fleet::planned,
    guard::Changed,
    problem::{Detail, Problem},
};
use super::{
    Pages,
    form::{Form, Sent},
    sign_in::first_confirm,
    visitor::Visitor,
};
use crate::config::fleet::{Fleet, Plan};
use crate::flow::stored_fleet;
use crate::providers::Declares;
use crate::sim::Foretold;
use axum::{
    Extension,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use minijinja::{context, value::Serde};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A rule to begin with: it tells and does not pay.
const SAMPLE: &str = "id = \"low\"\napplies_to = { all = true }\nmode = \"notify\"\n\
                      any = [{ metric = \"balance\", at_most = \"5.00 USD\" }]\n";

/// A rule in the list.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    text: String,
}

/// A document as people write it.
fn toml_of(document: &Value) -> String {
    toml::to_string(document).unwrap_or_default()
}

/// Every rule, as it was written.
pub(super) async fn rules(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let stored = stored_fleet(admin.engine().store()).await?;
    let rules: Vec<Listed> = stored
        .rules
        .iter()
        .map(|(id, document)| Listed { id: id.clone(), text: toml_of(document) })
        .collect();
    Pages::render(&admin, "rules.html", &visitor, context! { rules => Serde(rules) })
}

/// What the address of the form says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    id: Option<String>,
}

fn edit_path(id: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    format!("/rules/edit?{}", query.append_pair("id", id).finish())
}

/// A rule in a form; a new one where none is named.
pub(super) async fn rule(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let id = asked.id.unwrap_or_default();
    // Asked for now, so that nothing that was typed is lost later.
    if let Some(way) = first_confirm(&admin, &visitor, &edit_path(&id)) {
        return Ok(way);
    }
    let stored = stored_fleet(admin.engine().store()).await?;
    let mut text = SAMPLE.to_owned();
    if let Some(Value::Object(document)) = stored.rules.get(&id) {
        let mut document = document.clone();
        document.insert("id".into(), json!(id));
        text = toml_of(&Value::Object(document));
    }
    let nothing = context! { text, id, faults => (), changes => (), told => (), is_asked => false };
    Pages::render(&admin, "rule.html", &visitor, nothing)
}

/// First what it would change, then, once that was seen, the change.
pub(super) async fn save_rule(
    State(admin): State<Admin>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Problem> {
    let (id, text) = (form.text("id"), form.text("text"));
    let again = |faults: String| {
        let about = context! { text, id, faults, changes => (), told => (), is_asked => false };
        let mut response = Pages::render(&admin, "rule.html", &visitor, about)?;
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        Ok(response)
    };
    let document: Value = match toml::from_str(text) {
        Ok(document) => document,
        Err(error) => return again(error.to_string()),
    };
    let (fleet, plan, told) = match planned(&admin, &json!({ "rules": [document] }), false).await {
        Ok(planned) => planned,
        Err(problem) => return again(refusal(problem)?),
    };
    if form.text("sure") != "yes" {
        let told: Vec<String> = told.iter().map(Foretold::words).collect();
        let changes = plan.to_string();
        let about = context! { text, id, faults => (), changes, told, is_asked => true };
        return Pages::render(&admin, "rule.html", &visitor, about);
    }
    if first_confirm(&admin, &visitor, "/rules").is_some() {
        return again("your password was typed too long ago: open /confirm in another tab".into());
    }
    store(&admin, &fleet, &plan, "/rules").await
}

/// What is wrong with it, in words; errors of ours stay errors.
fn refusal(problem: Problem) -> Result<String, Problem> {
    if !problem.is_refusal() {
        return Err(problem);
    }
    let response = problem.into_response();
    let detail = response.extensions().get::<Detail>();
    Ok(detail.map(|Detail(text)| text.clone()).unwrap_or_default())
}

async fn store(admin: &Admin, fleet: &Fleet, plan: &Plan, next: &str) -> Result<Response, Problem> {
    admin.engine().write_fleet(fleet, plan).await?;
    let mut response = Redirect::to(next).into_response();
    let after = Some(json!(plan).to_string());
    response.extensions_mut().insert(Changed { before: None, after });
    Ok(response)
}

/// A line in a form.
pub(super) async fn line(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    if let Some(way) = first_confirm(&admin, &visitor, "/lines/new") {
        return Ok(way);
    }
    ask_line(&admin, &visitor, &Form::default(), None).await
}

/// The fields of the form that go into the line as they are, where something was written.
const FIELDS: [&str; 6] = ["id", "subscriber", "label", "msisdn", "operator", "reader"];

async fn ask_line(
    admin: &Admin,
    visitor: &Visitor,
    form: &Form,
    faults: Option<&str>,
) -> Result<Response, Problem> {
    let all = admin.engine().store().subscribers().await?;
    let owners: Vec<(String, String)> =
        all.into_iter().map(|owner| (owner.id.to_string(), owner.name)).collect();
    let names = |wanted: fn(&Declares) -> bool| -> Vec<String> {
        let all = admin.engine().providers().iter();
        let wanted = all.filter(|(_, provider)| wanted(provider.declares()));
        wanted.map(|(name, _)| name.clone()).collect()
    };
    let typed: Map<String, Value> =
        FIELDS.iter().map(|key| ((*key).to_owned(), json!(form.text(key)))).collect();
    let about = context! {
        owners => Serde(owners),
        readers => names(|d| d.reads),
        payers => names(|d| d.tops_up),
        typed => Serde(typed),
        payer => form.text("payer"),
        faults,
    };
    let mut response = Pages::render(admin, "line_new.html", visitor, about)?;
    if faults.is_some() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// The line is added; every fault comes back with what was typed.
pub(super) async fn save_line(
    State(admin): State<Admin>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Problem> {
    if let Some(way) = first_confirm(&admin, &visitor, "/lines/new") {
        return Ok(way);
    }
    let mut document = Map::new();
    for key in FIELDS {
        let text = form.text(key).trim();
        if !text.is_empty() {
            document.insert(key.to_owned(), json!(text));
        }
    }
    let payer = form.text("payer");
    if !payer.is_empty() {
        document.insert("payers".to_owned(), json!([payer]));
    }
    let id = form.text("id").trim();
    let is_there = stored_fleet(admin.engine().store()).await?.subscriptions.contains_key(id);
    if is_there {
        let why = format!("id: found {id:?}, which is there already; allowed is a new one");
        return ask_line(&admin, &visitor, &form, Some(&why)).await;
    }
    match planned(&admin, &json!({ "subscriptions": [document] }), false).await {
        Ok((fleet, plan, _)) => store(&admin, &fleet, &plan, &format!("/lines/{id}")).await,
        Err(problem) => ask_line(&admin, &visitor, &form, Some(&refusal(problem)?)).await,
    }
}
