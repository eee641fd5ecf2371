//! `[admin]`.

use crate::input::Section;
use std::net::{Ipv4Addr, SocketAddr};

/// Pages, API and health over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where to listen; `None` for `"off"`.
    pub listen: Option<SocketAddr>,
}

impl Admin {
    /// Reads the section. Loopback by default: what others may see is for a person to decide.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let allowed = "allowed is an address such as \"127.0.0.1:7878\", or \"off\"";
        let listen = section.parsed("listen", allowed, |text| match text.trim() {
            "off" => Some(None),
            address => address.parse().ok().map(Some),
        });
        section.finish();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 7878));
        Self { listen: listen.unwrap_or(Some(loopback)) }
    }
}
