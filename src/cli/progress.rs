//! How far a command has come, on standard error: one line that is written over. Nothing where that is no terminal, since scripts
//! and logs want results.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often the line is written.
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// The line.
pub(super) struct Progress {
    is_terminal: bool,
    what: &'static str,
    total: u64,
    shown: Option<Instant>,
    /// Nothing is shown of what is over at once.
    began: Instant,
}

impl Progress {
    /// Of `total`, in a unit that `what` names: `lines looked at`.
    pub(super) fn new(what: &'static str, total: u64) -> Self {
        Self { is_terminal: io::stderr().is_terminal(), what, total, shown: None, began: Instant::now() }
    }

    /// So many are done.
    pub(super) fn at(&mut self, done: u64) {
        let last = self.shown.unwrap_or(self.began);
        if !self.is_terminal || last.elapsed() < SHOWN_EVERY {
            return;
        }
        let percent = done.min(self.total) * 100 / self.total.max(1);
        self.write(&format!("\r{percent:3} % {done} of {} {}\x1b[K", self.total, self.what));
        self.shown = Some(Instant::now());
    }

    /// Nothing can be done about a standard error that is closed.
    fn write(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

/// Takes the line away, so that what is said next stands alone.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            self.write("\r\x1b[K");
        }
    }
}
