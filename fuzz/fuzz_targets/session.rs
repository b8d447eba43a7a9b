//! Any bytes, in any pieces, against the SMTP session: no panic, and every answer is a reply of RFC 5321 4.2.
#![no_main]

use std::sync::Arc;

use invited::config::Limits;
use invited::domain::{CopyId, ShopId};
use invited::door::{Effect, Profile, Role, Session};
use invited::ops::accept::{NotNow, Recipient};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((steps, mut input)) = data.split_first() else { return };
    let limits = Limits { message: 4096, header: 1024, data_line: 512, ..Limits::default() };
    let profile = Profile { hostname: Arc::from("mail.example.com"), limits: Arc::new(limits), offers_tls: true, role: Role::Smtp, requires_tls: false };
    let mut session = Session::new(profile);
    session.greet();
    let piece = usize::from(*steps).max(1);
    let mut open = true;
    while open && !input.is_empty() {
        let (now, _) = input.split_at(piece.min(input.len()));
        let fed = session.feed(now);
        input = &input[fed.used..];
        match fed.effect {
            Some(Effect::AskReady) => session.ready(if input.len() % 7 == 0 { Err(NotNow::Full) } else { Ok(()) }),
            Some(Effect::AskRecipient(address)) => session.recipient(match ShopId::parse("shop") {
                Ok(shop) if address.len() % 3 != 0 => Recipient::Shop(shop),
                _ => Recipient::Unknown,
            }),
            Some(Effect::StartData) => session.start_data(b"Received: from a test\r\n"),
            Some(Effect::Accept(incoming)) => {
                assert!(incoming.message.len() <= 4096 + 64);
                session.kept(Ok(&[CopyId(1)]));
            }
            Some(Effect::StartTls) => session.secured(),
            Some(Effect::Close) => open = false,
            Some(Effect::Delay(_)) | None => {}
        }
        for line in session.replies().split_inclusive(|byte| *byte == b'\n') {
            assert!(line.len() >= 6 && line.len() <= 512 && line.ends_with(b"\r\n"), "{:?}", String::from_utf8_lossy(line));
            assert!(line[..3].iter().all(u8::is_ascii_digit) && matches!(line[3], b' ' | b'-'));
        }
        session.replies().clear();
    }
});
