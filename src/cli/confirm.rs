//! Questions on a terminal. Scripts are never asked: they say `--yes`.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use super::Failure;
use super::output::printable;

/// Whether there is a person to ask. Questions go to standard error, so standard output may be piped.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether a person says yes to `question`, a whole sentence that states the number of what it is about. With `--yes` (`is_yes`)
/// nobody is asked. What is asked about must stand on the screen by now: no [`super::Output::paged`] may be open.
///
/// # Errors
///
/// Exit code 1 where nobody can be asked, with the remedy.
pub(super) fn confirm(question: &str, is_yes: bool) -> Result<bool, Failure> {
    if is_yes {
        return Ok(true);
    }
    if !can_ask() {
        return Err(Failure::Undone(format!(
            "{question} Nobody can be asked here, and nothing was changed; to do it, add --yes"
        )));
    }
    Ok(answer(&format!("{question} [y/N]"))?.is_some_and(|answer| is_consent(&answer)))
}

/// One line that a person types after `question`; `None` when the input is at its end.
pub(super) fn answer(question: &str) -> Result<Option<String>, Failure> {
    let mut err = io::stderr().lock();
    write!(err, "{} ", printable(question))?;
    err.flush()?;
    let mut line = String::new();
    let is_over = io::stdin().lock().read_line(&mut line)? == 0;
    Ok((!is_over).then(|| line.trim().to_owned()))
}

/// Everything but a clear yes is a no.
fn is_consent(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        for (answer, wanted) in
            [("y", true), ("Yes", true), (" YES ", true), ("", false), ("n", false), ("yep", false), ("ja", false)]
        {
            assert_eq!(is_consent(answer), wanted, "{answer:?}");
        }
    }

    #[test]
    fn with_yes_nobody_is_asked() {
        assert!(matches!(confirm("Cancel 3 invitations?", true), Ok(true)));
    }
}
