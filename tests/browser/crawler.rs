//! What mail scanners and previews do: every link of every letter is fetched, and fetched again, and nothing comes of it.

use std::collections::BTreeSet;

use invited::domain::DAY;

use crate::kit::{order_mail, say, until};
use crate::shop::Shop;
use crate::wire::ask;

/// What order mails call the languages that letters are written in.
const LOCALES: [&str; 14] = [
    "en-GB", "de-DE", "fr-FR", "sv-SE", "da-DK", "nb-NO", "fi-FI", "nl-NL", "es-ES", "it-IT", "pt-PT", "pl-PL",
    "cs-CZ", "ja-JP",
];

/// An order mail that says its language.
fn mail(reference: &str, locale: &str) -> Vec<u8> {
    let mail = order_mail(reference, "Anna Example", &format!("{locale}@customer.example.net"));
    let mail = String::from_utf8(mail).unwrap();
    mail.replace("{\"recipientEmail\"", &format!("{{\"locale\": \"{locale}\", \"recipientEmail\"")).into_bytes()
}

/// What the letters and pages of all orders stand on.
async fn standing(shop: &Shop) -> String {
    let mut told = String::new();
    for locale in LOCALES {
        told += &format!("{:?}\n", shop.house.story(locale).await);
    }
    format!("{told}{:?}{:?}", shop.reviews().await, shop.house.store().erasure_requests().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn fetching_every_link_of_every_letter_changes_nothing_in_any_language() {
    let shop = Shop::open("en").await;
    for locale in LOCALES {
        shop.letter(locale, &mail(locale, locale)).await;
    }
    shop.house.pass(DAY * 7);
    until("the reminders are out", async || (shop.house.relay.taken().len() == 2 * LOCALES.len()).then_some(())).await;
    shop.house.until_quiet().await;
    let letters = (0..2 * LOCALES.len()).map(|number| shop.newest(number)).collect::<Vec<_>>();
    let before = standing(&shop).await;
    let (mut fetched, mut languages) = (0, BTreeSet::new());
    for letter in &letters {
        let language = letter.header.lines().find_map(|line| line.strip_prefix("Content-Language: ")).unwrap();
        languages.insert(language.to_owned());
        for kind in ["/r/", "/u/", "/d/", "/v/", "/about/"] {
            letter.link(kind, "");
        }
        // One click is for https alone (RFC 8058, section 3.1); the address stands there all the same.
        let unsubscribe = format!("List-Unsubscribe: <{}/u/", shop.base());
        assert!(letter.header.contains(&unsubscribe), "{}", letter.header);
        for _ in 0..3 {
            for link in &letter.links {
                let path = link.trim_start_matches(&shop.base());
                for method in ["GET", "HEAD"] {
                    let answer = ask(shop.pages, method, path, &[], b"").await.unwrap();
                    assert_eq!((answer.status, answer.field("set-cookie")), (200, None), "{language}: {method} {link}");
                    let is_page =
                        path.starts_with("/about/") || answer.text().contains(&format!("<html lang=\"{language}\""));
                    assert!(method == "HEAD" || is_page, "{link} is not in {language}");
                    fetched += 1;
                }
            }
        }
    }
    assert_eq!(standing(&shop).await, before);
    assert_eq!(languages.len(), LOCALES.len(), "{languages:?}");
    say(&format!("crawler: {fetched} requests by the links of {} letters changed nothing", letters.len()));
    shop.house.daemon.stop().await;
}
