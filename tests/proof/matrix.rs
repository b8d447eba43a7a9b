//! Every method against every way of going wrong.

use invited::domain::trust::TrustRules;
use invited::domain::{Handed, Way};

use crate::dns::Says;
use crate::signer::{How, Key, sealed, signed};
use crate::{MAIL, NOW, Scene, WELL, by_dkim, by_smtp, listed, strict, word};

const DIGEST: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Ways of going wrong that a mail can show.
const FLAWS: [&str; 8] = ["right", "wrong", "missing", "altered To", "l=", "old", "two From", "temperror"];

/// The shop's mail as it is when this has gone wrong with its signature.
fn mail(flaw: &str, key: &Key) -> String {
    let sign = |how: How<'_>| signed(MAIL, key, how);
    match flaw {
        "wrong" => sign(How { domain: "forger.example", ..WELL }),
        "missing" => MAIL.to_owned(),
        "altered To" => sign(WELL).replace("anna@example.org", "victim@example.net"),
        "l=" => format!("{}and whatever else\r\n", sign(How { length: Some(MAIL.len() - body_at()), ..WELL })),
        "old" => sign(How { tags: "t=1794900000; ", ..WELL }),
        "two From" => format!("From: victim@example.net\r\n{}", sign(WELL)),
        _ => sign(WELL),
    }
}

fn body_at() -> usize {
    MAIL.find("\r\n\r\n").unwrap() + 4
}

#[tokio::test]
async fn what_the_door_saw_proves_only_the_shops_own() {
    let scene = Scene::new().await;
    let handed = |user: Option<&str>, certificate: Option<&str>, client: &str| Handed {
        way: Way::Submission,
        user: user.map(str::to_owned),
        certificate: certificate.map(str::to_owned),
        client: client.parse().ok(),
        ..by_smtp()
    };
    let login = TrustRules { logins: vec!["shop".to_owned()], ..strict() };
    let certificate = TrustRules { certificates: vec![DIGEST.to_owned()], ..strict() };
    let network = TrustRules { networks: vec!["192.0.2.0/24".parse().unwrap()], ..strict() };
    for (rules, handed, says) in [
        (&login, handed(Some("shop"), None, "198.51.100.1"), "login"),
        (&login, handed(Some("other"), None, "192.0.2.25"), "held"),
        (&login, handed(None, Some(DIGEST), "192.0.2.25"), "held"),
        (&certificate, handed(None, Some(DIGEST), "198.51.100.1"), "certificate"),
        (&certificate, handed(None, Some(&DIGEST.replace('a', "b")), "192.0.2.25"), "held"),
        (&certificate, handed(Some("shop"), None, "192.0.2.25"), "held"),
        (&network, handed(None, None, "192.0.2.200"), "network"),
        (&network, handed(None, None, "198.51.100.1"), "held"),
        (&network, handed(None, None, ""), "held"),
    ] {
        let evidence = scene.evidence(&handed, "order@shop.example", MAIL, rules).await;
        assert_eq!(word(&evidence, rules), says, "{handed:?}");
    }
    assert_eq!(scene.dns.asked(), Vec::<String>::new(), "the DNS has no part in this");
}

#[tokio::test]
async fn a_signature_proves_nothing_when_anything_is_wrong_with_it() {
    for flaw in FLAWS {
        let scene = Scene::new().await;
        scene.dns.txt("s1._domainkey.forger.example", &scene.key.record());
        if flaw == "temperror" {
            scene.dns.say("s1._domainkey.shop.example", Says::Fails);
        }
        let says = scene.says(&mail(flaw, &scene.key), &by_dkim()).await;
        let expected = match flaw {
            "right" => "dkim",
            "temperror" => "unsure",
            _ => "held",
        };
        assert_eq!(says, expected, "{flaw}");
    }
}

#[tokio::test]
async fn dmarc_by_a_signature_is_held_to_the_same() {
    let rules = TrustRules { dmarc: listed(&["shop.example"]), ..strict() };
    for flaw in FLAWS {
        let scene = Scene::new().await;
        scene.dns.txt("_dmarc.shop.example", "v=DMARC1; p=reject");
        scene.dns.txt("s1._domainkey.forger.example", &scene.key.record());
        if flaw == "temperror" {
            scene.dns.say("_dmarc.shop.example", Says::Fails);
        }
        let says = scene.says(&mail(flaw, &scene.key), &rules).await;
        let expected = match flaw {
            "right" => "dmarc",
            "temperror" => "unsure",
            _ => "held",
        };
        assert_eq!(says, expected, "{flaw}");
    }
    // A signature that leaves To open, which DMARC itself would take.
    let scene = Scene::new().await;
    scene.dns.txt("_dmarc.shop.example", "v=DMARC1; p=reject");
    let open = signed(MAIL, &scene.key, How { fields: "from:subject", ..WELL });
    assert_eq!(scene.says(&open.replace("anna@", "victim@"), &rules).await, "held");
}

#[tokio::test]
async fn spf_proves_the_authors_own_domain_by_the_client() {
    let spf = TrustRules { spf: listed(&["shop.example"]), ..strict() };
    let dmarc = TrustRules { dmarc: listed(&["shop.example"]), ..strict() };
    for (rules, name) in [(&spf, "spf"), (&dmarc, "dmarc")] {
        for (case, record, client, mail_from, from, expected) in [
            ("right", "v=spf1 ip4:192.0.2.25 -all", "192.0.2.25", "order@shop.example", "shop.example", name),
            ("by name", "v=spf1 a:out.shop.example -all", "192.0.2.25", "order@shop.example", "shop.example", name),
            (
                "wrong client",
                "v=spf1 ip4:192.0.2.25 -all",
                "198.51.100.1",
                "order@shop.example",
                "shop.example",
                "held",
            ),
            ("softfail", "v=spf1 ip4:192.0.2.25 ~all", "198.51.100.1", "order@shop.example", "shop.example", "held"),
            ("neutral", "v=spf1 ?all", "192.0.2.25", "order@shop.example", "shop.example", "held"),
            ("no record", "", "192.0.2.25", "order@shop.example", "shop.example", "held"),
            ("broken record", "v=spf1 ip4:192.0.2.300", "192.0.2.25", "order@shop.example", "shop.example", "held"),
            ("another author", "v=spf1 +all", "192.0.2.25", "order@shop.example", "victim.example", "held"),
            ("another sender", "v=spf1 -all", "192.0.2.25", "a@forger.example", "shop.example", "held"),
            ("no sender", "v=spf1 +all", "192.0.2.25", "", "shop.example", "held"),
            ("temperror", "FAILS", "192.0.2.25", "order@shop.example", "shop.example", "unsure"),
        ] {
            let scene = Scene::new().await;
            scene.dns.txt("_dmarc.shop.example", "v=DMARC1; p=reject");
            scene.dns.txt("forger.example", "v=spf1 +all");
            scene.dns.say("out.shop.example", Says::Address([192, 0, 2, 25].into()));
            match record {
                "" => {}
                "FAILS" => scene.dns.say("shop.example", Says::Fails),
                record => scene.dns.txt("shop.example", record),
            }
            let handed = Handed { client: client.parse().ok(), ..by_smtp() };
            let mail = MAIL.replace("order@shop.example", &format!("order@{from}"));
            let evidence = scene.evidence(&handed, mail_from, &mail, rules).await;
            assert_eq!(word(&evidence, rules), expected, "{name}: {case}");
        }
    }
    let scene = Scene::new().await;
    scene.dns.txt("shop.example", "v=spf1 +all");
    let mail = format!("From: victim@example.net\r\n{MAIL}");
    assert_eq!(scene.says(&mail, &spf).await, "held", "two From");
    let lmtp = Handed { way: Way::Lmtp, ..by_smtp() };
    let evidence = scene.evidence(&lmtp, "order@shop.example", MAIL, &spf).await;
    assert_eq!(word(&evidence, &spf), "held", "behind LMTP the client is a server of ours");
}

#[tokio::test]
async fn a_trusted_seal_stands_for_a_signature_that_broke_on_the_way() {
    let rules = TrustRules { arc: listed(&["sealer.example"]), ..by_dkim() };
    let found = "dkim=pass header.d=shop.example header.s=s1; spf=fail";
    let way = How { domain: "sealer.example", ..WELL };
    // A list adds its name to the subject, which breaks the shop's signature.
    let forward = |mail: &str| mail.replace("Subject: Thank", "Subject: [orders] Thank");
    for flaw in ["right", "wrong", "missing", "altered To", "l=", "old", "two From", "temperror", "not found", "open"] {
        let scene = Scene::new().await;
        let sealer = Key::rsa();
        scene.dns.txt("s1._domainkey.sealer.example", &sealer.record());
        scene.dns.txt("s1._domainkey.forger.example", &sealer.record());
        let shops = forward(&signed(MAIL, &scene.key, WELL));
        let seal = |how: How<'_>| sealed(&shops, &sealer, how, found);
        let mail = match flaw {
            "wrong" => seal(How { domain: "forger.example", ..way }),
            "missing" => shops.clone(),
            "altered To" => seal(way).replace("anna@", "victim@"),
            "l=" => seal(How { length: Some(10), ..way }),
            "old" => seal(How { tags: "t=1794900000; ", ..way }),
            "two From" => format!("From: victim@example.net\r\n{}", seal(way)),
            "not found" => sealed(&shops, &sealer, way, "dkim=fail header.d=shop.example"),
            // The shop's signature never covered To, so whoever changed it before the seal would not be noticed.
            "open" => {
                let open = signed(MAIL, &scene.key, How { fields: "from:subject", ..WELL });
                sealed(&forward(&open), &sealer, way, found)
            }
            _ => seal(way),
        };
        if flaw == "temperror" {
            scene.dns.say("s1._domainkey.sealer.example", Says::Fails);
        }
        let expected = match flaw {
            "right" => "arc",
            "temperror" => "unsure",
            _ => "held",
        };
        let evidence = scene.evidence(&by_smtp(), "lists@sealer.example", &mail, &rules).await;
        assert_eq!(word(&evidence, &rules), expected, "{flaw}: {evidence:?}");
    }
}

#[tokio::test]
async fn the_address_alone_is_a_question_for_a_person() {
    let scene = Scene::new().await;
    assert_eq!(scene.says(MAIL, &TrustRules::default()).await, "new");
    assert_eq!(scene.says(&signed(MAIL, &scene.key, WELL), &TrustRules::default()).await, "new");
    assert_eq!(scene.dns.asked(), Vec::<String>::new());
}

#[test]
fn the_signatures_of_the_matrix_are_as_old_as_their_names_say() {
    let seconds = |tag: &str| tag.trim_start_matches("t=").trim_end_matches("; ").parse::<i64>().unwrap();
    assert_eq!(NOW.0 / 1000 - seconds(crate::FRESH), 3600);
    assert!(NOW.0 / 1000 - seconds("t=1794900000; ") > 72 * 3600);
}
