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
fn outcome(octets: &[u8], lengths: &[usize]) -> (String, Vec<NewCopy>) {
    let intake = Script::parse("intake: ready=ok,full,ok dot=ok,unavailable,ok").intake();
    let mut bare = Bare::new(&small(), false, Arc::clone(&intake), false);
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

proptest! {
    #[test]
    fn equal_octets_get_equal_replies_however_they_are_cut(
        octets in smtp_like(),
        lengths in proptest::collection::vec(1_usize..50, 1..10),
    ) {
        let whole = outcome(&octets, &[]);
        prop_assert_eq!(&whole, &outcome(&octets, &lengths));
        prop_assert_eq!(&whole, &outcome(&octets, &[1]));
        for line in whole.0.lines() {
            prop_assert!(line.len() <= 510 && line.as_bytes()[..3].iter().all(u8::is_ascii_digit), "{}", line);
        }
    }
}

#[test]
fn no_octet_in_a_command_does_harm() {
    for octet in 0..=u8::MAX {
        for command in
            ["EHLO x", "MAIL FROM:<a@example.com>", "RCPT TO:<x@example.com>", "DATA", "NOOP", "QUIT", "VRFY x"]
        {
            for at in 0..=command.len() {
                let mut bare = Bare::new(&Limits::default(), false, Script::default().intake(), false);
                bare.send(b"EHLO client.example\r\n");
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
                bare.said.clear();
                bare.send(b"NOOP\r\n");
                assert!(quits || bare.said.starts_with(b"250 "), "{octet} at {at} in {command}");
            }
        }
    }
}
