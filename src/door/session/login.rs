//! The session's part about logins (RFC 4954): who may begin one and when, and what a wrong one costs.

use super::{Effect, LoginAnswer, Phase, Question, Session};
use crate::config::Role;
use crate::door::auth::{self, Step};
use crate::door::reply;

/// A client that was wrong so often within a session is not let try again.
const FAILED_LOGINS: u32 = 3;

impl Session {
    /// Answers [`Effect::Authenticate`].
    pub fn logged_in(&mut self, answer: LoginAnswer) {
        let user = match self.asked.take() {
            Some(Question::Login(user)) => user,
            other => return self.asked = other,
        };
        match answer {
            LoginAnswer::Right => {
                self.user = Some(user);
                self.say(reply::LOGGED_IN);
            }
            LoginAnswer::Wrong => self.wrong_login(),
            LoginAnswer::TooManyGuesses => self.refuse(reply::TOO_MANY_GUESSES),
            LoginAnswer::NotNow => self.idle(reply::LOGIN_LATER),
        }
    }

    /// Whether anybody may log in at this listener. A mail server beside us does not.
    pub(super) fn takes_logins(&self) -> bool {
        self.profile.offers_login && self.profile.role != Role::Lmtp
    }

    /// Whether somebody may log in now: a password never passes where others can listen.
    pub(super) fn may_log_in(&self) -> bool {
        self.takes_logins() && (self.secured || self.profile.is_local)
    }

    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&str>) {
        if !self.takes_logins() {
            self.refuse(reply::NOT_IMPLEMENTED);
        } else if !self.hello.as_ref().is_some_and(|hello| hello.extended) {
            self.hello_first();
        } else if !self.may_log_in() {
            self.refuse(reply::TLS_FOR_LOGIN);
        } else if self.user.is_some() {
            self.refuse(reply::LOGIN_TWICE);
        } else if matches!(self.phase, Phase::Transaction(_)) {
            self.refuse(reply::LOGIN_BETWEEN);
        } else {
            self.login(auth::begin(mechanism, initial));
        }
    }

    pub(super) fn login(&mut self, step: Step) {
        match step {
            Step::Ask(question, exchange) => {
                self.phase = Phase::Login(exchange);
                self.say(question);
            }
            Step::Check { user, password } => {
                self.ask(Question::Login(user.clone()), Effect::Authenticate { user, password });
            }
            Step::Refuse(reply::WRONG_LOGIN) => self.wrong_login(),
            Step::Refuse(refusal) => self.refuse(refusal),
        }
    }

    /// Whoever guesses waits, each time longer, and is soon shown out.
    fn wrong_login(&mut self) {
        self.failed_logins += 1;
        if self.failed_logins >= FAILED_LOGINS {
            return self.close(reply::TOO_MANY_FAILED_LOGINS);
        }
        self.refuse(reply::WRONG_LOGIN);
        let delay = self.profile.limits.error_delay * self.failed_logins;
        if !delay.is_zero() && !matches!(self.phase, Phase::Closed) {
            self.effect = Some(Effect::Delay(delay));
        }
    }
}
