//! The scripts against the bare session: whole, by single octets and by threes.

use std::sync::Arc;

use invited::door::{Effect, Goodbye, LoginAnswer, Profile, Role, Session};
use invited::ops::accept::NewCopy;

use crate::HOSTNAME;
use crate::intake::{FakeIntake, next};
use crate::script::{Script, Step, scripts};

/// What the bare session is given as its trace header.
const TRACE: &[u8] = b"Received: from a test\r\n\t; today\r\n";

/// Plays the shell's part for a session, without any I/O.
pub(crate) struct Bare {
    pub(crate) session: Session,
    pub(crate) intake: Arc<FakeIntake>,
    role: Role,
    pub(crate) said: Vec<u8>,
    pub(crate) closed: bool,
    pub(crate) handshake: bool,
    /// Whether octets that wait behind DATA end the session, as they do in the shell.
    pub(crate) watchful: bool,
}

impl Bare {
    pub(crate) fn new(script: &Script, intake: Arc<FakeIntake>, watchful: bool) -> Self {
        let profile = Profile {
            hostname: HOSTNAME.into(),
            limits: Arc::new(script.limits.clone()),
            offers_tls: script.tls,
            role: script.role,
            offers_login: script.logins,
            is_local: script.local,
            requires_tls: script.requires_tls,
        };
        let mut session = Session::new(profile);
        session.greet();
        Self { session, intake, role: script.role, said: Vec::new(), closed: false, handshake: false, watchful }
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        let mut used = 0;
        while !self.closed && !self.handshake {
            let fed = self.session.feed(&octets[used..]);
            used += fed.used;
            match fed.effect {
                None => {
                    assert_eq!(used, octets.len(), "octets were left without an effect");
                    break;
                }
                Some(Effect::AskReady) => self.session.ready(next(&self.intake.ready)),
                Some(Effect::AskRecipient(address)) => self.session.recipient(FakeIntake::whose(&address)),
                Some(Effect::StartData) if self.watchful && used < octets.len() => {
                    self.session.end(Goodbye::Hasty);
                    self.closed = true;
                }
                Some(Effect::StartData) => self.session.start_data(TRACE),
                Some(Effect::Accept(incoming)) => {
                    let message: Arc<[u8]> = incoming.message.into();
                    let copies = incoming.recipients.into_iter().map(|addressee| NewCopy {
                        shop: addressee.shop,
                        rcpt_to: addressee.rcpt_to,
                        mail_from: incoming.mail_from.clone(),
                        handed: invited::domain::Handed {
                            client: None,
                            hello: self.session.hello().to_owned(),
                            tls: self.session.is_secured(),
                            user: self.session.user().map(str::to_owned),
                            ..invited::domain::Handed::default()
                        },
                        answers: addressee.letter,
                        message: Arc::clone(&message),
                        received_at: invited::domain::Timestamp(0),
                    });
                    let alone = match self.role {
                        Role::Lmtp => copies.map(|copy| vec![copy]).collect::<Vec<_>>(),
                        Role::Smtp | Role::Submission => vec![copies.collect()],
                    };
                    let mut answers = Vec::new();
                    for together in alone {
                        let count = together.len();
                        match self.intake.keep(together) {
                            Ok(ids) => answers.extend(ids.into_iter().map(Ok)),
                            Err(error) => answers.extend(vec![Err(error); count]),
                        }
                    }
                    self.session.kept(&answers);
                }
                Some(Effect::Authenticate { user, password }) => {
                    self.session.logged_in(match self.intake.knows(&user, &password) {
                        Ok(true) => LoginAnswer::Right,
                        Ok(false) => LoginAnswer::Wrong,
                        Err(_) => LoginAnswer::NotNow,
                    });
                }
                Some(Effect::Delay(_)) => {}
                Some(Effect::StartTls) => self.handshake = true,
                Some(Effect::Close) => self.closed = true,
            }
        }
        self.said.append(self.session.replies());
    }

    pub(crate) fn line(&mut self) -> Option<String> {
        self.said.append(self.session.replies());
        let end = self.said.iter().position(|byte| *byte == b'\n')?;
        let line = self.said.drain(..=end).collect::<Vec<_>>();
        Some(String::from_utf8(line).unwrap().trim_end().to_owned())
    }

    pub(crate) fn play(&mut self, script: &Script, piece: usize) -> Result<(), String> {
        for (line, step) in &script.steps {
            let fault = |what: String| Err(format!("line {line}: {what}"));
            match step {
                Step::Send(octets) => octets.chunks(piece).for_each(|piece| self.send(piece)),
                Step::Expect(begin) => match self.line() {
                    Some(reply) if reply.starts_with(begin) => {}
                    other => return fault(format!("expected {begin:?}, got {other:?}")),
                },
                Step::Tls => {
                    if !std::mem::take(&mut self.handshake) {
                        return fault("no handshake is due".to_owned());
                    }
                    self.session.secured();
                }
                Step::Closed if !self.closed => return fault("not closed".to_owned()),
                Step::Closed => {}
                Step::Kept(count) if self.intake.count() != *count => {
                    return fault(format!("{} kept", self.intake.count()));
                }
                Step::Kept(_) => {}
                Step::Body(body) if self.intake.last_body() != *body => {
                    return fault(format!("the message is {:?}", String::from_utf8_lossy(&self.intake.last_body())));
                }
                Step::Body(_) => {}
            }
        }
        match self.line() {
            Some(more) => Err(format!("one reply too many: {more}")),
            None => Ok(()),
        }
    }
}

#[test]
fn the_bare_session_keeps_to_every_script() {
    let mut faults = Vec::new();
    for (name, script) in scripts() {
        // By single octets nothing can wait behind DATA, so the scripts about that make no sense then.
        let pieces: &[usize] = if name.starts_with("hasty") { &[usize::MAX] } else { &[usize::MAX, 1, 3] };
        for piece in pieces {
            let mut bare = Bare::new(&script, script.intake(), true);
            if let Err(fault) = bare.play(&script, *piece) {
                faults.push(format!("{name} by {piece}: {fault}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
