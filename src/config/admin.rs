//! `[admin]`.

use crate::input::Section;
use std::net::{Ipv4Addr, SocketAddr};

/// Pages, API and health over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where to listen; `None` for `"off"`.
    pub listen: Option<SocketAddr>,
    /// A proxy in front of these pages speaks TLS: only then may they listen beyond this machine.
    pub behind_proxy: bool,
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
        let behind_proxy = section.boolean("behind_proxy").unwrap_or(false);
        let is_open = |at: SocketAddr| !at.ip().to_canonical().is_loopback();
        if !behind_proxy && listen.flatten().is_some_and(is_open) {
            // Passwords and tokens would travel as they are.
            let allowed = "allowed is a loopback address such as \"127.0.0.1:7878\"; any other only \
                           with behind_proxy = true, where a proxy in front of it speaks TLS";
            section.fault("listen", allowed);
        }
        section.finish();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 7878));
        Self { listen: listen.unwrap_or(Some(loopback)), behind_proxy, public_url }
    }
}
