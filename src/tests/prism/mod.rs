//! Adapters and fakes, held against the published shapes of the APIs by Prism.
//!
//! The files beside this one are `OpenAPI`: of each API the calls and fields that its adapter uses, from
//! what its vendor has published. Prism stands between an adapter and its fake: every request and
//! every answer has to be what the file allows, and what comes of them has to be what comes of them
//! without Prism.

mod adapters;
mod control;
mod play;
mod program;
mod recorder;
mod sms;

pub(crate) use recorder::client;

use program::Prism;
use recorder::{Asked, Recorder, Seen};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};
use topupd::{
    input::{Intake, Origin, Section, from_toml},
    providers::{Provider, read_config},
    sim::fakes::{FAKES, Fake, FakeKind},
};

/// One line that an adapter is asked about.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// What its references begin with.
    word: &'static str,
    /// The product that is ordered.
    product: Option<&'static str>,
    /// The line is an eSIM with this serial and has no number.
    iccid: Option<&'static str>,
    /// The line that is read is a wallet.
    reads_wallet: bool,
    /// Ends of numbers by which the API's test numbers choose what becomes of an order.
    endings: &'static [&'static str],
    /// What the fake is told to be, one after the other: see the heads of the fakes.
    worlds: &'static [(&'static str, &'static str)],
}

impl Part {
    /// The line that the fake serves.
    fn of(kind: &str) -> Self {
        let FakeKind { product, iccid, .. } = fake_of(kind);
        let reads_wallet = iccid.is_none();
        Self { word: "a", product, iccid, reads_wallet, endings: &[], worlds: &[] }
    }

    /// An order for a code, to the same line.
    fn code(self, product: &'static str) -> Self {
        Self { word: "code", product: Some(product), endings: &[], worlds: &[], ..self }
    }

    /// An eSIM.
    fn esim(product: &'static str, iccid: &'static str) -> Self {
        let (product, iccid) = (Some(product), Some(iccid));
        Self { word: "esim", product, iccid, reads_wallet: false, endings: &[], worlds: &[] }
    }
}

fn fake_of(kind: &str) -> FakeKind {
    *FAKES.iter().find(|fake| fake.kind == kind).unwrap()
}

fn spec(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/tests/prism/{name}.yaml"))
}

/// The provider of a fake's kind that asks `url`, with its right or a wrong key.
async fn provider(fake: &FakeKind, url: &str, key: &str) -> Arc<dyn Provider> {
    let (kind, config) = (fake.kind, fake.config.replace("{url}", url).replace("hush", key));
    let text = format!("[{kind}]\nallow_private_network = true\n{config}");
    let table = from_toml("test.toml", &text).unwrap();
    let intake = Intake::new();
    let section = Section::new(&table, "providers.it", &Origin::file("test.toml"), &intake);
    let config = read_config(section);
    assert_eq!(intake.into_faults(), [], "{kind}");
    config.unwrap().build("it").await.unwrap()
}

/// What comes of asking everything at `url`.
async fn course(kind: &FakeKind, fake: &Fake, url: &str, parts: &[Part]) -> Vec<String> {
    let (known, unknown) = (provider(kind, url, "hush").await, provider(kind, url, "wrong").await);
    let mut told = Vec::new();
    for part in parts {
        told.extend(play::stranger(&*unknown, part).await);
        told.extend(play::play(&*known, fake.shared(), part).await);
    }
    told
}

/// Asks the fake of `kind` everything, once alone and once through Prism.
async fn hold(kind: &str, parts: &[Part]) {
    let Some(program) = program::program().await else { return };
    let kind = fake_of(kind);
    let alone = Fake::start(kind).await.unwrap();
    let without = course(&kind, &alone, &alone.url(), parts).await;

    let fake = Fake::start(kind).await.unwrap();
    let behind = Recorder::before(&fake.url()).await;
    let file = spec(kind.kind);
    let prism = Prism::before(program, &file, &behind.url()).await;
    let recorder = Recorder::before(&prism.url).await;
    let with = course(&kind, &fake, &recorder.url(), parts).await;

    let seen = recorder.seen();
    assert!(seen.violations.is_empty(), "{}", seen.violations.join("\n"));
    assert_eq!(unnamed(&file, &seen), Vec::<String>::new());
    assert_eq!(with, without);
    // Prism answers nothing in the fake's place.
    assert_eq!(seen.requests.len(), fake.shared().books().requests.len());
    let calls = calls(&file);
    assert_eq!(unasked(&calls, &seen), Vec::<String>::new(), "{with:#?}");
    assert_eq!(unguarded(&calls, &seen, &prism.url).await, Vec::<String>::new());
}

/// The calls of a file: methods, and templates of paths.
fn calls(file: &Path) -> Vec<(String, String)> {
    let (mut calls, mut path) = (Vec::new(), String::new());
    for row in std::fs::read_to_string(file).unwrap().lines() {
        let key = row.trim().trim_end_matches(':');
        match row.len() - row.trim_start().len() {
            2 if key.starts_with('/') => key.clone_into(&mut path),
            4 if ["get", "post"].contains(&key) => calls.push((key.to_uppercase(), path.clone())),
            _ => {}
        }
    }
    assert!(!calls.is_empty(), "{} has no calls", file.display());
    calls
}

/// The calls that nobody made.
fn unasked(calls: &[(String, String)], seen: &Seen) -> Vec<String> {
    let is_made = |call: &(String, String)| seen.requests.iter().any(|asked| fits(call, asked));
    calls
        .iter()
        .filter(|call| !is_made(call))
        .map(|call| format!("{} {}", call.0, call.1))
        .collect()
}

/// The fields of forms that the file has not. Prism looks at those that it has, and at no others.
fn unnamed(file: &Path, seen: &Seen) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut fields: Vec<String> = seen.requests.iter().flat_map(Asked::form).collect();
    fields.retain(|field| !text.contains(&format!(" {field}: {{")));
    fields
}

/// The answers that Prism would let through whatever they were: it is silent about a shape that it
/// cannot use.
async fn unguarded(calls: &[(String, String)], seen: &Seen, prism: &str) -> Vec<String> {
    let mut tried = BTreeSet::new();
    let mut unguarded = Vec::new();
    for asked in seen.requests.iter().filter(|asked| asked.is_told) {
        let call = calls.iter().position(|call| fits(call, asked));
        if tried.insert((call, asked.status)) && !asked.is_guarded(prism).await {
            unguarded.push(format!("{} {} {}", asked.method, asked.path, asked.status));
        }
    }
    unguarded
}

/// True for a request of this call.
fn fits((method, template): &(String, String), asked: &Asked) -> bool {
    let template: Vec<&str> = template.split('/').collect();
    let path: Vec<&str> = asked.path.split('/').collect();
    asked.method == method.as_str()
        && template.len() == path.len()
        && template.iter().zip(&path).all(|(t, p)| t == p || (t.starts_with('{') && !p.is_empty()))
}
