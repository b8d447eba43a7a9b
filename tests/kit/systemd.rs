//! What a daemon tells systemd, read by a test in systemd's place: everything at once, since a daemon waits for a socket that is full.
//! A test binary includes `it/kit.rs` (as `kit`) beside this file.

#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]
#![allow(dead_code, reason = "every test binary uses its own part of the kit")]

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::kit::until;

/// Takes the place of systemd for one daemon, of which it wants a sign of life within 200 ms.
pub(crate) struct Systemd {
    path: PathBuf,
    told: UnboundedReceiver<String>,
}

impl Systemd {
    /// Listens at `path`.
    pub(crate) fn bind(path: PathBuf) -> Self {
        let socket = UnixDatagram::bind(&path).unwrap();
        let (tells, told) = unbounded_channel();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer).await {
                let _ = tells.send(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        });
        Self { path, told }
    }

    /// What the daemon is to be started with.
    pub(crate) fn environment(&self) -> [(&'static str, &OsStr); 2] {
        [("NOTIFY_SOCKET", self.path.as_os_str()), ("WATCHDOG_USEC", OsStr::new("200000"))]
    }

    /// The next message, all its lines.
    pub(crate) async fn next(&mut self) -> String {
        until("systemd is told something", async || self.told.recv().await).await
    }

    /// The next messages up to one with this line; gives their lines.
    pub(crate) async fn until(&mut self, wanted: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while !lines.iter().any(|line| line == wanted) {
            lines.extend(self.next().await.lines().map(ToOwned::to_owned));
        }
        lines
    }

    /// Drops what was said so far.
    pub(crate) fn forget(&mut self) {
        while self.told.try_recv().is_ok() {}
    }

    /// Waits until it has been silent for so long.
    pub(crate) async fn until_silent(&mut self, span: Duration) {
        let silence = async { while let Ok(Some(_)) = tokio::time::timeout(span, self.told.recv()).await {} };
        tokio::time::timeout(20 * span, silence).await.expect("it goes on talking");
    }
}
