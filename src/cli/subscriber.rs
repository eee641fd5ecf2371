//! `subscriber`: the link to somebody's own page.

use super::args::SubscriberVerb;
use super::context::{CliError, Context, audit, subscriber_id};
use super::out::Out;
use serde_json::json;

pub(super) async fn subscriber(
    context: &Context,
    verb: &SubscriberVerb,
    out: &Out,
) -> Result<(), CliError> {
    let SubscriberVerb::Link { id } = verb;
    let app = context.app().await?;
    let engine = app.engine();
    let (now, id) = (engine.now(), subscriber_id(id)?);
    if !engine.store().is_subscriber(&id).await? {
        return Err(anyhow::anyhow!("there is no subscriber {id}").into());
    }
    let admin = &engine.settings().admin;
    let loopback = || admin.listen.map(|listen| format!("http://{listen}"));
    let Some(base) = admin.public_url.clone().or_else(loopback) else {
        return Err(CliError::Usage(
            "admin.listen: found \"off\"; a page needs an address to listen on".into(),
        ));
    };
    if admin.public_url.is_none() {
        out.note("[admin] public_url is not set: this link opens on this machine alone");
    }
    let (path, lapses) = engine.page_of(&id, now)?;
    audit(engine.store(), "subscriber link", id.as_str(), None, now).await?;
    let link = format!("{base}{path}");
    let document =
        json!({ "subscriber": id.as_str(), "link": link, "lapses_at": lapses.rfc3339() });
    out.result(&document, || link.clone());
    Ok(())
}
