//! What holds for the whole tree of commands: each has examples that work and arguments that say what they are.

use std::ffi::OsString;

use clap::{Command, CommandFactory as _, Parser as _};

use super::Cli;
use super::man::EXAMPLES;

/// Characters of a line of examples, at most; help is folded at 100, and a folded command cannot be copied.
const LINE: usize = 100;

/// Every command with its words, `["invited", "queue", "list"]`.
fn all(command: &Command, words: &[String], found: &mut Vec<(Vec<String>, Command)>) {
    let words = [words, &[command.get_name().to_owned()]].concat();
    for one in command.get_subcommands() {
        all(one, &words, found);
    }
    found.push((words, command.clone()));
}

fn commands() -> Vec<(Vec<String>, Command)> {
    let mut found = Vec::new();
    all(&Cli::command(), &[], &mut found);
    found
}

/// The words of a command line as a POSIX shell has them: quotes, and an end at what the shell does itself. `None` for a quote that is
/// left open.
fn shell_words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|' | '>' | '<' | '&' | ';' | ')') => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// The lines of examples that are commands.
fn examples(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    text.lines().map(str::trim).filter(|line| line.starts_with("invited ")).map(ToOwned::to_owned).collect()
}

#[test]
fn the_tree_of_commands_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_examples_in_one_style() {
    let mut faults = Vec::new();
    for (words, command) in commands() {
        let name = words.join(" ");
        let Some(text) = command.get_after_help().map(ToString::to_string) else {
            if !command.has_subcommands() {
                faults.push(format!("{name} has no examples"));
            }
            continue;
        };
        if !text.starts_with(EXAMPLES) || examples(&command).is_empty() {
            faults.push(format!("{name}: what stands after its help does not begin with {EXAMPLES:?} and a command"));
        }
        for line in text.lines().skip(1) {
            let blanks = line.len() - line.trim_start().len();
            let is_good = match blanks {
                2 => line.ends_with(':'),
                4 => true,
                _ => false,
            };
            if !is_good || line.trim_end() != line {
                faults.push(format!("{name}: neither a sentence with a colon nor a command: {line:?}"));
            }
            if line.chars().count() > LINE {
                faults.push(format!("{name}: folded on most screens: {line:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_argument_says_what_it_is() {
    let mut faults = Vec::new();
    for (words, command) in commands() {
        for arg in command.get_arguments() {
            if arg.get_help().is_none_or(|help| help.to_string().trim().is_empty()) {
                faults.push(format!("{}: {} has no help", words.join(" "), arg.get_id()));
            }
        }
        if command.get_about().is_none() {
            faults.push(format!("{} does not say what it does", words.join(" ")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_example_is_a_command_line_of_its_command() {
    let mut faults = Vec::new();
    let mut tried = 0;
    for (words, command) in commands() {
        for line in examples(&command) {
            tried += 1;
            let Some(given) = shell_words(&line) else {
                faults.push(format!("a quote is left open: {line}"));
                continue;
            };
            if !given.starts_with(&words) {
                faults.push(format!("in the help of {}: {line}", words.join(" ")));
            }
            if let Err(error) = Cli::try_parse_from(given.iter().map(OsString::from))
                && error.kind() != clap::error::ErrorKind::DisplayHelp
            {
                faults.push(format!("{line}: {error}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(tried > 40, "{tried} examples");
}

#[test]
fn words_are_split_as_a_shell_does() {
    for (line, wanted) in [
        ("invited a --to \"2 weeks\"", Some(&["invited", "a", "--to", "2 weeks"][..])),
        ("invited a 'b \"c\"' \"\" | less", Some(&["invited", "a", "b \"c\"", ""])),
        ("invited a > b", Some(&["invited", "a"])),
        ("invited \"a", None),
    ] {
        let wanted = wanted.map(|words| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(shell_words(line), wanted, "{line}");
    }
}
