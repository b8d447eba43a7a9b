//! A DNS server that answers as it is told: with records, with nothing, with an error, or not at all. It remembers what it was asked.

#![allow(dead_code, reason = "every test binary uses its own part of the kit")]

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

/// What is said of a name.
#[derive(Clone)]
pub(crate) enum Says {
    /// A TXT record, in strings of 255 bytes at most; others are not there.
    Txt(String),
    /// An A record.
    Address(Ipv4Addr),
    /// The name is there and has no records.
    Nothing,
    /// SERVFAIL.
    Fails,
    /// REFUSED.
    Refuses,
    /// No answer.
    Silence,
    /// By UDP only that the answer is too long; by TCP the record.
    TxtByTcp(String),
}

/// A DNS server on this machine. What it knows nothing of is not there (NXDOMAIN).
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Default)]
struct Zone {
    names: HashMap<String, Says>,
    asked: Vec<String>,
}

impl Dns {
    pub(crate) async fn start() -> Self {
        // The port must be free for both.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("an address")).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().expect("an address");
        let zone = Arc::new(Mutex::new(Zone::default()));
        let tasks = [tokio::spawn(by_udp(udp, Arc::clone(&zone))), tokio::spawn(by_tcp(tcp, Arc::clone(&zone)))];
        Self { address, zone, tasks }
    }

    /// From now on this is said of a name, for any type of record but as `says` has it.
    pub(crate) fn say(&self, name: &str, says: Says) {
        self.zone.lock().expect("a zone").names.insert(name.to_ascii_lowercase(), says);
    }

    /// Nothing is there any more, and nothing was asked.
    pub(crate) fn forget(&self) {
        *self.zone.lock().expect("a zone") = Zone::default();
    }

    /// A TXT record.
    pub(crate) fn txt(&self, name: &str, text: &str) {
        self.say(name, Says::Txt(text.to_owned()));
    }

    /// The names that were asked for, in their order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.zone.lock().expect("a zone").asked.clone()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn by_udp(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut question = vec![0; 4096];
    while let Ok((length, client)) = socket.recv_from(&mut question).await {
        if let Some(answer) = answer(&question[..length], &zone, false) {
            let _ = socket.send_to(&answer, client).await;
        }
    }
}

async fn by_tcp(listener: TcpListener, zone: Arc<Mutex<Zone>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        while let Ok(length) = stream.read_u16().await {
            let mut question = vec![0; usize::from(length)];
            if stream.read_exact(&mut question).await.is_err() {
                break;
            }
            let Some(answer) = answer(&question, &zone, true) else { break };
            let length = u16::try_from(answer.len()).expect("a short answer");
            let framed = [&length.to_be_bytes()[..], &answer].concat();
            if stream.write_all(&framed).await.is_err() {
                break;
            }
        }
    }
}

/// The answer (RFC 1035, section 4) to a question, or none.
fn answer(question: &[u8], zone: &Mutex<Zone>, by_tcp: bool) -> Option<Vec<u8>> {
    const TXT: u16 = 16;
    const A: u16 = 1;
    let (name, end) = name_at(question, 12);
    let kind = u16::from_be_bytes([question[end], question[end + 1]]);
    let says = {
        let mut zone = zone.lock().expect("a zone");
        zone.asked.push(name.clone());
        zone.names.get(&name).cloned()
    };
    let (code, truncated, data) = match says {
        None => (3, false, None),
        Some(Says::Silence) => return None,
        Some(Says::Fails) => (2, false, None),
        Some(Says::Refuses) => (5, false, None),
        Some(Says::TxtByTcp(_)) if !by_tcp => (0, true, None),
        Some(Says::Txt(text) | Says::TxtByTcp(text)) if kind == TXT => (0, false, Some(strings(&text))),
        Some(Says::Address(address)) if kind == A => (0, false, Some(address.octets().to_vec())),
        Some(_) => (0, false, None),
    };
    let mut out = question[..2].to_vec();
    // An answer with recursion, perhaps cut, and its code.
    out.extend([0x81 | if truncated { 0x02 } else { 0 }, 0x80 | code]);
    out.extend([0, 1, 0, u8::from(data.is_some()), 0, 0, 0, 0]);
    out.extend(&question[12..end + 4]);
    if let Some(data) = data {
        // The name is that of the question, kept for an hour.
        out.extend([0xC0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0x0E, 0x10]);
        out.extend(u16::try_from(data.len()).expect("a short record").to_be_bytes());
        out.extend(data);
    }
    Some(out)
}

fn strings(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(255)
        .flat_map(|chunk| [&[u8::try_from(chunk.len()).expect("255 at most")], chunk].concat())
        .collect()
}

/// The name that begins here, in lower case, and where it ends.
fn name_at(message: &[u8], mut at: usize) -> (String, usize) {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(message[at]);
        at += 1;
        if length == 0 {
            return (labels.join("."), at);
        }
        labels.push(String::from_utf8_lossy(&message[at..at + length]).to_ascii_lowercase());
        at += length;
    }
}
