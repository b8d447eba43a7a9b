//! Shops by different clocks at one desk: each one's times are told and taken by its own, and a shop that nobody knows is said to be
//! unknown.

use std::io::Write as _;

use invited::clock::Clock;
use sqlx::Connection as _;

use crate::kit::order_mail;
use crate::program::{Dialog, Site};
use crate::relay::{Act, TestRelay};

/// A shop in Stockholm and one in Sydney, with a queued invitation each.
async fn two_shops() -> Site {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("timezone", "\"Europe/Stockholm\"")]).await;
    let mut file = std::fs::OpenOptions::new().append(true).open(site.config()).unwrap();
    let south = "\n[[shop]]\nid = \"south\"\nname = \"South\"\ndomains = [\"south.example\"]\nsecrets = [\"southsouthsouth12345\"]\n\
        from = \"a@south.example\"\nlink = \"https://south.example/{reference}\"\ntimezone = \"Australia/Sydney\"\n";
    file.write_all(south.as_bytes()).unwrap();
    let mut conn = site.sql().await;
    let now = Clock::System.now().0;
    for (shop, reference) in [("shop", "N-1"), ("south", "S-1"), ("closed", "C-1")] {
        let insert = "INSERT INTO invitation (shop, reference, reference_key, email, email_key, details, state, due_at, \
            letters_sent, attempts, created_at, updated_at) \
            VALUES ($1, $2, lower($2), 'a@customer.example', 'a@customer.example', '{}', 'queued', $3, 0, 0, $4, $4)";
        let query = sqlx::query(insert).bind(shop).bind(reference).bind(now + 86_400_000).bind(now);
        query.execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
    site
}

/// A day two weeks from now, so that the letter may be moved there.
fn day() -> String {
    Clock::System
        .now()
        .to_jiff()
        .checked_add(jiff::SignedDuration::from_hours(14 * 24))
        .unwrap()
        .strftime("%Y-%m-%d")
        .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_in_the_morning_is_that_of_each_letters_own_shop() {
    let (site, day) = (two_shops().await, day());
    site.run(&["queue", "reschedule", "N-1", "S-1", "--to", &day]).ended(0);
    for json in site.run(&["queue", "list", "--json"]).ended(0).json() {
        let zone = match json["shop"].as_str().unwrap() {
            "shop" => "Europe/Stockholm",
            "south" => "Australia/Sydney",
            _ => continue,
        };
        let due = json["due_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().in_tz(zone).unwrap();
        assert_eq!(due.strftime("%Y-%m-%d %H:%M").to_string(), format!("{day} 09:00"), "{json}");
    }
    let nine = format!("{day} 09:00 ");
    let listed = site.run(&["queue", "list", "--state", "queued"]).ended(0).out;
    assert_eq!(listed.matches(&nine).count(), 2, "{listed}");
    for words in [&["queue", "show", "S-1"][..], &["explain", "S-1"], &["queue", "list", "--shop", "south"]] {
        let told = site.run(words).ended(0).out;
        assert!(told.contains(&nine) && !told.contains("UTC"), "{told}");
    }
    // A filter's dates are those of the shop that it names: Sydney's day begins before Stockholm's.
    let due = |shop: &str, end: &str, at: &str| {
        let words = ["queue", "list", "--json", "--shop", shop, end, at];
        site.run(&words).ended(0).json().len()
    };
    let at = format!("{day} 08:59");
    assert_eq!((due("south", "--due-after", &at), due("south", "--due-before", &at)), (1, 0));
    assert_eq!((due("shop", "--due-after", &at), due("shop", "--due-before", &at)), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_nobody_knows_is_said_to_be_unknown_but_one_that_is_gone_is_still_found() {
    let site = two_shops().await;
    for words in [
        &["queue", "list"][..],
        &["queue", "cancel", "--yes"],
        &["queue", "export"],
        &["queue", "pause"],
        &["held", "list"],
        &["held", "replay"],
        &["explain", "N-1"],
        &["suppress", "list"],
    ] {
        let ran = site.run(&[words, &["--shop", "sought"]].concat()).ended(1);
        assert!(ran.out.is_empty() && ran.err.contains("there is no shop \"sought\""), "{ran:?}");
        assert!(ran.err.contains("there are: shop, south"), "{ran:?}");
    }
    assert_eq!(site.run(&["queue", "list", "--shop", "closed", "--json"]).ended(0).json().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_on_the_command_line_is_named_with_all_that_may_stand_there() {
    let site = two_shops().await;
    let moved = site.run(&["queue", "reschedule", "N-1"]).ended(2);
    assert!(moved.err.contains("--to TIME, or --by SPAN"), "{moved:?}");
    let paused = site.run(&["queue", "pause"]).ended(2);
    assert!(paused.err.contains("--shop ID, or --all"), "{paused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_by_hand_goes_by_the_clocks_of_its_shop() {
    let (site, day) = (two_shops().await, day());
    let words = ["invite", "--shop", "south", "--email", "bo@customer.example", "--reference", "S-2", "--at", &day];
    let told = site.run(&words).ended(0).out;
    assert!(told.contains(&format!("{day} 09:00 A")), "Sydney's own time: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_and_would_come_of_it_goes_by_the_clocks_of_its_shop() {
    let site = two_shops().await;
    let service = site.serve().await;
    let mail = order_mail("S-9", "Anna Example", "anna@customer.example.net");
    let mut door = Dialog::open(service.address).await.unwrap();
    door.mail("south+southsouthsouth12345@in.invited.example", &mail).await.unwrap();
    service.says("alarm=\"sender\"").await;
    let listed = site.run(&["held", "list"]).ended(0).out;
    let alarm = listed.lines().find(|line| line.starts_with("! south, since ")).unwrap_or_default();
    assert!(alarm.contains(" AE"), "Sydney's own time: {listed}");
    let released = site.run(&["held", "release", "1", "--dry-run"]).ended(0).out;
    assert!(released.contains(", due ") && released.contains(" AE"), "Sydney's own time: {released}");
    site.run(&["senders", "approve", "1", "--no-replay"]).ended(0);
    let replayed = site.run(&["held", "replay", "1"]).ended(0).out;
    assert!(replayed.contains(", due ") && replayed.contains(" AE"), "Sydney's own time: {replayed}");
    let mistaken = site.run(&["senders", "block", "--shop", "south", "--mark", "south.example 192.0"]).ended(2).err;
    assert!(mistaken.contains("such as \"nordljus.example 192.0.2.0/24\""), "{mistaken}");
    service.stop().await;
}

/// A program cannot be stopped half way by whoever reads what it says.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn changes_are_carried_through_when_nothing_can_be_said_of_them() {
    let site = two_shops().await;
    let to = |path: &str, words: &[&str]| {
        let out = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let mut command = crate::program::command();
        command.args(words).arg("--config").arg(site.config()).stdout(out);
        let ended = command.output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    };
    let (code, said) = to("/dev/full", &["queue", "reschedule", "N-1", "S-1", "--to", "3 days"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("standard output cannot be written") && said.contains("2 invitations changed"), "{said}");
    let (code, said) = to("/dev/full", &["queue", "cancel", "--state", "queued", "--yes", "--json"]);
    assert!(code == Some(1) && said.contains("3 invitations changed"), "{said}");
    let left = site.run(&["queue", "list", "--json", "--state", "queued"]).ended(0).json();
    assert!(left.is_empty(), "both were moved, and all three cancelled: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_on_the_list_without_an_order_is_said_to_be_on_it() {
    let site = two_shops().await;
    let nobody = site.run(&["explain", "zoe@sub.blocked.example"]).ended(1);
    assert!(nobody.err.contains("nothing is known"), "{nobody:?}");
    site.run(&["suppress", "add", "blocked.example", "--shop", "south", "--hashed"]).ended(0);
    let told = site.run(&["explain", "zoe@sub.blocked.example"]).ended(0).out;
    assert!(
        told.contains("No order is known") && told.contains("of south") && told.contains("the domain is on"),
        "{told}"
    );
    site.run(&["explain", "zoe@sub.blocked.example", "--shop", "shop"]).ended(1);
    let gone = site.run(&["explain", "--id", "4711"]).ended(1);
    assert!(gone.err.contains("there is no invitation 4711"), "{gone:?}");
}
