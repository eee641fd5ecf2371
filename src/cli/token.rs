//! `token`: who may use the API.

use super::args::TokenVerb;
use super::context::{CliError, Context};
use super::out::{Out, table};
use crate::clock::Clock;
use crate::store::{Grant, Role, Scope};
use serde_json::{Value as Json, json};

pub(super) async fn token(context: &Context, verb: &TokenVerb, out: &Out) -> Result<(), CliError> {
    let store = context.store().await?;
    let now = Clock::System.now();
    match verb {
        TokenVerb::Create { role, scope, note } => {
            let role = role_of(role)?;
            let scope = scope_of(scope.as_deref())?;
            let grant = Grant { role, scope };
            let (id, text) = store.create_token(&grant, note, now).await?;
            out.note("this text is shown once; keep it safe");
            let scope = grant.scope.text();
            out.result(
                &json!({ "id": id, "role": role.as_str(), "scope": scope, "token": text }),
                || text.clone(),
            );
            Ok(())
        }
        TokenVerb::List => {
            let tokens = store.tokens().await?;
            let documents = tokens
                .iter()
                .map(|t| json!({ "id": t.id, "role": t.grant.role.as_str(), "scope": t.grant.scope.text(), "note": t.note, "created_at": t.created_at.rfc3339(), "revoked_at": t.revoked_at.map(crate::domain::Timestamp::rfc3339) }))
                .collect();
            out.result(&Json::Array(documents), || {
                let rows: Vec<Vec<String>> = tokens
                    .iter()
                    .map(|t| {
                        vec![
                            t.id.clone(),
                            t.grant.role.as_str().into(),
                            t.grant.scope.text(),
                            t.created_at.to_string(),
                            t.revoked_at.map_or_else(|| "-".into(), |at| at.to_string()),
                            t.note.clone(),
                        ]
                    })
                    .collect();
                table(&["TOKEN", "ROLE", "SCOPE", "CREATED", "REVOKED", "NOTE"], &rows)
            });
            Ok(())
        }
        TokenVerb::Revoke { id } => {
            if !store.revoke_token(id, now).await? {
                return Err(anyhow::anyhow!("there is no token {id} to revoke").into());
            }
            out.result(&json!({ "id": id, "revoked": true }), || format!("{id} is revoked"));
            Ok(())
        }
    }
}

/// `--scope` as written; nothing is the whole fleet.
pub(super) fn scope_of(text: Option<&str>) -> Result<Scope, CliError> {
    let text = text.unwrap_or_default();
    Scope::parse(text)
        .ok_or_else(|| CliError::Usage(format!("--scope: found {text:?}; {}", Scope::ALLOWED)))
}

/// `--role` as written.
pub(super) fn role_of(word: &str) -> Result<Role, CliError> {
    Role::parse(word).ok_or_else(|| {
        CliError::Usage(format!("--role: found {word:?}; allowed: viewer, operator, admin"))
    })
}
