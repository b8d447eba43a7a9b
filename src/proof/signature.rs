//! What a signature says of itself, before anybody asks whether it holds.

use mail_auth::common::crypto::Algorithm;
use mail_auth::{arc, dkim};

use super::section::Section;
use crate::domain::trust::{Checked, DkimSeen, MATTERS};
use crate::domain::{Timestamp, clean};

/// Longest domain of the DNS, in characters (RFC 1035, section 2.3.4).
const DOMAIN: usize = 255;

/// The tags that matter here, of a DKIM-Signature or an ARC-Message-Signature.
struct Tags<'s> {
    domain: &'s str,
    selector: &'s str,
    algorithm: Algorithm,
    signature: &'s [u8],
    fields: &'s [String],
    made_at: u64,
    expires_at: u64,
    length: u64,
}

/// The library has two types for them, alike in these fields.
macro_rules! tags_of {
    ($signature:expr) => {
        Tags {
            domain: &$signature.d,
            selector: &$signature.s,
            algorithm: $signature.a,
            signature: &$signature.b,
            fields: &$signature.h,
            made_at: $signature.t,
            expires_at: $signature.x,
            length: $signature.l,
        }
    };
}

/// What a DKIM-Signature field says. `value` is the field as it stands in the mail.
pub(super) fn of_dkim(signature: &dkim::Signature, value: &[u8], section: &Section<'_>) -> DkimSeen {
    seen(&tags_of!(signature), value, section)
}

/// The same for the signature of a mail server on the way (RFC 8617, section 4.1.2).
pub(super) fn of_arc(signature: &arc::Signature, value: &[u8], section: &Section<'_>) -> DkimSeen {
    seen(&tags_of!(signature), value, section)
}

fn seen(tags: &Tags<'_>, value: &[u8], section: &Section<'_>) -> DkimSeen {
    // A field that is there twice and named once is signed once, the lower one; so all of them must be named (RFC 6376, 5.4.2).
    let covered = |name: &str| {
        let named = tags.fields.iter().filter(|field| field.trim().eq_ignore_ascii_case(name)).count();
        section.named(name).count() <= named
    };
    let made_at = (tags.made_at > 0).then(|| instant(tags.made_at));
    let bits = u32::try_from(tags.signature.len() * 8).unwrap_or(u32::MAX);
    DkimSeen {
        domain: clean(tags.domain, DOMAIN),
        selector: clean(tags.selector, DOMAIN),
        checked: Checked::Unasked,
        broken: None,
        unsigned: MATTERS.into_iter().filter(|name| !covered(name)).map(str::to_owned).collect(),
        // mail-auth 0.13.3 takes `l=0` for no `l=` at all.
        partial_body: tags.length > 0 || has_tag(value, b"l"),
        signed_at: made_at.or_else(|| section.date().filter(|_| covered("Date"))),
        expires_at: (tags.expires_at > 0).then(|| instant(tags.expires_at)),
        sha1: tags.algorithm == Algorithm::RsaSha1,
        // An RSA signature is as long as its key; the library tells nothing of the key.
        rsa_bits: (tags.algorithm != Algorithm::Ed25519Sha256).then_some(bits),
    }
}

fn instant(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Whether a list of tags (RFC 6376, section 3.2) has this one.
fn has_tag(value: &[u8], tag: &[u8]) -> bool {
    value.split(|byte| *byte == b';').any(|spec| {
        let name = spec.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(tag) && spec.contains(&b'=')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tags: &str, fields: &str) -> DkimSeen {
        let value = format!(" v=1; a=rsa-sha256; d=shop.example; s=s1; bh=AAAA; b=AAAA; {tags}\r\n");
        let signature = dkim::Signature::parse(value.as_bytes()).unwrap();
        of_dkim(&signature, value.as_bytes(), &Section::of(fields.as_bytes()).unwrap())
    }

    const FIELDS: &str = "From: a@shop.example\r\nTo: b@example.org\r\nSubject: x\r\n";

    #[test]
    fn every_field_that_matters_must_be_named_as_often_as_it_is_there() {
        for (fields, h, unsigned) in [
            (FIELDS.to_owned(), "from:to:subject", vec![]),
            (FIELDS.to_owned(), "From : To : Subject : to", vec![]),
            (FIELDS.to_owned(), "from:subject", vec!["To"]),
            (FIELDS.to_owned(), "to", vec!["From", "Subject"]),
            (format!("To: victim@example.net\r\n{FIELDS}"), "from:to:subject", vec!["To"]),
            (format!("To: victim@example.net\r\n{FIELDS}"), "from:to:subject:to", vec![]),
            (format!("Reply-To: c@example.org\r\n{FIELDS}"), "from:to:subject", vec!["Reply-To"]),
            (FIELDS.replace("To:", "X:"), "from:subject", vec![]),
        ] {
            assert_eq!(of(&format!("h={h}"), &fields).unsigned, unsigned, "{h}");
        }
    }

    #[test]
    fn a_length_is_seen_even_where_it_is_nought() {
        for (tags, partial) in [
            ("h=from", false),
            ("h=from; l=12", true),
            ("h=from; l=0", true),
            ("h=from; l = 0", true),
            ("h=from; z=l", false),
        ] {
            assert_eq!(of(tags, FIELDS).partial_body, partial, "{tags}");
        }
    }

    #[test]
    fn a_signature_was_made_when_it_says_so_or_when_the_date_that_it_covers_says() {
        let dated = format!("Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n{FIELDS}");
        let at = Timestamp::from_seconds;
        for (tags, made_at) in [
            ("h=from:date; t=1795000000", Some(at(1_795_000_000))),
            ("h=from:date", Some(at(1_795_251_600))),
            ("h=from", None),
            ("h=from:date; t=soon", Some(at(1_795_251_600))),
        ] {
            assert_eq!(of(tags, &dated).signed_at, made_at, "{tags}");
        }
        assert_eq!(of("h=from; x=1795000000", &dated).expires_at, Some(at(1_795_000_000)));
    }
}
