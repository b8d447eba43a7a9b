//! `invited template explain`: what the templates make of a mail, and by which rule.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::trace::{self, BOLD, styled};
use crate::app::load_templates;
use crate::cli::{Failure, JsonArg, Output};
use crate::domain::{EventKind, Finding, Product, Reading};
use crate::ops::read::explain_mail;
use crate::read::{Context, Reader};

/// Which mails to read.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The mail as the reader sees it, every rule that was tried, and what was found or why not:
    invited template explain order.eml
  What was found only, with a shop's own templates:
    invited template explain --brief --templates /etc/invited/templates order.eml shipment.eml")]
pub(in crate::cli) struct Explain {
    #[command(flatten)]
    json: JsonArg,
    /// The mails, one file each, as they came in
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A domain of the shop: mail to it is mail to the shop itself, not to a customer (may be repeated)
    #[arg(long, value_name = "DOMAIN")]
    shop_domain: Vec<String>,
    /// A folder of templates laid over those that ship
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// Read as if the shop's software were not known: without the templates of platforms
    #[arg(long)]
    generic_only: bool,
    /// Only what was found, without the mail and the rules that were tried
    #[arg(long)]
    brief: bool,
}

/// A reading as `--json` prints it; the names are a contract.
#[derive(Serialize)]
struct Row<'a> {
    file: String,
    outcome: &'static str,
    event: Option<&'static str>,
    /// Whether the event is about a part of the order only.
    partial: bool,
    customer: Customer<'a>,
    reference: Option<&'a str>,
    order_date: Option<&'a str>,
    products: Vec<Line<'a>>,
    locale: Option<&'a str>,
    template: Option<&'a str>,
    findings: &'a [Finding],
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Customer<'a> {
    name: Option<&'a str>,
    email: Option<&'a str>,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    sku: Option<&'a str>,
    url: Option<&'a str>,
    price: Option<&'a str>,
    quantity: Option<u32>,
}

impl Explain {
    pub(super) fn run(self) -> Result<(), Failure> {
        let templates = load_templates(self.templates.as_deref()).map_err(Failure::Config)?;
        let reader = Reader::new(if self.generic_only { templates.generic_only() } else { templates });
        let mut out = Output::paged();
        for (number, path) in self.files.iter().enumerate() {
            let file = path.display().to_string();
            let mail =
                std::fs::read(path).map_err(|error| Failure::Undone(format!("{file} cannot be read: {error}")))?;
            if number > 0 && !self.json.json {
                out.line("")?;
            }
            if self.json.json || self.brief {
                let reading = explain_mail(&reader, &mail, &self.shop_domain);
                match self.json.json {
                    true => out.json(&row(file, &reading))?,
                    false => {
                        out.line(file)?;
                        show(&mut out, &reading)?;
                    }
                }
                continue;
            }
            let context = Context { shop_domains: &self.shop_domain, ..Context::default() };
            let told = reader.explain(&mail, &context);
            out.styled(styled(BOLD, &file))?;
            trace::show(&mut out, &told)?;
            out.styled(styled(BOLD, "reading"))?;
            show(&mut out, &told.reading)?;
        }
        Ok(())
    }
}

fn show(out: &mut Output, reading: &Reading) -> Result<(), Failure> {
    let event = reading.event.map(|event| format!(", order {event}")).unwrap_or_default();
    let template = reading.template.as_deref().map(|name| format!(", template {name}")).unwrap_or_default();
    out.line(format!("  {}{event}{template}", reading.outcome.as_str()))?;
    if let Some(reason) = &reading.reason {
        out.line(format!("  because {reason}"))?;
    }
    let rows = reading
        .findings
        .iter()
        .map(|one| vec![format!("  {}", one.field), one.value.clone(), one.layer.as_str().to_owned(), one.rule.clone()])
        .collect::<Vec<_>>();
    if !rows.is_empty() {
        out.table(&["  FIELD", "VALUE", "LAYER", "RULE"], rows)?;
    }
    Ok(())
}

fn row(file: String, reading: &Reading) -> Row<'_> {
    Row {
        file,
        outcome: reading.outcome.as_str(),
        event: reading.event.map(word),
        partial: matches!(reading.event, Some(EventKind::ShippedInPart | EventKind::RefundedInPart)),
        customer: Customer {
            name: reading.customer_name.as_ref().map(|name| name.as_str()),
            email: reading.customer_email.as_ref().map(|email| email.as_str()),
        },
        reference: reading.reference.as_ref().map(|reference| reference.as_str()),
        order_date: reading.order_date.as_ref().map(|date| date.as_str()),
        products: reading.products.iter().map(line).collect(),
        locale: reading.locale.as_deref(),
        template: reading.template.as_deref(),
        findings: &reading.findings,
        reason: reading.reason.as_deref(),
    }
}

/// A refund is a refund to scripts, and a shipment a shipment; `partial` says the rest.
fn word(event: EventKind) -> &'static str {
    match event {
        EventKind::ShippedInPart => EventKind::Shipped.as_str(),
        EventKind::RefundedInPart => EventKind::Refunded.as_str(),
        whole => whole.as_str(),
    }
}

fn line(product: &Product) -> Line<'_> {
    Line {
        name: &product.name,
        sku: product.sku.as_deref(),
        url: product.url.as_deref(),
        price: product.price.as_deref(),
        quantity: product.quantity,
    }
}
