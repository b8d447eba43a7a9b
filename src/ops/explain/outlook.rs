//! What happens next with an invitation and when, or what would have to change for something to happen. It asks the same functions
//! that will decide, so nothing is foretold that is not so as things stand.

use crate::domain::{Case, Ground, Invitation, Planned, Rule, Ruling, ShopRules, State, Timestamp, weigh};
use crate::store::{DecisionRecord, Pause, Standing};

use super::{inputs_with, kind};

/// What the present set-up says beside the invitation itself.
#[derive(Debug, Clone, Copy)]
pub struct Outlook<'o> {
    /// The shop's rules.
    pub rules: &'o ShopRules,
    /// What bears on the next letter.
    pub standing: &'o Standing,
    /// The newest decision that moved the invitation to where it stands.
    pub last: Option<&'o DecisionRecord>,
    /// Whether the configuration holds all letters back (`hold_all`).
    pub holds_all: bool,
    /// The present.
    pub now: Timestamp,
}

/// The sentence on what comes next.
pub(super) fn next(invitation: &Invitation, outlook: &Outlook<'_>, when: &dyn Fn(Timestamp) -> String) -> String {
    let id = invitation.id;
    let text = match invitation.progress.state {
        State::Waiting => waiting(invitation, outlook, when),
        State::Queued | State::Sent => coming(invitation, outlook, when),
        State::Sending => "a letter is being sent at this moment.".to_owned(),
        State::Done if invitation.progress.letters_sent > 0 => match outlook.last.map(|last| last.rule) {
            Some(Rule::Reviewed) => "nothing; the customer has reviewed the order.".to_owned(),
            _ => "nothing; all letters that were meant to go are out, or their time has passed.".to_owned(),
        },
        State::Done | State::Cancelled | State::Dropped => ended(invitation, outlook),
        State::Held => match outlook.last.map(|last| last.rule) {
            Some(Rule::ReopenedAfterCancel) => format!(
                "nothing by itself; a person should say whether the order goes on. If it does: invited queue send-now {id}, \
                 or queue reschedule {id} --to TIME; if not: invited queue cancel {id}"
            ),
            _ => format!("nothing by itself; after the reason above is put right: invited queue send-now {id}"),
        },
        State::Failed => match outlook.last.map(|last| last.rule) {
            Some(Rule::Bounced) => format!(
                "nothing; the address does not take mail. With another one: invited invite --email ADDRESS --reference {} --shop {}",
                invitation.reference, invitation.shop
            ),
            _ => {
                format!("nothing; the letter did not get through. To try once more: invited queue send-now {id}")
            }
        },
        State::InDoubt => format!(
            "nothing by itself; look into the relay's log for the Message-ID above. If the letter did not go out: \
             invited queue send-now {id}; if it did: invited queue cancel {id}"
        ),
    };
    match outlook.standing.followed_by {
        Some(follower) => format!("Next: {text} It is followed by invitation {follower}."),
        None => format!("Next: {text}"),
    }
}

fn waiting(invitation: &Invitation, outlook: &Outlook<'_>, when: &dyn Fn(Timestamp) -> String) -> String {
    let due = invitation.progress.due_at.map(when).unwrap_or_default();
    let trigger = outlook.rules.of(&invitation.order).trigger.as_str();
    format!(
        "it waits for the {trigger} mail, which starts its delay, until {due}, and is dropped then. To send at once: \
         invited queue send-now {}",
        invitation.id
    )
}

/// A letter that has its time.
fn coming(invitation: &Invitation, outlook: &Outlook<'_>, when: &dyn Fn(Timestamp) -> String) -> String {
    let id = invitation.id;
    let due = invitation.progress.due_at.unwrap_or(outlook.now).max(outlook.now);
    let letter = kind(invitation.next_letter());
    let case = Case { invitation, past: &outlook.standing.past, suppressed: outlook.standing.suppressed.as_ref() };
    if let Some(why) = held_back(outlook, when) {
        return format!("{letter} is due at {}, but {why}", when(due));
    }
    match weigh(&case, outlook.rules, due) {
        Ruling::Go => {
            let by_rate = match outlook.rules.of(&invitation.order).rate {
                Some(rate) if invitation.progress.planned != Planned::AtOnce => {
                    format!(", as the shop's turn comes: {rate} letters an hour at most")
                }
                _ => String::new(),
            };
            format!(
                "{letter} goes out at {}{by_rate}, unless the order is cancelled. To stop it: invited queue cancel {id}",
                when(due)
            )
        }
        Ruling::Wait { until, ground } => match invitation.progress.expires_at.filter(|end| *end < until) {
            Some(end) => format!(
                "{letter} is due at {}, but as things stand it is not sent at all: {} and that allows it at {} only, after \
                 the end of its life at {}. {}",
                when(due),
                because(&ground, when),
                when(until),
                when(end),
                remedy(ground.rule, invitation, outlook)
            ),
            None => format!(
                "{letter} is due at {}, and as things stand it waits until {}: {}. {}",
                when(due),
                when(until),
                because(&ground, when),
                remedy(ground.rule, invitation, outlook)
            ),
        },
        Ruling::Drop(ground) | Ruling::Stop(ground) => format!(
            "{letter} is due at {}, but as things stand it is not sent: {}. {}",
            when(due),
            because(&ground, when),
            remedy(ground.rule, invitation, outlook)
        ),
    }
}

/// Why nothing leaves, whatever is due.
fn held_back(outlook: &Outlook<'_>, when: &dyn Fn(Timestamp) -> String) -> Option<String> {
    if outlook.holds_all {
        return Some(
            "the configuration holds all letters back. To go on: take hold_all = true out of it and reload the daemon."
                .to_owned(),
        );
    }
    let Pause { shop, since, actor } = outlook.standing.paused.as_ref()?;
    let why = actor.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let (what, how) = match shop {
        Some(shop) => (format!("the queue of {shop}"), format!("--shop {shop}")),
        None => ("the whole queue".to_owned(), "--all".to_owned()),
    };
    Some(format!(
        "{what} is paused since {} by {}{why}. To go on: invited queue resume {how}",
        when(*since),
        actor.name
    ))
}

/// What ended without a letter, or before all were out, by what ended it.
fn ended(invitation: &Invitation, outlook: &Outlook<'_>) -> String {
    let progress = &invitation.progress;
    if progress.cancelled_at.is_some() {
        let reopens = match progress.planned {
            Planned::Stopped | Planned::Declined => "",
            _ if progress.state != State::Cancelled => "",
            _ => " Should a later mail of the shop say that the order goes on, a person is asked.",
        };
        return format!("nothing; the order was cancelled, so nobody is asked about it.{reopens}");
    }
    let rule = outlook.last.map(|last| last.rule);
    let why = rule.map_or("the invitation has ended", Rule::sentence);
    let remedy = match (outlook.standing.followed_by, progress.planned) {
        (Some(_), _) | (_, Planned::Declined) => String::new(),
        _ => format!(" {}", after_the_end(rule, invitation, outlook)),
    };
    format!("nothing; {why}.{remedy}")
}

fn because(ground: &Ground, when: &dyn Fn(Timestamp) -> String) -> String {
    format!("{}{}", ground.rule.sentence(), inputs_with(&ground.inputs, when, (" (", ")")))
}

/// What would have to change for a letter to go that a rule keeps back.
fn remedy(rule: Rule, invitation: &Invitation, outlook: &Outlook<'_>) -> String {
    let id = invitation.id;
    match rule {
        Rule::Suppressed => format!("To let it go: {}", off_the_list(invitation, outlook).unwrap_or_default()),
        Rule::NoConsent => format!(
            "A mail of the order that has the shop's words of consent lets it go; so does: invited queue send-now {id}"
        ),
        Rule::OrderCap => "letters_per_order and reminders in the shop's policy say how many there are.".to_owned(),
        _ => format!("To send it all the same, at once: invited queue send-now {id}"),
    }
}

/// The same for one that has ended, by whatever ended it.
fn after_the_end(rule: Option<Rule>, invitation: &Invitation, outlook: &Outlook<'_>) -> String {
    let id = invitation.id;
    let off = off_the_list(invitation, outlook).map(|off| format!("{off}, then ")).unwrap_or_default();
    match rule {
        // What the rules let no letter go to is dropped again when it falls due, unless a person sends it.
        Some(Rule::NoConsent | Rule::TooOld | Rule::NotInSample | Rule::AddressClass) => format!(
            "To invite the customer all the same: {off}invited queue reinvite {id} --at \"1 hour\", then invited queue send-now \
             with the id that it names"
        ),
        _ => format!("To invite the customer once more: {off}invited queue reinvite {id}"),
    }
}

/// What takes the person off the suppression list, if they are on it.
fn off_the_list(invitation: &Invitation, outlook: &Outlook<'_>) -> Option<String> {
    let entry = outlook.standing.suppressed.as_ref()?;
    let email = &invitation.customer.email;
    let shop = if entry.is_global { String::new() } else { format!(" --shop {}", invitation.shop) };
    Some(match entry.kind {
        "address" => format!("invited suppress remove {email}{shop}"),
        kind => format!(
            "invited suppress list --address {email}, then invited suppress remove{shop} with the {kind} that it shows"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DAY, Inputs, InvitationId, PastLetter, Policy, ShopId, Suppressed, open_by_hand};
    use crate::ops::specimen;

    /// A Monday at noon in UTC.
    const NOW: Timestamp = Timestamp::from_seconds(1_772_452_800);

    fn invitation(state: State) -> Invitation {
        let mut progress = open_by_hand(NOW.plus(DAY), &Policy::AFS).progress;
        progress.state = state;
        progress.letters_sent = u32::from(state == State::Sent);
        specimen::invitation(progress, NOW)
    }

    fn moved(rule: Rule) -> DecisionRecord {
        DecisionRecord {
            invitation: InvitationId(12),
            at: NOW,
            event: "due".to_owned(),
            from: Some(State::Queued),
            to: State::Held,
            due_at: None,
            rule,
            actor: "daemon".to_owned(),
            note: None,
            copy: None,
            inputs: Inputs::NONE,
        }
    }

    /// The sentence, with instants in days since now.
    fn told(invitation: &Invitation, standing: &Standing, last: Option<Rule>, holds_all: bool) -> String {
        let rules = ShopRules::default();
        let last = last.map(moved);
        let outlook = Outlook { rules: &rules, standing, last: last.as_ref(), holds_all, now: NOW };
        next(invitation, &outlook, &|at| format!("day {}", at.since(NOW).as_secs() / DAY.as_secs()))
    }

    #[test]
    fn a_letter_to_come_is_foretold_by_the_rules_and_with_what_stands_in_its_way() {
        let queued = invitation(State::Queued);
        let nothing = Standing::default();
        let go = "Next: the first letter goes out at day 1, unless the order is cancelled. To stop it: invited queue cancel 12";
        assert_eq!(told(&queued, &nothing, None, false), go);
        assert!(told(&queued, &nothing, None, true).contains("take hold_all = true out of it"));

        let letter = PastLetter { shop: ShopId::parse("other").unwrap(), is_first: true, at: NOW, products: vec![] };
        let capped = Standing { past: vec![letter], ..Standing::default() };
        assert_eq!(
            told(&queued, &capped, None, false),
            "Next: the first letter is due at day 1, and as things stand it waits until day 5: the last letter to this person was \
             too short a time ago (at least 5 days lie between two, the last one went at day 0). To send it all the same, at once: \
             invited queue send-now 12"
        );
        let mut late = queued.clone();
        late.progress.expires_at = Some(NOW.plus(DAY * 3));
        assert!(told(&late, &capped, None, false).contains("it is not sent at all"));
        let mut by_hand = queued.clone();
        by_hand.progress.planned = Planned::AtOnce;
        assert_eq!(told(&by_hand, &capped, None, false), go, "a person's word stands above the cap");
    }

    #[test]
    fn what_has_ended_names_a_remedy_only_where_there_is_one() {
        let nothing = Standing::default();
        let (dropped, cancelled) = (invitation(State::Dropped), invitation(State::Cancelled));
        let reinvite = "invited queue reinvite 12";
        assert!(told(&dropped, &nothing, Some(Rule::NotInSample), false).contains("then invited queue send-now"));
        let plain = told(&dropped, &nothing, Some(Rule::TriggerNeverCame), false);
        assert!(plain.ends_with(&format!("To invite the customer once more: {reinvite}")), "{plain}");
        let followed = Standing { followed_by: Some(InvitationId(40)), ..Standing::default() };
        let told_of = told(&cancelled, &followed, Some(Rule::DeskCancels), false);
        assert!(told_of.contains("followed by invitation 40") && !told_of.contains(reinvite), "{told_of}");

        let mut declined = cancelled.clone();
        declined.progress.planned = Planned::Declined;
        assert_eq!(
            told(&declined, &nothing, Some(Rule::Unsubscribed), false),
            "Next: nothing; the customer wants no more letters."
        );
        let mut by_shop = cancelled.clone();
        (by_shop.progress.cancelled_at, by_shop.progress.planned) = (Some(NOW), Planned::Trigger);
        assert!(told(&by_shop, &nothing, Some(Rule::OrderCancelled), false).contains("a person is asked"));
        by_shop.progress.planned = Planned::Stopped;
        assert!(!told(&by_shop, &nothing, Some(Rule::OrderCancelled), false).contains("a person is asked"));
        assert!(
            told(&invitation(State::Failed), &nothing, Some(Rule::Bounced), false)
                .contains("--reference A-1 --shop nord")
        );
    }

    #[test]
    fn what_takes_a_person_off_the_list_is_named_as_the_entry_stands() {
        let entry = |kind, is_global| Standing {
            suppressed: Some(Suppressed { kind, is_global, reason: "by_hand".to_owned(), since: NOW }),
            ..Standing::default()
        };
        for (kind, is_global, says) in [
            ("address", true, "invited suppress remove anna@customer.example, then invited queue reinvite 12"),
            ("address", false, "invited suppress remove anna@customer.example --shop nord, then "),
            (
                "domain",
                true,
                "invited suppress list --address anna@customer.example, then invited suppress remove with the domain",
            ),
        ] {
            let text = told(&invitation(State::Cancelled), &entry(kind, is_global), Some(Rule::Suppressed), false);
            assert!(text.contains(says), "{says:?} is not in: {text}");
        }
    }
}
