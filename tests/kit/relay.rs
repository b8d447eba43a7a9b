//! A relay for tests: an SMTP server on a free loopback port that does at each step what a script says (answers, keeps
//! silent, hangs up, talks nonsense) and remembers every letter it took and every line it heard.
//!
//! The script is a function of the [`Moment`], so it can single out a connection, a letter or a recipient:
//!
//! ```ignore
//! let relay = TestRelay::start(|moment| match moment {
//!     Moment { at: At::Rcpt, rcpt, .. } if rcpt.starts_with("gone@") => Act::Reply("550 5.1.1 no such user"),
//!     Moment { at: At::Dot, letter: 3, .. } => Act::Kept(Box::new(Act::Close)), // delivered, but the answer is lost
//!     _ => Act::Ok,
//! }).await;
//! ```

#![expect(clippy::unwrap_used, reason = "a relay that fails to start fails its test")]
#![allow(dead_code, reason = "every test binary uses its own part of the kit")]

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// The step the relay is about to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Dot,
    Rset,
    Quit,
}

/// Where a conversation is, for the script.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) at: At,
    /// Which connection, from 0.
    pub(crate) connection: usize,
    /// Which transaction of the relay (counted at MAIL), from 0.
    pub(crate) letter: usize,
    /// The recipient, from RCPT on.
    pub(crate) rcpt: String,
}

/// What the relay does.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// What a good relay answers.
    Ok,
    /// This reply line; CRLF is added.
    Reply(&'static str),
    /// These bytes as they are, and on with the conversation.
    Raw(&'static [u8]),
    /// These bytes as they are, then the connection is closed.
    Half(&'static [u8]),
    /// No answer, the connection stays open.
    Silence,
    /// No answer, the connection is closed.
    Close,
    /// As the other, after this time.
    After(Duration, Box<Act>),
    /// As the other, as soon as this is true.
    When(watch::Receiver<bool>, Box<Act>),
    /// At the dot: the letter is kept, whatever the answer.
    Kept(Box<Act>),
}

/// A letter that the relay took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) connection: usize,
    /// The reverse-path between its angle brackets.
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// The message, dots unstuffed, without the final dot.
    pub(crate) data: Vec<u8>,
}

/// What a relay is beside its script.
#[derive(Default, Clone)]
pub(crate) struct Kit {
    /// Offers STARTTLS (or, with `implicit`, begins with TLS) with this certificate.
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) implicit: bool,
    /// Offers AUTH PLAIN and LOGIN and wants this user and password.
    pub(crate) login: Option<(&'static str, &'static str)>,
    /// More EHLO keywords.
    pub(crate) offers: Vec<&'static str>,
    /// How answers come.
    pub(crate) pace: Pace,
}

/// How the relay's answers come to the client.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Each when it is due.
    #[default]
    Each,
    /// Held back while there are more commands to be answered, as Postfix does: a group's in one packet.
    Gathered,
    /// Byte by byte.
    Trickled,
}

/// A running relay; it ends with the runtime.
#[derive(Clone)]
pub(crate) struct TestRelay {
    pub(crate) address: SocketAddr,
    house: Arc<House>,
}

type Script = dyn Fn(&Moment) -> Act + Send + Sync;

struct House {
    script: Box<Script>,
    kit: Kit,
    seen: watch::Sender<Seen>,
    letters: Mutex<usize>,
}

/// What the relay has seen so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The letters it took, in order.
    pub(crate) taken: Vec<Taken>,
    /// Every command line with its connection, without CRLF; AUTH without its secret.
    pub(crate) lines: Vec<(usize, String)>,
    /// Commands that came with the next one right behind them.
    pub(crate) pipelined: usize,
    /// Final dots received.
    pub(crate) dots: usize,
    /// Octets received after a 354 whose dot never came.
    pub(crate) torn: usize,
    /// Connections in all, now, and at most at one time.
    pub(crate) connections: usize,
    pub(crate) open: usize,
    pub(crate) most_open: usize,
    /// Transactions under way, from MAIL until the dot is answered, now and at most at one time.
    pub(crate) busy: usize,
    pub(crate) most_busy: usize,
}

impl TestRelay {
    pub(crate) async fn start(script: impl Fn(&Moment) -> Act + Send + Sync + 'static) -> Self {
        Self::start_with(Kit::default(), script).await
    }

    pub(crate) async fn start_with(kit: Kit, script: impl Fn(&Moment) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = watch::Sender::new(Seen::default());
        let house = Arc::new(House { script: Box::new(script), kit, seen, letters: Mutex::new(0) });
        let relay = Self { address, house: Arc::clone(&house) };
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let house = Arc::clone(&house);
                tokio::spawn(async move {
                    let mut connection = 0;
                    house.seen.send_modify(|seen| {
                        connection = seen.connections;
                        seen.connections += 1;
                        seen.open += 1;
                        seen.most_open = seen.most_open.max(seen.open);
                    });
                    tcp.set_nodelay(true).unwrap();
                    // A conversation may end by any error: that is what the tests are about.
                    let _ = house.serve(tcp, connection).await;
                    house.seen.send_modify(|seen| seen.open -= 1);
                });
            }
        });
        relay
    }

    /// What was seen until now.
    pub(crate) fn seen(&self) -> Seen {
        self.house.seen.borrow().clone()
    }

    /// Waits until the condition holds; panics if it does not within a minute of tokio's time.
    pub(crate) async fn until(&self, condition: impl FnMut(&Seen) -> bool) -> Seen {
        let mut watched = self.house.seen.subscribe();
        let met = tokio::time::timeout(Duration::from_secs(60), watched.wait_for(condition)).await;
        met.expect("the relay sees it within a minute").unwrap().clone()
    }

    /// The letters taken until now.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.seen().taken
    }
}

/// What follows an answer.
#[derive(PartialEq)]
enum Next {
    /// The step was answered as a good relay would, or by raw bytes: what a good answer leads to may follow.
    Good,
    Go,
    Tls,
    End,
}

/// A conversation's state.
struct Talk {
    moment: Moment,
    /// The reverse-path, once MAIL was taken.
    from: Option<String>,
    /// The recipients that were taken.
    to: Vec<String>,
    tls: bool,
    transaction: Option<Transaction>,
}

/// A transaction under way; over when it is dropped.
struct Transaction(watch::Sender<Seen>);

impl Transaction {
    fn begin(seen: &watch::Sender<Seen>) -> Self {
        seen.send_modify(|seen| {
            seen.busy += 1;
            seen.most_busy = seen.most_busy.max(seen.busy);
        });
        Self(seen.clone())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.0.send_modify(|seen| seen.busy -= 1);
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The client's end of a connection.
struct Peer {
    stream: BufReader<Box<dyn Stream>>,
    pace: Pace,
    /// Answers that are held back.
    held: Vec<u8>,
}

impl House {
    async fn serve(&self, tcp: tokio::net::TcpStream, connection: usize) -> io::Result<()> {
        let moment = Moment { at: At::Greeting, connection, letter: 0, rcpt: String::new() };
        let mut talk = Talk { moment, from: None, to: Vec::new(), tls: self.kit.implicit, transaction: None };
        let mut peer = Peer { stream: BufReader::new(Box::new(tcp)), pace: self.kit.pace, held: Vec::new() };
        if self.kit.implicit {
            peer = self.upgrade(peer).await?;
        }
        if self.act(&mut peer, &mut talk, At::Greeting, "220 relay.example.com ESMTP").await?.0 == Next::End {
            return Ok(());
        }
        let mut line = String::new();
        loop {
            line.clear();
            if peer.stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            match self.answer(&mut peer, &mut talk, line.trim_end()).await? {
                Next::Good | Next::Go => {}
                Next::Tls => {
                    peer = self.upgrade(peer).await?;
                    talk.tls = true;
                }
                Next::End => return Ok(()),
            }
        }
    }

    async fn upgrade(&self, peer: Peer) -> io::Result<Peer> {
        let acceptor = TlsAcceptor::from(self.kit.tls.clone().expect("a TLS kit"));
        let stream: Box<dyn Stream> = Box::new(acceptor.accept(peer.stream.into_inner()).await?);
        Ok(Peer { stream: BufReader::new(stream), ..peer })
    }

    async fn answer(&self, peer: &mut Peer, talk: &mut Talk, line: &str) -> io::Result<Next> {
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let heard = if verb == "AUTH" { "AUTH" } else { line };
        self.seen.send_modify(|seen| {
            seen.lines.push((talk.moment.connection, heard.to_owned()));
            seen.pipelined += usize::from(!peer.stream.buffer().is_empty());
        });
        match verb.as_str() {
            "EHLO" => Ok(self.act(peer, talk, At::Ehlo, &self.offers(talk.tls)).await?.0),
            "STARTTLS" => match self.act(peer, talk, At::StartTls, "220 go ahead").await?.0 {
                Next::Good => Ok(Next::Tls),
                next => Ok(next),
            },
            "AUTH" => self.login(peer, talk, line).await,
            "MAIL" => {
                (talk.from, talk.to) = (None, Vec::new());
                talk.moment.rcpt.clear();
                talk.transaction = None;
                talk.transaction = Some(Transaction::begin(&self.seen));
                {
                    let mut letters = self.letters.lock().unwrap();
                    talk.moment.letter = *letters;
                    *letters += 1;
                }
                let (next, taken) = self.act(peer, talk, At::Mail, "250 2.1.0 Ok").await?;
                talk.from = taken.then(|| path(line));
                Ok(next)
            }
            "RCPT" => {
                talk.moment.rcpt = path(line);
                let good = if talk.from.is_some() { "250 2.1.5 Ok" } else { "503 5.5.1 MAIL first" };
                let (next, taken) = self.act(peer, talk, At::Rcpt, good).await?;
                talk.to.extend(taken.then(|| path(line)));
                Ok(next)
            }
            "DATA" => {
                let good = if talk.to.is_empty() { "554 5.5.1 no valid recipients" } else { "354 go on" };
                match self.act(peer, talk, At::Data, good).await? {
                    (Next::Good, true) => self.letter(peer, talk).await,
                    (next, _) => Ok(next),
                }
            }
            "RSET" => {
                (talk.from, talk.to, talk.transaction) = (None, Vec::new(), None);
                Ok(self.act(peer, talk, At::Rset, "250 2.0.0 Ok").await?.0)
            }
            "QUIT" => self.act(peer, talk, At::Quit, "221 2.0.0 Bye").await.map(|_| Next::End),
            _ => say(peer, b"500 5.5.2 what?\r\n").await,
        }
    }

    fn offers(&self, tls: bool) -> String {
        let mut reply = "250-relay.example.com\r\n".to_owned();
        if self.kit.tls.is_some() && !tls {
            reply += "250-STARTTLS\r\n";
        }
        if self.kit.login.is_some() {
            reply += "250-AUTH PLAIN LOGIN\r\n";
        }
        self.kit.offers.iter().for_each(|offer| reply += &format!("250-{offer}\r\n"));
        reply + "250 ENHANCEDSTATUSCODES"
    }

    /// AUTH PLAIN with an initial response (RFC 4616).
    async fn login(&self, peer: &mut Peer, talk: &mut Talk, line: &str) -> io::Result<Next> {
        use base64ct::{Base64, Encoding};
        let given = line.strip_prefix("AUTH PLAIN ").and_then(|text| Base64::decode_vec(text).ok());
        let wanted = self.kit.login.map(|(user, password)| format!("\0{user}\0{password}").into_bytes());
        let right = given.is_some() && given == wanted;
        let good = if right { "235 2.7.0 welcome" } else { "535 5.7.8 authentication failed" };
        Ok(self.act(peer, talk, At::Auth, good).await?.0)
    }

    async fn letter(&self, peer: &mut Peer, talk: &mut Talk) -> io::Result<Next> {
        let mut data = Vec::new();
        loop {
            let start = data.len();
            if peer.stream.read_until(b'\n', &mut data).await? == 0 {
                self.seen.send_modify(|seen| seen.torn += data.len());
                return Ok(Next::End);
            }
            if &data[start..] == b".\r\n" {
                data.truncate(start);
                break;
            }
            if data[start] == b'.' {
                data.remove(start);
            }
        }
        talk.moment.at = At::Dot;
        let act = (self.script)(&talk.moment);
        let taken = Taken {
            connection: talk.moment.connection,
            from: talk.from.take().unwrap_or_default(),
            to: std::mem::take(&mut talk.to),
            data,
        };
        self.seen.send_modify(|seen| {
            seen.dots += 1;
            if takes(&act) {
                seen.taken.push(taken);
            }
        });
        let act = wait(act).await;
        if !matches!(act, Act::Silence) {
            // Before the answer: whoever has heard it may begin the next one.
            talk.transaction = None;
        }
        perform(peer, act, "250 2.0.0 Ok: queued").await
    }

    /// What follows, and whether the command was taken; raw bytes count as "yes".
    async fn act(&self, peer: &mut Peer, talk: &mut Talk, at: At, good: &str) -> io::Result<(Next, bool)> {
        talk.moment.at = at;
        let act = (self.script)(&talk.moment);
        let taken = matches!(act, Act::Raw(_)) || (takes(&act) && good.starts_with(['2', '3']));
        Ok((perform(peer, act, good).await?, taken))
    }
}

/// Whether a letter answered like this is the relay's from then on.
fn takes(act: &Act) -> bool {
    match act {
        Act::Ok | Act::Kept(_) => true,
        Act::Reply(reply) => reply.starts_with('2'),
        Act::After(_, then) | Act::When(_, then) => takes(then),
        _ => false,
    }
}

/// Lets pass what must pass before something is done, and says what that is.
async fn wait(mut act: Act) -> Act {
    loop {
        act = match act {
            Act::After(time, then) => {
                tokio::time::sleep(time).await;
                *then
            }
            Act::When(mut gate, then) => {
                // A gate that is given up stays shut.
                if gate.wait_for(|open| *open).await.is_err() {
                    std::future::pending::<()>().await;
                }
                *then
            }
            Act::Kept(then) => *then,
            act => return act,
        };
    }
}

async fn perform(peer: &mut Peer, act: Act, good: &str) -> io::Result<Next> {
    if matches!(act, Act::After(..) | Act::When(..)) {
        let_go(peer).await?;
    }
    match wait(act).await {
        Act::Reply(reply) => say(peer, format!("{reply}\r\n").as_bytes()).await,
        Act::Raw(bytes) => say(peer, bytes).await.map(|_| Next::Good),
        Act::Half(bytes) => {
            say(peer, bytes).await?;
            let_go(peer).await.map(|()| Next::End)
        }
        Act::Close => let_go(peer).await.map(|()| Next::End),
        Act::Silence => {
            let_go(peer).await?;
            // Reads on, so that the client's end of the connection is noticed.
            tokio::io::copy(&mut peer.stream, &mut tokio::io::sink()).await?;
            Ok(Next::End)
        }
        Act::Ok | Act::After(..) | Act::When(..) | Act::Kept(_) => {
            say(peer, format!("{good}\r\n").as_bytes()).await.map(|_| Next::Good)
        }
    }
}

async fn say(peer: &mut Peer, bytes: &[u8]) -> io::Result<Next> {
    peer.held.extend_from_slice(bytes);
    if peer.pace != Pace::Gathered || peer.stream.buffer().is_empty() {
        let_go(peer).await?;
    }
    Ok(Next::Go)
}

/// Sends what was held back.
async fn let_go(peer: &mut Peer) -> io::Result<()> {
    let size = if peer.pace == Pace::Trickled { 1 } else { usize::MAX };
    for bytes in std::mem::take(&mut peer.held).chunks(size) {
        peer.stream.write_all(bytes).await?;
        peer.stream.flush().await?;
        if peer.pace == Pace::Trickled {
            // Lets the client read it before the next one comes.
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// What stands between the angle brackets of MAIL or RCPT.
fn path(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(path, _)| path).to_owned()
}
