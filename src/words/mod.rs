//! Turns a notice into words, in the reader's language and time zone.
//!
//! All sentences are templates compiled into the program: one file per language, one layout per
//! form. [`Words::new`] renders every kind in every language once, so that a broken template stops
//! the start and not a notice at night.
//!
//! Invariant: a pure function of the notice; the same row gives the same words on every try.

mod commands;
mod phrases;
mod sample;
mod short;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use short::is_gsm;

use crate::{
    channels::Message,
    domain::{Facts, NoticeKind, Severity, Timestamp},
};
use chrono_tz::Tz;
use minijinja::{
    Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig, value::Serde,
};
use phrases::Phrases;
use std::{
    borrow::Cow,
    io::ErrorKind,
    path::{Path, PathBuf},
};
use view::View;

/// The languages there are words in, as written in `locale`.
pub const LOCALES: [&str; 2] = ["en", "zh-CN"];

/// The facts that a gateway's own template, or a body template, may name. Those that are not known
/// are not there.
pub const PARAMETERS: [&str; 24] = [
    "kind",
    "severity",
    "label",
    "last4",
    "trigger",
    "balance",
    "data_left",
    "read_at",
    "service_end_at",
    "service_end_on",
    "service_end_days",
    "number_loss_at",
    "number_loss_on",
    "number_loss_days",
    "amount",
    "payer",
    "balance_before",
    "transaction",
    "reference",
    "topup",
    "reason",
    "detail",
    "next",
    "next_at",
];

const SENTENCES: [(&str, &str); 2] =
    [("en", include_str!("templates/en.txt")), ("zh-CN", include_str!("templates/zh-CN.txt"))];
const LAYOUTS: [(&str, &str); 2] = [
    ("layout.txt", include_str!("templates/layout.txt")),
    ("layout.html", include_str!("templates/layout.html")),
];

/// The compiled templates.
#[derive(Debug)]
pub struct Words {
    environment: Environment<'static>,
}

/// A notice and its reader: all that words are made of.
#[derive(Clone, Copy, Debug)]
pub struct NoticeText<'a> {
    /// The notice's id.
    pub id: &'a str,
    /// What it is about.
    pub kind: NoticeKind,
    /// How much it matters.
    pub severity: Severity,
    /// What it says.
    pub facts: &'a Facts,
    /// The reader's language; any other than those of [`LOCALES`] gets English.
    pub locale: &'a str,
    /// The zone in which the reader sees times.
    pub time_zone: Tz,
    /// When its cause happened; days left are counted from here.
    pub at: Timestamp,
    /// The line it is about; `None` for all lines.
    pub subscription: Option<&'a str>,
    /// Where it can be answered.
    pub link: Option<&'a str>,
}

/// The file of `folder`, or what came with the program where there is none.
fn read(folder: &Path, name: &str, source: &'static str) -> Result<Cow<'static, str>, WordsError> {
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Cow::Owned(text)),
        Err(error) if error.kind() == ErrorKind::NotFound && folder.is_dir() => {
            Ok(Cow::Borrowed(source))
        }
        Err(source) => Err(WordsError::Read { path, source }),
    }
}

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WordsError {
    /// Its file cannot be read.
    #[error("the template {path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Its syntax is wrong.
    #[error("the template {name} cannot be compiled")]
    Compile {
        /// Its file.
        name: &'static str,
        /// Where and why.
        #[source]
        source: minijinja::Error,
    },
    /// It uses something that is not there.
    #[error("the notice {kind} cannot be put into {locale} words")]
    Render {
        /// The kind of notice.
        kind: &'static str,
        /// The language.
        locale: &'static str,
        /// Where and why.
        #[source]
        source: minijinja::Error,
    },
}

impl Words {
    /// Compiles the templates that came with the program and tries every kind in every language.
    pub fn new() -> Result<Self, WordsError> {
        Self::from_folder(None)
    }

    /// The same with the files of `folder`, where there are any of the same name: `en.txt`,
    /// `zh-CN.txt`, `layout.txt`, `layout.html`.
    pub fn from_folder(folder: Option<&Path>) -> Result<Self, WordsError> {
        let own = |name: &str, source: &'static str| match folder {
            Some(folder) => read(folder, name, source),
            None => Ok(Cow::Borrowed(source)),
        };
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let compile = |name| move |source| WordsError::Compile { name, source };
        for (name, source) in SENTENCES {
            let source = own(&format!("{name}.txt"), source)?;
            environment.add_template_owned(name, source).map_err(compile(name))?;
        }
        // Layouts are made of lines; sentences are trimmed where they are used.
        let lines = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(lines.map_err(compile("layout.txt"))?);
        for (name, source) in LAYOUTS {
            let source = own(name, source)?;
            environment.add_template_owned(name, source).map_err(compile(name))?;
        }
        let words = Self { environment };
        for facts in [sample::full(), sample::minimal()] {
            for (kind, locale) in NoticeKind::ALL.iter().flat_map(|k| LOCALES.map(|l| (*k, l))) {
                let notice = sample::notice(kind, locale, &facts);
                words.render(&notice)?;
                words.render(&NoticeText { link: Some("https://example.com/n/1"), ..notice })?;
            }
        }
        Ok(words)
    }

    /// A made-up notice of `kind`, in words.
    pub fn sample(&self, kind: NoticeKind, locale: &str) -> Result<Message, WordsError> {
        self.render(&NoticeText {
            link: Some("https://topupd.example.com/n/sample"),
            ..sample::notice(kind, locale, &sample::typical(kind))
        })
    }

    /// Samples of every kind in every language, or of those that are asked for.
    pub fn samples(
        &self,
        kind: Option<NoticeKind>,
        locale: Option<&str>,
    ) -> Result<Vec<Message>, WordsError> {
        let kinds = NoticeKind::ALL.iter().filter(|this| kind.is_none_or(|kind| kind == **this));
        let all = kinds.flat_map(|kind| LOCALES.map(|locale| (*kind, locale)));
        let wanted = all.filter(|(_, this)| locale.is_none_or(|locale| locale == *this));
        wanted.map(|(kind, locale)| self.sample(kind, locale)).collect()
    }

    /// Puts one notice into words.
    pub fn render(&self, notice: &NoticeText<'_>) -> Result<Message, WordsError> {
        let locale = if notice.locale.starts_with("zh") { "zh-CN" } else { "en" };
        self.put(notice, locale).map_err(|source| WordsError::Render {
            kind: notice.kind.as_str(),
            locale,
            source,
        })
    }

    fn put(
        &self,
        notice: &NoticeText<'_>,
        locale: &'static str,
    ) -> Result<Message, minijinja::Error> {
        let mut phrases = Phrases::open(&self.environment, locale)?;
        let view = View::new(notice);
        let sentences = phrases.lines(notice.kind.as_str(), &view)?;
        let (headline, paragraphs) =
            sentences.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let (id, at) = (notice.id, notice.at.in_zone(notice.time_zone));
        let content = context! {
            locale,
            headline,
            paragraphs => paragraphs.to_vec(),
            rows => Value::from(Serde(phrases.rows(&view)?)),
            next => Value::from(Serde(phrases.next(&view)?)),
            commands => commands::commands(notice),
            commands_label => phrases.say("label", "commands")?,
            link => notice.link,
            link_label => link_label(&mut phrases, notice.kind)?,
            separator => phrases.say("label", "separator")?,
            footer => format!("{} {id}, {at}", phrases.say("label", "footer")?),
            colour => colour(notice.severity),
        };
        let subscription = notice.subscription.unwrap_or("all");
        let topic = notice.kind.topic();
        Ok(Message {
            id: id.to_owned(),
            kind: notice.kind,
            severity: notice.severity,
            locale,
            params: view.params(),
            subject: view.subject(&phrases.say("topic", topic)?),
            text: self.environment.get_template("layout.txt")?.render(&content)? + "\n",
            html: self.environment.get_template("layout.html")?.render(&content)?,
            short: short::short(&mut phrases, &view, locale)?,
            link: notice.link.map(str::to_owned),
            thread: format!("{subscription}.{topic}"),
            at: notice.at,
        })
    }
}

/// What a link is for: a statement's leads to the reader's own page, others are answered there.
/// Sentences of one's own need not know that page.
fn link_label(phrases: &mut Phrases<'_>, kind: NoticeKind) -> Result<String, minijinja::Error> {
    match phrases.say("label", "page") {
        Ok(label) if kind == NoticeKind::Statement => Ok(label),
        _ => phrases.say("label", "link"),
    }
}

/// The bar beside the headline; readable on white and on black.
const fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#3b82a6",
        Severity::Warning => "#c98a00",
        Severity::High => "#e0662f",
        Severity::Critical => "#d93040",
    }
}
