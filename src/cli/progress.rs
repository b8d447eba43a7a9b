//! How far a command has come, on standard error: one line that is written over. Nothing where that is no terminal, since scripts
//! and logs want results.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::ops::person::Looked;

/// How often the line is written.
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// The line.
#[derive(Default)]
struct Line {
    shown: Option<Instant>,
}

impl Line {
    /// Whether it is time to write it again, if there is somebody who looks.
    fn is_due(&self) -> bool {
        io::stderr().is_terminal() && self.shown.is_none_or(|last| last.elapsed() >= SHOWN_EVERY)
    }

    fn show(&mut self, text: &str) {
        self.shown = Some(Instant::now());
        Self::write(&format!("\r{text}\x1b[K"));
    }

    /// Nothing can be done about a standard error that is closed.
    fn write(text: &str) {
        let mut err = io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

/// Takes the line away, so that what is said next stands alone.
impl Drop for Line {
    fn drop(&mut self) {
        if self.shown.is_some() {
            Self::write("\r\x1b[K");
        }
    }
}

/// How much is done of what is counted beforehand.
pub(super) struct Progress {
    line: Line,
    what: &'static str,
    total: u64,
    /// Nothing is shown of what is over at once.
    began: Instant,
}

impl Progress {
    /// Of `total`, in a unit that `what` names: `lines looked at`.
    pub(super) fn new(what: &'static str, total: u64) -> Self {
        Self { line: Line::default(), what, total, began: Instant::now() }
    }

    /// So many are done.
    pub(super) fn at(&mut self, done: u64) {
        if self.began.elapsed() >= SHOWN_EVERY && self.line.is_due() {
            let percent = done.min(self.total) * 100 / self.total.max(1);
            self.line.show(&format!("{percent:3} % {done} of {} {}", self.total, self.what));
        }
    }
}

/// What is looked through at this moment, each thing as soon as it begins: one alone may take long.
#[derive(Default)]
pub(super) struct Search(Line);

impl Search {
    /// It has come so far.
    pub(super) fn at(&mut self, looked: Looked) {
        if self.0.is_due() {
            let Looked { what, done, of } = looked;
            let of = if of > 0 { format!("/{of}") } else { String::new() };
            self.0.show(&format!("{what}: {done}{of}"));
        }
    }
}
