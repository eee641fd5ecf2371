//! `user`: who may sign in to the pages.

use super::args::UserVerb;
use super::context::{CliError, Context, audit};
use super::out::{Out, table};
use super::token::{role_of, scope_of};
use crate::admin::password;
use crate::clock::Clock;
use crate::shapes;
use crate::store::{Grant, Store};
use secrecy::SecretString;
use serde_json::json;
use std::io::IsTerminal as _;

pub(super) async fn user(context: &Context, verb: &UserVerb, out: &Out) -> Result<(), CliError> {
    let store = context.store().await?;
    let now = Clock::System.now();
    match verb {
        UserVerb::Create { name, role, scope } => {
            let grant = Grant { role: role_of(role)?, scope: scope_of(scope.as_deref())? };
            let is_name =
                !name.is_empty() && name.len() <= 64 && !name.chars().any(char::is_control);
            if !is_name || name.trim() != name {
                return Err(CliError::Usage(format!(
                    "NAME: found {name:?}; allowed are up to 64 bytes without a space at either end"
                )));
            }
            let hash = asked_for(out).await?;
            store.save_user(name, &grant, &hash, now).await?;
            let (role, scope) = (grant.role.as_str(), grant.scope.text());
            let after = json!({ "role": role, "scope": scope });
            audit(&store, "user create", name, Some(after), now).await?;
            out.result(&json!({ "name": name, "role": role, "scope": scope }), || {
                format!("{name} may sign in as {role}")
            });
        }
        UserVerb::Password { name } => {
            if store.password_of(name).await?.is_none() {
                return Err(anyhow::anyhow!("nobody of the name {name} may sign in").into());
            }
            let hash = asked_for(out).await?;
            store.set_password(name, &hash, "").await?;
            audit(&store, "user password", name, None, now).await?;
            out.result(&json!({ "name": name }), || format!("{name} has another password"));
        }
        UserVerb::Disable { name } => {
            if !store.disable_user(name, now).await? {
                return Err(anyhow::anyhow!("there is no {name} to disable").into());
            }
            audit(&store, "user disable", name, None, now).await?;
            let text = || format!("{name} may not sign in any more");
            out.result(&json!({ "name": name, "disabled": true }), text);
        }
        UserVerb::List => list(&store, out).await?,
    }
    Ok(())
}

async fn list(store: &Store, out: &Out) -> Result<(), CliError> {
    let users = store.users().await?;
    out.result(&users.iter().map(shapes::user).collect::<Vec<_>>(), || {
        let rows: Vec<Vec<String>> = users
            .iter()
            .map(|u| {
                vec![
                    u.name.clone(),
                    u.grant.role.as_str().into(),
                    u.grant.scope.text(),
                    u.created_at.to_string(),
                    u.disabled_at.map_or_else(|| "-".into(), |at| at.to_string()),
                ]
            })
            .collect();
        table(&["NAME", "ROLE", "SCOPE", "CREATED", "DISABLED"], &rows)
    });
    Ok(())
}

/// The hash of a password that somebody types twice, or that stands on standard input.
async fn asked_for(out: &Out) -> Result<String, CliError> {
    let typed: SecretString = if std::io::stdin().is_terminal() {
        out.note("the password is not shown while you type");
        let first = rpassword::prompt_password("password: ").map_err(anyhow::Error::from)?;
        let again = rpassword::prompt_password("once more: ").map_err(anyhow::Error::from)?;
        if first != again {
            return Err(CliError::Usage("the two passwords differ".into()));
        }
        first.into()
    } else {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(anyhow::Error::from)?;
        line.trim_end_matches(['\r', '\n']).to_owned().into()
    };
    if let Some(fault) = password::fault(&typed) {
        return Err(CliError::Usage(format!("password: found {fault}")));
    }
    password::hash(typed)
        .await
        .map_err(|why| anyhow::anyhow!("the password cannot be hashed: {why}").into())
}
