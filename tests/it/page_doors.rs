//! The customers' pages as they stand in the world: below a path, behind a proxy or with a certificate of their own, beside a database
//! that is busy, with crowds before them, and for a shop that collects its reviews elsewhere.

use std::net::SocketAddr;

use invited::config::{Database, LinkTo};
use invited::link::UrlPattern;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::browser::{ask, get, post};
use crate::listeners::{TLS, renew, secured, site};
use crate::monitoring::free;
use crate::pages::{adjusted, has_its_headers, house, leading, letter, review, reviews};

/// Asks over a connection that is kept; the answer's status line.
async fn robots(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /robots.txt HTTP/1.1\r\nHost: in.invited.example\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"Disallow: /\n") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap().lines().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_to_the_next_who_opens_a_page() {
    let address = free();
    let pages =
        format!("\n[pages]\nurl = \"https://in.invited.example\"\nlisten = \"{address}\"\ntls = \"implicit\"\n");
    let site = site(&[TLS], &pages).await;
    let first = renew(&site);
    let service = site.serve().await;
    let mut running = secured(TcpStream::connect(address).await.unwrap(), &first, None).await;
    assert_eq!(robots(&mut running).await, "HTTP/1.1 200 OK");
    let second = renew(&site);
    service.signal("HUP");
    service.says("the configuration was reloaded").await;
    // Whoever trusts no other certificate than the second shakes hands.
    let mut next = secured(TcpStream::connect(address).await.unwrap(), &second, None).await;
    assert_eq!(robots(&mut next).await, "HTTP/1.1 200 OK");
    // In the clear there is nothing.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET /robots.txt HTTP/1.1\r\nHost: in.invited.example\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said).await;
    assert!(!said.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&said));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_database_gives_back_what_was_typed_and_takes_it_the_second_time() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let token = get(links.pages, &links.review).await.form_token().to_owned();
    let Database::Sqlite(path) = &house.config.database else { panic!("a file") };
    let mut other = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let answer = post(links.pages, &links.review, &review(&token, "4", "Many kept words"), &[]).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(answer.header("retry-after"), Some("30"));
    has_its_headers(&answer, "503");
    for kept in
        ["Many kept words", "value=\"Good\"", "value=\"4\" checked", "role=\"alert\"", "Nothing that you wrote is lost"]
    {
        assert!(answer.body.contains(kept), "{kept}: {}", answer.body);
    }
    let button = [("token", token.as_str()), ("do", "shop")];
    assert_eq!(post(links.pages, &links.unsubscribe, &[("List-Unsubscribe", "One-Click")], &[]).await.status, 503);
    assert_eq!(get(links.pages, &links.review).await.status, 200, "looking needs no lock");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert_eq!(reviews(&house).await, [], "nothing is half stored");
    let again = post(links.pages, &links.review, &review(answer.form_token(), "4", "Many kept words"), &[]).await;
    assert_eq!(again.status, 200, "{}", again.body);
    assert_eq!(reviews(&house).await.len(), 1);
    assert_eq!(post(links.pages, &links.unsubscribe, &button, &[]).await.status, 400, "a token of another page");
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_below_a_path_work_whether_the_proxy_takes_it_away_or_leaves_it() {
    let house = adjusted(|pages| pages.url = "https://shop.example/reviews".to_owned()).await;
    for (below, reference) in [("/reviews", "A-1"), ("", "A-2")] {
        let links = letter(&house, reference).await;
        let path = format!("{below}{}", links.review);
        let page = get(links.pages, &format!("{path}?s=5")).await;
        assert_eq!(page.status, 200, "{path}");
        let seen = page.body.replace("&#x2f;", "/");
        assert!(seen.contains(&format!("action=\"/reviews{}\"", links.review)), "as customers see it: {seen}");
        for link in seen.split("href=\"").skip(1).filter(|link| link.starts_with("http")) {
            assert!(link.starts_with("https://shop.example/reviews/"), "{link}");
        }
        let own = ["Origin: https://shop.example", "Sec-Fetch-Site: same-origin"];
        let written = post(links.pages, &path, &review(page.form_token(), "5", "Fine"), &own).await;
        assert_eq!(written.status, 200, "{}", written.body);
        let clicked = [("List-Unsubscribe", "One-Click")];
        let one_click = post(links.pages, &format!("{below}{}", links.unsubscribe), &clicked, &[]).await;
        assert_eq!(one_click.status, 200, "{}", one_click.body);
        let undo = get(links.pages, &format!("{below}{}", links.unsubscribe)).await;
        assert!(undo.body.contains("value=\"undo\""), "{}", undo.body);
        let undo = [("token", undo.form_token()), ("do", "undo")];
        assert_eq!(post(links.pages, &format!("{below}{}", links.unsubscribe), &undo, &own).await.status, 200);
        assert_eq!(get(links.pages, &format!("/other{}", links.review)).await.status, 404);
        assert_eq!(get(links.pages, &format!("/reviews/reviews{}", links.review)).await.status, 404);
    }
    assert_eq!(reviews(&house).await.len(), 2);
    house.daemon.stop().await;
}

/// Sends forms until one is refused: how many were read.
async fn forms_until_refused(pages: SocketAddr, path: &str, from: impl Fn(usize) -> String) -> usize {
    for number in 0..200 {
        let answer = post(pages, path, &[("do", "later")], &[&from(number)]).await;
        if answer.status == 429 {
            let wait = answer.header("retry-after").and_then(|wait| wait.parse::<u32>().ok());
            assert!(wait.is_some_and(|wait| (1..=600).contains(&wait)), "{}", answer.head);
            has_its_headers(&answer, "429");
            return number;
        }
        assert_eq!(answer.status, 422, "{}", answer.body);
    }
    panic!("forms have no end")
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_are_limited_for_each_client_behind_a_trusted_proxy() {
    let house = adjusted(|pages| pages.proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let links = letter(&house, "A-1").await;
    let path = format!("{}/later", links.review);
    // What the client itself wrote before the proxy's word counts for nothing.
    let one = |number: usize| format!("X-Forwarded-For: 192.0.2.{}, 198.51.100.1", number % 250);
    assert_eq!(forms_until_refused(links.pages, &path, one).await, 120);
    let other = post(links.pages, &path, &[("do", "later")], &["X-Forwarded-For: 198.51.100.2"]).await;
    assert_eq!(other.status, 422, "another client is heard");
    let clicked = [("List-Unsubscribe", "One-Click")];
    let click = post(links.pages, &links.unsubscribe, &clicked, &["X-Forwarded-For: 198.51.100.1"]).await;
    assert_eq!(click.status, 200, "and unsubscribing by one click is never refused");
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_trusted_proxy_cannot_say_that_somebody_else_asks() {
    let house = adjusted(|pages| pages.proxies = vec!["192.0.2.7/32".parse().unwrap()]).await;
    let links = letter(&house, "A-1").await;
    let path = format!("{}/later", links.review);
    let somebody = |number: usize| format!("X-Forwarded-For: 198.51.100.{}", number % 250);
    assert_eq!(forms_until_refused(links.pages, &path, somebody).await, 120);
    let mut unknown = 0;
    let refused = loop {
        let answer = ask(links.pages, "GET", &format!("/u/{unknown}"), &[&somebody(unknown)]).await;
        if answer.status != 404 || unknown > 100 {
            break answer;
        }
        unknown += 1;
    };
    assert_eq!((unknown, refused.status), (60, 429));
    assert!(refused.header("retry-after").is_some());
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_shop_that_collects_elsewhere_lead_there() {
    let pattern = UrlPattern::parse("https://reviews.example.net/{shop}?order={reference}&stars={stars}").unwrap();
    let house = leading(LinkTo::Pattern(pattern), |_| ()).await;
    let links = letter(&house, "A-1").await;
    let shop = house.config.shops[0].id.clone();
    let there = |stars: &str| format!("https://reviews.example.net/{shop}?order=A-1&stars={stars}");
    let before = format!("{:?}", house.story("A-1").await);
    for (query, stars) in [
        ("", ""),
        ("?s=4", "4"),
        ("?s=6", ""),
        // Nothing that stands in the address chooses where it goes.
        ("?url=https://evil.example&s=https://evil.example&next=//evil.example", ""),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = ask(links.pages, method, &format!("{}{query}", links.review), &["Host: evil.example"]).await;
            let answer = if answer.status == 400 {
                // Two Host headers are refused before we see them.
                ask(links.pages, method, &format!("{}{query}", links.review), &[]).await
            } else {
                answer
            };
            assert_eq!(answer.status, 303, "{method} {query}: {answer:?}");
            assert_eq!(answer.header("location"), Some(there(stars).as_str()), "{method} {query}");
            has_its_headers(&answer, "303");
        }
    }
    assert_eq!(format!("{:?}", house.story("A-1").await), before, "looking changes nothing");
    // No review is taken here either.
    let posted = post(links.pages, &links.review, &review("1.00", "5", "Here"), &[]).await;
    assert_eq!(posted.status, 400, "{}", posted.body);
    assert_eq!(get(links.pages, &format!("/s/{shop}")).await.status, 404, "a pattern has no link for everybody");
    assert_eq!(reviews(&house).await, []);
    // The other pages are here.
    let later = format!("{}/later", links.review);
    let page = get(links.pages, &later).await;
    assert_eq!(page.status, 200);
    let put_off = post(links.pages, &later, &[("token", page.form_token()), ("do", "later")], &[]).await;
    assert_eq!(put_off.status, 200, "{}", put_off.body);
    for path in [&links.unsubscribe, &links.data, &format!("/about/{shop}")] {
        assert_eq!(get(links.pages, path).await.status, 200, "{path}");
    }
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_written_here_changes_it_here_after_the_shop_has_moved() {
    let house = house().await;
    let (written, open) = (letter(&house, "A-1").await, letter(&house, "A-2").await);
    let token = get(written.pages, &written.review).await.form_token().to_owned();
    assert_eq!(post(written.pages, &written.review, &review(&token, "4", "Here"), &[]).await.status, 200);
    let kept = get(open.pages, &open.review).await.form_token().to_owned();
    let mut config = house.config.clone();
    config.shops[0].link = LinkTo::Pattern(UrlPattern::parse("https://reviews.example.net/{reference}").unwrap());
    house.daemon.reload(config.clone()).unwrap();
    let page = get(written.pages, &written.review).await;
    assert!(page.status == 200 && page.body.contains("Here"), "{page:?}");
    assert_eq!(get(open.pages, &open.review).await.header("location"), Some("https://reviews.example.net/A-2"));
    // Who had begun to write before that loses nothing.
    assert_eq!(post(open.pages, &open.review, &review(&kept, "5", "Begun"), &[]).await.status, 200);
    // A pattern that is these pages themselves leads nowhere else.
    let own = format!("http://{}/r/{{token}}", open.pages);
    config.shops[0].link = LinkTo::Pattern(UrlPattern::parse(&own).unwrap());
    house.daemon.reload(config).unwrap();
    let third = letter(&house, "A-3").await;
    assert_eq!(get(third.pages, &third.review).await.status, 200);
    house.daemon.stop().await;
}
