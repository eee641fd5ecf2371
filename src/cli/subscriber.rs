//! `subscriber`: the link to somebody's own page.

use super::args::SubscriberVerb;
use super::context::{CliError, Context, audit, subscriber_id};
use super::out::Out;
use crate::shapes;

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
    let Some(page) = engine.page_link(&id)? else {
        return Err(CliError::Usage(
            "admin.listen: found \"off\"; a page needs an address to listen on".into(),
        ));
    };
    if engine.settings().admin.public_url.is_none() {
        out.note("[admin] public_url is not set: this link opens on this machine alone");
    }
    audit(engine.store(), "subscriber link", id.as_str(), None, now).await?;
    out.result(&shapes::link(&page), || page.link.clone());
    Ok(())
}
