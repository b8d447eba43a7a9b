//! `invited template score`: how well a test set is read, with the platforms' templates and without.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::ground::{Ground, GroundArgs, platform_table, title};
use crate::app::{Sample, load_samples};
use crate::cli::{Failure, JsonArg, Output};
use crate::read::expected::{Figure, Point, Tally};

/// Which mails, read with what.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  How many mails are read right, with the platforms' templates and without:
    invited template score mails
  As if nobody knew WooCommerce, with all that is not as expected:
    invited template score mails --without woocommerce --differences")]
pub(in crate::cli) struct Score {
    #[command(flatten)]
    json: JsonArg,
    #[command(flatten)]
    ground: GroundArgs,
    /// Only without the platforms' templates, as a shop is read that nobody has written one for
    #[arg(long, conflicts_with = "without")]
    generic_only: bool,
    /// Leave out the template of this platform, to see what the others make of its mails (may be repeated)
    #[arg(long, value_name = "PLATFORM")]
    without: Vec<String>,
    /// List everything that was not as expected
    #[arg(long)]
    differences: bool,
    /// The mails, NAME.eml, each with what it ought to be read as in NAME.json; a folder for each platform
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// A test set read with some of the templates.
struct Run {
    /// For people.
    title: String,
    /// For programs; a contract.
    name: String,
    tally: Tally,
}

/// A figure as `--json` prints it; the names are a contract.
#[derive(Serialize)]
struct FigureRow<'a> {
    templates: &'a str,
    /// `None` for all of them.
    platform: Option<&'a str>,
    field: &'static str,
    right: usize,
    unused: usize,
    missing: usize,
    wrong: usize,
    of: usize,
}

/// Something that was not as expected, as `--json` prints it; the names are a contract.
#[derive(Serialize)]
struct DifferenceRow<'a> {
    templates: &'a str,
    file: &'a str,
    field: &'static str,
    got: &'a str,
    wanted: &'a str,
    /// Whether it would do harm, and not only be missed.
    misused: bool,
}

impl Score {
    pub(super) fn run(self) -> Result<(), Failure> {
        let ground = self.ground.ground()?;
        let samples = load_samples(&self.folder).map_err(Failure::Config)?;
        let runs = runs(&ground, &samples, self.generic_only, &self.without)?;
        let mut out = Output::paged();
        for run in runs.iter().filter(|_| self.json.json) {
            print_json(&mut out, run, self.differences)?;
        }
        if !self.json.json {
            print(&mut out, &runs, self.differences)?;
        }
        Ok(())
    }
}

fn runs(ground: &Ground, samples: &[Sample], generic_only: bool, without: &[String]) -> Result<Vec<Run>, Failure> {
    let mut runs = Vec::new();
    if !generic_only {
        let mut templates = ground.templates()?;
        for name in without {
            if !templates.names().any(|known| known == name) {
                let known = templates.names().collect::<Vec<_>>().join(", ");
                return Err(Failure::Usage(format!("there is no template {name:?}; there are {known}")));
            }
            templates = templates.without(name);
        }
        let (title, name) = match without {
            [] => ("with templates".to_owned(), "all".to_owned()),
            names => (format!("without {}", names.join(", ")), format!("without {}", names.join(","))),
        };
        runs.push(Run { title, name, tally: ground.tally(templates, samples)? });
    }
    let tally = ground.tally(ground.templates()?.generic_only(), samples)?;
    runs.push(Run { title: "generic only".to_owned(), name: "generic".to_owned(), tally });
    Ok(runs)
}

fn print(out: &mut Output, runs: &[Run], differences: bool) -> Result<(), Failure> {
    let mut heading = vec!["FIELD".to_owned(), "OF".to_owned()];
    for run in runs {
        let parts = ["RIGHT", "%", "NOT USED", "MISSING", "WRONG"];
        heading.extend([format!("{}: {}", run.title.to_uppercase(), parts[0])]);
        heading.extend(parts[1..].iter().map(|part| (*part).to_owned()));
    }
    let totals = |point: Point| runs.iter().map(move |run| run.tally.total(point));
    let known = Point::ALL.into_iter().filter(|point| totals(*point).any(|figure| figure.of() > 0));
    let rows = known.map(|point| {
        let of = totals(point).map(Figure::of).max().unwrap_or_default();
        let cells = totals(point).flat_map(|figure| {
            let counts = [figure.unused, figure.missing, figure.wrong].map(|count| count.to_string());
            [figure.right.to_string(), figure.percent().unwrap_or_default()].into_iter().chain(counts)
        });
        [title(point).to_lowercase(), of.to_string()].into_iter().chain(cells).collect()
    });
    out.table(&heading.iter().map(String::as_str).collect::<Vec<_>>(), rows.collect())?;
    for run in runs {
        out.line("")?;
        out.line(format!("{}, right of all:", run.title))?;
        platform_table(out, &run.tally)?;
    }
    for run in runs {
        let misuses = run.tally.misuses();
        out.line("")?;
        out.line(format!("{}: {} that would do harm", run.title, misuses.len()))?;
        for (mail, misuse) in misuses {
            out.line(format!("  {mail}: {misuse}"))?;
        }
        if differences {
            out.line(format!("{}: {} not as expected", run.title, run.tally.differences().len()))?;
            for difference in run.tally.differences() {
                out.line(format!("  {difference}"))?;
            }
        }
    }
    Ok(())
}

fn print_json(out: &mut Output, run: &Run, differences: bool) -> Result<(), Failure> {
    let templates = run.name.as_str();
    let mut figure = |platform: Option<&str>, point: Point, figure: Figure| {
        if figure.of() == 0 {
            return Ok(());
        }
        let Figure { right, unused, missing, wrong } = figure;
        let (field, of) = (point.as_str(), figure.of());
        out.json(&FigureRow { templates, platform, field, right, unused, missing, wrong, of })
    };
    for (platform, _) in run.tally.platforms() {
        for point in Point::ALL {
            figure(Some(platform), point, run.tally.figure(platform, point))?;
        }
    }
    for point in Point::ALL {
        figure(None, point, run.tally.total(point))?;
    }
    for (mail, misuse) in run.tally.misuses() {
        let (got, wanted) = (misuse.got.as_str(), misuse.wanted.as_str());
        out.json(&DifferenceRow { templates, file: mail, field: misuse.point.as_str(), got, wanted, misused: true })?;
    }
    for difference in run.tally.differences().iter().filter(|_| differences) {
        let one = &difference.judgement;
        let (got, wanted) = (one.got.as_str(), one.wanted.as_str());
        let (file, field) = (difference.mail.as_str(), one.point.as_str());
        out.json(&DifferenceRow { templates, file, field, got, wanted, misused: false })?;
    }
    Ok(())
}
