//! `docs/channels.md`: every recipe in it can be used as it stands.

use super::KINDS;
use crate::config::Settings;
use std::{collections::BTreeSet, path::Path};

/// The page's blocks of configuration.
fn recipes() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/channels.md");
    let page = std::fs::read_to_string(path).unwrap();
    let blocks = page.split("```toml\n").skip(1);
    blocks.map(|block| block.split_once("```").unwrap().0.to_owned()).collect()
}

#[test]
fn every_recipe_is_read_and_built() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("tell-key");
    std::fs::write(&key, "s3cret").unwrap();
    let mut kinds = BTreeSet::new();
    let recipes = recipes();
    assert!(recipes.len() > 15, "{}", recipes.len());
    for recipe in recipes {
        // The only file that the page names and that must be there at once.
        let text = recipe.replace("/etc/topupd/tell-key", key.to_str().unwrap());
        let file = folder.path().join("recipe.toml");
        std::fs::write(&file, &text).unwrap();
        let settings = Settings::load(&[file], std::iter::empty());
        let settings = settings.unwrap_or_else(|faults| panic!("{recipe}\n{faults:?}"));
        assert_eq!(settings.channels.len(), 1, "{recipe}");
        for (name, config) in &settings.channels {
            config.build(name).unwrap_or_else(|fault| panic!("{recipe}\n{fault}"));
            kinds.insert(config.kind());
        }
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), KINDS);
}
