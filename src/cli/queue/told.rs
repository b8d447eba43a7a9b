//! What is told of changes while they are made: of each that a person named, and of many in sum.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::change::Words;
use super::row::{HEADINGS, cells};
use super::{Desk, Failure, Output, count, local};
use crate::domain::{Invitation, InvitationId, Rule, ShopId, State, Timestamp};
use crate::ops::desk::{self, Answer, LeftAlone, Plan, Spared};
use crate::store::{Actor, Seen};

/// Invitations that were changed by somebody else meanwhile and are told one by one; more are counted only.
const TOLD: usize = 20;

/// What is told of changes while they are made.
pub(super) struct Told<'d> {
    desk: &'d Desk,
    is_json: bool,
    out: Output,
    /// How many were changed.
    pub(super) done: usize,
    /// Those that were left alone in spite of being asked for.
    refused: usize,
    /// How many were left alone, by the reason.
    pub(super) spared: Spared,
    /// Those that somebody else changed meanwhile.
    changed: Vec<InvitationId>,
}

impl<'d> Told<'d> {
    pub(super) fn new(desk: &'d Desk, is_json: bool) -> Self {
        Self {
            desk,
            is_json,
            out: Output::of_changes(),
            done: 0,
            refused: 0,
            spared: Spared::new(),
            changed: Vec::new(),
        }
    }

    fn at(&self, shop: &ShopId) -> impl Fn(Timestamp) -> String + use<> {
        let zone = self.desk.zone_of(shop);
        move |at| local(at, &zone)
    }

    pub(super) fn missing(&mut self, word: &str) -> Result<(), Failure> {
        self.refused += 1;
        let why = format!("there is no invitation {word}");
        if !self.is_json {
            return Ok(self.out.line(why)?);
        }
        let id = word.parse::<InvitationId>().map_or_else(|_| json!(word), |id| json!(id));
        Ok(self.out.json(&row(id, None, Some(&why)))?)
    }

    /// Tells what came of a wish for one that a person named.
    pub(super) async fn named(&mut self, one: &Invitation, answer: Answer, is_dry: bool) -> Result<(), Failure> {
        let id = one.id;
        let at = self.at(&one.shop);
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
            Answer::Spared(why) => self.spared_one(id, why, None).await?,
            Answer::Followed(last) => self.spared_one(id, LeftAlone::Followed, Some(last)).await?,
        }
        Ok(())
    }

    async fn spared_one(
        &mut self,
        id: InvitationId,
        why: LeftAlone,
        followed_by: Option<InvitationId>,
    ) -> Result<(), Failure> {
        self.refused += 1;
        let (text, standing) = self.why_spared(id, why).await?;
        let text = followed_by.map_or(text, |last| format!("invitation {last} has followed it already"));
        if !self.is_json {
            return Ok(self.out.line(format!("{id}: {text}"))?);
        }
        let mut row = row(json!(id), None, Some(&text));
        if let Some(one) = standing {
            row["state"] = one.progress.state.as_str().into();
            row["due_at"] = one.progress.due_at.map(|due| due.to_string()).into();
        }
        if let LeftAlone::By(rule) = why {
            row["rule"] = rule.as_str().into();
        }
        Ok(self.out.json(&row)?)
    }

    /// Why an invitation was left alone, with who did what to it where that is why.
    async fn why_spared(&self, id: InvitationId, why: LeftAlone) -> Result<(String, Option<Invitation>), Failure> {
        let Some((one, moved)) = desk::standing(&self.desk.store, id).await? else {
            return Ok((LeftAlone::Missing.sentence().to_owned(), None));
        };
        let stands = desk::tell_standing(&one, moved.as_ref(), &self.at(&one.shop));
        let text = match why {
            LeftAlone::By(Rule::AlreadyEnded) | LeftAlone::Changed => stands,
            LeftAlone::By(Rule::StillUnderWay | Rule::OrderIsCancelled | Rule::CustomerHadTheirSay) => {
                format!("{}; {stands}", why.sentence())
            }
            _ => why.sentence().to_owned(),
        };
        Ok((text, Some(one)))
    }

    /// Counts what came of a wish for one of many, of which only programs want to know each.
    pub(super) fn one_of_many(&mut self, seen: &Seen, answer: Answer) -> Result<(), Failure> {
        let mut spare = |why: LeftAlone| {
            self.refused += 1;
            *self.spared.entry(why).or_default() += 1;
            if why == LeftAlone::Changed {
                self.changed.push(seen.id);
            }
            (None, Some(why.sentence()), None)
        };
        let (decided, why, opened) = match answer {
            Answer::Spared(why) => spare(why),
            Answer::Followed(_) => spare(LeftAlone::Followed),
            Answer::Done(decision, opened) => {
                self.done += 1;
                (Some((decision.progress.state, decision.progress.due_at, decision.rule)), None, opened)
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
    pub(super) fn plan(&mut self, plan: &Plan, words: &Words, is_dry: bool) -> Result<(), Failure> {
        let many = plan.seen.len();
        if self.is_json {
            self.out.json(&totals(many + plan.spared.values().sum::<usize>(), 0, &plan.spared, is_dry, Some(many)))?;
        } else {
            if many > 0 {
                self.out.line(format!("{} would be {}{}:", count(many, "invitation"), words.done, words.tail))?;
                self.out.table(
                    &HEADINGS,
                    plan.first.iter().map(|one| cells(one, &self.desk.zone_of(&one.shop))).collect(),
                )?;
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
    pub(super) async fn sum(&mut self, words: &Words, of: usize, actor: &Actor) -> Result<(), Failure> {
        if self.is_json {
            let all = of + self.spared.values().sum::<usize>() - self.refused;
            let totals = totals(all, self.done, &self.spared, false, None);
            self.out.json(&totals)?;
            return self.heard();
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
        self.end()
    }

    fn tell_spared(&mut self, spared: &Spared, how: &str) -> Result<(), Failure> {
        for (why, many) in spared {
            self.out.line(format!("{} {how}: {}", count(*many, "invitation"), why.sentence()))?;
        }
        Ok(())
    }

    /// Fails when what was done could not be said.
    fn heard(&self) -> Result<(), Failure> {
        self.out.unsaid().map_or(Ok(()), |why| {
            let (done, refused) = (count(self.done, "invitation"), self.refused);
            Err(Failure::Undone(format!("{why}; {done} changed all the same, {refused} not")))
        })
    }

    /// Fails when something that was named was not done.
    pub(super) fn end(&self) -> Result<(), Failure> {
        self.heard()?;
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
    let spared = spared.iter().map(|(why, many)| (why.as_str(), *many)).collect::<BTreeMap<_, _>>();
    json!({ "invitations": invitations, "done": done, "would": would, "left_alone": spared, "dry_run": is_dry })
}
