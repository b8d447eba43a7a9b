//! Any bytes, in any pieces, against the SMTP session in each of its roles, and through the house of a login or a store that fails now
//! and then: no panic, and every answer is a reply of RFC 5321 4.2 that carries its enhanced code (RFC 2034).
#![no_main]

use std::sync::Arc;

use invited::config::Limits;
use invited::domain::{CopyId, LetterId, ShopId};
use invited::door::{Effect, LoginAnswer, Profile, Role, Session};
use invited::ops::accept::{NotNow, Recipient};
use libfuzzer_sys::fuzz_target;

const HOSTNAME: &str = "mail.example.com";

/// The first byte says what the session is like, the second in what pieces the rest comes.
fn profile(kind: u8) -> Profile {
    let limits = Limits { message: 4096, header: 1024, data_line: 512, ..Limits::default() };
    Profile {
        hostname: Arc::from(HOSTNAME),
        limits: Arc::new(limits),
        offers_tls: kind & 1 == 0,
        requires_tls: kind & 2 != 0,
        role: [Role::Smtp, Role::Submission, Role::Lmtp][usize::from(kind >> 2) % 3],
        offers_login: kind & 16 == 0,
        is_local: kind & 32 != 0,
    }
}

/// Whose an address is; it hangs on the address alone, so that the same is asked twice with the same answer.
fn whose(address: &str) -> Recipient {
    let Ok(shop) = ShopId::parse("shop") else { return Recipient::Unknown };
    match address.len() % 4 {
        0 => Recipient::Unknown,
        1 => Recipient::Letter(shop, LetterId(7)),
        _ => Recipient::Shop(shop),
    }
}

fn check(line: &[u8], role: Role) {
    let text = String::from_utf8_lossy(line);
    assert!(line.len() >= 6 && line.len() <= 512 && line.ends_with(b"\r\n"), "{text:?}");
    assert!(line[..3].iter().all(u8::is_ascii_digit) && matches!(line[3], b' ' | b'-'), "{text:?}");
    let word = text[4..].trim_end().split(' ').next().unwrap_or_default();
    let enhanced = word.as_bytes().first() == Some(&line[0]) && word.split('.').count() == 3;
    let bare = line[0] == b'3' || line[3] == b'-' || word == HOSTNAME || word == "HELP";
    assert!(enhanced || bare, "{role:?}: {text:?} has no enhanced code");
}

fuzz_target!(|data: &[u8]| {
    let [kind, steps, input @ ..] = data else { return };
    let mut input = input;
    let profile = profile(*kind);
    let role = profile.role;
    let mut session = Session::new(profile);
    session.greet();
    let piece = usize::from(*steps).max(1);
    let mut open = true;
    while open && !input.is_empty() {
        let (now, _) = input.split_at(piece.min(input.len()));
        let fed = session.feed(now);
        assert!(fed.used <= now.len() && (fed.used > 0 || fed.effect.is_some()), "it goes on");
        input = &input[fed.used..];
        match fed.effect {
            Some(Effect::AskReady) => session.ready(if input.len() % 7 == 0 { Err(NotNow::Full) } else { Ok(()) }),
            Some(Effect::AskRecipient(address)) => session.recipient(whose(&address)),
            Some(Effect::StartData) => session.start_data(b"Received: from a test\r\n"),
            Some(Effect::Accept(incoming)) => {
                assert!(incoming.message.len() <= 4096 + 64 && !incoming.recipients.is_empty());
                assert!(role != Role::Submission || session.user().is_some(), "nothing before the login");
                let answers = (0..incoming.recipients.len())
                    .map(|number| if number % 3 == 2 { Err(NotNow::Unavailable) } else { Ok(CopyId(1)) });
                session.kept(&answers.collect::<Vec<_>>());
            }
            Some(Effect::Authenticate { user, password }) => {
                assert!(role != Role::Lmtp && (session.is_secured() || *kind & 32 != 0), "no password in the clear");
                session.logged_in(match (user.len() + password.len()) % 4 {
                    0 => LoginAnswer::Right,
                    1 => LoginAnswer::TooManyGuesses,
                    2 => LoginAnswer::NotNow,
                    _ => LoginAnswer::Wrong,
                });
            }
            Some(Effect::StartTls) => session.secured(),
            Some(Effect::Close) => open = false,
            Some(Effect::Delay(_)) | None => {}
        }
        session.replies().split_inclusive(|byte| *byte == b'\n').for_each(|line| check(line, role));
        session.replies().clear();
    }
});
