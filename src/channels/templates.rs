//! Templates that a gateway approved, by kind of notice: where nothing may be sent but a template's
//! code and the values of its holes.
//!
//! Invariant: every hole gets a value, and no value pretends to be whole: what is unknown or does not
//! fit is a dash, words are cut, amounts and dates never.

use super::{Message, Outcome};
use crate::domain::NoticeKind;
use crate::input::Section;
use crate::words::PARAMETERS;
use std::collections::BTreeMap;

/// The template of all kinds that have none of their own.
const DEFAULT: &str = "default";
/// What stands for a value that is not known.
const DASH: &str = "-";
/// Values that still say something when they are cut.
const WORDS: [&str; 7] = ["label", "trigger", "payer", "reason", "detail", "next", "topup"];

/// How a gateway's templates name their holes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holes {
    /// By name: `params = { name = "label" }`.
    Named,
    /// By their order: `params = ["label"]`.
    Ordered,
}

/// `[channels.NAME.KIND.templates.KIND_OF_NOTICE]`.
#[derive(Clone, Debug)]
pub(super) struct Templates {
    by_kind: BTreeMap<String, Template>,
    /// The longest value, in characters.
    longest: Option<usize>,
}

/// One template.
#[derive(Clone, Debug)]
struct Template {
    code: String,
    /// A hole's name, empty where only the order counts, and the parameter that fills it.
    holes: Vec<(String, &'static str)>,
}

/// A template's code, with its holes filled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filled<'a> {
    /// What the gateway calls the template.
    pub(super) code: &'a str,
    /// Names and values, in the order of the config.
    pub(super) values: Vec<(&'a str, String)>,
}

impl Templates {
    /// Reads `templates` and `longest_value`, which is `usual` where it is not written.
    pub(super) fn read(s: &mut Section<'_>, holes: Holes, usual: Option<usize>) -> Option<Self> {
        let longest = s.integer("longest_value", 1..=500);
        let longest = longest.and_then(|n| usize::try_from(n).ok()).or(usual);
        let allowed = "allowed is a table for each kind of notice, or one named `default`";
        if !s.has("templates") {
            s.fault("templates", allowed);
        }
        let mut tables = s.section_or_empty("templates");
        let mut by_kind = BTreeMap::new();
        for (kind, section) in tables.sections() {
            if kind != DEFAULT && NoticeKind::parse(&kind).is_none() {
                let kinds: Vec<&str> = NoticeKind::ALL.iter().map(|kind| kind.as_str()).collect();
                tables.fault(&kind, format!("allowed: {DEFAULT}, {}", kinds.join(", ")));
            }
            if let Some(template) = template(section, holes) {
                by_kind.insert(kind, template);
            }
        }
        (!by_kind.is_empty()).then_some(Self { by_kind, longest })
    }

    /// The template of the message's kind, filled. Without one nothing can be sent of it.
    pub(super) fn fill(&self, message: &Message) -> Result<Filled<'_>, Outcome> {
        let kind = message.kind.as_str();
        let template = self.by_kind.get(kind).or_else(|| self.by_kind.get(DEFAULT));
        let template = template.ok_or_else(|| Outcome::BadConfig {
            why: format!("there is no template for {kind}, and none named `{DEFAULT}`"),
        })?;
        let values = template
            .holes
            .iter()
            .map(|(name, parameter)| {
                let known = message.params.get(parameter).map_or("", String::as_str);
                (name.as_str(), self.value(parameter, known))
            })
            .collect();
        Ok(Filled { code: &template.code, values })
    }

    /// A value as it may stand in a hole: one line, no addresses, not too long.
    fn value(&self, parameter: &str, known: &str) -> String {
        let words: Vec<&str> = known.split_whitespace().filter(|word| !is_address(word)).collect();
        let text = words.join(" ");
        let longest = self.longest.unwrap_or(usize::MAX);
        let fits = text.chars().count() <= longest;
        match text {
            text if text.is_empty() => DASH.to_owned(),
            text if fits => text,
            text if WORDS.contains(&parameter) => text.chars().take(longest).collect(),
            // Half an amount is a wrong amount.
            _ => DASH.to_owned(),
        }
    }
}

/// Gateways refuse links inside values.
fn is_address(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.contains("://") || word.contains("www.")
}

fn template(mut section: Section<'_>, holes: Holes) -> Option<Template> {
    let s = &mut section;
    let code = s.required("code", "allowed is the code of an approved template");
    let holes = match holes {
        Holes::Named => named(s.section_or_empty("params")),
        Holes::Ordered => {
            let names = s.texts("params").unwrap_or_default();
            let known: Option<Vec<_>> =
                names.iter().map(|name| Some((String::new(), parameter(name)?))).collect();
            if known.is_none() {
                s.fault("params", allowed());
            }
            known
        }
    };
    section.finish();
    Some(Template { code: code?, holes: holes? })
}

fn named(mut section: Section<'_>) -> Option<Vec<(String, &'static str)>> {
    let read = |key: String, section: &mut Section<'_>| {
        let parameter = section.parsed(&key, &allowed(), parameter)?;
        Some((key, parameter))
    };
    let holes = section.keys().into_iter().map(|key| read(key, &mut section)).collect();
    section.finish();
    holes
}

fn parameter(name: &str) -> Option<&'static str> {
    PARAMETERS.into_iter().find(|known| *known == name)
}

fn allowed() -> String {
    format!("allowed: {}", PARAMETERS.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{config, message};
    use super::*;

    fn templates(longest: Option<usize>, parameters: &[&'static str]) -> Templates {
        let holes = parameters.iter().map(|parameter| (String::new(), *parameter)).collect();
        let template = Template { code: "1".to_owned(), holes };
        Templates { by_kind: [("low_balance".to_owned(), template)].into(), longest }
    }

    fn values(longest: Option<usize>, parameter: &'static str, known: &str) -> String {
        let mut message = message();
        message.params.insert(parameter, known.to_owned());
        templates(longest, &[parameter]).fill(&message).unwrap().values[0].1.clone()
    }

    #[test]
    fn every_hole_gets_a_value_and_no_value_lies() {
        for (longest, parameter, known, value) in [
            (None, "balance", "3.20 USD", "3.20 USD"),
            (Some(8), "balance", "3.20 USD", "3.20 USD"),
            (Some(7), "balance", "3.20 USD", "-"),
            (Some(6), "label", "Grandma's phone", "Grandm"),
            (Some(2), "label", "\u{94f6}\u{884c}\u{5361}", "\u{94f6}\u{884c}"),
            (None, "detail", "see https://example.com/x\nor WWW.example.com now", "see or now"),
            (None, "detail", "http://example.com", "-"),
            (None, "detail", "  ", "-"),
        ] {
            assert_eq!(values(longest, parameter, known), value, "{known}");
        }
        let unknown = templates(None, &["reference", "balance"]);
        let filled = unknown.fill(&message()).unwrap();
        let said: Vec<&str> = filled.values.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(said, ["-", "3.20 USD"]);
    }

    #[test]
    fn a_kind_without_a_template_is_a_matter_of_configuration() {
        let other = Message { kind: NoticeKind::TopupFailed, ..message() };
        let mut templates = templates(None, &[]);
        let refused = templates.fill(&other).unwrap_err();
        let Outcome::BadConfig { why } = refused else { panic!("{refused:?}") };
        assert!(why.contains("topup_failed"), "{why}");
        let template = Template { code: "2".to_owned(), holes: Vec::new() };
        templates.by_kind.insert(DEFAULT.to_owned(), template);
        assert_eq!(templates.fill(&other).unwrap().code, "2");
        assert_eq!(templates.fill(&message()).unwrap().code, "1");
    }

    #[test]
    fn faults_name_what_is_allowed() {
        let bare = "access_key_id = \"a\"\naccess_key_secret = \"b\"\nsign_name = \"c\"\n";
        for (text, word) in [
            ("", "table for each kind"),
            ("[templates.low_ballance]\ncode = \"1\"", "low_balance"),
            ("[templates.default]\ncodes = \"1\"", "approved template"),
            ("[templates.default]\ncode = \"1\"\nparams = { a = \"ballance\" }", "balance_before"),
            ("[templates.default]\ncode = \"1\"\nparam = 1", "unknown key"),
            ("longest_value = 0\n[templates.default]\ncode = \"1\"", "from 1 to 500"),
        ] {
            let faults = config("aliyun_sms", &format!("{bare}{text}")).unwrap_err().join("\n");
            assert!(faults.contains(word), "{text}: {faults}");
        }
    }
}
