//! `[fleet]`.

use crate::input::Section;
use std::path::PathBuf;

/// Fleet files that the daemon applies by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetFiles {
    /// Applied at every start and reload, without closing what they no longer name.
    pub files: Vec<PathBuf>,
}

impl FleetFiles {
    /// Reads the section.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let files = section.texts("files").unwrap_or_default();
        section.finish();
        Self { files: files.into_iter().map(PathBuf::from).collect() }
    }
}
