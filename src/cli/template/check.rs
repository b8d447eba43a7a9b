//! `invited template check`: what is wrong with templates, and what is doubtful.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::app::template_files;
use crate::cli::output::count;
use crate::cli::{Failure, JsonArg, Output};
use crate::document::Problem;
use crate::read::{Templates, lint};

/// Which templates.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Mistakes in a shop's own templates:
    invited template check /etc/invited/templates
  In a CI, where a doubt is a fault too:
    invited template check templates --deny-warnings --json")]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    json: JsonArg,
    /// End with 1 when something is doubtful too, for a CI
    #[arg(long)]
    deny_warnings: bool,
    /// The folder of templates; without it those that ship are looked at
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (documents, mut errors) = match &self.folder {
            Some(folder) => template_files(folder),
            None => (Templates::shipped(), Vec::new()),
        };
        let files = documents.len();
        let warnings = documents.iter().flat_map(lint).collect::<Vec<_>>();
        // Those that ship would be two of each name.
        let own = if self.folder.is_some() { documents } else { Vec::new() };
        errors.extend(Templates::with_overrides(own).err().unwrap_or_default());
        // What does not load is not worth a second opinion.
        let sound = |warning: &&Problem| !errors.iter().any(|error| error.file == warning.file);
        let warnings = warnings.iter().filter(sound).collect::<Vec<_>>();
        let mut out = Output::paged();
        if self.json.json {
            for error in &errors {
                out.json(&row("error", error))?;
            }
        }
        for warning in &warnings {
            match self.json.json {
                true => out.json(&row("warning", warning))?,
                false => out.line(warning.to_string())?,
            }
        }
        if !errors.is_empty() {
            return Err(Failure::Config(errors));
        }
        if !warnings.is_empty() && self.deny_warnings {
            return Err(Failure::Undone(count(warnings.len(), "warning")));
        }
        if !self.json.json {
            out.line(format!("{}, {}", count(files, "file"), count(warnings.len(), "warning")))?;
        }
        Ok(())
    }
}

fn row(severity: &str, problem: &Problem) -> serde_json::Value {
    json!({
        "severity": severity,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "key": problem.key,
        "what": problem.what,
        "remedy": problem.remedy,
    })
}
