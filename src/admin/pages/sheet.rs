//! Rules and lines as they are written in a fleet file: changed as text, checked like a file, shown
//! with what the change would do and would have spent, and only then stored.

use super::super::{
    Admin,
    api::fleet::{changed, planned},
    problem::{Detail, Problem},
};
use super::{
    Pages,
    form::{Form, Sent},
    sign_in::first_confirm,
    visitor::Visitor,
};
use crate::config::fleet::{Fleet, Plan, StoredFleet};
use crate::flow::stored_fleet;
use crate::sim::Foretold;
use crate::store::StoreError;
use axum::{
    Extension,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use minijinja::{
    Value as About, context,
    value::{Serde, merge_maps},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A rule to begin with: it tells and does not pay.
const SAMPLE: &str = "id = \"low\"\napplies_to = { all = true }\nmode = \"notify\"\n\
                      any = [{ metric = \"balance\", at_most = \"5.00 USD\" }]\n";

/// What is edited as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sheet {
    Rule,
    Line,
}

impl Sheet {
    /// The word in fleet files.
    const fn list(self) -> &'static str {
        match self {
            Self::Rule => "rules",
            Self::Line => "subscriptions",
        }
    }

    /// The form's address.
    const fn path(self) -> &'static str {
        match self {
            Self::Rule => "/rules/edit",
            Self::Line => "/lines/edit",
        }
    }

    /// The page behind it.
    fn back(self, id: &str) -> String {
        match self {
            Self::Rule => "/rules".to_owned(),
            Self::Line => format!("/lines/{id}"),
        }
    }

    /// The form's address for one of them.
    fn of(self, id: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        format!("{}?{}", self.path(), query.append_pair("id", id).finish())
    }

    /// The one that is stored, as text.
    fn stored(self, stored: &StoredFleet, id: &str) -> Option<String> {
        let all = match self {
            Self::Rule => &stored.rules,
            Self::Line => &stored.subscriptions,
        };
        let mut document = all.get(id)?.as_object()?.clone();
        document.insert("id".into(), json!(id));
        Some(toml_of(&Value::Object(document)))
    }
}

/// A document as people write it.
fn toml_of(document: &Value) -> String {
    toml::to_string(document).unwrap_or_default()
}

/// A rule in the list.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    text: String,
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

/// A rule in a form; a new one where none is named.
pub(super) async fn rule(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    form(&admin, &visitor, Sheet::Rule, &asked.id.unwrap_or_default()).await
}

/// A line in a form.
pub(super) async fn line(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    form(&admin, &visitor, Sheet::Line, &asked.id.unwrap_or_default()).await
}

async fn form(
    admin: &Admin,
    visitor: &Visitor,
    sheet: Sheet,
    id: &str,
) -> Result<Response, Problem> {
    // Asked for now, so that nothing that was typed is lost later.
    if let Some(way) = first_confirm(admin, visitor, &sheet.of(id)) {
        return Ok(way);
    }
    let stored = stored_fleet(admin.engine().store()).await?;
    let text = match (sheet.stored(&stored, id), sheet) {
        (Some(text), _) => text,
        (None, Sheet::Rule) => SAMPLE.to_owned(),
        (None, Sheet::Line) => {
            return Err(StoreError::NotFound(format!("subscription {id}")).into());
        }
    };
    show(admin, visitor, sheet, (id, &text), context! { faults => () })
}

fn show(
    admin: &Admin,
    visitor: &Visitor,
    sheet: Sheet,
    (id, text): (&str, &str),
    more: About,
) -> Result<Response, Problem> {
    let (path, back) = (sheet.path(), sheet.back(id));
    let nothing = context! { faults => (), changes => (), told => (), is_asked => false };
    let about = context! { path, back, text, id, ..merge_maps([nothing, more]) };
    Pages::render(admin, "sheet.html", visitor, about)
}

/// First what it would change, then, once that was seen, the change.
pub(super) async fn save_rule(State(admin): State<Admin>, sent: Sent) -> Result<Response, Problem> {
    save(&admin, Sheet::Rule, &sent).await
}

/// The same for a line that is there.
pub(super) async fn save_line(State(admin): State<Admin>, sent: Sent) -> Result<Response, Problem> {
    save(&admin, Sheet::Line, &sent).await
}

async fn save(
    admin: &Admin,
    sheet: Sheet,
    Sent { visitor, form }: &Sent,
) -> Result<Response, Problem> {
    let (id, text) = (form.text("id"), form.text("text"));
    let again = |faults: String| {
        let mut response = show(admin, visitor, sheet, (id, text), context! { faults })?;
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        Ok(response)
    };
    let document = match document(sheet, form) {
        Ok(document) => document,
        Err(faults) => return again(faults),
    };
    let fleet = json!({ (sheet.list()): [document] });
    let (fleet, plan, told) = match planned(admin, &fleet, false).await {
        Ok(planned) => planned,
        Err(problem) => return again(refusal(problem)?),
    };
    if form.text("sure") != "yes" {
        let told: Vec<String> = told.iter().map(Foretold::words).collect();
        let about = context! { changes => plan.to_string(), told, is_asked => true };
        return show(admin, visitor, sheet, (id, text), about);
    }
    if first_confirm(admin, visitor, &sheet.back(id)).is_some() {
        return again("your password was typed too long ago: open /confirm in another tab".into());
    }
    store(admin, &fleet, &plan, &sheet.back(id)).await
}

/// What was typed; under another id than that of the page it would be another rule or line.
fn document(sheet: Sheet, form: &Form) -> Result<Map<String, Value>, String> {
    let document: Map<String, Value> =
        toml::from_str(form.text("text")).map_err(|error| error.to_string())?;
    let (id, typed) = (form.text("id"), document.get("id").and_then(Value::as_str));
    let is_new = sheet == Sheet::Rule && id.is_empty();
    if is_new || typed == Some(id) {
        return Ok(document);
    }
    Err(format!("id: found {:?}; allowed is {id:?}", typed.unwrap_or_default()))
}

/// What is wrong with it, in words; errors of ours stay errors.
pub(super) fn refusal(problem: Problem) -> Result<String, Problem> {
    if !problem.is_refusal() {
        return Err(problem);
    }
    let response = problem.into_response();
    let detail = response.extensions().get::<Detail>();
    Ok(detail.map(|Detail(text)| text.clone()).unwrap_or_default())
}

/// Stores what was planned and goes to `next`.
pub(super) async fn store(
    admin: &Admin,
    fleet: &Fleet,
    plan: &Plan,
    next: &str,
) -> Result<Response, Problem> {
    let before = stored_fleet(admin.engine().store()).await?;
    admin.engine().write_fleet(fleet, plan).await?;
    let after = stored_fleet(admin.engine().store()).await?;
    let mut response = Redirect::to(next).into_response();
    response.extensions_mut().insert(changed(plan, &before, &after));
    Ok(response)
}
