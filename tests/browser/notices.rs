//! What is said where there is no page: each notice as a customer comes to it, and what they typed when it could not be kept.

use invited::domain::{DAY, InvitationId};
use invited::link::{Purpose, Token};
use invited::store::Actor;
use sqlx::Connection as _;

use crate::driver::{Browser, can_browse};
use crate::looks::{look_at, nothing_but_the_status_is_complained_of};
use crate::shop::{Shop, order_of};

/// More links that lead nowhere than one network may try.
const GUESSES: usize = 70;

/// Looks at the notice behind an address. Gives what it says.
async fn notice(shop: &Shop, browser: &Browser, path: &str, name: &str) -> String {
    browser.heard().await;
    browser.open(&format!("{}{path}", shop.base())).await;
    look_at(browser, &format!("notice-{name}")).await;
    nothing_but_the_status_is_complained_of(browser, &shop.base()).await;
    browser.text("main").await
}

/// A link to the review of an invitation, of this series, that is good for so many days from now on.
fn review(shop: &Shop, number: InvitationId, series: u8, days: i64) -> String {
    let expires = invited::domain::Timestamp(shop.house.clock.now().0 + days * 86_400_000);
    let token = Token { shop: shop.id(), number: number.0, series, expires };
    format!("/r/{}", token.sign(&shop.house.daemon.house().setup().keys.links, Purpose::Review))
}

async fn sql(shop: &Shop, statement: &'static str) {
    let mut conn = shop.sql().await;
    sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_notice_is_kind_clear_and_of_its_own() {
    if !can_browse("every_notice_is_kind_clear_and_of_its_own") {
        return;
    }
    let (shop, browser) = (Shop::open("en").await, Browser::start().await);
    let letter = shop.letter("A-1", &order_of("A-1", "en", "Anna Example", &[])).await;
    let one = shop.house.invitation("A-1").await;
    let good = review(&shop, one.id, one.link_series, 1);
    let mut said = vec![
        notice(&shop, &browser, &review(&shop, one.id, one.link_series, -1), "expired").await,
        notice(&shop, &browser, &review(&shop, InvitationId(one.id.0 + 1_000), 0, 1), "gone").await,
        notice(&shop, &browser, "/r/nothing", "unknown").await,
    ];
    assert_eq!(notice(&shop, &browser, "/o/nothing", "unknown").await, said[2], "the same to who guesses");
    assert_eq!(notice(&shop, &browser, "/s/nobody", "unknown").await, said[2]);

    // The store fails: what was typed comes back, and is taken when the store is well.
    browser.open(letter.link("/r/", "?s=4")).await;
    browser.fill("#text", "Not to be lost").await;
    sql(&shop, "ALTER TABLE review RENAME TO away").await;
    said.push(notice(&shop, &browser, &good, "unavailable").await);
    browser.script("history.back()").await;
    crate::kit::until("the form is back", async || (!browser.all("#text").await.is_empty()).then_some(())).await;
    browser.fill("#text", "Not to be lost").await;
    browser.click("label:has(input[name=stars][value='4'])").await;
    browser.follow("button[value=write]").await;
    look_at(&browser, "review-not-kept").await;
    assert_eq!(browser.value("#text", "value").await, "Not to be lost");
    sql(&shop, "ALTER TABLE away RENAME TO review").await;
    browser.follow("button[value=write]").await;
    assert_eq!(shop.reviews().await.len(), 1);

    // A form that holds more than all fields may.
    browser.heard().await;
    browser.open(&format!("{}{good}", shop.base())).await;
    browser.script("document.querySelector('#text').value = 'x'.repeat(200000)").await;
    browser.follow("button[value=write]").await;
    look_at(&browser, "notice-too-large").await;
    said.push(browser.text("main").await);
    // A button that is none of ours.
    browser.open(&format!("{}{good}", shop.base())).await;
    browser.script("document.querySelector('button[value=write]').value = 'sing'").await;
    browser.follow("button[value=sing]").await;
    look_at(&browser, "notice-invalid").await;
    said.push(browser.text("main").await);

    let support = Actor { name: "support".to_owned(), reason: None };
    shop.house.store().revoke_links(one.id, &support, shop.house.clock.now()).await.unwrap();
    said.push(notice(&shop, &browser, &good, "revoked").await);
    for _ in 0..GUESSES {
        crate::wire::ask(shop.pages, "GET", "/r/nothing", &[], b"").await.unwrap();
    }
    said.push(notice(&shop, &browser, &good, "too-many").await);
    assert_eq!(shop.reviews().await.len(), 1, "none of them changed anything");
    shop.house.pass(DAY);
    browser.heard().await;
    let kinds = said.len();
    said.sort();
    said.dedup();
    assert_eq!(said.len(), kinds, "each says something of its own: {said:#?}");
    browser.stop().await;
    shop.house.daemon.stop().await;
}
