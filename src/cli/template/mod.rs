//! `invited template`: what the templates make of mails, without a daemon or a database.

mod check;
mod explain;
mod ground;
mod list;
mod score;
mod test;
mod trace;

use clap::Subcommand;

use super::{Failure, Output};

/// Works with the templates that read mails.
#[derive(Debug, Subcommand)]
pub(super) enum Template {
    /// Looks for mistakes in templates, also such as a rule that is never reached
    Check(check::Check),
    /// Reads mails and shows what the reader sees, every rule that it tries, and what was found or why not
    Explain(explain::Explain),
    /// Tells which templates there are, what they know and what they were checked against
    List(list::List),
    /// Prints the JSON Schema of template files, with which editors check and complete them
    #[command(after_help = "\
Examples:
  For an editor that checks and completes templates:
    invited template schema > parser.schema.json")]
    Schema,
    /// Reads mails with expected results beside them; ends with 1 when one is read differently
    Test(test::Test),
    /// Writes a template for a shop from one or a few sample mails of one kind
    Learn(super::template_learn::Learn),
    /// Counts how many mails of a test set are read right, with and without the platforms' templates
    Score(score::Score),
}

impl Template {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run(),
            Self::Explain(explain) => explain.run(),
            Self::List(list) => list.run(),
            Self::Schema => Ok(Output::paged().line(format!("{:#}", crate::read::schema()))?),
            Self::Test(test) => test.run(),
            Self::Learn(learn) => learn.run(),
            Self::Score(score) => score.run(),
        }
    }
}
