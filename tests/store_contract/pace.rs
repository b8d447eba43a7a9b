//! Shops whose letters leave at a rate, and shops whose letters rest.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use invited::domain::{EventKind, Policies, Policy, ShopId, Timestamp};
use invited::store::{Actor, ClaimAsk, Claimed, Pause, RelayShare, Store};

use super::{Place, T0, after, free, person, policies, shop, tell};

fn ask(owner: &str, limit: usize) -> ClaimAsk {
    let relay = Some(RelayShare::new("default", 10_000));
    ClaimAsk { owner: owner.to_owned(), relay, shops: vec![shop("nord"), shop("doubles")], limit }
}

/// The shop `nord` at so many letters an hour.
fn at_rate(rate: u32) -> Arc<Policies> {
    let nord = Policy { rate: Some(rate), ..free() };
    Arc::new(Policies::from_iter([(shop("nord"), nord), (shop("doubles"), free())]))
}

async fn orders(store: &dyn Store, name: &str, count: u32) {
    for n in 0..count {
        tell(store, name, EventKind::Placed, &format!("A-{n}"), &format!("{name}{n}@example.com"), T0).await;
    }
}

fn seconds(count: u64) -> Timestamp {
    after(7).plus(Duration::from_secs(count))
}

/// How many letters of each shop were claimed.
fn by_shop(claimed: &Claimed) -> (usize, usize) {
    let nord = claimed.letters.iter().filter(|letter| letter.invitation.shop == shop("nord")).count();
    (nord, claimed.letters.len() - nord)
}

async fn a_backlog_leaves_at_the_shops_rate_and_holds_no_other_shop_up(place: Place) {
    let store = place.daemon().await;
    orders(&*store, "nord", 12).await;
    orders(&*store, "doubles", 5).await;
    let claim = async |limit, at| store.claim_due(ask("one", limit), at_rate(150), seconds(at)).await.unwrap();
    // The shop with a rate has been due as long as the other, and with lower numbers.
    let first = claim(4, 0).await;
    assert_eq!((by_shop(&first), first.next, first.dealt_with), ((2, 2), None, 4));
    let second = claim(4, 0).await;
    assert_eq!((by_shop(&second), second.next), ((0, 3), Some(seconds(48))));
    // Nothing is to be had before that, and then it is: never more than two in 48 s, nor three in a minute.
    let mut went = vec![0, 0];
    let mut at = 1;
    while went.len() < 12 {
        let claimed = claim(64, at).await;
        went.extend(std::iter::repeat_n(at, claimed.letters.len()));
        if claimed.letters.is_empty() {
            let next = claimed.next.unwrap();
            assert!(next > seconds(at));
            assert_eq!(claim(64, next.since(seconds(0)).as_secs() - 1).await.dealt_with, 0);
            at = next.since(seconds(0)).as_secs();
        }
    }
    for (bound, within) in [(2, 48), (3, 60)] {
        let fullest = went.iter().map(|from| went.iter().filter(|at| (*from..from + within).contains(*at)).count());
        assert_eq!(fullest.max(), Some(bound), "{went:?}");
    }
    assert!(went[11] <= 12 * 3600 / 150, "as fast as the rate allows: {went:?}");
}

async fn daemons_share_a_shops_rate(place: Place) {
    let stores = [place.desk().await, place.desk().await];
    orders(&*stores[0], "nord", 20).await;
    let claims = (0..6).map(|n| {
        let owner = format!("owner {n}");
        let store = &stores[n % 2];
        async move { store.claim_due(ask(&owner, 10), at_rate(300), after(7)).await.unwrap().letters.len() }
    });
    assert_eq!(join_all(claims).await.into_iter().sum::<usize>(), 5);
}

async fn a_clock_that_jumped_back_does_not_stop_a_shop_until_it_is_where_it_was(place: Place) {
    let store = place.daemon().await;
    orders(&*store, "nord", 3).await;
    let claim = async |at| store.claim_due(ask("one", 1), at_rate(60), at).await.unwrap();
    assert_eq!(claim(after(30)).await.letters.len(), 1);
    assert_eq!(claim(after(30)).await.next, Some(after(30).plus(Duration::from_secs(60))));
    assert_eq!(claim(after(8)).await.letters.len(), 1);
    assert_eq!(claim(after(8)).await.letters.len(), 0);
}

async fn letters_of_a_shop_that_rests_stay_where_they_are(place: Place) {
    let store = place.daemon().await;
    let desk = place.desk().await;
    for name in ["nord", "doubles"] {
        orders(&*store, name, 2).await;
    }
    let claim = async || store.claim_due(ask("one", 1), policies(), after(7)).await.unwrap();
    let due = async || {
        let due = store.next_due().await.unwrap();
        due.into_iter().map(|(shop, _)| shop.as_str().to_owned()).collect::<Vec<_>>()
    };
    let nord = shop("nord");
    let pause = |shop: Option<&ShopId>| Pause { shop: shop.cloned(), since: after(6), actor: person("a flood") };
    assert_eq!(due().await, ["doubles", "nord"]);
    assert!(desk.pause(Some(&nord), &person("a flood"), after(6)).await.unwrap());
    assert!(!desk.pause(Some(&nord), &person("again"), after(7)).await.unwrap(), "it rests already");
    assert_eq!(store.pauses().await.unwrap(), [pause(Some(&nord))]);
    assert_eq!(due().await, ["doubles"]);
    assert_eq!(by_shop(&claim().await), (0, 1));

    assert!(desk.pause(None, &person("a flood"), after(6)).await.unwrap());
    assert_eq!(store.pauses().await.unwrap(), [pause(None), pause(Some(&nord))]);
    assert_eq!(due().await, [""; 0]);
    assert_eq!(claim().await, Claimed::default());

    assert!(desk.resume(Some(&nord)).await.unwrap());
    assert_eq!(claim().await, Claimed::default(), "all rest still");
    assert!(desk.resume(None).await.unwrap());
    assert!(!desk.resume(None).await.unwrap() && !desk.resume(Some(&nord)).await.unwrap());
    assert_eq!(due().await, ["doubles", "nord"]);
    assert_eq!(by_shop(&claim().await), (1, 0), "the longest due of the lowest number");
    let without = Actor { name: "support".to_owned(), reason: None };
    assert!(desk.pause(Some(&nord), &without, after(6)).await.unwrap());
    assert_eq!(store.pauses().await.unwrap()[0].actor, without);
}

on_each_engine!(
    a_backlog_leaves_at_the_shops_rate_and_holds_no_other_shop_up,
    daemons_share_a_shops_rate,
    a_clock_that_jumped_back_does_not_stop_a_shop_until_it_is_where_it_was,
    letters_of_a_shop_that_rests_stay_where_they_are,
);
