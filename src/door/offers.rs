//! What a session calls itself and what it offers: the greeting, the answer to EHLO and LHLO, the names of protocols.

use super::auth;
use crate::config::{Limits, Role};

/// The greeting (RFC 5321 4.3.1, RFC 2033 4.1).
pub(crate) fn greeting(hostname: &str, role: Role) -> String {
    let protocol = if role == Role::Lmtp { "LMTP" } else { "ESMTP" };
    format!("220 {hostname} {protocol} invited")
}

/// The answer to EHLO or LHLO, without the last CRLF.
///
/// LIMITS (RFC 9422) tells what is held to: recipients of a mail, and that all of them are in one domain, the only one there is here.
/// MAILMAX is not told, since a session that delivers may go on until its time is over.
pub(crate) fn offers(hostname: &str, limits: &Limits, starttls: bool, logins: bool) -> String {
    let mut text = format!(
        "250-{hostname}\r\n250-PIPELINING\r\n250-SIZE {}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n\
         250-LIMITS RCPTMAX={} RCPTDOMAINMAX=1\r\n",
        limits.message, limits.recipients
    );
    if starttls {
        text += "250-STARTTLS\r\n";
    }
    if logins {
        text = text + "250-AUTH " + auth::OFFERED + "\r\n";
    }
    text + "250 HELP"
}

/// How a session came about.
pub(crate) struct Manner {
    /// What the listener is for.
    pub(crate) role: Role,
    /// EHLO or LHLO, not HELO.
    pub(crate) extended: bool,
    /// MAIL had SMTPUTF8.
    pub(crate) utf8: bool,
    /// Inside TLS.
    pub(crate) tls: bool,
    /// After AUTH.
    pub(crate) user: bool,
}

impl Manner {
    /// Its name in a Received field, by the registry of RFC 3848 and RFC 6531 4.3.
    pub(crate) fn protocol(&self) -> &'static str {
        match (self.role, self.utf8, self.tls, self.user) {
            _ if !self.extended => "SMTP",
            (Role::Lmtp, false, false, _) => "LMTP",
            (Role::Lmtp, false, true, _) => "LMTPS",
            (Role::Lmtp, true, false, _) => "UTF8LMTP",
            (Role::Lmtp, true, true, _) => "UTF8LMTPS",
            (_, false, false, false) => "ESMTP",
            (_, false, true, false) => "ESMTPS",
            (_, false, false, true) => "ESMTPA",
            (_, false, true, true) => "ESMTPSA",
            (_, true, false, false) => "UTF8SMTP",
            (_, true, true, false) => "UTF8SMTPS",
            (_, true, false, true) => "UTF8SMTPA",
            (_, true, true, true) => "UTF8SMTPSA",
        }
    }
}
