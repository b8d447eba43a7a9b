//! The whole story of an order in plain sentences: what came in, what was read, what was decided and why, what went out, and
//! what happens next.

mod outlook;
mod silence;

pub use outlook::Outlook;
pub use silence::{Silence, silence};

use std::collections::HashMap;

use super::trust;
use crate::domain::{
    Inputs, Invitation, InvitationId, LetterKind, OrderReference, Outcome, Policies, Review, Timestamp,
};
use crate::store::{
    AnswerRecord, CopyState, DecisionRecord, DeskAct, LetterPhase, LetterRecord, STORY_AT_MOST, Standing, StoredCopy,
    Story,
};

/// The event of an attempt that met a relay which is out of use, as it is recorded.
const RELAY_DOWN: &str = "attempt relay down";

/// A sentence about one instant, or about an invitation as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When; `None` for headings and for what comes next.
    pub at: Option<Timestamp>,
    /// What.
    pub text: String,
}

/// The set-up and the time by which a story is told.
#[derive(Clone, Copy)]
pub struct Telling<'t> {
    /// The shops' rules.
    pub policies: &'t Policies,
    /// What bears on the next letters of the invitations.
    pub standings: &'t HashMap<InvitationId, Standing>,
    /// Whether the configuration holds all letters back (`hold_all`).
    pub holds_all: bool,
    /// The present.
    pub now: Timestamp,
    /// How an instant is written: the caller knows the reader's zone.
    pub when: &'t dyn Fn(Timestamp) -> String,
}

/// Tells a story.
pub fn tell(story: &Story, telling: &Telling<'_>) -> Vec<Line> {
    let when = telling.when;
    let mut lines = Vec::new();
    for invitation in &story.invitations {
        lines.push(heading(invitation));
        let mut told = story
            .copies
            .iter()
            .filter(|copy| tells_of(story, copy, invitation) && !is_answer(story, copy))
            .flat_map(copy_lines)
            .chain(
                story
                    .decisions
                    .iter()
                    .filter(|one| one.invitation == invitation.id)
                    .map(|one| decision_line(one, when)),
            )
            .chain(
                story
                    .letters
                    .iter()
                    .filter(|one| one.invitation == invitation.id)
                    .flat_map(|one| letter_lines(one, story)),
            )
            .chain(story.answers.iter().filter_map(|one| answer_line(one, story, invitation.id)))
            .chain(
                story
                    .reviews
                    .iter()
                    .filter(|one| is_about(one, invitation))
                    .map(|one| Line { at: Some(one.written_at), text: told(one, when) }),
            )
            .collect::<Vec<_>>();
        told.sort_by_key(|line| line.at);
        lines.extend(told);
        lines.push(Line { at: None, text: next(story, invitation, telling) });
    }
    let alone =
        story.reviews.iter().filter(|one| !story.invitations.iter().any(|invitation| is_about(one, invitation)));
    lines.extend(alone.map(|one| Line { at: Some(one.written_at), text: told(one, when) }));
    let others = story
        .copies
        .iter()
        .filter(|copy| !is_answer(story, copy) && !story.invitations.iter().any(|one| tells_of(story, copy, one)));
    for copy in others {
        lines.extend(copy_lines(copy));
        lines.extend(silence::what_next(copy).map(|text| Line { at: None, text: format!("Next: {text}") }));
    }
    lines
}

/// What happens next with an invitation of the story.
pub fn next(story: &Story, invitation: &Invitation, telling: &Telling<'_>) -> String {
    let nothing = Standing::default();
    let outlook = Outlook {
        rules: telling.policies.shop(&invitation.shop),
        standing: telling.standings.get(&invitation.id).unwrap_or(&nothing),
        last: story.decisions.iter().rev().find(|one| one.invitation == invitation.id && one.from != Some(one.to)),
        holds_all: telling.holds_all,
        now: telling.now,
    };
    outlook::next(invitation, &outlook, telling.when)
}

fn tells_of(story: &Story, copy: &StoredCopy, invitation: &Invitation) -> bool {
    copy.invitation == Some(invitation.id)
        || story.decisions.iter().any(|one| one.invitation == invitation.id && one.copy == Some(copy.id))
}

/// Whether a copy is an answer to a letter, which is told beside that letter.
fn is_answer(story: &Story, copy: &StoredCopy) -> bool {
    story.answers.iter().any(|answer| answer.copy == Some(copy.id))
}

/// Whether a review is about the order of an invitation. A story has those of its customers alone.
fn is_about(review: &Review, invitation: &Invitation) -> bool {
    let reference = review.reference.as_ref().map(OrderReference::key);
    review.shop == invitation.shop && reference == Some(invitation.reference.key())
}

/// A review in one line, without its words.
pub fn told(one: &Review, when: &dyn Fn(Timestamp) -> String) -> String {
    let about = one.product.as_ref().map(|product| format!(" of {product}")).unwrap_or_default();
    let stars = if one.stars.get() == 1 { "1 star".to_owned() } else { format!("{} stars", one.stars) };
    let since = match (one.deleted_at, &one.deleted_by, one.edited_at) {
        (Some(at), Some(by), _) => {
            let why = one.delete_reason.as_deref().map(|reason| format!(" [{reason}]")).unwrap_or_default();
            format!(", removed by {by} {}{why}", when(at))
        }
        (Some(at), None, _) => format!(", deleted by its author {}", when(at)),
        (None, _, Some(at)) => format!(", changed {}", when(at)),
        (None, _, None) => String::new(),
    };
    format!("review {}{about}: {stars}, written {}{since}", one.id, when(one.written_at))
}

/// What came back to a letter of an invitation.
fn answer_line(answer: &AnswerRecord, story: &Story, invitation: InvitationId) -> Option<Line> {
    let letter = story.letters.iter().find(|letter| letter.id == answer.letter && letter.invitation == invitation)?;
    let said = [answer.status.as_deref(), answer.reason.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let said = if said.is_empty() { said } else { format!(" ({})", said.replace('_', " ")) };
    let copy = answer.copy.map(|copy| format!(", copy {copy}")).unwrap_or_default();
    let text = format!("an answer to {}{copy}: {}{said}", kind(letter.kind), answer.kind.sentence());
    Some(Line { at: Some(answer.at), text })
}

fn heading(invitation: &Invitation) -> Line {
    let name = invitation.customer.name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
    let follows = invitation.follows.map(|before| format!(", follows {before}")).unwrap_or_default();
    Line {
        at: None,
        text: format!(
            "Invitation {}: {}, order {}, {name}<{}>, {}{follows}",
            invitation.id, invitation.shop, invitation.reference, invitation.customer.email, invitation.progress.state
        ),
    }
}

fn copy_lines(copy: &StoredCopy) -> Vec<Line> {
    let from = copy.handed.client.map(|client| format!(" from {client}")).unwrap_or_default();
    let mut lines = vec![Line {
        at: Some(copy.received_at),
        text: format!("copy {} came in for {}{from}, {} bytes", copy.id, copy.shop, copy.size),
    }];
    let mut add = |text: String| lines.push(Line { at: Some(copy.received_at), text });
    if let Some(proof) = trust::stored(copy.proof.as_deref()) {
        add(format!("copy {}: {}", copy.id, proof.verdict.sentence()));
    }
    match (&copy.reading, copy.state) {
        (None, CopyState::Unread) => add(format!("copy {} has not been read yet", copy.id)),
        (None, _) => {
            add(format!("copy {} was {}; what was read from it is no longer kept", copy.id, copy.state.as_str()))
        }
        (Some(reading), _) => {
            let template =
                reading.template.as_deref().map(|name| format!(" by the template {name}")).unwrap_or_default();
            add(match (reading.outcome, reading.event) {
                (Outcome::Event, Some(event)) => format!("copy {} was read{template}: order {event}", copy.id),
                (outcome, _) => format!(
                    "copy {} was {}{template}: {}",
                    copy.id,
                    outcome.as_str(),
                    reading.reason.as_deref().unwrap_or("no reason was given")
                ),
            });
            for finding in &reading.findings {
                add(format!("  {}: {} ({} {})", finding.field, finding.value, finding.layer.as_str(), finding.rule));
            }
        }
    }
    lines.extend(copy.desk.as_ref().map(|mark| {
        let why = mark.actor.reason.as_deref().map(|reason| format!(" [{reason}]")).unwrap_or_default();
        let what = match mark.act {
            DeskAct::Released => "was completed and released",
            DeskAct::Discarded => "was discarded: nothing is to come of it",
            DeskAct::Replayed => "was read again",
        };
        Line { at: Some(mark.at), text: format!("copy {} {what}, by {}{why}", copy.id, mark.actor.name) }
    }));
    lines
}

fn decision_line(decision: &DecisionRecord, when: &dyn Fn(Timestamp) -> String) -> Line {
    let moved = match decision.from {
        Some(from) if from == decision.to => format!("stays {}", decision.to),
        Some(from) => format!("{from} becomes {}", decision.to),
        None => format!("begins as {}", decision.to),
    };
    let due = decision.due_at.map(|due| format!(", next at {}", when(due))).unwrap_or_default();
    let actor = if decision.actor == "daemon" { String::new() } else { format!(" by {}", decision.actor) };
    let note = decision.note.as_deref().map(|note| format!(" [{note}]")).unwrap_or_default();
    Line {
        at: Some(decision.at),
        text: format!(
            "{}{actor}: {moved}{due}, because {} ({}){}{note}",
            decision.event,
            decision.rule.sentence(),
            decision.rule,
            inputs_with(&decision.inputs, when, (": ", ""))
        ),
    }
}

/// What a decision was made from, in words, between two marks; instants by `when`.
fn inputs_with(inputs: &Inputs, when: &dyn Fn(Timestamp) -> String, (before, after): (&str, &str)) -> String {
    let told = inputs.iter().filter_map(|(name, value)| {
        let value = inputs.instant(name).map_or_else(|| value.to_owned(), when);
        Some(match name {
            // A decision tells the next time beside it.
            "to" => return None,
            "told_at" => format!("the mail was written at {value}"),
            "expected_by" => format!("the parcel is expected by {value}"),
            "preferred" => format!("the mail asks for {value}"),
            "order_cancelled" => format!("it was cancelled at {value}"),
            "end_of_life" => format!("its time was over at {value}"),
            "last" => format!("the last one went at {value}"),
            "apart_days" => format!("at least {value} days lie between two"),
            "once_in_days" => format!("once in {value} days"),
            "at_most" => format!("at most {value}"),
            "within_days" => format!("within {value} days"),
            "age_days" => format!("{value} days old"),
            "at_most_days" => format!("at most {value} days"),
            "letters" => format!("{value} went"),
            "said" => format!("what the mails said of it: {value}"),
            "shops" if value == "all" => "for all shops".to_owned(),
            "shops" => "for this shop".to_owned(),
            _ => format!("{} {value}", name.replace('_', " ")),
        })
    });
    let told = told.collect::<Vec<_>>().join(", ");
    if told.is_empty() { told } else { format!("{before}{told}{after}") }
}

/// How far the letters of an invitation have got.
pub fn letters(story: &Story, invitation: InvitationId) -> Vec<Line> {
    story
        .letters
        .iter()
        .filter(|letter| letter.invitation == invitation)
        .flat_map(|letter| letter_lines(letter, story))
        .collect()
}

fn letter_lines(letter: &LetterRecord, story: &Story) -> Vec<Line> {
    let kind = kind(letter.kind);
    let mut lines = Vec::new();
    if let Some(at) = letter.on_the_wire_at {
        let id = letter.message_id.as_deref().unwrap_or("unknown");
        lines.push(Line { at: Some(at), text: format!("{kind} went on the wire, Message-ID <{id}>") });
    }
    if let Some(at) = letter.settled_at {
        let said = letter.reply.as_deref().map(|reply| format!("; {reply}")).unwrap_or_default();
        let attempt = attempts(letter, story).map(|number| format!(" (attempt {number})")).unwrap_or_default();
        let text = match letter.phase {
            LetterPhase::Accepted => format!("{kind} was taken by the relay{attempt}{said}"),
            LetterPhase::Deferred if met_no_relay(letter, story) => {
                format!("{kind} waits for a relay, which counts as no attempt{said}")
            }
            phase => format!("{kind}: {}{attempt}{said}", phase.as_str().replace('_', " ")),
        };
        lines.push(Line { at: Some(at), text });
    }
    lines
}

/// The times at which a letter could not be handed over since the relay was out of use.
fn times_without_relay<'s>(letter: &LetterRecord, story: &'s Story) -> impl Iterator<Item = Timestamp> + use<'s> {
    let (invitation, id, until) = (letter.invitation, letter.id, letter.settled_at);
    let before = story.letters.iter().filter(|one| one.invitation == invitation && one.id < id);
    let after = before.filter_map(|one| one.settled_at).max();
    let decisions = story.decisions.iter().filter(move |one| one.invitation == invitation && one.event == RELAY_DOWN);
    decisions.map(|one| one.at).filter(move |at| Some(*at) > after && Some(*at) <= until)
}

/// Whether a letter's last attempt ended before a relay had anything to do with it.
fn met_no_relay(letter: &LetterRecord, story: &Story) -> bool {
    times_without_relay(letter, story).last() == letter.settled_at
}

/// How many attempts count against a letter; `None` where too much happened to tell.
fn attempts(letter: &LetterRecord, story: &Story) -> Option<u32> {
    let missed = u32::try_from(times_without_relay(letter, story).count()).ok()?;
    (story.decisions.len() < STORY_AT_MOST).then(|| letter.attempts.saturating_sub(missed))
}

const fn kind(kind: LetterKind) -> &'static str {
    match kind {
        LetterKind::Invitation => "the first letter",
        LetterKind::Reminder => "the reminder",
    }
}
