//! A relay that is far away: whatever it is told, it answers a fixed time later, as over a network with that round trip. It
//! offers PIPELINING (RFC 2920), keeps nothing, and counts how often it had to be waited for.
//!
//! Each connection has a thread that reads and one that answers, so that what came in one packet is answered together, and a
//! command that came while an answer was under way is late by its own time only. Threads rather than tasks, since a timer of
//! the kernel is exact to a tenth of a millisecond and tokio's to one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Result;

const HELLO: &str = "250-far.example.com\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n";

/// The relay; its threads end with the connections, and the port is closed with the program.
pub(crate) struct FarRelay {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    delay: Duration,
    letters: AtomicU64,
    round_trips: AtomicU64,
    /// Microseconds.
    waited: AtomicU64,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

/// What was seen up to now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Letters whose dot was answered.
    pub(crate) letters: u64,
    /// Times that a client had to wait for MAIL, RCPT, DATA or the dot; commands that came together wait together.
    pub(crate) round_trips: u64,
    /// How long these took altogether.
    pub(crate) waited: Duration,
}

/// An answer that is due at an instant.
struct Answer {
    came: Instant,
    text: String,
    /// Whether it belongs to a letter.
    counts: bool,
    /// Whether it ends a letter.
    is_last: bool,
}

impl FarRelay {
    /// Starts it.
    pub(crate) fn start(delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            delay,
            letters: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
        });
        let all = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&all);
                // A client that goes away ends its connection and nothing else.
                std::thread::spawn(move || shared.serve(client));
            }
        });
        Ok(Self { port, shared })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn seen(&self) -> Seen {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Seen {
            letters: count(&self.shared.letters),
            round_trips: count(&self.shared.round_trips),
            waited: Duration::from_micros(count(&self.shared.waited)),
        }
    }

    /// The most connections at one time.
    pub(crate) fn most_connections(&self) -> usize {
        self.shared.most_open.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn serve(&self, client: TcpStream) -> Result<()> {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_open.fetch_max(open, Ordering::Relaxed);
        client.set_nodelay(true)?;
        let writer = client.try_clone()?;
        let owed = &AtomicUsize::new(0);
        let result = std::thread::scope(|scope| {
            let (sender, answers) = channel();
            scope.spawn(move || self.answer(writer, answers, owed));
            self.listen(client, &sender, owed)
        });
        self.open.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Reads commands and letters, and says when each is to be answered.
    fn listen(&self, client: TcpStream, answers: &Sender<Answer>, owed: &AtomicUsize) -> Result<()> {
        let answer = |text: &str, counts, is_last| {
            if owed.fetch_add(1, Ordering::SeqCst) == 0 && counts {
                self.round_trips.fetch_add(1, Ordering::Relaxed);
            }
            answers.send(Answer { came: Instant::now(), text: text.to_owned(), counts, is_last })
        };
        answer("220 far.example.com ESMTP\r\n", false, false)?;
        let mut input = BufReader::with_capacity(64 * 1024, client);
        let mut line = Vec::new();
        while read_line(&mut input, &mut line)? {
            let verb = String::from_utf8_lossy(&line[..line.len().min(4)]).to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => answer(HELLO, false, false)?,
                "MAIL" | "RCPT" => answer("250 2.1.0 Ok\r\n", true, false)?,
                "DATA" => {
                    answer("354 End with a dot\r\n", true, false)?;
                    while read_line(&mut input, &mut line)? && line != b".\r\n" {}
                    answer("250 2.0.0 Ok: taken\r\n", true, true)?;
                }
                "QUIT" => {
                    answer("221 2.0.0 Bye\r\n", false, false)?;
                    break;
                }
                "RSET" | "NOOP" => answer("250 2.0.0 Ok\r\n", false, false)?,
                _ => answer("500 5.5.2 What?\r\n", false, false)?,
            }
        }
        Ok(())
    }

    /// Sends each answer when its time has come.
    fn answer(&self, mut client: TcpStream, answers: Receiver<Answer>, owed: &AtomicUsize) {
        let mut turn = None;
        for answer in answers {
            std::thread::sleep(self.delay.saturating_sub(answer.came.elapsed()));
            let begun = *turn.get_or_insert(answer.came);
            // Before it is written: the next command may come at once.
            let is_turn_over = owed.fetch_sub(1, Ordering::SeqCst) == 1;
            if answer.is_last {
                self.letters.fetch_add(1, Ordering::Relaxed);
            }
            // The client may be gone after its QUIT.
            let _ = client.write_all(answer.text.as_bytes());
            if is_turn_over {
                turn = None;
                if answer.counts {
                    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                    self.waited.fetch_add(micros, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Reads one line with its end; `false` at the end of the stream.
fn read_line(input: &mut BufReader<impl Read>, line: &mut Vec<u8>) -> Result<bool> {
    line.clear();
    Ok(input.read_until(b'\n', line)? > 0)
}
