//! `docs/providers.md`, made from what every kind says of itself.

use super::*;
use crate::providers::{Class, Declares, RefUnique};
use std::fmt::Write as _;

const HEAD: &str = "# Providers\n\n\
    Made from the code: `UPDATE_DOCS=1 cargo test --lib providers::conformance::page` writes it anew. Nothing here was tried\n\
    against a live account: facts come from published documentation, specification files and official SDKs, and what\n\
    nobody has proved is listed as UNVERIFIED and treated as its weaker reading.\n\n\
    The class says what may follow when an order's answer is lost: **A** looked up, and sent again under the same reference\n\
    (only with `resubmit = \"strict\"`); **A'**, **B** looked up, never sent again by itself; **C** found in the provider's own list;\n\
    **D** seen on the line, or a person looks. `docs/safety.md` has the proof.\n\n";

const TAIL: &str = "## A kind of your own\n\n\
    Most APIs need no code: `http` describes them in the config, `exec` hands each question to a program of yours. An adapter is\n\
    one file and one line. The file `src/providers/acme.rs`:\n\n\
    ```rust,ignore\n\
    pub(super) const ABOUT: About = About { name: \"Acme\", reads: \"the wallet\", tops_up: \"nothing\", after_silence: \"nothing is sent\",\n    \
        setup: \"api_key = \\\"…\\\"\", unverified: &[] };\n\n\
    pub struct Config { site: Site, key: SecretString }\n\n\
    impl Config {\n    \
        pub fn read(mut section: Section<'_>) -> Option<Self> {\n        \
            let site = Site::read(&mut section, \"https://api.acme.example\");\n        \
            let key = secret(&mut section, \"api_key\");\n        \
            section.finish();\n        \
            Some(Self { site: site?, key: key? })\n    \
        }\n\n    \
        pub fn declares(&self) -> Declares { self.site.declares(Declares { reads: true, wallet: true, ..Declares::default() }) }\n\n    \
        pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> { /* Site::build */ }\n\
    }\n\n\
    #[async_trait]\n\
    impl Provider for Acme { /* read, wallet, test: ask, then values out of JSON */ }\n\
    ```\n\n\
    and in `src/providers/mod.rs` its `mod acme;` beside the word `acme` in the list of kinds. A fake of the API in `src/sim/fakes/acme.rs` and a `CASE` let the\n\
    one suite of `src/providers/conformance` try it: lost answers before and after the charge, pages, broken JSON, 401, 429 with `Retry-After`,\n\
    duplicates, refusals, pending, another target.\n";

fn trust(declares: &Declares) -> String {
    let unique = RefUnique::WORDS.iter().find(|(_, u)| *u == declares.ref_unique);
    let lookup = Lookup::WORDS.iter().find(|(_, l)| *l == declares.lookup);
    let word = |found: Option<&'static str>| found.unwrap_or_default();
    let window = declares.ref_window.map(|w| format!(", remembered for {w}")).unwrap_or_default();
    format!(
        "class {}: look-up `{}`, references `{}`{window}; works on an order for {} at most; a new balance shows within {}",
        declares.class().as_str(),
        word(lookup.map(|(w, _)| *w)),
        word(unique.map(|(w, _)| *w)),
        declares.max_processing,
        declares.balance_lag,
    )
}

fn can(declares: &Declares) -> String {
    let all = [
        (declares.wallet, "its wallet is compared daily"),
        (declares.lists, "its own list is compared daily"),
        (declares.sells, "`topupd provider products`"),
        (declares.quotes, "`topupd provider quote`, compared with other payers"),
        (declares.knows_operators, "knows which operator serves a number"),
        (declares.wants_product, "wants a product in `products`"),
    ];
    let words: Vec<&str> = all.iter().filter(|(yes, _)| *yes).map(|(_, word)| *word).collect();
    words.join("; ")
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    page += "| kind | of | reads | tops up | class |\n|---|---|---|---|---|\n";
    let mut kinds: Vec<&str> = KINDS.to_vec();
    kinds.sort_unstable();
    for kind in &kinds {
        let about = ProviderConfig::about(kind).unwrap();
        let declares = config(kind, about.setup).declares();
        let class = if declares.assisted {
            "a person"
        } else if declares.tops_up {
            Class::as_str(declares.class())
        } else {
            "-"
        };
        writeln!(
            page,
            "| [`{kind}`](#{kind}) | {} | {} | {} | {class} |",
            about.name, about.reads, about.tops_up
        )
        .unwrap();
    }
    for kind in &kinds {
        let about = ProviderConfig::about(kind).unwrap();
        let declares = config(kind, about.setup).declares();
        let mut setup = format!("[providers.NAME.{kind}]\n{}", about.setup);
        // Tables inside the example belong to the provider.
        setup = setup.replace("\n[", &format!("\n[providers.NAME.{kind}."));
        write!(
            page,
            "\n## {kind}\n\n{}. Reads {}. Tops up {}.\n\n",
            about.name, about.reads, about.tops_up
        )
        .unwrap();
        if declares.tops_up {
            write!(
                page,
                "After a timeout: {}.\n\nTrusted as {}.\n\n",
                about.after_silence,
                trust(&declares)
            )
            .unwrap();
        }
        let can = can(&declares);
        if !can.is_empty() {
            write!(page, "Also: {can}.\n\n").unwrap();
        }
        write!(page, "```toml\n{}\n```\n", setup.trim_end()).unwrap();
        if !about.unverified.is_empty() {
            page += "\nUNVERIFIED:\n\n";
            for doubt in about.unverified {
                writeln!(page, "- {doubt}").unwrap();
            }
        }
    }
    page + "\n" + TAIL
}

#[test]
fn the_page_of_providers_is_made_from_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/providers.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page);
}
