//! The SMTP session as a state machine (RFC 5321): fed with octets, it writes replies and says what is to be done. It knows no
//! socket, no clock and no store, so every dialog can be tested octet by octet.
//!
//! What it cannot decide alone it asks by an [`Effect`] and is answered by a call. A question that is not answered before the
//! next octets counts as "not now", so that forgetting can lose a reply's kindness but never a mail.

use std::sync::Arc;
use std::time::Duration;

use memchr::memchr;

use super::command::{self, Command};
use super::data::DataReader;
use super::reply::{self, Reply};
use crate::config::{Limits, Role};
use crate::domain::{CopyId, LetterId, ShopId};
use crate::ops::accept::{NotNow, Recipient};

/// The first errors of a session cost nothing, each one from this on costs [`Limits::error_delay`].
const DELAYED_FROM: u32 = 3;

/// What a session is like from its first octet on.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Our name in the greeting and the EHLO reply.
    pub hostname: Arc<str>,
    /// What the client may do.
    pub limits: Arc<Limits>,
    /// Whether there is a certificate for STARTTLS.
    pub offers_tls: bool,
    /// What the listener is for.
    pub role: Role,
    /// Whether nothing is taken before STARTTLS: 530 5.7.0.
    pub requires_tls: bool,
}

/// What is to be done before the session is fed again.
pub enum Effect {
    /// MAIL is right. Ask whether a copy could be kept; answer by [`Session::ready`].
    AskReady,
    /// RCPT is right. Ask whose address this is; answer by [`Session::recipient`].
    AskRecipient(String),
    /// DATA is right. Answer by [`Session::start_data`], or by [`Session::end`] with [`Goodbye::Hasty`] when octets of the client
    /// are waiting already, which it sent before it could know that they would be taken for a message.
    StartData,
    /// A message is complete. Make it durable; answer by [`Session::kept`].
    Accept(Incoming),
    /// Send the replies, forget what else the client sent (RFC 3207 4.2), shake hands, call [`Session::secured`].
    StartTls,
    /// Wait this long before the replies are sent.
    Delay(Duration),
    /// Send the replies and close.
    Close,
}

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// The shop.
    pub shop: ShopId,
    /// The letter, when it was sent to that letter's return address.
    pub letter: Option<LetterId>,
    /// The forward-path that named it first.
    pub rcpt_to: String,
}

/// A message with its envelope.
pub struct Incoming {
    /// The reverse-path, empty for `<>`.
    pub mail_from: String,
    /// Whom it is for, each once; at least one.
    pub recipients: Vec<Addressee>,
    /// The message with the trace header that [`Session::start_data`] was given; CRLF line ends, dots unstuffed.
    pub message: Vec<u8>,
}

/// Why the session ends before the client says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// The client sent more before it could know that it may: 554 5.5.0.
    Hasty,
    /// The client was silent or slow: 421 4.4.2.
    TimedOut,
    /// The service is stopping: 421 4.3.2.
    Stopping,
}

/// How much of the input was used, and what is to be done. Without an effect all of it was used.
pub struct Fed {
    /// Octets used.
    pub used: usize,
    /// What comes next.
    pub effect: Option<Effect>,
}

/// One client's session.
pub struct Session {
    profile: Profile,
    phase: Phase,
    asked: Option<Question>,
    effect: Option<Effect>,
    hello: Option<Hello>,
    secured: bool,
    pressed: bool,
    line: Vec<u8>,
    replies: Vec<u8>,
    errors: u32,
    idle_commands: u32,
    last_refusal: Option<Reply>,
}

enum Phase {
    Idle,
    Transaction(Envelope),
    Data(Envelope, DataReader),
    Closed,
}

enum Question {
    Ready(Envelope),
    Recipient(String),
    StartData,
    Kept,
}

struct Hello {
    name: String,
    extended: bool,
}

#[derive(Default)]
struct Envelope {
    from: String,
    size: usize,
    utf8: bool,
    recipients: usize,
    addressees: Vec<Addressee>,
}

impl Session {
    /// A session that has not greeted yet; see [`Self::greet`].
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            phase: Phase::Idle,
            asked: None,
            effect: None,
            hello: None,
            secured: false,
            pressed: false,
            line: Vec::new(),
            replies: Vec::new(),
            errors: 0,
            idle_commands: 0,
            last_refusal: None,
        }
    }

    /// Writes the greeting.
    pub fn greet(&mut self) {
        let greeting = format!("220 {} ESMTP invited", self.profile.hostname);
        self.say(&greeting);
    }

    /// Uses octets of the client, up to the first that needs something done. Fed with nothing, it still tells what is to be done
    /// after an answer, such as a delay after an unknown recipient.
    pub fn feed(&mut self, input: &[u8]) -> Fed {
        self.give_up_waiting();
        let mut used = 0;
        while used < input.len() && self.effect.is_none() {
            let rest = &input[used..];
            used += match &mut self.phase {
                Phase::Closed => return Fed { used: input.len(), effect: Some(Effect::Close) },
                Phase::Data(_, reader) => {
                    let (taken, done) = reader.take(rest, &self.profile.limits);
                    if done {
                        self.end_of_data();
                    }
                    taken
                }
                Phase::Idle | Phase::Transaction(_) => self.take_line(rest),
            };
        }
        Fed { used, effect: self.effect.take() }
    }

    /// The replies that are to be sent, in order.
    pub fn replies(&mut self) -> &mut Vec<u8> {
        &mut self.replies
    }

    /// Answers [`Effect::AskReady`].
    pub fn ready(&mut self, answer: Result<(), NotNow>) {
        let Some(Question::Ready(envelope)) = self.asked.take() else { return };
        match answer {
            Ok(()) => {
                self.phase = Phase::Transaction(envelope);
                self.say(reply::SENDER_FINE);
            }
            Err(why) => self.say(not_now(&why)),
        }
    }

    /// Answers [`Effect::AskRecipient`].
    pub fn recipient(&mut self, answer: Recipient) {
        let Some(Question::Recipient(address)) = self.asked.take() else { return };
        let Phase::Transaction(envelope) = &mut self.phase else { return };
        let (shop, letter) = match answer {
            Recipient::Shop(shop) => (shop, None),
            Recipient::Letter(shop, letter) => (shop, Some(letter)),
            Recipient::Unknown => return self.refuse(reply::NO_SUCH_ADDRESS),
        };
        envelope.recipients += 1;
        if !envelope.addressees.iter().any(|known| known.shop == shop && known.letter == letter) {
            envelope.addressees.push(Addressee { shop, letter, rcpt_to: address });
        }
        self.say(reply::RECIPIENT_FINE);
    }

    /// Answers [`Effect::StartData`]: the client may send its message. `trace` is put before it.
    pub fn start_data(&mut self, trace: &[u8]) {
        if self.asked.take_if(|asked| matches!(asked, Question::StartData)).is_none() {
            return;
        }
        if let Phase::Transaction(envelope) = std::mem::replace(&mut self.phase, Phase::Idle) {
            let reader = DataReader::new(trace, envelope.size);
            self.phase = Phase::Data(envelope, reader);
            self.say(reply::GO_AHEAD);
        }
    }

    /// Answers [`Effect::Accept`]. `Ok` must mean durable. The first id is told, so that both sides' logs can be compared.
    pub fn kept(&mut self, answer: Result<&[CopyId], NotNow>) {
        if self.asked.take_if(|asked| matches!(asked, Question::Kept)).is_none() {
            return;
        }
        match answer {
            Ok(ids) => {
                // Limits are for clients that get nowhere; one that keeps delivering may go on.
                (self.errors, self.idle_commands) = (0, 0);
                match ids.first() {
                    Some(id) => self.say(&format!("250 2.0.0 kept as copy {id}")),
                    None => self.say(reply::FINE),
                }
            }
            Err(why) => self.say(not_now(&why)),
        }
    }

    /// TLS is active: everything that was said in the clear is forgotten (RFC 3207 4.2).
    pub fn secured(&mut self) {
        self.secured = true;
        self.hello = None;
        self.phase = Phase::Idle;
        self.asked = None;
        self.line = Vec::new();
        self.replies.clear();
    }

    /// Ends the session: writes the reply, and every further octet is ignored.
    pub fn end(&mut self, why: Goodbye) {
        self.close(match why {
            Goodbye::Hasty => reply::HASTY,
            Goodbye::TimedOut => reply::TIMED_OUT,
            Goodbye::Stopping => reply::STOPPING,
        });
        self.effect = None;
    }

    /// Whether others wait for this place: then the first error is the last (Postfix: `smtpd_hard_error_limit` under stress).
    pub fn press(&mut self, pressed: bool) {
        self.pressed = pressed;
    }

    /// The last 5xx or 421 of the session; our own words, so it may be logged.
    pub fn last_refusal(&self) -> Option<&'static str> {
        self.last_refusal
    }

    /// Whether a message is being read.
    pub fn in_data(&self) -> bool {
        matches!(self.phase, Phase::Data(..))
    }

    /// Whether TLS is active.
    pub fn is_secured(&self) -> bool {
        self.secured
    }

    /// The name that the client gave; empty before EHLO.
    pub fn hello(&self) -> &str {
        self.hello.as_ref().map_or("", |hello| &hello.name)
    }

    /// How the message comes in, by the names of RFC 3848 and RFC 6531 4.3.
    pub fn protocol(&self) -> &'static str {
        let utf8 = matches!(&self.phase, Phase::Transaction(envelope) | Phase::Data(envelope, _) if envelope.utf8);
        match (self.hello.as_ref().is_some_and(|hello| hello.extended), utf8, self.secured) {
            (false, ..) => "SMTP",
            (true, false, false) => "ESMTP",
            (true, false, true) => "ESMTPS",
            (true, true, false) => "UTF8SMTP",
            (true, true, true) => "UTF8SMTPS",
        }
    }

    /// Takes octets up to and with LF; runs the command when it is complete.
    fn take_line(&mut self, input: &[u8]) -> usize {
        let end = memchr(b'\n', input).map(|at| at + 1);
        let taken = &input[..end.unwrap_or(input.len())];
        let length = self.line.len() + taken.len();
        // Without LF the limit is met one octet earlier: at least LF is to come.
        if length + usize::from(end.is_none()) > self.profile.limits.command_line {
            self.close(reply::LONG_COMMAND);
        } else if end.is_none() {
            self.line.extend_from_slice(taken);
        } else if self.line.is_empty() {
            self.command(taken);
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(taken);
            self.command(&line);
        }
        taken.len()
    }

    fn command(&mut self, line: &[u8]) {
        match command::parse(line) {
            Ok(Command::Ehlo(name)) => self.greeted(name.into_owned(), true),
            Ok(Command::Helo(name)) => self.greeted(name.into_owned(), false),
            Ok(Command::Mail { from, size, utf8 }) => self.mail(from, size, utf8),
            Ok(Command::Rcpt { to }) => self.rcpt(to),
            Ok(Command::Data) => self.data(),
            Ok(Command::Rset) => {
                self.phase = Phase::Idle;
                self.idle(reply::FINE);
            }
            Ok(Command::Noop) => self.idle(reply::FINE),
            Ok(Command::Vrfy) => self.idle(reply::NOT_TOLD),
            Ok(Command::Help) => self.idle(reply::HELP),
            Ok(Command::StartTls) => self.start_tls(),
            Ok(Command::Quit) => self.close(reply::BYE),
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn greeted(&mut self, name: String, extended: bool) {
        self.phase = Phase::Idle;
        let again = self.hello.replace(Hello { name, extended }).is_some();
        let profile = &self.profile;
        let text = if extended {
            let tls = if profile.offers_tls && !self.secured { "250-STARTTLS\r\n" } else { "" };
            format!(
                "250-{}\r\n250-PIPELINING\r\n250-SIZE {}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n{tls}250 HELP",
                profile.hostname, profile.limits.message
            )
        } else {
            format!("250 {}", profile.hostname)
        };
        if again { self.idle(&text) } else { self.say(&text) }
    }

    fn mail(&mut self, from: &str, size: usize, utf8: bool) {
        if self.profile.requires_tls && !self.secured {
            self.refuse(reply::TLS_FIRST);
        } else if self.hello.is_none() {
            self.refuse(reply::HELLO_FIRST);
        } else if matches!(self.phase, Phase::Transaction(_)) {
            self.refuse(reply::MAIL_TWICE);
        } else if size > self.profile.limits.message {
            self.refuse(reply::TOO_BIG);
        } else {
            let from = from.to_owned();
            self.ask(Question::Ready(Envelope { from, size, utf8, ..Envelope::default() }), Effect::AskReady);
        }
    }

    fn rcpt(&mut self, to: &str) {
        match &self.phase {
            Phase::Transaction(envelope) if envelope.recipients >= self.profile.limits.recipients => {
                self.say(reply::TOO_MANY_RECIPIENTS);
            }
            Phase::Transaction(envelope) if !envelope.utf8 && !to.is_ascii() => self.refuse(reply::NEEDS_SMTPUTF8),
            Phase::Transaction(_) => self.ask(Question::Recipient(to.to_owned()), Effect::AskRecipient(to.to_owned())),
            _ => self.refuse(reply::MAIL_FIRST),
        }
    }

    fn data(&mut self) {
        match &self.phase {
            Phase::Transaction(envelope) if envelope.addressees.is_empty() => self.refuse(reply::NO_RECIPIENTS),
            Phase::Transaction(_) => self.ask(Question::StartData, Effect::StartData),
            _ => self.refuse(reply::MAIL_FIRST),
        }
    }

    fn start_tls(&mut self) {
        if self.secured {
            self.refuse(reply::TLS_TWICE);
        } else if !self.profile.offers_tls {
            self.refuse(reply::NOT_IMPLEMENTED);
        } else if !self.hello.as_ref().is_some_and(|hello| hello.extended) {
            self.refuse(reply::HELLO_FIRST);
        } else {
            self.say(reply::START_TLS);
            self.effect = Some(Effect::StartTls);
        }
    }

    fn end_of_data(&mut self) {
        let Phase::Data(envelope, reader) = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        match reader.finish(&self.profile.limits) {
            Ok(message) => {
                let Envelope { from: mail_from, addressees: recipients, .. } = envelope;
                self.ask(Question::Kept, Effect::Accept(Incoming { mail_from, recipients, message }));
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn ask(&mut self, question: Question, effect: Effect) {
        self.asked = Some(question);
        self.effect = Some(effect);
    }

    fn give_up_waiting(&mut self) {
        match &self.asked {
            Some(Question::Ready(_)) => self.ready(Err(NotNow::Unavailable)),
            Some(Question::Kept) => self.kept(Err(NotNow::Unavailable)),
            Some(Question::Recipient(_) | Question::StartData) => {
                self.asked = None;
                self.say(reply::UNAVAILABLE);
            }
            None => {}
        }
    }

    fn say(&mut self, text: &str) {
        reply::write(&mut self.replies, text);
    }

    /// A 5xx: counted, delayed when there were some, and the last one allowed becomes 421.
    fn refuse(&mut self, refusal: Reply) {
        self.errors += 1;
        self.last_refusal = Some(refusal);
        let limits = &self.profile.limits;
        if self.errors >= limits.errors || self.pressed {
            self.close(reply::TOO_MANY_ERRORS);
            return;
        }
        if self.errors >= DELAYED_FROM && !limits.error_delay.is_zero() {
            self.effect = Some(Effect::Delay(limits.error_delay));
        }
        self.say(refusal);
    }

    /// A command that moves nothing: answered, but not for ever.
    fn idle(&mut self, text: &str) {
        self.idle_commands += 1;
        if self.idle_commands > self.profile.limits.idle_commands {
            self.close(reply::TOO_MANY_IDLE);
        } else {
            self.say(text);
        }
    }

    fn close(&mut self, text: Reply) {
        self.say(text);
        if text != reply::BYE {
            self.last_refusal = Some(text);
        }
        self.phase = Phase::Closed;
        self.asked = None;
        self.line = Vec::new();
        self.effect = Some(Effect::Close);
    }
}

fn not_now(why: &NotNow) -> Reply {
    match why {
        NotNow::Full => reply::FULL,
        NotNow::Unavailable => reply::UNAVAILABLE,
    }
}
