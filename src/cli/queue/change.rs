//! What all that change invitations share: those that a person names are changed one by one, those that filters mean after it was
//! said how many they are. Nobody changes what somebody else has just changed: who did it, and when, is said instead.

use std::sync::Arc;

use clap::Args;

use super::filter::FilterArgs;
use super::told::Told;
use super::{ConfigArg, Desk, Failure, JsonArg, Who, count, local};
use crate::cli::confirm::confirm;
use crate::domain::{Invitation, Policies, Timestamp, Zone};
use crate::ops::desk::{self, Answer, Found, Wish};
use crate::store::Seen;

/// Which invitations a change is for, and why it is made.
#[derive(Debug, Args)]
pub(super) struct Change {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Ids; or an order's reference or a customer's address that means one invitation only. Filters may stand in their place
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Take numbers as ids, also where an order has the same number
    #[arg(long, requires = "ids")]
    id: bool,
    /// Every invitation that there is, where no filter is given
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only say what it would come to
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before many are changed
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    who: Who,
}

/// A change in words.
pub(super) struct Words {
    /// How a question begins that goes on with `412 invitations`: `Cancel`.
    pub(super) ask: &'static str,
    /// What has become of them: `cancelled`.
    pub(super) done: &'static str,
    /// What the question says after that: ` to 2027-01-07`.
    pub(super) tail: String,
}

/// The invitation that a word means; `None` when there is none.
///
/// # Errors
/// Exit code 1 with the candidates when it may mean several.
pub(in crate::cli) async fn named(desk: &Desk, word: &str, is_id: bool) -> Result<Option<Invitation>, Failure> {
    match desk::find(&desk.store, word, is_id).await? {
        Found::One(one) => Ok(Some(*one)),
        Found::Nothing => Ok(None),
        Found::Several(several) => {
            let mut why = format!("{word:?} may mean several invitations; name one by its id");
            if several.iter().any(|one| one.id.to_string() == word.trim()) {
                why.push_str(" (with --id a number is nothing but an id)");
            }
            for one in several {
                let begun = local(one.created_at, &desk.zone_of(&one.shop));
                why.push_str(&format!(
                    "\n  {}: {}, order {}, {}, {}, since {begun}",
                    one.id, one.shop, one.reference, one.customer.email, one.progress.state
                ));
            }
            Err(Failure::Undone(why))
        }
    }
}

impl Change {
    /// Carries out the wish, which is made once the desk is open.
    pub(super) async fn carry_out(
        self,
        words: &Words,
        wish: impl Fn(&Zone, Timestamp) -> Result<Wish, Failure>,
    ) -> Result<(), Failure> {
        if !self.ids.is_empty() && !self.filter.is_empty() {
            return Err(Failure::Usage(
                "ids and filters exclude each other: name invitations, or say which are meant".to_owned(),
            ));
        }
        if self.ids.is_empty() && self.filter.is_empty() && !self.all {
            return Err(Failure::Usage(
                "name invitations, or say by filters which are meant; --all means every one".to_owned(),
            ));
        }
        let desk = Desk::open(&self.config).await?;
        let now = desk.clock.now();
        if self.ids.is_empty() {
            let zone = self.filter.zone(&desk);
            self.change_many(&desk, words, &wish(&zone, now)?, now).await
        } else {
            self.change_named(&desk, |zone| wish(zone, now)).await
        }
    }

    /// Changes invitations that a person names. Goes on after one that cannot be changed, and fails at the end.
    async fn change_named(self, desk: &Desk, wish: impl Fn(&Zone) -> Result<Wish, Failure>) -> Result<(), Failure> {
        let mut found = Vec::with_capacity(self.ids.len());
        for word in &self.ids {
            let one = named(desk, word, self.id).await?;
            // A date is that of the clocks of its own shop.
            let zone = one.as_ref().map_or_else(|| desk.zone(), |one| desk.zone_of(&one.shop));
            found.push((word, one, wish(&zone)?));
        }
        let policies = policies_for(found.iter().map(|(_, _, wish)| wish), desk)?;
        let actor = self.who.actor();
        let doer = desk::Desk { store: &desk.store, actor: &actor, policies: &policies };
        let mut told = Told::new(desk, self.json.json);
        for (word, one, wish) in found {
            let Some(one) = one else {
                told.missing(word)?;
                continue;
            };
            let mut answers = Vec::new();
            if self.dry_run {
                answers.push(foreseen(&wish, &one, desk));
            } else {
                let now = || desk.clock.now();
                let each = |_: &Seen, answer| {
                    answers.push(answer);
                    Ok::<(), Failure>(())
                };
                doer.carry_out(&wish, &[Seen::from(&one)], now, each).await?;
            }
            for answer in answers {
                told.named(&one, answer, self.dry_run).await?;
            }
        }
        told.end()
    }

    /// Changes everything that the filters mean, after it was said how many that are.
    async fn change_many(self, desk: &Desk, words: &Words, wish: &Wish, now: Timestamp) -> Result<(), Failure> {
        let filter = self.filter.filter(desk).await?;
        let policies = policies_for(std::iter::once(wish), desk)?;
        let plan = desk::plan(&desk.store, &filter, wish, &policies, now).await?;
        let mut told = Told::new(desk, self.json.json);
        let many = plan.seen.len();
        if many == 0 || self.dry_run {
            return told.plan(&plan, words, self.dry_run);
        }
        let of = self.filter.shop().map(|shop| format!(" of shop {shop}")).unwrap_or_default();
        let question = format!("{} {}{of}{}?", words.ask, count(many, "invitation"), words.tail);
        if !confirm(&question, self.yes)? {
            return Err(Failure::Undone("nothing was changed".to_owned()));
        }
        told.spared.clone_from(&plan.spared);
        let actor = self.who.actor();
        let doer = desk::Desk { store: &desk.store, actor: &actor, policies: &policies };
        let each = |seen: &Seen, answer| told.one_of_many(seen, answer);
        let ended = doer.carry_out(wish, &plan.seen, || desk.clock.now(), each).await;
        told.sum(words, many, &actor).await?;
        ended.map_err(|failure| interrupted(failure, told.done, many))
    }
}

/// The rules by which these wishes are judged. Only who invites anew asks the suppression list, and its key must be at hand then;
/// everything else works without.
fn policies_for<'w>(mut wishes: impl Iterator<Item = &'w Wish>, desk: &Desk) -> Result<Arc<Policies>, Failure> {
    let invites = wishes.any(|wish| matches!(wish, Wish::Reinvite(_)));
    if invites { desk.policies() } else { Ok(desk.policies_without_list()) }
}

/// What a wish would come to.
fn foreseen(wish: &Wish, one: &Invitation, desk: &Desk) -> Answer {
    match wish.foresee(one, &desk.policies_without_list(), desk.clock.now()) {
        Ok(decision) => Answer::Done(decision, None),
        Err(why) => Answer::Spared(why),
    }
}

fn interrupted(failure: Failure, done: usize, of: usize) -> Failure {
    match failure {
        Failure::Undone(why) => {
            Failure::Undone(format!("{why}; {done} of {of} were changed before, and the same command does the others"))
        }
        other => other,
    }
}
