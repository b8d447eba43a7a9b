//! Whatever the octets are and however TCP cuts them.

use std::sync::Arc;

use invited::config::Limits;
use invited::ops::accept::NewCopy;
use proptest::prelude::*;

use crate::SHOP;
use crate::bare::Bare;
use crate::script::Script;

/// Octets that look enough like SMTP to get somewhere.
fn smtp_like() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"EHLO x\r\n".to_vec()),
        Just(b"HELO x\r\n".to_vec()),
        Just(b"LHLO x\r\n".to_vec()),
        Just(b"AUTH PLAIN AHNob3AAc2VjcmV0\r\n".to_vec()),
        Just(b"AUTH LOGIN\r\n".to_vec()),
        Just(b"AUTH PLAIN\r\n".to_vec()),
        Just(b"c2hvcA==\r\n".to_vec()),
        Just(b"*\r\n".to_vec()),
        Just(b"MAIL FROM:<>\r\n".to_vec()),
        Just(b"MAIL FROM:<a@example.com> SIZE=10\r\n".to_vec()),
        Just(format!("RCPT TO:<{SHOP}>\r\n").into_bytes()),
        Just(b"RCPT TO:<x@example.com>\r\n".to_vec()),
        Just(b"DATA\r\n".to_vec()),
        Just(b"Received: x\r\n".to_vec()),
        Just(b".\r\n".to_vec()),
        Just(b"RSET\r\nNOOP\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b".".to_vec()),
        Just(b"\0".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::collection::vec(0x20_u8..0x7f, 0..90),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

fn small() -> Limits {
    Limits {
        command_line: 80,
        data_line: 70,
        message: 150,
        header: 60,
        received: 1,
        recipients: 2,
        errors: 8,
        idle_commands: 6,
        ..Limits::default()
    }
}

/// Everything that was replied and kept when the octets come in pieces of these lengths.
fn outcome(role: &str, octets: &[u8], lengths: &[usize]) -> (String, Vec<NewCopy>) {
    let plan = format!("role: {role}\nlogins: yes\nlocal: yes\nintake: ready=ok,full,ok dot=ok,unavailable,ok");
    let script = Script { limits: small(), ..Script::parse(&plan) };
    let intake = script.intake();
    let mut bare = Bare::new(&script, Arc::clone(&intake), false);
    let mut rest = octets;
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() {
        let length = lengths.next().map_or(rest.len(), |length| (*length).clamp(1, rest.len()));
        bare.send(&rest[..length]);
        rest = &rest[length..];
    }
    let kept = intake.kept.lock().unwrap().clone();
    (String::from_utf8(bare.said).unwrap(), kept)
}

/// RFC 2034 4: every 2xx, 4xx and 5xx but the greeting and the answers to EHLO, HELO and LHLO, whose code the words of the server's
/// name or of a keyword follow.
fn has_enhanced_code(reply: &str) -> bool {
    let (code, text) = (reply.as_bytes()[0], reply.get(4..).unwrap_or_default());
    let greets = reply.starts_with("220 mail.") || reply.starts_with("250-") || reply == "250 HELP";
    let enhanced = text.split(' ').next().is_some_and(|word| {
        word.as_bytes().first() == Some(&code) && word.split('.').filter(|n| n.parse::<u16>().is_ok()).count() == 3
    });
    code == b'3' || greets || reply == "250 mail.example.com" || enhanced
}

proptest! {
    #[test]
    fn equal_octets_get_equal_replies_however_they_are_cut(
        role in prop_oneof![Just("smtp"), Just("submission"), Just("lmtp")],
        octets in smtp_like(),
        lengths in proptest::collection::vec(1_usize..50, 1..10),
    ) {
        let whole = outcome(role, &octets, &[]);
        prop_assert_eq!(&whole, &outcome(role, &octets, &lengths));
        prop_assert_eq!(&whole, &outcome(role, &octets, &[1]));
        for line in whole.0.lines() {
            prop_assert!(line.len() <= 510 && line.as_bytes()[..3].iter().all(u8::is_ascii_digit), "{}", line);
            prop_assert!(has_enhanced_code(line), "{}", line);
        }
    }
}

#[test]
fn no_octet_in_a_command_does_harm() {
    let commands = [
        ("smtp", "EHLO x"),
        ("smtp", "HELO x"),
        ("smtp", "MAIL FROM:<a@example.com>"),
        ("smtp", "MAIL FROM:<a@example.com> SIZE=9 BODY=8BITMIME RET=FULL"),
        ("smtp", "RCPT TO:<x@example.com>"),
        ("smtp", "RCPT TO:<x@example.com> NOTIFY=NEVER ORCPT=rfc822;x@example.com"),
        ("smtp", "DATA"),
        ("smtp", "RSET"),
        ("smtp", "NOOP"),
        ("smtp", "QUIT"),
        ("smtp", "VRFY x"),
        ("smtp", "EXPN x"),
        ("smtp", "HELP"),
        ("smtp", "STARTTLS"),
        ("smtp", "BDAT 10 LAST"),
        ("smtp", "AUTH PLAIN AHNob3AAc2VjcmV0"),
        ("lmtp", "LHLO x"),
    ];
    for octet in 0..=u8::MAX {
        for (role, command) in commands {
            for at in 0..=command.len() {
                let script = Script::parse(&format!("role: {role}\nlogins: yes\nlocal: yes"));
                let mut bare = Bare::new(&script, script.intake(), false);
                bare.send(if role == "lmtp" { b"LHLO client.example\r\n" } else { b"EHLO client.example\r\n" });
                bare.said.clear();
                let mut line = command.as_bytes().to_vec();
                line.insert(at, octet);
                line.extend(b"\r\n");
                bare.send(&line);
                if octet < 0x20 || octet == 0x7f {
                    let said = String::from_utf8(bare.said.clone()).unwrap();
                    let own = if octet == b'\n' { "500 5.5.2 " } else { "500 5.5.2 a command is" };
                    assert!(said.starts_with(own), "{octet} at {at} in {command}: {said}");
                }
                let quits = bare.closed;
                // A login that goes on takes the next line for its answer.
                if bare.said.starts_with(b"334 ") {
                    bare.send(b"*\r\n");
                }
                bare.said.clear();
                bare.send(b"NOOP\r\n");
                assert!(quits || bare.said.starts_with(b"250 "), "{octet} at {at} in {command}");
            }
        }
    }
}
