//! The client of all servers: sessions that wait for each answer before they say the next thing, no pipelining, as `smtp-source`
//! works too; but each message tells of an order of its own, and the time each one took is kept. It lives in one thread, so that
//! it leaves of two cores what it can.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::door::median;
use crate::mails::Pattern;
use crate::servers::RECIPIENT;

/// How long one run may take. Each answer for itself is not timed, which would cost the client more than it tells.
const PATIENCE: Duration = Duration::from_secs(600);

static RCPT: LazyLock<String> = LazyLock::new(|| format!("RCPT TO:<{RECIPIENT}>\r\n"));

/// Orders are numbered through all runs, so that none comes twice.
static NEXT_ORDER: AtomicU64 = AtomicU64::new(10_000_000);

/// How the client works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Sessions at one time.
    pub(crate) sessions: usize,
    /// Whether a session goes on after its first message.
    pub(crate) reuse: bool,
}

/// Messages that were handed in and answered with 250.
pub(crate) struct Taken {
    /// From the first connection or planned message to the last answer.
    pub(crate) elapsed: Duration,
    /// How long each one took, in order of length.
    latencies: Vec<Duration>,
}

/// What messages waited for their 250.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Waits {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Waits {
    /// The medians over some rounds.
    pub(crate) fn middle(rounds: impl Iterator<Item = Self> + Clone) -> Self {
        Self {
            p50_ms: median(rounds.clone().map(|waits| waits.p50_ms)),
            p99_ms: median(rounds.clone().map(|waits| waits.p99_ms)),
            max_ms: median(rounds.map(|waits| waits.max_ms)),
        }
    }
}

impl Taken {
    /// Half of all waited no longer than the first figure, 99 of 100 no longer than the second.
    pub(crate) fn waits(&self) -> Waits {
        let count = self.latencies.len();
        let rank = |percent: usize| (count * percent).div_ceil(100).max(1) - 1;
        let at = |rank: usize| self.latencies.get(rank).map_or(0.0, |wait| wait.as_secs_f64() * 1000.0);
        Waits { p50_ms: at(rank(50)), p99_ms: at(rank(99)), max_ms: at(rank(100)) }
    }
}

/// The client.
pub(crate) struct Client(Runtime);

/// What tells a session that it is time for the next message.
#[derive(Clone)]
enum Turn {
    /// The answer to the one before, until all are taken.
    Answered(Arc<AtomicU64>),
    /// The plan: each message has an instant, whether the server keeps up or not.
    Planned(Arc<Mutex<mpsc::UnboundedReceiver<Instant>>>),
}

impl Turn {
    /// When the message is counted from, or `None` when there is no more.
    async fn next(&self) -> Option<Instant> {
        match self {
            Self::Answered(left) => {
                let one_less = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
                one_less.is_ok().then(Instant::now)
            }
            Self::Planned(plan) => plan.lock().await.recv().await,
        }
    }
}

impl Client {
    /// What [`Self::at_rate`] leaves the sessions to connect before the first message is due.
    pub(crate) const BEFORE_PLAN: Duration = Duration::from_millis(500);

    /// A client at rest.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Builder::new_current_thread().enable_all().build()?))
    }

    /// Hands `messages` in as fast as they are answered. A message's time is from MAIL to the 250 after its dot; with a connection
    /// for each, from its begin.
    pub(crate) fn hand_in(&self, port: u16, pattern: &Arc<Pattern>, load: Load, messages: usize) -> Result<Taken> {
        let turn = Turn::Answered(Arc::new(AtomicU64::new(messages as u64)));
        let start = Instant::now();
        self.run(port, pattern, load, messages, &turn, start)
    }

    /// Hands `messages` in at a fixed rate each second. Time counts from the instant at which a message was planned, so that one
    /// slow answer is felt by all that wait behind it.
    pub(crate) fn at_rate(
        &self,
        port: u16,
        pattern: &Arc<Pattern>,
        load: Load,
        rate: u32,
        messages: usize,
    ) -> Result<Taken> {
        let (due, plan) = mpsc::unbounded_channel();
        let start = Instant::now() + Self::BEFORE_PLAN;
        // A thread of its own: the runtime's timers count whole milliseconds.
        let planning = std::thread::spawn(move || {
            for n in 0..messages {
                let at = start + Duration::from_secs(n as u64) / rate;
                std::thread::sleep(at.saturating_duration_since(Instant::now()));
                if due.send(at).is_err() {
                    break;
                }
            }
        });
        let taken = self.run(port, pattern, load, messages, &Turn::Planned(Arc::new(Mutex::new(plan))), start);
        planning.join().ok().context("the plan failed")?;
        taken
    }

    /// Opens sessions that say EHLO and then nothing, until they are dropped.
    pub(crate) fn stay(&self, port: u16, sessions: usize) -> Result<Vec<TcpStream>> {
        self.0.block_on(async {
            let mut all = Vec::with_capacity(sessions);
            for n in 0..sessions {
                all.push(Session::open(port).await.with_context(|| format!("idle session {n}"))?.0);
            }
            Ok(all)
        })
    }

    fn run(
        &self,
        port: u16,
        pattern: &Arc<Pattern>,
        load: Load,
        messages: usize,
        turn: &Turn,
        start: Instant,
    ) -> Result<Taken> {
        let mut latencies = self.0.block_on(async {
            let mut sessions = JoinSet::new();
            for _ in 0..load.sessions {
                sessions.spawn(play(port, Arc::clone(pattern), load.reuse, turn.clone()));
            }
            let mut all = Vec::with_capacity(messages);
            let all_play = async {
                while let Some(ended) = sessions.join_next().await {
                    all.extend(ended??);
                }
                anyhow::Ok(())
            };
            tokio::time::timeout(PATIENCE, all_play).await.context("the server takes for ever")??;
            anyhow::Ok(all)
        })?;
        let elapsed = start.elapsed();
        ensure!(latencies.len() == messages, "{} of {messages} messages were answered", latencies.len());
        latencies.sort_unstable();
        Ok(Taken { elapsed, latencies })
    }
}

/// The life of one session, or of all that follow each other in its place.
async fn play(port: u16, pattern: Arc<Pattern>, reuse: bool, turn: Turn) -> Result<Vec<Duration>> {
    let mut wire = pattern.blank();
    let mut latencies = Vec::new();
    let mut kept = if reuse { Some(Session::open(port).await?) } else { None };
    while let Some(from) = turn.next().await {
        pattern.stamp(&mut wire, NEXT_ORDER.fetch_add(1, Ordering::Relaxed));
        if let Some(session) = &mut kept {
            session.hand_in(&wire).await?;
            latencies.push(from.elapsed());
        } else {
            let mut session = Session::open(port).await?;
            session.hand_in(&wire).await?;
            latencies.push(from.elapsed());
            session.quit().await?;
        }
    }
    if let Some(mut session) = kept {
        session.quit().await?;
    }
    Ok(latencies)
}

struct Session(TcpStream);

impl Session {
    /// Connects, and says EHLO.
    async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("the server cannot be reached")?;
        stream.set_nodelay(true)?;
        let mut session = Self(stream);
        session.expect("connection", b'2').await?;
        session.say("EHLO", b"EHLO client.example.com\r\n", b'2').await?;
        Ok(session)
    }

    /// One message, to the 250 after its final dot.
    async fn hand_in(&mut self, wire: &[u8]) -> Result<()> {
        self.say("MAIL", b"MAIL FROM:<orders@shop.example.com>\r\n", b'2').await?;
        self.say("RCPT", RCPT.as_bytes(), b'2').await?;
        self.say("DATA", b"DATA\r\n", b'3').await?;
        self.say("the final dot", wire, b'2').await
    }

    async fn quit(&mut self) -> Result<()> {
        self.say("QUIT", b"QUIT\r\n", b'2').await
    }

    async fn say(&mut self, what: &str, words: &[u8], class: u8) -> Result<()> {
        self.0.write_all(words).await.with_context(|| format!("{what} cannot be said"))?;
        self.expect(what, class).await
    }

    /// Waits for a whole answer and looks at its first digit.
    async fn expect(&mut self, to: &str, class: u8) -> Result<()> {
        let (mut answer, mut length) = ([0; 2048], 0);
        while !is_whole(&answer[..length]) {
            let more = self.0.read(&mut answer[length..]).await.with_context(|| format!("no answer to {to}"))?;
            ensure!(more > 0, "the server hung up after {to}");
            length += more;
        }
        if answer[0] != class {
            bail!("to {to} it says {}", String::from_utf8_lossy(&answer[..length]).trim());
        }
        Ok(())
    }
}

/// RFC 5321 section 4.2.1: the last line of an answer has a space, or nothing, behind its code.
fn is_whole(answer: &[u8]) -> bool {
    let Some(lines) = answer.strip_suffix(b"\r\n") else { return false };
    let last = lines.rsplit(|octet| *octet == b'\n').next().unwrap_or_default();
    last.len() >= 3 && last.get(3) != Some(&b'-')
}
