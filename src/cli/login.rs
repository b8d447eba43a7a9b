//! `invited login`: the passwords of those who hand in mail.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use clap::{Args, Subcommand};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{Failure, Output};
use crate::clock::random_bytes;
use crate::ops::hash_password;

/// What the longest password may have, bytes; a longer one is a file that was taken for one.
const LONGEST: usize = 1024;

/// Passwords of those who log in to hand in mail
#[derive(Debug, Subcommand)]
pub(super) enum Login {
    /// Reads a password and prints its hash for [[login]] of the configuration
    Hash(Hash),
}

/// Reads a password and prints its hash for [[login]] of the configuration.
///
/// On a terminal it asks, twice and without showing what is typed; otherwise the password is the first line of standard input.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  On a terminal, to be pasted into the configuration:
    invited login hash
  For a file that the configuration names, with a password that a program draws:
    openssl rand -base64 24 | tee password | invited login hash > nordljus.hash")]
pub(super) struct Hash {}

impl Login {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Hash(hash) => hash.run(),
        }
    }
}

impl Hash {
    fn run(self) -> Result<(), Failure> {
        let Self {} = self;
        let password = if io::stdin().is_terminal() {
            let password = typed("Password: ")?;
            if typed("Once more: ")? != password {
                return Err(Failure::Undone("the two are not the same; nothing was hashed".to_owned()));
            }
            password
        } else {
            first_line()?
        };
        if password.is_empty() {
            return Err(Failure::Undone("there is no password; nothing was hashed".to_owned()));
        }
        let hash = hash_password(password.as_bytes(), random_bytes::<16>());
        Output::new().line(hash.to_string())?;
        Ok(())
    }
}

fn first_line() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin().lock().take(LONGEST as u64 + 1).read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.len() >= LONGEST {
        return Err(Failure::Undone(format!("the password is longer than {} bytes", LONGEST - 1)));
    }
    Ok(password.to_owned())
}

/// A line that is typed without being shown.
fn typed(question: &str) -> Result<String, Failure> {
    let silence = Silence::begin()?;
    let mut err = io::stderr().lock();
    write!(err, "{question}")?;
    err.flush()?;
    let line = first_line();
    drop(silence);
    writeln!(err)?;
    line
}

/// While this lives, the terminal does not show what is typed.
struct Silence(Termios);

impl Silence {
    fn begin() -> Result<Self, Failure> {
        let failed = |error: rustix::io::Errno| Failure::Undone(format!("the terminal cannot be silenced: {error}"));
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing given back.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
