//! Who gets a letter, and the commands that tell a relay so.

use std::fmt::{self, Display};

use lettre::transport::smtp::commands::Data;

use crate::domain::EmailAddress;

/// Who gets what, and what the relay must be able to carry for it.
pub(super) struct Envelope<'a> {
    pub(super) mail_from: Option<&'a EmailAddress>,
    pub(super) rcpt_to: &'a EmailAddress,
    /// The message has octets beyond ASCII.
    pub(super) eight_bit: bool,
}

impl Envelope<'_> {
    /// Domains are A-labels, so only a local part can ask for SMTPUTF8 (RFC 6531).
    pub(super) fn needs_utf8(&self) -> bool {
        !self.rcpt_to.as_str().is_ascii() || self.mail_from.is_some_and(|from| !from.as_str().is_ascii())
    }
}

/// The MAIL command; an [`EmailAddress`] holds nothing that could end the line or the path.
pub(super) struct Mail<'a>(pub(super) &'a Envelope<'a>);

impl Display for Mail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MAIL FROM:<{}>", self.0.mail_from.map_or("", EmailAddress::as_str))?;
        f.write_str(if self.0.eight_bit { " BODY=8BITMIME" } else { "" })?;
        f.write_str(if self.0.needs_utf8() { " SMTPUTF8\r\n" } else { "\r\n" })
    }
}

/// The RCPT command.
pub(super) struct Rcpt<'a>(pub(super) &'a Envelope<'a>);

impl Display for Rcpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RCPT TO:<{}>\r\n", self.0.rcpt_to)
    }
}

/// MAIL, RCPT and DATA as one group (RFC 2920): DATA may only be the last of one. At most about 1.2 KB, so that it cannot stand
/// against replies that nobody reads yet.
pub(super) struct Group<'a>(pub(super) &'a Envelope<'a>);

impl Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{Data}", Mail(self.0), Rcpt(self.0))
    }
}
