//! HTTP/1.1 as the tests need it: one request on a connection of its own, and the whole answer. Chromedriver is spoken to with it, and
//! the pages where no browser must add anything of its own.

use std::io::{Error, Result};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The fields with their names in small letters, in order.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks `address` and reads the answer to its end.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in fields {
        request += &format!("{name}: {value}\r\n");
    }
    if method == "POST" {
        request += &format!("Content-Length: {}\r\n", body.len());
    }
    request += "\r\n";
    stream.write_all(request.as_bytes()).await?;
    stream.write_all(body).await?;
    read(&mut stream, method == "HEAD").await
}

async fn read(stream: &mut TcpStream, is_head: bool) -> Result<Answer> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(Error::other(format!("the answer ends in its head: {}", String::from_utf8_lossy(&bytes))));
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| Error::other(format!("no status: {head}")))?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let mut answer = Answer { status, fields: fields.collect(), body: bytes.split_off(end) };
    // Chromedriver keeps the connection whatever it is asked, so the length counts where there is one.
    match answer.field("content-length").and_then(|length| length.parse::<usize>().ok()) {
        _ if is_head => {
            stream.read_to_end(&mut answer.body).await?;
        }
        Some(length) => {
            while answer.body.len() < length {
                if stream.read_buf(&mut answer.body).await? == 0 {
                    return Err(Error::other("the answer ends before its length"));
                }
            }
        }
        None => {
            stream.read_to_end(&mut answer.body).await?;
        }
    }
    Ok(answer)
}
