//! The rules of proof, case by case: what proves, what does not, and what is looked at again.

use std::time::Duration;

use super::*;
use crate::domain::{Handed, Timestamp, Way, kind_of_reason};

const NOW: Timestamp = Timestamp::from_seconds(1_795_251_600);
const HOUR: i64 = 3600;

fn list(domains: &[&str]) -> Vec<ListedDomain> {
    domains.iter().map(|domain| ListedDomain::parse(domain).unwrap()).collect()
}

fn handed() -> Handed {
    Handed { client: Some("192.0.2.25".parse().unwrap()), ..Handed::default() }
}

fn evidence() -> Evidence {
    Evidence::of_door(&handed(), "order@shop.example", Author::One { domain: "shop.example".to_owned() })
}

fn signature() -> DkimSeen {
    DkimSeen {
        domain: "shop.example".to_owned(),
        selector: "s1".to_owned(),
        checked: Checked::Pass,
        broken: None,
        unsigned: Vec::new(),
        partial_body: false,
        signed_at: Some(seconds_ago(HOUR)),
        expires_at: None,
        sha1: false,
        rsa_bits: Some(2048),
    }
}

fn seconds_ago(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 - seconds * 1000)
}

/// What is left of a verdict for a table.
fn said(evidence: &Evidence, rules: &TrustRules) -> String {
    match judge(evidence, rules, NOW) {
        Verdict::Trusted { by } => by.as_str().to_owned(),
        Verdict::Held { why } => format!("held: {}", why),
        Verdict::Unsure { why } => format!("unsure: {}", why),
        Verdict::NewSender { mark } => format!("new: {mark}"),
    }
}

fn strict() -> TrustRules {
    TrustRules { address: NewSenders::Refuse, ..TrustRules::default() }
}

#[test]
fn the_address_alone_is_worth_what_the_shop_says() {
    for (address, says) in [
        (NewSenders::Hold, "new: shop.example 192.0.2.0/24"),
        (NewSenders::Accept, "address"),
        (
            NewSenders::Refuse,
            "held: the shop's rules name nothing that would prove it (write a proof into [shop.trust])",
        ),
    ] {
        assert_eq!(said(&evidence(), &TrustRules { address, ..TrustRules::default() }), says);
    }
}

#[test]
fn logins_certificates_and_networks_prove_only_what_is_listed() {
    let digest = "ab".repeat(32);
    let rules = |logins: bool, certificates: bool, networks: bool| TrustRules {
        logins: if logins { vec!["shop".to_owned()] } else { Vec::new() },
        certificates: if certificates { vec![digest.clone()] } else { Vec::new() },
        networks: if networks {
            vec!["192.0.2.0/28".parse().unwrap(), "2001:db8::/32".parse().unwrap()]
        } else {
            Vec::new()
        },
        ..strict()
    };
    let seen = |user: Option<&str>, certificate: Option<&str>, client: &str, way: Way| {
        let handed = Handed {
            way,
            client: client.parse().ok(),
            user: user.map(str::to_owned),
            certificate: certificate.map(str::to_owned),
            ..Handed::default()
        };
        Evidence::of_door(&handed, "", Author::Unclear)
    };
    for (evidence, rules, says) in [
        (seen(Some("shop"), None, "198.51.100.1", Way::Submission), rules(true, false, false), "login"),
        (
            seen(Some("Shop"), None, "198.51.100.1", Way::Submission),
            rules(true, false, false),
            "held: its client logged in as a user who is not the shop's",
        ),
        (
            seen(None, None, "198.51.100.1", Way::Submission),
            rules(true, false, false),
            "held: its client did not log in",
        ),
        (seen(None, Some(&digest), "198.51.100.1", Way::Smtp), rules(false, true, false), "certificate"),
        (
            seen(None, Some(&"cd".repeat(32)), "198.51.100.1", Way::Smtp),
            rules(false, true, false),
            "held: its client's certificate is not the shop's",
        ),
        (seen(None, None, "192.0.2.3", Way::Smtp), rules(false, true, false), "held: its client showed no certificate"),
        (seen(None, None, "192.0.2.3", Way::Smtp), rules(false, false, true), "network"),
        (seen(None, None, "::ffff:192.0.2.3", Way::Smtp), rules(false, false, true), "network"),
        (seen(None, None, "2001:db8:1::1", Way::Submission), rules(false, false, true), "network"),
        (
            seen(None, None, "192.0.2.16", Way::Smtp),
            rules(false, false, true),
            "held: its client \"192.0.2.16\" is in none of the shop's networks",
        ),
        (
            seen(None, None, "192.0.2.3", Way::Lmtp),
            rules(false, false, true),
            "held: which client sent it is not known",
        ),
        // Any method that proves is enough.
        (seen(None, None, "192.0.2.3", Way::Smtp), rules(true, true, true), "network"),
        (
            seen(None, None, "", Way::Lmtp),
            rules(true, true, false),
            "held: its client did not log in; its client showed no certificate",
        ),
    ] {
        assert_eq!(said(&evidence, &rules), says);
    }
}

#[test]
fn a_person_who_imports_is_believed_and_a_pipe_only_where_the_shop_says_so() {
    let by = |way| Evidence::of_door(&Handed { way, ..Handed::default() }, "", Author::Unclear);
    assert_eq!(said(&by(Way::Import), &strict()), "import");
    assert_eq!(said(&by(Way::Pipe), &TrustRules { pipe: true, ..strict() }), "pipe");
    assert_eq!(said(&by(Way::Lmtp), &TrustRules { pipe: true, ..strict() }), "held: it did not come by the pipe");
    assert_eq!(said(&by(Way::Pipe), &TrustRules::default()), "new: no-domain pipe");
}

#[test]
fn a_signature_proves_only_when_it_is_sound_fresh_and_the_authors() {
    let rules = TrustRules { dkim: list(&["shop.example"]), ..strict() };
    let of = |change: &dyn Fn(&mut DkimSeen)| {
        let mut signature = signature();
        change(&mut signature);
        Evidence { dkim: vec![signature], ..evidence() }
    };
    for (evidence, says) in [
        (of(&|_| {}), "dkim"),
        (of(&|s| s.rsa_bits = None), "dkim"),
        (of(&|s| s.rsa_bits = Some(1024)), "dkim"),
        (of(&|s| s.expires_at = Some(seconds_ago(-1))), "dkim"),
        (of(&|s| s.signed_at = Some(seconds_ago(72 * HOUR))), "dkim"),
        (of(&|s| s.signed_at = Some(seconds_ago(-14 * HOUR))), "dkim"),
        (of(&|s| s.domain = "SHOP.example".to_owned()), "dkim"),
        (of(&|s| s.checked = Checked::Fail), "held: the signature of \"shop.example\" does not hold"),
        (
            of(&|s| (s.checked, s.broken) = (Checked::Fail, Some(Broken::Body))),
            "held: the signature of \"shop.example\" does not hold, as the text was changed after it was signed (let nothing on the way add to it)",
        ),
        (
            of(&|s| (s.checked, s.broken) = (Checked::Fail, Some(Broken::Fields))),
            "held: the signature of \"shop.example\" does not hold, as a field that it covers was changed after it was signed, or the key \"s1._domainkey.shop.example\" is not the one that signed",
        ),
        (
            of(&|s| (s.checked, s.broken) = (Checked::Fail, Some(Broken::NoKey))),
            "held: the signature of \"shop.example\" does not hold, as the DNS has no key \"s1._domainkey.shop.example\" (publish it)",
        ),
        (
            of(&|s| (s.checked, s.broken) = (Checked::Fail, Some(Broken::Withdrawn))),
            "held: the signature of \"shop.example\" does not hold, as the key \"s1._domainkey.shop.example\" was withdrawn (sign with another)",
        ),
        (
            of(&|s| (s.checked, s.broken) = (Checked::Fail, Some(Broken::BadKey))),
            "held: the signature of \"shop.example\" does not hold, as the key \"s1._domainkey.shop.example\" cannot be read or is of another kind than the signature (publish it anew)",
        ),
        (
            of(&|s| s.unsigned = vec!["To".to_owned()]),
            "held: the signature of \"shop.example\" leaves out a field \"To\" (have it cover From, To, Subject and Reply-To, each as often as it is there)",
        ),
        (
            of(&|s| s.partial_body = true),
            "held: the signature of \"shop.example\" covers a part of the text only (sign without l=)",
        ),
        (of(&|s| s.sha1 = true), "held: the signature of \"shop.example\" is made with SHA-1 (sign with SHA-256)"),
        (
            of(&|s| s.rsa_bits = Some(1023)),
            "held: the signature of \"shop.example\" is made with a key of less than 1024 bits (take one of 2048)",
        ),
        (
            of(&|s| s.expires_at = Some(NOW)),
            "held: the signature of \"shop.example\" has expired by its x= (hand copies in at once)",
        ),
        (
            of(&|s| s.signed_at = None),
            "held: the signature of \"shop.example\" does not say when it was made (sign with t=, or cover Date)",
        ),
        (
            of(&|s| s.signed_at = Some(seconds_ago(72 * HOUR + 1))),
            "held: the signature of \"shop.example\" is older than the shop's max_age (hand copies in at once; an old one may be handed in again by others)",
        ),
        (
            of(&|s| s.signed_at = Some(seconds_ago(-25 * HOUR))),
            "held: the signature of \"shop.example\" is dated in the future (set the signer's clock)",
        ),
        (
            of(&|s| s.domain = "other.example".to_owned()),
            "held: no domain of the shop's list signed it, but \"other.example\" (have the shop's own domain sign it)",
        ),
        (
            of(&|s| s.domain = "mail.shop.example".to_owned()),
            "held: no domain of the shop's list signed it, but \"mail.shop.example\" (have the shop's own domain sign it)",
        ),
        (
            Evidence { author: Author::One { domain: "other.example".to_owned() }, ..of(&|_| {}) },
            "held: the signature of \"shop.example\" is of another domain than its author, \"other.example\" (sign with the author's domain)",
        ),
        (
            Evidence { author: Author::Unclear, ..of(&|_| {}) },
            "held: who wrote it is unclear: a mail has one From field with one address",
        ),
        (
            of(&|s| s.checked = Checked::TempError),
            "unsure: the signature of \"shop.example\" could not be checked, as DNS did not answer",
        ),
        (of(&|s| s.checked = Checked::Unasked), "unsure: the signature of \"shop.example\" was not checked"),
        (evidence(), "held: it has no signature (have the shop's domain sign it with DKIM)"),
    ] {
        assert_eq!(said(&evidence, &rules), says);
    }
}

#[test]
fn of_several_signatures_one_that_proves_is_enough_and_trouble_is_looked_at_again() {
    let rules = TrustRules { dkim: list(&["shop.example"]), ..strict() };
    let failed = DkimSeen { checked: Checked::Fail, ..signature() };
    let trouble = DkimSeen { checked: Checked::TempError, ..signature() };
    let foreign = DkimSeen { domain: "platform.example".to_owned(), ..signature() };
    for (dkim, starts) in [
        (vec![failed.clone(), trouble.clone(), signature()], "dkim"),
        (vec![trouble.clone(), failed.clone()], "unsure"),
        (vec![failed, foreign.clone()], "held"),
        (vec![foreign], "held"),
    ] {
        let says = said(&Evidence { dkim, ..evidence() }, &rules);
        assert!(says.starts_with(starts), "{says}");
    }
    let both = TrustRules { networks: vec!["192.0.2.0/24".parse().unwrap()], ..rules };
    assert_eq!(said(&Evidence { dkim: vec![trouble], ..evidence() }, &both), "network");
}

#[test]
fn spf_proves_only_a_listed_domain_of_the_author() {
    let rules = TrustRules { spf: list(&[".shop.example"]), ..strict() };
    let of =
        |domain: &str, checked| Evidence { spf: Some(SpfSeen { domain: domain.to_owned(), checked }), ..evidence() };
    let other_author = |author: &str| Evidence {
        author: Author::One { domain: author.to_owned() },
        ..of("shop.example", Checked::Pass)
    };
    for (evidence, says) in [
        (of("bounce.shop.example", Checked::Pass), "spf"),
        (
            of("bounce.shop.example", Checked::Fail),
            "held: the domain \"bounce.shop.example\" does not let its client send (SPF)",
        ),
        (
            of("platform.example", Checked::Pass),
            "held: its sender's domain \"platform.example\" is not in the shop's list",
        ),
        (other_author("victim.example"), "held: its author is of another domain than its sender"),
        (
            of("shop.example", Checked::TempError),
            "unsure: whether the domain \"shop.example\" lets its client send (SPF) could not be looked up",
        ),
        (evidence(), "unsure: its sender's domain was not asked (SPF)"),
        (
            Evidence { way: Way::Lmtp, client: None, ..evidence() },
            "held: which client sent it is not known, so SPF says nothing",
        ),
    ] {
        assert_eq!(said(&evidence, &rules), says);
    }
}

#[test]
fn dmarc_by_a_signature_asks_as_much_of_it_as_dkim_does() {
    let rules = TrustRules { dmarc: list(&["shop.example"]), ..strict() };
    let of = |by_spf, by_dkim, dkim: Vec<DkimSeen>| Evidence {
        dmarc: Some(DmarcSeen { by_spf, by_dkim }),
        dkim,
        ..evidence()
    };
    let no_to = DkimSeen { unsigned: vec!["To".to_owned()], ..signature() };
    let old = DkimSeen { signed_at: Some(seconds_ago(100 * HOUR)), ..signature() };
    for (evidence, says) in [
        (of(Checked::Pass, Checked::Fail, vec![]), "dmarc"),
        (of(Checked::Fail, Checked::Pass, vec![signature()]), "dmarc"),
        (
            of(Checked::Fail, Checked::Pass, vec![no_to]),
            "held: the signature of \"shop.example\" leaves out a field \"To\" (have it cover From, To, Subject and Reply-To, each as often as it is there)",
        ),
        (
            of(Checked::Fail, Checked::Pass, vec![old.clone()]),
            "held: the signature of \"shop.example\" is older than the shop's max_age (hand copies in at once; an old one may be handed in again by others)",
        ),
        // An old mail of the shop that somebody signs anew in another name.
        (
            of(
                Checked::Fail,
                Checked::Pass,
                vec![old.clone(), DkimSeen { domain: "forger.example".to_owned(), ..signature() }],
            ),
            "held: the signature of \"shop.example\" is older than the shop's max_age (hand copies in at once; an old one may be handed in again by others)",
        ),
        (
            of(Checked::Fail, Checked::Fail, vec![DkimSeen { checked: Checked::Fail, ..signature() }]),
            "held: neither SPF nor a signature proves its author's domain \"shop.example\" (DMARC)",
        ),
        (
            of(Checked::TempError, Checked::Fail, vec![]),
            "unsure: the policy of its author's domain \"shop.example\" could not be looked up (DMARC)",
        ),
        (
            Evidence {
                author: Author::One { domain: "victim.example".to_owned() },
                ..of(Checked::Pass, Checked::Pass, vec![signature()])
            },
            "held: its author's domain \"victim.example\" is not in the shop's list",
        ),
        (evidence(), "unsure: its author's domain was not asked (DMARC)"),
    ] {
        assert_eq!(said(&evidence, &rules), says);
    }
}

#[test]
fn a_trusted_sealer_replaces_a_signature_that_broke_but_nothing_that_it_never_covered() {
    let rules = TrustRules { dkim: list(&["shop.example"]), arc: list(&["sealer.example"]), ..strict() };
    let broken = DkimSeen { checked: Checked::Fail, ..signature() };
    let seal = ArcSeen {
        sealer: "sealer.example".to_owned(),
        checked: Checked::Pass,
        saw: vec!["shop.example".to_owned()],
        signature: DkimSeen { domain: "sealer.example".to_owned(), ..signature() },
    };
    let of = |change: &dyn Fn(&mut ArcSeen), dkim: DkimSeen| {
        let mut arc = seal.clone();
        change(&mut arc);
        Evidence { arc: Some(arc), dkim: vec![dkim], ..evidence() }
    };
    for (evidence, ends) in [
        (of(&|_| {}, broken.clone()), "arc"),
        (of(&|arc| arc.checked = Checked::Fail, broken.clone()), "the seal of \"sealer.example\" does not hold (ARC)"),
        (
            of(&|arc| arc.sealer = "forger.example".to_owned(), broken.clone()),
            "the seal of \"forger.example\" is none of those that the shop trusts (ARC)",
        ),
        (
            of(&|arc| arc.signature.domain = "forger.example".to_owned(), broken.clone()),
            "who sealed it and who signed it on the way are not the same: \"forger.example\" (ARC)",
        ),
        (
            of(&|arc| arc.saw = vec!["other.example".to_owned()], broken.clone()),
            "the mail server that sealed it saw no signature of the shop's list (ARC)",
        ),
        (
            of(&|arc| arc.signature.unsigned = vec!["To".to_owned()], broken.clone()),
            "the signature of \"sealer.example\" leaves out a field \"To\" (have it cover From, To, Subject and Reply-To, each as often as it is there) (ARC)",
        ),
        (
            of(&|_| {}, DkimSeen { unsigned: vec!["To".to_owned()], ..broken.clone() }),
            "the signature of \"shop.example\" leaves out a field \"To\" (have it cover From, To, Subject and Reply-To, each as often as it is there)",
        ),
        (
            of(&|_| {}, DkimSeen { domain: "other.example".to_owned(), ..broken.clone() }),
            "the signature of \"shop.example\" was taken out on the way (ARC)",
        ),
        (
            of(&|arc| arc.checked = Checked::TempError, broken),
            "the seal of \"sealer.example\" could not be checked (ARC)",
        ),
    ] {
        let says = said(&evidence, &rules);
        assert!(says.ends_with(ends), "{says}");
    }
}

#[test]
fn a_senders_mark_is_its_domain_and_its_network() {
    for (way, client, mail_from, author, mark) in [
        (Way::Smtp, "192.0.2.77", "a@Shop.example", "x.example", "shop.example 192.0.2.0/24"),
        (Way::Smtp, "::ffff:192.0.2.77", "a@shop.example", "", "shop.example 192.0.2.0/24"),
        (Way::Submission, "2001:db8:1:2::9", "a@shop.example", "", "shop.example 2001:db8:1::/48"),
        (Way::Smtp, "192.0.2.77", "", "author.example", "author.example 192.0.2.0/24"),
        (Way::Smtp, "192.0.2.77", "", "", "no-domain 192.0.2.0/24"),
        (Way::Smtp, "192.0.2.77", "a@[192.0.2.1]", "author.example", "no-domain 192.0.2.0/24"),
        (Way::Lmtp, "127.0.0.1", "a@shop.example", "", "shop.example lmtp"),
        (Way::Pipe, "", "a@shop.example", "", "shop.example pipe"),
    ] {
        let handed = Handed { way, client: client.parse().ok(), ..Handed::default() };
        assert_eq!(sender_mark(&handed, mail_from, author), mark);
        assert_eq!(parse_mark(mark).as_deref(), Some(mark), "what the list shows can be written");
    }
}

#[test]
fn senders_behind_a_mail_server_of_this_machine_are_known_by_their_mark() {
    for (way, client, is_here) in [
        (Way::Smtp, Some("127.0.0.1"), true),
        (Way::Submission, Some("::1"), true),
        (Way::Lmtp, None, true),
        (Way::Pipe, None, true),
        (Way::Smtp, Some("127.1.2.3"), true),
        (Way::Smtp, Some("192.0.2.25"), false),
        (Way::Smtp, Some("2001:db8::1"), false),
    ] {
        let handed = Handed { way, client: client.map(|client| client.parse().unwrap()), ..Handed::default() };
        let mark = sender_mark(&handed, "orders@shop.example", "shop.example");
        assert_eq!(comes_from_this_machine(&mark), is_here, "{mark}");
    }
}

#[test]
fn a_mark_is_taken_as_people_write_it_and_nothing_else_is_one() {
    for (written, mark) in [
        (" Shop.example   192.0.2.7 ", Some("shop.example 192.0.2.0/24")),
        ("shop.example 192.0.2.7/32", Some("shop.example 192.0.2.0/24")),
        ("shop.example 2001:db8:17:1::25", Some("shop.example 2001:db8:17::/48")),
        ("shop.example LMTP", Some("shop.example lmtp")),
        ("shop.example 192.0.0.0/16", None),
        ("shop.example ::/0", None),
        ("shop.example", None),
        ("shop.example 192.0.2", None),
        ("orders@shop.example 192.0.2.0/24", None),
        ("shop.example 192.0.2.0/24 lmtp", None),
        ("", None),
    ] {
        assert_eq!(parse_mark(written).as_deref(), mark, "{written:?}");
    }
}

#[test]
fn digests_are_read_with_colons_and_without() {
    let plain = "0a".repeat(32);
    let colons = ["0A"; 32].join(":");
    assert_eq!(listed_digest(&colons), Some(plain.clone()));
    assert_eq!(listed_digest(&plain), Some(plain.clone()));
    assert_eq!(listed_digest(&plain[..62]), None);
    assert_eq!(listed_digest(&format!("{}zz", &plain[..62])), None);
}

#[test]
fn evidence_is_kept_as_json_and_leaves_out_what_was_not_seen() {
    let bare = serde_json::to_string(&evidence()).unwrap();
    assert_eq!(
        bare,
        r#"{"way":"smtp","client":"192.0.2.25","mark":"shop.example 192.0.2.0/24","author":{"one":{"domain":"shop.example"}}}"#
    );
    let full = Evidence {
        dkim: vec![signature()],
        spf: Some(SpfSeen { domain: "shop.example".to_owned(), checked: Checked::TempError }),
        dmarc: Some(DmarcSeen { by_spf: Checked::Fail, by_dkim: Checked::Pass }),
        arc: Some(ArcSeen {
            sealer: "sealer.example".to_owned(),
            checked: Checked::Pass,
            saw: vec!["shop.example".to_owned()],
            signature: signature(),
        }),
        ..evidence()
    };
    for evidence in [evidence(), full] {
        let json = serde_json::to_string(&evidence).unwrap();
        assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), evidence);
    }
}

#[test]
fn reasons_of_one_kind_are_counted_as_one_whatever_domain_they_name() {
    let why = |domain: &str| {
        let rules = TrustRules { dkim: list(&[domain]), ..strict() };
        let dkim = vec![DkimSeen { domain: domain.to_owned(), checked: Checked::Fail, ..signature() }];
        kind_of_reason(&said(&Evidence { dkim, ..evidence() }, &rules))
    };
    assert_eq!(why("shop.example"), why("other-shop.example"));
    assert_eq!(why("shop.example"), "held: the signature of \u{2026} does not hold");
}

#[test]
fn the_age_that_a_signature_may_have_is_the_shops() {
    let rules =
        |max_age| TrustRules { dkim: list(&["shop.example"]), max_age: Duration::from_secs(max_age), ..strict() };
    let evidence = Evidence { dkim: vec![signature()], ..evidence() };
    assert_eq!(said(&evidence, &rules(3600)), "dkim");
    assert!(said(&evidence, &rules(3599)).starts_with("held"));
}
