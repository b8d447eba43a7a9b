//! The header of the PROXY protocol, version 2, by which a load balancer says whose connection it passes on.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>. Only read where the configuration names the balancer's network:
//! there it must come, since a client that could leave it out would pass for the balancer.

use std::net::IpAddr;
use std::time::Duration;

use ppp::v2::{Addresses, Command, Header, ParseError, Protocol};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// What every header begins with: the signature, the command, the family and the length of the rest; bytes.
const MINIMUM_LENGTH: usize = 16;
/// The longest header, bytes. Addresses take 232 at most; what balancers tell of TLS and of themselves takes some hundred more.
const LONGEST: usize = 2 * 1024;
/// How long the header may take. Balancers send it with the first octets.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The balancer's own, which looks whether we are there.
    Balancer,
    /// That of a client at this address.
    Client(IpAddr),
    /// That of a client that the balancer knows no address of.
    Unknown,
}

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyFault {
    /// There was no header, or it makes no sense.
    #[error("no header of the PROXY protocol, version 2, came from a network that must send one")]
    Absent,
    /// It is longer than any balancer's.
    #[error("the header of the PROXY protocol is longer than {LONGEST} bytes")]
    Long,
    /// It did not come, or not to its end.
    #[error("the header of the PROXY protocol did not come within {} s", PATIENCE.as_secs())]
    Late,
}

/// Reads the header and not one octet more.
pub(crate) async fn origin<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Origin, ProxyFault> {
    timeout(PATIENCE, read(stream)).await.unwrap_or(Err(ProxyFault::Late))
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Origin, ProxyFault> {
    let mut header = vec![0; MINIMUM_LENGTH];
    let mut filled = 0;
    loop {
        let Some(space @ [_, ..]) = header.get_mut(filled..) else { return Err(ProxyFault::Absent) };
        match stream.read(space).await {
            Ok(octets @ 1..) => filled += octets,
            Ok(0) | Err(_) => return Err(ProxyFault::Absent),
        }
        match Header::try_from(header.get(..filled).unwrap_or_default()) {
            Ok(header) => return understood(&header),
            Err(ParseError::Incomplete(_)) => {}
            Err(ParseError::Partial(_, rest)) if MINIMUM_LENGTH + rest > LONGEST => return Err(ProxyFault::Long),
            Err(ParseError::Partial(_, rest)) => header.resize(MINIMUM_LENGTH + rest, 0),
            Err(_) => return Err(ProxyFault::Absent),
        }
    }
}

fn understood(header: &Header<'_>) -> Result<Origin, ProxyFault> {
    match (header.command, header.protocol) {
        (Command::Local, _) => Ok(Origin::Balancer),
        (Command::Proxy, Protocol::Datagram) => Err(ProxyFault::Absent),
        (Command::Proxy, _) => Ok(match header.addresses {
            Addresses::IPv4(address) => Origin::Client(address.source_address.into()),
            Addresses::IPv6(address) => Origin::Client(IpAddr::from(address.source_address).to_canonical()),
            Addresses::Unix(_) | Addresses::Unspecified => Origin::Unknown,
        }),
    }
}

#[cfg(test)]
mod tests {
    use ppp::v2::PROTOCOL_PREFIX;
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    /// A header of a command, a family and what follows.
    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut octets = PROTOCOL_PREFIX.to_vec();
        octets.extend([0x20 | command, family]);
        octets.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        octets.extend(rest);
        octets
    }

    /// What is read of the octets, sent in pieces, and what is left behind.
    async fn read_of(octets: &[u8], piece: usize) -> (Result<Origin, String>, Vec<u8>) {
        let (mut ours, mut theirs) = duplex(piece);
        let sent = octets.to_vec();
        let sending = tokio::spawn(async move {
            let _ = ours.write_all(&sent).await;
            ours
        });
        let origin = origin(&mut theirs).await.map_err(|fault| fault.to_string());
        let mut rest = Vec::new();
        if origin.is_ok() {
            drop(sending);
            let _ = timeout(Duration::from_secs(1), theirs.read_to_end(&mut rest)).await;
        }
        (origin, rest)
    }

    #[tokio::test(start_paused = true)]
    async fn the_client_is_whom_the_header_names_and_nothing_behind_it_is_lost() {
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 200, 0, 0, 25];
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        let mut mapped = [0; 36];
        mapped[10..16].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 9]);
        let with_more = [&v4[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        let ip = |text: &str| Origin::Client(text.parse().unwrap());
        for (octets, expected) in [
            (header(1, 0x11, &v4), ip("192.0.2.7")),
            (header(1, 0x11, &with_more), ip("192.0.2.7")),
            (header(1, 0x21, &v6), ip("2001:db8::")),
            (header(1, 0x21, &mapped), ip("192.0.2.9")),
            (header(1, 0x31, &[b'x'; 216]), Origin::Unknown),
            (header(1, 0x00, &[]), Origin::Unknown),
            (header(0, 0x00, &[]), Origin::Balancer),
            (header(0, 0x11, &v4), Origin::Balancer),
        ] {
            for piece in [1, 7, 4096] {
                let sent = [&octets[..], b"EHLO a\r\n"].concat();
                let (origin, rest) = read_of(&sent, piece).await;
                assert_eq!(origin, Ok(expected));
                assert!(b"EHLO a\r\n".starts_with(&rest) && (piece < 4096 || rest.len() == 8), "{rest:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn anything_else_is_a_fault_and_is_not_waited_for_without_end() {
        let cut = &header(1, 0x11, &[192, 0, 2, 7, 10, 0, 0, 1, 200, 0, 0, 25])[..20];
        let mut wrong_version = header(1, 0x11, &[0; 12]);
        wrong_version[12] = 0x11;
        for (octets, words) in [
            (&b"EHLO a\r\n"[..], "no header"),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 51200 25\r\n", "no header"),
            (&wrong_version, "no header"),
            (&header(1, 0x11, &[0; 4]), "no header"),
            (&header(1, 0x12, &[0; 12]), "no header"),
            (&header(7, 0x11, &[0; 12]), "no header"),
            (&header(1, 0x11, &[0; 4000]), "longer than 2048"),
            (cut, "within 5 s"),
            (b"\r\n\r\n", "within 5 s"),
        ] {
            let fault = read_of(octets, 4096).await.0.expect_err(words);
            assert!(fault.contains(words), "{fault}");
        }
    }
}
