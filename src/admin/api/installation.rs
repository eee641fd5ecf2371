//! The installation: what people did, how providers do, who holds tokens.

use super::{
    asks,
    fields::{Body, Params, needed},
    paging::{Asked, Cut, Form, after, answer, page, place},
};
use crate::admin::{Admin, problem::Problem};
use crate::shapes::{self, At};
use crate::store::{AuditRow, Grant, Role, Scope, StoreError, Token};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// What somebody did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Act {
    /// Its number.
    seq: i64,
    /// When.
    at: At,
    /// Who.
    actor: String,
    /// What.
    act: String,
    /// With what; empty for the installation.
    target: String,
    /// How it ended, as an HTTP status.
    status: i64,
    /// How it was, as JSON, where something changed.
    before: Option<String>,
    /// How it is since.
    after: Option<String>,
}

fn act(row: &AuditRow) -> Act {
    Act {
        seq: row.seq,
        at: At(row.at),
        actor: row.what.actor.clone(),
        act: row.what.act.clone(),
        target: row.what.target.clone(),
        status: row.what.status,
        before: row.what.before.clone(),
        after: row.what.after.clone(),
    }
}

/// What people and tokens did, newest first.
#[utoipa::path(get, path = "/api/v1/audit", params(asks::AuditQuery), responses((status = 200, description = "A page", body = [Act])))]
pub(super) async fn audit(
    State(admin): State<Admin>,
    asked: Asked,
    params: Params,
) -> Result<Response, Problem> {
    let (target, actor, before, cut) = params.read(|section| {
        let before = after(section, |words| words.first()?.parse::<i64>().ok());
        Some((section.text("target"), section.text("actor"), before, Cut::read(section)))
    })?;
    let about = (target.as_deref(), actor.as_deref());
    let found = admin.engine().store().audit_page(about, before, cut.most()).await?;
    page(&asked, cut, found, |row| place(&[&row.seq.to_string()]), &Form::json(act))
}

/// How a provider does.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProviderState {
    /// Its name.
    name: String,
    /// It reads lines.
    reads: bool,
    /// It tops up.
    pays: bool,
    /// Lines that it reads.
    lines: i64,
    /// Those of them whose last two polls failed.
    failing: i64,
    /// Why nothing is paid through it.
    out: Option<String>,
    /// Why its failures are told as one.
    down: Option<String>,
    /// Our float there, when the books were compared last.
    float: Option<shapes::Money>,
}

/// The providers, and how they do.
#[utoipa::path(get, path = "/api/v1/providers", responses((status = 200, description = "The providers", body = [ProviderState])))]
pub(super) async fn providers(
    State(admin): State<Admin>,
    params: Params,
) -> Result<Response, Problem> {
    params.read(|_| Some(()))?;
    let engine = admin.engine();
    let switch = engine.money_switch(engine.now()).await?;
    let figures = engine.reader_figures().await?;
    let why = |list: &[(String, String)], name: &str| {
        list.iter().find(|(other, _)| other == name).map(|(_, why)| why.clone())
    };
    let mut states = Vec::new();
    for (name, provider) in engine.providers() {
        let declares = provider.declares();
        let lines = figures.iter().find(|(reader, _, _)| reader == name);
        let wallet = engine.store().reconciled(name).await?.and_then(|(_, wallet)| wallet);
        states.push(ProviderState {
            name: name.clone(),
            reads: declares.reads,
            pays: declares.tops_up,
            lines: lines.map_or(0, |(_, _, lines)| *lines),
            failing: lines.map_or(0, |(_, failing, _)| *failing),
            out: why(&switch.payers_out, name),
            down: why(&switch.readers_out, name),
            float: wallet.map(|wallet| shapes::amount(wallet.balance)),
        });
    }
    answer(&states)
}

/// Who is alive over this database, and what it holds; who was heard of last comes first.
#[utoipa::path(get, path = "/api/v1/instances", responses((status = 200, description = "The instances", body = [shapes::Instance])))]
pub(super) async fn instances(
    State(admin): State<Admin>,
    params: Params,
) -> Result<Response, Problem> {
    params.read(|_| Some(()))?;
    let engine = admin.engine();
    let (found, now) = (engine.store().instances().await?, engine.now());
    answer(&found.iter().map(|one| shapes::instance(one, now)).collect::<Vec<_>>())
}

/// A token; its text is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenState {
    /// Its id.
    id: String,
    /// What it may do.
    #[schema(value_type = shapes::words::Role)]
    role: &'static str,
    /// With what: nothing (everything), `subscriber:ID` or `tag:WORD`.
    scope: String,
    /// What it is for.
    note: String,
    /// When it was made.
    created_at: At,
    /// When it was revoked.
    revoked_at: Option<At>,
}

fn token(token: &Token) -> TokenState {
    TokenState {
        id: token.id.clone(),
        role: token.grant.role.as_str(),
        scope: token.grant.scope.text(),
        note: token.note.clone(),
        created_at: At(token.created_at),
        revoked_at: token.revoked_at.map(At),
    }
}

/// All tokens, revoked ones too.
#[utoipa::path(get, path = "/api/v1/tokens", responses((status = 200, description = "The tokens", body = [TokenState])))]
pub(super) async fn tokens(
    State(admin): State<Admin>,
    params: Params,
) -> Result<Response, Problem> {
    params.read(|_| Some(()))?;
    let found = admin.engine().store().tokens().await?;
    answer(&found.iter().map(token).collect::<Vec<_>>())
}

/// A token just made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewToken {
    /// Its id.
    id: String,
    /// Its text, which is never seen again.
    token: String,
}

/// Makes a token; its text is shown this once.
#[utoipa::path(post, path = "/api/v1/tokens", request_body = asks::TokenAsked, responses((status = 201, description = "It is made", body = NewToken)))]
pub(super) async fn create_token(
    State(admin): State<Admin>,
    body: Body,
) -> Result<Response, Problem> {
    let (grant, note) = body.read(|section| {
        let role = section.word("role", &Role::WORDS);
        let role = needed(section, "role", "allowed: viewer, operator, admin", role);
        let scope = section.parsed("scope", Scope::ALLOWED, Scope::parse).unwrap_or_default();
        let note = section.string("note").unwrap_or_default();
        Some((Grant { role: role?, scope }, note))
    })?;
    let engine = admin.engine();
    let (id, token) = engine.store().create_token(&grant, &note, engine.now()).await?;
    Ok((StatusCode::CREATED, Json(NewToken { id, token })).into_response())
}

/// Revokes a token for good.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", responses((status = 204, description = "It is revoked")))]
pub(super) async fn revoke_token(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let engine = admin.engine();
    if engine.store().revoke_token(&id, engine.now()).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(StoreError::NotFound(format!("token {id} to revoke")).into())
}
