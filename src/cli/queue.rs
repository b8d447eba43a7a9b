//! `invited queue`: the invitations, and what support staff do with them.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{count, local};
use super::when::{Meant, point};
use super::who::Who;
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::domain::{DeskOrder, EmailAddress, Invitation, InvitationId, OrderReference, ShopId, State};
use crate::ops::explain::{Telling, next};
use crate::store::{Filter, Store, Subject};

/// Looks into the queue of invitations and changes it.
#[derive(Debug, Subcommand)]
pub(super) enum Queue {
    /// Lists invitations, newest first
    List(List),
    /// Shows invitations with everything that is known of their orders
    Show(Show),
    /// Stops invitations for good
    Cancel(Cancel),
    /// Moves the next letter to another time, at most 90 days ahead
    Reschedule(Reschedule),
    /// Sends the next letter at once
    SendNow(SendNow),
    /// A live screen: the queue, what is due next, rates, relays and held copies
    Watch(super::watch::Show),
    /// Invitations, letters, bounces and reviews over time, as charts and in a table
    Stats(super::stats::Show),
}

/// What `list` lists.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What waits to be sent, newest first:
    invited queue list --state queued --limit 100
  What is known of one customer, or of one order:
    invited queue list --email anna@customer.example
    invited queue list --reference LN-2204
  What a person should look at, for a program:
    invited queue list --state held --state failed --state in_doubt --json
  The next page:
    invited queue list --before 4711")]
pub(super) struct List {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Only of this shop
    #[arg(long)]
    shop: Option<String>,
    /// Only in this state: waiting, queued, sending, sent, done, cancelled, held, failed, in_doubt (may be repeated)
    #[arg(long)]
    state: Vec<String>,
    /// Only for this address
    #[arg(long)]
    email: Option<String>,
    /// Only about this order
    #[arg(long)]
    reference: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Only those with an id below this one: the next page
    #[arg(long, value_name = "ID")]
    before: Option<InvitationId>,
}

/// Which invitations `show` shows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Two invitations with their orders:
    invited queue show 4711 4712")]
pub(super) struct Show {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Their ids
    #[arg(required = true)]
    ids: Vec<InvitationId>,
}

/// Which invitations a change is for, and why it is made.
#[derive(Debug, Args)]
pub(super) struct Change {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The invitations' ids
    #[arg(required = true)]
    ids: Vec<InvitationId>,
    #[command(flatten)]
    who: Who,
}

/// Which invitations to stop.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The customer asked by telephone not to be written to:
    invited queue cancel 4711 --reason \"asked by telephone\"
  Several at once, in somebody's name:
    invited queue cancel 4711 4712 --reason \"test orders\" --actor maria")]
pub(super) struct Cancel {
    #[command(flatten)]
    change: Change,
}

/// When the next letter should go out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  To the morning of a day, to an hour, or by a span from now:
    invited queue reschedule 4711 --to 2027-01-07
    invited queue reschedule 4711 --to \"2027-01-07 16:30\"
    invited queue reschedule 4711 4712 --to \"2 weeks\" --reason \"the parcels are late\"")]
pub(super) struct Reschedule {
    #[command(flatten)]
    change: Change,
    /// A date (`2026-12-24`: nine in the morning), a local time (`2026-12-24 09:00`), an RFC 3339 time, or a span from now (`3 days`)
    #[arg(long, value_name = "TIME")]
    to: String,
}

/// Which letters to send at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The next letter goes out at once:
    invited queue send-now 4711
  One that failed, after the relay was put right:
    invited queue send-now 4711 --reason \"the relay works again\"")]
pub(super) struct SendNow {
    #[command(flatten)]
    change: Change,
}

/// An invitation as `--json` prints it; the names are a contract.
#[derive(Serialize)]
struct Row<'a> {
    id: InvitationId,
    shop: &'a str,
    reference: &'a str,
    name: Option<&'a str>,
    email: &'a str,
    state: &'static str,
    due_at: Option<String>,
    created_at: String,
    letters: u32,
}

impl<'a> From<&'a Invitation> for Row<'a> {
    fn from(invitation: &'a Invitation) -> Self {
        Self {
            id: invitation.id,
            shop: invitation.shop.as_str(),
            reference: invitation.reference.as_str(),
            name: invitation.customer.name.as_ref().map(|name| name.as_str()),
            email: invitation.customer.email.as_str(),
            state: invitation.progress.state.as_str(),
            due_at: invitation.progress.due_at.map(|due| due.to_string()),
            created_at: invitation.created_at.to_string(),
            letters: invitation.progress.letters_sent,
        }
    }
}

impl Queue {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run().await,
            Self::Watch(show) => show.run().await,
            Self::Stats(show) => show.run().await,
            Self::Show(show) => show.run().await,
            Self::Cancel(cancel) => cancel.change.carry_out(|_| Ok(DeskOrder::Cancel)).await,
            Self::SendNow(send) => send.change.carry_out(|_| Ok(DeskOrder::SendNow)).await,
            Self::Reschedule(reschedule) => {
                let Reschedule { change, to } = reschedule;
                change
                    .carry_out(|desk| {
                        Ok(DeskOrder::Reschedule(point("--to", &to, Meant::Ahead, &desk.zone(), desk.clock.now())?))
                    })
                    .await
            }
        }
    }
}

impl List {
    async fn run(self) -> Result<(), Failure> {
        let filter = self.filter()?;
        let desk = Desk::open(&self.config).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let invitations = desk.store.list(&filter, self.before, limit).await?;
        let mut out = Output::paged();
        if self.json.json {
            for invitation in &invitations {
                out.json(&Row::from(invitation))?;
            }
            return Ok(());
        }
        if invitations.is_empty() {
            out.line("No invitations.")?;
            return Ok(());
        }
        let zone = desk.zone();
        let rows = invitations
            .iter()
            .map(|one| {
                vec![
                    one.id.to_string(),
                    one.shop.to_string(),
                    one.reference.to_string(),
                    one.customer.name.as_ref().map(ToString::to_string).unwrap_or_default(),
                    one.customer.email.to_string(),
                    one.progress.state.to_string(),
                    one.progress.due_at.map(|due| local(due, &zone)).unwrap_or_default(),
                    one.progress.letters_sent.to_string(),
                ]
            })
            .collect();
        out.table(&["ID", "SHOP", "ORDER", "NAME", "ADDRESS", "STATE", "DUE", "LETTERS"], rows)?;
        if invitations.len() == limit
            && let Some(last) = invitations.last()
        {
            out.line(format!("More: --before {}", last.id))?;
        }
        Ok(())
    }

    fn filter(&self) -> Result<Filter, Failure> {
        let usage = |why: String| Failure::Usage(why);
        Ok(Filter {
            shop: self.shop.as_deref().map(ShopId::parse).transpose().map_err(|error| usage(error.to_string()))?,
            states: self
                .state
                .iter()
                .map(|word| State::parse(word).ok_or_else(|| usage(format!("{word:?} is no state"))))
                .collect::<Result<_, _>>()?,
            email: self
                .email
                .as_deref()
                .map(|text| EmailAddress::parse(text).map(|address| address.key()))
                .transpose()
                .map_err(|error| usage(format!("--email: {error}")))?,
            reference: match self.reference.as_deref() {
                Some(text) => Some(
                    OrderReference::parse(text)
                        .ok_or_else(|| usage("--reference: no order reference".to_owned()))?
                        .key(),
                ),
                None => None,
            },
        })
    }
}

impl Show {
    async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let zone = desk.zone();
        let mut out = Output::paged();
        for id in self.ids {
            let story = desk.store.story(&Subject::Invitation(id)).await?;
            let invitation =
                story.invitations.first().ok_or_else(|| Failure::Undone(format!("there is no invitation {id}")))?;
            if self.json.json {
                let mut value = serde_json::to_value(Row::from(invitation)).map_err(std::io::Error::other)?;
                value["order"] = serde_json::to_value(&invitation.order).map_err(std::io::Error::other)?;
                value["expires_at"] = invitation.progress.expires_at.map(|end| end.to_string()).into();
                value["attempts"] = invitation.progress.attempts.into();
                out.json(&value)?;
                continue;
            }
            let progress = &invitation.progress;
            let mut rows = vec![
                vec!["id".to_owned(), id.to_string()],
                vec!["shop".to_owned(), invitation.shop.to_string()],
                vec!["order".to_owned(), invitation.reference.to_string()],
                vec!["name".to_owned(), invitation.customer.name.as_ref().map(ToString::to_string).unwrap_or_default()],
                vec!["address".to_owned(), invitation.customer.email.to_string()],
                vec!["state".to_owned(), progress.state.to_string()],
                vec!["due".to_owned(), progress.due_at.map(|due| local(due, &zone)).unwrap_or_default()],
                vec!["letters".to_owned(), progress.letters_sent.to_string()],
                vec!["language".to_owned(), invitation.order.locale.clone().unwrap_or_default()],
                vec!["created".to_owned(), local(invitation.created_at, &zone)],
            ];
            rows.extend(
                invitation.order.products.iter().map(|product| vec!["product".to_owned(), product.name.clone()]),
            );
            rows.retain(|row| !row[1].is_empty());
            out.table(&[], rows)?;
            let policies = desk.foretelling_policies()?;
            let standings = desk.store.standings(&story.invitations, Arc::clone(&policies), desk.clock.now()).await?;
            let telling = Telling {
                policies: &policies,
                standings: &standings,
                holds_all: desk.config.hold_all,
                now: desk.clock.now(),
                when: &|at| local(at, &zone),
            };
            out.line(next(&story, invitation, &telling))?;
        }
        Ok(())
    }
}

impl Change {
    /// Gives one order for each invitation. Goes on after one that cannot be changed, and fails at the end.
    async fn carry_out(self, order: impl FnOnce(&Desk) -> Result<DeskOrder, Failure>) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let order = order(&desk)?;
        let actor = self.who.actor();
        let (zone, policies) = (desk.zone(), desk.policies());
        let mut out = Output::new();
        let mut refused = 0;
        for id in self.ids {
            let decision = desk.store.desk(id, order, &actor, policies.clone(), desk.clock.now()).await?;
            let Some(decision) = decision else {
                refused += 1;
                if self.json.json {
                    let nothing = serde_json::Value::Null;
                    out.json(&serde_json::json!({
                        "id": id, "done": false, "state": nothing, "due_at": nothing, "rule": nothing,
                    }))?;
                } else {
                    out.line(format!("{id}: there is no such invitation"))?;
                }
                continue;
            };
            refused += usize::from(decision.rule.is_refusal());
            let progress = &decision.progress;
            if self.json.json {
                out.json(&serde_json::json!({
                    "id": id,
                    "done": !decision.rule.is_refusal(),
                    "state": progress.state.as_str(),
                    "due_at": progress.due_at.map(|due| due.to_string()),
                    "rule": decision.rule.as_str(),
                }))?;
            } else {
                let due = progress.due_at.map(|due| format!(", due {}", local(due, &zone))).unwrap_or_default();
                out.line(format!("{id}: {} ({}{due})", decision.rule.sentence(), progress.state))?;
            }
        }
        if refused > 0 {
            return Err(Failure::Undone(format!("{} not changed", count(refused, "invitation"))));
        }
        Ok(())
    }
}
