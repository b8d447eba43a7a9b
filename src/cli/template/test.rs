//! `invited template test`: a shop's own test set, held against what its templates read.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::ground::{GroundArgs, platform_table};
use crate::app::load_samples;
use crate::cli::output::count;
use crate::cli::{Failure, JsonArg, Output};

/// The folder of test mails, beside the folder of templates.
const FOLDER: &str = "mail-tests";

/// Which mails, and read with what.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A shop's test mails against its templates:
    invited template test mail-tests --templates templates
  Those beside the templates that the configuration names:
    invited template test --config /etc/invited/invited.toml")]
pub(in crate::cli) struct Test {
    #[command(flatten)]
    json: JsonArg,
    #[command(flatten)]
    ground: GroundArgs,
    /// The mails, NAME.eml, each with what it ought to be read as in NAME.json; a folder for each platform.
    /// Otherwise `mail-tests` beside the folder of templates
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Test {
    pub(super) fn run(self) -> Result<(), Failure> {
        let ground = self.ground.ground()?;
        let beside = || Some(ground.folder.as_deref()?.parent()?.join(FOLDER));
        let Some(folder) = self.folder.or_else(beside) else {
            return Err(Failure::Usage(format!(
                "which mails? Name their folder; with --templates or --config it is {FOLDER} beside the templates"
            )));
        };
        let samples = load_samples(&folder).map_err(Failure::Config)?;
        let tally = ground.tally(ground.templates()?, &samples)?;
        let mut out = Output::paged();
        let mut different = 0;
        if !self.json.json {
            platform_table(&mut out, &tally)?;
        }
        for sample in &samples {
            let differences = tally.differences().iter().filter(|one| one.mail == sample.place).collect::<Vec<_>>();
            different += usize::from(!differences.is_empty());
            if self.json.json {
                let told = differences
                    .iter()
                    .map(|one| &one.judgement)
                    .map(|one| json!({ "field": one.point.as_str(), "got": one.got, "wanted": one.wanted }));
                out.json(&json!({
                    "file": sample.place,
                    "platform": sample.platform,
                    "right": differences.is_empty(),
                    "differences": told.collect::<Vec<_>>(),
                }))?;
            } else {
                for difference in differences {
                    out.line(difference.to_string())?;
                }
            }
        }
        match different {
            0 => Ok(()),
            _ => {
                Err(Failure::Undone(format!("{} of {} not read as expected", count(different, "mail"), samples.len())))
            }
        }
    }
}
