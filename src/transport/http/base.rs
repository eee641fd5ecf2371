//! Where an API is.

use crate::input::Section;
use url::Url;

/// `base_url`; where there is none, `usual`.
pub(crate) fn base_url(s: &mut Section<'_>, usual: Option<&str>) -> Option<Url> {
    let allowed = "allowed is a URL such as \"https://api.example.com\"";
    let text = match usual {
        Some(usual) => s.text("base_url").unwrap_or_else(|| usual.to_owned()),
        None => s.required("base_url", allowed)?,
    };
    match text.trim().parse::<Url>() {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            s.fault_hidden(
                "base_url",
                "allowed is a URL without user and password (use `headers`)",
            );
            None
        }
        Ok(url)
            if matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none() =>
        {
            Some(url)
        }
        Ok(_) | Err(_) => {
            s.fault("base_url", allowed);
            None
        }
    }
}
