//! Keys as other programs make them, records as people publish them, and signatures as receivers check them.

use std::borrow::Borrow;
use std::hash::Hash;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};

use super::*;

const LETTER: &str = "From: Nordljus <reviews@shop.example.com>\r\nTo: anna@customer.example.net\r\n\
    Subject: How  was\r\n\tit?\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1.first.ab@shop.example.com>\r\n\
    List-Unsubscribe: <mailto:help@shop.example.com?subject=x>\r\nMIME-Version: 1.0\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\r\nTell us. \r\n\r\n\r\n";

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).stderr(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The letter as it leaves with these keys, and the DNS that publishes them.
fn signed(keys: Vec<(&str, SigningKey)>) -> (String, Zone) {
    let (mut signers, mut zone) = (Signers::default(), Zone::default());
    for (selector, key) in keys {
        zone.0.push((format!("{selector}._domainkey.shop.example.com."), key.record()));
        signers.add("shop.example.com", selector, key);
    }
    (String::from_utf8(signers.sign("shop.example.com", LETTER.into()).unwrap()).unwrap(), zone)
}

/// A DNS that is a list.
#[derive(Default)]
struct Zone(Vec<(String, String)>);

impl ResolverCache<Box<str>, Txt> for Zone {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let found = self.0.iter().find(|(known, _)| Borrow::<Q>::borrow(&Box::<str>::from(known.as_str())) == name);
        found.map(|(_, record)| Txt::DomainKey(Arc::new(DomainKey::parse(record.as_bytes()).unwrap())))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// Whether each signature of a letter is good, top first.
async fn verdicts(letter: &str, zone: &Zone) -> Vec<bool> {
    let authenticator = MessageAuthenticator::new_system_conf().unwrap();
    let message = AuthenticatedMessage::parse(letter.as_bytes()).unwrap();
    let outputs = authenticator.verify_dkim(Parameters::new(&message).with_txt_cache(zone)).await;
    outputs.iter().map(|output| *output.result() == DkimResult::Pass).collect()
}

fn made(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm).unwrap().0
}

#[tokio::test]
async fn each_of_a_domains_keys_signs_every_letter_of_it_and_none_of_another() {
    let (letter, zone) = signed(vec![("2026a", made(Algorithm::Rsa)), ("2026e", made(Algorithm::Ed25519))]);
    assert_eq!(verdicts(&letter, &zone).await, [true, true]);
    assert!(letter.ends_with(LETTER), "the letter itself stays as it is");
    let selectors = letter.match_indices("; s=2026").map(|(at, _)| &letter[at + 8..at + 9]).collect::<Vec<_>>();
    assert_eq!(selectors, ["a", "e"]);
    let other = Signers::default().sign("other.example.com", LETTER.into()).unwrap();
    assert_eq!(other, LETTER.as_bytes());
}

#[tokio::test]
async fn what_relays_may_do_to_a_letter_leaves_its_signature_good_and_what_forgers_do_does_not() {
    let (letter, zone) = signed(vec![("a", made(Algorithm::Rsa)), ("e", made(Algorithm::Ed25519))]);
    for (what, from, to, expected) in [
        ("a line folded anew", "Subject: How  was\r\n\tit?", "Subject: How was it?", true),
        ("a Received line on top", "DKIM-Signature", "Received: from x by y; now\r\nDKIM-Signature", true),
        ("empty lines at the end", "Tell us. \r\n\r\n\r\n", "Tell us.\r\n", true),
        ("another body", "Tell us.", "Pay us.", false),
        ("another recipient", "anna@customer", "otto@customer", false),
        ("another subject", "How  was", "Why was", false),
        ("another way out", "subject=x", "subject=y", false),
        ("a second From", "From: Nordljus", "From: a@evil.example\r\nFrom: Nordljus", false),
        ("a second From below", "MIME-Version: 1", "From: a@evil.example\r\nMIME-Version: 1", false),
        ("a second Subject", "To: anna", "Subject: Win\r\nTo: anna", false),
        ("answers to somebody else", "To: anna", "Reply-To: a@evil.example\r\nTo: anna", false),
        ("another kind of body", "text/plain", "text/html", false),
        ("an unsubscribing by one click", "MIME-Version: 1", "List-Unsubscribe-Post: x\r\nMIME-Version: 1", false),
    ] {
        let changed = letter.replacen(from, to, 1);
        assert_ne!(changed, letter, "{what}");
        // Two From fields are refused before a signature is looked at.
        let verdicts = verdicts(&changed, &zone).await;
        assert!(verdicts.iter().all(|good| *good == expected), "{what}: {verdicts:?}");
    }
}

#[test]
fn keys_of_openssl_and_opendkim_are_read_and_published_as_openssl_publishes_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let file = path.to_str().unwrap();
    let makers: [(&[&str], Algorithm); 3] = [
        (&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"], Algorithm::Rsa),
        (&["genrsa", "-traditional", "-out"], Algorithm::Rsa),
        (&["genpkey", "-algorithm", "ED25519", "-out"], Algorithm::Ed25519),
    ];
    for (arguments, algorithm) in makers {
        let bits = if arguments[0] == "genrsa" { &["2048"][..] } else { &[] };
        openssl(&[arguments, &[file], bits].concat());
        let key = SigningKey::from_pem(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        let public = openssl(&["pkey", "-in", file, "-pubout"]);
        let public = public.lines().filter(|line| !line.starts_with('-')).collect::<String>();
        // RFC 8463 publishes the last 32 octets alone: 44 of the 60 characters.
        let expected = if algorithm == Algorithm::Rsa { public.as_str() } else { &public[16..] };
        assert_eq!(key.record(), format!("v=DKIM1; k={}; p={expected}", algorithm.name()));
    }
}

#[test]
fn a_key_that_we_made_is_one_that_openssl_reads() {
    for algorithm in [Algorithm::Rsa, Algorithm::Ed25519] {
        let (key, pem) = SigningKey::generate(algorithm).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(pem.as_bytes()).unwrap();
        let text = openssl(&["pkey", "-in", file.path().to_str().unwrap(), "-noout", "-text"]);
        assert!(text.to_ascii_lowercase().contains("private"), "{text}");
        assert!(!pem.contains(&key.record()[20..40]) && pem.lines().all(|line| line.len() <= 64));
        assert_ne!(SigningKey::generate(algorithm).unwrap().1, pem);
    }
}

#[test]
fn what_is_no_key_says_so() {
    let short = openssl(&["genrsa", "1024"]);
    let long = openssl(&["genrsa", "4104"]);
    let curve = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let locked = openssl(&["genpkey", "-algorithm", "ED25519", "-aes256", "-pass", "pass:x"]);
    let (_, pem) = SigningKey::generate(Algorithm::Rsa).unwrap();
    let damaged = pem.replacen("AoIBAQ", "AoIBAA", 1);
    for (what, text, expected) in [
        ("nothing", "", KeyError::NoKey),
        ("a password", "opensesame", KeyError::NoKey),
        ("a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", KeyError::NoKey),
        ("behind a passphrase", &locked, KeyError::NoKey),
        ("1024 bits", &short, KeyError::Rsa),
        ("4104 bits", &long, KeyError::TooLong(4104)),
        ("of a curve", &curve, KeyError::OtherKind),
        ("damaged", &damaged, KeyError::Rsa),
    ] {
        assert_eq!(SigningKey::from_pem(text).unwrap_err(), expected, "{what}");
    }
}

#[test]
fn a_long_record_is_split_into_strings_that_the_dns_holds() {
    let (rsa, short) = (made(Algorithm::Rsa), made(Algorithm::Ed25519));
    let strings = rsa.record_in_strings();
    let parts = strings.trim_matches('"').split("\" \"").collect::<Vec<_>>();
    assert_eq!(parts.concat(), rsa.record());
    assert!(parts.len() == 2 && parts.iter().all(|part| part.len() <= 255), "{strings}");
    assert_eq!(short.record_in_strings(), format!("\"{}\"", short.record()));
}

#[test]
fn a_published_record_is_known_however_it_is_written() {
    for algorithm in [Algorithm::Rsa, Algorithm::Ed25519] {
        let (key, other) = (made(algorithm), made(algorithm));
        let record = key.record();
        let p = record.split("p=").nth(1).unwrap().to_owned();
        let k = algorithm.name();
        for (text, expected) in [
            (record.clone(), Published::Same),
            (format!("k={k};p={} {} ;", &p[..20], &p[20..]), Published::Same),
            (format!("v=DKIM1; t=s; h=sha256; k={k}; p={p}"), Published::Same),
            (format!("v=DKIM1; t=y:s; k={k}; p={p}"), Published::Testing),
            (format!("v=DKIM1; k={k}; p="), Published::Revoked),
            (format!("v=DKIM2; k={k}; p={p}"), Published::Other),
            (other.record(), Published::Other),
            (format!("v=DKIM1; k=dsa; p={p}"), Published::Other),
            ("v=spf1 -all".to_owned(), Published::Other),
            (format!("\"{record}\""), Published::Other),
        ] {
            assert_eq!(Published::of(&text, &key), expected, "{text}");
        }
        let bare = format!("p={p}");
        assert_eq!(Published::of(&bare, &key) == Published::Same, algorithm == Algorithm::Rsa, "rsa is what is meant");
    }
    let pem = openssl(&["genrsa", "2048"]);
    let key = SigningKey::from_pem(&pem).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    let bare = openssl(&["rsa", "-in", file.path().to_str().unwrap(), "-RSAPublicKey_out"]);
    let bare = bare.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    assert_eq!(Published::of(&format!("v=DKIM1; p={bare}"), &key), Published::Same, "without the algorithm's name");
}

/// Checks a letter's signatures with dkimpy, which prints one line each. `None` where it is not installed.
fn dkimpy(letter: &str, zone: &Zone) -> Option<String> {
    let script = "import sys, dkim\nzone = dict(line.split(' ', 1) for line in sys.argv[1].splitlines())\n\
        dns = lambda name, timeout=5: zone.get(name.decode()).encode()\nletter = sys.stdin.buffer.read()\n\
        for index in range(2):\n try: print(dkim.DKIM(letter).verify(idx=index, dnsfunc=dns))\n \
        except dkim.ValidationError: print(False)\n";
    let records = zone.0.iter().map(|(name, record)| format!("{name} {record}")).collect::<Vec<_>>().join("\n");
    let python = ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let found = Command::new(python).args(["-c", "import dkim, nacl"]).stderr(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    })?;
    let mut child = Command::new(python)
        .args(["-c", script, &records])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(letter.as_bytes()).unwrap();
    Some(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
}

#[test]
fn another_program_finds_the_signatures_good() {
    let (letter, zone) = signed(vec![("a", made(Algorithm::Rsa)), ("e", made(Algorithm::Ed25519))]);
    let Some(found) = dkimpy(&letter, &zone) else {
        eprintln!("not checked by dkimpy: it is not installed (python3-dkim, python3-nacl)");
        return;
    };
    assert_eq!(found.lines().collect::<Vec<_>>(), ["True", "True"]);
    let forged = dkimpy(&letter.replace("Tell us", "Pay us"), &zone).unwrap();
    assert_eq!(forged.lines().collect::<Vec<_>>(), ["False", "False"]);
}
