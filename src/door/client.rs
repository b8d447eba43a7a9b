//! Who is at the other end of a connection, as far as the connection itself tells.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// A machine at this address, or one of which a proxy says so; never an IPv4 address in the clothes of IPv6.
    At(IpAddr),
    /// A program of this machine, over a unix socket.
    Beside,
    /// Somebody behind the proxy at this address, which does not say who.
    Behind(IpAddr),
}

impl Client {
    /// A machine at this address.
    pub fn at(address: IpAddr) -> Self {
        Self::At(address.to_canonical())
    }

    /// Its address, when it is known.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::At(address) => Some(address),
            Self::Beside | Self::Behind(_) => None,
        }
    }

    /// Whether it is a program of this machine.
    pub fn is_local(self) -> bool {
        match self {
            Self::At(address) => address.is_loopback(),
            Self::Beside => true,
            Self::Behind(_) => false,
        }
    }

    /// The address that its connections and its mistakes are counted for.
    pub(crate) fn counted_as(self) -> IpAddr {
        match self {
            Self::At(address) | Self::Behind(address) => address,
            Self::Beside => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }
}

/// As the log names it.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => write!(f, "{address}"),
            Self::Beside => f.write_str("local"),
            Self::Behind(proxy) => write!(f, "unknown behind {proxy}"),
        }
    }
}
