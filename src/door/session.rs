//! The SMTP session as a state machine (RFC 5321): fed with octets, it writes replies and says what is to be done. It knows no
//! socket, no clock and no store, so every dialog can be tested octet by octet.
//!
//! What it cannot decide alone it asks by an [`Effect`] and is answered by a call. A question that is not answered before the
//! next octets counts as "not now", so that forgetting can lose a reply's kindness but never a mail.

mod effect;
mod login;

use std::sync::Arc;

use memchr::memchr;

use super::auth::{self, Exchange};
use super::command::{self, Command};
use super::data::DataReader;
use super::offers::{Manner, greeting, offers};
use super::reply::{self, Reply};
use crate::config::{Limits, Role};
use crate::domain::CopyId;
use crate::ops::accept::{NotNow, Recipient};

pub use effect::{Addressee, Effect, Goodbye, Incoming, LoginAnswer};

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
    /// Whether there is anybody who may log in.
    pub offers_login: bool,
    /// Whether the client is at the other end of a socket of this machine, where nobody can listen: a password may pass without TLS.
    pub is_local: bool,
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
    user: Option<String>,
    failed_logins: u32,
    line: Vec<u8>,
    replies: Vec<u8>,
    errors: u32,
    idle_commands: u32,
    last_refusal: Option<Reply>,
}

enum Phase {
    Idle,
    Login(Exchange),
    Transaction(Envelope),
    Data(Envelope, DataReader),
    Closed,
}

enum Question {
    Ready(Envelope),
    Recipient(String),
    StartData,
    Kept(Vec<usize>),
    Login(String),
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
    addressees: Vec<Addressee>,
    /// For each RCPT that was right, in order, whose it was: LMTP answers each of them (RFC 2033 4.2).
    recipients: Vec<usize>,
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
            user: None,
            failed_logins: 0,
            line: Vec::new(),
            replies: Vec::new(),
            errors: 0,
            idle_commands: 0,
            last_refusal: None,
        }
    }

    /// Writes the greeting.
    pub fn greet(&mut self) {
        self.say(&greeting(&self.profile.hostname, self.profile.role));
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
                Phase::Idle | Phase::Login(_) | Phase::Transaction(_) => self.take_line(rest),
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
        let known = envelope.addressees.iter().position(|known| known.shop == shop && known.letter == letter);
        envelope.recipients.push(known.unwrap_or(envelope.addressees.len()));
        if known.is_none() {
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

    /// Answers [`Effect::Accept`], once for each of [`Incoming::recipients`] in their order; what is not answered was not kept. `Ok`
    /// must mean durable.
    ///
    /// SMTP has one reply for all: it is 250 only when all are kept, and names the first id, so that both sides' logs can be compared.
    /// LMTP has one for each RCPT that was right.
    pub fn kept(&mut self, answers: &[Result<CopyId, NotNow>]) {
        let recipients = match self.asked.take() {
            Some(Question::Kept(recipients)) => recipients,
            other => return self.asked = other,
        };
        let reply = |answer: Option<&Result<CopyId, NotNow>>| match answer {
            Some(Ok(id)) => format!("250 2.0.0 kept as copy {id}"),
            Some(Err(why)) => not_now(why).to_owned(),
            None => reply::UNAVAILABLE.to_owned(),
        };
        let all = !answers.is_empty() && recipients.iter().all(|index| answers.get(*index).is_some_and(Result::is_ok));
        if all {
            // Limits are for clients that get nowhere; one that keeps delivering may go on.
            (self.errors, self.idle_commands) = (0, 0);
        }
        if self.profile.role == Role::Lmtp {
            recipients.iter().for_each(|index| self.say(&reply(answers.get(*index))));
        } else if all {
            self.say(&reply(answers.first()));
        } else {
            self.say(&reply(answers.iter().find(|answer| answer.is_err())));
        }
    }

    /// TLS is active: everything that was said in the clear is forgotten (RFC 3207 4.2).
    pub fn secured(&mut self) {
        self.secured = true;
        self.hello = None;
        self.user = None;
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

    /// Who has logged in.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// How the message comes in, by the names of RFC 3848 and RFC 6531 4.3.
    pub fn protocol(&self) -> &'static str {
        let manner = Manner {
            role: self.profile.role,
            extended: self.hello.as_ref().is_some_and(|hello| hello.extended),
            utf8: matches!(&self.phase, Phase::Transaction(envelope) | Phase::Data(envelope, _) if envelope.utf8),
            tls: self.secured,
            user: self.user.is_some(),
        };
        manner.protocol()
    }

    /// Takes octets up to and with LF; runs the command when it is complete.
    fn take_line(&mut self, input: &[u8]) -> usize {
        let end = memchr(b'\n', input).map(|at| at + 1);
        let taken = &input[..end.unwrap_or(input.len())];
        let length = self.line.len() + taken.len();
        // Without LF the limit is met one octet earlier: at least LF is to come.
        if length + usize::from(end.is_none()) > self.longest_line(taken) {
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

    /// How long the line that is being taken may be; a login may be longer than other commands (RFC 4954 4).
    fn longest_line(&self, taken: &[u8]) -> usize {
        let limit = self.profile.limits.command_line;
        let begin = self.line.iter().chain(taken).take(5).map(u8::to_ascii_uppercase);
        let is_login = matches!(self.phase, Phase::Login(_)) || self.may_log_in() && begin.eq(*b"AUTH ");
        if is_login { limit.max(auth::LONGEST_LINE) } else { limit }
    }

    fn command(&mut self, line: &[u8]) {
        if let Phase::Login(exchange) = &mut self.phase {
            let exchange = std::mem::replace(exchange, Exchange::Plain);
            self.phase = Phase::Idle;
            return self.login(auth::go_on(exchange, line));
        }
        let lmtp = self.profile.role == Role::Lmtp;
        match command::parse(line) {
            Ok(Command::Ehlo(_) | Command::Helo(_)) if lmtp => self.refuse(reply::SPEAKS_LMTP),
            Ok(Command::Lhlo(_)) if !lmtp => self.refuse(reply::UNKNOWN),
            Ok(Command::Ehlo(name) | Command::Lhlo(name)) => self.greeted(name.into_owned(), true),
            Ok(Command::Helo(name)) => self.greeted(name.into_owned(), false),
            Ok(Command::Auth { mechanism, initial }) => self.auth(mechanism, initial),
            Ok(Command::Mail { auth: true, .. }) if !self.takes_logins() => self.refuse(reply::PARAMETER),
            Ok(Command::Mail { from, size, utf8, .. }) => self.mail(from, size, utf8),
            Ok(Command::Rcpt { to }) => self.rcpt(to),
            Ok(Command::Data) => self.data(),
            Ok(Command::Rset) => {
                self.phase = Phase::Idle;
                self.idle(reply::FINE);
            }
            Ok(Command::Noop) => self.idle(reply::FINE),
            Ok(Command::Vrfy) => self.idle(reply::NOT_TOLD),
            Ok(Command::Help) => self.idle(if lmtp { reply::HELP_LMTP } else { reply::HELP }),
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
            let starttls = profile.offers_tls && !self.secured;
            offers(&profile.hostname, &profile.limits, starttls, self.may_log_in() && self.user.is_none())
        } else {
            format!("250 {}", profile.hostname)
        };
        if again { self.idle(&text) } else { self.say(&text) }
    }

    fn mail(&mut self, from: &str, size: usize, utf8: bool) {
        if self.profile.requires_tls && !self.secured {
            self.refuse(reply::TLS_FIRST);
        } else if self.hello.is_none() {
            self.hello_first();
        } else if self.profile.role == Role::Submission && self.user.is_none() {
            self.refuse(if self.may_log_in() { reply::LOGIN_FIRST } else { reply::TLS_FIRST });
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
            Phase::Transaction(envelope) if envelope.recipients.len() >= self.profile.limits.recipients => {
                self.say(reply::TOO_MANY_RECIPIENTS);
            }
            Phase::Transaction(envelope) if !envelope.utf8 && !to.is_ascii() => self.refuse(reply::NEEDS_SMTPUTF8),
            Phase::Transaction(_) => self.ask(Question::Recipient(to.to_owned()), Effect::AskRecipient(to.to_owned())),
            _ => self.refuse(reply::MAIL_FIRST),
        }
    }

    fn data(&mut self) {
        match &self.phase {
            Phase::Transaction(envelope) if envelope.addressees.is_empty() => {
                let lmtp = self.profile.role == Role::Lmtp;
                self.refuse(if lmtp { reply::NO_RECIPIENTS_LMTP } else { reply::NO_RECIPIENTS });
            }
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
            self.hello_first();
        } else {
            self.say(reply::START_TLS);
            self.effect = Some(Effect::StartTls);
        }
    }

    fn hello_first(&mut self) {
        self.refuse(if self.profile.role == Role::Lmtp { reply::LHLO_FIRST } else { reply::HELLO_FIRST });
    }

    fn end_of_data(&mut self) {
        let Phase::Data(envelope, reader) = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        match reader.finish(&self.profile.limits) {
            Ok(message) => {
                let Envelope { from: mail_from, addressees: recipients, recipients: answered, .. } = envelope;
                self.ask(Question::Kept(answered), Effect::Accept(Incoming { mail_from, recipients, message }));
            }
            Err(refusal) => {
                self.refuse(refusal);
                if self.profile.role == Role::Lmtp && !matches!(self.phase, Phase::Closed) {
                    envelope.recipients.iter().skip(1).for_each(|_| self.say(refusal));
                }
            }
        }
    }

    fn ask(&mut self, question: Question, effect: Effect) {
        self.asked = Some(question);
        self.effect = Some(effect);
    }

    fn give_up_waiting(&mut self) {
        match &self.asked {
            Some(Question::Ready(_)) => self.ready(Err(NotNow::Unavailable)),
            Some(Question::Kept(_)) => self.kept(&[]),
            Some(Question::Login(_)) => self.logged_in(LoginAnswer::NotNow),
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
