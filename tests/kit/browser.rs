//! A browser without anything: it says what it is told over HTTP/1.1, one connection each time, and knows forms.

#![allow(dead_code, reason = "every test binary uses its own part of the kit")]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The value of a form's hidden token.
    pub(crate) fn form_token(&self) -> &str {
        let (_, rest) =
            self.body.split_once("name=\"token\" value=\"").unwrap_or_else(|| panic!("no form: {}", self.body));
        rest.split('"').next().unwrap_or_default()
    }

    /// Head and body without what differs from one second to the next.
    pub(crate) fn without_date(&self) -> String {
        let head = self.head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
        format!("{}\n\n{}", head.collect::<Vec<_>>().join("\n"), self.body)
    }
}

/// Says these bytes and reads until the end.
pub(crate) async fn say(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A request without a body; `headers` are whole lines.
pub(crate) async fn ask(address: SocketAddr, method: &str, path: &str, headers: &[&str]) -> Answer {
    let headers = headers.iter().map(|line| format!("{line}\r\n")).collect::<String>();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    say(address, request.as_bytes()).await
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path, &[]).await
}

/// A form, sent as browsers do.
pub(crate) async fn post(address: SocketAddr, path: &str, form: &[(&str, &str)], headers: &[&str]) -> Answer {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    post_body(address, path, "application/x-www-form-urlencoded", body.finish().as_bytes(), headers).await
}

pub(crate) async fn post_body(
    address: SocketAddr,
    path: &str,
    media_type: &str,
    body: &[u8],
    headers: &[&str],
) -> Answer {
    let headers = headers.iter().map(|line| format!("{line}\r\n")).collect::<String>();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {media_type}\r\nContent-Length: \
         {}\r\n{headers}\r\n",
        body.len()
    );
    say(address, &[head.as_bytes(), body].concat()).await
}
