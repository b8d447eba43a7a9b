//! A client that sends octets as it is told and takes nothing for granted, in the clear or inside TLS.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::kit::make_private;
use crate::program::Site;

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(30);

trait Wire: Read + Write {
    /// Says `close_notify`, where there is TLS.
    fn end(&mut self) {}
}

impl Wire for TcpStream {}

impl Wire for StreamOwned<ClientConnection, TcpStream> {
    fn end(&mut self) {
        self.conn.send_close_notify();
        self.flush().unwrap();
    }
}

/// One connection.
pub(crate) struct Client {
    socket: TcpStream,
    wire: Box<dyn Wire>,
    heard: Vec<u8>,
}

impl Client {
    /// Connects and hears the greeting.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut client = Self { wire: Box::new(socket.try_clone().unwrap()), socket, heard: Vec::new() };
        let greeting = client.reply();
        assert!(greeting.starts_with("220 "), "{greeting}");
        client
    }

    /// The same inside TLS, by STARTTLS.
    pub(crate) fn secured(address: SocketAddr, certificate: &Path) -> Self {
        let mut client = Self::open(address);
        assert!(client.say("EHLO client.example").starts_with("250 "));
        assert!(client.say("STARTTLS").starts_with("220 "));
        client.shake_hands(certificate);
        client
    }

    /// Begins TLS on the connection.
    pub(crate) fn shake_hands(&mut self, certificate: &Path) {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = ClientConnection::new(Arc::new(config), "in.invited.example".try_into().unwrap()).unwrap();
        self.wire = Box::new(StreamOwned::new(tls, self.socket.try_clone().unwrap()));
    }

    /// Ends TLS, not the connection: what is sent after it goes in the clear.
    pub(crate) fn leave_tls(&mut self) {
        self.wire.end();
        self.wire = Box::new(self.socket.try_clone().unwrap());
    }

    /// Sends octets; whether the other side still took them.
    pub(crate) fn send(&mut self, octets: &[u8]) -> bool {
        self.wire.write_all(octets).and_then(|()| self.wire.flush()).is_ok()
    }

    /// The last line of the next reply; empty when the connection is over.
    pub(crate) fn reply(&mut self) -> String {
        loop {
            match self.line() {
                Some(line) if line.as_bytes().get(3) == Some(&b'-') => {}
                Some(line) => return line,
                None => return String::new(),
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        loop {
            if let Some(end) = self.heard.iter().position(|octet| *octet == b'\n') {
                let line = self.heard.drain(..=end).collect::<Vec<_>>();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let mut octets = [0; 4096];
            match self.wire.read(&mut octets) {
                Ok(0) => return None,
                Ok(count) => self.heard.extend_from_slice(&octets[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("no reply within {PATIENCE:?}");
                }
                Err(_) => return None,
            }
        }
    }

    /// Sends a line and hears the reply to it.
    pub(crate) fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// From EHLO to 354.
    pub(crate) fn begin(&mut self, from: &str, to: &str) {
        for line in ["EHLO client.example", &format!("MAIL FROM:<{from}>"), &format!("RCPT TO:<{to}>"), "DATA"] {
            let reply = self.say(line);
            assert!(reply.starts_with(['2', '3']), "{line}: {reply}");
        }
    }
}

/// A certificate for a site, and the line of its configuration.
pub(crate) fn certificate(site: &Site) -> (std::path::PathBuf, String) {
    let made = rcgen::generate_simple_self_signed(["in.invited.example".to_owned()]).unwrap();
    let (chain, key) = (site.path("chain.pem"), site.path("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    make_private(&key);
    let line = format!("{{ certificate = {chain:?}, key = {key:?} }}");
    (chain, line)
}

/// Adds to a site's configuration what the starter configuration has no line for.
pub(crate) fn add(site: &Site, text: &str) {
    let before = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), format!("{before}\n{text}\n")).unwrap();
}

/// The memory that a process holds, MiB (`VmRSS` of proc(5)). From now on its peak is counted anew.
pub(crate) fn resident(pid: u32) -> f64 {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    memory(pid, "VmRSS:")
}

/// The most that it has held since [`resident`] was asked, MiB.
pub(crate) fn peak(pid: u32) -> f64 {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
