//! `invited template learn`: a shop's template from samples of its mails.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::confirm::{can_ask, confirm};
use super::{Failure, JsonArg, Output, output};
use crate::app::{load_config, load_templates};
use crate::config::Config;
use crate::document::Document;
use crate::domain::{EventKind, Field, Reading};
use crate::read::{Asked, Context, Example, Learnt, Reader, Templates, learn};

/// Where other commands look for a configuration.
const CONFIG: &str = "/etc/invited/invited.toml";

/// Which mails, and what is known of them.
///
/// The template knows the shop's mails of this one kind; its other mails are read as before.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A template from two order mails, tried on a third, and saved when you say yes:
    invited template learn 1.eml 2.eml --reference LN-2204 --reference LN-2207 --try shipment.eml
  Without a question, under the shop's own name:
    invited template learn 1.eml --reference LN-2204 --shop-name \"Lykta & Ljus\" --yes")]
pub(super) struct Learn {
    #[command(flatten)]
    json: JsonArg,
    /// The samples, one file each, as they came in: mails of one kind from one shop
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The order reference in the sample; once for each FILE, in their order
    #[arg(long, required = true, value_name = "REF")]
    reference: Vec<String>,
    /// The customer's address, where To does not have it; once for each FILE
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,
    /// The customer's name; once for each FILE
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// What the mails tell of, where their words do not say it: placed, paid, shipped, shipped_in_part,
    /// delivered, delayed, cancelled, refunded, refunded_in_part
    #[arg(long, value_name = "KIND")]
    event: Option<String>,
    /// The shop's name, after which the template is named; the author's name without it
    #[arg(long, visible_alias = "as", value_name = "NAME")]
    shop_name: Option<String>,
    /// Other mails, to see what the template makes of them
    #[arg(long = "try", value_name = "FILE", num_args = 1..)]
    tried: Vec<PathBuf>,
    /// A domain of the shop: mail to it is mail to the shop itself, not to a customer (may be repeated)
    #[arg(long, value_name = "DOMAIN")]
    shop_domain: Vec<String>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Save without asking
    #[arg(long)]
    yes: bool,
    /// A configuration: its folder of templates, and what its shops' own domains are
    #[arg(long, value_name = "FILE", env = "INVITED_CONFIG")]
    config: Option<PathBuf>,
}

/// A reading as `--json` prints it; the names are a contract.
#[derive(Serialize)]
struct Row<'a> {
    file: String,
    tried: bool,
    outcome: &'static str,
    event: Option<&'static str>,
    template: Option<&'a str>,
    reference: Option<&'a str>,
    email: Option<&'a str>,
    name: Option<&'a str>,
    order_date: Option<&'a str>,
    products: usize,
    reason: Option<&'a str>,
}

impl Learn {
    pub(super) fn run(self) -> Result<(), Failure> {
        let event = self.event()?;
        for (flag, given) in [("--reference", &self.reference), ("--email", &self.email), ("--name", &self.name)] {
            let none = given.is_empty() && flag != "--reference";
            if !none && given.len() != self.files.len() {
                return Err(Failure::Usage(format!(
                    "{flag} is given {} for {}; give it once for each, in their order",
                    output::count(given.len(), "time"),
                    output::count(self.files.len(), "file"),
                )));
            }
        }
        let config = self.config()?;
        let (own, shops) = self.domains(config.as_ref());
        let context = Context { shop_domains: &shops, own_domains: &own, ..Context::default() };
        let mails = self.files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
        let examples = mails.iter().enumerate().map(|(index, mail)| Example {
            mail,
            reference: &self.reference[index],
            email: self.email.get(index).map(String::as_str),
            name: self.name.get(index).map(String::as_str),
        });
        let examples = examples.collect::<Vec<_>>();
        let generic = Reader::new(Templates::embedded().generic_only());
        let asked = Asked { shop: self.shop_name.as_deref(), event };
        let learnt = learn(&examples, &asked, &generic, &context)
            .map_err(|why| Failure::Undone(format!("nothing was learnt:\n  {}", why.join("\n  "))))?;
        let mut out = Output::new();
        self.show(&mut out, &learnt)?;
        if !learnt.faults.is_empty() {
            self.tell(&mut out, &learnt, None)?;
            return Err(Failure::Undone(format!(
                "the template does not read the samples right, and nothing was saved:\n  {}",
                learnt.faults.join("\n  ")
            )));
        }
        self.try_others(&mut out, &learnt, &context)?;
        let path = self.free_path(&learnt, config.as_ref())?;
        let saved = self.may_save(&path)?;
        if saved {
            write_new(&path, &learnt.text)?;
        }
        self.tell(&mut out, &learnt, saved.then_some(path.as_path()))?;
        if !saved && !self.json.json {
            out.line(format!("Not saved. With --yes it is saved as {}", path.display()))?;
        }
        Ok(())
    }

    fn event(&self) -> Result<Option<EventKind>, Failure> {
        let parse = |word: &String| {
            let known = EventKind::ALL.map(EventKind::as_str).join(", ");
            EventKind::parse(word).ok_or_else(|| Failure::Usage(format!("--event {word}: use one of {known}")))
        };
        self.event.as_ref().map(parse).transpose()
    }

    /// The configuration that is named, or that lies where other commands look for it.
    fn config(&self) -> Result<Option<Config>, Failure> {
        match &self.config {
            Some(path) => Ok(Some(load_config(path).map_err(Failure::Config)?)),
            // Who learns from samples at a desk of their own need not be able to read it.
            None => Ok(load_config(Path::new(CONFIG)).ok()),
        }
    }

    /// Our own domains and the shops'.
    fn domains(&self, config: Option<&Config>) -> (Vec<String>, Vec<String>) {
        let mut shops = self.shop_domain.clone();
        let Some(config) = config else { return (Vec::new(), shops) };
        shops.extend(config.shops.iter().flat_map(|shop| shop.domains.clone()));
        let own = config.shops.iter().map(|shop| shop.from.domain().to_owned()).chain([config.ingest_domain.clone()]);
        (own.collect(), shops)
    }

    /// The template and what it makes of the samples.
    fn show(&self, out: &mut Output, learnt: &Learnt) -> Result<(), Failure> {
        if !self.json.json {
            out.line(learnt.text.trim_end())?;
        }
        for (file, reading) in self.files.iter().zip(&learnt.readings) {
            self.show_reading(out, file, reading, false)?;
        }
        Ok(())
    }

    fn show_reading(&self, out: &mut Output, file: &Path, reading: &Reading, tried: bool) -> Result<(), Failure> {
        if self.json.json {
            return Ok(out.json(&row(file, reading, tried))?);
        }
        out.line("")?;
        let template = reading.template.as_deref().map_or("no template".to_owned(), |name| format!("template {name}"));
        out.line(format!("{}: {}, {template}", file.display(), reading.outcome.as_str()))?;
        if let Some(reason) = &reading.reason {
            out.line(format!("  because {reason}"))?;
        }
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut last: Option<Field> = None;
        // The finding that was taken comes first in its field.
        for one in reading.findings.iter().filter(|one| last.replace(one.field) != Some(one.field)) {
            rows.push(vec![
                format!("  {}", one.field),
                one.value.clone(),
                format!("{} {}", one.layer.as_str(), one.rule),
            ]);
        }
        if !rows.is_empty() {
            out.table(&["  FIELD", "VALUE", "BY RULE"], rows)?;
        }
        Ok(())
    }

    fn try_others(&self, out: &mut Output, learnt: &Learnt, context: &Context<'_>) -> Result<(), Failure> {
        if self.tried.is_empty() {
            return Ok(());
        }
        let document = Document::new(format!("{}.toml", learnt.name), learnt.text.as_str());
        let reader = Reader::new(Templates::with_overrides(vec![document]).map_err(Failure::Config)?);
        for file in &self.tried {
            self.show_reading(out, file, &reader.read(&read(file)?, context), true)?;
        }
        Ok(())
    }

    /// Where the template goes; nothing is there yet.
    fn free_path(&self, learnt: &Learnt, config: Option<&Config>) -> Result<PathBuf, Failure> {
        let folder = config.and_then(|config| config.templates_dir.as_deref());
        let path = match (&self.out, folder) {
            (Some(out), _) => out.clone(),
            (None, Some(folder)) => folder.join(format!("{}.toml", learnt.name)),
            (None, None) => PathBuf::from(format!("{}.toml", learnt.name)),
        };
        let taken = folder.is_some_and(|folder| {
            load_templates(Some(folder)).is_ok_and(|templates| templates.names().any(|name| name == learnt.name))
        });
        if path.exists() {
            return Err(Failure::Undone(format!(
                "{} is there already and was left as it is; name another file with --out, or another name with --shop-name",
                path.display()
            )));
        }
        if taken {
            return Err(Failure::Undone(format!(
                "there is a template {:?} in the folder of templates already; give another name with --shop-name",
                learnt.name
            )));
        }
        Ok(path)
    }

    fn may_save(&self, path: &Path) -> Result<bool, Failure> {
        // Without a person there is no harm in not saving: the template was printed.
        if !self.yes && (self.json.json || !can_ask()) {
            return Ok(false);
        }
        confirm(&format!("\nSave as {}?", path.display()), self.yes)
    }

    fn tell(&self, out: &mut Output, learnt: &Learnt, saved: Option<&Path>) -> Result<(), Failure> {
        if self.json.json {
            let saved = saved.map(|path| path.display().to_string());
            out.json(&json!({ "name": learnt.name, "text": learnt.text, "faults": learnt.faults, "saved": saved }))?;
        } else if let Some(path) = saved {
            out.line("")?;
            out.line(format!("Saved as {}", path.display()))?;
        }
        Ok(())
    }
}

fn row<'a>(file: &Path, reading: &'a Reading, tried: bool) -> Row<'a> {
    Row {
        file: file.display().to_string(),
        tried,
        outcome: reading.outcome.as_str(),
        event: reading.event.map(EventKind::as_str),
        template: reading.template.as_deref(),
        reference: reading.reference.as_ref().map(|reference| reference.as_str()),
        email: reading.customer_email.as_ref().map(|email| email.as_str()),
        name: reading.customer_name.as_ref().map(|name| name.as_str()),
        order_date: reading.order_date.as_ref().map(|date| date.as_str()),
        products: reading.products.len(),
        reason: reading.reason.as_deref(),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| Failure::Undone(format!("{} cannot be read: {error}", file.display())))
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new().write(true).create_new(true).open(path);
    written
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|error| Failure::Undone(format!("{} cannot be written: {error}", path.display())))
}
