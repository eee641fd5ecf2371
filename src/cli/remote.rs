//! `provider` and `channel`: what is configured, and whether it answers.

use super::args::{ChannelVerb, ProviderVerb};
use super::catalogue;
use super::context::{CliError, Context};
use super::out::{Out, table};
use crate::providers::{Declares, Lookup, RefUnique};
use crate::shapes;
use serde_json::{Value as Json, json};

pub(super) async fn provider(
    context: &Context,
    verb: &ProviderVerb,
    out: &Out,
) -> Result<(), CliError> {
    match verb {
        ProviderVerb::List => {
            let settings = context.settings()?;
            let all: Vec<(String, &'static str, Declares)> = settings
                .providers
                .iter()
                .map(|(name, config)| (name.clone(), config.kind(), config.declares()))
                .collect();
            let documents = all.iter().map(|(name, kind, d)| declared(name, kind, d)).collect();
            out.result(&Json::Array(documents), || {
                let rows: Vec<Vec<String>> =
                    all.iter().map(|(name, kind, d)| row(name, kind, d)).collect();
                table(
                    &[
                        "PROVIDER",
                        "KIND",
                        "READS",
                        "TOPS UP",
                        "LOOK-UP",
                        "REFERENCES",
                        "MAX PROCESSING",
                        "BALANCE LAG",
                    ],
                    &rows,
                )
            });
            Ok(())
        }
        ProviderVerb::Test { name } => {
            let settings = context.settings()?;
            let config = known(&settings.providers, "provider", name)?;
            let provider =
                config.build(name).await.map_err(|fault| CliError::Faults(vec![fault]))?;
            match provider.test().await {
                Ok(report) => {
                    let (provider, detail) = (name.clone(), report.detail);
                    let document = shapes::ProviderTest { provider, ok: true, detail };
                    out.result(&document, || format!("{name}: ok, {}", document.detail));
                    Ok(())
                }
                Err(error) => Err(anyhow::anyhow!("{name}: {error}").into()),
            }
        }
        ProviderVerb::Products { name, id, refresh } => {
            catalogue::products(context, name, id.as_deref(), *refresh, out).await
        }
        ProviderVerb::Quote { name, id, amount } => {
            catalogue::quote(context, name, id, amount, out).await
        }
    }
}

pub(super) async fn channel(
    context: &Context,
    verb: &ChannelVerb,
    out: &Out,
) -> Result<(), CliError> {
    let settings = context.settings()?;
    match verb {
        ChannelVerb::List => {
            let all: Vec<(&String, &'static str)> =
                settings.channels.iter().map(|(name, config)| (name, config.kind())).collect();
            let channel = |(name, kind): &(&String, &'static str)| shapes::Channel {
                name: (*name).clone(),
                kind,
            };
            out.result(&all.iter().map(channel).collect::<Vec<_>>(), || {
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|(name, kind)| vec![(*name).clone(), (*kind).to_owned()])
                    .collect();
                table(&["CHANNEL", "KIND"], &rows)
            });
            Ok(())
        }
        ChannelVerb::Test { name } => {
            let config = known(&settings.channels, "channel", name)?;
            let channel = config.build(name).map_err(|fault| CliError::Faults(vec![fault]))?;
            match channel.test().await {
                Ok(detail) => {
                    let document = shapes::ChannelTest { channel: name.clone(), ok: true, detail };
                    out.result(&document, || format!("{name}: ok, {}", document.detail));
                    Ok(())
                }
                Err(why) => Err(anyhow::anyhow!("{name}: {why}").into()),
            }
        }
    }
}

pub(super) fn known<'a, T>(
    all: &'a std::collections::BTreeMap<String, T>,
    what: &str,
    name: &str,
) -> Result<&'a T, CliError> {
    all.get(name).ok_or_else(|| {
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        CliError::Usage(format!(
            "{what}: found {name:?}; allowed: {}",
            if names.is_empty() { "(none configured)".into() } else { names.join(", ") }
        ))
    })
}

fn word<T: PartialEq + Copy>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, v)| *v == value).map_or("", |(word, _)| word)
}

fn declared(name: &str, kind: &str, d: &Declares) -> Json {
    json!({
        "name": name, "kind": kind, "reads": d.reads, "tops_up": d.tops_up, "assisted": d.assisted,
        "lookup": word(&Lookup::WORDS, d.lookup), "ref_unique": word(&RefUnique::WORDS, d.ref_unique),
        "max_processing_ms": d.max_processing.ms(), "balance_lag_ms": d.balance_lag.ms(), "timeout_ms": d.timeout.ms(),
        "concurrency": d.concurrency, "class": d.class().as_str(), "lists": d.lists, "wallet": d.wallet,
        "sells": d.sells, "quotes": d.quotes, "knows_operators": d.knows_operators,
    })
}

fn row(name: &str, kind: &str, d: &Declares) -> Vec<String> {
    let yes = |b: bool| if b { "yes" } else { "no" }.to_owned();
    vec![
        name.to_owned(),
        kind.to_owned(),
        yes(d.reads),
        if d.assisted { "by hand".into() } else { yes(d.tops_up) },
        word(&Lookup::WORDS, d.lookup).to_owned(),
        word(&RefUnique::WORDS, d.ref_unique).to_owned(),
        d.max_processing.to_string(),
        d.balance_lag.to_string(),
    ]
}
