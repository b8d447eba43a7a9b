//! `invited explain`: the whole story of an address, an order or an invitation.

use clap::Args;

use super::output::{local, one_line};
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::domain::{EmailAddress, InvitationId, OrderReference};
use crate::ops::explain::tell;
use crate::store::{Store, Story, Subject};

/// Tells the whole story of an address, an order or an invitation.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  By address, by order reference, or by the id of an invitation:
    invited explain anna@customer.example
    invited explain LN-2204
    invited explain --id 4711")]
pub(super) struct Explain {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// An address, an order reference, or an invitation's id. A number is tried as a reference first
    subject: String,
    /// Take the subject as an invitation's id
    #[arg(long)]
    id: bool,
}

impl Explain {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let subjects = self.subjects()?;
        let desk = Desk::open(&self.config).await?;
        let mut story = Story::default();
        for subject in &subjects {
            story = desk.store.story(subject).await?;
            if !story.invitations.is_empty() || !story.copies.is_empty() {
                break;
            }
        }
        let mut out = Output::paged();
        if story.invitations.is_empty() && story.copies.is_empty() {
            return Err(Failure::Undone(format!(
                "nothing is known of {:?}: no copy that names it was taken in, or it is no longer kept",
                self.subject
            )));
        }
        let zone = desk.zone();
        let lines = tell(&story, &|at| local(at, &zone));
        if self.json.json {
            for line in lines {
                out.json(&serde_json::json!({ "at": line.at.map(|at| at.to_string()), "text": line.text }))?;
            }
            return Ok(());
        }
        for line in lines {
            match line.at {
                Some(at) => out.line(format!("  {}  {}", local(at, &zone), one_line(&line.text)))?,
                None => out.line(one_line(&line.text))?,
            }
        }
        Ok(())
    }

    /// What the subject may mean, likeliest first.
    fn subjects(&self) -> Result<Vec<Subject>, Failure> {
        let text = self.subject.trim();
        let id = text.parse::<InvitationId>().ok().map(Subject::Invitation);
        if self.id {
            return Ok(vec![id.ok_or_else(|| Failure::Usage(format!("{text:?} is no invitation's id")))?]);
        }
        if text.contains('@') {
            let address = EmailAddress::parse(text).map_err(|error| Failure::Usage(format!("{text:?}: {error}")))?;
            return Ok(vec![Subject::Email(address.key())]);
        }
        let reference = OrderReference::parse(text)
            .map(Subject::Reference)
            .ok_or_else(|| Failure::Usage(format!("{text:?} is no address, order reference or id")))?;
        Ok(std::iter::once(reference).chain(id).collect())
    }
}
