//! The customers' pages octet by octet: methods, bodies that are too large or too slow, heads without end, and requests of which two
//! servers could disagree where they end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use crate::browser::{ask, get};
use crate::pages::{has_its_headers, house, letter};

/// How long a connection may stay open when nothing more is to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says these octets without waiting for an answer, and reads until the other end closes. A reset is an end, too.
async fn exchange(address: SocketAddr, said: &[u8]) -> String {
    let (mut from, mut to) = TcpStream::connect(address).await.unwrap().into_split();
    let mut heard = Vec::new();
    let both = async {
        let speak = async {
            let _ = to.write_all(said).await;
        };
        tokio::join!(speak, async {
            let _ = from.read_to_end(&mut heard).await;
        });
    };
    let ended = timeout(PATIENCE, both).await;
    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(
        ended.is_ok(),
        "the connection hangs after {:?}: {heard}",
        String::from_utf8_lossy(&said[..said.len().min(200)])
    );
    heard
}

/// The status codes of all answers in it.
fn statuses(heard: &str) -> Vec<u16> {
    heard.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn head_has_the_headers_of_get_and_no_body_and_other_methods_say_which_are_right() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let shop = &house.config.shops[0].id;
    let later = format!("{}/later", links.review);
    let (generic, about) = (format!("/s/{shop}"), format!("/about/{shop}"));
    let view = links.all.iter().find(|path| path.starts_with("/v/")).unwrap();
    let forms = [&links.review, &later, &links.unsubscribe, &links.data, &generic];
    let robots = "/robots.txt".to_owned();
    let readings = [view, &about, &robots];
    for path in forms.into_iter().chain(readings).chain([&"/r/nothing".to_owned()]) {
        let (whole, head) = (get(links.pages, path).await, ask(links.pages, "HEAD", path, &[]).await);
        let lines = |head: &str| {
            let mut lines = head.lines().map(str::to_ascii_lowercase).collect::<Vec<_>>();
            lines.retain(|line| !line.starts_with("date:"));
            lines.sort();
            lines
        };
        assert_eq!(lines(&head.head), lines(&whole.head), "{path}");
        assert_eq!(head.body, "", "{path}");
        assert_eq!(whole.header("content-length"), Some(whole.body.len().to_string().as_str()), "{path}");
    }
    for (paths, allow) in [(&forms[..], "GET,HEAD,POST"), (&readings[..], "GET,HEAD")] {
        for path in paths {
            for method in ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get"] {
                let answer = ask(links.pages, method, path, &[]).await;
                assert_eq!(answer.status, 405, "{method} {path}");
                assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
                has_its_headers(&answer, method);
            }
        }
    }
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_ended_early_with_413() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let path = &links.review;
    let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    let body = vec![b'a'; 10 * 1024 * 1024];
    let told = [format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes(), body.clone()].concat();
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for piece in body.chunks(65_536) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    for (what, request) in [("with its length told", told), ("in chunks", chunked)] {
        let began = Instant::now();
        let heard = exchange(links.pages, &request).await;
        assert_eq!(statuses(&heard), [413], "{what}: {heard:.300}");
        assert!(began.elapsed() < Duration::from_secs(10), "{what}: {:?}", began.elapsed());
    }
    // Who asks first whether to go on sends nothing in vain.
    let careful = format!("{head}Content-Length: {}\r\nExpect: 100-continue\r\n\r\n", body.len());
    let heard = exchange(links.pages, careful.as_bytes()).await;
    assert_eq!(statuses(&heard), [413], "{heard:.300}");
    assert_eq!(get(links.pages, path).await.status, 200);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_drips_in_is_ended_in_time() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 4000\r\n\r\n",
        links.review
    );
    let (mut from, mut to) = TcpStream::connect(links.pages).await.unwrap().into_split();
    to.write_all(head.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    let drip = async {
        let mut pulse = interval(Duration::from_secs(1));
        loop {
            pulse.tick().await;
            if to.write_all(b"a").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let read = async {
        let _ = from.read_to_end(&mut heard).await;
    };
    let ended = timeout(PATIENCE, async {
        tokio::select! {
            () = drip => {}
            () = read => {}
        }
    });
    assert!(ended.await.is_ok(), "four thousand seconds are too many");
    assert_eq!(statuses(&String::from_utf8_lossy(&heard)), [408]);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_without_end_are_refused() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let long = "a".repeat(40_000);
    let many = (0..150).map(|number| format!("X-{number}: a\r\n")).collect::<String>();
    for (what, request, status) in [
        ("a long path", format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"), 431),
        ("a long value", format!("GET / HTTP/1.1\r\nHost: h\r\nX: {long}\r\n\r\n"), 431),
        ("a long name", format!("GET / HTTP/1.1\r\nHost: h\r\n{long}: x\r\n\r\n"), 431),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n"), 431),
        (
            "many addresses of clients",
            format!("GET / HTTP/1.1\r\nX-Forwarded-For: {}\r\n\r\n", "1.1.1.1,".repeat(5_000)),
            431,
        ),
    ] {
        let heard = exchange(links.pages, request.as_bytes()).await;
        // What was sent after the refusal may reset the connection before the refusal is read.
        assert!(heard.is_empty() || statuses(&heard) == [status], "{what}: {heard:.300}");
    }
    assert_eq!(get(links.pages, &links.review).await.status, 200);
    house.daemon.stop().await;
}

/// Each is followed by a second request inside what another server could take for the body of the first. It is never answered.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_hides_in_another() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let path = &links.unsubscribe;
    let hidden = "GET /robots.txt HTTP/1.1\r\nHost: h\r\n\r\n";
    let form = "application/x-www-form-urlencoded";
    let length = hidden.len();
    let post = |headers: &str, body: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {form}\r\n{headers}\r\n{body}")
    };
    for (what, request, status) in [
        // RFC 9112, 6.1: chunks count, and the connection ends with the answer.
        (
            "chunks after a length",
            post(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), &format!("0\r\n\r\n{hidden}")),
            None,
        ),
        (
            "chunks before a length",
            post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", &format!("0\r\n\r\n{hidden}")),
            None,
        ),
        ("two lengths", post(&format!("Content-Length: 0\r\nContent-Length: {length}\r\n"), hidden), Some(400)),
        (
            "two lengths, longer first",
            post(&format!("Content-Length: {length}\r\nContent-Length: 0\r\n"), hidden),
            Some(400),
        ),
        ("two lengths in a list", post(&format!("Content-Length: 0, {length}\r\n"), hidden), Some(400)),
        ("a length with a sign", post(&format!("Content-Length: +{length}\r\n"), hidden), Some(400)),
        ("a negative length", post("Content-Length: -1\r\n", hidden), Some(400)),
        ("a length in hexadecimal", post("Content-Length: 0x2\r\n", hidden), Some(400)),
        ("a length without end", post("Content-Length: 99999999999999999999\r\n", hidden), Some(400)),
        ("chunks not last", post("Transfer-Encoding: chunked, identity\r\n", &format!("0\r\n\r\n{hidden}")), Some(400)),
        ("no such encoding", post("Transfer-Encoding: xchunked\r\n", &format!("0\r\n\r\n{hidden}")), Some(400)),
        (
            "chunks in HTTP/1.0",
            post("Transfer-Encoding: chunked\r\n", &format!("0\r\n\r\n{hidden}"))
                .replace("HTTP/1.1\r\nHost: h\r\nContent-Type", "HTTP/1.0\r\nHost: h\r\nContent-Type"),
            Some(400),
        ),
        ("a blank before the colon", post(&format!("Content-Length : {length}\r\n"), hidden), Some(400)),
        ("a folded header", post("X: a\r\n Transfer-Encoding: chunked\r\n", hidden), Some(400)),
        ("a bare CR in a header", post("X: a\rTransfer-Encoding: chunked\r\n", hidden), Some(400)),
        ("a NUL in a header", post("X: a\0b\r\n", hidden), Some(400)),
        ("a chunk's size with a sign", post("Transfer-Encoding: chunked\r\n", &format!("+0\r\n\r\n{hidden}")), None),
        (
            "a bare LF in a chunk's extension",
            post("Transfer-Encoding: chunked\r\n", &format!("2;\n{hidden}0\r\n\r\n")),
            None,
        ),
        ("a chunk that ends with LF", post("Transfer-Encoding: chunked\r\n", &format!("1\r\na\n0\n\n{hidden}")), None),
    ] {
        let heard = exchange(links.pages, request.as_bytes()).await;
        let answers = statuses(&heard);
        assert!(!heard.contains("Disallow"), "{what}: {heard}");
        assert!(answers.len() <= 1 && answers.iter().all(|one| (400..500).contains(one)), "{what}: {heard}");
        if let Some(status) = status {
            assert_eq!(answers, [status], "{what}");
        }
    }
    // A line may end with LF alone (RFC 9112, 2.2), and all that it does is end the line: the length below is one.
    let bare = format!("GET /robots.txt HTTP/1.1\nHost: h\nContent-Length: {length}\n\n{hidden}");
    let closing = format!("{bare}GET /nothing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let heard = exchange(links.pages, closing.as_bytes()).await;
    assert_eq!(statuses(&heard), [200, 404], "the hidden one was the first one's body: {heard}");
    house.daemon.stop().await;
}
