//! Who asks: the other end of the connection, or, when that is a proxy that is trusted, whom it names.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Where proxies name who asked them, each the one before it.
const FORWARDED: &str = "x-forwarded-for";

/// The address that a request counts for; a value of the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client(pub(super) IpAddr);

impl Client {
    /// Who asks by a connection from `peer`: read from the end, the first address of `X-Forwarded-For` that is no trusted proxy's.
    /// What stands before that one could have been written by anybody.
    pub(super) fn of(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> Self {
        let mut client = peer.to_canonical();
        let named = headers.get_all(FORWARDED).into_iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>();
        for hop in named.iter().rev().flat_map(|value| value.rsplit(',')) {
            if !is_trusted(client, proxies) {
                break;
            }
            let Some(address) = address(hop) else { break };
            client = address;
        }
        Self(client)
    }
}

/// Whether what this address says of others is believed.
pub(super) fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    let address = address.to_canonical();
    proxies.iter().any(|network| network.contains(&address))
}

/// An address as proxies write it: with a port or without, IPv6 in brackets or without.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare.or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_have_written_names_who_asks() {
        let proxies = ["127.0.0.0/8".parse().unwrap(), "10.0.0.0/24".parse().unwrap(), "::1/128".parse().unwrap()];
        for (peer, values, expected) in [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["203.0.113.9, 198.51.100.1, 10.0.0.7"], "198.51.100.1"),
            ("127.0.0.1", &["203.0.113.9", "198.51.100.1", "10.0.0.7"], "198.51.100.1"),
            ("127.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("127.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("127.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("::1", &["2001:db8::1"], "2001:db8::1"),
            ("127.0.0.1", &["203.0.113.9, unknown, 10.0.0.7"], "10.0.0.7"),
            ("127.0.0.1", &[""], "127.0.0.1"),
            ("127.0.0.1", &["10.0.0.8, 10.0.0.7"], "10.0.0.8"),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(FORWARDED, value.parse().unwrap());
            }
            let client = Client::of(peer.parse().unwrap(), &headers, &proxies);
            assert_eq!(client.0.to_string(), expected, "{peer} {values:?}");
        }
    }
}
