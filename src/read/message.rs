//! A mail as the reader sees it: bounded before the MIME parser gets a byte, decoded, every address and text checked. Nothing
//! here knows about orders.

use std::borrow::Cow;
use std::panic::catch_unwind;

use jiff::fmt::rfc2822::DateTimeParser;
use mail_parser::{Address, HeaderName, MessageParser, MimeHeaders, PartType};

use super::evidence::{Evidence, is_unfilled};
use super::{bounds, repair};
use crate::domain::{EmailAddress, Layer, Timestamp, clean};

/// Longest subject that is looked at, in characters.
const SUBJECT: usize = 998;
/// Longest value of any other header field that is looked at, in characters.
const HEADER: usize = 2_000;
/// Most addresses that are taken from one header field.
const ADDRESSES: usize = 50;

/// The start of the year 2000: no program that sends order mails by email is older, so a clock that says less is wrong.
const EARLIEST: Timestamp = Timestamp::from_seconds(946_684_800);

/// Somebody in a header field.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// The display name, cleaned; `None` when there is none or it only repeats the address.
    pub(super) name: Option<String>,
    /// The address.
    pub(super) email: EmailAddress,
}

/// The view of a mail.
pub(super) struct Message {
    headers: Vec<(String, String)>,
    /// The one author.
    pub(super) from: Mailbox,
    /// The addressees in `To:` that are valid.
    pub(super) to: Vec<Mailbox>,
    /// The addresses in `Cc:` that are valid.
    pub(super) cc: Vec<Mailbox>,
    /// The addresses in `Bcc:` that are valid; most mail servers take that field out.
    pub(super) bcc: Vec<Mailbox>,
    /// The addresses in `Reply-To:` that are valid.
    pub(super) reply_to: Vec<Mailbox>,
    /// Who sent the mail on as it was (`Resent-From:`, RFC 5322, section 3.6.6); its `To:` is that of the first sending.
    pub(super) resent_from: Vec<Mailbox>,
    /// The subject, decoded and cleaned.
    pub(super) subject: String,
    /// When it was sent, by the one `Date:` field that a mail has (RFC 5322, section 3.6.1).
    pub(super) sent_at: Option<Timestamp>,
    /// The day of `Date:`, as the sender's clock had it.
    pub(super) day: Option<jiff::civil::Date>,
    /// All HTML bodies, one after the other.
    pub(super) html: String,
    /// All plain text bodies.
    pub(super) text: String,
    /// A mail that was attached, as a forwarding person's program does.
    pub(super) attached: Option<Vec<u8>>,
    /// What was wrong with the mail and was read all the same: the rule, and in words.
    remarks: Vec<(&'static str, String)>,
}

impl Message {
    /// Takes a mail apart, or says in words why it is set aside.
    pub(super) fn parse(mail: &[u8]) -> Result<Self, String> {
        bounds::check(mail)?;
        let mut remarks = Vec::new();
        let mail = repair::header_section(mail, &mut remarks);
        // mail-parser 0.11.9 panics on some broken multiparts ("Invalid part ID"); that costs the mail, and nothing else.
        let parsed = catch_unwind(|| MessageParser::default().parse(mail.as_ref()))
            .map_err(|_| "the MIME parser failed on it")?
            .ok_or("it has no header section")?;
        let froms = parsed.headers().iter().filter(|field| field.name == HeaderName::From).count();
        if froms != 1 {
            return Err(format!("it has {froms} From fields, and a mail has exactly one (RFC 5322, section 3.6)"));
        }
        let mut authors = mailboxes("From", parsed.from().into_iter(), &mut remarks);
        if authors.len() != 1 {
            return Err(format!("From holds {} usable addresses instead of one", authors.len()));
        }
        let from = authors.swap_remove(0);
        let (to, cc, bcc) = (
            mailboxes("To", parsed.all_to(), &mut remarks),
            mailboxes("Cc", parsed.all_cc(), &mut remarks),
            mailboxes("Bcc", parsed.all_bcc(), &mut remarks),
        );
        let reply_to = mailboxes("Reply-To", parsed.reply_to().into_iter(), &mut remarks);
        let resent_from = mailboxes("Resent-From", parsed.resent_from().into_iter(), &mut remarks);
        let subject = parsed.subject().unwrap_or_default();
        if subject.chars().nth(SUBJECT).is_some() {
            remarks
                .push(("subject", format!("the subject is longer than {SUBJECT} characters; the rest was not read")));
        }
        if subject.contains('\u{FFFD}') {
            remarks.push(("subject", "the subject has bytes that are no characters of its charset".to_owned()));
        }
        let (html, text) = (bodies(&parsed, &mail, true, &mut remarks), bodies(&parsed, &mail, false, &mut remarks));
        let headers = parsed
            .headers_raw()
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), clean(value, HEADER)))
            .collect::<Vec<_>>();
        let day = parsed.date().and_then(|date| {
            let (month, day) = (i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
            jiff::civil::Date::new(i16::try_from(date.year).ok()?, month, day).ok()
        });
        Ok(Self {
            sent_at: sent_at(&headers),
            headers,
            from,
            to,
            cc,
            bcc,
            reply_to,
            resent_from,
            subject: clean(subject, SUBJECT),
            day,
            html,
            text,
            remarks,
            attached: parsed.parts.iter().find_map(|part| match &part.body {
                PartType::Message(inner) => Some(inner.raw_message().to_vec()).filter(|raw| !raw.is_empty()),
                _ => None,
            }),
        })
    }

    /// All header fields, the names in lower case.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Notes what was wrong with the mail and was read all the same.
    pub(super) fn note_remarks(&self, evidence: &mut Evidence) {
        for (rule, what) in self.remarks.iter().take(20) {
            evidence.remark(Layer::Mail, *rule, what.as_str());
        }
        evidence.note_unfilled_in("subject", &self.subject);
    }

    /// The values of a header field, in the order of the mail; the name in lower case.
    pub(super) fn header<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The instant of the only `Date:` field, when it is one by RFC 5322 (section 3.3) and makes sense.
fn sent_at(headers: &[(String, String)]) -> Option<Timestamp> {
    static DATES: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    let mut dates = headers.iter().filter(|(name, _)| name == "date").map(|(_, value)| value);
    let (Some(date), None) = (dates.next(), dates.next()) else { return None };
    let sent = Timestamp::from(DATES.parse_timestamp(date).ok()?);
    (sent >= EARLIEST).then_some(sent)
}

/// The valid mailboxes of address fields; groups are opened.
fn mailboxes<'m>(
    name: &str,
    fields: impl Iterator<Item = &'m Address<'m>>,
    remarks: &mut Vec<(&'static str, String)>,
) -> Vec<Mailbox> {
    let mut found: Vec<Mailbox> = Vec::new();
    for (at, addr) in fields.flat_map(|field| field.iter()).enumerate() {
        if at == ADDRESSES {
            remarks.push(("address", format!("{name} has more than {ADDRESSES} addresses; the rest was not read")));
            break;
        }
        let Some(written) = addr.address() else { continue };
        let Ok(email) = EmailAddress::parse(written) else {
            remarks.push(("address", format!("{name} has what is no mail address: {}", clean(written, 80))));
            continue;
        };
        if found.iter().any(|known| known.email.key() == email.key()) {
            continue;
        }
        let name = addr.name().and_then(display_name).filter(|written| {
            let unfilled = is_unfilled(written);
            if unfilled {
                remarks
                    .push(("name", format!("{name} has an unfilled placeholder for a name: {}", clean(written, 80))));
            }
            !unfilled
        });
        found.push(Mailbox { name, email });
    }
    found
}

/// A display name, cleaned: without the quotes of Outlook, without the list or the shop that sent the mail on (`Bo via Shop`).
pub(super) fn display_name(name: &str) -> Option<String> {
    let name = clean(name, 100);
    let name = name.split(" via ").next().unwrap_or_default().trim();
    let quoted = |quote: char| name.strip_prefix(quote)?.strip_suffix(quote);
    let name = quoted('\'').or_else(|| quoted('"')).unwrap_or(name).trim();
    (!name.is_empty() && !name.contains('@')).then(|| name.to_owned())
}

/// The bodies of one kind, attachments left out.
fn bodies(
    message: &mail_parser::Message<'_>,
    mail: &[u8],
    html: bool,
    remarks: &mut Vec<(&'static str, String)>,
) -> String {
    let mut all = String::new();
    for part in &message.parts {
        let text: &Cow<'_, str> = match &part.body {
            PartType::Html(text) if html => text,
            PartType::Text(text) if !html => text,
            _ => continue,
        };
        let attachment = part.content_disposition().is_some_and(|disposition| disposition.is_attachment());
        let plain = html
            || part.content_type().is_none_or(|kind| kind.subtype().is_none_or(|s| s.eq_ignore_ascii_case("plain")));
        if attachment || !plain {
            continue;
        }
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(&repair::body(part, mail, text, remarks));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(fields: &str, body: &[u8]) -> Message {
        let mail = [format!("From: Shop <shop@shop.example>\r\n{fields}\r\n\r\n").as_bytes(), body].concat();
        Message::parse(&mail).unwrap()
    }

    #[test]
    fn names_and_addresses_are_read_in_every_spelling() {
        for (to, expected) in [
            ("Bo Ek <bo@example.org>", "Bo Ek/bo@example.org"),
            ("\"Ek, Bo\" <bo@example.org>", "Ek, Bo/bo@example.org"),
            ("'Bo Ek' <bo@example.org>", "Bo Ek/bo@example.org"),
            ("\"'Bo Ek'\" <bo@example.org>", "Bo Ek/bo@example.org"),
            ("'bo@example.org' <bo@example.org>", "-/bo@example.org"),
            ("\"Bo Ek via Lamp Shop\" <bo@example.org>", "Bo Ek/bo@example.org"),
            ("\"bo.ek\"@example.org", ""),
            ("\"bo ek\"@example.org", ""),
            (
                "=?utf-8?Q?J=C3=BCrgen?= <j\u{fc}rgen@b\u{fc}cher.example>",
                "J\u{fc}rgen/j\u{fc}rgen@xn--bcher-kva.example",
            ),
            (
                "\u{7530}\u{4e2d} <\u{7530}\u{4e2d}@\u{4f8b}\u{3048}.example>",
                "\u{7530}\u{4e2d}/\u{7530}\u{4e2d}@xn--r8jz45g.example",
            ),
            ("Customers: bo@example.org, al@example.net;", "-/bo@example.org -/al@example.net"),
            ("undisclosed-recipients:;", ""),
            ("bo@example.org (Bo Ek)", "Bo Ek/bo@example.org"),
            ("o'malley+tag@example.ie", "-/o'malley+tag@example.ie"),
        ] {
            let message = parse(&format!("To: {to}\r\nSubject: x"), b"");
            let shown = message.to.iter().map(|one| format!("{}/{}", one.name.as_deref().unwrap_or("-"), one.email));
            assert_eq!(shown.collect::<Vec<_>>().join(" "), expected, "{to}");
        }
    }

    /// Nothing is unpacked either: the reader has no means to.
    #[test]
    fn attachments_are_left_out() {
        let part = |kind: &str, text: &str| format!("--b\r\nContent-Type: {kind}\r\n\r\n{text}\r\n");
        let attached = |kind: &str| part(&format!("{kind}\r\nContent-Disposition: attachment; filename=x"), "hidden");
        let body = [
            part("text/plain", "shown"),
            attached("text/plain"),
            attached("text/html"),
            attached("application/zip"),
            part("application/gzip", "hidden"),
            part("text/csv", "hidden"),
            "--b--\r\n".to_owned(),
        ];
        let message = parse(
            "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b",
            body.concat().as_bytes(),
        );
        assert_eq!((message.html.trim(), message.text.trim()), ("", "shown"));
    }

    #[test]
    fn when_a_mail_was_sent_is_told_by_its_one_date() {
        for (fields, sent) in [
            ("Date: Tue, 05 May 2026 10:17:13 +0200", Some("2026-05-05T08:17:13Z")),
            ("Date: Mon, 5 May 2026 10:17 GMT (the day of the week is wrong)", Some("2026-05-05T10:17:00Z")),
            ("Date: Tue,\r\n 05 May 2026 10:17:13 -0000", Some("2026-05-05T10:17:13Z")),
            ("Date: 2026-05-05T10:17:13Z", None),
            ("Date: Thu, 01 Jan 1970 00:00:00 +0000", None),
            ("Date: Tue, 05 May 2026 10:17:13 +0200\r\nDate: Tue, 05 May 2026 10:17:13 +0200", None),
            ("Date: yesterday", None),
            ("Subject: x", None),
        ] {
            assert_eq!(parse(fields, b"").sent_at.map(|sent| sent.to_string()).as_deref(), sent, "{fields}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_mail_that_can_be_read_is_said() {
        let long = format!("To: {}\r\nSubject: x", "a@b.example,".repeat(ADDRESSES + 1));
        let subject = format!("Subject: {}", "x".repeat(SUBJECT + 1));
        let typed = |kind: &str| format!("Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; {kind}");
        let base64 = typed("charset=utf-8\r\nContent-Transfer-Encoding: base64");
        let quoted = typed("charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable");
        for (fields, body, remark) in [
            ("Subject: x", &b"Hello"[..], ""),
            (&typed("charset=utf-8"), "Hall\u{e5}".as_bytes(), ""),
            (&typed("charset=iso-8859-1"), b"Hall\xe5", ""),
            (&quoted, b"Hall=C3=A5=\r\n!", ""),
            (&base64, b"SGVsbG8=", ""),
            (&typed("charset=x-klingon"), "Hall\u{e5}".as_bytes(), "the charset x-klingon, which is unknown"),
            (&typed("charset=utf-7"), b"Hi +AGE-", "UTF-7"),
            (&typed("charset=iso-8859-1"), "Hall\u{e5}".as_bytes(), "not in iso-8859-1, as it says"),
            (&typed("charset=utf-8"), b"Hall\xe5", "not in utf-8, as it says"),
            (&base64, b"SGV!!!sbG8", "base64"),
            (&quoted, b"Hall=C3=ZZ", "quoted-printable"),
            ("To: bo ek@@example\r\nSubject: x", b"", "To has what is no mail address"),
            (
                "To: \"{{ name }}\" <bo@example.org>\r\nSubject: x",
                b"",
                "To has an unfilled placeholder for a name: {{ name }}",
            ),
            ("Subject: Order {{ number }}", b"", "the subject has an unfilled placeholder: {{ number }}"),
            (
                &typed("charset=utf-8"),
                b"<p class=3D\"x\">Hall=C3=A5=\r\n</p>",
                "a part is quoted-printable and does not say so",
            ),
            ("Subject: Hall\u{e5}", b"", ""),
            (&long, b"", "To has more than 50 addresses"),
            (&subject, b"", "the subject is longer than 998 characters"),
        ] {
            let mut evidence = Evidence::default();
            parse(fields, body).note_remarks(&mut evidence);
            let found =
                evidence.into_findings(&[]).into_iter().map(|finding| finding.value).collect::<Vec<_>>().join("; ");
            assert_eq!(found.is_empty(), remark.is_empty(), "{fields}: {found}");
            assert!(found.contains(remark), "{fields}: {found}");
        }
    }
}
