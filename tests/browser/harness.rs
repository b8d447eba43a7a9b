//! What the other tests of this folder rely on, shown on pages that are wrong on purpose: a check that finds nothing here would find
//! nothing anywhere.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::driver::{Browser, can_browse, key};
use crate::looks::{findings, look_at, nothing_else_was_asked_for, sideways};

/// As strict as the policy of the real pages.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const GOOD: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>Good</title>\
    <style>body{background:#fff;color:#111;font:18px sans-serif}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}}</style>\
    <main><h1>Good</h1><form method=post action=/sent><fieldset><legend>Stars</legend>\
    <label><input type=radio name=s value=1 checked> 1</label> <label><input type=radio name=s value=2> 2</label></fieldset>\
    <label>Text <textarea name=t></textarea></label><button>Send</button></form></main></html>";

/// Too wide, no labels, a picture from elsewhere, a script.
const BAD: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>Bad</title>\
    <script>window.struck = 1</script><img src='http://elsewhere.example/pixel.gif'>\
    <p style='width:2000px;color:#ccc;background:#fff'>faint</p><input name=t></html>";

/// Serves the good page, the bad one at `/bad` and what was posted at `/sent`.
async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                let asked = loop {
                    if stream.read_buf(&mut bytes).await? == 0 {
                        return Ok(());
                    }
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
                    if text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length.unwrap_or(0)) {
                        break text;
                    }
                };
                let body = match asked.split(' ').nth(1).unwrap_or_default() {
                    "/bad" => BAD.to_owned(),
                    "/sent" => {
                        GOOD.replace("<h1>Good</h1>", &format!("<h1>{}</h1>", asked.lines().last().unwrap_or_default()))
                    }
                    _ => GOOD.to_owned(),
                };
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Security-Policy: {POLICY}\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).await
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_page_is_found() {
    if !can_browse("what_is_wrong_with_a_page_is_found") {
        return;
    }
    let base = format!("http://{}/", serve().await);
    let browser = Browser::start().await;
    browser.open(&base).await;
    look_at(&browser, "harness").await;
    nothing_else_was_asked_for(&browser, &base).await;

    browser.open(&format!("{base}bad")).await;
    browser.script(&std::fs::read_to_string(crate::driver::AXE).unwrap()).await;
    browser.look_as(375, "light").await;
    assert!(!sideways(&browser).await.is_empty());
    let found = findings(&browser).await.join("\n");
    for rule in ["color-contrast", "image-alt", "label"] {
        assert!(found.contains(&format!("\"{rule}\"")), "{rule} in {found}");
    }
    assert!(browser.script("return window.struck === undefined").await.as_bool().unwrap(), "the policy holds");
    let heard = browser.heard().await;
    assert!(heard.complaints.iter().any(|one| one.contains("elsewhere.example")), "{heard:?}");
    assert!(heard.complaints.iter().any(|one| one.contains("script")), "{heard:?}");
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_sent_by_keys_and_without_scripts() {
    if !can_browse("a_form_is_sent_by_keys_and_without_scripts") {
        return;
    }
    let base = format!("http://{}/", serve().await);
    let browser = Browser::start().await;
    browser.allow_scripts(false).await;
    browser.open(&base).await;
    browser.press(&[key::TAB, key::RIGHT, key::TAB]).await;
    browser.fill("textarea", "\u{1F389}").await;
    browser.press(&[key::TAB]).await;
    browser.enter().await;
    assert_eq!(browser.text("h1").await, "s=2&t=%F0%9F%8E%89");
    assert_eq!(browser.address().await, format!("{base}sent"));
    assert_eq!(browser.value("textarea", "value").await, "");
    nothing_else_was_asked_for(&browser, &base).await;
    browser.stop().await;
}
