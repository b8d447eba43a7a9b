//! The listener from outside: silent and slow clients, too many of them, long heads, late answers, and its end.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Bounds, Front, serve};

struct Site {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

async fn site(bounds: Bounds) -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", get(async || "here\n"))
        .route("/late", get(async || std::future::pending::<&str>().await));
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(listener, router, bounds, Front::default(), stop.clone()));
    Site { address, stop, served }
}

/// What is answered until the connection is closed.
async fn answer(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

/// A connection that is closed with octets unread ends in a reset, which is an end too.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut text)).await.expect("it is closed");
    String::from_utf8_lossy(&text).into_owned()
}

fn short() -> Bounds {
    let short = Duration::from_millis(200);
    Bounds { connections: 2, head: short, answer: short, drain: short, ..Bounds::monitoring() }
}

#[tokio::test]
async fn a_page_is_answered_and_an_unknown_one_is_404() {
    let site = site(Bounds::monitoring()).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer(site.address, &get("/")).await.ends_with("\r\n\r\nhere\n"));
    assert!(answer(site.address, &get("/none")).await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn a_client_that_says_nothing_or_stops_in_its_head_is_sent_away() {
    let site = site(short()).await;
    for begun in ["", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        assert!(!answer(site.address, begun).await.contains("200 OK"));
    }
    let idle_after_a_request = answer(site.address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(idle_after_a_request.contains("here"), "{idle_after_a_request}");
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_a_place_comes_free_again() {
    let site = site(Bounds { head: Duration::from_secs(30), ..short() }).await;
    let held = [TcpStream::connect(site.address).await.unwrap(), TcpStream::connect(site.address).await.unwrap()];
    let mut third = TcpStream::connect(site.address).await.unwrap();
    assert_eq!(rest(&mut third).await, "");
    drop(held);
    let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    // Until the server has seen that the others left.
    loop {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        if stream.write_all(request.as_bytes()).await.is_ok() && rest(&mut stream).await.contains("here") {
            break;
        }
    }
}

#[tokio::test]
async fn a_head_without_end_is_431_and_a_late_answer_503() {
    let site = site(Bounds { head: Duration::from_secs(30), ..short() }).await;
    let endless = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(100_000));
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let _ = stream.write_all(endless.as_bytes()).await;
    assert!(!rest(&mut stream).await.contains("200 OK"));
    let late = answer(site.address, "GET /late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(late.starts_with("HTTP/1.1 503 "), "{late}");
}

#[tokio::test]
async fn at_the_end_idle_connections_are_closed_and_the_port_is_free() {
    let site = site(Bounds { head: Duration::from_secs(30), ..short() }).await;
    let mut idle = TcpStream::connect(site.address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    site.stop.cancel();
    site.served.await.unwrap();
    rest(&mut idle).await;
    assert!(TcpStream::connect(site.address).await.is_err());
}
