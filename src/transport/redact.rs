//! An answer as it may be kept.

/// How much of an answer is kept.
pub(crate) const RAW_MAX: usize = 4096;

/// Without control characters and secrets, cut to 4 KiB. Each secret comes in all the forms in
/// which it can have been written.
pub(crate) fn clean(text: &str, secrets: impl Iterator<Item = Vec<String>>) -> String {
    let mut clean: String =
        text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    for written in secrets.flatten().filter(|written| !written.is_empty()) {
        clean = clean.replace(&written, "<secret>");
    }
    let mut end = RAW_MAX.min(clean.len());
    while !clean.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    clean.truncate(end);
    clean
}
