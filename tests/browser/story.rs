//! The customer's story from the order mail on, by clicks in a real browser: with scripts allowed and every page looked at, and once
//! more without scripts.

use invited::domain::{DAY, EmailAddress};
use invited::ops::person;
use invited::store::{self, Store as _};

use crate::driver::{Browser, can_browse, key};
use crate::kit::{order_mail, until};
use crate::looks::{look_at, nothing_else_was_asked_for};
use crate::shop::Shop;
use crate::wire::ask;

const ANNA: &str = "anna@customer.example.net";

/// A customer at a browser, who looks at each page unless scripts are off, which axe-core needs.
struct Customer {
    shop: Shop,
    browser: Browser,
    looks: bool,
}

impl Customer {
    async fn begin(looks: bool) -> Self {
        let (shop, browser) = (Shop::open("en").await, Browser::start().await);
        browser.allow_scripts(looks).await;
        browser.look_as(375, "light").await;
        Self { shop, browser, looks }
    }

    async fn open(&self, url: &str) {
        self.browser.open(url).await;
    }

    /// Looks at the page and at what it asked for.
    async fn look(&self, name: &str) {
        if self.looks {
            look_at(&self.browser, name).await;
        }
        assert!(!self.browser.source().await.contains("<script"), "{name}");
        nothing_else_was_asked_for(&self.browser, &self.shop.base()).await;
    }

    async fn end(self) {
        self.browser.stop().await;
        self.shop.house.daemon.stop().await;
    }

    async fn reviews_and_edits(&self) {
        let Self { shop, browser, .. } = self;
        let letter = shop.letter("A-1", &order_mail("A-1", "Anna Example", ANNA)).await;
        self.open(letter.link("/r/", "?s=4")).await;
        assert_eq!(browser.value("input[name=stars]:checked", "value").await, "4");
        self.look("review").await;
        assert_eq!(shop.reviews().await, [], "a click stores nothing");
        browser.fill("#text", "Came fast.\nWell packed \u{1F389}").await;
        browser.fill("#title", "Good").await;
        browser.fill("#name", "Anna").await;
        browser.follow("button[value=write]").await;
        self.look("thanks").await;
        let review =
            |stars, title: &str, text: &str| vec![(stars, title.to_owned(), text.to_owned(), "Anna".to_owned())];
        assert_eq!(shop.reviews().await, review(4, "Good", "Came fast.\nWell packed \u{1F389}"));
        assert_eq!(shop.house.invitation("A-1").await.progress.due_at, None, "no reminder");

        self.open(letter.review()).await;
        assert_eq!(browser.value("#text", "value").await, "Came fast.\nWell packed \u{1F389}");
        self.look("review-edit").await;
        browser.fill("#text", "Broke after a day").await;
        browser.follow("button[value=write]").await;
        self.look("thanks-changed").await;
        assert_eq!(shop.reviews().await, review(4, "Good", "Broke after a day"));

        self.open(letter.review()).await;
        browser.follow("button[value=delete]").await;
        self.look("deleted").await;
        assert_eq!(shop.reviews().await, []);

        self.open(letter.link("/r/", "?s=2")).await;
        browser.fill("#text", "Once more").await;
        browser.fill("#name", "Anna").await;
        browser.follow("button[value=write]").await;
        assert_eq!(shop.reviews().await, review(2, "", "Once more"));
        self.open(letter.link("/about/", "")).await;
        self.look("about").await;
    }

    async fn puts_off(&self) {
        let Self { shop, browser, .. } = self;
        let letter = shop.letter("A-2", &order_mail("A-2", "Bo Example", "bo@customer.example.net")).await;
        // Else the reminder would come later than the wait from now on.
        shop.house.pass(DAY * 5);
        self.open(letter.link("/v/", "")).await;
        self.look("letter").await;
        self.open(letter.link("/r/", "/later")).await;
        self.look("later").await;
        let before = shop.house.invitation("A-2").await.progress.due_at;
        browser.follow("button[value=not_arrived]").await;
        self.look("put-off").await;
        assert!(shop.house.invitation("A-2").await.progress.due_at > before);
        self.open(letter.link("/r/", "/later")).await;
        self.look("later-half").await;
        browser.follow("button[value=later]").await;
        self.open(letter.link("/r/", "/later")).await;
        self.look("later-none").await;
        assert_eq!(browser.all("button").await, []);
    }

    async fn unsubscribes(&self) {
        let Self { shop, browser, .. } = self;
        let letter = shop.letter("A-3", &order_mail("A-3", "Cy Example", "cy@customer.example.net")).await;
        let link = letter.link("/u/", "");
        for scope in ["shop", "all"] {
            self.open(link).await;
            self.look("unsubscribe").await;
            browser.follow(&format!("button[value={scope}]")).await;
            self.look(&format!("unsubscribed-{scope}")).await;
            browser.follow("button[value=undo]").await;
            self.look("undone").await;
        }
        // As a mail program does it.
        let path = link.trim_start_matches(&shop.base());
        let fields = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = ask(shop.pages, "POST", path, &fields, b"List-Unsubscribe=One-Click").await.unwrap();
        assert_eq!((answer.status, answer.field("set-cookie")), (200, None));
        self.open(link).await;
        browser.find("button[value=undo]").await;
        nothing_else_was_asked_for(browser, &shop.base()).await;
    }

    async fn takes_its_data(&self) {
        let Self { shop, browser, .. } = self;
        let letter = shop.letter("A-4", &order_mail("A-4", "Di Example", "di@customer.example.net")).await;
        self.open(letter.link("/d/", "")).await;
        assert!(browser.text("main").await.contains("di@customer.example.net"));
        self.look("data").await;
        let folder = tempfile::tempdir().unwrap();
        let allowed = serde_json::json!({ "behavior": "allow", "downloadPath": folder.path() });
        browser.devtools("Browser.setDownloadBehavior", allowed).await;
        browser.click("button[value=export]").await;
        let export = until("the export is there", async || {
            let file = std::fs::read_dir(folder.path())
                .unwrap()
                .flatten()
                .find(|one| one.path().extension().is_some_and(|end| end == "json"))?;
            serde_json::from_slice::<serde_json::Value>(&std::fs::read(file.path()).unwrap()).ok()
        })
        .await;
        assert_eq!(export["email"], "di@customer.example.net");
        browser.heard().await;
        self.open(letter.link("/d/", "")).await;
        browser.follow("button[value=erase]").await;
        self.look("erasure-asked").await;
        assert_eq!(shop.house.store().erasure_requests().await.unwrap().len(), 1);
        self.open(letter.link("/d/", "")).await;
        self.look("data-erasure").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_does_everything_that_the_pages_offer() {
    if !can_browse("a_customer_does_everything_that_the_pages_offer") {
        return;
    }
    let customer = Customer::begin(true).await;
    customer.reviews_and_edits().await;
    customer.puts_off().await;
    customer.unsubscribes().await;
    customer.takes_its_data().await;
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_without_scripts_does_the_same() {
    if !can_browse("a_customer_without_scripts_does_the_same") {
        return;
    }
    let customer = Customer::begin(false).await;
    customer.reviews_and_edits().await;
    customer.puts_off().await;
    customer.unsubscribes().await;
    customer.takes_its_data().await;
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_written_with_keys_alone() {
    if !can_browse("a_review_is_written_with_keys_alone") {
        return;
    }
    let customer = Customer::begin(false).await;
    let Customer { shop, browser, .. } = &customer;
    let letter = shop.letter("A-1", &order_mail("A-1", "Anna Example", ANNA)).await;
    customer.open(letter.link("/r/", "?s=3")).await;
    browser.press(&[key::TAB, key::RIGHT, key::TAB, 'o', 'k', key::TAB, 'f', 'i', 'n', 'e']).await;
    // In a field of one line, Enter sends.
    browser.enter().await;
    assert_eq!(shop.reviews().await, [(4, "fine".to_owned(), "ok".to_owned(), "Anna".to_owned())]);
    customer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_said_and_what_was_typed_stays() {
    if !can_browse("what_cannot_be_taken_is_said_and_what_was_typed_stays") {
        return;
    }
    let customer = Customer::begin(true).await;
    let Customer { shop, browser, .. } = &customer;
    let letter = shop.letter("A-1", &order_mail("A-1", "Anna Example", ANNA)).await;
    customer.open(letter.review()).await;
    let long = "word ".repeat(1_100);
    browser.fill("#text", &long).await;
    browser.follow("button[value=write]").await;
    browser.find("[role=alert]").await;
    assert_eq!(browser.value("#text", "value").await.trim(), long.trim());
    // The answer's status is told of in the console.
    browser.heard().await;
    look_at(browser, "review-faults").await;
    assert_eq!(shop.reviews().await, []);
    browser.click("[role=alert] a[href='#stars']").await;
    browser.press(&[' ']).await;
    browser.fill("#text", "short").await;
    browser.follow("button[value=write]").await;
    assert_eq!(shop.reviews().await.len(), 1);
    // Once more, as reloading the answer would do.
    browser.script("location.reload()").await;
    assert_eq!(shop.reviews().await.len(), 1);
    browser.open(&format!("{}/r/nothing", shop.base())).await;
    look_at(browser, "not-found").await;

    // Erased while the page stands open.
    let letter = shop.letter("A-2", &order_mail("A-2", "Bo Example", "bo@customer.example.net")).await;
    browser.open(letter.link("/r/", "?s=5")).await;
    erase(shop, &EmailAddress::parse("bo@customer.example.net").unwrap()).await;
    browser.fill("#text", "too late").await;
    browser.follow("button[value=write]").await;
    look_at(browser, "gone").await;
    assert_eq!(shop.reviews().await.len(), 1);
    customer.end().await;
}

/// Takes everything of a person away, as support does when asked.
async fn erase(shop: &Shop, email: &EmailAddress) {
    let desk = store::open(&shop.house.config.database, None, store::Role::Desk).await.unwrap();
    let policies = shop.house.daemon.house().setup().policies.clone();
    let found = person::find(&desk, email, policies.list_key(), &mut |_| ()).await.unwrap();
    let clock = shop.house.clock.clone();
    let order = person::Order { mark: None, actor: "maria".to_owned(), policies, clock };
    person::erase(&desk, email, found, &order, &mut |_| ()).await.unwrap();
    desk.close().await;
}
