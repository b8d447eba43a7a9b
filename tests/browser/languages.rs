//! The pages in languages with long words, many forms of a word, and other scripts: nothing is wider than a telephone, and a screen
//! reader is told the language.

use crate::driver::{Browser, can_browse};
use crate::looks::{look_at, nothing_else_was_asked_for};
use crate::shop::{Shop, order_of};

/// What order mails call the languages, and what pages call them.
const LANGUAGES: [(&str, &str); 5] =
    [("de-DE", "de"), ("fi-FI", "fi"), ("pl-PL", "pl"), ("ja-JP", "ja"), ("fr-FR", "fr")];

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_are_well_in_every_kind_of_language() {
    if !can_browse("the_pages_are_well_in_every_kind_of_language") {
        return;
    }
    let (shop, browser) = (Shop::open("en").await, Browser::start().await);
    browser.devtools("Network.enable", serde_json::json!({})).await;
    for (locale, language) in LANGUAGES {
        let letter = shop.letter(locale, &order_of(locale, locale, "Anna Example", &["Lamp", "Cup"])).await;
        // The page about how reviews are collected is of no letter, and follows the browser.
        let headers = serde_json::json!({ "headers": { "Accept-Language": locale } });
        browser.devtools("Network.setExtraHTTPHeaders", headers).await;
        for (kind, name) in [("/r/", "review"), ("/u/", "unsubscribe"), ("/d/", "data"), ("/about/", "about")] {
            browser.open(letter.link(kind, "")).await;
            assert_eq!(browser.script("return document.documentElement.lang").await, language, "{name}");
            if let [_] = browser.all("summary").await[..] {
                browser.click("summary").await;
            }
            look_at(&browser, &format!("{name}-{language}")).await;
        }
        nothing_else_was_asked_for(&browser, &shop.base()).await;
    }
    browser.stop().await;
    shop.house.daemon.stop().await;
}
