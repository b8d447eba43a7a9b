//! Links as a shop and its customers meet them: made on the command line, found in a letter that went out, looked at, revoked, and ended
//! with their key.

use std::io::Write as _;

use serde_json::Value;

use crate::kit::{make_private, opened};
use crate::program::Site;
use crate::relay::{Act, TestRelay};

const PAGES: &str = "\n[pages]\nurl = \"https://reviews.shop.example.com/r/\"\nlisten = \"127.0.0.1:0\"\n";
const ORDER: [&str; 8] = [
    "--email",
    "anna@customer.example.net",
    "--name",
    "Åsa \"Ace\" <b>",
    "--reference",
    "100-AB",
    "--product",
    "Cup & {{ 7 }}",
];

fn also(site: &Site, text: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(site.config()).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

async fn site() -> (Site, TestRelay) {
    let relay = TestRelay::start(|_| Act::Ok).await;
    (Site::new(relay.address, &[]).await, relay)
}

fn made(site: &Site) -> String {
    let words = ["link", "make"].into_iter().chain(ORDER).collect::<Vec<_>>();
    site.run(&words).ended(0).out.trim().to_owned()
}

/// What `link check` says in JSON, and its exit code.
fn checked(site: &Site, link: &str, code: i32) -> Value {
    site.run(&["link", "check", "--json", link]).ended(code).json().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_links_of_a_letter_are_known_again_until_they_are_revoked() {
    let (site, relay) = site().await;
    also(&site, PAGES);
    let words = ["invite", "--email", "anna@customer.example.net", "--name", "Anna Ek", "--reference", "100-AB"];
    site.run(&words).ended(0);
    let service = site.serve().await;
    relay.until(|seen| seen.taken.len() == 1).await;
    drop(service);
    let taken = relay.taken();
    let text = opened(&taken[0]).body_text(0).unwrap().into_owned();
    let link = text.split_whitespace().find(|word| word.contains("shop.example.com/review/")).unwrap().to_owned();
    let plain = site.run(&["link", "check", &link]).ended(0).out;
    assert!(plain.contains("For:         review") && plain.contains("State:       valid"), "{plain}");
    assert!(!plain.contains("anna") && !plain.contains("Ek") && !plain.contains("100-AB"), "{plain}");
    let shown = site.run(&["link", "check", "--show", &link]).ended(0).out;
    assert!(shown.contains("anna@customer.example.net (Anna Ek)") && shown.contains("100-AB"), "{shown}");
    let leave = text.split_whitespace().find(|word| word.contains("/r/u/")).unwrap();
    let leave = leave.trim_matches(['<', '>', '(', ')', '.']).to_owned();
    site.run(&["link", "revoke", "100-AB", "--reason", "went to her brother", "--actor", "maria"]).ended(0);
    let story = site.run(&["explain", "--order", "100-AB"]).ended(0).out;
    assert!(story.contains("desk revoke links by maria") && story.contains("[went to her brother]"), "{story}");
    let said = checked(&site, &leave, 0);
    let state = (said["purpose"].as_str(), said["state"].as_str(), said["expires"].is_null());
    assert_eq!(state, (Some("unsubscribe"), Some("valid"), true), "who wants to leave can");
    let said = checked(&site, &link, 1);
    assert_eq!((said["state"].as_str(), said["invitation"].as_i64()), (Some("revoked"), Some(1)));
    site.run(&["link", "revoke", "4711"]).ended(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shops_own_link_is_good_while_its_key_is_listed() {
    let (site, relay) = site().await;
    site.configure(relay.address, &[("link", "\"own\"")]);
    also(&site, PAGES);
    let old = made(&site);
    assert!(old.starts_with("https://reviews.shop.example.com/r/o/"), "{old}");
    assert_ne!(old, made(&site), "no two are alike");
    let said = checked(&site, &old, 0);
    assert_eq!((said["purpose"].as_str(), said["key"].as_i64()), (Some("order"), Some(1)));
    assert_eq!(said["email"], Value::Null);
    let shown = site.run(&["link", "check", "--show", "--json", &old]).ended(0).json().remove(0);
    assert_eq!((shown["name"].as_str(), shown["reference"].as_str()), (Some("Åsa \"Ace\" <b>"), Some("100-AB")));
    assert_eq!(shown["products"][0], "Cup & {{ 7 }}");

    std::fs::write(site.path("link-2.key"), "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b\n").unwrap();
    make_private(&site.path("link-2.key"));
    also(&site, "[[link_key]]\nid = 2\nsecret = { file = \"link-2.key\" }\n");
    let removed = site.run(&["link", "check", &old]).ended(1);
    assert!(removed.err.contains("it names the key 1, which [[link_key]] does not list"), "{}", removed.err);
    let new = made(&site);
    also(&site, "[[link_key]]\nid = 1\n");
    assert_eq!(checked(&site, &old, 0)["key"], 1);
    assert_eq!(checked(&site, &new, 0)["key"], 2);
    let generic = site.run(&["link", "make", "--generic"]).ended(0).out;
    assert_eq!(generic.trim(), "https://reviews.shop.example.com/r/s/shop");
    assert_eq!(checked(&site, generic.trim(), 0)["purpose"], "everybody");
    site.run(&["link", "check", &new[..new.len() - 1]]).ended(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_keys_and_links_is_told_without_them() {
    let (site, _relay) = site().await;
    site.run(&["link", "make", "--generic"]).ended(1);
    site.run(&["link", "make"]).ended(2);
    let product = "x".repeat(200);
    let many = ["--product", &product].repeat(10);
    let words = ["link", "make", "--email", "a@customer.example.net", "--reference", "1"];
    let long = site.run(&[&words[..], &many].concat()).ended(1);
    assert!(long.err.contains("name fewer products"), "{}", long.err);
    std::fs::write(site.path("link-2.key"), "opensesame\n").unwrap();
    make_private(&site.path("link-2.key"));
    also(&site, "\n[[link_key]]\nid = 2\nsecret = { file = \"link-2.key\" }\n");
    for words in [&["link", "make", "--generic"][..], &["check", "--offline"]] {
        let told = site.run(words);
        let said = format!("{}{}", told.out, told.err);
        assert!(told.code != 0 && said.contains("fewer than 32 characters") && !said.contains("opensesame"), "{said}");
    }
    site.configure(
        ([127, 0, 0, 1], 25).into(),
        &[("link", "{ business_generated = \"shop.example.com\", encrypt_key = { file = \"e.key\" }, auth_key = { file = \"a.key\" } }")],
    );
    for key in ["e.key", "a.key"] {
        std::fs::write(site.path(key), "XCxIAot+Tr6FVbU5fROwe2ckBEoFDcb6gwBT8022oVs=\n").unwrap();
        make_private(&site.path(key));
    }
    let link = made(&site);
    assert!(link.starts_with("https://www.trustpilot.com/evaluate-bgl/shop.example.com?p="), "{link}");
    site.run(&["link", "check", &link]).ended(1);
    std::fs::write(site.path("a.key"), "opensesame\n").unwrap();
    let told = site.run(&["link", "make", "--generic"]).ended(78);
    assert!(told.err.contains("a.key: is no auth key") && !told.err.contains("opensesame"), "{}", told.err);
}
