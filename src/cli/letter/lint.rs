//! `invited letter lint`: what is wrong with letters, and what is doubtful.

use clap::Args;
use serde_json::json;

use super::shop_of;
use crate::app::{letter_files, load_config};
use crate::cli::output::count;
use crate::cli::{ConfigArg, Failure, JsonArg, Output};
use crate::config::{LinkTo, Shop};
use crate::document::Problem;
use crate::letter::{LetterFile, Letters, lint};
use crate::ops::letters::doubts;

/// Which letters.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Everything that is wrong or doubtful with the letters of all shops:
    invited letter lint
  One shop alone, in a CI, where a doubt is a fault too:
    invited letter lint --shop nordljus --deny-warnings --json")]
pub(in crate::cli) struct Lint {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Only the letters of this shop, with those of all shops
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// End with 1 when something is doubtful too, for a CI
    #[arg(long)]
    deny_warnings: bool,
}

impl Lint {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = load_config(&self.config.config).map_err(Failure::Config)?;
        let shops = match &self.shop {
            Some(shop) => vec![shop_of(&config, Some(shop))?],
            None => config.shops.iter().collect(),
        };
        let (mut files, mut errors) = config.letters_dir.as_deref().map(letter_files).unwrap_or_default();
        files.retain(|file| is_of(file, self.shop.as_deref()));
        let looked_at = files.len();
        let mut warnings = lint(&files);
        match Letters::with_overrides(files) {
            Ok(letters) => warnings.extend(shops.iter().flat_map(|shop| doubts(&letters, shop))),
            Err(more) => errors.extend(more),
        }
        let place = self.config.config.display().to_string();
        warnings.extend(shops.iter().filter_map(|shop| unencrypted(shop, &place)));
        let mut seen = Vec::new();
        warnings.retain(|warning| {
            !seen.contains(warning) && {
                seen.push(warning.clone());
                true
            }
        });
        self.tell(looked_at, errors, &warnings)
    }

    fn tell(&self, looked_at: usize, errors: Vec<Problem>, warnings: &[Problem]) -> Result<(), Failure> {
        let mut out = Output::paged();
        if self.json.json {
            for error in &errors {
                out.json(&row("error", error))?;
            }
        }
        for warning in warnings {
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
            let warnings = count(warnings.len(), "warning");
            out.line(format!("{}, {warnings}", count(looked_at, "file")))?;
        }
        Ok(())
    }
}

/// Whether a file is of this shop or of all.
fn is_of(file: &LetterFile, shop: Option<&str>) -> bool {
    let own = file.path.strip_prefix("shops/").and_then(|rest| rest.split_once('/')).map(|(id, _)| id);
    own.is_none() || shop.is_none() || own == shop
}

/// A shop whose customers would review over an open line.
fn unencrypted(shop: &Shop, place: &str) -> Option<Problem> {
    let LinkTo::Pattern(pattern) = &shop.link else { return None };
    let what = format!("the link of the shop {} is not https", shop.id);
    let is_open = pattern.to_string().to_ascii_lowercase().starts_with("http://");
    is_open.then(|| Problem::with_file(place, what, "write an address that begins with https://"))
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
