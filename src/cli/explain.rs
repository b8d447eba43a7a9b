//! `invited explain`: the whole story of an address, an order or an invitation.

use std::sync::Arc;

use clap::Args;

use super::output::{local, one_line};
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::domain::{
    AddressKey, EmailAddress, InvitationId, OrderReference, ShopId, SuppressionEntry, Timestamp, lookup_keys,
};
use crate::ops::explain::{Line, Telling, silence, tell};
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
    /// Take the subject as an order's reference, also of an order that got no invitation
    #[arg(long, conflicts_with = "id")]
    order: bool,
    /// Only of this shop
    #[arg(long)]
    shop: Option<String>,
}

impl Explain {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let subjects = self.subjects()?;
        let desk = Desk::open(&self.config).await?;
        let shop = match &self.shop {
            Some(shop) => Some(desk.shop_ever(shop).await?),
            None => None,
        };
        let mut story = Story::default();
        for subject in &subjects {
            story = desk.store.story(subject).await?;
            keep_shop(&mut story, shop.as_ref());
            if !story.invitations.is_empty() || !story.copies.is_empty() || !story.reviews.is_empty() {
                break;
            }
        }
        let shops = story.invitations.iter().map(|one| &one.shop).chain(story.copies.iter().map(|copy| &copy.shop));
        let zone = desk.zone_of_all(shops.chain(shop.as_ref()));
        let when = |at: Timestamp| local(at, &zone);
        let policies = desk.policies()?;
        let standings = desk.store.standings(&story.invitations, Arc::clone(&policies), desk.clock.now()).await?;
        let telling = Telling {
            policies: &policies,
            standings: &standings,
            holds_all: desk.config.hold_all,
            now: desk.clock.now(),
            when: &when,
        };
        if !story.invitations.is_empty() || !story.copies.is_empty() || !story.reviews.is_empty() {
            return self.print(&tell(&story, &telling), &when);
        }
        if let [Subject::Reference(reference), ..] = &subjects[..] {
            let silence = silence(&desk.store, reference, shop.as_ref()).await?;
            if self.order || !silence.mentioned.is_empty() {
                return self.print(&silence.tell(reference, &telling), &when);
            }
        }
        if let [Subject::Email(address)] = &subjects[..] {
            let on_list = on_list(&desk, address, shop.as_ref(), &when).await?;
            if !on_list.is_empty() {
                return self.print(&on_list, &when);
            }
        }
        Err(Failure::Undone(match &subjects[..] {
            [Subject::Invitation(id)] => format!("there is no invitation {id}"),
            _ => format!(
                "nothing is known of {:?}: no copy that names it was taken in, or it is no longer kept",
                self.subject
            ),
        }))
    }

    fn print(&self, lines: &[Line], when: &dyn Fn(Timestamp) -> String) -> Result<(), Failure> {
        let mut out = Output::paged();
        for line in lines {
            match line.at {
                _ if self.json.json => {
                    out.json(&serde_json::json!({ "at": line.at.map(|at| at.to_string()), "text": line.text }))?;
                }
                Some(at) => out.line(format!("  {}  {}", when(at), one_line(&line.text)))?,
                None => out.line(one_line(&line.text))?,
            }
        }
        Ok(())
    }

    /// What the subject may mean, likeliest first.
    fn subjects(&self) -> Result<Vec<Subject>, Failure> {
        let text = self.subject.trim();
        let id = text.parse::<InvitationId>().ok().map(Subject::Invitation);
        if self.order {
            let reference = OrderReference::parse(text);
            return Ok(vec![Subject::Reference(
                reference.ok_or_else(|| Failure::Usage(format!("{text:?} is no order reference")))?,
            )]);
        }
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

/// What is to be said of somebody of whom nothing is known but that no letters go to them; empty when they may.
async fn on_list(
    desk: &Desk,
    address: &AddressKey,
    shop: Option<&ShopId>,
    when: &dyn Fn(Timestamp) -> String,
) -> Result<Vec<Line>, Failure> {
    let entries = desk.store.suppressed_by(&lookup_keys(address, &desk.list_key()?)).await?;
    let entries = entries.iter().map(|one| &one.entry);
    let counts = |one: &&SuppressionEntry| shop.is_none() || one.shop.is_none() || one.shop.as_ref() == shop;
    let mut lines = Vec::new();
    for entry in entries.filter(counts) {
        let whose = entry.shop.as_ref().map_or_else(|| "of all shops".to_owned(), |shop| format!("of {shop}"));
        lines.push(plain(format!(
            "Letters {whose} do not go there: the {} is on the suppression list ({}) since {}, by {}.",
            entry.key.kind(),
            entry.reason.as_str(),
            when(entry.at),
            entry.actor
        )));
    }
    if !lines.is_empty() {
        let orders = "No order is known: no copy that names the address was taken in, or it is no longer kept.";
        lines.insert(0, plain(orders.to_owned()));
        lines.push(plain(format!(
            "Next: nothing. What keeps letters away: invited suppress list --address {}",
            address.as_str()
        )));
    }
    Ok(lines)
}

fn plain(text: String) -> Line {
    Line { at: None, text }
}

/// Leaves out what other shops know.
fn keep_shop(story: &mut Story, shop: Option<&ShopId>) {
    if let Some(shop) = shop {
        story.copies.retain(|copy| copy.shop == *shop);
        story.invitations.retain(|one| one.shop == *shop);
    }
}
