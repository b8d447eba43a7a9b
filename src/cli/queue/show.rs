//! `invited queue show`.

use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::change::named;
use super::row::long;
use super::{ConfigArg, Desk, Failure, JsonArg, Output, local};
use crate::domain::{Invitation, InvitationId, Review, Zone};
use crate::ops::explain::{Telling, letters, next, told};
use crate::store::{AnswerRecord, Filter, LetterRecord, Store, StoreError, Subject};

/// Which invitations `show` shows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Two invitations with their orders:
    invited queue show 4711 4712
  That of an order, or of a customer who has one only:
    invited queue show LN-2204
    invited queue show anna@customer.example")]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Ids; or an order's reference or a customer's address that means one invitation only
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Take numbers as ids, also where an order has the same number
    #[arg(long)]
    id: bool,
}

impl Show {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let mut all = Vec::with_capacity(self.ids.len());
        for word in &self.ids {
            let found = named(&desk, word, self.id).await?;
            all.push(found.ok_or_else(|| Failure::Undone(format!("there is no invitation {word}")))?);
        }
        let mut out = Output::paged();
        for (place, one) in all.iter().enumerate() {
            let zone = desk.zone_of(&one.shop);
            let followed_by = followed_by(&desk.store, one).await?;
            let story = desk.store.story(&Subject::Invitation(one.id)).await?;
            let reviews = &story.reviews;
            if self.json.json {
                let mut value = long(one);
                value["followed_by"] = json!(followed_by);
                value["outgoing"] = story.letters.iter().map(letter).collect();
                value["answers"] = story.answers.iter().map(answer).collect();
                value["reviews"] = reviews.iter().map(review).collect();
                value["put_off"] = json!({
                    "not_arrived": one.progress.put_off.not_arrived, "ask_later": one.progress.put_off.ask_later,
                });
                out.json(&value)?;
                continue;
            }
            if place > 0 {
                out.line("")?;
            }
            let mut rows = rows(one, followed_by, &zone);
            rows.extend(letters(&story, one.id).into_iter().map(|line| {
                let at = line.at.map(|at| format!("{}, ", local(at, &zone))).unwrap_or_default();
                vec!["letter".to_owned(), format!("{at}{}", line.text)]
            }));
            let answers = story.answers.iter().map(|answer| {
                vec!["came back".to_owned(), format!("{}, {}", local(answer.at, &zone), answer.kind.sentence())]
            });
            rows.extend(answers);
            rows.extend(reviews.iter().map(|one| vec!["review".to_owned(), told(one, &|at| local(at, &zone))]));
            out.table(&[], rows)?;
            let policies = desk.policies()?;
            let standings = desk.store.standings(&story.invitations, Arc::clone(&policies), desk.clock.now()).await?;
            let telling = Telling {
                policies: &policies,
                standings: &standings,
                holds_all: desk.config.hold_all,
                now: desk.clock.now(),
                when: &|at| local(at, &zone),
            };
            out.line(next(&story, one, &telling))?;
        }
        Ok(())
    }
}

/// A review, for scripts.
fn review(one: &Review) -> Value {
    json!({
        "id": one.id, "product": one.product, "stars": one.stars, "collected": one.collected.as_str(),
        "written_at": one.written_at.to_string(), "deleted_at": one.deleted_at.map(|at| at.to_string()),
    })
}

/// A letter as far as it got, for scripts.
fn letter(letter: &LetterRecord) -> Value {
    json!({
        "letter": letter.id,
        "kind": letter.kind.as_str(),
        "phase": letter.phase.as_str(),
        "relay": letter.relay,
        "message_id": letter.message_id,
        "on_the_wire_at": letter.on_the_wire_at.map(|at| at.to_string()),
        "settled_at": letter.settled_at.map(|at| at.to_string()),
        "reply": letter.reply,
    })
}

/// Something that came back to a letter, for scripts.
fn answer(answer: &AnswerRecord) -> Value {
    json!({
        "letter": answer.letter,
        "kind": answer.kind.as_str(),
        "status": answer.status,
        "reason": answer.reason,
        "copy": answer.copy,
        "at": answer.at.to_string(),
    })
}

/// The invitation that came after this one for the same customer and order.
async fn followed_by(store: &dyn Store, one: &Invitation) -> Result<Option<InvitationId>, StoreError> {
    let filter = Filter {
        shop: Some(one.shop.clone()),
        reference: Some(one.reference.key()),
        email: Some(one.customer.email.key()),
        ..Filter::default()
    };
    let rounds = store.list(&filter, None, 100).await?.invitations;
    Ok(rounds.iter().find(|other| other.follows == Some(one.id)).map(|other| other.id))
}

fn rows(one: &Invitation, followed_by: Option<InvitationId>, zone: &Zone) -> Vec<Vec<String>> {
    let (progress, order) = (&one.progress, &one.order);
    let at = |at| local(at, zone);
    let mut rows = vec![
        ("id", one.id.to_string()),
        ("shop", one.shop.to_string()),
        ("order", one.reference.to_string()),
        ("name", one.customer.name.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("address", one.customer.email.to_string()),
        ("state", progress.state.to_string()),
        ("due", progress.due_at.map(at).unwrap_or_default()),
        ("letters", progress.letters_sent.to_string()),
        ("follows", one.follows.map(|id| id.to_string()).unwrap_or_default()),
        ("followed by", followed_by.map(|id| id.to_string()).unwrap_or_default()),
        ("language", order.locale.clone().unwrap_or_default()),
        ("country", order.country.clone().unwrap_or_default()),
        ("template", order.template.clone().unwrap_or_default()),
        ("tags", order.tags.join(", ")),
        ("created", at(one.created_at)),
    ];
    rows.extend(order.products.iter().map(|product| ("product", product.name.clone())));
    rows.retain(|(_, value)| !value.is_empty());
    rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect()
}
