//! A new line by form: written field by field, checked like a fleet file, every fault told at once.

use super::super::{Admin, api::fleet::planned, problem::Problem};
use super::{
    Pages,
    form::{Form, Sent},
    sheet::{refusal, store},
    sign_in::first_confirm,
    visitor::Visitor,
};
use crate::flow::stored_fleet;
use crate::providers::Declares;
use axum::{Extension, extract::State, http::StatusCode, response::Response};
use minijinja::{context, value::Serde};
use serde_json::{Map, Value, json};

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
