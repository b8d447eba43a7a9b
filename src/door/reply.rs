//! Every reply of the door in one place: RFC 5321 reply code, RFC 2034 enhanced status code, and a text that tells the mail
//! engineer who reads it in a log what to do. The greeting, the answers to EHLO, HELO and LHLO, 334 and 354 carry no enhanced code (RFC 2034 4).

/// A reply line without its CRLF.
pub(crate) type Reply = &'static str;

/// What a mechanism of AUTH asks; the words behind the code are base64 (RFC 4954 4).
pub(crate) const ASK_PLAIN: Reply = "334 ";
/// "Username:"; the LOGIN mechanism has no standard, but all its servers ask so.
pub(crate) const ASK_USER: Reply = "334 VXNlcm5hbWU6";
/// "Password:".
pub(crate) const ASK_PASSWORD: Reply = "334 UGFzc3dvcmQ6";
pub(crate) const GO_AHEAD: Reply = "354 end with <CRLF>.<CRLF>";

pub(crate) const BYE: Reply = "221 2.0.0 goodbye";
pub(crate) const FINE: Reply = "250 2.0.0 ok";
pub(crate) const SENDER_FINE: Reply = "250 2.1.0 sender ok";
pub(crate) const RECIPIENT_FINE: Reply = "250 2.1.5 recipient ok";
pub(crate) const NOT_TOLD: Reply = "252 2.0.0 addresses are not verified here; send the mail and see";
pub(crate) const HELP: Reply =
    "214 2.0.0 HELO EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT; order mails only, nothing is relayed";
pub(crate) const HELP_LMTP: Reply =
    "214 2.0.0 LHLO STARTTLS MAIL RCPT DATA RSET NOOP VRFY HELP QUIT; order mails only, nothing is relayed";
pub(crate) const LOGGED_IN: Reply = "235 2.7.0 logged in";
pub(crate) const START_TLS: Reply = "220 2.0.0 ready for TLS";

pub(crate) const TIMED_OUT: Reply = "421 4.4.2 timed out, come back later";
pub(crate) const STOPPING: Reply = "421 4.3.2 the service is stopping, come back later";
pub(crate) const TOO_MANY_ERRORS: Reply = "421 4.7.0 too many errors";
pub(crate) const TOO_MANY_IDLE: Reply = "421 4.7.0 too many commands that move nothing";
pub(crate) const TOO_MANY_FAILED_LOGINS: Reply = "421 4.7.0 too many failed logins";
pub(crate) const TOO_MANY_SESSIONS: Reply = "421 4.7.0 too many sessions, come back later";
pub(crate) const TOO_MANY_CONNECTIONS: Reply = "421 4.7.0 too many connections in a short time, come back later";
pub(crate) const UNAVAILABLE: Reply = "451 4.3.0 the mail cannot be stored now, come back later";
pub(crate) const FULL: Reply = "452 4.3.1 no space left, come back later";
pub(crate) const TOO_MANY_RECIPIENTS: Reply = "452 4.5.3 too many recipients, send the rest in another transaction";

pub(crate) const LOGIN_LATER: Reply = "454 4.7.0 the login cannot be checked now, come back later";
pub(crate) const TOO_MANY_GUESSES: Reply = "454 4.7.0 too many failed logins from your network, come back in an hour";

pub(crate) const UNKNOWN: Reply = "500 5.5.1 command not recognized";
pub(crate) const STRAY: Reply = "500 5.5.2 a command is UTF-8 text without control characters that ends with CRLF";
pub(crate) const LONG_COMMAND: Reply = "500 5.5.2 command line too long";
pub(crate) const NO_ARGUMENT: Reply = "501 5.5.4 this command takes no argument";
pub(crate) const HELLO_SYNTAX: Reply = "501 5.5.4 syntax: EHLO hostname";
pub(crate) const LHLO_SYNTAX: Reply = "501 5.5.4 syntax: LHLO hostname";
pub(crate) const AUTH_SYNTAX: Reply = "501 5.5.4 syntax: AUTH mechanism [initial-response]";
pub(crate) const NO_BASE64: Reply = "501 5.5.2 this is not what the mechanism sends, in base64";
pub(crate) const CANCELLED: Reply = "501 5.7.0 the login was cancelled";
pub(crate) const MAIL_SYNTAX: Reply = "501 5.5.4 syntax: MAIL FROM:<address> [SIZE=n] [BODY=7BIT|8BITMIME] [SMTPUTF8]";
pub(crate) const RCPT_SYNTAX: Reply = "501 5.5.4 syntax: RCPT TO:<address>";
pub(crate) const VRFY_SYNTAX: Reply = "501 5.5.4 syntax: VRFY address";
pub(crate) const PARAMETER_VALUE: Reply = "501 5.5.4 a parameter has a bad value";
pub(crate) const BAD_SENDER: Reply = "501 5.1.7 the sender is no mail address";
pub(crate) const BAD_RECIPIENT: Reply = "501 5.1.3 the recipient is no mail address";
pub(crate) const NOT_IMPLEMENTED: Reply = "502 5.5.1 command not implemented";
pub(crate) const HELLO_FIRST: Reply = "503 5.5.1 send EHLO first";
pub(crate) const LHLO_FIRST: Reply = "503 5.5.1 send LHLO first";
pub(crate) const MAIL_FIRST: Reply = "503 5.5.1 send MAIL first";
pub(crate) const MAIL_TWICE: Reply = "503 5.5.1 a sender was given already; RSET starts anew";
pub(crate) const TLS_TWICE: Reply = "503 5.5.1 TLS is active already";
pub(crate) const LOGIN_TWICE: Reply = "503 5.5.1 you have logged in already";
pub(crate) const LOGIN_BETWEEN: Reply = "503 5.5.1 no login inside a mail transaction; RSET ends it";
pub(crate) const NO_RECIPIENTS_LMTP: Reply = "503 5.5.1 no valid recipients";
pub(crate) const MECHANISM: Reply = "504 5.5.4 this mechanism is not offered here; PLAIN and LOGIN are";
pub(crate) const LOGIN_FIRST: Reply = "530 5.7.0 log in first";
pub(crate) const TLS_FIRST: Reply = "530 5.7.0 send STARTTLS first";
pub(crate) const WRONG_LOGIN: Reply = "535 5.7.8 user or password wrong";
pub(crate) const TLS_FOR_LOGIN: Reply = "538 5.7.11 a password travels inside TLS only; send STARTTLS first";
pub(crate) const SPEAKS_LMTP: Reply = "500 5.5.1 this is LMTP; send LHLO";
pub(crate) const NO_SUCH_ADDRESS: Reply = "550 5.1.1 no such address here";
pub(crate) const TOO_BIG: Reply = "552 5.3.4 message too big";
pub(crate) const NEEDS_SMTPUTF8: Reply = "553 5.6.7 a non-ASCII address needs SMTPUTF8 at MAIL";
pub(crate) const NO_RECIPIENTS: Reply = "554 5.5.1 no valid recipients";
pub(crate) const HASTY: Reply = "554 5.5.0 you must wait for the reply before you send more";
pub(crate) const PARAMETER: Reply = "555 5.5.4 a parameter is not offered here";

pub(crate) const STRAY_IN_MESSAGE: Reply =
    "550 5.5.2 the message has a bare CR, a bare LF or a NUL; lines end with CRLF (RFC 5321 2.3.8)";
pub(crate) const LONG_LINE: Reply = "554 5.6.0 a line of the message is too long";
pub(crate) const LONG_HEADER: Reply = "552 5.3.4 the header section is too big";
pub(crate) const NOTHING: Reply = "554 5.6.0 there is no message";
pub(crate) const LOOP: Reply = "554 5.4.6 too many Received fields, the mail is looping";

/// Adds a reply line to what is to be sent.
pub(crate) fn write(to: &mut Vec<u8>, reply: &str) {
    to.extend_from_slice(reply.as_bytes());
    to.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_reply_has_an_enhanced_code_of_its_class_and_fits_a_line() {
        let replies = include_str!("reply.rs")
            .split("#[cfg(test)]")
            .next()
            .unwrap()
            .split('"')
            .filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))
            .collect::<Vec<_>>();
        assert!(replies.len() > 40, "{}", replies.len());
        for reply in replies {
            let mut words = reply.split(' ');
            let code = words.next().unwrap();
            assert!(code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit()), "{reply}");
            assert!(reply.len() <= 510 && reply.is_ascii(), "{reply}");
            if code != "354" && code != "334" {
                let enhanced = words.next().unwrap();
                assert_eq!(enhanced.split('.').count(), 3, "{reply}");
                assert_eq!(enhanced[..1], code[..1], "{reply}");
            }
        }
    }
}
