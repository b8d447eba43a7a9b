//! `invited man`: manual pages, one for each command, made from what `--help` is made from.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold, roman};

use super::output::count;
use super::{Cli, Failure, Output};

/// What after-help texts begin with (the convention is in `mod.rs`).
pub(super) const EXAMPLES: &str = "Examples:\n";

const ENVIRONMENT: [(&str, &str); 10] = [
    ("INVITED_CONFIG", "The configuration file, where --config is not given."),
    ("INVITED_ACTOR", "Who acts, where --actor is not given; the login name otherwise."),
    ("INVITED_LOG", "What serve and demo log, where --log is not given."),
    ("INVITED_PAGER", "The pager for long output on a terminal. Empty or cat turns paging off, as --no-pager does."),
    ("PAGER", "The same, where INVITED_PAGER is not set; less otherwise."),
    ("LESS", "The options of less; FRX where it is not set."),
    ("NO_COLOR", "Set to anything: no colours."),
    ("CLICOLOR_FORCE", "Set to 1: colours in pipes and files too. CLICOLOR=0 turns them off on terminals."),
    ("TERM", "On a terminal dumb there are neither colours nor a pager."),
    ("CREDENTIALS_DIRECTORY", "Where systemd puts the secrets that the configuration names as credentials."),
];

const FILES: [(&str, &str); 3] = [
    ("/etc/invited/invited.toml", "The configuration, where neither --config nor INVITED_CONFIG names another."),
    (
        "/etc/invited/master.key",
        "The key on which links in letters and the ids in logs depend. Losing it breaks every link that was sent.",
    ),
    ("/var/lib/invited/invited.db", "The queue, where the configuration names no other file and no PostgreSQL server."),
];

const EXIT_STATUS: [(&str, &str); 4] = [
    ("0", "Done."),
    ("1", "What was asked for could not be done, or not all of it; the reason stands on standard error."),
    ("2", "The command line is wrong."),
    ("78", "The configuration is wrong, or something that it names."),
];

/// Prints the manual page of invited(1), or writes those of all commands into a folder.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Reads the page at once:
    invited man | man -l -
  Installs the pages of all commands; man invited-queue-cancel then finds its own:
    invited man --dir /usr/local/share/man/man1")]
pub(super) struct Man {
    /// The folder to write all pages into; made if it is missing
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Some(dir) = self.dir else {
            let (_, page) = page(&tree(), true);
            return Ok(io::stdout().write_all(&page)?);
        };
        let cannot = |path: &Path, error: io::Error| {
            Failure::Undone(format!("{} cannot be written: {error}; name another folder with --dir", path.display()))
        };
        fs::create_dir_all(&dir).map_err(|error| cannot(&dir, error))?;
        let pages = pages();
        for (name, page) in &pages {
            let path = dir.join(name);
            fs::write(&path, page).map_err(|error| cannot(&path, error))?;
        }
        Ok(Output::new().line(format!("Wrote {} into {}", count(pages.len(), "page"), dir.display()))?)
    }
}

/// All commands, with their full names.
fn tree() -> Command {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    root
}

/// Every page with the name of its file.
fn pages() -> Vec<(String, Vec<u8>)> {
    let root = tree();
    let mut pages = vec![page(&root, true)];
    let mut commands = root.get_subcommands().collect::<Vec<_>>();
    while let Some(command) = commands.pop() {
        if command.is_hide_set() {
            continue;
        }
        pages.push(page(command, false));
        commands.extend(command.get_subcommands());
    }
    pages
}

fn page(command: &Command, is_root: bool) -> (String, Vec<u8>) {
    let page = Page::new(command.clone()).source(concat!("invited ", env!("CARGO_PKG_VERSION"))).manual("invited");
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = render(&page, command, is_root, &mut text);
    (page.get_filename(), text)
}

fn render(page: &Page, command: &Command, is_root: bool, to: &mut Vec<u8>) -> io::Result<()> {
    page.render_title(to)?;
    page.render_name_section(to)?;
    page.render_synopsis_section(to)?;
    page.render_description_section(to)?;
    page.render_options_section(to)?;
    if command.has_subcommands() {
        page.render_subcommands_section(to)?;
    }
    if is_root {
        section("ENVIRONMENT", &ENVIRONMENT).to_writer(to)?;
        section("FILES", &FILES).to_writer(to)?;
    }
    section("EXIT STATUS", &EXIT_STATUS).to_writer(to)?;
    if let Some(examples) = command.get_after_help() {
        let examples = examples.to_string();
        let mut roff = Roff::new();
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in examples.strip_prefix(EXAMPLES).unwrap_or(&examples).lines() {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []).to_writer(to)?;
    }
    if !is_root {
        let mut roff = Roff::new();
        roff.control("SH", ["SEE ALSO"]).text([bold("invited"), roman("(1)")]).to_writer(to)?;
    }
    Ok(())
}

/// A section that explains one term after the other.
fn section(title: &str, terms: &[(&str, &str)]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (term, meaning) in terms {
        roff.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves_and_groups(command: &Command) -> usize {
        1 + command.get_subcommands().map(leaves_and_groups).sum::<usize>()
    }

    #[test]
    fn every_command_has_a_page_of_its_own_that_says_what_its_help_says() {
        let pages = pages();
        assert_eq!(pages.len(), leaves_and_groups(&tree()));
        for (name, page) in &pages {
            let page = String::from_utf8(page.clone()).unwrap();
            assert!(name.starts_with("invited") && name.ends_with(".1"), "{name}");
            for part in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS", ".SH \"EXIT STATUS\""] {
                assert!(page.contains(part), "{name} has no {part}:\n{page}");
            }
            assert!(!page.contains(".SH EXTRA"), "{name}");
            let is_group = page.contains(".SH SUBCOMMANDS");
            assert!(is_group || page.contains(".SH EXAMPLES"), "{name}");
        }
        let root = pages.iter().find(|(name, _)| name == "invited.1").map(|(_, page)| String::from_utf8_lossy(page));
        let root = root.unwrap();
        for part in [
            "ENVIRONMENT",
            "FILES",
            "EXAMPLES",
            "INVITED_PAGER",
            "/etc/invited/invited.toml",
            "\n78\n",
            "invited\\-queue",
        ] {
            assert!(root.contains(part) || root.contains(&format!("\\fB{}\\fR", part.trim())), "{part}:\n{root}");
        }
        assert!(pages.iter().any(|(name, _)| name == "invited-queue-cancel.1"));
    }
}
