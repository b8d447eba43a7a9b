//! The Received field that a server puts before every message it takes (RFC 5321 4.4). It has no `for` clause: a BCC address is
//! a secret. It does not count as one of the message's own Received fields.

use std::net::IpAddr;

use crate::domain::Timestamp;

/// Who handed a message in, and how.
pub(crate) struct Trace<'a> {
    /// The name the client gave.
    pub(crate) hello: &'a str,
    /// Its address; of a program on the other end of a unix socket there is none.
    pub(crate) client: Option<IpAddr>,
    /// Our name.
    pub(crate) hostname: &'a str,
    /// RFC 3848: `ESMTP`, `ESMTPS` and so on.
    pub(crate) protocol: &'a str,
}

impl Trace<'_> {
    /// The field, folded, with its CRLF.
    pub(crate) fn field(&self, now: Timestamp) -> Vec<u8> {
        let client = match self.client {
            Some(IpAddr::V4(address)) => format!(" ([{address}])"),
            Some(IpAddr::V6(address)) => format!(" ([IPv6:{address}])"),
            None => String::new(),
        };
        let date = date(now);
        let (hello, hostname, protocol) = (host_like(self.hello), self.hostname, self.protocol);
        format!("Received: from {hello}{client}\r\n\tby {hostname} with {protocol};\r\n\t{date}\r\n").into_bytes()
    }
}

/// The field of a mail that another program on this machine handed over. RFC 5321 has no name for that; Exim's is "local".
pub(crate) fn piped(hostname: &str, now: Timestamp) -> Vec<u8> {
    format!("Received: by {hostname} with local (pipe);\r\n\t{}\r\n", date(now)).into_bytes()
}

fn date(now: Timestamp) -> String {
    now.to_jiff().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// The client's name when it could be a name or an address literal; anything else could be taken for more of the field.
fn host_like(hello: &str) -> &str {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if !hello.is_empty() && hello.len() <= 255 && hello.bytes().all(fine) { hello } else { "unknown" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_says_who_how_and_when_and_nothing_that_the_client_could_forge() {
        let now = Timestamp::from_seconds(1_795_251_600);
        let field = |hello, client: &str| {
            let client = client.parse().ok();
            let trace = Trace { hello, client, hostname: "mail.example.com", protocol: "ESMTPS" };
            String::from_utf8(trace.field(now)).unwrap()
        };
        assert_eq!(
            field("shop.example", "192.0.2.1"),
            "Received: from shop.example ([192.0.2.1])\r\n\tby mail.example.com with ESMTPS;\r\n\tSat, 21 Nov 2026 09:00:00 +0000\r\n"
        );
        assert!(
            field("[IPv6:2001:db8::1]", "2001:db8::1")
                .starts_with("Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])")
        );
        assert!(field("mail.shop.example", "").starts_with("Received: from mail.shop.example\r\n\tby "));
        for forged in ["x (y", "x;", "j\u{f6}rg.example", "", "a\"b"] {
            assert!(field(forged, "192.0.2.1").starts_with("Received: from unknown ("), "{forged}");
        }
    }
}
