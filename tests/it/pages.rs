//! The customer's side over HTTP, from the letter's links on: the whole story, what looking does not change, what is refused and how,
//! and that nothing which was typed is lost.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use invited::config::{LinkTo, Pages, Secret};
use invited::domain::{EmailAddress, Invitation, State};
use invited::link::{Place, Site, UrlPattern};
use invited::ops::person;
use invited::store::{self, ReviewsOf, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::browser::{Answer, ask, get, post, post_body};
use crate::kit::{House, START, opened, order_mail};
use crate::relay::Act;

pub(crate) const ANNA: &str = "anna@customer.example.net";

/// A shop whose letters lead to our pages.
pub(crate) async fn house() -> House {
    adjusted(|_| ()).await
}

pub(crate) async fn adjusted(adjust: impl FnOnce(&mut Pages)) -> House {
    leading(LinkTo::Own, adjust).await
}

/// A shop whose letters' links lead there, with pages beside.
pub(crate) async fn leading(link: LinkTo, adjust: impl FnOnce(&mut Pages)) -> House {
    let mut pages = Pages {
        url: "http://127.0.0.1:0".to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: false,
        proxies: Vec::new(),
        connections: 100,
        templates: None,
    };
    adjust(&mut pages);
    House::adjusted(
        |config| {
            config.pages = Some(pages);
            config.shops[0].link = link;
            config.shops[0].rules.base.delay = Duration::ZERO;
            config.shops[0].postal_address = Some("Shop, Street 1, Town".to_owned());
            let secret = config.database_folder().join("hook.key");
            std::fs::write(&secret, format!("whsec_{HOOK_SECRET}\n")).unwrap();
            crate::kit::make_private(&secret);
            config.shops[0].hook_secret = Some(Secret::File(secret));
        },
        |_| Act::Ok,
    )
    .await
}

const HOOK_SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

trait Folder {
    fn database_folder(&self) -> PathBuf;
}

impl Folder for invited::config::Config {
    /// Where this house keeps its files.
    fn database_folder(&self) -> PathBuf {
        let Secret::File(key) = &self.master_key else { panic!("a key in a file") };
        key.parent().unwrap().to_owned()
    }
}

/// A letter's links, as paths.
pub(crate) struct Links {
    pub(crate) pages: SocketAddr,
    pub(crate) review: String,
    pub(crate) unsubscribe: String,
    pub(crate) data: String,
    pub(crate) all: Vec<String>,
}

/// Hands an order in and waits for the letter. Each order but the first is somebody else's, who has had no letter lately.
pub(crate) async fn letter(house: &House, reference: &str) -> Links {
    let before = house.relay.taken().len();
    let other = format!("{}@customer.example.net", reference.to_ascii_lowercase());
    let email = if reference == "A-1" { ANNA } else { &other };
    house.hand_in(&order_mail(reference, "Anna Example", email)).await;
    house.until_state(reference, State::Sent).await;
    let letters = house.relay.taken();
    let letter = opened(&letters[before]);
    let text = String::from_utf8_lossy(&letters[before].data).into_owned();
    let pages = house.daemon.pages_address().unwrap();
    let site = Site::new(&house.daemon.house().setup().config.pages.as_ref().unwrap().url);
    let html = letter.body_html(0).unwrap();
    let header = text.split("\r\n\r\n").next().unwrap().replace("\r\n ", "").replace("\r\n\t", "");
    let mut all = Vec::new();
    for piece in html.replace("&amp;", "&").split(['"', '<', '>', ' ']).chain(header.split(['<', '>', ' '])) {
        if site.place(piece).is_some() {
            all.push(piece.trim_start_matches(site.base()).to_owned());
        }
    }
    all.sort();
    all.dedup();
    let find = |is: fn(&Place<'_>) -> bool| {
        let found = all.iter().find(|path| {
            let address = format!("{}{path}", site.base());
            !path.contains('?') && !path.ends_with("/later") && site.place(&address).is_some_and(|place| is(&place))
        });
        found.unwrap_or_else(|| panic!("{all:?}")).clone()
    };
    let review = all.iter().find(|path| path.starts_with("/r/")).unwrap();
    let review = review.split('?').next().unwrap().trim_end_matches("/later").to_owned();
    let unsubscribe = find(|place| matches!(place, Place::Unsubscribe(_)));
    let data = find(|place| matches!(place, Place::Data(_)));
    Links { pages, review, unsubscribe, data, all }
}

/// The fields of a review.
pub(crate) fn review<'a>(token: &'a str, stars: &'a str, text: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("token", token),
        ("website", ""),
        ("stars", stars),
        ("title", "Good"),
        ("text", text),
        ("name", "Anna"),
        ("do", "write"),
    ]
}

/// Order, stars, text and whether it stands, of every review of an order.
pub(crate) async fn reviews(house: &House) -> Vec<(String, u8, String, bool)> {
    let mut found = Vec::new();
    for Invitation { shop, reference, customer, .. } in house.invitations().await {
        let (name, author) = (reference.to_string(), customer.email.key());
        for one in house.store().reviews_of(&ReviewsOf::Order { shop, reference, author }).await.unwrap() {
            found.push((name.clone(), one.stars.get(), one.words.text().to_owned(), one.stands()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_written_changed_and_deleted_by_the_letters_link() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let page = get(links.pages, &format!("{}?s=4", links.review)).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("value=\"4\" checked"), "{}", page.body);
    assert!(page.body.contains("value=\"Anna\"") && !page.body.contains("Anna Example"), "{}", page.body);
    assert_eq!(reviews(&house).await, [], "a click stores nothing");
    let token = page.form_token();

    let thanks = post(links.pages, &links.review, &review(token, "4", "Came <b>fast</b>"), &[]).await;
    assert_eq!(thanks.status, 200, "{}", thanks.body);
    assert_eq!(reviews(&house).await, [("A-1".to_owned(), 4, "Came <b>fast</b>".to_owned(), true)]);
    assert_eq!(house.invitation("A-1").await.progress.due_at, None, "no reminder");

    let again = post(links.pages, &links.review, &review(token, "4", "Came <b>fast</b>"), &[]).await;
    assert_eq!((again.status, reviews(&house).await.len()), (200, 1), "sent twice is sent once");

    let page = get(links.pages, &links.review).await;
    assert!(page.body.contains("Came &lt;b&gt;fast&lt;") && page.body.contains("value=\"4\" checked"));
    post(links.pages, &links.review, &review(token, "2", "Broke"), &[]).await;
    assert_eq!(reviews(&house).await, [("A-1".to_owned(), 2, "Broke".to_owned(), true)]);

    let gone = post(links.pages, &links.review, &[("token", token), ("do", "delete")], &[]).await;
    assert_eq!(gone.status, 200);
    let left = reviews(&house).await;
    assert!(left.iter().all(|(.., text, stands)| text.is_empty() && !stands), "{left:?}");
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_every_link_three_times_changes_nothing() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    assert!(links.all.len() >= 8, "{:?}", links.all);
    let about = get(links.pages, &links.review).await.body;
    let before = house.story("A-1").await;
    let mut seen = links.all.clone();
    // And whatever those pages lead to.
    let mut at = 0;
    while let Some(path) = seen.get(at).cloned() {
        at += 1;
        let page = get(links.pages, &path).await;
        let base = format!("http://{}", links.pages);
        let hrefs = page.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        for href in hrefs.map(|href| href.replace("&#x2f;", "/").replace(&base, "")) {
            if href.starts_with('/') && !seen.contains(&href) && seen.len() < 60 {
                seen.push(href);
            }
        }
    }
    for _ in 0..3 {
        for path in &seen {
            let page = get(links.pages, path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.head);
            let head = ask(links.pages, "HEAD", path, &[]).await;
            assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        }
    }
    assert_eq!(format!("{:?}", house.story("A-1").await), format!("{before:?}"));
    assert_eq!(reviews(&house).await, []);
    assert!(house.store().erasure_requests().await.unwrap().is_empty());
    assert!(!about.contains("<script"));
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_click_unsubscribes_with_and_without_what_browsers_send() {
    for headers in [&[][..], &["Cookie: a=b", "Origin: https://mail.example", "Sec-Fetch-Site: cross-site"]] {
        let house = house().await;
        let links = letter(&house, "A-1").await;
        let answer = post(links.pages, &links.unsubscribe, &[("List-Unsubscribe", "One-Click")], headers).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
        assert_eq!(house.invitation("A-1").await.progress.due_at, None);
        house.daemon.stop().await;
    }
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let body = b"--X\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--X--\r\n";
    let answer = post_body(links.pages, &links.unsubscribe, "multipart/form-data; boundary=X", body, &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(house.invitation("A-1").await.progress.due_at, None);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_a_page_makes_no_link_good_for_longer() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    house.pass(invited::domain::DAY * 100);
    for page in [
        &links.review,
        &format!("{}/later", links.review),
        links.all.iter().find(|path| path.starts_with("/v/")).unwrap(),
    ] {
        let page = get(links.pages, page).await;
        assert_eq!(page.status, 200);
        let shown = page.body.replace("&amp;", "&");
        let tokens = shown.split('"').filter_map(|piece| {
            let at = ["/r/", "/u/", "/d/", "/v/"].iter().find_map(|begin| piece.find(begin))?;
            Some(piece[at..].to_owned())
        });
        let mut seen = 0;
        for path in tokens {
            assert!(links.all.contains(&path), "{path} is none of the letter's links");
            seen += 1;
        }
        assert!(seen > 0);
    }
    house.pass(invited::domain::DAY * 81);
    assert_eq!(get(links.pages, &links.data).await.status, 410);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_finds_an_old_letter_can_leave_though_its_links_have_expired_and_were_revoked() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let id = house.invitation("A-1").await.id;
    let support = store::Actor { name: "support".to_owned(), reason: None };
    house.store().revoke_links(id, &support, START).await.unwrap();
    house.pass(Duration::from_secs(200 * 86_400));
    assert_eq!(get(links.pages, &links.review).await.status, 410, "this one has an end");
    let page = get(links.pages, &links.unsubscribe).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let answer = post(links.pages, &links.unsubscribe, &[("List-Unsubscribe", "One-Click")], &[]).await;
    assert_eq!(answer.status, 200);
    let page = get(links.pages, &links.unsubscribe).await;
    assert!(page.body.contains("value=\"undo\""), "{}", page.body);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsubscribing_by_the_page_is_asked_done_and_taken_back() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let page = get(links.pages, &links.unsubscribe).await;
    let token = page.form_token().to_owned();
    let done = post(links.pages, &links.unsubscribe, &[("token", &token), ("do", "all")], &[]).await;
    assert_eq!(done.status, 200);
    let page = get(links.pages, &links.unsubscribe).await;
    assert!(page.body.contains("value=\"undo\""), "{}", page.body);
    house.hand_in(&order_mail("A-2", "Anna Example", ANNA)).await;
    assert_eq!(house.relay.taken().len(), 1, "no letter about the next order");
    let undone = post(links.pages, &links.unsubscribe, &[("token", &token), ("do", "undo")], &[]).await;
    assert_eq!(undone.status, 200);
    let page = get(links.pages, &links.unsubscribe).await;
    assert!(page.body.contains("value=\"all\""), "{}", page.body);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_put_off_once_for_each_reason() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let before = house.invitation("A-1").await.progress.due_at.unwrap();
    house.pass(Duration::from_secs(5 * 86_400));
    let later = format!("{}/later", links.review);
    let token = get(links.pages, &later).await.form_token().to_owned();
    for expected in [true, false] {
        let had = house.invitation("A-1").await.progress.due_at;
        let answer = post(links.pages, &later, &[("token", &token), ("do", "not_arrived")], &[]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(house.invitation("A-1").await.progress.due_at != had, expected);
    }
    assert!(house.invitation("A-1").await.progress.due_at.unwrap() > before);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_see_take_along_and_have_erased_what_is_stored() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let page = get(links.pages, &links.data).await;
    assert!(page.body.contains(ANNA) && page.body.contains("A-1"), "{}", page.body);
    let token = page.form_token().to_owned();
    let export = post(links.pages, &links.data, &[("token", &token), ("do", "export")], &[]).await;
    assert_eq!(export.header("content-type"), Some("application/json"));
    assert!(export.header("content-disposition").unwrap().starts_with("attachment"));
    let data = serde_json::from_str::<serde_json::Value>(&export.body).unwrap();
    assert_eq!(data["email"], ANNA);
    let asked = post(links.pages, &links.data, &[("token", &token), ("do", "erase")], &[]).await;
    assert_eq!(asked.status, 200);
    assert_eq!(house.store().erasure_requests().await.unwrap().len(), 1);
    assert_eq!(house.invitation("A-1").await.progress.due_at, None, "letters stop at once");
    let page = get(links.pages, &links.data).await;
    assert!(page.body.contains("You requested erasure on 2 March 2026"), "{}", page.body);
    assert!(!page.body.contains("value=\"erase\"") && page.body.contains("value=\"export\""), "{}", page.body);
    house.daemon.stop().await;
}

/// What the pages say of a form that was open for more than a day.
const STALE: &str = "The page was open for a long time.";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_open_for_days_still_unsubscribes_and_elsewhere_asks_to_press_once_more() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let later = format!("{}/later", links.review);
    let asked = [(&later, "not_arrived"), (&links.data, "erase")];
    let mut opened = Vec::new();
    for (path, button) in asked {
        opened.push((path, button, get(links.pages, path).await.form_token().to_owned()));
    }
    let token = get(links.pages, &links.unsubscribe).await.form_token().to_owned();
    house.pass(Duration::from_secs(2 * 86_400));
    let before = format!("{:?}", house.story("A-1").await);
    for (path, button, token) in &opened {
        let answer = post(links.pages, path, &[("token", token), ("do", button)], &[]).await;
        assert_eq!(answer.status, 422, "{path}");
        assert!(answer.body.contains(STALE) && answer.body.contains("role=\"alert\""), "{path}: {}", answer.body);
        let again = [("token", answer.form_token()), ("do", button)];
        if *button == "erase" {
            assert!(house.store().erasure_requests().await.unwrap().is_empty());
        } else {
            assert_eq!(format!("{:?}", house.story("A-1").await), before);
            assert_eq!(post(links.pages, path, &again, &[]).await.status, 200, "{path}: the second time it is heard");
        }
    }
    for (token, status) in [("1772442000.00", 400), (token.as_str(), 200)] {
        let had = house.invitation("A-1").await.progress.due_at.is_some();
        let answer = post(links.pages, &links.unsubscribe, &[("token", token), ("do", "shop")], &[]).await;
        assert_eq!((answer.status, had), (status, true), "{}", answer.body);
    }
    assert_eq!(house.invitation("A-1").await.progress.due_at, None, "unsubscribed by the old form");
    house.daemon.stop().await;
}

/// All headers that the answer must have, whatever it is.
pub(crate) fn has_its_headers(answer: &Answer, what: &str) {
    let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{what}: {}", answer.head));
    assert!(policy.starts_with("default-src 'none'; style-src '") && !policy.contains("unsafe"), "{what}: {policy}");
    for part in ["form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{what}");
    assert_eq!(answer.header("x-robots-tag"), Some("noindex, nofollow"), "{what}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(answer.header("set-cookie"), None, "{what}");
    assert!(answer.header("content-type").is_some(), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_headers_and_a_wrong_method_says_which_are_right() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    for (method, path, status) in [
        ("GET", links.review.as_str(), 200),
        ("GET", "/", 404),
        ("GET", "/r/", 404),
        ("GET", "/r/nothing", 404),
        ("GET", "/r/%FF", 400),
        ("GET", "/about/nobody", 404),
        ("GET", "/robots.txt", 200),
        ("GET", "/hooks/reviewed", 405),
        ("PUT", &links.review, 405),
        ("DELETE", &links.data, 405),
        ("OPTIONS", &links.unsubscribe, 405),
        ("POST", "/robots.txt", 405),
        ("POST", &links.review, 415),
    ] {
        let answer = ask(links.pages, method, path, &[]).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        has_its_headers(&answer, &format!("{method} {path}"));
        if status == 405 {
            let allow = answer.header("allow").unwrap_or_else(|| panic!("{method} {path}: {}", answer.head));
            assert!(allow.contains("GET") || allow == "POST", "{allow}");
        }
    }
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changed_bit_of_a_link_and_every_other_purpose_gets_the_same_answer() {
    let house = adjusted(|pages| pages.proxies = vec!["127.0.0.1/32".parse().unwrap()]).await;
    let links = letter(&house, "A-1").await;
    let expected = get(links.pages, "/r/x").await;
    assert_eq!(expected.status, 404);
    let (token, other) = (links.review.trim_start_matches("/r/"), links.unsubscribe.trim_start_matches("/u/"));
    let mut tried = vec![
        format!("/r/{other}"),
        format!("/u/{token}"),
        format!("/d/{token}"),
        format!("/b/{token}"),
        format!("/o/{token}"),
    ];
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            if bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'-' | b'_') {
                tried.push(format!("/r/{}", String::from_utf8(bytes).unwrap()));
            }
        }
    }
    for (number, path) in tried.iter().enumerate() {
        // Each from another network, or the limit would answer.
        let from = format!("X-Forwarded-For: 198.51.{}.{}", number / 200, number % 200);
        let answer = ask(links.pages, "GET", path, &[&from]).await;
        assert_eq!(answer.without_date(), expected.without_date(), "{path}");
    }
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_other_sites_are_refused_and_change_nothing() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let token = get(links.pages, &links.review).await.form_token().to_owned();
    let own = format!("Origin: http://{}", links.pages);
    for (headers, status) in [
        (&["Origin: https://evil.example"][..], 403),
        (&["Sec-Fetch-Site: cross-site"], 403),
        (&["Origin: null", "Sec-Fetch-Site: cross-site"], 403),
        (&[&own, "Sec-Fetch-Site: same-origin"], 200),
        (&["Origin: null", "Sec-Fetch-Site: same-origin"], 200),
    ] {
        let before = reviews(&house).await.len();
        let answer = post(links.pages, &links.review, &review(&token, "5", "Fine"), headers).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
        has_its_headers(&answer, "a form");
        if status == 403 {
            assert_eq!(reviews(&house).await.len(), before);
        }
    }
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_and_what_was_typed_comes_back() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let token = get(links.pages, &links.review).await.form_token().to_owned();
    let long = "å".repeat(5_001);
    for (what, form) in [
        ("too long", review(&token, "5", &long)),
        ("without stars", review(&token, "", "kept words")),
        ("stars that there are not", review(&token, "9", "kept words")),
        ("a stale token", review("1.00", "5", "kept words")),
    ] {
        let answer = post(links.pages, &links.review, &form, &[]).await;
        assert_eq!(answer.status, 422, "{what}");
        assert!(answer.body.contains(form[4].1) && answer.body.contains("role=\"alert\""), "{what}: {}", answer.body);
        assert_eq!(reviews(&house).await, [], "{what}");
    }
    let latin = format!("token={token}&stars=5&title=kept+title&text=sch%F6n&name=A&do=write");
    let answer =
        post_body(links.pages, &links.review, "application/x-www-form-urlencoded", latin.as_bytes(), &[]).await;
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("kept title") && answer.body.contains("sch\u{fffd}n"));
    for (what, media_type, body, status) in [
        ("too much", "application/x-www-form-urlencoded", "a".repeat(70_000), 413),
        ("a field that there is not", "application/x-www-form-urlencoded", format!("token={token}&admin=1"), 400),
        ("a field twice", "application/x-www-form-urlencoded", format!("token={token}&stars=1&stars=5&do=write"), 400),
        ("no button", "application/x-www-form-urlencoded", format!("token={token}&stars=5"), 400),
        ("nothing", "application/x-www-form-urlencoded", String::new(), 422),
        ("JSON", "application/json", "{}".to_owned(), 415),
    ] {
        let answer = post_body(links.pages, &links.review, media_type, body.as_bytes(), &[]).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        has_its_headers(&answer, what);
    }
    let mut trapped = review(&token, "5", "Buy pills");
    trapped[1].1 = "https://pills.example";
    let answer = post(links.pages, &links.review, &trapped, &[]).await;
    assert_eq!(answer.status, 200, "a program is thanked");
    assert_eq!(reviews(&house).await, []);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_waits_and_others_do_not() {
    let house = adjusted(|pages| pages.proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let links = letter(&house, "A-1").await;
    let from = |client: &str| format!("X-Forwarded-For: 203.0.113.9, {client}");
    let mut refused = None;
    for number in 0..100 {
        let answer = ask(links.pages, "GET", &format!("/r/{number}"), &[&from("198.51.100.1")]).await;
        if answer.status != 404 {
            refused = Some((number, answer));
            break;
        }
    }
    let (number, answer) = refused.expect("guessing has an end");
    assert_eq!((number, answer.status), (60, 429));
    assert!(answer.header("retry-after").is_some());
    has_its_headers(&answer, "429");
    assert_eq!(ask(links.pages, "GET", &links.review, &[&from("198.51.100.2")]).await.status, 200);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_generic_link_asks_for_the_order_and_gives_a_link_to_change_it() {
    let house = house().await;
    let pages = house.daemon.pages_address().unwrap();
    let shop = house.config.shops[0].id.clone();
    let path = format!("/s/{shop}");
    let page = get(pages, &path).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let mut form = review(page.form_token(), "3", "So so");
    form.push(("reference", "B-1"));
    let thanks = post(pages, &path, &form, &[]).await;
    assert_eq!(thanks.status, 200, "{}", thanks.body);
    let link = thanks.body.split('"').find(|piece| piece.contains("/b/") || piece.contains("&#x2f;b&#x2f;"));
    let link = link.unwrap_or_else(|| panic!("{}", thanks.body)).replace("&#x2f;", "/");
    let link = link.trim_start_matches(&format!("http://{pages}"));
    let page = get(pages, link).await;
    assert!(page.body.contains("So so"), "{}", page.body);
    let gone = post(pages, link, &[("token", page.form_token()), ("do", "delete")], &[]).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_sent_away_and_nobody_waits_for_them() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(links.pages).await.unwrap();
        stream.write_all(b"GET / HT").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(get(links.pages, &links.review).await.status, 200);
    let mut text = String::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), slow[0].read_to_string(&mut text)).await;
    assert!(closed.is_ok() && !text.contains("200 OK"), "{text}");
    house.daemon.stop().await;
}

/// A signed word of another service.
async fn tell(pages: SocketAddr, secret: &str, at: i64, body: &str) -> Answer {
    use base64ct::{Base64, Encoding};
    use hmac::{KeyInit, Mac};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&Base64::decode_vec(secret).unwrap()).unwrap();
    mac.update(format!("msg_1.{at}.{body}").as_bytes());
    let signature = format!("webhook-signature: v1,{}", Base64::encode_string(&mac.finalize().into_bytes()));
    let at = format!("webhook-timestamp: {at}");
    post_body(pages, "/hooks/reviewed", "application/json", body.as_bytes(), &["webhook-id: msg_1", &at, &signature])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_service_tells_of_a_review_and_reminders_stop() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let now = START.0 / 1_000;
    let shop = house.config.shops[0].id.clone();
    let body = format!("{{\"shop\": \"{shop}\", \"reference\": \"A-1\"}}");
    let unsigned = post_body(links.pages, "/hooks/reviewed", "application/json", body.as_bytes(), &[]).await;
    for (secret, at, text) in [
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", now, body.clone()),
        (HOOK_SECRET, now - 400, body.clone()),
        (HOOK_SECRET, now, body.replace(shop.as_str(), "nobody")),
        (HOOK_SECRET, now, "no JSON".to_owned()),
    ] {
        let answer = tell(links.pages, secret, at, &text).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.without_date(), unsigned.without_date());
    }
    assert!(house.invitation("A-1").await.progress.due_at.is_some());
    let odd = tell(links.pages, HOOK_SECRET, now, &body.replace('}', ", \"x\": 1}")).await;
    assert_eq!(odd.status, 400, "{}", odd.body);
    for _ in 0..2 {
        let answer = tell(links.pages, HOOK_SECRET, now, &body).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "{\"invitations\":1}\n"));
        has_its_headers(&answer, "the hook");
    }
    assert_eq!(house.invitation("A-1").await.progress.due_at, None);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_erasure_nothing_is_stored() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let token = get(links.pages, &links.review).await.form_token().to_owned();
    let email = EmailAddress::parse(ANNA).unwrap();
    let desk = store::open(&house.config.database, None, store::Role::Desk).await.unwrap();
    let policies = house.daemon.house().setup().policies.clone();
    let found = person::find(&desk, &email, policies.list_key(), &mut |_| ()).await.unwrap();
    let order = person::Order { mark: None, actor: "maria".to_owned(), policies, clock: house.clock.clone() };
    person::erase(&desk, &email, found, &order, &mut |_| ()).await.unwrap();
    desk.close().await;
    let answer = post(links.pages, &links.review, &review(&token, "5", "Late"), &[]).await;
    assert_eq!(answer.status, 410, "{}", answer.body);
    has_its_headers(&answer, "gone");
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_moves_closes_and_opens_the_pages() {
    let house = house().await;
    let links = letter(&house, "A-1").await;
    let mut config = house.config.clone();
    house.daemon.reload(config.clone()).unwrap();
    assert_eq!(house.daemon.pages_address(), Some(links.pages), "the same place");
    assert_eq!(get(links.pages, &links.review).await.status, 200);
    let pages = config.pages.take();
    config.shops[0].link = LinkTo::Pattern(UrlPattern::parse("https://shop.example.com/{reference}").unwrap());
    house.daemon.reload(config.clone()).unwrap();
    assert_eq!(house.daemon.pages_address(), None);
    assert!(TcpStream::connect(links.pages).await.is_err());
    config.pages = pages.map(|pages| Pages { listen: links.pages, ..pages });
    config.shops[0].link = LinkTo::Own;
    house.daemon.reload(config).unwrap();
    assert_eq!(get(links.pages, &links.review).await.status, 200);
    house.daemon.stop().await;
}
