//! Names, products and reviews that try to be more than text, through letter, pages and program: each is shown as text, no script runs,
//! nothing is fetched, and nothing is wider than a telephone.

use crate::driver::{Browser, can_browse};
use crate::looks::{look_at, nothing_else_was_asked_for, sideways};
use crate::shop::{Shop, order_of};

/// What strikes, strikes this, or the title.
const STRIKE: &str = "window.struck=1";

/// Which of the texts has braces.
pub(crate) const BRACES: usize = 4;

/// A word that stands in every text, so that a text that vanished is noticed.
pub(crate) const MARK: &str = "Quux";

pub(crate) fn hostile() -> Vec<String> {
    vec![
        format!("<script>{STRIKE}</script>{MARK}"),
        format!("\"><img src=http://elsewhere.example/x onerror={STRIKE}>{MARK}"),
        format!("' autofocus onfocus='{STRIKE}' x='{MARK}"),
        format!("</textarea></title></style><svg onload={STRIKE}>{MARK}"),
        format!("{{{{ 7*191 }}}}{{% raw %}}{{# {MARK} #}}[Link] {MARK}"),
        format!("\u{202E}gnirts\u{202C}\u{200B}\u{2066}{MARK}\u{2069}\u{FEFF}"),
        format!("{MARK}\r\nBcc: victim@example.net\r\n\r\n<b>"),
        format!("{MARK}{}", "W".repeat(200)),
        format!("\u{1F9D1}\u{200D}\u{1F680}\u{1F389} {MARK}"),
        format!("\u{5E9}\u{5DC}\u{5D5}\u{5DD} \u{645}\u{631}\u{62D}\u{628}\u{627} {MARK}"),
        format!("\u{1B}[2J\u{1B}]0;{MARK}\u{7}\u{9B}31m\u{7F} {MARK}\u{2028}{MARK}"),
        format!("=HYPERLINK(\"http://elsewhere.example\",\"{MARK}\")"),
    ]
}

/// Checks that the page that is open is only text.
async fn is_harmless(browser: &Browser, base: &str, what: &str) {
    assert!(browser.script("return window.struck === undefined").await.as_bool().unwrap(), "{what}: a script ran");
    let made = "return document.querySelectorAll('script,img,svg,iframe,object,embed,link,[onerror],[onfocus],[onload]').length";
    assert_eq!(browser.script(made).await, 0, "{what}");
    assert_eq!(sideways(browser).await, [] as [String; 0], "{what}");
    assert!(!browser.source().await.contains("1337"), "{what}: a template was run");
    nothing_else_was_asked_for(browser, base).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_text_wherever_they_are_shown() {
    if !can_browse("hostile_texts_are_text_wherever_they_are_shown") {
        return;
    }
    let (shop, browser) = (Shop::open("en").await, Browser::start().await);
    browser.look_as(375, "light").await;
    let base = shop.base();
    for (number, text) in hostile().iter().enumerate() {
        let reference = format!("H-{number}");
        let letter = shop.letter(&reference, &order_of(&reference, "en", text, &[text])).await;
        assert!(!letter.header.contains("\nBcc:"), "{}", letter.header);
        // A name with braces is none, and the letter greets nobody by it.
        assert!(
            number == BRACES || (letter.text.contains(MARK) && letter.html.contains(MARK)),
            "{text:?}: {}",
            letter.text
        );
        browser.open(letter.link("/v/", "")).await;
        is_harmless(&browser, &base, &format!("letter of {text:?}")).await;

        browser.open(letter.link("/r/", "?s=5")).await;
        is_harmless(&browser, &base, &format!("review of {text:?}")).await;
        let words = if number == 7 { "W".repeat(5_000) } else { format!("{MARK} {text}") };
        browser.fill("#text", &words).await;
        browser.fill("#title", &text.chars().take(90).collect::<String>()).await;
        browser.fill("#name", &text.chars().take(50).collect::<String>()).await;
        browser.follow("form:not(.apart) button[value=write]").await;
        is_harmless(&browser, &base, &format!("thanks of {text:?}")).await;
        let stored = shop.reviews().await;
        assert_eq!(stored.len(), number + 1, "{text:?}: {}", browser.text("main").await);

        browser.open(letter.review()).await;
        is_harmless(&browser, &base, &format!("edit of {text:?}")).await;
        let shown = browser.value("#text", "value").await;
        assert!(stored.iter().any(|(.., words, _)| *words == shown), "{text:?} is shown as it is stored: {shown:?}");
        if number == 7 {
            look_at(&browser, "hostile-long").await;
        }
        browser.open(letter.link("/d/", "")).await;
        is_harmless(&browser, &base, &format!("data of {text:?}")).await;
        let told = browser.script("return document.querySelector('main').textContent").await;
        assert!(told.as_str().unwrap().contains(shown.trim()), "the review's words are among what is stored: {told}");
        if number == 9 {
            look_at(&browser, "hostile-data").await;
        }
    }
    for (_, title, text, name) in shop.reviews().await {
        let bidi = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}');
        for words in [title, text, name] {
            assert!(!words.contains(bidi) && !words.contains('\r'), "{words:?}");
        }
    }
    browser.stop().await;
    shop.house.daemon.stop().await;
}
