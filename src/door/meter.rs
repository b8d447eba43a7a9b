//! What the door counts: who came, what they handed in, what they were told.

use std::time::Duration;

use rustls::ProtocolVersion;

use super::listener::Door;
use super::reply::{self, Reply};
use super::session::LoginAnswer;
use super::tls::certificate_ends;
use crate::meter::{Counter, MILLISECONDS, Page, Show, Spread};

/// Codes that are shown though nobody was told them yet.
const USUAL: [usize; 4] = [421, 451, 452, 550];

/// What a door has done since it was opened.
#[derive(Debug)]
pub(crate) struct Meter {
    sessions: Counter,
    too_many: Counter,
    too_fast: Counter,
    tls_13: Counter,
    tls_12: Counter,
    tls_failed: Counter,
    logged_in: Counter,
    wrong_login: Counter,
    too_many_guesses: Counter,
    login_not_now: Counter,
    kept: Counter,
    put_off: Counter,
    copies: Counter,
    octets: Counter,
    intake: Spread<12>,
    /// Replies with a code from 400 to 599.
    refusals: [Counter; 200],
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            sessions: Counter::default(),
            too_many: Counter::default(),
            too_fast: Counter::default(),
            tls_13: Counter::default(),
            tls_12: Counter::default(),
            tls_failed: Counter::default(),
            logged_in: Counter::default(),
            wrong_login: Counter::default(),
            too_many_guesses: Counter::default(),
            login_not_now: Counter::default(),
            kept: Counter::default(),
            put_off: Counter::default(),
            copies: Counter::default(),
            octets: Counter::default(),
            intake: Spread::new(&MILLISECONDS),
            refusals: std::array::from_fn(|_| Counter::default()),
        }
    }
}

impl Meter {
    /// A client has a place.
    pub(super) fn let_in(&self) {
        self.sessions.one();
    }

    /// A client was sent away before it was greeted.
    pub(super) fn turned_away(&self, refusal: Reply) {
        let counter = if refusal == reply::TOO_MANY_CONNECTIONS { &self.too_fast } else { &self.too_many };
        counter.one();
    }

    /// A handshake ended: with this version, or not.
    pub(super) fn shook_hands(&self, version: Option<ProtocolVersion>) {
        match version {
            Some(ProtocolVersion::TLSv1_3) => self.tls_13.one(),
            Some(_) => self.tls_12.one(),
            None => self.tls_failed.one(),
        }
    }

    /// Somebody tried to log in and was answered so.
    pub(super) fn login(&self, answer: &LoginAnswer) {
        match answer {
            LoginAnswer::Right => self.logged_in.one(),
            LoginAnswer::Wrong => self.wrong_login.one(),
            LoginAnswer::TooManyGuesses => self.too_many_guesses.one(),
            LoginAnswer::NotNow => self.login_not_now.one(),
        }
    }

    /// A message came to its end: kept as so many copies, or put off with none.
    pub(super) fn message(&self, copies: usize, octets: usize, took: Duration) {
        match copies {
            0 => self.put_off.one(),
            _ => {
                self.kept.one();
                self.copies.add(copies as u64);
                self.octets.add(octets as u64);
            }
        }
        self.intake.took(took);
    }

    /// These replies leave; whole lines.
    pub(super) fn replied(&self, replies: &[u8]) {
        for line in replies.split(|octet| *octet == b'\n') {
            if let [class @ (b'4' | b'5'), tens @ b'0'..=b'9', ones @ b'0'..=b'9', b' ', ..] = line {
                let code = [class, tens, ones].iter().fold(0, |code, digit| code * 10 + usize::from(**digit - b'0'));
                if let Some(counter) = self.refusals.get(code - 400) {
                    counter.one();
                }
            }
        }
    }
}

impl Show for Meter {
    fn show(&self, page: &mut Page) {
        page.counter("invited_smtp_sessions_total", "SMTP sessions that were let in.", &self.sessions);
        page.counters(
            "invited_smtp_turned_away_total",
            "SMTP clients that were sent away before they were greeted, by reason.",
            "reason",
            [("sessions", &self.too_many), ("rate", &self.too_fast)],
        );
        let handshakes = [("1.3", &self.tls_13), ("1.2", &self.tls_12), ("failed", &self.tls_failed)];
        page.counters("invited_smtp_tls_total", "TLS handshakes with SMTP clients, by version.", "version", handshakes);
        let logins = [
            ("right", &self.logged_in),
            ("wrong", &self.wrong_login),
            ("too_many", &self.too_many_guesses),
            ("put_off", &self.login_not_now),
        ];
        page.counters("invited_smtp_logins_total", "Logins of SMTP clients, by how they ended.", "outcome", logins);
        let refusals = self.refusals.iter().enumerate().map(|(at, counter)| (at + 400, counter));
        let refusals = refusals.filter(|(code, counter)| counter.get() > 0 || USUAL.contains(code));
        let refusals = refusals.map(|(code, counter)| (format!("{code}"), counter)).collect::<Vec<_>>();
        page.counters(
            "invited_smtp_refusals_total",
            "Replies to SMTP clients that put off (4xx) or refused (5xx), by code.",
            "code",
            refusals.iter().map(|(code, counter)| (code.as_str(), *counter)),
        );
        let messages = [("kept", &self.kept), ("put_off", &self.put_off)];
        page.counters(
            "invited_messages_total",
            "Messages that were read to their end: kept, or put off with 4xx because they could not be kept.",
            "outcome",
            messages,
        );
        page.counter(
            "invited_copies_kept_total",
            "Copies that were kept; a message to several addresses is several.",
            &self.copies,
        );
        page.counter("invited_message_bytes_total", "Bytes of the messages that were kept.", &self.octets);
        page.spans("invited_intake_seconds", "Time from a message's final dot to the reply to it.", &self.intake);
    }
}

impl Show for Door {
    fn show(&self, page: &mut Page) {
        self.meter().show(page);
        let ends = self.tls().map(|certificate| certificate_ends(&certificate).0.div_euclid(1_000));
        page.gauge(
            "invited_certificate_end_timestamp_seconds",
            "When the certificate of the SMTP listeners ends, Unix time; not told where there is none.",
            ends,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_of_a_refusal_counts_and_no_good_reply() {
        let meter = Meter::default();
        meter.replied(b"250 2.1.0 sender ok\r\n550 5.1.1 no such address here\r\n550-5.1.1 a\r\n550 5.1.1 b\r\n");
        meter.replied(b"451 4.3.0 come back later\r\n600 no such class\r\n4x1 no code\r\n4");
        let counted = |code: usize| meter.refusals[code - 400].get();
        assert_eq!((counted(550), counted(451)), (2, 1));
        assert_eq!(meter.refusals.iter().map(Counter::get).sum::<u64>(), 3);
    }

    #[test]
    fn logins_are_counted_by_what_was_answered() {
        let meter = Meter::default();
        let answers = [LoginAnswer::Right, LoginAnswer::Wrong, LoginAnswer::TooManyGuesses, LoginAnswer::NotNow];
        for (times, answer) in answers.iter().enumerate() {
            (0..=times).for_each(|_| meter.login(answer));
        }
        let mut page = Page::default();
        meter.show(&mut page);
        let text = page.into_text();
        for (outcome, times) in [("right", 1), ("wrong", 2), ("too_many", 3), ("put_off", 4)] {
            let line = format!("invited_smtp_logins_total{{outcome=\"{outcome}\"}} {times}\n");
            assert!(text.contains(&line), "{line} is missing: {text}");
        }
    }

    #[test]
    fn a_message_is_counted_with_its_copies_and_bytes() {
        let meter = Meter::default();
        meter.message(2, 1_000, Duration::from_millis(3));
        meter.message(0, 5_000, Duration::from_millis(3));
        let mut page = Page::default();
        meter.show(&mut page);
        let text = page.into_text();
        for line in [
            "invited_messages_total{outcome=\"kept\"} 1\n",
            "invited_messages_total{outcome=\"put_off\"} 1\n",
            "invited_copies_kept_total 2\n",
            "invited_message_bytes_total 1000\n",
            "invited_intake_seconds_count 2\n",
            "invited_smtp_refusals_total{code=\"421\"} 0\n",
        ] {
            assert!(text.contains(line), "{line} is missing: {text}");
        }
    }
}
