//! Style as a test: direction of imports, file length, every adapter listed.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path: PathBuf = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                files.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(files.len() > 50, "the sources were not found");
    files
}

/// What each part may not name: data flows one way, and the leaves know nobody.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "domain/",
        &[
            "crate::store",
            "crate::flow",
            "crate::providers",
            "crate::channels",
            "crate::config",
            "crate::input",
            "crate::clock",
            "tokio",
            "sqlx",
            "reqwest",
            "async fn",
        ],
    ),
    (
        "operators/",
        &[
            "crate::store",
            "crate::flow",
            "crate::providers",
            "crate::channels",
            "crate::config",
            "crate::clock",
            "tokio",
        ],
    ),
    (
        "transport/",
        &["crate::store", "crate::flow", "crate::providers", "crate::channels", "crate::config"],
    ),
    (
        "providers/",
        &[
            "crate::store",
            "crate::flow",
            "crate::channels",
            "crate::config",
            "crate::app",
            "crate::cli",
        ],
    ),
    (
        "channels/",
        &[
            "crate::store",
            "crate::flow",
            "crate::providers",
            "crate::config",
            "crate::app",
            "crate::cli",
        ],
    ),
    (
        "store/",
        &[
            "crate::flow",
            "crate::providers",
            "crate::channels",
            "crate::config",
            "crate::clock",
            "crate::app",
        ],
    ),
    ("config/", &["crate::store", "crate::flow", "crate::app", "crate::cli"]),
    ("flow/", &["crate::admin", "crate::cli", "crate::app", "crate::sim"]),
    ("words/", &["crate::store", "crate::flow", "crate::providers", "crate::config"]),
];

#[test]
fn imports_point_one_way() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        // Tests may reach across; the rule is for the product.
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let test_file = name.contains("test") || name.contains("fixtures");
        for (part, words) in
            FORBIDDEN.iter().filter(|(part, _)| name.starts_with(part) && !test_file)
        {
            for word in words.iter().filter(|word| product.contains(*word)) {
                faults.push(format!("{name} ({part}) names {word}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn files_stay_readable() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, n)| *n > 400)
        .map(|(name, n)| format!("{name}: {n} lines"))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn money_leaves_by_one_client_only() {
    for (name, text) in sources() {
        let builds = text.contains("Client::builder()") || text.contains("ClientBuilder::new()");
        assert!(
            !builds || ["transport/http", "tests/", "benches/"].iter().any(|p| name.starts_with(p)),
            "{name} builds an HTTP client of its own"
        );
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let sends = product.contains("payer.topup(") || product.contains("provider.topup(");
        let is_test = name.contains("test") || name.starts_with("providers/conformance/");
        assert!(!sends || is_test || name == "flow/act.rs", "{name} sends money");
    }
}

#[test]
fn every_adapter_file_is_listed() {
    for (folder, kinds) in
        [("providers", topupd::providers::KINDS), ("channels", topupd::channels::KINDS)]
    {
        let listed = fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder).join("mod.rs"),
        )
        .unwrap();
        for kind in kinds {
            assert!(listed.contains(&format!("mod {kind};")), "{kind} has no file");
        }
    }
}
