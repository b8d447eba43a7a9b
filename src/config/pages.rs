//! `[pages]`: where the customers' pages are, for those who click and for the proxy in front.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use url::Url;

use crate::document::{Entry, Table};

use super::listener::{NETWORK_REMEDY, network};
use super::values::{is_loopback, number, path, problem_at, word};

/// Where pages are served unless something else is written: loopback, where a proxy finds them.
pub const DEFAULT_PAGES_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8090);

/// Connections at one time. A proxy needs few; with a few KB each these cost no more than some MB.
const DEFAULT_CONNECTIONS: usize = 1_000;

const URL_REMEDY: &str = "write the address that customers see: url = \"https://reviews.example.com\"";

/// Where the customers' pages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages {
    /// The address that all links begin with: `https`, or `http` on this machine; without a slash at its end. A port of 0 stands
    /// for the one that the listener got.
    pub url: String,
    /// Where they are served.
    pub listen: SocketAddr,
    /// Whether connections are TLS from the first byte, with the certificate of `[smtp] tls`.
    pub tls: bool,
    /// From these networks `X-Forwarded-For` says who asks.
    pub proxies: Vec<IpNet>,
    /// Connections at one time.
    pub connections: usize,
    /// A folder whose pages replace or extend those that ship.
    pub templates: Option<PathBuf>,
}

impl Pages {
    /// The same with the port that the listener got, where the address leaves it open.
    #[must_use]
    pub fn at_port(mut self, port: u16) -> Self {
        if let Ok(mut url) = Url::parse(&self.url)
            && url.port() == Some(0)
            && url.set_port(Some(port)).is_ok()
        {
            url.as_str().trim_end_matches('/').clone_into(&mut self.url);
        }
        self
    }
}

/// The pages, when there are any. `has_certificate` says whether `[smtp] tls` is written.
pub(super) fn read(top: &Table<'_>, folder: &Path, has_certificate: bool) -> Option<Pages> {
    top.table("pages", |table| {
        let url = table.required_string("url", URL_REMEDY).and_then(url);
        let listen = table.string("listen").map_or(Some(DEFAULT_PAGES_LISTEN), listen);
        let tls = word(table, "tls", &[("none", false), ("implicit", true)]).unwrap_or(false);
        if tls && !has_certificate {
            problem_at(
                table,
                "tls",
                "needs a certificate",
                "name one in [smtp]: tls = { certificate = \"…\", key = \"…\" }",
            );
        }
        let proxies = table.strings("proxies").unwrap_or_default();
        let proxies = proxies.into_iter().filter_map(|entry| entry.check(NETWORK_REMEDY, |text| network(text)));
        let proxies = proxies.collect();
        let connections = number(table, "connections", 10..=20_000).unwrap_or(DEFAULT_CONNECTIONS);
        let templates = path(table, "templates", folder);
        let (url, listen) = (url?, listen?);
        if has_port_zero(&url) && listen.port() != 0 {
            problem_at(table, "url", "has port 0, which nobody can connect to", URL_REMEDY);
        }
        Some(Pages { url, listen, tls, proxies, connections, templates })
    })
}

fn has_port_zero(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.port() == Some(0))
}

fn listen(entry: Entry<'_, &str>) -> Option<SocketAddr> {
    entry.check("write an IP address and a port: \"127.0.0.1:8090\"", |text| {
        text.parse().map_err(|_| format!("{text:?} is no address to listen on"))
    })
}

/// What stands in front of every link. Links in mails outlive configurations, so it has nothing that is not needed.
fn url(entry: Entry<'_, &str>) -> Option<String> {
    entry.check(URL_REMEDY, |text| {
        let url = Url::parse(text).map_err(|_| "is no address")?;
        let host = url.host_str().ok_or("names no host")?;
        let own = is_loopback(host.trim_matches(['[', ']']));
        match url.scheme() {
            "https" => {}
            "http" if own => {}
            "http" => return Err("is not encrypted, and links in mails say who somebody is"),
            _ => return Err("is no https:// address"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a login in it");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has more behind its path");
        }
        if url.as_str().len() > 200 {
            return Err("is longer than 200 characters, too long for a header of a letter");
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, parse};
    use crate::document::Document;

    const MINIMAL: &str = include_str!("../../config/minimal.toml");

    fn parsed(extra: &str) -> Result<Config, String> {
        parse(&Document::new("x.toml", format!("{MINIMAL}\n[pages]\n{extra}")), Path::new("/etc/invited"))
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    fn pages(extra: &str) -> Pages {
        parsed(extra).unwrap().pages.unwrap()
    }

    #[test]
    fn an_address_is_enough_and_loses_its_last_slash() {
        let expected = Pages {
            url: "https://reviews.nordljus.example/r".to_owned(),
            listen: "127.0.0.1:8090".parse().unwrap(),
            tls: false,
            proxies: Vec::new(),
            connections: 1_000,
            templates: None,
        };
        assert_eq!(pages("url = \"https://reviews.nordljus.example/r/\""), expected);
    }

    #[test]
    fn the_example_shows_the_defaults() {
        let (_, block) = crate::config::starter::EXAMPLE.split_once("#[pages]\n").unwrap();
        let shown = block.lines().take_while(|line| !line.starts_with('['));
        let shown = shown.filter_map(|line| line.strip_prefix('#').filter(|key| !key.starts_with(' ')));
        let shown = pages(&shown.collect::<Vec<_>>().join("\n"));
        let least = pages("url = \"https://reviews.nordljus.example\"");
        let proxies = ["127.0.0.1/32", "::1/128"].map(|proxy| proxy.parse().unwrap()).to_vec();
        let templates = Some(PathBuf::from("/etc/invited/pages"));
        assert_eq!(shown, Pages { proxies, templates, ..least });
    }

    #[test]
    fn only_this_machine_goes_without_encryption() {
        for (url, fine) in [
            ("https://reviews.example.com", true),
            ("http://localhost:8090", true),
            ("http://127.0.0.1:8090", true),
            ("http://[::1]:8090", true),
            ("http://reviews.example.com", false),
            ("ftp://reviews.example.com", false),
            ("https://a:b@reviews.example.com", false),
            ("https://reviews.example.com/?a=b", false),
            ("https://reviews.example.com/#a", false),
            ("https://localhost:0", false),
            ("reviews.example.com", false),
            ("", false),
        ] {
            assert_eq!(parsed(&format!("url = {url:?}")).is_ok(), fine, "{url}");
        }
    }

    #[test]
    fn an_open_port_is_filled_in_and_a_written_one_stays() {
        let open = pages("url = \"http://127.0.0.1:0/x\"\nlisten = \"127.0.0.1:0\"");
        assert_eq!(open.at_port(4_711).url, "http://127.0.0.1:4711/x");
        let written = pages("url = \"http://127.0.0.1:8090\"\nlisten = \"127.0.0.1:0\"");
        assert_eq!(written.at_port(4_711).url, "http://127.0.0.1:8090");
    }
}
