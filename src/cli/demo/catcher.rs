//! The demo's relay: an embedded SMTP server that files what it gets in a Maildir. It is `mailin-embedded`, which is at home here,
//! where its only client is ourselves; why it is not our own door, the README tells.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mailin_embedded::{Handler, Response, Server, SslConfig, response};

use super::Failure;

/// A relay that runs until the process ends.
pub(super) struct Catcher {
    address: SocketAddr,
    folder: PathBuf,
}

impl Catcher {
    /// Starts it on a free port of the loopback, on a thread of its own: it has no other way to run, and none to stop.
    pub(super) fn start(maildir: &Path) -> Result<Self, Failure> {
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(maildir.join(part))?;
        }
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let filing = Filing { folder: maildir.to_owned(), count: Arc::default(), message: Vec::new() };
        let mut server = Server::new(filing);
        server.with_name("relay.demo.invalid").with_tcp_listener(listener);
        server
            .with_ssl(SslConfig::None)
            .map_err(|error| Failure::Undone(format!("the relay cannot start: {error}")))?;
        std::thread::Builder::new().name("demo relay".to_owned()).spawn(move || {
            if let Err(error) = server.serve() {
                tracing::error!(%error, "the demo's relay ended");
            }
        })?;
        Ok(Self { address, folder: maildir.to_owned() })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its Maildir.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of the letter with this Message-ID.
    pub(super) fn find(&self, message_id: &str) -> io::Result<Option<PathBuf>> {
        let wanted = format!("<{message_id}>");
        for entry in fs::read_dir(self.folder.join("new"))? {
            let path = entry?.path();
            if String::from_utf8_lossy(&fs::read(&path)?).contains(&wanted) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

/// Files one message a session at a time; cloned for each session.
#[derive(Clone)]
struct Filing {
    folder: PathBuf,
    count: Arc<AtomicU64>,
    message: Vec<u8>,
}

impl Filing {
    /// Written to `tmp`, made durable, then moved to `new`: whoever sees it sees all of it.
    fn file(&self) -> io::Result<()> {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("{number}.{}.demo", std::process::id());
        let tmp = self.folder.join("tmp").join(&name);
        let mut file = fs::File::create(&tmp)?;
        file.write_all(&self.message)?;
        file.sync_all()?;
        fs::rename(tmp, self.folder.join("new").join(name))
    }
}

impl Handler for Filing {
    fn helo(&mut self, _ip: IpAddr, _domain: &str) -> Response {
        response::OK
    }

    fn data_start(&mut self, _domain: &str, _from: &str, _is8bit: bool, _to: &[String]) -> Response {
        self.message.clear();
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.message.extend_from_slice(line);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        match self.file() {
            Ok(()) => response::OK,
            Err(error) => {
                tracing::error!(%error, "the demo's relay cannot file a letter");
                response::INTERNAL_ERROR
            }
        }
    }
}
