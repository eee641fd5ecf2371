//! One SMS: 160 GSM-7 septets for English, 70 UTF-16 units for Chinese.
//!
//! What does not fit goes in this order: part of the label, the middle parts from the end, the
//! last part (the reference), more of the label. Amounts stay.

use super::{phrases::Phrases, view::View};
use minijinja::Error;

/// The notice in one line that fits one SMS.
pub(super) fn short(phrases: &mut Phrases<'_>, view: &View, locale: &str) -> Result<String, Error> {
    let script = if locale == "en" { Script::Gsm } else { Script::Ucs2 };
    let mut parts = Vec::new();
    for label_max in [usize::MAX, 16] {
        parts = said(phrases, view, script, label_max)?;
        if script.fits(&script.join(&parts)) {
            return Ok(script.join(&parts));
        }
    }
    while parts.len() > 1 {
        let last_but_one = parts.len().saturating_sub(2);
        parts.remove(last_but_one.max(1));
        if script.fits(&script.join(&parts)) {
            return Ok(script.join(&parts));
        }
    }
    for label_max in [8, 4, 0] {
        parts = said(phrases, view, script, label_max)?;
        parts.truncate(1);
        if script.fits(&script.join(&parts)) {
            break;
        }
    }
    Ok(script.cut(&script.join(&parts)))
}

/// The parts with at most `label_max` characters of the label.
fn said(
    phrases: &mut Phrases<'_>,
    view: &View,
    script: Script,
    label_max: usize,
) -> Result<Vec<String>, Error> {
    let label = view.label.as_deref().map(|label| {
        let label: String = script.write(label).trim().chars().take(label_max).collect();
        label.trim_end().to_owned()
    });
    let view = View { label: label.filter(|label| !label.is_empty()), ..view.clone() };
    let parts = phrases.lines(&format!("{}_short", view.kind), &view)?;
    Ok(parts.iter().map(|part| script.write(part)).collect())
}

/// The alphabet of an SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Gsm,
    Ucs2,
}

impl Script {
    fn fits(self, text: &str) -> bool {
        match self {
            Self::Gsm => text.chars().map(septets).sum::<usize>() <= 160,
            Self::Ucs2 => text.encode_utf16().count() <= 70,
        }
    }

    fn join(self, parts: &[String]) -> String {
        parts.join(if self == Self::Gsm { " " } else { "" })
    }

    fn write(self, text: &str) -> String {
        match self {
            Self::Gsm => transliterate(text),
            Self::Ucs2 => text.to_owned(),
        }
    }

    /// The longest beginning that fits.
    fn cut(self, text: &str) -> String {
        let mut out = text.to_owned();
        while !self.fits(&out) {
            out.pop();
        }
        out
    }
}

/// The GSM 03.38 basic alphabet beyond ASCII letters and digits.
const BASIC: &str = "@\u{a3}$\u{a5}\u{e8}\u{e9}\u{f9}\u{ec}\u{f2}\u{c7}\u{d8}\u{f8}\u{c5}\u{e5}\u{394}_\u{3a6}\
    \u{393}\u{39b}\u{3a9}\u{3a0}\u{3a8}\u{3a3}\u{398}\u{39e}\u{c6}\u{e6}\u{df}\u{c9} !\"#\u{a4}%&'()*+,-./:;<=>?\
    \u{a1}\u{c4}\u{d6}\u{d1}\u{dc}\u{a7}\u{bf}\u{e4}\u{f6}\u{f1}\u{fc}\u{e0}";

/// Its extension: two septets each.
const EXTENDED: &str = "^{}\\[]~|\u{20ac}";

/// What common characters outside the alphabet become; anything else is left out.
const STAND_INS: [(&str, &str); 32] = [
    ("\u{2018}\u{2019}\u{201a}`\u{b4}", "'"),
    ("\u{201c}\u{201d}\u{201e}\u{ab}\u{bb}", "\""),
    ("\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2212}", "-"),
    ("\u{2026}", "..."),
    ("\u{a0}\u{202f}", " "),
    ("\u{e1}\u{e2}\u{e3}\u{101}\u{103}\u{105}", "a"),
    ("\u{c0}\u{c1}\u{c2}\u{c3}\u{100}\u{102}\u{104}", "A"),
    ("\u{e7}\u{107}\u{10d}", "c"),
    ("\u{106}\u{10c}", "C"),
    ("\u{10f}\u{111}", "d"),
    ("\u{10e}\u{110}", "D"),
    ("\u{ea}\u{eb}\u{113}\u{117}\u{119}\u{11b}", "e"),
    ("\u{c8}\u{ca}\u{cb}\u{112}\u{116}\u{118}\u{11a}", "E"),
    ("\u{11f}", "g"),
    ("\u{11e}", "G"),
    ("\u{ed}\u{ee}\u{ef}\u{12b}\u{131}", "i"),
    ("\u{cc}\u{cd}\u{ce}\u{cf}\u{12a}\u{130}", "I"),
    ("\u{142}\u{13e}", "l"),
    ("\u{141}\u{13d}", "L"),
    ("\u{144}\u{148}", "n"),
    ("\u{143}\u{147}", "N"),
    ("\u{f3}\u{f4}\u{f5}\u{14d}\u{151}", "o"),
    ("\u{d2}\u{d3}\u{d4}\u{d5}\u{14c}\u{150}", "O"),
    ("\u{159}", "r"),
    ("\u{15b}\u{15f}\u{161}\u{219}", "s"),
    ("\u{15a}\u{15e}\u{160}\u{218}", "S"),
    ("\u{163}\u{165}\u{21b}", "t"),
    ("\u{fa}\u{fb}\u{16b}\u{16f}\u{171}", "u"),
    ("\u{d9}\u{da}\u{db}\u{16a}\u{16e}\u{170}", "U"),
    ("\u{fd}\u{ff}", "y"),
    ("\u{17a}\u{17c}\u{17e}", "z"),
    ("\u{179}\u{17b}\u{17d}", "Z"),
];

fn septets(c: char) -> usize {
    if EXTENDED.contains(c) { 2 } else { 1 }
}

/// True for text that the GSM 03.38 alphabet can say as it is; anything else goes as UCS-2.
pub(crate) fn is_gsm(text: &str) -> bool {
    text.chars().all(is_in_gsm)
}

fn is_in_gsm(c: char) -> bool {
    c.is_ascii_alphanumeric() || BASIC.contains(c) || EXTENDED.contains(c)
}

fn transliterate(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_in_gsm(c) {
            out.push(c);
        } else if let Some((_, stand_in)) = STAND_INS.iter().find(|(from, _)| from.contains(c)) {
            out.push_str(stand_in);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gsm_cannot_say_is_said_otherwise() {
        assert_eq!(
            transliterate(
                "Mar\u{ed}a\u{2019}s \u{201c}caf\u{e9}\u{201d} \u{2013} \u{5361}5\u{20ac}"
            ),
            "Maria's \"caf\u{e9}\" - 5\u{20ac}"
        );
        assert_eq!(transliterate("tab\tnew\nline"), "tabnewline");
        assert!(STAND_INS.iter().all(|(from, to)| {
            from.chars().all(|c| !BASIC.contains(c)) && transliterate(to) == *to
        }));
    }

    #[test]
    fn what_is_not_gsm_is_known() {
        assert!(is_gsm("caf\u{e9} [5\u{20ac}]") && is_gsm(""));
        for text in ["\u{5361}", "caf\u{e9}\u{2019}s", "e\u{301}", "a\tb", "\u{e7}"] {
            assert!(!is_gsm(text), "{text}");
        }
    }

    #[test]
    fn the_euro_counts_twice() {
        assert!(Script::Gsm.fits(&"\u{20ac}".repeat(80)));
        assert!(!Script::Gsm.fits(&"\u{20ac}".repeat(81)));
        assert!(
            Script::Ucs2.fits(&"\u{1f600}".repeat(35))
                && !Script::Ucs2.fits(&"\u{1f600}".repeat(36))
        );
    }
}
