//! The words and codes of `templates/mail/answers.toml`, ready to be looked for.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::{Hardness, MailStatus};
use crate::read::phrases::{Phrase, Phrases, Searched};

/// Why letters are not delivered, and how the mails that say so are known.
pub(super) struct Known {
    /// Reasons, the ones that weigh most first.
    reasons: Vec<Reason>,
    /// Who writes notices of mail systems.
    pub(super) authors: Phrases,
    /// What the subjects of such notices say.
    pub(super) subjects: Phrases,
    /// What their texts say.
    pub(super) texts: Phrases,
    /// That the mail system has not given up.
    pub(super) trying: Phrases,
    /// That the returned letter begins.
    pub(super) copy: Phrases,
    /// What stands before addresses of others.
    pub(super) not_the_recipient: Vec<String>,
    /// What stands before another name of the address.
    pub(super) other_name: Vec<String>,
    /// What the subjects of automatic answers say.
    pub(super) automatic: Phrases,
}

/// A reason why a letter was not delivered.
pub(super) struct Reason {
    /// Its name in the file.
    pub(super) name: String,
    /// Whether the address is dead then.
    pub(super) class: Hardness,
    codes: Vec<String>,
    phrases: Phrases,
}

impl Known {
    /// The first reason that has a phrase in a folded text.
    pub(super) fn said(&'static self, folded: &str) -> Option<&'static Reason> {
        let text = Searched::of(folded);
        self.reasons.iter().find(|reason| reason.phrases.find(&text).is_some())
    }

    /// The reason that a status code gives by itself: whole codes before those with an `x`.
    pub(super) fn coded(&'static self, status: MailStatus) -> Option<&'static Reason> {
        let whole = status.to_string();
        let wide = format!("{}.{}.x", status.class, status.subject);
        [whole, wide].iter().find_map(|code| self.reasons.iter().find(|reason| reason.codes.contains(code)))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    reason: Vec<ReasonEntry>,
    notice: Notice,
    automatic: Automatic,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonEntry {
    name: String,
    class: Class,
    codes: Vec<String>,
    phrases: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Class {
    Hard,
    Soft,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Notice {
    authors: Vec<String>,
    subjects: Vec<String>,
    texts: Vec<String>,
    trying: Vec<String>,
    copy: Vec<String>,
    not_the_recipient: Vec<String>,
    other_name: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Automatic {
    subjects: Vec<String>,
}

/// What the program ships with.
pub(super) static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("../../../templates/mail/answers.toml"))
        .expect("templates/mail/answers.toml is read by a test");
    let reasons = file.reason.into_iter().map(|entry| Reason {
        name: entry.name,
        class: match entry.class {
            Class::Hard => Hardness::Hard,
            Class::Soft => Hardness::Soft,
        },
        codes: entry.codes,
        phrases: phrases(&entry.phrases),
    });
    Known {
        reasons: reasons.collect(),
        authors: phrases(&file.notice.authors),
        subjects: phrases(&file.notice.subjects),
        texts: phrases(&file.notice.texts),
        trying: phrases(&file.notice.trying),
        copy: phrases(&file.notice.copy),
        not_the_recipient: file.notice.not_the_recipient,
        other_name: file.notice.other_name,
        automatic: phrases(&file.automatic.subjects),
    }
});

fn phrases(written: &[String]) -> Phrases {
    Phrases(written.iter().filter_map(|text| Phrase::parse(text, None)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::words::fold;

    #[test]
    fn words_say_whether_an_address_is_dead() {
        for (text, reason) in [
            ("550 5.1.1 <a@b.example>... User unknown", "no_such_address"),
            ("550 5.1.1 The email account that you tried to reach does not exist.", "no_such_address"),
            ("550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "no_such_address"),
            ("554 5.7.1 Client host rejected: blocked using zen.spamhaus.example", "refused_by_policy"),
            ("550 5.7.1 Relaying denied", "refused_by_policy"),
            ("452 4.2.2 The email account that you tried to reach is over quota", "mailbox_full"),
            ("552 5.2.2 This mailbox has exceeded its storage limit", "mailbox_full"),
            ("451 4.7.1 Greylisting in action, please come back later", "trouble_on_the_way"),
            ("550 5.2.1 The email account that you tried to reach is disabled", "address_closed"),
            (
                "Host or domain name not found. Name service error for name=b.example type=A: Host not found",
                "no_such_domain",
            ),
            ("Die E-Mail-Adresse wurde nicht gefunden", "no_such_address"),
            ("Das Postfach des Empf\u{e4}ngers ist voll", "mailbox_full"),
            ("Have a nice day", ""),
        ] {
            assert_eq!(
                KNOWN.said(&fold(text)).map(|reason| reason.name.as_str()).unwrap_or_default(),
                reason,
                "{text}"
            );
        }
    }

    #[test]
    fn codes_say_it_without_words_and_whole_ones_before_wide_ones() {
        for (code, reason) in [
            ("5.1.1", "no_such_address"),
            ("5.1.2", "no_such_domain"),
            ("5.1.8", "refused_by_policy"),
            ("5.2.1", "address_closed"),
            ("5.2.2", "mailbox_full"),
            ("5.4.4", "no_such_domain"),
            ("5.4.6", "trouble_on_the_way"),
            ("5.7.26", "refused_by_policy"),
            ("4.4.7", "trouble_on_the_way"),
            ("5.0.0", ""),
            ("5.5.0", ""),
        ] {
            let status = code.parse().expect("a code");
            assert_eq!(KNOWN.coded(status).map(|reason| reason.name.as_str()).unwrap_or_default(), reason, "{code}");
        }
    }
}
