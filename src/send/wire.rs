//! The stream under lettre's SMTP client: it hands replies out line by line, so that nothing a relay says out of turn can be
//! taken for an answer, writes a letter and its final dot in one go, and knows afterwards whether that dot can have left.
//!
//! lettre alone would read ahead into a buffer that nobody else can see. A second reply in the same packet, or one injected
//! before a TLS handshake, would then answer a later command; at the final dot that is a letter counted as delivered.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::client::TlsStream;

/// The longest reply line that is read, bytes. RFC 5321 4.5.3.1.5 says 512; lettre takes 1000.
const REPLY_LINE: usize = 4_096;

/// How many bytes are read at once.
const READ: usize = 2_048;

/// What ends a letter (RFC 5321 4.1.1.4). Dot-stuffing keeps it out of the letter itself.
const END_OF_DATA: &[u8] = b"\r\n.\r\n";

/// A connection's stream. Clones are handles to the same stream: one for lettre, one for the watch over it.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<State>>);

/// What the bytes travel over.
pub(super) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// The TCP stream was taken out for a TLS handshake.
    Gone,
}

struct State {
    io: Io,
    peer: SocketAddr,
    /// Bytes that were read and are not yet handed out.
    input: Vec<u8>,
    /// The line that is being handed out, and how much of it was.
    line: Vec<u8>,
    handed: usize,
    /// The relay has closed its side.
    ended: bool,
    /// Bytes to be written with the next flush, and how many of them were.
    output: Vec<u8>,
    written: usize,
    /// Something was ever written.
    spoken: bool,
    /// A letter is being written: hold it back until its dot is there too.
    letter: bool,
    /// The last byte of the letter's end was handed to the kernel or to TLS.
    dot_sent: bool,
    /// Everything written since the watch began is on its way: it is the relay's turn.
    flushed: bool,
    /// QUIT was written: no answer is waited for.
    leaving: bool,
    /// EHLO replies are read in upper case, since lettre compares keywords letter by letter and RFC 5321 2.4 does not.
    hello: bool,
    /// The line before was a 250 with more to come.
    continued: bool,
    /// A 250 listed the keyword PIPELINING.
    pipelining: bool,
}

/// Why a watched step did not end.
pub(super) struct Silent(pub(super) Duration);

impl Wire {
    /// A stream whose first line, if any, is given: after STARTTLS no greeting follows, but lettre reads one.
    pub(super) fn new(io: Io, peer: SocketAddr, greeting: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(State {
            io,
            peer,
            input: greeting.to_vec(),
            line: Vec::new(),
            handed: 0,
            ended: false,
            output: Vec::new(),
            written: 0,
            spoken: false,
            letter: false,
            dot_sent: false,
            flushed: false,
            leaving: false,
            hello: true,
            continued: false,
            pipelining: false,
        })))
    }

    /// The handshake is over; replies are handed out as they are written.
    pub(super) fn settle(&self) {
        self.state().hello = false;
    }

    /// Whether the EHLO reply on this stream offered PIPELINING (RFC 2920). A stream has one EHLO: TLS makes a new one of it.
    pub(super) fn offers_pipelining(&self) -> bool {
        self.state().pipelining
    }

    /// Whether anything was written yet.
    pub(super) fn has_spoken(&self) -> bool {
        self.state().spoken
    }

    /// Whether the relay has closed the connection.
    pub(super) fn has_ended(&self) -> bool {
        self.state().ended
    }

    /// From now on a letter is written: it is held back until its end is there, then both leave together.
    pub(super) fn begin_letter(&self) {
        let mut state = self.state();
        state.letter = true;
        state.dot_sent = false;
    }

    /// The letter was answered.
    pub(super) fn end_letter(&self) {
        self.state().letter = false;
    }

    /// Whether the final dot can have reached the relay. `false` is certain.
    pub(super) fn dot_sent(&self) -> bool {
        self.state().dot_sent
    }

    /// What the relay did although it was not its turn, if anything: closed the connection, or said something. Asks the socket
    /// without waiting, so it costs no round trip.
    pub(super) fn interruption(&self) -> Option<String> {
        let mut state = self.state();
        if state.input.is_empty() && state.handed == state.line.len() && !state.ended {
            let mut context = Context::from_waker(Waker::noop());
            match state.fill(&mut context) {
                Poll::Pending => return None,
                Poll::Ready(Err(error)) => return Some(format!("the connection broke: {error}")),
                Poll::Ready(Ok(())) => {}
            }
        }
        if state.input.is_empty() && state.ended {
            return Some("the relay had closed the connection".to_owned());
        }
        Some(format!("the relay spoke out of turn: {}", String::from_utf8_lossy(&state.input)))
    }

    /// Takes the TCP stream out for a TLS handshake; `None` when there is none.
    pub(super) fn take_tcp(&self) -> Option<TcpStream> {
        match std::mem::replace(&mut self.state().io, Io::Gone) {
            Io::Plain(tcp) => Some(tcp),
            Io::Tls(_) | Io::Gone => None,
        }
    }

    /// Runs one step against the clock: `before` until everything is written, then `after` for the answer.
    pub(super) async fn watch<F: Future>(
        &self,
        before: Duration,
        after: Duration,
        step: F,
    ) -> Result<F::Output, Silent> {
        self.state().flushed = false;
        let mut step = std::pin::pin!(step);
        let mut limit = before;
        let mut timer = std::pin::pin!(sleep_until(Instant::now() + before));
        let mut answering = false;
        std::future::poll_fn(|context| {
            if let Poll::Ready(output) = step.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            if !answering && self.state().flushed {
                answering = true;
                limit = after;
                timer.as_mut().reset(Instant::now() + after);
            }
            timer.as_mut().poll(context).map(|()| Err(Silent(limit)))
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether Nagle's algorithm is off.
    #[cfg(test)]
    pub(super) fn nodelay(&self) -> bool {
        match &self.state().io {
            Io::Plain(tcp) => tcp.nodelay().unwrap(),
            Io::Tls(tls) => tls.get_ref().0.nodelay().unwrap(),
            Io::Gone => false,
        }
    }
}

impl State {
    /// Reads some bytes; at the end of the stream sets `ended`.
    fn fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; READ];
        let mut buffer = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer))?;
        self.ended |= buffer.filled().is_empty();
        self.input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }

    /// Moves the next line from `input` to `line`: a complete one made tidy, or the torn rest before the end of the stream.
    fn next_line(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut searched = 0;
        let end = loop {
            if let Some(found) = memchr::memchr(b'\n', &self.input[searched..]) {
                break searched + found + 1;
            }
            if self.ended {
                break self.input.len();
            }
            searched = self.input.len();
            if searched > REPLY_LINE {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "a reply line without an end")));
            }
            ready!(self.fill(context))?;
        };
        self.line.clear();
        self.handed = 0;
        self.line.extend(self.input.drain(..end));
        if self.line.ends_with(b"\n") {
            tidy(&mut self.line, self.hello);
            if self.hello {
                self.note_keyword();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Remembers the keyword that lettre does not know. The first line of an EHLO reply is the relay's name (RFC 5321 4.1.1.1),
    /// so only a line that continues a reply counts.
    fn note_keyword(&mut self) {
        let words = if self.continued { self.line.strip_prefix(b"250") } else { None };
        let keyword = words.and_then(|words| words.get(1..)?.split(u8::is_ascii_whitespace).next());
        self.pipelining |= keyword == Some(b"PIPELINING");
        self.continued = self.line.starts_with(b"250-");
    }

    fn drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.letter && !self.output.ends_with(END_OF_DATA) {
            return Poll::Ready(Ok(()));
        }
        while self.written < self.output.len() {
            let accepted = ready!(Pin::new(&mut self.io).poll_write(context, &self.output[self.written..]))?;
            if accepted == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += accepted;
        }
        self.dot_sent |= self.letter && !self.output.is_empty();
        ready!(Pin::new(&mut self.io).poll_flush(context))?;
        self.output.clear();
        self.written = 0;
        self.flushed = true;
        Poll::Ready(Ok(()))
    }
}

/// Makes a reply line one that lettre reads: CRLF at its end, a blank after a code that stands alone (both RFC 5321 4.2), and
/// UTF-8, since a German "Postfach überfüllt" in Latin-1 is still a clear 552.
fn tidy(line: &mut Vec<u8>, hello: bool) {
    line.truncate(line.trim_ascii_end().len());
    if line.len() == 3 {
        line.push(b' ');
    }
    if std::str::from_utf8(line).is_err() {
        line.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
    }
    if hello && line.starts_with(b"250") {
        line.make_ascii_uppercase();
    }
    line.extend_from_slice(b"\r\n");
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.leaving {
            return Poll::Ready(Ok(()));
        }
        if state.handed == state.line.len() {
            ready!(state.next_line(context))?;
        }
        let rest = &state.line[state.handed..];
        let rest = &rest[..rest.len().min(buffer.remaining())];
        buffer.put_slice(rest);
        state.handed += rest.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        state.spoken = true;
        state.leaving |= bytes == b"QUIT\r\n";
        state.output.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state().drain(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.state().io).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.state().peer)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(context),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A wire and the other end of it, which never blocks.
    async fn pair() -> (Wire, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (peer, address) = listener.accept().unwrap();
        peer.set_nonblocking(true).unwrap();
        (Wire::new(Io::Plain(tcp), address, b""), peer)
    }

    #[tokio::test]
    async fn a_letter_leaves_together_with_its_dot_and_not_before() {
        let (mut wire, mut peer) = pair().await;
        let mut bytes = [0; 100];
        wire.begin_letter();
        wire.write_all(b"Subject: x\r\n\r\n..").await.unwrap();
        wire.flush().await.unwrap();
        assert_eq!(peer.read(&mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(!wire.dot_sent());
        wire.write_all(END_OF_DATA).await.unwrap();
        wire.flush().await.unwrap();
        assert!(wire.dot_sent());
        let count = peer.read(&mut bytes).unwrap();
        assert_eq!(&bytes[..count], b"Subject: x\r\n\r\n..\r\n.\r\n");
    }

    #[tokio::test]
    async fn replies_are_handed_out_line_by_line_and_what_is_left_is_noticed() {
        use std::io::Write as _;
        let (mut wire, mut peer) = pair().await;
        assert_eq!(wire.interruption(), None);
        peer.write_all(b"250-one\n250\r\n250 b\xe9\r\n42").unwrap();
        let mut bytes = [0; 100];
        for line in ["250-ONE\r\n", "250 \r\n", "250 B?\r\n"] {
            let count = wire.read(&mut bytes).await.unwrap();
            assert_eq!(std::str::from_utf8(&bytes[..count]), Ok(line));
        }
        assert_eq!(wire.interruption().as_deref(), Some("the relay spoke out of turn: 42"));
        drop(peer);
        let count = wire.read(&mut bytes).await.unwrap();
        assert_eq!((&bytes[..count], wire.has_ended()), (&b"42"[..], true), "a torn line stays torn");
        assert_eq!(wire.interruption().as_deref(), Some("the relay had closed the connection"));
    }
}
