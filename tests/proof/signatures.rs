//! Signatures in the forms in which real mail has them, and what somebody may try with a mail that the shop once signed.

use invited::domain::trust::{Broken, Checked, TrustRules};
use invited::domain::{Handed, Timestamp, Way};
use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::{Canonicalization, DkimSigner};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::signer::{How, Key, signed};
use crate::{FRESH, MAIL, NOW, Scene, WELL, by_dkim, by_smtp, listed, strict, word};

#[tokio::test]
async fn keys_of_both_kinds_prove() {
    for (key, bits) in [(Key::rsa(), Some(2048)), (Key::ed25519(), None)] {
        let scene = Scene::with(key).await;
        let mail = signed(MAIL, &scene.key, WELL);
        let evidence = scene.evidence(&by_smtp(), "", &mail, &by_dkim()).await;
        assert_eq!((word(&evidence, &by_dkim()).as_str(), evidence.dkim[0].rsa_bits), ("dkim", bits));
        assert_eq!(evidence.dkim[0].signed_at, Some(Timestamp(NOW.0 - 3_600_000)));
    }
}

/// What the library that verifies signs by itself, in all four canonical forms. It takes the time from the wall clock, so the moment of
/// judging is taken from the signature.
#[tokio::test]
async fn every_canonical_form_proves() {
    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let public = {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        use aws_lc_rs::signature::KeyPair as _;
        use base64ct::{Base64, Encoding};
        Base64::encode_string(AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap().as_ref())
    };
    let private = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    let scene = Scene::new().await;
    scene.dns.txt("s1._domainkey.shop.example", &format!("v=DKIM1; p={public}"));
    let mail = MAIL
        .replace("Subject: Thank", "Subject:  Thank\r\n ")
        .replace("order 10001.\r\n", "order \t10001. \r\n\r\n\r\n");
    for header in [Canonicalization::Simple, Canonicalization::Relaxed] {
        for body in [Canonicalization::Simple, Canonicalization::Relaxed] {
            let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(private.as_ref()));
            let signer = DkimSigner::from_key(RsaKey::<Sha256>::from_key_der(der).unwrap())
                .domain("shop.example")
                .selector("s1")
                .headers(["From", "To", "Subject"])
                .header_canonicalization(header)
                .body_canonicalization(body);
            let mail = format!("{}{mail}", signer.sign(mail.as_bytes()).unwrap().to_header());
            let evidence = scene.evidence(&by_smtp(), "", &mail, &by_dkim()).await;
            let seen = &evidence.dkim[0];
            assert_eq!((seen.checked, seen.unsigned.len()), (Checked::Pass, 0), "{header:?} {body:?}");
            let verdict = invited::domain::trust::judge(&evidence, &by_dkim(), seen.signed_at.unwrap());
            assert!(matches!(verdict, invited::domain::trust::Verdict::Trusted { .. }), "{verdict:?}");
        }
    }
}

#[tokio::test]
async fn one_signature_of_several_is_enough_wherever_it_stands() {
    let scene = Scene::new().await;
    let other = Key::rsa();
    scene.dns.txt("s1._domainkey.platform.example", &other.record());
    let platform = How { domain: "platform.example", ..WELL };
    let broken = How { selector: "gone", ..WELL };
    let both = signed(&signed(MAIL, &scene.key, WELL), &other, platform);
    let turned = signed(&signed(MAIL, &other, platform), &scene.key, WELL);
    let beside_a_broken_one = signed(&signed(MAIL, &scene.key, WELL), &other, broken);
    let platform_alone = signed(MAIL, &other, platform);
    for (mail, expected) in [(both, "dkim"), (turned, "dkim"), (beside_a_broken_one, "dkim"), (platform_alone, "held")]
    {
        assert_eq!(scene.says(&mail, &by_dkim()).await, expected);
    }
    let asked = scene.dns.asked();
    assert!(
        asked.iter().all(|name| name.ends_with("shop.example")),
        "a domain that nobody listed was asked: {asked:?}"
    );
}

#[tokio::test]
async fn what_is_added_to_a_signed_mail_is_not_taken_for_signed() {
    let scene = Scene::new().await;
    let mail = signed(MAIL, &scene.key, WELL);
    let oversigned =
        signed(MAIL, &scene.key, How { fields: "from:to:subject:date:reply-to:from:to:subject:date:reply-to", ..WELL });
    assert_eq!(scene.says(&oversigned, &by_dkim()).await, "dkim", "oversigned");
    let below = |field: &str| mail.replace("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"));
    for (what, mail, expected) in [
        ("a To above", format!("To: victim@example.net\r\n{mail}"), "held"),
        ("a To above, oversigned", format!("To: victim@example.net\r\n{oversigned}"), "held"),
        ("a To below", below("To: victim@example.net"), "held"),
        ("a To in other letters", format!("tO: victim@example.net\r\n{mail}"), "held"),
        ("a To with a blank", format!("To : victim@example.net\r\n{mail}"), "held"),
        ("a To behind a bare LF", format!("X: 1\nTo: victim@example.net\r\n{mail}"), "held"),
        ("a To behind a bare CR", format!("X: 1\rTo: victim@example.net\r\n{mail}"), "held"),
        ("a To behind what is no field", format!("X\r\nTo: victim@example.net\r\n{mail}"), "held"),
        ("a Subject above", format!("Subject: Your order 666\r\n{mail}"), "held"),
        ("a Reply-To above", format!("Reply-To: victim@example.net\r\n{mail}"), "dkim"),
        (
            "a Reply-To that is not covered",
            {
                let open = signed(MAIL, &scene.key, How { fields: "from:to:subject", ..WELL });
                format!("Reply-To: victim@example.net\r\n{open}")
            },
            "held",
        ),
        ("a Received above", format!("Received: from a by b; Sat, 21 Nov 2026 09:30:00 +0100\r\n{mail}"), "dkim"),
        ("a line below", format!("{mail}Pay here: https://forger.example\r\n"), "held"),
        ("another body", mail.replace("order 10001.", "order 10002."), "held"),
    ] {
        // A Reply-To of a signature that names one which is not there may not be added either.
        let expected = if what == "a Reply-To above" { "held" } else { expected };
        assert_eq!(scene.says(&mail, &by_dkim()).await, expected, "{what}");
    }
}

#[tokio::test]
async fn an_old_mail_is_not_handed_in_again() {
    let scene = Scene::new().await;
    let dated = |date: &str, how: How<'_>| signed(&MAIL.replace("Sat, 21 Nov 2026 09:30:00", date), &scene.key, how);
    let by_date = How { tags: "", ..WELL };
    for (what, mail, expected) in [
        ("t= just in time", dated("Sat, 21 Nov 2026 09:30:00", How { tags: "t=1794992400; ", ..WELL }), "dkim"),
        ("t= a second late", dated("Sat, 21 Nov 2026 09:30:00", How { tags: "t=1794992399; ", ..WELL }), "held"),
        ("Date alone", dated("Sat, 21 Nov 2026 09:30:00", by_date), "dkim"),
        ("an old Date", dated("Tue, 17 Nov 2026 09:30:00", by_date), "held"),
        (
            "a Date that is not covered",
            dated("Sat, 21 Nov 2026 09:30:00", How { fields: "from:to:subject", ..by_date }),
            "held",
        ),
        ("x= ahead", dated("x", How { tags: "t=1795248000; x=1795251601; ", ..WELL }), "dkim"),
        ("x= reached", dated("x", How { tags: "t=1795248000; x=1795251600; ", ..WELL }), "held"),
    ] {
        assert_eq!(scene.says(&mail, &by_dkim()).await, expected, "{what}");
    }
}

#[tokio::test]
async fn a_key_that_is_withdrawn_or_not_there_proves_nothing() {
    let scene = Scene::new().await;
    scene.dns.txt("revoked._domainkey.shop.example", "v=DKIM1; k=ed25519; p=");
    scene.dns.txt("nonsense._domainkey.shop.example", "v=DKIM1; p=!!!");
    scene.dns.txt("short._domainkey.shop.example", &format!("v=DKIM1; p={}", "MAsGCSqGSIb3DQEBAQADAAA="));
    scene.dns.txt("other._domainkey.shop.example", &Key::ed25519().record());
    scene.dns.txt("rsa._domainkey.shop.example", &Key::rsa().record());
    for (selector, broken) in [
        ("revoked", Broken::Withdrawn),
        ("nonsense", Broken::BadKey),
        ("short", Broken::BadKey),
        ("rsa", Broken::BadKey),
        ("other", Broken::Fields),
        ("nowhere", Broken::NoKey),
    ] {
        let mail = signed(MAIL, &scene.key, How { selector, ..WELL });
        let evidence = scene.evidence(&by_smtp(), "", &mail, &by_dkim()).await;
        assert_eq!(
            (word(&evidence, &by_dkim()).as_str(), evidence.dkim[0].broken),
            ("held", Some(broken)),
            "{selector}"
        );
    }
}

#[tokio::test]
async fn what_was_changed_is_told_apart() {
    for key in [Key::ed25519(), Key::rsa()] {
        let scene = Scene::with(key).await;
        let mail = signed(MAIL, &scene.key, WELL);
        for (mail, broken) in [
            (mail.clone(), None),
            (mail.replace("order 10001.", "order 10002."), Some(Broken::Body)),
            (mail.replace("anna@example.org", "victim@example.net"), Some(Broken::Fields)),
            (mail.replace("Subject: Thank", "Subject: No thank"), Some(Broken::Fields)),
        ] {
            let evidence = scene.evidence(&by_smtp(), "", &mail, &by_dkim()).await;
            assert_eq!(evidence.dkim[0].broken, broken, "{mail}");
            assert_eq!(evidence.dkim[0].selector, "s1");
        }
    }
}

#[tokio::test]
async fn domains_below_and_beside_the_authors_prove_as_the_list_says() {
    let scene = Scene::new().await;
    for domain in ["mail.shop.example", "example"] {
        scene.dns.txt(&format!("s1._domainkey.{domain}"), &scene.key.record());
    }
    let below = signed(MAIL, &scene.key, How { domain: "mail.shop.example", ..WELL });
    let sister = signed(
        &MAIL.replace("@shop.example", "@news.shop.example"),
        &scene.key,
        How { domain: "mail.shop.example", ..WELL },
    );
    for (list, mail, expected) in [
        ("shop.example", &below, "held"),
        (".shop.example", &below, "dkim"),
        ("mail.shop.example", &below, "dkim"),
        ("mail.shop.example", &sister, "held"),
        (".shop.example", &sister, "dkim"),
    ] {
        let rules = TrustRules { dkim: listed(&[list]), ..strict() };
        assert_eq!(scene.says(mail, &rules).await, expected, "{list}");
    }
}

#[tokio::test]
async fn a_mail_out_of_a_pipe_is_checked_with_the_ends_of_lines_of_the_wire() {
    let scene = Scene::new().await;
    let piped = signed(MAIL, &scene.key, WELL).replace("\r\n", "\n");
    let pipe = Handed { way: Way::Pipe, client: None, ..Handed::default() };
    let evidence = scene.evidence(&pipe, "order@shop.example", &piped, &by_dkim()).await;
    assert_eq!(word(&evidence, &by_dkim()), "dkim");
    assert_eq!(evidence.mark, "shop.example pipe");
}

/// Reports and signatures by others would have us ask domains of the sender's choice.
#[tokio::test]
async fn a_signature_cannot_have_other_names_asked() {
    let scene = Scene::new().await;
    let tags = format!("{FRESH}r=y; atps=shop.example; atpsh=sha256; ");
    let mail = signed(MAIL, &scene.key, How { tags: &tags, ..WELL }).replace("10001.", "10002.");
    assert_eq!(scene.says(&mail, &by_dkim()).await, "held");
    let mail = signed(MAIL, &scene.key, How { tags: &tags, ..WELL });
    assert_eq!(scene.says(&mail, &by_dkim()).await, "dkim");
    assert_eq!(scene.dns.asked(), ["s1._domainkey.shop.example"]);
}

#[tokio::test]
async fn of_a_hundred_signatures_ten_are_looked_at() {
    let scene = Scene::new().await;
    let mut mail = MAIL.to_owned();
    for number in 0..100 {
        mail = signed(&mail, &scene.key, How { selector: &format!("n{number}"), ..WELL });
    }
    let evidence = scene.evidence(&by_smtp(), "", &mail, &by_dkim()).await;
    assert_eq!((evidence.dkim.len(), word(&evidence, &by_dkim()).as_str()), (10, "held"));
    assert!(scene.dns.asked().len() <= 10);
    // Those that the rules do not ask for take no place of one that they do.
    let mut mail = signed(MAIL, &scene.key, WELL);
    for _ in 0..50 {
        mail = signed(&mail, &scene.key, How { domain: "other.example", ..WELL });
    }
    assert_eq!(scene.says(&mail, &by_dkim()).await, "dkim");
}
