//! What pages say, in each language. `words.toml` has every sentence twice.

use serde::Deserialize;
use std::{collections::BTreeMap, sync::LazyLock};

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locale {
    En,
    ZhCn,
}

impl Locale {
    pub(super) const ALL: [Self; 2] = [Self::En, Self::ZhCn];

    /// As HTML and cookies have it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhCn => "zh-CN",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|locale| locale.as_str() == word)
    }

    /// The first of an `Accept-Language` header that there is.
    pub(super) fn wanted(languages: &str) -> Self {
        languages
            .split(',')
            .filter_map(|part| part.split(';').next())
            .find_map(|tag| match tag.trim().split('-').next() {
                Some("zh") => Some(Self::ZhCn),
                Some("en") => Some(Self::En),
                _ => None,
            })
            .unwrap_or(Self::En)
    }
}

/// One sentence in both languages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    en: String,
    zh: String,
}

static WORDS: LazyLock<BTreeMap<String, Said>> =
    LazyLock::new(|| toml::from_str(include_str!("words.toml")).unwrap_or_default());

/// The sentence `key` in `locale`; `None` for one that nobody wrote.
pub(super) fn say(locale: Locale, key: &str) -> Option<&'static str> {
    let said = WORDS.get(key)?;
    Some(match locale {
        Locale::En => &said.en,
        Locale::ZhCn => &said.zh,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read_and_every_sentence_is_there_twice() {
        let words: BTreeMap<String, Said> = toml::from_str(include_str!("words.toml")).unwrap();
        assert!(!words.is_empty());
        for (key, said) in &words {
            assert!(!said.en.trim().is_empty() && !said.zh.trim().is_empty(), "{key}");
            let holes = |text: &str| text.matches('{').count();
            assert_eq!(holes(&said.en), holes(&said.zh), "{key}: the same holes");
        }
    }

    #[test]
    fn the_first_language_that_there_is() {
        for (header, locale) in [
            ("", Locale::En),
            ("de", Locale::En),
            ("de, zh-TW;q=0.8, en", Locale::ZhCn),
            ("en-US,zh", Locale::En),
        ] {
            assert_eq!(Locale::wanted(header), locale, "{header}");
        }
    }
}
