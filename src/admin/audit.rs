//! Who did what, to what, and how that was before and is since.

use super::{Admin, guard::Caller, problem::Problem};
use crate::domain::SubscriptionId;
use crate::shapes;
use crate::store::{Audited, Scope, StoreError, TopupsAsked};
use axum::{extract::Request, http::Method, middleware::Next, response::Response};
use serde_json::{Value, json};

/// How something was before an act and is now, as JSON: an act that knows more than the rows of its
/// target puts it on its answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Changed {
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

/// An act, as its request names it.
#[derive(Debug)]
struct Act {
    name: String,
    /// What kind of thing it is about, as paths call it.
    about: String,
    /// Which one; empty for the installation.
    target: String,
}

/// Answers, and writes down what somebody did; looks are not written down.
pub(super) async fn audited(
    admin: &Admin,
    caller: &Caller,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return Ok(next.run(request).await);
    }
    let act = Act::of(request.method(), request.uri().path());
    let before = state(admin, &act).await?;
    let response = next.run(request).await;
    let status = response.status();
    tracing::info!(
        actor = caller.actor,
        act = act.name,
        target = act.target,
        status = status.as_u16(),
        "somebody acted"
    );
    let is_done = status.is_success() || status.is_redirection();
    let changed = match response.extensions().get::<Changed>() {
        Some(changed) => changed.clone(),
        // What was refused changed nothing.
        None if !is_done => Changed::default(),
        None => {
            let after = state(admin, &act).await?;
            let text = |state: Option<Value>| state.map(|state| state.to_string());
            Changed { before: text(before), after: text(after) }
        }
    };
    let what = Audited {
        actor: caller.actor.clone(),
        act: act.name,
        target: act.target,
        status: i64::from(status.as_u16()),
        before: changed.before,
        after: changed.after,
    };
    admin.engine().store().audit(&what, admin.engine().now()).await?;
    Ok(response)
}

impl Act {
    /// The act and its target in paths such as `/api/v1/topups/{id}/approve`, `/lines/{id}/pause`
    /// and `/api/v1/money/off`.
    fn of(method: &Method, path: &str) -> Self {
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (name, target) = match parts.as_slice() {
            [about, target] if *method != Method::POST => {
                (format!("{} {about}", method.as_str().to_lowercase()), *target)
            }
            [_, target, act] => ((*act).to_owned(), *target),
            [about, act] => (format!("{about} {act}"), ""),
            _ => (parts.join(" "), ""),
        };
        let about = parts.first().copied().unwrap_or_default().to_owned();
        Self { name, about, target: target.to_owned() }
    }
}

/// What an act may change of its target; nothing where there is none.
async fn state(admin: &Admin, act: &Act) -> Result<Option<Value>, StoreError> {
    let (engine, store) = (admin.engine(), admin.engine().store());
    let target = act.target.as_str();
    let found = match act.about.as_str() {
        "topups" => store
            .topup(target)
            .await
            .map(|topup| json!({ "state": topup.state.as_str(), "reason": topup.reason })),
        "notices" => store.notice(target).await.map(|notice| {
            let seen = notice.acknowledged_at.map(crate::domain::Timestamp::rfc3339);
            json!({ "state": notice.state, "acknowledged_at": seen })
        }),
        "subscriptions" | "lines" => line(admin, target).await,
        "money" => {
            let switch = engine.money_switch(engine.now()).await.ok();
            return Ok(switch.map(|switch| json!(shapes::money_switch(&switch))));
        }
        _ => return Ok(None),
    };
    match found {
        Ok(state) => Ok(Some(state)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Its status and its newest top-up.
async fn line(admin: &Admin, id: &str) -> Result<Value, StoreError> {
    let store = admin.engine().store();
    let missing = |_| StoreError::NotFound(format!("subscription {id}"));
    let line = store.subscription(&SubscriptionId::parse(id).map_err(missing)?).await?;
    let asked = TopupsAsked { subscription: Some(id.to_owned()), ..TopupsAsked::default() };
    let newest = store.topups_page(&Scope::All, &asked, None, 1).await?;
    let topup = newest.first().map(|topup| {
        json!({ "id": topup.id.as_str(), "amount": topup.amount.to_string(), "state": topup.state.as_str() })
    });
    Ok(json!({ "status": line.status.as_str(), "newest_topup": topup }))
}
