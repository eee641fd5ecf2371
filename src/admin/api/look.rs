//! What can be looked at: everything the command line shows, in the same shapes.

use super::fields::{Params, limit};
use crate::admin::{Admin, problem::Problem};
use crate::domain::{Span, SubscriptionId, Timestamp};
use crate::input::End;
use crate::input::Section;
use crate::shapes;
use crate::store::StoreError;
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// What a look gives.
type Look = Result<Json<Value>, Problem>;

fn list<T>(items: &[T], shape: impl Fn(&T) -> Value) -> Json<Value> {
    Json(Value::Array(items.iter().map(shape).collect()))
}

/// The id in a path; a text that cannot be an id is the id of nothing.
pub(super) fn subscription_id(text: &str) -> Result<SubscriptionId, Problem> {
    SubscriptionId::parse(text)
        .map_err(|_| StoreError::NotFound(format!("subscription {text}")).into())
}

/// The description of this API; it tells nothing about anybody.
pub(super) async fn openapi() -> Response {
    let document = include_str!("openapi.json");
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

pub(super) async fn subscribers(State(admin): State<Admin>, params: Params) -> Look {
    params.read(|_| Some(()))?;
    Ok(list(&admin.engine().store().subscribers().await?, shapes::subscriber))
}

/// One page of lines; where there are more, `Link` and `X-Next-After` tell how to go on.
pub(super) async fn subscriptions(
    State(admin): State<Admin>,
    params: Params,
) -> Result<Response, Problem> {
    let (subscriber, after, most) = params.read(|section| {
        let after = section.text("after").unwrap_or_default();
        Some((section.text("subscriber"), after, limit(section, 100)))
    })?;
    let store = admin.engine().store();
    let mut views = store.views(subscriber.as_deref(), &after, most.saturating_add(1)).await?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let is_more = views.len() > most;
    views.truncate(most);
    let mut response = list(&views, shapes::subscription).into_response();
    if let Some(last) = views.last().filter(|_| is_more) {
        let after = last.subscription.id.as_str();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &most.to_string()).append_pair("after", after);
        if let Some(subscriber) = &subscriber {
            query.append_pair("subscriber", subscriber);
        }
        let link = format!("</api/v1/subscriptions?{}>; rel=\"next\"", query.finish());
        let named = [(header::LINK, link), (HeaderName::from_static("x-next-after"), after.into())];
        for (name, text) in named {
            // Ids and encoded queries are plain ASCII.
            if let Ok(value) = HeaderValue::from_str(&text) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    Ok(response)
}

/// One line, also a closed one.
pub(super) async fn subscription(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    params: Params,
) -> Look {
    params.read(|_| Some(()))?;
    subscription_json(&admin, &subscription_id(&id)?).await
}

/// One line as the API shows it.
pub(super) async fn subscription_json(admin: &Admin, id: &SubscriptionId) -> Look {
    let views = admin.engine().store().views_of(&[id.to_string()]).await?;
    let view = views.first().ok_or_else(|| StoreError::NotFound(format!("subscription {id}")))?;
    Ok(Json(shapes::subscription(view)))
}

pub(super) async fn explain(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    params: Params,
) -> Look {
    params.read(|_| Some(()))?;
    let (snapshot, decision) = admin.engine().explain(&subscription_id(&id)?).await?;
    Ok(Json(shapes::explain(&snapshot, &decision, admin.engine().now())))
}

/// When it runs out, worked out now.
pub(super) async fn forecast(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    params: Params,
) -> Look {
    params.read(|_| Some(()))?;
    let (engine, id) = (admin.engine(), subscription_id(&id)?);
    let good = engine.store().snapshot(&id).await?.snapshot.reading;
    let (forecast, external) = engine.forecast(&id, None, engine.now()).await?;
    Ok(Json(shapes::forecast(&shapes::LineForecast { id, good, forecast, external })))
}

/// Newest first.
pub(super) async fn readings(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    params: Params,
) -> Look {
    let most = params.read(|section| Some(limit(section, 100)))?;
    let id = subscription_id(&id)?;
    admin.engine().store().subscription(&id).await?;
    Ok(list(&admin.engine().store().readings(&id, most).await?, shapes::reading))
}

/// The documents as they were applied.
pub(super) async fn rules(State(admin): State<Admin>, params: Params) -> Look {
    params.read(|_| Some(()))?;
    let mut rules = Vec::new();
    for (id, document) in admin.engine().store().rule_documents().await? {
        let bad = |_| StoreError::BadRow { table: "rules", column: "document", found: id.clone() };
        let mut rule: Value = serde_json::from_str(&document).map_err(bad)?;
        if let Some(fields) = rule.as_object_mut() {
            fields.insert("id".into(), json!(id));
        }
        rules.push(rule);
    }
    Ok(Json(Value::Array(rules)))
}

/// Newest first.
pub(super) async fn topups(State(admin): State<Admin>, params: Params) -> Look {
    let now = admin.engine().now();
    let (subscription, (from, to), most) = params.read(|section| {
        let span = span(section, Timestamp::from_ms(0), now);
        Some((section.text("subscription"), span, limit(section, 100)))
    })?;
    let found = admin.engine().store().topups(subscription.as_deref(), from, to, most).await?;
    Ok(list(&found, shapes::topup))
}

/// With its whole history.
pub(super) async fn topup(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    params: Params,
) -> Look {
    params.read(|_| Some(()))?;
    let store = admin.engine().store();
    let topup = store.topup(&id).await?;
    let events = store.topup_events(&topup.id).await?;
    Ok(Json(shapes::topup_with_events(&topup, &events)))
}

/// Newest first.
pub(super) async fn notices(State(admin): State<Admin>, params: Params) -> Look {
    let (subscriber, most) =
        params.read(|section| Some((section.text("subscriber"), limit(section, 100))))?;
    let found = admin.engine().store().notices(subscriber.as_deref(), most).await?;
    Ok(list(&found, shapes::notice))
}

/// Money movements, oldest first; of the last 30 days where nothing is said.
pub(super) async fn ledger(State(admin): State<Admin>, params: Params) -> Look {
    let now = admin.engine().now();
    let (from, to) = params.read(|section| Some(span(section, now.minus(Span::days(30)), now)))?;
    Ok(list(&admin.engine().store().ledger(from, to).await?, shapes::ledger_entry))
}

pub(super) async fn money(State(admin): State<Admin>, params: Params) -> Look {
    params.read(|_| Some(()))?;
    let now = admin.engine().now();
    Ok(Json(shapes::money_switch(&admin.engine().money_switch(now).await?)))
}

/// `from` (included) and `to` (not included); a date is the start of that day in UTC.
fn span(section: &mut Section<'_>, usual: Timestamp, now: Timestamp) -> (Timestamp, Timestamp) {
    let allowed = "allowed is a date such as \"2026-12-01\" or an instant in RFC 3339";
    let mut end =
        |key| section.parsed(key, allowed, |text| End::parse(text)?.instant(chrono_tz::UTC));
    (end("from").unwrap_or(usual), end("to").unwrap_or(now.plus(Span::from_ms(1))))
}
