//! Who the customer is. A letter to the wrong person is worse than none: two plausible customers, and the mail is held.

use super::evidence::{Candidate, Evidence, Value};
use super::generic::NAMED_EMAIL;
use super::message::{Mailbox, Message};
use super::snippet::SHOWN;
use super::words::fold;
use crate::domain::{AddressClasses, EmailAddress, Field, Layer, Outcome, are_related, within};

/// Most addressees of one field that are noted.
const ADDRESSEES: usize = 10;
/// The rule of an addressee whom `To:` names; those of `Cc:` and `Bcc:` are only good to agree with another place.
const TO: &str = "to.address";

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

    /// Whether somebody who sent a mail on to us is the shop that wrote it. Where nobody said which domains are the shop's, it is
    /// who writes from the same address or the same domain; but not at a provider for everybody.
    pub(super) fn is_the_shop(&self, sender: &EmailAddress, author: &EmailAddress) -> bool {
        within(sender, self.shop_domains)
            || (self.shop_domains.is_empty()
                && (sender.key() == author.key()
                    || (are_related(sender, author) && !AddressClasses::shipped().is_shared(sender))))
    }

    /// Whether an address may be a customer's: not the shop's, not ours, not the author's nor a colleague's of the author, not one
    /// that nobody reads.
    fn plausible(&self, email: &EmailAddress, message: &Message) -> bool {
        let author = &message.from.email;
        let classes = AddressClasses::shipped();
        !within(email, self.own_domains)
            && !within(email, self.shop_domains)
            && email.key() != author.key()
            && (classes.is_shared(email) || email.domain() != author.domain())
            && !classes.is_nobodys(email)
            && classes.masked(email).is_none()
    }
}

/// What is known of the customer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Customer {
    /// This one.
    Is(EmailAddress),
    /// Nobody, or nobody for certain; in words for a support person.
    Unclear(String),
    /// Somebody whom a marketplace masks; with the entry of the list of masked addresses.
    Masked(&'static str),
}

impl Customer {
    /// The verdict on a mail with this customer: whom nobody may invite, nobody need be asked about either.
    pub(super) fn overrule(&self, verdict: Result<(), (Outcome, String)>) -> Result<(), (Outcome, String)> {
        match (self, verdict) {
            (Self::Masked(entry), Ok(()) | Err((Outcome::Held, _))) => {
                let why = format!(
                    "masked address: the customer's address is one under which a marketplace hides its buyers ({entry})"
                );
                Err((Outcome::Ignored, why))
            }
            (_, verdict) => verdict,
        }
    }
}

/// Notes the addressees as findings of the header fields.
pub(super) fn note_addressees(message: &Message, ours: &Ours<'_>, evidence: &mut Evidence) {
    for (rule, boxes) in [(TO, &message.to), ("cc.address", &message.cc), ("bcc.address", &message.bcc)] {
        for one in boxes.iter().filter(|one| ours.plausible(&one.email, message)).take(ADDRESSEES) {
            evidence.add(Layer::Headers, rule, Value::Email(one.email.clone()));
        }
    }
    let classes = AddressClasses::shipped();
    for to in message.to.iter().filter(|to| classes.masked(&to.email).is_some()).take(ADDRESSEES) {
        evidence.add(Layer::Headers, "to.masked", Value::Email(to.email.clone()));
    }
}

/// Whose name `To:` gives for an address.
pub(super) fn display_name<'m>(message: &'m Message, email: &EmailAddress) -> Option<&'m str> {
    let named = |boxes: &'m [Mailbox]| boxes.iter().find(|one| one.email.key() == email.key())?.name.as_deref();
    named(&message.to).or_else(|| named(&message.cc)).or_else(|| named(&message.reply_to))
}

/// Decides who the customer is: the snippet's recipient; else the address that the body names, when it agrees with `To:`; else
/// the one addressee; else, when the mail went to the shop or to us only, the one who would get an answer.
pub(super) fn decide(message: &Message, ours: &Ours<'_>, evidence: &mut Evidence) -> Customer {
    // Whoever wrote the mail may send it once more.
    let author = &message.from.email;
    let stranger = |by: &&Mailbox| by.email.key() != author.key() && !ours.is_the_shop(&by.email, author);
    if let Some(stranger) = message.resent_from.iter().find(stranger) {
        return Customer::Unclear(format!("{} sent it on to us, who is not known to be the shop", stranger.email));
    }
    let people = People::of(message, ours, evidence);
    match people.decide() {
        Some(customer) => customer,
        None => match (
            people.masked,
            labelled(message, ours, evidence).unwrap_or_else(|| answered(message, ours, evidence)),
        ) {
            (Some(entry), Customer::Unclear(_)) => Customer::Masked(entry),
            (_, customer) => customer,
        },
    }
}

/// The plausible customers by where they are named.
struct People {
    snippet: Vec<EmailAddress>,
    /// In a snippet that people see, where a customer's own words may stand too.
    shown: Vec<EmailAddress>,
    body: Vec<EmailAddress>,
    to: Vec<EmailAddress>,
    /// In `Cc:` and `Bcc:`.
    copied: Vec<EmailAddress>,
    /// Under which entry somebody is masked.
    masked: Option<&'static str>,
}

impl People {
    fn of(message: &Message, ours: &Ours<'_>, evidence: &Evidence) -> Self {
        let candidates = evidence.of(Field::CustomerEmail);
        let of = |wanted: fn(&Candidate) -> bool| {
            let mut emails: Vec<EmailAddress> = Vec::new();
            for candidate in candidates.iter().filter(|candidate| wanted(candidate)) {
                if let Value::Email(email) = &candidate.value
                    && ours.plausible(email, message)
                    && !names(&emails, email)
                {
                    emails.push(email.clone());
                }
            }
            emails
        };
        Self {
            snippet: of(|one| one.layer == Layer::Snippet && !one.rule.starts_with(SHOWN)),
            shown: of(|one| one.layer == Layer::Snippet && one.rule.starts_with(SHOWN)),
            body: of(|one| {
                matches!(one.layer, Layer::JsonLd | Layer::Microdata | Layer::Template)
                    || (one.layer == Layer::Generic && one.rule == NAMED_EMAIL)
            }),
            to: of(|one| one.layer == Layer::Headers && one.rule == TO),
            copied: of(|one| one.layer == Layer::Headers && one.rule != TO),
            masked: candidates.iter().find_map(|candidate| match &candidate.value {
                Value::Email(email) => AddressClasses::shipped().masked(email),
                _ => None,
            }),
        }
    }

    /// The customer, or `None` when nobody is named.
    fn decide(&self) -> Option<Customer> {
        let Self { snippet, shown, body, to, copied, masked } = self;
        let agreed = |named: &[EmailAddress]| {
            let both = named.iter().filter(|email| names(to, email) || names(copied, email));
            both.cloned().collect::<Vec<_>>()
        };
        match (&snippet[..], &shown[..]) {
            ([one], _) => return Some(Customer::Is(one.clone())),
            ([], []) => {}
            ([], shown) => {
                return Some(match &agreed(shown)[..] {
                    [one] => Customer::Is(one.clone()),
                    _ => {
                        unclear("the snippet stands where people read it, and To does not name its recipient", [shown])
                    }
                });
            }
            (several, _) => return Some(unclear("the snippets name different recipients", [several])),
        }
        Some(match (&body[..], &to[..], &agreed(body)[..]) {
            (_, _, [one]) => Customer::Is(one.clone()),
            ([], [], _) if copied.is_empty() => return None,
            ([], [], _) => unclear("only Cc names somebody who may be the customer", [copied]),
            // A masked buyer beside somebody else: that one is not the buyer for certain.
            _ if masked.is_some() => unclear("beside a masked address it names somebody else", [body, to]),
            ([one], [], _) | ([], [one], _) => Customer::Is(one.clone()),
            ([], to, _) => unclear("it went to several addressees and does not say which one is the customer", [to]),
            ([_], _, []) => {
                unclear("the customer in the mail and the addressee in To are two different people", [body, to])
            }
            _ => unclear("the mail names several customers", [body, to]),
        })
    }
}

fn names(list: &[EmailAddress], email: &EmailAddress) -> bool {
    list.iter().any(|known| known.key() == email.key())
}

/// Nobody for certain, with those who it may be.
fn unclear<const N: usize>(why: &str, lists: [&[EmailAddress]; N]) -> Customer {
    let mut listed: Vec<EmailAddress> = Vec::new();
    for email in lists.into_iter().flatten() {
        if !names(&listed, email) {
            listed.push(email.clone());
        }
    }
    let shown = listed.iter().take(5).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Customer::Unclear(format!("{why}: {shown}"))
}

/// A mail to the shop or to us only, of a make that nobody knows: somebody's address at a label, when it is an order's mail, with
/// products. A question to the shop names its sender in the same way. An address of the shop's domain is its help desk's.
fn labelled(message: &Message, ours: &Ours<'_>, evidence: &Evidence) -> Option<Customer> {
    if !evidence.holds(Field::Products) {
        return None;
    }
    let mut named: Vec<EmailAddress> = Vec::new();
    for candidate in evidence.of(Field::CustomerEmail) {
        if let (Layer::Generic, Value::Email(email)) = (candidate.layer, &candidate.value)
            && ours.plausible(email, message)
            && email.domain() != message.from.email.domain()
            && !names(&named, email)
        {
            named.push(email.clone());
        }
    }
    match &named[..] {
        [] => None,
        [one] => Some(Customer::Is(one.clone())),
        several => Some(unclear("the mail names several customers", [several])),
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

    /// What is decided about a mail with these fields whose body names these people, as rule and address.
    fn decided(fields: &str, named: &[(Layer, &str, &str)]) -> String {
        let mail = format!("From: Shop <orders@shop.example>\r\nSubject: x\r\n{fields}\r\n\r\n");
        let message = Message::parse(mail.as_bytes()).unwrap();
        let (shop, own) = (["shop.example".to_owned()], ["invited.example".to_owned()]);
        let ours = Ours { shop_domains: &shop, own_domains: &own };
        let mut evidence = Evidence::default();
        for (layer, rule, email) in named {
            evidence.add(*layer, *rule, Value::Email(EmailAddress::parse(email).unwrap()));
        }
        note_addressees(&message, &ours, &mut evidence);
        match decide(&message, &ours, &mut evidence) {
            Customer::Is(email) => email.to_string(),
            Customer::Unclear(why) => format!("? {why}"),
            Customer::Masked(entry) => format!("masked {entry}"),
        }
    }

    #[test]
    fn the_customer_is_the_one_who_can_only_be_meant() {
        let bo = "bo@example.org";
        let body = |email: &'static str| (Layer::JsonLd, "Order.billingAddress.email", email);
        let snippet = |email: &'static str| (Layer::Snippet, "recipientEmail", email);
        let shown = |email: &'static str| (Layer::Snippet, "shown.recipientEmail", email);
        let us = "To: shop+1@in.invited.example";
        for (fields, named, expected) in [
            ("To: bo@example.org", vec![], bo),
            ("To: bo@example.org, orders@shop.example", vec![], bo),
            ("To: bo@example.org, BO@example.org", vec![], bo),
            ("To: bo@example.org\r\nCc: al@example.net", vec![], bo),
            ("To: bo@example.org\r\nBcc: shop+1@in.invited.example", vec![], bo),
            ("To: bo@example.org, al@example.net", vec![], "? it went to several addressees"),
            ("To: bo@example.org, al@example.net", vec![body(bo)], bo),
            (
                "To: al@example.net",
                vec![body(bo)],
                "? the customer in the mail and the addressee in To are two different people",
            ),
            ("To: al@example.net\r\nCc: bo@example.org", vec![body(bo)], bo),
            (us, vec![body(bo)], bo),
            ("To: orders@shop.example", vec![body(bo)], bo),
            ("To: noreply@else.example", vec![body(bo)], bo),
            ("To: undisclosed-recipients:;", vec![body(bo)], bo),
            ("To: undisclosed-recipients:;", vec![], "? neither To nor the body names a customer"),
            (
                us,
                vec![body(bo), body("al@example.net")],
                "? the mail names several customers: bo@example.org, al@example.net",
            ),
            (us, vec![body("clerk@shop.example"), body(bo)], bo),
            (
                "To: orders@shop.example\r\nCc: bo@example.org",
                vec![],
                "? only Cc names somebody who may be the customer: bo@example.org",
            ),
            ("To: orders@shop.example\r\nBcc: bo@example.org", vec![body(bo)], bo),
            // The snippet.
            (us, vec![snippet(bo), body("al@example.net")], bo),
            ("To: al@example.net", vec![snippet(bo)], bo),
            (
                us,
                vec![snippet(bo), snippet("al@example.net")],
                "? the snippets name different recipients: bo@example.org, al@example.net",
            ),
            (us, vec![snippet("clerk@shop.example"), body(bo)], bo),
            // A snippet that people see may be what a customer wrote into a field for notes.
            ("To: bo@example.org", vec![shown(bo)], bo),
            ("To: al@example.net", vec![shown(bo)], "? the snippet stands where people read it"),
            (us, vec![shown(bo)], "? the snippet stands where people read it"),
            ("To: al@example.net", vec![snippet("al@example.net"), shown(bo)], "al@example.net"),
            // Masked by a marketplace.
            ("To: x1@marketplace.amazon.de", vec![], "masked marketplace.amazon.*"),
            (us, vec![body("x1@members.ebay.com")], "masked members.ebay.*"),
            (us, vec![snippet("x1@members.ebay.com")], "masked members.ebay.*"),
            (
                "To: bo@example.org",
                vec![body("x1@members.ebay.com")],
                "? beside a masked address it names somebody else: bo@example.org",
            ),
            ("To: x1@privaterelay.appleid.com", vec![], "x1@privaterelay.appleid.com"),
            // Sent on as it was.
            (
                "Resent-From: clerk@shop.example\r\nResent-To: shop+1@in.invited.example\r\nTo: bo@example.org",
                vec![],
                bo,
            ),
            (
                "Resent-From: bo@example.org\r\nResent-To: shop+1@in.invited.example\r\nTo: bo@example.org",
                vec![],
                "? bo@example.org sent it on to us",
            ),
        ] {
            let decided = decided(fields, &named);
            let same = if expected.starts_with('?') { decided.starts_with(expected) } else { decided == expected };
            assert!(same, "{fields}: {decided}, wanted {expected}");
        }
    }

    #[test]
    fn whom_nobody_may_invite_nobody_need_be_asked_about() {
        let masked = Customer::Masked("members.ebay.*");
        let held = || Err((Outcome::Held, "x".to_owned()));
        for verdict in [Ok(()), held()] {
            assert!(matches!(masked.overrule(verdict), Err((Outcome::Ignored, why)) if why.contains("members.ebay.*")));
        }
        let ignored = Err((Outcome::Ignored, "newsletter".to_owned()));
        assert_eq!(masked.overrule(ignored.clone()), ignored);
        assert_eq!(Customer::Unclear(String::new()).overrule(held()), held());
    }
}
