//! A command line into a command, or the reply that refuses it. The grammar is smtp-proto's; what it does not say or says too
//! kindly is said here: stray control characters, arguments where none belong, parameters that were not offered, and the path
//! as it was written (smtp-proto answers `postmaster` with nothing at all, and a quoted local part without its quotes, which
//! makes `"a@b"@c` look like something else). Address literals are refused: a shop's mail server has a name.
//!
//! The parameters of DSN (RFC 3461) are checked and then mean nothing. They are not offered: who offers them must send a "delivered"
//! notification to whoever asks for one (5.2.3), and this server sends nothing to anybody who hands mail in. Without the offer the
//! client's own server tells its sender "relayed", or "delivered" behind LMTP (5.2.2), which is true. But much shop software
//! writes NOTIFY without having been offered anything, and its mails are as good as others.

use std::borrow::Cow;

use smtp_proto::{Error, Request};

use super::reply::{self, Reply};

/// A command that is right in itself; whether it is right now is the session's business.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Command<'a> {
    /// EHLO with the client's name.
    Ehlo(Cow<'a, str>),
    /// HELO with the client's name.
    Helo(Cow<'a, str>),
    /// LHLO with the client's name (RFC 2033).
    Lhlo(Cow<'a, str>),
    /// AUTH: the mechanism as written, and the initial response, in base64 (RFC 4954 4).
    Auth { mechanism: &'a str, initial: Option<&'a str> },
    /// MAIL: the reverse-path (empty for `<>`), the declared size in bytes (0 when not declared), SMTPUTF8, and whether it has
    /// the parameter AUTH, which says who submitted the mail and which nobody here believes (RFC 4954 5).
    Mail { from: &'a str, size: usize, utf8: bool, auth: bool },
    /// RCPT: the forward-path.
    Rcpt { to: &'a str },
    /// DATA.
    Data,
    /// RSET.
    Rset,
    /// NOOP, its argument dropped (RFC 5321 4.1.1.9).
    Noop,
    /// VRFY, its argument dropped since nothing is told.
    Vrfy,
    /// HELP.
    Help,
    /// STARTTLS.
    StartTls,
    /// QUIT.
    Quit,
}

/// Reads a line that ends with LF.
pub(crate) fn parse(line: &[u8]) -> Result<Command<'_>, Reply> {
    let text = line.strip_suffix(b"\r\n").and_then(|text| std::str::from_utf8(text).ok()).ok_or(reply::STRAY)?;
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(reply::STRAY);
    }
    if text.starts_with(' ') {
        return Err(reply::UNKNOWN);
    }
    let (verb, arguments) = text.split_once(' ').unwrap_or((text, ""));
    if verb.eq_ignore_ascii_case("AUTH") {
        return auth(arguments);
    }
    let alone = |command| if arguments.trim().is_empty() { Ok(command) } else { Err(reply::NO_ARGUMENT) };
    match Request::parse(&mut line.iter()) {
        Ok(Request::Ehlo { host }) => Ok(Command::Ehlo(host)),
        Ok(Request::Helo { host }) => Ok(Command::Helo(host)),
        Ok(Request::Lhlo { host }) => Ok(Command::Lhlo(host)),
        Ok(Request::Mail { from }) => mail(text, &from.address, from.size),
        Ok(Request::Rcpt { to }) => rcpt(text, &to.address),
        Ok(Request::Data) => alone(Command::Data),
        Ok(Request::Rset) => alone(Command::Rset),
        Ok(Request::StartTls) => alone(Command::StartTls),
        Ok(Request::Quit) => alone(Command::Quit),
        Ok(Request::Noop { .. }) => Ok(Command::Noop),
        Ok(Request::Vrfy { .. }) => Ok(Command::Vrfy),
        Ok(Request::Help { .. }) => Ok(Command::Help),
        Err(error) if !is_named_only(verb) => Err(refusal(verb, &error)),
        _ if is_named_only(verb) => Err(reply::NOT_IMPLEMENTED),
        _ => Err(reply::UNKNOWN),
    }
}

/// Commands that smtp-proto or RFC 5321 know and this server does not do; 502 instead of 500 tells the client so. None of them
/// makes the server read on: the octets after a refused BDAT are read as commands (RFC 3030 2).
fn is_named_only(verb: &str) -> bool {
    ["BDAT", "EXPN", "ETRN", "ATRN", "BURL", "TURN", "SEND", "SOML", "SAML"]
        .iter()
        .any(|named| named.eq_ignore_ascii_case(verb))
}

fn refusal(verb: &str, error: &Error) -> Reply {
    match error {
        Error::InvalidSenderAddress => reply::BAD_SENDER,
        Error::InvalidRecipientAddress => reply::BAD_RECIPIENT,
        Error::InvalidParameter { .. } => reply::PARAMETER_VALUE,
        Error::UnsupportedParameter { .. } => reply::PARAMETER,
        _ => [
            ("EHLO", reply::HELLO_SYNTAX),
            ("HELO", reply::HELLO_SYNTAX),
            ("LHLO", reply::LHLO_SYNTAX),
            ("MAIL", reply::MAIL_SYNTAX),
            ("RCPT", reply::RCPT_SYNTAX),
            ("VRFY", reply::VRFY_SYNTAX),
        ]
        .iter()
        .find(|(named, _)| named.eq_ignore_ascii_case(verb))
        .map_or(reply::UNKNOWN, |(_, syntax)| syntax),
    }
}

fn auth(arguments: &str) -> Result<Command<'_>, Reply> {
    let mut arguments = words(arguments);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(mechanism), initial, None) => Ok(Command::Auth { mechanism, initial }),
        _ => Err(reply::AUTH_SYNTAX),
    }
}

fn mail<'a>(text: &'a str, parsed: &str, size: usize) -> Result<Command<'a>, Reply> {
    let (from, parameters) = path(text).ok_or(reply::MAIL_SYNTAX)?;
    if !from.is_empty() && !is_mailbox(from, parsed) {
        return Err(reply::BAD_SENDER);
    }
    let (mut utf8, mut auth) = (false, false);
    for parameter in words(parameters) {
        let (keyword, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let is = |name: &str| keyword.eq_ignore_ascii_case(name);
        if is("SMTPUTF8") {
            utf8 = true;
        } else if is("SIZE") {
            // RFC 1870 3: at most 20 digits. smtp-proto starts over at 0 when more digits follow an overflow.
            if value.len() > 20 {
                return Err(reply::PARAMETER_VALUE);
            }
        } else if is("AUTH") {
            auth = true;
        } else if is("ENVID") {
            // RFC 3461 4.4: at most 100 octets, and smtp-proto has seen to the rest.
            if value.len() > 100 {
                return Err(reply::PARAMETER_VALUE);
            }
        } else if !(is("RET") || is("BODY") && !value.eq_ignore_ascii_case("BINARYMIME")) {
            return Err(reply::PARAMETER);
        }
    }
    if !utf8 && !from.is_ascii() {
        return Err(reply::NEEDS_SMTPUTF8);
    }
    Ok(Command::Mail { from, size, utf8, auth })
}

fn rcpt<'a>(text: &'a str, parsed: &str) -> Result<Command<'a>, Reply> {
    let (to, parameters) = path(text).ok_or(reply::RCPT_SYNTAX)?;
    for parameter in words(parameters) {
        let (keyword, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let is = |name: &str| keyword.eq_ignore_ascii_case(name);
        // RFC 3461 4.1: NEVER stands alone, which smtp-proto sees only when it comes last. 4.2: at most 500 octets.
        let never_beside = value.contains(',') && value.split(',').any(|word| word.eq_ignore_ascii_case("NEVER"));
        if is("NOTIFY") && never_beside || is("ORCPT") && value.len() > 500 {
            return Err(reply::PARAMETER_VALUE);
        }
        if !is("NOTIFY") && !is("ORCPT") {
            return Err(reply::PARAMETER);
        }
    }
    // RFC 5321 4.1.1.3: postmaster is the one recipient without a domain.
    if !to.eq_ignore_ascii_case("postmaster") && !is_mailbox(to, parsed) {
        return Err(reply::BAD_RECIPIENT);
    }
    Ok(Command::Rcpt { to })
}

fn words(parameters: &str) -> impl Iterator<Item = &str> {
    parameters.split(' ').filter(|word| !word.is_empty())
}

/// The path between the angle brackets, less its source route (RFC 5321 appendix C: to be ignored), and what stands behind it.
fn path(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once('<')?;
    let mut quoted = false;
    let mut escaped = false;
    let end = rest.bytes().position(|byte| {
        let closes = byte == b'>' && !quoted;
        if escaped {
            escaped = false;
        } else if byte == b'\\' && quoted {
            escaped = true;
        } else if byte == b'"' {
            quoted = !quoted;
        }
        closes
    })?;
    let (path, after) = (&rest[..end], &rest[end + 1..]);
    let path = if path.starts_with('@') { path.split_once(':')?.1 } else { path };
    (after.is_empty() || after.starts_with(' ')).then_some((path, after))
}

/// Whether the path as written is what smtp-proto took for a mailbox. Without quotes both must be the same text; a quoted local
/// part stands as written, and its `@` is the last one.
fn is_mailbox(written: &str, parsed: &str) -> bool {
    let (local, domain) = written.rsplit_once('@').unwrap_or((written, ""));
    let one_quoted_string = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let named = !domain.is_empty() && !domain.contains(['"', '\\', ' ']) && !parsed.is_empty();
    named && (one_quoted_string || written == parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command<'static>, Reply> {
        parse(format!("{line}\r\n").leak().as_bytes())
    }

    #[test]
    fn what_real_senders_write_is_understood() {
        let mail = |from, size, utf8| Ok(Command::Mail { from, size, utf8, auth: false });
        let to = || Ok(Command::Rcpt { to: "s+x@in.example.com" });
        for (line, command) in [
            ("MAIL FROM:<a@example.com>", mail("a@example.com", 0, false)),
            ("mail from:<>", mail("", 0, false)),
            ("MAIL FROM: <a@example.com> SIZE=99 BODY=8BITMIME", mail("a@example.com", 99, false)),
            ("MAIL FROM:<a@example.com> body=7bit size=5 ", mail("a@example.com", 5, false)),
            ("MAIL FROM:<j\u{f6}rg@example.com> SMTPUTF8", mail("j\u{f6}rg@example.com", 0, true)),
            ("MAIL FROM:<@relay.example,@b.example:a@example.com>", mail("a@example.com", 0, false)),
            ("MAIL FROM:<\"a b\"@example.com>", mail("\"a b\"@example.com", 0, false)),
            ("MAIL FROM:<\"a>@b\\\"\"@example.com>", mail("\"a>@b\\\"\"@example.com", 0, false)),
            ("RCPT TO:<s+x@in.example.com>", Ok(Command::Rcpt { to: "s+x@in.example.com" })),
            ("RCPT TO: <s+x@in.example.com> ", Ok(Command::Rcpt { to: "s+x@in.example.com" })),
            ("MAIL FROM:<a@example.com> RET=HDRS ENVID=QQ314159", mail("a@example.com", 0, false)),
            ("MAIL FROM:<a@example.com> ret=full", mail("a@example.com", 0, false)),
            (
                "MAIL FROM:<a@example.com> AUTH=<>",
                Ok(Command::Mail { from: "a@example.com", size: 0, utf8: false, auth: true }),
            ),
            ("RCPT TO:<s+x@in.example.com> NOTIFY=NEVER", to()),
            ("RCPT TO:<s+x@in.example.com> notify=SUCCESS,failure,DELAY", to()),
            ("RCPT TO:<s+x@in.example.com> NOTIFY=FAILURE ORCPT=rfc822;anna+2Bx@example.com", to()),
            ("RCPT TO:<Postmaster>", Ok(Command::Rcpt { to: "Postmaster" })),
            ("EHLO client.example ", Ok(Command::Ehlo("client.example".into()))),
            ("ehlo [192.0.2.1]", Ok(Command::Ehlo("[192.0.2.1]".into()))),
            ("HELO x", Ok(Command::Helo("x".into()))),
            ("lhlo x", Ok(Command::Lhlo("x".into()))),
            ("AUTH PLAIN", Ok(Command::Auth { mechanism: "PLAIN", initial: None })),
            ("auth login AGEAYg==", Ok(Command::Auth { mechanism: "login", initial: Some("AGEAYg==") })),
            ("AUTH PLAIN =", Ok(Command::Auth { mechanism: "PLAIN", initial: Some("=") })),
            ("DATA ", Ok(Command::Data)),
            ("NOOP whatever \"this", Ok(Command::Noop)),
            ("VRFY someone", Ok(Command::Vrfy)),
            ("HELP", Ok(Command::Help)),
            ("HELP MAIL", Ok(Command::Help)),
            ("starttls", Ok(Command::StartTls)),
            ("QUIT", Ok(Command::Quit)),
        ] {
            assert_eq!(parsed(line), command, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_gets_the_reply_that_says_why() {
        for (line, expected) in [
            ("", reply::UNKNOWN),
            (" NOOP", reply::UNKNOWN),
            ("FOO bar", reply::UNKNOWN),
            ("NOOP\0", reply::STRAY),
            ("NOOP\rRSET", reply::STRAY),
            ("NOOP\tx", reply::STRAY),
            ("RCPT TO:<a@b.example\x7f>", reply::STRAY),
            ("EHLO", reply::HELLO_SYNTAX),
            ("EHLO ", reply::HELLO_SYNTAX),
            ("HELO", reply::HELLO_SYNTAX),
            ("LHLO", reply::LHLO_SYNTAX),
            ("MAIL", reply::MAIL_SYNTAX),
            ("MAIL FROM", reply::MAIL_SYNTAX),
            ("MAIL FROM:a@example.com", reply::MAIL_SYNTAX),
            ("MAIL FROM:<a@example.com", reply::MAIL_SYNTAX),
            ("MAIL FROM:<a@example.com>SIZE=1", reply::MAIL_SYNTAX),
            ("MAIL FROM:<a>", reply::BAD_SENDER),
            ("MAIL FROM:<postmaster>", reply::BAD_SENDER),
            ("MAIL FROM:<a@>", reply::BAD_SENDER),
            ("MAIL FROM:<a@b@c.example>", reply::BAD_SENDER),
            ("MAIL FROM:< a@example.com>", reply::BAD_SENDER),
            ("MAIL FROM:<a@[192.0.2.1]>", reply::BAD_SENDER),
            ("MAIL FROM:<j\u{f6}rg@example.com>", reply::NEEDS_SMTPUTF8),
            ("MAIL FROM:<a@example.com> SIZE=x", reply::PARAMETER_VALUE),
            ("MAIL FROM:<a@example.com> SIZE=", reply::PARAMETER_VALUE),
            ("MAIL FROM:<a@example.com> SIZE=99999999999999999999", reply::PARAMETER_VALUE),
            ("MAIL FROM:<a@example.com> SIZE=999999999999999999999", reply::PARAMETER_VALUE),
            ("MAIL FROM:<a@example.com> BODY=BINARYMIME", reply::PARAMETER),
            ("MAIL FROM:<a@example.com> BODY=9BIT", reply::PARAMETER_VALUE),
            ("MAIL FROM:<a@example.com> RET=ALL", reply::PARAMETER_VALUE),
            ("MAIL FROM:<a@example.com> ENVID=", reply::PARAMETER_VALUE),
            ("MAIL FROM:<a@example.com> SMTPUTF8=yes", reply::PARAMETER),
            ("MAIL FROM:<a@example.com> REQUIRETLS", reply::PARAMETER),
            ("MAIL FROM:<a@example.com> MT-PRIORITY=0", reply::PARAMETER),
            ("MAIL FROM:<a@example.com> XYZZY=1", reply::PARAMETER),
            ("RCPT TO:<>", reply::BAD_RECIPIENT),
            ("RCPT TO:<a>", reply::BAD_RECIPIENT),
            ("RCPT TO:a@example.com", reply::RCPT_SYNTAX),
            ("RCPT TO:<a@example.com> NOTIFY=SOMETIMES", reply::PARAMETER_VALUE),
            ("RCPT TO:<a@example.com> NOTIFY=", reply::PARAMETER_VALUE),
            ("RCPT TO:<a@example.com> NOTIFY=NEVER,SUCCESS", reply::PARAMETER_VALUE),
            ("RCPT TO:<a@example.com> NOTIFY=SUCCESS,NEVER", reply::PARAMETER_VALUE),
            ("RCPT TO:<a@example.com> ORCPT=anna@example.com", reply::PARAMETER_VALUE),
            ("RCPT TO:<a@example.com> RRVS=2014-04-03T23:01:00Z", reply::PARAMETER),
            ("RCPT TO:<a@example.com> XYZZY", reply::PARAMETER),
            ("DATA now", reply::NO_ARGUMENT),
            ("RSET x", reply::NO_ARGUMENT),
            ("QUIT x", reply::NO_ARGUMENT),
            ("STARTTLS x", reply::NO_ARGUMENT),
            ("VRFY", reply::VRFY_SYNTAX),
            ("EXPN", reply::NOT_IMPLEMENTED),
            ("EXPN list", reply::NOT_IMPLEMENTED),
            ("AUTH", reply::AUTH_SYNTAX),
            ("AUTH ", reply::AUTH_SYNTAX),
            ("AUTH PLAIN AGEAYg== more", reply::AUTH_SYNTAX),
            ("BDAT 10 LAST", reply::NOT_IMPLEMENTED),
            ("BDAT", reply::NOT_IMPLEMENTED),
        ] {
            assert_eq!(parsed(line), Err(expected), "{line}");
        }
        for line in [&b"NOOP\n"[..], b"\n", b"NOOP \xff\r\n", b"NO\nOP\r\n"] {
            assert_eq!(parse(line), Err(reply::STRAY), "{line:?}");
        }
    }
}
