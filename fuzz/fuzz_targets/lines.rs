//! Any bytes as a message: after DATA, dot by dot and line by line, in any pieces, and from a pipe. What is taken has CRLF line ends,
//! nothing strange in it and its limits kept; the cuts change nothing; and unstuffed it is what the pipe makes of the same mail.
#![no_main]

use std::sync::Arc;

use invited::config::Limits;
use invited::domain::{CopyId, ShopId, Timestamp};
use invited::door::{Effect, Profile, Role, Session, piped};
use invited::ops::accept::Recipient;
use libfuzzer_sys::fuzz_target;

fn limits() -> Limits {
    Limits { message: 4096, header: 1024, data_line: 512, received: 3, ..Limits::default() }
}

/// What comes of a message that is sent in pieces of this length: what was kept, in order, and what was said.
fn sent(octets: &[u8], piece: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
    let profile = Profile {
        hostname: Arc::from("mail.example.com"),
        limits: Arc::new(limits()),
        offers_tls: false,
        requires_tls: false,
        role: Role::Smtp,
        offers_login: false,
        is_local: false,
    };
    let mut session = Session::new(profile);
    let begin = b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n";
    let (mut kept, mut said, mut begun) = (Vec::new(), Vec::new(), false);
    let mut feed = |input: &[u8]| {
        let mut input = input;
        loop {
            let fed = session.feed(input);
            input = &input[fed.used..];
            match fed.effect {
                Some(Effect::AskReady) => session.ready(Ok(())),
                Some(Effect::AskRecipient(_)) => session.recipient(ShopId::parse("shop").map_or(Recipient::Unknown, Recipient::Shop)),
                Some(Effect::StartData) => {
                    session.start_data(b"");
                    if std::mem::replace(&mut begun, true) {
                        // One message a run: what follows it may be anything.
                        return false;
                    }
                }
                Some(Effect::Accept(incoming)) => {
                    kept.push(incoming.message);
                    session.kept(&[Ok(CopyId(1))]);
                    return false;
                }
                Some(Effect::Close) => return false,
                Some(_) => {}
                None => {
                    said.append(session.replies());
                    return true;
                }
            }
            said.append(session.replies());
        }
    };
    feed(begin);
    let mut open = true;
    for piece in octets.chunks(piece.max(1)) {
        open = open && feed(piece);
    }
    (kept, said)
}

fn check(message: &[u8]) {
    assert!(message.len() <= 4096);
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        let text = line.strip_suffix(b"\r\n").expect("every line ends with CRLF");
        assert!(line.len() <= 512 && !text.contains(&b'\r') && !text.contains(&0));
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((piece, octets)) = data.split_first() else { return };
    let whole = sent(octets, usize::MAX);
    assert_eq!(whole.0, sent(octets, usize::from(*piece)).0, "the cuts change what is kept");
    whole.0.iter().for_each(|message| check(message));

    let Ok(message) = piped(octets, "mail.example.com", Timestamp(0), &limits()) else { return };
    let trace = message.windows(3).position(|three| three[..2] == *b"\r\n" && three[2] != b'\t').map_or(message.len(), |at| at + 2);
    let message = &message[trace..];
    check(message);
    let mut stuffed = Vec::new();
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    stuffed.extend_from_slice(b".\r\n");
    assert_eq!(sent(&stuffed, usize::MAX).0, [message], "the pipe and the listener make the same of a mail");
});
