//! `invited completions`: what a shell needs to complete commands and options.

use std::io::Write as _;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Failure};

/// Prints what a shell needs to complete commands and options.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  For everybody on this machine, bash (package bash-completion), zsh and fish:
    invited completions bash > /usr/share/bash-completion/completions/invited
    invited completions zsh > /usr/share/zsh/vendor-completions/_invited
    invited completions fish > /usr/share/fish/vendor_completions.d/invited.fish
  For the present shell only:
    source <(invited completions bash)")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "invited", &mut script);
        Ok(std::io::stdout().write_all(&script)?)
    }
}
