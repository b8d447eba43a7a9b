//! What mail scanners and previews do: every link of every letter is fetched, and fetched again, and nothing comes of it.

use invited::domain::DAY;
use invited::domain::State;

use crate::kit::{order_mail, until};
use crate::shop::Shop;
use crate::wire::ask;

const LOCALES: [&str; 14] = ["en", "de", "fr", "sv", "da", "nb", "fi", "nl", "es", "it", "pt", "pl", "cs", "ja"];

#[tokio::test(flavor = "multi_thread")]
async fn fetching_every_link_of_every_letter_changes_nothing_in_any_language() {
    let mut fetched = 0;
    for locale in LOCALES {
        let shop = Shop::open(locale).await;
        let invitation = shop.letter("A-1", &order_mail("A-1", "Anna Example", "anna@customer.example.net")).await;
        shop.house.pass(DAY * 7);
        until("the reminder is out", async || (shop.house.relay.taken().len() == 2).then_some(())).await;
        until("it is settled", async || {
            (shop.house.invitation("A-1").await.progress.state != State::Sending).then_some(())
        })
        .await;
        let reminder = shop.newest(1);
        let before = format!("{:?}", shop.house.story("A-1").await);
        for letter in [&invitation, &reminder] {
            for kind in ["/r/", "/u/", "/d/", "/v/", "/about/"] {
                letter.link(kind, "");
            }
            // One click is for https alone (RFC 8058, section 3.1); the address stands there all the same.
            let unsubscribe = format!("List-Unsubscribe: <{}/u/", shop.base());
            assert!(letter.header.contains(&unsubscribe), "{locale}: {}", letter.header);
            for link in letter.links.iter().chain(letter.links.iter()).chain(letter.links.iter()) {
                let path = link.trim_start_matches(&shop.base());
                for method in ["GET", "HEAD"] {
                    let answer = ask(shop.pages, method, path, &[], b"").await.unwrap();
                    assert_eq!(answer.status, 200, "{locale}: {method} {link}");
                    assert_eq!(answer.field("set-cookie"), None, "{locale}: {link}");
                    let is_page = answer.text().contains(&format!("lang=\"{locale}"));
                    assert!(method == "HEAD" || is_page, "{locale}: {link} is in another language");
                    fetched += 1;
                }
            }
        }
        assert_eq!(format!("{:?}", shop.house.story("A-1").await), before, "{locale}");
        assert_eq!(shop.reviews().await, [], "{locale}");
        assert!(shop.house.store().erasure_requests().await.unwrap().is_empty(), "{locale}");
        shop.house.daemon.stop().await;
    }
    crate::kit::say(&format!("crawler: {fetched} requests in {} languages changed nothing", LOCALES.len()));
}
