//! The sockets that the door listens on: TCP, unix sockets that are made and removed with care, and those that the service manager
//! hands over.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};
use tracing::warn;

use crate::config::{ListenOn, Listener};

/// What is in force for one `[[listener]]`, which a reload can change.
pub type InForce = Arc<ArcSwap<Listener>>;

/// A socket that is listened on, and what is in force there.
#[derive(Debug)]
pub struct Listening {
    pub(crate) socket: Socket,
    in_force: InForce,
    /// Removed with the socket.
    _file: Option<SocketFile>,
}

#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Why a place cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {on}: {what}; {remedy}")]
pub struct ListenError {
    /// The place as the configuration names it.
    on: String,
    /// What is wrong.
    what: String,
    /// What helps.
    remedy: String,
}

impl Listening {
    /// What is in force on this socket.
    pub fn in_force(&self) -> &InForce {
        &self.in_force
    }

    /// The address, when it has one; the port filled in.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(_) => None,
        }
    }

    /// Where it listens, in the words of the configuration; the port filled in.
    pub fn place(&self) -> String {
        match &self.socket {
            Socket::Tcp(_) => self.address().map_or_else(|| "tcp".to_owned(), |address| address.to_string()),
            Socket::Unix(listener) => {
                let path = listener.local_addr().ok().and_then(|address| Some(address.as_pathname()?.to_owned()));
                path.map_or_else(|| "unix".to_owned(), |path| format!("unix:{}", path.display()))
            }
        }
    }
}

/// A plain listener for mail between servers.
impl From<TcpListener> for Listening {
    fn from(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
        let in_force = Arc::new(ArcSwap::from_pointee(Listener::plain(address)));
        Self { socket: Socket::Tcp(listener), in_force, _file: None }
    }
}

/// Opens every place that the configuration names.
///
/// # Errors
/// The first that cannot be listened on. Nothing is left of those before.
pub async fn open(listeners: &[Listener]) -> Result<Vec<Listening>, ListenError> {
    let by_manager = listeners.iter().any(|listener| matches!(listener.on, ListenOn::Systemd(_)));
    let mut handed = if by_manager { Handed::over()? } else { Handed::default() };
    let mut open = Vec::new();
    for listener in listeners {
        let sockets = match &listener.on {
            ListenOn::Tcp(address) => {
                let bound = TcpListener::bind(address).await.map_err(|error| at_address(*address, &error))?;
                vec![(Socket::Tcp(bound), None)]
            }
            ListenOn::Unix(path) => vec![at_path(path, listener.socket_mode)?],
            // The service manager made the file of a unix socket, and keeps it for the next daemon.
            ListenOn::Systemd(name) => handed.take(name)?.into_iter().map(|socket| (socket, None)).collect(),
        };
        let in_force = Arc::new(ArcSwap::from_pointee(listener.clone()));
        let listening = |(socket, file)| Listening { socket, in_force: Arc::clone(&in_force), _file: file };
        open.extend(sockets.into_iter().map(listening));
    }
    handed.tell_of_the_rest();
    Ok(open)
}

fn at_address(address: SocketAddr, error: &io::Error) -> ListenError {
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied if address.port() < 1024 => {
            "a port below 1024 needs a privilege: let systemd open it (on = \"systemd:smtp\"), or take a higher port and redirect to \
             it, see docs/operations.md"
        }
        ErrorKind::AddrInUse => {
            "another program listens there: find it with \"ss -ltnp\" and stop it, or take another port"
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address, see \"ip address\"",
        _ => "take another address",
    };
    ListenError { on: address.to_string(), what: error.to_string(), remedy: remedy.to_owned() }
}

fn at_path(path: &Path, mode: u32) -> Result<(Socket, Option<SocketFile>), ListenError> {
    let fault = |what: String, remedy: &str| ListenError {
        on: format!("unix:{}", path.display()),
        what,
        remedy: remedy.to_owned(),
    };
    remove_stale(path).map_err(|(what, remedy)| fault(what, remedy))?;
    let bound = UnixListener::bind(path).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::NotFound => "make its folder first (invited.tmpfiles makes /run/invited)",
            ErrorKind::PermissionDenied => {
                "the folder must be writable for this user, as /run/invited is by invited.tmpfiles"
            }
            _ => "take another path",
        };
        fault(error.to_string(), remedy)
    })?;
    // Taken before anything else can fail, so that the file does not stay.
    let file = SocketFile::at(path);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(|error| fault(format!("its mode cannot be set: {error}"), "take a folder of this user's own"))?;
    Ok((Socket::Unix(bound), file))
}

/// Takes away what a daemon left that was killed; whatever is in use, or no socket, stays.
fn remove_stale(path: &Path) -> Result<(), (String, &'static str)> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(("there is a file that is no socket".to_owned(), "take another path, or move the file away"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path)
            .map_err(|error| (format!("a socket of an earlier run cannot be removed: {error}"), "remove it by hand")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => {
            Err((format!("the socket that is there cannot be asked: {error}"), "remove it if nobody needs it"))
        }
        Ok(_) => Err((
            "another program listens there".to_owned(),
            "find it with \"ss -lxp\" and stop it, or take another path",
        )),
    }
}

/// The file of a unix socket; removed when this is dropped, unless another program has put its own in place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    made: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> Option<Self> {
        Some(Self { path: path.to_owned(), made: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path) == Some(self.made)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            warn!(path = %self.path.display(), %error, "the socket could not be removed");
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// What the service manager handed over (sd_listen_fds(3)), each with its name.
#[derive(Default)]
struct Handed {
    names: Vec<String>,
    sockets: Option<ListenFd>,
    taken: Vec<usize>,
}

impl Handed {
    fn over() -> Result<Self, ListenError> {
        let names = sd_notify::listen_fds_with_names().map_err(|error| ListenError {
            on: "the service manager's sockets".to_owned(),
            what: error.to_string(),
            remedy: "see LISTEN_FDS and LISTEN_FDNAMES in the environment".to_owned(),
        })?;
        let names = names.map(|(_, name)| name).collect::<Vec<_>>();
        let sockets = (!names.is_empty()).then(ListenFd::from_env);
        Ok(Self { names, sockets, taken: Vec::new() })
    }

    /// Every socket of this name.
    fn take(&mut self, name: &str) -> Result<Vec<Socket>, ListenError> {
        let fault = |what: String, remedy: String| ListenError { on: format!("systemd:{name}"), what, remedy };
        let mut sockets = Vec::new();
        let indices = self.names.iter().enumerate().filter(|(_, other)| *other == name).map(|(index, _)| index);
        for index in indices.collect::<Vec<_>>() {
            let Some(handed) = &mut self.sockets else { break };
            sockets.push(adopted(handed, index).map_err(|error| {
                fault(error.to_string(), "the .socket unit must say ListenStream= and Accept=no".to_owned())
            })?);
            self.taken.push(index);
        }
        if sockets.is_empty() {
            let there = match self.names.join(", ") {
                none if none.is_empty() => "no socket was handed over".to_owned(),
                names => format!("no socket of this name was handed over, but {names}"),
            };
            let remedy = format!("start the .socket unit, with FileDescriptorName={name} in it, before the service");
            return Err(fault(there, remedy));
        }
        Ok(sockets)
    }

    /// Clients would wait there for ever.
    fn tell_of_the_rest(&self) {
        for (_, name) in self.names.iter().enumerate().filter(|(index, _)| !self.taken.contains(index)) {
            warn!(name, "a socket was handed over that no [[listener]] names: clients of it are not answered");
        }
    }
}

fn adopted(handed: &mut ListenFd, index: usize) -> io::Result<Socket> {
    if let Ok(Some(listener)) = handed.take_tcp_listener(index) {
        listener.set_nonblocking(true)?;
        return TcpListener::from_std(listener).map(Socket::Tcp);
    }
    let listener = handed.take_unix_listener(index)?.ok_or(ErrorKind::NotFound)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener).map(Socket::Unix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(on: ListenOn) -> Listener {
        Listener { on, ..Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0))) }
    }

    async fn opened(on: ListenOn) -> Result<Listening, String> {
        let opened = open(&[listener(on)]).await.map_err(|error| error.to_string())?;
        Ok(opened.into_iter().next().unwrap())
    }

    #[tokio::test]
    async fn a_unix_socket_is_made_with_its_mode_and_removed_when_it_is_not_needed_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lmtp.sock");
        let on = ListenOn::Unix(path.clone());
        let first = opened(on.clone()).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!((first.place(), first.address()), (on.to_string(), None));
        let refused = opened(on.clone()).await.unwrap_err();
        assert!(refused.contains("another program listens there; find it"), "{refused}");
        assert!(path.exists(), "what is in use stays");
        drop(first);
        assert!(!path.exists());

        // A daemon that was killed leaves its file.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let second = opened(on.clone()).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let others = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(second);
        assert!(path.exists(), "the socket of whoever came after us stays");
        drop(others);
        std::fs::remove_file(&path).unwrap();

        std::fs::write(&path, "a file of somebody's").unwrap();
        let refused = opened(on).await.unwrap_err();
        assert!(refused.contains("no socket; take another path"), "{refused}");
        assert!(path.is_file());
        let nowhere = opened(ListenOn::Unix(folder.path().join("run/lmtp.sock"))).await.unwrap_err();
        assert!(nowhere.contains("make its folder first"), "{nowhere}");
    }

    #[tokio::test]
    async fn what_cannot_be_listened_on_names_the_remedy() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let in_use = opened(ListenOn::Tcp(taken.local_addr().unwrap())).await.unwrap_err();
        assert!(in_use.contains("ss -ltnp"), "{in_use}");
        // TEST-NET-1 (RFC 5737) is nobody's address.
        let absent = opened(ListenOn::Tcp("192.0.2.1:0".parse().unwrap())).await.unwrap_err();
        assert!(absent.contains("no such address"), "{absent}");
        let unhanded = opened(ListenOn::Systemd("smtp".to_owned())).await.unwrap_err();
        assert!(unhanded.contains("systemd:smtp: no socket was handed over; start the .socket unit"), "{unhanded}");
        let denied = at_address("0.0.0.0:25".parse().unwrap(), &ErrorKind::PermissionDenied.into()).to_string();
        assert!(denied.contains("let systemd open it"), "{denied}");
    }
}
