//! Long output on a terminal, screen by screen, as git has it: through the pager that the person chose, and plainly wherever no pager
//! can be started.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once by `--no-pager`, before any command runs.
static IS_OFF: AtomicBool = AtomicBool::new(false);

/// A screen that does not say how large it is.
const SCREEN: Screen = Screen { rows: 24, columns: 80 };

/// Bytes that are kept so that they can be shown plainly should the pager turn out not to be there. More than a pipe holds: who
/// took that much reads.
const KEPT: usize = 1 << 20;

/// What a shell has to look at before a program can be started, as git has it.
const SHELL_WORDS: &str = "|&;<>()$`\\\"'*?[]#~=%";

/// Ends paging for this process.
pub(super) fn turn_off() {
    IS_OFF.store(true, Ordering::Relaxed);
}

/// The size of a screen in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Screen {
    rows: usize,
    columns: usize,
}

/// Standard output that goes to a pager once it is longer than the screen.
pub(super) struct Pages {
    screen: Screen,
    pager: String,
    state: State,
    /// What was written, as long as it may have to be shown plainly.
    text: String,
    rows: usize,
}

enum State {
    /// It may still fit the screen.
    Kept,
    Paged(Child),
    Plain,
}

impl Pages {
    /// `None` where output is not to be paged: no terminal, one without a cursor, or a person who wants no pager.
    pub(super) fn new() -> Option<Self> {
        if IS_OFF.load(Ordering::Relaxed) || !io::stdout().is_terminal() {
            return None;
        }
        let get = |name: &str| std::env::var_os(name);
        let pager = chosen(get)?;
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let screen = size
            .filter(|size| size.ws_row > 0 && size.ws_col > 0)
            .map_or(SCREEN, |size| Screen { rows: usize::from(size.ws_row), columns: usize::from(size.ws_col) });
        Some(Self { screen, pager, state: State::Kept, text: String::new(), rows: 0 })
    }

    /// Writes whole lines.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BrokenPipe`] once the person has left the pager.
    pub(super) fn write(&mut self, text: &str) -> io::Result<()> {
        match &mut self.state {
            State::Plain => plainly(text),
            State::Kept => {
                self.text.push_str(text);
                self.rows += rows(text, self.screen.columns);
                // The prompt of the shell needs a row too.
                if self.rows < self.screen.rows { Ok(()) } else { self.start() }
            }
            State::Paged(child) => {
                if self.text.len() < KEPT {
                    self.text.push_str(text);
                }
                let written = child.stdin.as_mut().map_or(Ok(()), |pipe| pipe.write_all(text.as_bytes()));
                self.unless_missing(written)
            }
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let Ok(mut child) = command(&self.pager).stdin(Stdio::piped()).spawn() else {
            self.state = State::Plain;
            return plainly(&std::mem::take(&mut self.text));
        };
        // Ctrl-C is for the pager from now on, which stops a search with it. It would leave the terminal in disorder if we went
        // and it stayed. The handler stays when this listener goes.
        if tokio::runtime::Handle::try_current().is_ok() {
            let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
        }
        let written = child.stdin.as_mut().map_or(Ok(()), |pipe| pipe.write_all(self.text.as_bytes()));
        self.state = State::Paged(child);
        self.unless_missing(written)
    }

    /// A pipe breaks because the person left the pager, or because a shell did not find it.
    fn unless_missing(&mut self, written: io::Result<()>) -> io::Result<()> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                if self.was_missing() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            written => written,
        }
    }

    /// Waits for the pager to end. Whether there was none: then everything is shown plainly.
    fn was_missing(&mut self) -> bool {
        let State::Paged(child) = &mut self.state else { return false };
        drop(child.stdin.take());
        let code = child.wait().ok().and_then(|status| status.code());
        // What a shell ends with that cannot start a program (POSIX, Shell Command Language, 2.8.2).
        let is_missing = matches!(code, Some(126 | 127)) && self.text.len() < KEPT;
        if is_missing {
            self.state = State::Plain;
            // Nothing can be done about a terminal that is gone.
            let _ = plainly(&std::mem::take(&mut self.text));
        }
        is_missing
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if matches!(self.state, State::Kept) {
            let _ = plainly(&self.text);
        }
        self.was_missing();
    }
}

fn plainly(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The pager that a person chose; none when it is empty or `cat`, or the terminal can do nothing but print.
fn chosen(get: impl Fn(&str) -> Option<OsString>) -> Option<String> {
    if get("TERM").is_some_and(|term| term == "dumb") {
        return None;
    }
    let pager = get("INVITED_PAGER").or_else(|| get("PAGER")).unwrap_or_else(|| "less".into());
    let pager = pager.to_str()?.trim();
    (!pager.is_empty() && pager != "cat").then(|| pager.to_owned())
}

/// Starts a program by itself where that is enough, so that one that is not there is noticed at once.
fn command(pager: &str) -> Command {
    let mut command = if pager.contains(|c| SHELL_WORDS.contains(c)) {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(pager);
        shell
    } else {
        let mut words = pager.split_whitespace().map(OsStr::new);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command
    };
    if std::env::var_os("LESS").is_none() {
        // F: ends by itself when all fits; R: shows colours; X: leaves the text standing.
        command.env("LESS", "FRX");
    }
    command
}

/// Rows that a text takes on a screen. Too many at worst, for letters of double width are not looked up: a pager ends by itself
/// when all fits.
fn rows(text: &str, columns: usize) -> usize {
    let width = |line: &str| {
        let line = anstream::adapter::strip_str(line).to_string();
        line.chars().map(|c| if c < '\u{1100}' { 1 } else { 2 }).sum::<usize>()
    };
    text.lines().map(|line| width(line).div_ceil(columns.max(1)).max(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_pager_comes_before_the_common_one_and_less_is_the_last_resort() {
        for (settings, wanted) in [
            (&[][..], Some("less")),
            (&[("PAGER", "more")], Some("more")),
            (&[("PAGER", "more"), ("INVITED_PAGER", "less -S")], Some("less -S")),
            (&[("PAGER", "more"), ("INVITED_PAGER", "")], None),
            (&[("PAGER", "")], None),
            (&[("PAGER", " cat ")], None),
            (&[("PAGER", "cat -v")], Some("cat -v")),
            (&[("PAGER", "less"), ("TERM", "dumb")], None),
        ] {
            let get = |name: &str| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            assert_eq!(chosen(get).as_deref(), wanted, "{settings:?}");
        }
    }

    #[test]
    fn a_pager_is_started_by_itself_unless_a_shell_is_needed() {
        for (pager, program, words) in [
            ("less", "less", &[][..]),
            ("less -S -R", "less", &["-S", "-R"]),
            ("LESS=R less", "sh", &["-c", "LESS=R less"]),
            ("sed 's/a/b/' | less", "sh", &["-c", "sed 's/a/b/' | less"]),
        ] {
            let command = command(pager);
            assert_eq!(
                (command.get_program(), command.get_args().collect::<Vec<_>>()),
                (program.as_ref(), words.iter().map(OsStr::new).collect())
            );
        }
    }

    #[test]
    fn a_row_is_counted_for_each_line_and_each_fold_of_it_and_none_for_colours() {
        for (text, wanted) in [
            ("", 0),
            ("\n", 1),
            ("a\nb\n", 2),
            ("0123456789\n", 1),
            ("01234567890\n", 2),
            ("\x1b[31m0123456789\x1b[0m\n", 1),
            ("\u{6ce8}\u{6587}\u{756a}\u{53f7}\u{6ce8}\u{6587}\n", 2),
        ] {
            assert_eq!(rows(text, 10), wanted, "{text:?}");
        }
    }
}
