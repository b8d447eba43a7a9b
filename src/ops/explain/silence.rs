//! Why an order got no invitation of which no copy told: was nothing taken in, is it among the mails that nobody could read, or does
//! another mail only mention it?

use crate::domain::{OrderReference, ShopId, Timestamp};
use crate::read::{Readable, readable};
use crate::store::{CopyState, HeldFilter, ShopSum, Store, StoreError, StoredCopy};

use super::{Line, Telling};

/// How many of the newest held and ignored copies are searched for a reference, each.
const SEARCHED: usize = 300;

/// What is known of an order of which no copy was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    /// Copies whose text has the reference in it, though it was not read as one; the newest first.
    pub mentioned: Vec<StoredCopy>,
    /// How many held and ignored copies were searched.
    pub searched: usize,
    /// How the shops fare.
    pub shops: Vec<ShopSum>,
    /// Copies that are not read yet.
    pub unread: u64,
}

/// Looks for an order among the copies that did not tell of any.
///
/// # Errors
/// When the store cannot be read.
pub async fn silence(
    store: &dyn Store,
    reference: &OrderReference,
    shop: Option<&ShopId>,
) -> Result<Silence, StoreError> {
    let filter = HeldFilter { shop: shop.cloned(), ..HeldFilter::default() };
    let mut copies = store.held_copies(&filter, None, SEARCHED).await?;
    copies.extend(store.ignored_copies(&filter, None, SEARCHED).await?);
    let searched = copies.len();
    let wanted = reference.key();
    let mut mentioned = Vec::new();
    for copy in copies {
        let Some((_, Some(message))) = store.copy(copy.id).await? else { continue };
        let Ok(mail) = readable(&message) else { continue };
        if says(&mail, &wanted) {
            mentioned.push(copy);
        }
    }
    let figures = store.watch_figures().await?;
    let is_meant = |name: &ShopId| shop.is_none_or(|shop| shop == name);
    Ok(Silence {
        mentioned,
        searched,
        shops: figures.sums.into_iter().filter(|sum| is_meant(&sum.shop)).collect(),
        unread: figures.unread.iter().filter(|(name, _)| is_meant(name)).map(|(_, copies)| copies).sum(),
    })
}

fn says(mail: &Readable, wanted: &str) -> bool {
    let headers = mail.headers.iter().map(|(_, value)| value);
    let lines = mail.texts.iter().flat_map(|text| &text.lines).map(|line| &line.text);
    headers.chain(lines).any(|text| mentions(text, wanted))
        || mail.attached.as_deref().is_some_and(|attached| says(attached, wanted))
}

/// Whether a text has the reference in it as a word of its own, without regard to case.
fn mentions(text: &str, wanted: &str) -> bool {
    let text = text.to_lowercase();
    let is_part = |c: char| c.is_alphanumeric();
    text.match_indices(wanted).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + wanted.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

impl Silence {
    /// In plain sentences.
    pub fn tell(&self, reference: &OrderReference, telling: &Telling<'_>) -> Vec<Line> {
        let mut lines = vec![plain(format!("No copy was read as telling of order {reference}."))];
        for copy in &self.mentioned {
            lines.push(Line { at: Some(copy.received_at), text: mention(copy) });
        }
        if self.mentioned.is_empty() {
            lines.push(plain(match self.searched {
                0 => "There are no held or ignored copies that could have it in their text.".to_owned(),
                1 => "Nor does the one held or ignored copy have it in its text.".to_owned(),
                many => format!("Nor does any of the {many} newest held and ignored copies have it in its text."),
            }));
        }
        if self.unread > 0 {
            lines.push(plain(format!("{} copies have not been read yet.", self.unread)));
        }
        for sum in &self.shops {
            lines.push(plain(format!(
                "The last copy of {} came in at {}; held copies: {}, ignored ones: {}.",
                sum.shop,
                (telling.when)(sum.last_copy_at),
                sum.held,
                sum.ignored
            )));
        }
        let held = self.mentioned.iter().find(|copy| copy.state == CopyState::Held);
        lines.push(plain(match held {
            Some(copy) => format!(
                "Next: nothing by itself. If copy {id} tells of the order: invited held release {id} --reference {reference}; it says \
                 what else is missing",
                id = copy.id
            ),
            None if self.mentioned.is_empty() => format!(
                "Next: nothing, until a mail about the order comes in. See in the shop's mail server's log whether its mail went to \
                 the BCC address too. {}",
                without_a_mail(reference)
            ),
            None => format!("Next: nothing; mails of this kind ask nobody. {}", without_a_mail(reference)),
        }));
        lines
    }
}

/// How a customer is invited of whose order no mail tells.
fn without_a_mail(reference: &OrderReference) -> String {
    format!("To invite the customer without one: invited invite --email ADDRESS --reference {reference}")
}

/// What happens next with a copy that led to no invitation; `None` when it was discarded.
pub(super) fn what_next(copy: &StoredCopy) -> Option<String> {
    let id = copy.id;
    let reference = copy.reading.as_ref().and_then(|reading| reading.reference.as_ref());
    Some(match copy.state {
        CopyState::Unread => format!("copy {id} is read as soon as a daemon runs."),
        CopyState::Held => format!(
            "nothing by itself; copy {id} waits for a person. What it says and what is missing: invited held show {id}; if it is of no \
             use: invited held discard {id}"
        ),
        CopyState::Ignored => match reference {
            Some(reference) => format!("nothing; mails of this kind ask nobody. {}", without_a_mail(reference)),
            None => "nothing; mails of this kind ask nobody.".to_owned(),
        },
        CopyState::Event | CopyState::Discarded => return None,
    })
}

fn mention(copy: &StoredCopy) -> String {
    let id = copy.id;
    let why = copy.reading.as_ref().and_then(|reading| reading.reason.as_deref()).unwrap_or("no reason was given");
    match copy.state {
        CopyState::Held => format!("copy {id} has it in its text, but is held: {why}. See: invited held show {id}"),
        state => format!("copy {id} has it in its text, but was {}: {why}", state.as_str()),
    }
}

fn plain(text: String) -> Line {
    Line { at: None::<Timestamp>, text }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::{CopyId, Handed, Outcome, Policies, Reading};

    #[test]
    fn a_reference_is_mentioned_as_a_word_of_its_own_only() {
        assert!(mentions("Your order A-10, thank you", "a-10"));
        assert!(!mentions("Your order A-100", "a-10"));
        assert!(!mentions("BA-10", "a-10"));
        assert!(mentions("#1001", "1001"));
    }

    #[test]
    fn a_copy_without_an_invitation_says_who_is_to_do_what() {
        for (state, says) in [
            (CopyState::Held, "invited held show 7"),
            (CopyState::Ignored, "invited invite --email ADDRESS --reference A-10"),
            (CopyState::Unread, "as soon as a daemon runs"),
        ] {
            let text = what_next(&copy(state)).unwrap_or_default();
            assert!(text.contains(says), "{says:?} is not in: {text}");
        }
        assert_eq!(what_next(&copy(CopyState::Discarded)), None, "a person has said so");
    }

    #[test]
    fn an_order_that_nobody_told_of_is_offered_what_the_copies_that_name_it_allow() {
        let reference = OrderReference::parse("A-10").unwrap();
        let (policies, standings, now) = (Policies::default(), HashMap::new(), Timestamp(0));
        let how =
            Telling { policies: &policies, standings: &standings, holds_all: false, now, when: &|_| String::new() };
        for (mentioned, says, not) in [
            (vec![], "until a mail about the order comes in", "held release"),
            (vec![copy(CopyState::Ignored)], "mails of this kind ask nobody", "held release"),
            (vec![copy(CopyState::Held)], "invited held release 7 --reference A-10", "invited invite"),
        ] {
            let lines = Silence { mentioned, searched: 3, shops: vec![], unread: 2 }.tell(&reference, &how);
            let text = lines.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n");
            assert!(text.contains(says) && !text.contains(not), "{text}");
            assert!(text.contains("2 copies have not been read yet"), "{text}");
        }
    }

    fn copy(state: CopyState) -> StoredCopy {
        StoredCopy {
            id: CopyId(7),
            shop: ShopId::parse("nord").unwrap(),
            received_at: Timestamp(0),
            mail_from: String::new(),
            handed: Handed::default(),
            size: 1,
            state,
            attempts: 1,
            reading: Some(Reading {
                reference: OrderReference::parse("A-10"),
                ..Reading::without_findings(Outcome::Held, "")
            }),
            invitation: None,
            desk: None,
            proof: None,
            sender: None,
            doubt: None,
        }
    }
}
