//! `[admin]`.

use crate::input::Section;
use std::net::{Ipv4Addr, SocketAddr};

/// Pages, API and health over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where to listen; `None` for `"off"`.
    pub listen: Option<SocketAddr>,
    /// How readers of notices reach these pages, for links in mails; without it there are none.
    pub public_url: Option<String>,
}

impl Admin {
    /// Reads the section. Loopback by default: what others may see is for a person to decide.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let allowed = "allowed is an address such as \"127.0.0.1:7878\", or \"off\"";
        let listen = section.parsed("listen", allowed, |text| match text.trim() {
            "off" => Some(None),
            address => address.parse().ok().map(Some),
        });
        let allowed = "allowed is an address such as \"https://topupd.example.com\"";
        let public_url = section.parsed("public_url", allowed, |text| {
            let url: url::Url = text.trim().parse().ok()?;
            let is_fine = matches!(url.scheme(), "http" | "https") && url.has_host();
            let is_bare = url.query().is_none() && url.fragment().is_none();
            (is_fine && is_bare).then(|| url.as_str().trim_end_matches('/').to_owned())
        });
        section.finish();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 7878));
        Self { listen: listen.unwrap_or(Some(loopback)), public_url }
    }
}
