//! Reviews by the links that a shop puts into its own mails and pages, of the shop and of products; and what a robot does with a form.

use invited::domain::{Collected, Review, ReviewKind};

use crate::driver::{Browser, can_browse};
use crate::looks::{look_at, nothing_else_was_asked_for};
use crate::shop::{Shop, order_of};

/// What is compared of a review.
fn told(one: &Review) -> (ReviewKind, Option<&str>, u8, &str, Collected, bool) {
    (one.kind, one.product.as_deref(), one.stars.get(), one.words.text(), one.collected, one.verified)
}

fn star(field: &str, stars: u8) -> String {
    format!("label:has(input[name={field}][value='{stars}'])")
}

const WRITE: &str = "button[value=write]";

#[tokio::test(flavor = "multi_thread")]
async fn an_order_with_products_is_reviewed_by_a_link_of_the_shops_own() {
    if !can_browse("an_order_with_products_is_reviewed_by_a_link_of_the_shops_own") {
        return;
    }
    let (shop, browser) = (Shop::open("en").await, Browser::start().await);
    browser.look_as(375, "light").await;
    let link = shop.own_link("O-1", &["Lamp \u{201E}Nord\u{201C}", "Cup"]);
    assert!(link.starts_with(&format!("{}/o/", shop.base())), "{link}");
    browser.open(&link).await;
    assert!(browser.text("main").await.contains("O-1"));
    assert_eq!(browser.all("footer a[href*='/u/']").await, [], "no letter is ended by a link of the shop's own");
    look_at(&browser, "order-link").await;
    browser.click("summary").await;
    look_at(&browser, "order-link-products").await;
    browser.click(&star("stars", 4)).await;
    browser.fill("#text", "Came fast").await;
    browser.click(&star("p1_stars", 2)).await;
    browser.fill("#p1_text", "Chipped").await;
    browser.follow(WRITE).await;
    look_at(&browser, "order-link-thanks").await;
    let expected = [
        (ReviewKind::Product, Some("Cup"), 2, "Chipped", Collected::Link, true),
        (ReviewKind::Service, None, 4, "Came fast", Collected::Link, true),
    ];
    let mut stored = shop.stored().await;
    stored.sort_by_key(|one| one.kind == ReviewKind::Service);
    assert_eq!(stored.iter().map(told).collect::<Vec<_>>(), expected);

    browser.open(&link).await;
    assert_eq!(browser.value("#p1_text", "value").await, "Chipped");
    assert_eq!(browser.value("input[name=p1_stars]:checked", "value").await, "2");
    look_at(&browser, "order-link-edit").await;
    browser.click(&star("p0_stars", 5)).await;
    browser.follow(WRITE).await;
    assert_eq!(shop.stored().await.len(), 3);
    browser.open(&link).await;
    browser.follow("button[value=delete]").await;
    look_at(&browser, "order-link-deleted").await;
    assert!(shop.stored().await.iter().all(|one| !one.stands()), "with those of the products");
    nothing_else_was_asked_for(&browser, &shop.base()).await;

    let letter = shop.letter("A-1", &order_of("A-1", "en", "Anna Example", &["Lamp", "Cup"])).await;
    browser.open(letter.link("/r/", "?s=5")).await;
    browser.click("summary").await;
    browser.click(&star("p0_stars", 3)).await;
    browser.follow(WRITE).await;
    let stored = shop.stored().await;
    let lamp = stored.iter().find(|one| one.product.as_deref() == Some("Lamp")).unwrap();
    assert_eq!(told(lamp), (ReviewKind::Product, Some("Lamp"), 3, "", Collected::Automatic, true));

    // Words without stars: the product is opened, and what is missing is said there.
    browser.open(letter.review()).await;
    browser.fill("#p1_text", "No stars").await;
    browser.follow(WRITE).await;
    look_at(&browser, "products-fault").await;
    assert_eq!(browser.value("#p1_text", "value").await, "No stars");
    browser.find("#p1_stars-fault").await;
    browser.stop().await;
    shop.house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_reviews_by_the_generic_link_and_changes_it_by_the_link_of_the_thanks_page() {
    if !can_browse("anybody_reviews_by_the_generic_link_and_changes_it_by_the_link_of_the_thanks_page") {
        return;
    }
    let (shop, browser) = (Shop::open("en").await, Browser::start().await);
    browser.look_as(375, "light").await;
    browser.open(&shop.generic_link()).await;
    look_at(&browser, "generic").await;
    browser.click(&star("stars", 5)).await;
    browser.fill("#text", "Nice shop").await;
    browser.fill("#name", "Gus").await;
    browser.fill("#reference", "SHOP-77").await;
    browser.follow(WRITE).await;
    look_at(&browser, "generic-thanks").await;
    let stored = shop.stored().await;
    let expected = (ReviewKind::Service, None, 5, "Nice shop", Collected::Basic, false);
    assert_eq!(stored.iter().map(told).collect::<Vec<_>>(), [expected]);
    let kept = browser.text("a.long").await;
    assert!(kept.starts_with(&format!("{}/b/", shop.base())), "{kept}");

    browser.follow("a.long").await;
    assert_eq!(browser.address().await, kept);
    assert_eq!(browser.value("#text", "value").await, "Nice shop");
    look_at(&browser, "generic-edit").await;
    browser.click(&star("stars", 3)).await;
    browser.follow(WRITE).await;
    look_at(&browser, "generic-changed").await;
    assert_eq!(told(&shop.stored().await[0]).2, 3);
    browser.open(&kept).await;
    browser.follow("button[value=delete]").await;
    look_at(&browser, "generic-deleted").await;
    assert!(!shop.stored().await[0].stands());
    // The link that everybody has shows nothing of what somebody wrote.
    browser.open(&shop.generic_link()).await;
    assert_eq!(browser.value("#text", "value").await, "");
    nothing_else_was_asked_for(&browser, &shop.base()).await;
    browser.stop().await;
    shop.house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_that_fills_every_field_is_thanked_and_nothing_is_stored() {
    if !can_browse("a_robot_that_fills_every_field_is_thanked_and_nothing_is_stored") {
        return;
    }
    let (shop, browser) = (Shop::open("en").await, Browser::start().await);
    let letter = shop.letter("A-1", &order_of("A-1", "en", "Anna Example", &[])).await;
    let before = shop.house.invitation("A-1").await;
    let mut thanks = Vec::new();
    for link in [letter.review(), &shop.own_link("O-1", &[]), &shop.generic_link()] {
        browser.open(link).await;
        let place = "const at = document.querySelector('[name=website]').getBoundingClientRect(); return at.right < 0";
        assert!(browser.script(place).await.as_bool().unwrap(), "no person sees the field");
        browser
            .script(
                "for (const one of document.querySelectorAll('form:not(.apart) input:not([type=radio]):not([type=hidden]), textarea'))
                     one.value = 'buy pills';
                 document.querySelector('input[name=stars][value=\"5\"]').checked = true;",
            )
            .await;
        browser.follow(WRITE).await;
        thanks.push(browser.text("h1").await);
    }
    look_at(&browser, "thanks-robot").await;
    assert_eq!(shop.stored().await, []);
    assert_eq!(shop.house.invitation("A-1").await, before);

    browser.open(letter.link("/r/", "?s=5")).await;
    browser.follow(WRITE).await;
    assert_eq!(shop.stored().await.len(), 1, "who does not fill it is heard");
    let real = browser.text("h1").await;
    assert!(thanks.iter().all(|one| *one == real), "{thanks:?} or {real}");
    browser.stop().await;
    shop.house.daemon.stop().await;
}
