//! The guard against requests into the own network: no name and no literal may lead to an
//! address that is not public, unless the config says so.

use super::address::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};

/// An address that may not be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} is not a public address{found}; allow_private_network = true would allow it")]
pub(crate) struct Refused {
    host: String,
    found: String,
}

/// Resolves names, and hands out only addresses that may be connected to. It is asked at the very
/// moment of connecting, so a name that changes its mind later gains nothing.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) private_network: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let private_network = self.private_network;
        Box::pin(async move {
            let host = name.as_str();
            let all: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                all.iter().copied().filter(|a| private_network || is_public(a.ip())).collect();
            if allowed.is_empty() && !all.is_empty() {
                let found: Vec<String> = all.iter().map(|a| a.ip().to_string()).collect();
                let found = format!(" (it leads to {})", found.join(", "));
                return Err(Refused { host: host.to_owned(), found }.into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// Checks a host written as an address, for which no resolver is asked. `Url` has already turned
/// `2130706433`, `0x7f.1` and `0177.0.0.1` into the address they mean.
pub(crate) fn check_host(url: &Url, private_network: bool) -> Result<(), Refused> {
    let address = match url.host() {
        Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
        Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    if private_network || is_public(address) {
        Ok(())
    } else {
        Err(Refused { host: address.to_string(), found: String::new() })
    }
}
