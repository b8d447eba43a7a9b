//! What a test set is read with: the templates, and whose mails they are.

use std::path::PathBuf;

use clap::Args;

use crate::app::{Sample, load_config, load_templates};
use crate::cli::{Failure, Output};
use crate::document::Problem;
use crate::read::expected::{Point, Tally};
use crate::read::{Context, Reader, Templates};

/// Our own domain in the mails of test sets, with what is below it, as `docs/adding-a-parser.md` has it.
const OWN_DOMAIN: &str = "invited.example";

/// Where the templates are, and whose mails are read.
#[derive(Debug, Args)]
pub(super) struct GroundArgs {
    /// A folder of templates laid over those that ship
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// A configuration: its templates, and what its shops' own domains are
    #[arg(long, value_name = "FILE", env = "INVITED_CONFIG")]
    config: Option<PathBuf>,
}

/// What mails are read with.
pub(super) struct Ground {
    /// The folder that is laid over the templates that ship.
    pub(super) folder: Option<PathBuf>,
    shop_domains: Vec<String>,
    own_domains: Vec<String>,
    locale: Option<String>,
}

impl GroundArgs {
    pub(super) fn ground(self) -> Result<Ground, Failure> {
        let Some(path) = self.config else {
            return Ok(Ground {
                folder: self.templates,
                shop_domains: Vec::new(),
                own_domains: vec![OWN_DOMAIN.to_owned()],
                locale: None,
            });
        };
        let config = load_config(&path).map_err(Failure::Config)?;
        let own = config.shops.iter().map(|shop| shop.from.domain().to_owned());
        Ok(Ground {
            own_domains: own.chain([config.ingest_domain.clone(), OWN_DOMAIN.to_owned()]).collect(),
            shop_domains: config.shops.iter().flat_map(|shop| shop.domains.clone()).collect(),
            locale: match config.shops.as_slice() {
                [shop] => Some(shop.locale.as_str().to_owned()),
                _ => None,
            },
            folder: self.templates.or(config.templates_dir),
        })
    }
}

impl Ground {
    /// The templates. They are compiled anew each time, for what is taken out of them is gone.
    pub(super) fn templates(&self) -> Result<Templates, Failure> {
        load_templates(self.folder.as_deref()).map_err(Failure::Config)
    }

    /// Reads every mail and counts.
    pub(super) fn tally(&self, templates: Templates, samples: &[Sample]) -> Result<Tally, Failure> {
        let reader = Reader::new(templates);
        let mut tally = Tally::default();
        for sample in samples {
            let mail = sample.mail().map_err(|error| {
                Failure::Config(vec![Problem::with_file(
                    sample.place.clone(),
                    format!("cannot be read: {error}"),
                    "see that it is still there",
                )])
            })?;
            let mut shop_domains = self.shop_domains.clone();
            shop_domains.extend(sample.expected.shop_domain.clone());
            let context = Context {
                shop_domains: &shop_domains,
                own_domains: &self.own_domains,
                locale: self.locale.as_deref(),
                ..Context::default()
            };
            tally.add(&sample.platform, &sample.place, &sample.expected, &reader.read(&mail, &context));
        }
        Ok(tally)
    }
}

/// A row for each platform with how many of how many were right on each point, and one for all.
pub(super) fn platform_table(out: &mut Output, tally: &Tally) -> Result<(), Failure> {
    let points = Point::ALL.into_iter().filter(|point| tally.total(*point).of() > 0).collect::<Vec<_>>();
    let headings = points.iter().map(|point| title(*point)).collect::<Vec<_>>();
    let heading = ["PLATFORM", "MAILS"].into_iter().chain(headings.iter().map(String::as_str)).collect::<Vec<_>>();
    let row = |name: &str, mails: usize, figure: &dyn Fn(Point) -> crate::read::expected::Figure| {
        let cells = points.iter().map(|point| match figure(*point) {
            none if none.of() == 0 => String::new(),
            some => format!("{}/{}", some.right, some.of()),
        });
        [name.to_owned(), mails.to_string()].into_iter().chain(cells).collect::<Vec<_>>()
    };
    let mut rows = Vec::new();
    let mut all = 0;
    for (platform, mails) in tally.platforms() {
        rows.push(row(platform, mails, &|point| tally.figure(platform, point)));
        all += mails;
    }
    rows.push(row("all", all, &|point| tally.total(point)));
    Ok(out.table(&heading, rows)?)
}

/// A point as a heading.
pub(super) fn title(point: Point) -> String {
    point.as_str().replace('_', " ").to_uppercase()
}
