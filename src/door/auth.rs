//! The mechanisms of AUTH (RFC 4954) as a machine without I/O: PLAIN (RFC 4616) and LOGIN, which has no standard but is what much
//! shop software speaks. Both send the password itself, so the session lets nobody begin one in the clear.

use base64ct::{Base64, Encoding};

use super::reply::{self, Reply};

/// The longest line of a login with its CRLF, octets (RFC 4954 4).
pub(crate) const LONGEST_LINE: usize = 12_288;

/// The mechanisms as EHLO offers them.
pub(crate) const OFFERED: &str = "PLAIN LOGIN";

/// What is waited for.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Exchange {
    /// The one response of PLAIN.
    Plain,
    /// The user of LOGIN.
    User,
    /// The password of this user.
    Password(String),
}

/// What comes next.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Step {
    /// Say this, and take the next line as the answer.
    Ask(Reply, Exchange),
    /// All is told: is it right?
    Check {
        /// Who it is.
        user: String,
        /// The proof.
        password: Vec<u8>,
    },
    /// The login has ended with this.
    Refuse(Reply),
}

/// The command AUTH. An initial response of `=` is an empty one.
pub(crate) fn begin(mechanism: &str, initial: Option<&str>) -> Step {
    let (question, exchange) = if mechanism.eq_ignore_ascii_case("PLAIN") {
        (reply::ASK_PLAIN, Exchange::Plain)
    } else if mechanism.eq_ignore_ascii_case("LOGIN") {
        (reply::ASK_USER, Exchange::User)
    } else {
        return Step::Refuse(reply::MECHANISM);
    };
    match initial {
        None => Step::Ask(question, exchange),
        Some("=") => take(exchange, Vec::new()),
        Some(text) => Base64::decode_vec(text).map_or(Step::Refuse(reply::NO_BASE64), |told| take(exchange, told)),
    }
}

/// A line of the client with its line end.
pub(crate) fn go_on(exchange: Exchange, line: &[u8]) -> Step {
    let text = line.strip_suffix(b"\r\n").and_then(|text| std::str::from_utf8(text).ok());
    match text {
        Some("*") => Step::Refuse(reply::CANCELLED),
        Some(text) => Base64::decode_vec(text).map_or(Step::Refuse(reply::NO_BASE64), |told| take(exchange, told)),
        None => Step::Refuse(reply::NO_BASE64),
    }
}

fn take(exchange: Exchange, told: Vec<u8>) -> Step {
    match exchange {
        Exchange::Plain => plain(&told).unwrap_or(Step::Refuse(reply::NO_BASE64)),
        Exchange::User => match String::from_utf8(told) {
            Ok(user) => Step::Ask(reply::ASK_PASSWORD, Exchange::Password(user)),
            Err(_) => Step::Refuse(reply::NO_BASE64),
        },
        Exchange::Password(user) => Step::Check { user, password: told },
    }
}

/// Whom to act for, NUL, who it is, NUL, the password. Nobody may act for another here.
fn plain(told: &[u8]) -> Option<Step> {
    let mut parts = told.split(|octet| *octet == 0);
    let (act_for, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let user = std::str::from_utf8(user).ok()?.to_owned();
    if parts.next().is_some() {
        return None;
    }
    if !act_for.is_empty() && act_for != user.as_bytes() {
        return Some(Step::Refuse(reply::WRONG_LOGIN));
    }
    Some(Step::Check { user, password: password.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(user: &str, password: &str) -> Step {
        Step::Check { user: user.to_owned(), password: password.as_bytes().to_vec() }
    }

    fn encoded(text: &str) -> String {
        Base64::encode_string(text.as_bytes())
    }

    #[test]
    fn plain_is_understood_with_and_without_an_initial_response() {
        for (told, expected) in [
            ("\0anna\0secret", check("anna", "secret")),
            ("anna\0anna\0secret", check("anna", "secret")),
            ("\0j\u{f6}rg\0p\u{e5}ss word", check("j\u{f6}rg", "p\u{e5}ss word")),
            ("\0\0", check("", "")),
            ("bert\0anna\0secret", Step::Refuse(reply::WRONG_LOGIN)),
            ("anna\0secret", Step::Refuse(reply::NO_BASE64)),
            ("\0anna\0secret\0", Step::Refuse(reply::NO_BASE64)),
            ("", Step::Refuse(reply::NO_BASE64)),
        ] {
            let line = format!("{}\r\n", encoded(told));
            assert_eq!(begin("plain", Some(&encoded(told))), expected, "{told:?}");
            assert_eq!(go_on(Exchange::Plain, line.as_bytes()), expected, "{told:?}");
        }
        assert_eq!(begin("PLAIN", None), Step::Ask(reply::ASK_PLAIN, Exchange::Plain));
        assert_eq!(begin("PLAIN", Some("=")), Step::Refuse(reply::NO_BASE64));
    }

    #[test]
    fn login_asks_for_the_user_and_then_for_the_password() {
        assert_eq!(begin("LOGIN", None), Step::Ask(reply::ASK_USER, Exchange::User));
        let password = || Step::Ask(reply::ASK_PASSWORD, Exchange::Password("anna".to_owned()));
        assert_eq!(begin("login", Some(&encoded("anna"))), password());
        assert_eq!(go_on(Exchange::User, b"YW5uYQ==\r\n"), password());
        assert_eq!(go_on(Exchange::Password("anna".to_owned()), b"c2VjcmV0\r\n"), check("anna", "secret"));
        assert_eq!(go_on(Exchange::Password("anna".to_owned()), b"\r\n"), check("anna", ""));
    }

    #[test]
    fn what_is_no_answer_ends_the_login() {
        for (line, expected) in [
            (&b"*\r\n"[..], reply::CANCELLED),
            (b"YW5uYQ\r\n", reply::NO_BASE64),
            (b"YW5uYR==\r\n", reply::NO_BASE64),
            (b"YW5u YQ==\r\n", reply::NO_BASE64),
            (b" YW5uYQ==\r\n", reply::NO_BASE64),
            (b"=\r\n", reply::NO_BASE64),
            (b"YW5uYQ==\n", reply::NO_BASE64),
            (b"\xff\r\n", reply::NO_BASE64),
            (b"/w==\r\n", reply::NO_BASE64),
        ] {
            assert_eq!(go_on(Exchange::User, line), Step::Refuse(expected), "{line:?}");
        }
        assert_eq!(begin("PLAIN", Some("!")), Step::Refuse(reply::NO_BASE64));
        for mechanism in ["CRAM-MD5", "XYZZY", "PLAI", "PLAINER"] {
            assert_eq!(begin(mechanism, None), Step::Refuse(reply::MECHANISM), "{mechanism}");
        }
    }
}
