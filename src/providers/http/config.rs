//! `[providers.NAME.http]`: read once, with every fault reported, every template tried.

use super::{
    Http,
    escape::Escape,
    find::Find,
    list::{List, Wallet},
    read::Read,
    request::Request,
    secrets::Secrets,
    template::{Template, Variables, allowed},
    topup::Topup,
};
use crate::input::{Fault, Section};
use crate::providers::api::Site;
use crate::providers::{About, Declares, Lookup, Provider, RefUnique, declared::declares};
use reqwest::header::HeaderName;
use std::{
    future::Ready,
    sync::{Arc, OnceLock},
};

pub(in crate::providers) const ABOUT: About = About {
    name: "Any HTTP API, described in the config",
    reads: "whatever the answer holds: balance, data, minutes, messages, dates, buckets",
    tops_up: "whatever one request can order",
    after_silence: "as `[declares]` says: looked up by reference or in a list; sent again only to \
                    a provider that refuses a used reference",
    setup: "base_url = \"https://api.example.com\"\n[read]\npath = \"/lines/{{ subscription.msisdn }}\"\n\
            balance = \"/balance\"\ncurrency = \"/currency\"",
    unverified: &[],
};

/// A declarative provider as configured. Prints without secrets.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) site: Site,
    pub(super) secrets: Secrets,
    pub(super) headers: Vec<(HeaderName, Template)>,
    pub(super) read: Option<Read>,
    pub(super) topup: Option<Topup>,
    pub(super) find: Option<Find>,
    pub(super) list: Option<List>,
    pub(super) wallet: Option<Wallet>,
    pub(super) declares: Declares,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let site = Site::read(s, None);
        let (headers, content_type) = headers(s.section_or_empty("headers"));
        let content_type = content_type.as_deref();
        let read = s.section("read").and_then(|s| Read::from_section(s, content_type));
        let topup = s.section("topup").and_then(|s| Topup::from_section(s, content_type));
        let record = topup.as_ref().map(|topup| &topup.record);
        let find = s.section("find").and_then(|s| Find::from_section(s, content_type, record));
        let list = s.section("list").and_then(|s| List::from_section(s, content_type, record));
        let wallet = s.section("wallet").and_then(|s| Wallet::from_section(s, content_type));
        if !s.has("read") && !s.has("topup") {
            s.fault("read", "allowed is a table [read], or [topup], or both");
        }
        let requests: [(&str, Option<&Request>); 5] = [
            ("read", read.as_ref().map(|read| &read.request)),
            ("topup", topup.as_ref().map(|topup| &topup.request)),
            ("find", find.as_ref().map(|find| &find.request)),
            ("list", list.as_ref().map(|list| &list.request)),
            ("wallet", wallet.as_ref().map(|wallet| &wallet.request)),
        ];
        let secrets = secrets(s, &headers, &requests);
        try_templates(s, &headers, &requests, &secrets);
        let mut declares = declares(s.section_or_empty("declares"), find.is_some(), list.is_some());
        declares.lists = list.is_some();
        declares.wallet = wallet.is_some();
        declares.reads = read.is_some();
        declares.tops_up = topup.is_some();
        if let Some(topup) = &topup {
            let in_headers = |name| headers.iter().any(|(_, header)| header.mentions(name));
            let uses = topup.request.uses();
            declares.wants_product = uses.contains("product") || in_headers("product");
            let trusted =
                declares.lookup == Lookup::ByRef || declares.ref_unique != RefUnique::NotEnforced;
            if trusted && !uses.contains("reference") && !in_headers("reference") {
                s.fault(
                    "topup",
                    "allowed is a template that uses {{ reference }}: without it the provider \
                     can neither find an order nor refuse a second one",
                );
            }
        }
        if let (Lookup::ByRef, Some(find)) = (declares.lookup, &find)
            && !find
                .request
                .uses()
                .iter()
                .any(|name| matches!(name.as_str(), "reference" | "transaction_id"))
        {
            s.fault(
                "find",
                "allowed is a template that uses {{ reference }} or {{ transaction_id }}",
            );
        }
        section.finish();
        let site = site?;
        Some(Self {
            declares: site.declares(declares),
            site,
            secrets,
            headers,
            read,
            topup,
            find,
            list,
            wallet,
        })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        self.declares.clone()
    }

    /// Builds the provider, named `name` in errors.
    pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let (config, max_processing) = (self.clone(), self.declares.max_processing);
        // Its secrets are its own, and are taken out of answers with it.
        self.site.build(("http", name), max_processing, Vec::new(), |api| {
            Ok(Http { config, api, standing: OnceLock::new() })
        })
    }
}

/// The headers, and the content type if they name one. Their values may be secret.
fn headers(mut s: Section<'_>) -> (Vec<(HeaderName, Template)>, Option<String>) {
    let mut headers = Vec::new();
    let mut content_type = None;
    for key in s.keys() {
        let Some(value) = s.text(&key) else { continue };
        let Ok(name) = HeaderName::from_bytes(key.as_bytes()) else {
            s.fault_hidden(&key, "allowed is the name of an HTTP header");
            continue;
        };
        if name == reqwest::header::CONTENT_TYPE {
            content_type = Some(value);
            continue;
        }
        match Template::new(&format!("{}.{key}", s.path()), &value, Escape::Plain) {
            Ok(template) => headers.push((name, template)),
            Err(why) => s.fault_hidden(&key, why),
        }
    }
    s.finish();
    (headers, content_type)
}

/// Every secret written down, and those that only templates name (systemd may hold them).
fn secrets(
    s: &mut Section<'_>,
    headers: &[(HeaderName, Template)],
    requests: &[(&str, Option<&Request>)],
) -> Secrets {
    let mut table = s.section_or_empty("secrets");
    let mut names: std::collections::BTreeSet<String> = table
        .keys()
        .into_iter()
        .map(|key| key.strip_suffix("_file").map_or(key.clone(), str::to_owned))
        .collect();
    let uses = headers.iter().flat_map(|(_, header)| header.uses().clone());
    let uses = uses.chain(requests.iter().filter_map(|(_, r)| *r).flat_map(Request::uses));
    names.extend(uses.filter_map(|name| name.strip_prefix("secret.").map(str::to_owned)));
    let mut secrets = Secrets::default();
    for name in names {
        let written = table.has(&name) || table.has(&format!("{name}_file"));
        match table.secret(&name) {
            Some(secret) => secrets.insert(name, secret),
            None => {
                if !written {
                    let allowed = "allowed is a secret, as a template uses it: write";
                    table.fault_hidden(&name, format!("{allowed} `{name}` or `{name}_file`"));
                }
                // Reported; the templates are still tried, with nothing in its place.
                secrets.insert(name, String::new().into());
            }
        }
    }
    table.finish();
    secrets
}

/// Renders everything once with a made-up order, as it will be rendered later.
fn try_templates(
    s: &Section<'_>,
    headers: &[(HeaderName, Template)],
    requests: &[(&str, Option<&Request>)],
    secrets: &Secrets,
) {
    let line = ["subscription"].as_slice();
    let order = ["subscription", "reference", "amount", "currency", "product"].as_slice();
    let known = [order, &["transaction_id"]].concat();
    let period = ["from", "to", "page"].as_slice();
    let everything = Variables::sample(&known, secrets);
    let allowed = format!("allowed are the variables {}, secret.NAME", allowed());
    for (key, request) in requests {
        let Some(request) = request else { continue };
        let tried = match *key {
            "read" => request.render(&Variables::sample(line, secrets)),
            "topup" => request.freeze(&Variables::sample(order, secrets), secrets),
            "list" => request.render(&Variables::sample(period, secrets)),
            "wallet" => request.render(&Variables::none(secrets)),
            _ => request.render(&everything),
        };
        if let Err(why) = tried {
            s.fault(key, format!("{why}; {allowed}"));
        }
    }
    for (_, header) in headers {
        if let Err(why) = header.render(&everything) {
            s.fault_hidden("headers", format!("{why}; {allowed}"));
        }
    }
}
