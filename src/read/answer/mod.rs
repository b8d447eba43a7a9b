//! A mail that came to a letter's return address becomes an [`Answer`]: a bounce, a complaint, an automatic answer, a person's words.
//! What mail systems say to programs is taken first (RFC 3464, RFC 6533, RFC 5965, RFC 3834); of those that only write to people, the
//! words of all languages decide (`templates/mail/answers.toml`), and no mail system has rules of its own. An address counts as dead
//! only when something says so and nothing speaks against it. Pure, bounded, and never failing: what is none of these is `Written`.

mod judge;
mod known;
mod places;
mod sight;
mod status;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::judge::{Judged, judge};
use self::known::KNOWN;
use self::places::{addresses_in, named};
use self::sight::Sight;
use self::status::{Action, groups};
use super::phrases::Searched;
use super::words::fold;
use crate::domain::{AnswerKind, EmailAddress, Hardness, MailStatus};

/// Message-IDs that are taken from one mail.
const MESSAGE_IDS: usize = 50;

/// What came back to a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub says: Says,
    /// What it shows of the letter that it is about.
    pub letter: Returned,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// The letter was not delivered to these.
    Failed(Vec<Recipient>),
    /// It was not delivered yet; a mail system is still trying.
    Delayed(Vec<Recipient>),
    /// It was delivered or handed on, or somebody opened it.
    Delivered(Vec<Recipient>),
    /// A provider reports on the letter (RFC 5965).
    Complained {
        /// The report's kind, lower case: `abuse`, `opt-out`, `auth-failure` …
        feedback: String,
        /// Whom the letter went to, where the provider tells.
        recipients: Vec<EmailAddress>,
    },
    /// Its reader wants no more: the mail that `List-Unsubscribe` begins (RFC 2369), as mail programs send it.
    Unsubscribed,
    /// A program answered because the letter came (RFC 3834).
    Replied,
    /// None of these.
    Written,
}

/// What a notice says about one recipient.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address, as it was written to first, with the other names that the notice gives it. Empty when it names none.
    pub addresses: Vec<EmailAddress>,
    /// The status code that tells most, of all that the notice gives.
    pub status: Option<MailStatus>,
    /// Whether the address is dead.
    pub hardness: Hardness,
    /// The name of the reason, by `templates/mail/answers.toml`.
    pub reason: Option<&'static str>,
}

/// An address must not come into a log by a debug print.
impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = self.status.map(|status| status.to_string()).unwrap_or_default();
        write!(f, "Recipient({} addresses, {status}, {:?}, {:?})", self.addresses.len(), self.hardness, self.reason)
    }
}

/// What an answer shows of the letter: the header fields that came back.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Returned {
    /// Message-IDs without their angle brackets: of the letter that came back, and of the mails that the answer refers to.
    pub message_ids: Vec<String>,
    /// To whom the letter went.
    pub to: Vec<EmailAddress>,
}

impl std::fmt::Debug for Returned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Returned({} ids, {} addresses)", self.message_ids.len(), self.to.len())
    }
}

impl Answer {
    /// The recipient that is this customer, or the first when the letter itself came back or is referred to: mail is forwarded, and
    /// a notice then names an address that we never wrote to. `None` when neither shows.
    pub fn about(&self, customer: &EmailAddress, message_id: Option<&str>) -> Option<Option<&Recipient>> {
        let key = customer.key();
        let is_customer = |addresses: &[EmailAddress]| addresses.iter().any(|address| address.key() == key);
        let recipients = match &self.says {
            Says::Failed(recipients) | Says::Delayed(recipients) | Says::Delivered(recipients) => &recipients[..],
            Says::Complained { recipients, .. } if is_customer(recipients) => return Some(None),
            _ => &[],
        };
        if let Some(found) = recipients.iter().find(|recipient| is_customer(&recipient.addresses)) {
            return Some(Some(found));
        }
        let ours = message_id
            .map(bare_id)
            .is_some_and(|id| !id.is_empty() && self.letter.message_ids.iter().any(|known| known == id));
        (ours || is_customer(&self.letter.to)).then(|| recipients.first())
    }

    /// What it is to a letter that went to this customer, with the recipient that says so.
    pub fn kind_for(&self, customer: &EmailAddress, message_id: Option<&str>) -> (AnswerKind, Option<&Recipient>) {
        let about = self.about(customer, message_id);
        match (&self.says, about) {
            (Says::Replied, _) => (AnswerKind::AutoReply, None),
            (Says::Unsubscribed, _) => (AnswerKind::Unsubscribed, None),
            (Says::Written, _) => (AnswerKind::Written, None),
            (Says::Delayed(_), about) => (AnswerKind::Delayed, about.flatten()),
            (Says::Delivered(_), about) => (AnswerKind::Delivered, about.flatten()),
            (Says::Complained { feedback, .. }, _) if !is_complaint(feedback) => (AnswerKind::Report, None),
            (Says::Complained { .. }, Some(_)) => (AnswerKind::Complaint, None),
            (Says::Failed(_) | Says::Complained { .. }, None) => (AnswerKind::Unmatched, None),
            (Says::Failed(_), Some(recipient)) => {
                let kind = match recipient.map(|recipient| recipient.hardness) {
                    Some(Hardness::Hard) => AnswerKind::HardBounce,
                    Some(Hardness::Soft) => AnswerKind::SoftBounce,
                    Some(Hardness::Unclear) | None => AnswerKind::UnclearBounce,
                };
                (kind, recipient)
            }
        }
    }
}

/// Whether a report of this kind means that its reader wants no more (RFC 5965, section 7.3; RFC 6430 for `not-spam`, RFC 6591 for
/// `auth-failure`).
fn is_complaint(feedback: &str) -> bool {
    matches!(feedback, "abuse" | "fraud" | "opt-out" | "opt-out-list" | "complaint" | "spam" | "miscategorized")
}

/// Reads a mail that came to a return address: header section and body, line ends CRLF or LF. Never panics; time and memory are
/// bounded by those of the reader.
pub fn answer(mail: &[u8]) -> Answer {
    // The last resort, as for copies: a fault here or in a parser costs this mail, not the daemon.
    let nothing = || Answer { says: Says::Written, letter: Returned::default() };
    catch_unwind(AssertUnwindSafe(|| unguarded(mail))).ok().flatten().unwrap_or_else(nothing)
}

/// [`answer`] without its last resort; `None` for what is no mail.
pub(super) fn unguarded(mail: &[u8]) -> Option<Answer> {
    let sight = Sight::of(mail)?;
    Some(Answer { says: says(&sight), letter: returned(&sight) })
}

fn says(sight: &Sight) -> Says {
    if let Some(complaint) = complaint(sight) {
        return complaint;
    }
    if let Some(report) = report(sight) {
        return report;
    }
    if sight.is_receipt {
        return Says::Delivered(Vec::new());
    }
    let signs = Signs::of(sight);
    // Before automatic answers: some mail programs call this mail automatic, and none answers a letter with this subject.
    if !signs.author && asks_to_unsubscribe(sight) {
        return Says::Unsubscribed;
    }
    if signs.is_notice() {
        let recipients = in_words(sight);
        // Nobody but a mail system lists addresses; words alone could be a customer's.
        if signs.author || signs.names_failed || recipients.iter().any(|recipient| !recipient.addresses.is_empty()) {
            return match signs.trying && !signs.names_failed_for_good {
                true => Says::Delayed(recipients),
                false => Says::Failed(recipients),
            };
        }
    }
    if signs.automatic || signs.automatic_subject { Says::Replied } else { Says::Written }
}

/// Whether the subject begins with the word that our `mailto:` link has put there, or the word is all that was written.
fn asks_to_unsubscribe(sight: &Sight) -> bool {
    let begins = |text: &str| {
        let rest = fold(text.trim()).strip_prefix("unsubscribe").map(str::to_owned);
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let mut lines = sight.notice.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    let (only, more) = (lines.next().unwrap_or_default(), lines.next());
    begins(&sight.subject) || (more.is_none() && begins(only) && !only.contains(char::is_whitespace))
}

/// What speaks for a notice of a mail system, and what for an automatic answer.
struct Signs {
    author: bool,
    subject: bool,
    text: bool,
    names_failed: bool,
    names_failed_for_good: bool,
    trying: bool,
    is_reply: bool,
    automatic: bool,
    automatic_subject: bool,
}

impl Signs {
    fn of(sight: &Sight) -> Self {
        let subject = fold(&sight.subject);
        let folded = sight.folded();
        let text = Searched::of(folded.as_str());
        let of_subject = Searched::unsearched(&subject);
        let trying = KNOWN.trying.find(&text).is_some() || KNOWN.trying.find(&of_subject).is_some();
        let for_good = ["permanent error", "permanent failure", "permanently", "given up", "permanent fatal"];
        Self {
            author: KNOWN.authors.find(&Searched::of(fold(&sight.author))).is_some(),
            subject: KNOWN.subjects.find(&of_subject).is_some(),
            text: KNOWN.texts.find(&text).is_some(),
            names_failed: sight.header("x-failed-recipients").is_some(),
            names_failed_for_good: for_good.iter().any(|words| folded.contains(words)),
            trying,
            is_reply: ["re:", "aw:", "sv:", "vs:", "antw:", "rv:", "odp:", "ynt:"]
                .iter()
                .any(|re| subject.starts_with(re)),
            automatic: is_automatic(sight),
            automatic_subject: KNOWN.automatic.find(&of_subject).is_some(),
        }
    }

    /// Two signs that are independent of each other, and nothing that a person's answer would have.
    fn is_notice(&self) -> bool {
        if self.names_failed {
            return true;
        }
        if self.automatic_subject && !self.author {
            return false;
        }
        match self.author {
            true => self.subject || self.text,
            false => self.subject && self.text && !self.is_reply,
        }
    }
}

/// RFC 3834, section 5, and what programs put there before it was written.
fn is_automatic(sight: &Sight) -> bool {
    let submitted = sight.header("auto-submitted").map(|value| value.trim_start().to_ascii_lowercase());
    if submitted.is_some_and(|value| !value.is_empty() && !value.starts_with("no")) {
        return true;
    }
    let precedence = sight.headers("precedence").chain(sight.headers("x-precedence"));
    let marks = [
        "x-autoreply",
        "x-autorespond",
        "x-autoresponder",
        "x-autoreply-from",
        "x-autoreply-domain",
        "x-mail-autoreply",
        "x-auto-reply",
        "x-auto-response-suppress",
        "x-autogenerated",
        "x-vacation",
        "x-ms-exchange-inbox-rules-loop",
        "x-ms-exchange-generated-message-source",
        "x-cron-env",
    ];
    precedence.into_iter().any(|value| value.to_ascii_lowercase().contains("auto"))
        || marks.iter().any(|mark| sight.header(mark).is_some())
        || sight.header("delivered-to").is_some_and(|to| to.eq_ignore_ascii_case("autoresponder"))
        || sight.header("return-path").is_some_and(|path| path.trim() == "<>")
}

/// RFC 5965, and the reports of Outlook.com, which are the letter with a field that names its recipient.
fn complaint(sight: &Sight) -> Option<Says> {
    let junk_mail_report = sight.returned.iter().find(|(name, _)| name == "x-hmxmroriginalrecipient");
    if sight.feedback.is_empty() && junk_mail_report.is_none() {
        return None;
    }
    let mut feedback = String::from("abuse");
    let mut recipients = Vec::new();
    for line in sight.feedback.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "feedback-type" => feedback = crate::domain::clean(value, 40).to_ascii_lowercase(),
            "original-rcpt-to" | "removal-recipient" => recipients.extend(bare_addresses(value)),
            _ => {}
        }
    }
    recipients.extend(junk_mail_report.iter().flat_map(|(_, value)| bare_addresses(value)));
    recipients.truncate(MESSAGE_IDS);
    Some(Says::Complained { feedback, recipients })
}

/// RFC 3464, wherever its fields stand.
fn report(sight: &Sight) -> Option<Says> {
    let groups = groups(&sight.statuses);
    let notice = sight.folded();
    let trying = KNOWN.trying.find(&Searched::of(notice.as_str())).is_some();
    let mut by_action: [Vec<Recipient>; 3] = Default::default();
    let alone = groups.len() == 1;
    for group in groups {
        let action = group.action.or_else(|| match group.status.map(|status| status.class) {
            Some(2) => Some(Action::Delivered),
            Some(4) if trying => Some(Action::Delayed),
            Some(_) => Some(Action::Failed),
            None => None,
        });
        let Some(action) = action else { continue };
        let mut addresses = group.addresses;
        if addresses.is_empty() && alone {
            addresses =
                named(&sight.notice, &own(sight)).into_iter().next().map(|named| named.addresses).unwrap_or_default();
        }
        let judged = judge(group.status, &group.words, &notice);
        by_action[action as usize].push(recipient(addresses, judged));
    }
    let [failed, delayed, delivered] = by_action;
    match (failed.is_empty(), delayed.is_empty(), delivered.is_empty()) {
        (false, ..) => Some(Says::Failed(failed)),
        (_, false, _) => Some(Says::Delayed(delayed)),
        (_, _, false) => Some(Says::Delivered(delivered)),
        _ => None,
    }
}

/// The recipients of a notice that is written for people.
fn in_words(sight: &Sight) -> Vec<Recipient> {
    let notice = sight.folded();
    let found = named(&sight.notice, &own(sight));
    let listed = sight.headers("x-failed-recipients").flat_map(bare_addresses).collect::<Vec<_>>();
    let part_of = |addresses: &[EmailAddress], lines: std::ops::Range<usize>| {
        let mentions = |line: &String| addresses_in(line).iter().any(|found| addresses.contains(&found.address));
        let own = sight.notice.get(lines.clone()).unwrap_or_default().iter();
        let elsewhere = sight.notice.iter().enumerate().filter(|(at, line)| !lines.contains(at) && mentions(line));
        own.chain(elsewhere.map(|(_, line)| line)).map(String::as_str).collect::<Vec<_>>().join("\n")
    };
    if !listed.is_empty() {
        let of_listed = listed.into_iter().map(|address| {
            let place = found.iter().find(|named| named.addresses.contains(&address));
            let words =
                place.map_or_else(|| sight.notice.join("\n"), |named| part_of(&named.addresses, named.lines.clone()));
            recipient(vec![address], judge(None, &words, &notice))
        });
        return of_listed.collect();
    }
    if found.is_empty() {
        let to = returned(sight).to;
        let addresses = if to.len() == 1 { to } else { Vec::new() };
        return vec![recipient(addresses, judge(None, &sight.notice.join("\n"), &notice))];
    }
    let of_found = found.into_iter().map(|named| {
        let words = part_of(&named.addresses, named.lines.clone());
        recipient(named.addresses, judge(None, &words, &notice))
    });
    of_found.collect()
}

fn recipient(addresses: Vec<EmailAddress>, judged: Judged) -> Recipient {
    Recipient { addresses, status: judged.status, hardness: judged.hardness, reason: judged.reason }
}

/// To whom the notice itself was sent.
fn own(sight: &Sight) -> Vec<EmailAddress> {
    sight.headers("to").flat_map(bare_addresses).collect()
}

fn bare_addresses(text: &str) -> Vec<EmailAddress> {
    let mut found: Vec<EmailAddress> = Vec::new();
    for place in addresses_in(text) {
        if !found.contains(&place.address) {
            found.push(place.address);
        }
    }
    found
}

fn returned(sight: &Sight) -> Returned {
    let of = |name: &'static str| {
        sight.returned.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    let ids = of("message-id").chain(sight.headers("in-reply-to")).chain(sight.headers("references"));
    let ids = ids.flat_map(str::split_whitespace).map(bare_id).filter(|id| id.contains('@')).map(str::to_owned);
    Returned {
        message_ids: ids.take(MESSAGE_IDS).collect(),
        to: of("to").chain(of("x-hmxmroriginalrecipient")).flat_map(bare_addresses).take(MESSAGE_IDS).collect(),
    }
}

fn bare_id(id: &str) -> &str {
    id.trim().trim_start_matches('<').trim_end_matches(['>', ','])
}
