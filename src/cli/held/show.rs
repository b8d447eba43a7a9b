//! `invited held show`.

use std::io::{IsTerminal as _, Write as _};

use clap::Args;

use super::marked::Marker;
use super::{ConfigArg, Desk, Failure, JsonArg, Output, json, local_in};
use crate::cli::output::{local, one_line};
use crate::domain::trust::TrustRules;
use crate::domain::{CopyId, Doubt, Outcome, Reading, Way, Zone};
use crate::ops::held::{Gap, gaps, standing};
use crate::ops::trust;
use crate::read::{Readable, readable};
use crate::store::{CopyState, Store, StoredCopy};

/// Lines of a mail that are shown; `--raw` has the rest.
const LINES: usize = 500;

/// Which copy `show` shows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Why it is held, and its mail with what was read from it marked:
    invited held show 4711
  The mail itself, to make a template from it:
    invited held show 4711 --raw > order.eml")]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The copy's id
    id: CopyId,
    /// Print the mail itself, byte by byte, and nothing else
    #[arg(long)]
    raw: bool,
}

impl Show {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let (copy, message) =
            desk.store.copy(self.id).await?.ok_or_else(|| Failure::Undone(format!("there is no copy {}", self.id)))?;
        if self.raw {
            let message =
                message.ok_or_else(|| Failure::Undone(format!("the mail of copy {} is no longer kept", self.id)))?;
            return print_raw(&message);
        }
        let mut out = Output::paged();
        if self.json.json {
            return Ok(out.json(&json(&copy))?);
        }
        let zone = desk.zone_of(&copy.shop);
        facts(&copy, &zone, &mut out)?;
        let nothing = Reading::without_findings(Outcome::Held, "");
        let marker = Marker::new(copy.reading.as_ref().unwrap_or(&nothing), out.has_colours());
        out.line("")?;
        match message.as_deref().map(readable) {
            None => out.line("The mail is no longer kept.")?,
            Some(Err(why)) => out.line(format!("The mail cannot be shown as text: {why}."))?,
            Some(Ok(mail)) => print_mail(&mail, &marker, &mut out)?,
        }
        out.line("")?;
        let rules = desk.config.shop(&copy.shop).map(|shop| &shop.trust);
        for line in mending(&copy, rules) {
            out.line(line)?;
        }
        for line in ways_on(&copy, message.is_some(), &zone) {
            out.line(line)?;
        }
        Ok(())
    }
}

/// Byte by byte; a terminal is shown what would steer it instead.
fn print_raw(message: &[u8]) -> Result<(), Failure> {
    if std::io::stdout().is_terminal() {
        let text = String::from_utf8_lossy(message).replace("\r\n", "\n");
        return Ok(Output::paged().line(text.trim_end())?);
    }
    Ok(std::io::stdout().write_all(message)?)
}

fn facts(copy: &StoredCopy, zone: &Zone, out: &mut Output) -> Result<(), Failure> {
    let mut rows = vec![
        vec!["copy".to_owned(), copy.id.to_string()],
        vec!["shop".to_owned(), copy.shop.to_string()],
        vec!["came in".to_owned(), local(copy.received_at, zone)],
        vec!["from".to_owned(), copy.handed.client.map(|client| client.to_string()).unwrap_or_default()],
        vec!["envelope sender".to_owned(), copy.mail_from.clone()],
        vec!["sender".to_owned(), found_of(copy)],
        vec!["size".to_owned(), format!("{} bytes", copy.size)],
        vec!["state".to_owned(), copy.state.as_str().to_owned()],
    ];
    if let Some(mark) = &copy.desk {
        let why = mark.actor.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let what = format!("{} by {}{why}", local(mark.at, zone), mark.actor.name);
        rows.push(vec![mark.act.as_str().to_owned(), what]);
    }
    if let Some(reading) = &copy.reading {
        rows.push(vec!["reason".to_owned(), reading.reason.clone().unwrap_or_default()]);
        rows.push(vec!["template".to_owned(), reading.template.clone().unwrap_or_default()]);
        for finding in &reading.findings {
            let origin = format!("{} ({} {})", finding.value, finding.layer.as_str(), finding.rule);
            rows.push(vec![finding.field.to_string(), origin]);
        }
    }
    rows.retain(|row| !row[1].is_empty());
    Ok(out.table(&[], rows)?)
}

/// What was found about its sender.
fn found_of(copy: &StoredCopy) -> String {
    trust::stored(copy.proof.as_deref()).map(|proof| proof.verdict.sentence()).unwrap_or_default()
}

/// The mail, and one that is attached to it: that is what a forwarding person meant.
fn print_mail(mail: &Readable, marker: &Marker, out: &mut Output) -> Result<(), Failure> {
    let mails = std::iter::successors(Some(mail), |mail| mail.attached.as_deref());
    for (number, mail) in mails.enumerate() {
        if number > 0 {
            out.line("")?;
            out.line("Attached to it:")?;
        }
        for (name, value) in &mail.headers {
            out.styled(format!("{name}: {}", marker.mark(&one_line(value))))?;
        }
        out.line("")?;
        let lines = mail.texts.first().map(|text| text.lines.as_slice()).unwrap_or_default();
        for line in lines.iter().take(LINES) {
            out.styled(format!("  {}", marker.mark(&one_line(&line.text))))?;
        }
        if let Some(more) = lines.len().checked_sub(LINES).filter(|more| *more > 0) {
            out.line(format!("  ({more} more lines)"))?;
        }
    }
    Ok(())
}

/// What is to be done so that copies like this one are believed.
fn mending(copy: &StoredCopy, rules: Option<&TrustRules>) -> Vec<String> {
    let (id, shop) = (copy.id, &copy.shop);
    let Some(doubt) = copy.doubt.filter(|_| copy.state == CopyState::Held) else { return Vec::new() };
    match doubt {
        Doubt::Untrusted => {
            let mut lines = Vec::new();
            if copy.handed.way == Way::Pipe && rules.is_some_and(|rules| !rules.pipe) {
                lines
                    .push("It came by invited ingest. Where that is given nothing but the shop's own mail:".to_owned());
                lines.push(format!("    pipe = true in [shop.trust] of {shop}"));
            }
            lines.push(format!(
                "To have such copies believed, put right what the reason names, or [shop.trust] of {shop} (docs/trust.md), reload, and:"
            ));
            lines.push(format!("    invited held replay {id} --yes"));
            lines
        }
        Doubt::NewSender => {
            let mark = copy.sender.as_deref().unwrap_or_default();
            vec![
                "If it is the shop's, to believe its sender from now on:".to_owned(),
                format!("    invited senders approve --shop {shop} --mark \"{mark}\" --replay"),
                "If not, to ignore its sender:".to_owned(),
                format!("    invited senders block --shop {shop} --mark \"{mark}\""),
            ]
        }
        Doubt::Dns => vec!["Nothing is to be done: it is looked at again by itself.".to_owned()],
        Doubt::Volume => vec![
            "If the day's orders are real:".to_owned(),
            format!("    invited held replay --shop {shop} --why volume --yes"),
        ],
    }
}

/// What can be done with the copy now.
fn ways_on(copy: &StoredCopy, is_kept: bool, zone: &Zone) -> Vec<String> {
    let id = copy.id;
    let mut lines = Vec::new();
    if copy.state == CopyState::Held {
        let flags = copy.reading.as_ref().map(gaps).unwrap_or_default();
        let flags = flags.into_iter().map(|gap| format!(" {}", Gap::flag(gap))).collect::<String>();
        lines.push(format!("To use it:    invited held release {id}{flags}"));
        lines.push(format!("To drop it:   invited held discard {id}"));
        if is_kept {
            lines.push(format!("Read again:   invited held replay {id}"));
        }
    } else {
        lines.push(format!("Nothing is to be done with it: {}.", standing(copy, &local_in(zone))));
    }
    if is_kept {
        lines.push(format!("The mail itself: invited held show {id} --raw"));
    }
    lines
}
