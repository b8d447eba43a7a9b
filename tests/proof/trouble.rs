//! A DNS in trouble holds copies and loses none, and costs no more than its time.

use std::time::Duration;

use invited::domain::trust::{NewSenders, TrustRules};
use tokio::time::Instant;

use crate::dns::Says;
use crate::signer::{How, signed};
use crate::{MAIL, Scene, WELL, by_dkim, listed, strict};

#[tokio::test]
async fn an_error_of_the_dns_is_no_answer() {
    for says in [Says::Fails, Says::Refuses] {
        let scene = Scene::new().await;
        scene.dns.say("s1._domainkey.shop.example", says);
        assert_eq!(scene.says(&signed(MAIL, &scene.key, WELL), &by_dkim()).await, "unsure");
    }
    let scene = Scene::new().await;
    scene.dns.say("s1._domainkey.shop.example", Says::Nothing);
    assert_eq!(
        scene.says(&signed(MAIL, &scene.key, WELL), &by_dkim()).await,
        "held",
        "a name without a key is an answer"
    );
}

#[tokio::test]
async fn a_copy_that_was_held_for_the_dns_is_believed_when_it_answers_again() {
    let scene = Scene::new().await;
    let mail = signed(MAIL, &scene.key, WELL);
    scene.dns.say("s1._domainkey.shop.example", Says::Fails);
    assert_eq!(scene.says(&mail, &by_dkim()).await, "unsure");
    scene.dns.txt("s1._domainkey.shop.example", &scene.key.record());
    assert_eq!(scene.says(&mail, &by_dkim()).await, "dkim");
}

#[tokio::test]
async fn where_the_address_is_enough_trouble_holds_nothing() {
    let scene = Scene::new().await;
    scene.dns.say("s1._domainkey.shop.example", Says::Fails);
    let rules = TrustRules { address: NewSenders::Accept, ..by_dkim() };
    assert_eq!(scene.says(&signed(MAIL, &scene.key, WELL), &rules).await, "address");
}

/// With the clock stopped, what waits for nobody else comes at once; so this takes no real time.
#[tokio::test(start_paused = true)]
async fn a_silent_dns_takes_ten_seconds_at_most() {
    let scene = Scene::new().await;
    let mut mail = MAIL.to_owned();
    for number in 0..10 {
        let selector = format!("n{number}");
        scene.dns.say(&format!("{selector}._domainkey.shop.example"), Says::Silence);
        mail = signed(&mail, &scene.key, How { selector: &selector, ..WELL });
    }
    let rules = TrustRules { spf: listed(&["shop.example"]), dmarc: listed(&["shop.example"]), ..by_dkim() };
    for name in ["shop.example", "_dmarc.shop.example"] {
        scene.dns.say(name, Says::Silence);
    }
    let before = Instant::now();
    assert_eq!(scene.says(&mail, &rules).await, "unsure");
    let took = before.elapsed();
    assert!(took >= Duration::from_secs(2) && took <= Duration::from_millis(10_100), "{took:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_fetched_by_tcp() {
    let scene = Scene::new().await;
    scene.dns.say("s1._domainkey.shop.example", Says::TxtByTcp(scene.key.record()));
    assert_eq!(scene.says(&signed(MAIL, &scene.key, WELL), &by_dkim()).await, "dkim");
}

#[tokio::test]
async fn an_answer_is_remembered() {
    let scene = Scene::new().await;
    for _ in 0..20 {
        assert_eq!(scene.says(&signed(MAIL, &scene.key, WELL), &by_dkim()).await, "dkim");
    }
    assert_eq!(scene.dns.asked().len(), 1);
}

#[tokio::test]
async fn the_dns_is_asked_only_what_the_rules_ask() {
    for (rules, names) in [
        (TrustRules { spf: listed(&["other.example"]), ..strict() }, vec![]),
        (TrustRules { dmarc: listed(&["other.example"]), ..strict() }, vec![]),
        (TrustRules { arc: listed(&["sealer.example"]), dkim: listed(&["other.example"]), ..strict() }, vec![]),
        (TrustRules { spf: listed(&["shop.example"]), ..strict() }, vec!["shop.example"]),
    ] {
        let scene = Scene::new().await;
        scene.says(&signed(MAIL, &scene.key, WELL), &rules).await;
        let mut asked = scene.dns.asked();
        asked.dedup();
        assert_eq!(asked, names, "{rules:?}");
    }
}

/// How a look at a signed mail ended, and how long it took.
async fn look(scene: &Scene, mail: &str) -> (String, Duration) {
    let began = Instant::now();
    let says = scene.says(mail, &by_dkim()).await;
    (says, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_silent_domain_is_left_alone_and_tried_again_and_others_are_looked_up_as_ever() {
    let scene = Scene::new().await;
    let mail = signed(MAIL, &scene.key, WELL);
    scene.dns.say("s1._domainkey.shop.example", Says::Silence);
    for _ in 0..3 {
        let (says, took) = look(&scene, &mail).await;
        assert_eq!(says, "unsure");
        assert!(took >= Duration::from_secs(2), "{took:?}");
    }
    let asked = scene.dns.asked().len();
    for _ in 0..100 {
        assert_eq!(look(&scene, &mail).await, ("unsure".to_owned(), Duration::ZERO));
    }
    assert_eq!(scene.dns.asked().len(), asked, "nobody asks");
    scene.dns.txt("s1._domainkey.other.example", &scene.key.record());
    let others =
        signed(&MAIL.replace("@shop.example", "@other.example"), &scene.key, How { domain: "other.example", ..WELL });
    let rules = TrustRules { dkim: listed(&["other.example"]), ..strict() };
    assert_eq!(scene.says(&others, &rules).await, "dkim");
    // The DNS is there again, and after the rest somebody sees it.
    scene.dns.txt("s1._domainkey.shop.example", &scene.key.record());
    assert_eq!(look(&scene, &mail).await.0, "unsure");
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(look(&scene, &mail).await.0, "dkim");
}

#[tokio::test]
async fn trouble_that_is_told_at_once_may_be_asked_about_at_any_time() {
    let scene = Scene::new().await;
    let mail = signed(MAIL, &scene.key, WELL);
    scene.dns.say("s1._domainkey.shop.example", Says::Fails);
    for _ in 0..10 {
        assert_eq!(scene.says(&mail, &by_dkim()).await, "unsure");
    }
    scene.dns.txt("s1._domainkey.shop.example", &scene.key.record());
    assert_eq!(scene.says(&mail, &by_dkim()).await, "dkim");
}
