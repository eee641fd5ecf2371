//! `notices preview`: every notice as it would look, written into a folder.

use super::context::{CliError, Context};
use super::out::Out;
use crate::domain::NoticeKind;
use crate::words::{LOCALES, Words};
use anyhow::Context as _;
use serde_json::json;
use std::{fmt::Write as _, fs, path::Path};

/// The forms a notice has, as the end of a file's name.
const FORMS: [&str; 3] = ["txt", "html", "sms.txt"];

/// What is shown.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) locale: Option<&'a str>,
    pub(super) form: Option<&'a str>,
}

pub(super) fn preview(
    context: &Context,
    folder: &Path,
    wanted: &Wanted<'_>,
    out: &Out,
) -> Result<(), CliError> {
    let words = Words::from_folder(context.settings()?.notices.templates.as_deref())
        .map_err(anyhow::Error::new)?;
    let known: Vec<&str> = NoticeKind::ALL.iter().map(|kind| kind.as_str()).collect();
    chosen("--kind", wanted.kind, &known)?;
    chosen("--locale", wanted.locale, &LOCALES)?;
    chosen("--channel", wanted.form, &["email", "sms", "chat"])?;
    let forms: &[&str] = match wanted.form {
        Some("sms") => &["sms.txt"],
        Some("chat") => &["txt"],
        _ => &FORMS,
    };
    let what = || format!("writing into {}", folder.display());
    fs::create_dir_all(folder).with_context(what)?;
    let (mut files, mut index) = (Vec::new(), String::from(HEAD));
    let kind = wanted.kind.and_then(NoticeKind::parse);
    for message in words.samples(kind, wanted.locale).map_err(anyhow::Error::new)? {
        for form in forms {
            let text = match *form {
                "html" => &message.html,
                "txt" => &message.text,
                _ => &message.short,
            };
            let name = format!("{}.{}.{form}", message.kind.as_str(), message.locale);
            fs::write(folder.join(&name), text).with_context(what)?;
            // Writing to a String cannot fail.
            writeln!(index, "<li><a href=\"{name}\">{name}</a></li>").ok();
            files.push(name);
        }
    }
    index.push_str("</ul>\n</html>\n");
    fs::write(folder.join("index.html"), index).with_context(what)?;
    out.result(&json!({ "folder": folder.display().to_string(), "files": files }), || {
        format!("{} files; open {}", files.len(), folder.join("index.html").display())
    });
    Ok(())
}

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
    <meta name=\"color-scheme\" content=\"light dark\">\n<title>Notices of topupd</title>\n\
    <h1>Notices</h1>\n<ul>\n";

fn chosen(option: &str, word: Option<&str>, allowed: &[&str]) -> Result<(), CliError> {
    match word {
        Some(word) if !allowed.contains(&word) => {
            let allowed = allowed.join(", ");
            Err(CliError::Usage(format!("{option}: found {word:?}; allowed: {allowed}")))
        }
        _ => Ok(()),
    }
}
