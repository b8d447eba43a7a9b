//! Who the customer is. A letter to the wrong person is worse than none: two plausible customers, and the mail is held.

use super::evidence::{Evidence, Value};
use super::message::{Mailbox, Message};
use super::words::fold;
use crate::domain::{EmailAddress, Field, Layer};

/// The domains that belong to the shop and to us; nobody there is a customer.
pub(super) struct Ours<'c> {
    pub(super) shop_domains: &'c [String],
    pub(super) own_domains: &'c [String],
}

impl Ours<'_> {
    /// Whether the mail was sent to us openly, and not as a blind copy.
    pub(super) fn is_addressed(&self, message: &Message) -> bool {
        message.to.iter().any(|to| within(&to.email, self.own_domains))
    }

    /// Whether an address may be a customer's: not the shop's, not ours, not the author's, not one that nobody reads.
    fn plausible(&self, email: &EmailAddress, message: &Message) -> bool {
        let local = email.local_part().to_ascii_lowercase();
        let nobody = ["noreply", "no-reply", "donotreply", "do-not-reply", "mailer-daemon", "postmaster"];
        !within(email, self.own_domains)
            && !within(email, self.shop_domains)
            && email.key() != message.from.email.key()
            && !nobody.contains(&local.as_str())
    }
}

/// Whether an address is in one of the domains or below it.
fn within(email: &EmailAddress, domains: &[String]) -> bool {
    let below = |domain: &String| {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        email.domain() == domain || email.domain().strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'))
    };
    domains.iter().any(below)
}

/// What is known of the customer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Customer {
    /// This one.
    Is(EmailAddress),
    /// Nobody, or nobody for certain; in words for a support person.
    Unclear(String),
}

/// Notes the addressees as findings of layer 4.
pub(super) fn note_addressees(message: &Message, ours: &Ours<'_>, evidence: &mut Evidence) {
    for to in message.to.iter().filter(|to| ours.plausible(&to.email, message)).take(10) {
        evidence.add(Layer::Headers, "to.address", Value::Email(to.email.clone()));
    }
}

/// Whose name `To:` gives for an address.
pub(super) fn display_name<'m>(message: &'m Message, email: &EmailAddress) -> Option<&'m str> {
    let named = |boxes: &'m [Mailbox]| boxes.iter().find(|one| one.email.key() == email.key())?.name.as_deref();
    named(&message.to).or_else(|| named(&message.reply_to))
}

/// Decides who the customer is: the snippet's recipient; else the address that the body names, when it agrees with `To:`; else
/// the one addressee; else, when the mail went to the shop or to us only, the one who would get an answer.
pub(super) fn decide(message: &Message, ours: &Ours<'_>, evidence: &mut Evidence) -> Customer {
    let candidates = evidence.of(Field::CustomerEmail);
    let of = |layers: &[Layer]| {
        let mut emails: Vec<EmailAddress> = Vec::new();
        for candidate in &candidates {
            if let Value::Email(email) = &candidate.value
                && layers.contains(&candidate.layer)
                && ours.plausible(email, message)
                && !emails.iter().any(|known| known.key() == email.key())
            {
                emails.push(email.clone());
            }
        }
        emails
    };
    let snippet = of(&[Layer::Snippet]);
    match snippet.len() {
        0 => {}
        1 => return first(snippet),
        _ => return Customer::Unclear("the snippets name different recipients".to_owned()),
    }
    let body = of(&[Layer::JsonLd, Layer::Microdata, Layer::Template]);
    let to = of(&[Layer::Headers]);
    let in_to = |email: &EmailAddress| to.iter().any(|known| known.key() == email.key());
    let agreed = body.iter().filter(|email| in_to(email)).cloned().collect::<Vec<_>>();
    match (body.len(), to.len(), agreed.len()) {
        (_, _, 1) => first(agreed),
        (1, 0, _) => first(body),
        (0, 1, _) => first(to),
        (0, 0, _) => {
            // What a label says is an address may be the shop's help desk: one of the shop's domain is no customer's.
            let labelled = of(&[Layer::Generic]);
            let foreign =
                labelled.into_iter().filter(|email| email.domain() != message.from.email.domain()).collect::<Vec<_>>();
            match foreign.len() {
                0 => answered(message, ours, evidence),
                1 => first(foreign),
                _ => Customer::Unclear("the mail names several customers".to_owned()),
            }
        }
        (0, _, _) => {
            Customer::Unclear("it went to several addressees and does not say which one is the customer".to_owned())
        }
        (1, _, 0) => {
            Customer::Unclear("the customer in the mail and the addressee in To are two different people".to_owned())
        }
        _ => Customer::Unclear("the mail names several customers".to_owned()),
    }
}

fn first(emails: Vec<EmailAddress>) -> Customer {
    match emails.into_iter().next() {
        Some(email) => Customer::Is(email),
        None => Customer::Unclear("no customer was found".to_owned()),
    }
}

/// A mail to the shop or to us only: shop software names the customer in Reply-To then. Others name their help desk there, so the
/// name must be that of the customer in the body.
fn answered(message: &Message, ours: &Ours<'_>, evidence: &mut Evidence) -> Customer {
    let known =
        evidence.of(Field::CustomerName).into_iter().any(|candidate| match (&candidate.value, &message.reply_to[..]) {
            (Value::Name(name), [reply]) => reply.name.as_deref().map(fold) == Some(fold(name.as_str())),
            _ => false,
        });
    match &message.reply_to[..] {
        [one] if known && !message.to.is_empty() && ours.plausible(&one.email, message) => {
            evidence.add(Layer::Headers, "reply_to.address", Value::Email(one.email.clone()));
            Customer::Is(one.email.clone())
        }
        _ => Customer::Unclear("neither To nor the body names a customer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_covers_what_is_below_it_and_nothing_beside() {
        let within = |email: &str| super::within(&EmailAddress::parse(email).unwrap(), &["Shop.example.".to_owned()]);
        assert!(within("a@shop.example") && within("a@mail.SHOP.example"));
        assert!(!within("a@myshop.example") && !within("a@shop.example.org"));
    }
}
