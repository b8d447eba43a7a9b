//! What all that change invitations share: those that a person names are changed one by one, those that filters mean after it was
//! said how many they are. Nobody changes what somebody else has just changed: who did it, and when, is said instead.

use std::collections::HashMap;

use clap::Args;
use serde_json::{Value as Json, json};

use super::filter::FilterArgs;
use super::row::{HEADINGS, cells};
use super::{ConfigArg, Desk, Failure, JsonArg, Output, Who, count, local};
use crate::cli::confirm::confirm;
use crate::domain::{Invitation, InvitationId, Rule, State, Timestamp};
use crate::ops::desk::{self, Answer, Found, LeftAlone, Plan, Spared, Wish};
use crate::store::{Actor, Seen};

/// Invitations that were changed by somebody else meanwhile and are told one by one; more are counted only.
const TOLD: usize = 20;

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
pub(super) async fn named(desk: &Desk, word: &str, is_id: bool) -> Result<Option<Invitation>, Failure> {
    match desk::find(&desk.store, word, is_id).await? {
        Found::One(one) => Ok(Some(*one)),
        Found::Nothing => Ok(None),
        Found::Several(several) => {
            let zone = desk.zone();
            let mut why = format!("{word:?} may mean several invitations; name one by its id");
            if several.iter().any(|one| one.id.to_string() == word.trim()) {
                why.push_str(" (with --id a number is nothing but an id)");
            }
            for one in several {
                let begun = local(one.created_at, &zone);
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
        wish: impl FnOnce(&Desk, Timestamp) -> Result<Wish, Failure>,
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
        let wish = wish(&desk, now)?;
        if self.ids.is_empty() {
            self.change_many(&desk, words, &wish, now).await
        } else {
            self.change_named(&desk, &wish).await
        }
    }

    /// Changes invitations that a person names. Goes on after one that cannot be changed, and fails at the end.
    async fn change_named(self, desk: &Desk, wish: &Wish) -> Result<(), Failure> {
        let mut found = Vec::with_capacity(self.ids.len());
        for word in &self.ids {
            found.push(named(desk, word, self.id).await?);
        }
        let policies = desk.policies();
        let actor = self.who.actor();
        let doer = desk::Desk { store: &desk.store, actor: &actor, policies: &policies };
        let mut told = Told::new(desk, self.json.json);
        for (word, one) in self.ids.iter().zip(found) {
            let Some(one) = one else {
                told.missing(word)?;
                continue;
            };
            let mut answers = Vec::new();
            if self.dry_run {
                answers.push((Seen::from(&one), foreseen(wish, &one, desk)));
            } else {
                let now = || desk.clock.now();
                let each = |seen: &Seen, answer| {
                    answers.push((*seen, answer));
                    Ok::<(), Failure>(())
                };
                doer.carry_out(wish, &[Seen::from(&one)], now, each).await?;
            }
            for (seen, answer) in answers {
                told.named(&seen, answer, self.dry_run).await?;
            }
        }
        told.end()
    }

    /// Changes everything that the filters mean, after it was said how many that are.
    async fn change_many(self, desk: &Desk, words: &Words, wish: &Wish, now: Timestamp) -> Result<(), Failure> {
        let filter = self.filter.filter(desk)?;
        let policies = desk.policies();
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

/// What a wish would come to.
fn foreseen(wish: &Wish, one: &Invitation, desk: &Desk) -> Answer {
    match wish.foresee(one, &desk.policies(), desk.clock.now()) {
        Ok(decision) => Answer::Done(decision, None),
        Err(why) => Answer::Spared(why, None),
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

/// What is told of changes while they are made.
struct Told<'d> {
    desk: &'d Desk,
    is_json: bool,
    out: Output,
    done: usize,
    /// Those that were left alone in spite of being asked for.
    refused: usize,
    spared: Spared,
    /// Those that somebody else changed meanwhile.
    changed: Vec<InvitationId>,
}

impl<'d> Told<'d> {
    fn new(desk: &'d Desk, is_json: bool) -> Self {
        Self { desk, is_json, out: Output::new(), done: 0, refused: 0, spared: Spared::new(), changed: Vec::new() }
    }

    fn at(&self) -> impl Fn(Timestamp) -> String + use<> {
        let zone = self.desk.zone();
        move |at| local(at, &zone)
    }

    fn missing(&mut self, word: &str) -> Result<(), Failure> {
        self.refused += 1;
        let why = format!("there is no invitation {word}");
        if !self.is_json {
            return Ok(self.out.line(why)?);
        }
        let id = word.parse::<InvitationId>().map_or_else(|_| json!(word), |id| json!(id));
        Ok(self.out.json(&row(id, None, Some(&why)))?)
    }

    /// Tells what came of a wish for one that a person named.
    async fn named(&mut self, seen: &Seen, answer: Answer, is_dry: bool) -> Result<(), Failure> {
        let id = seen.id;
        let at = self.at();
        match answer {
            Answer::Done(decision, opened) => {
                self.done += 1;
                if self.is_json {
                    let mut row =
                        row(json!(id), Some((decision.progress.state, decision.progress.due_at, decision.rule)), None);
                    row["done"] = (!is_dry).into();
                    row["opened"] = json!(opened);
                    return Ok(self.out.json(&row)?);
                }
                let due = decision.progress.due_at.map(|due| format!(", due {}", at(due))).unwrap_or_default();
                let state = decision.progress.state;
                let which = opened.map(|id| format!("invitation {id}, ")).unwrap_or_default();
                let would = if is_dry { "would come to: " } else { "" };
                self.out.line(format!("{id}: {would}{} ({which}{state}{due})", decision.rule.sentence()))?;
            }
            Answer::Spared(why, _) => {
                self.refused += 1;
                let (text, standing) = self.why_spared(id, why).await?;
                if self.is_json {
                    let rule = if let LeftAlone::By(rule) = why { Some(rule) } else { None };
                    let mut row = row(json!(id), None, Some(&text));
                    if let Some(one) = standing {
                        row["state"] = one.progress.state.as_str().into();
                        row["due_at"] = one.progress.due_at.map(|due| due.to_string()).into();
                    }
                    row["rule"] = rule.map(Rule::as_str).into();
                    return Ok(self.out.json(&row)?);
                }
                self.out.line(format!("{id}: {text}"))?;
            }
        }
        Ok(())
    }

    /// Why an invitation was left alone, with who did what to it where that is why.
    async fn why_spared(&self, id: InvitationId, why: LeftAlone) -> Result<(String, Option<Invitation>), Failure> {
        let is_told = matches!(
            why,
            LeftAlone::Changed | LeftAlone::By(Rule::AlreadyEnded | Rule::StillUnderWay | Rule::OrderIsCancelled)
        );
        let Some((one, moved)) = desk::standing(&self.desk.store, id).await? else {
            return Ok((LeftAlone::Missing.sentence().to_owned(), None));
        };
        let text = match why {
            LeftAlone::By(Rule::AlreadyEnded) | LeftAlone::Changed => {
                desk::tell_standing(&one, moved.as_ref(), &self.at())
            }
            _ if is_told => format!("{}; {}", why.sentence(), desk::tell_standing(&one, moved.as_ref(), &self.at())),
            _ => why.sentence().to_owned(),
        };
        Ok((text, Some(one)))
    }

    fn one_of_many(&mut self, seen: &Seen, answer: Answer) -> Result<(), Failure> {
        let (decided, why, opened) = match answer {
            Answer::Done(decision, opened) => {
                self.done += 1;
                (Some((decision.progress.state, decision.progress.due_at, decision.rule)), None, opened)
            }
            Answer::Spared(why, _) => {
                self.refused += 1;
                *self.spared.entry(why).or_default() += 1;
                if why == LeftAlone::Changed {
                    self.changed.push(seen.id);
                }
                (None, Some(why.sentence()), None)
            }
        };
        if self.is_json {
            let mut row = row(json!(seen.id), decided, why);
            row["opened"] = json!(opened);
            self.out.json(&row)?;
        }
        Ok(())
    }

    /// What a wish would come to.
    fn plan(&mut self, plan: &Plan, words: &Words, is_dry: bool) -> Result<(), Failure> {
        let many = plan.seen.len();
        if self.is_json {
            self.out.json(&totals(many + plan.spared.values().sum::<usize>(), 0, &plan.spared, is_dry, Some(many)))?;
        } else {
            if many > 0 {
                self.out.line(format!("{} would be {}{}:", count(many, "invitation"), words.done, words.tail))?;
                let zone = self.desk.zone();
                self.out.table(&HEADINGS, plan.first.iter().map(|one| cells(one, &zone)).collect())?;
                let more = many - plan.first.len();
                if more > 0 {
                    self.out.line(format!("and {more} more"))?;
                }
            } else if plan.spared.is_empty() {
                self.out.line("No invitations.")?;
            }
            self.tell_spared(&plan.spared, if is_dry { "would be left alone" } else { "left alone" })?;
        }
        if many == 0 && !plan.spared.is_empty() {
            return Err(Failure::Undone("none of them can be changed; nothing was changed".to_owned()));
        }
        Ok(())
    }

    /// Says at the end what was done, and names those that somebody else changed meanwhile.
    async fn sum(&mut self, words: &Words, of: usize, actor: &Actor) -> Result<(), Failure> {
        if self.is_json {
            let all = of + self.spared.values().sum::<usize>() - self.refused;
            let totals = totals(all, self.done, &self.spared, false, None);
            return Ok(self.out.json(&totals)?);
        }
        self.out.line(format!("{} {}{} by {}", count(self.done, "invitation"), words.done, words.tail, actor.name))?;
        let spared = std::mem::take(&mut self.spared);
        self.tell_spared(&spared, "left alone")?;
        let changed = std::mem::take(&mut self.changed);
        for id in changed.iter().take(TOLD) {
            let (text, _) = self.why_spared(*id, LeftAlone::Changed).await?;
            self.out.line(format!("  {text}"))?;
        }
        if changed.len() > TOLD {
            self.out.line(format!("  and {} more", changed.len() - TOLD))?;
        }
        if self.refused > 0 {
            return Err(Failure::Undone(format!("{} not changed", count(self.refused, "invitation"))));
        }
        Ok(())
    }

    fn tell_spared(&mut self, spared: &Spared, how: &str) -> Result<(), Failure> {
        for (why, many) in spared {
            self.out.line(format!("{} {how}: {}", count(*many, "invitation"), why.sentence()))?;
        }
        Ok(())
    }

    /// Fails when something that was named was not done.
    fn end(&self) -> Result<(), Failure> {
        match self.refused {
            0 => Ok(()),
            refused => Err(Failure::Undone(format!("{} not changed", count(refused, "invitation")))),
        }
    }
}

/// What came of a wish for one invitation, as `--json` prints it; the names are a contract.
fn row(id: Json, decided: Option<(State, Option<Timestamp>, Rule)>, why: Option<&str>) -> Json {
    json!({
        "id": id,
        "done": decided.is_some(),
        "state": decided.map(|(state, ..)| state.as_str()),
        "due_at": decided.and_then(|(_, due, _)| due).map(|due| due.to_string()),
        "rule": decided.map(|(.., rule)| rule.as_str()),
        "why": why,
        "opened": null,
    })
}

/// What came of a wish for many, as `--json` prints it in the end; the names are a contract.
fn totals(invitations: usize, done: usize, spared: &Spared, is_dry: bool, would: Option<usize>) -> Json {
    let spared = spared.iter().map(|(why, many)| (why.as_str(), *many)).collect::<HashMap<_, _>>();
    json!({ "invitations": invitations, "done": done, "would": would, "left_alone": spared, "dry_run": is_dry })
}
