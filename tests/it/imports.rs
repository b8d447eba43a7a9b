//! Orders that people bring, with the real program and its daemon: files of orders, past mails, one customer, and a list that is
//! compared with the queue.

use std::fmt::Write as _;

use invited::domain::State;

use crate::cli::promised;
use crate::kit::{opened, order_mail, until};
use crate::program::{Ran, Site};
use crate::relay::{Act, TestRelay};

async fn site() -> (Site, TestRelay) {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    (site, relay)
}

fn write(site: &Site, name: &str, content: impl AsRef<[u8]>) -> String {
    std::fs::write(site.path(name), content).unwrap();
    site.path(name).to_str().unwrap().to_owned()
}

fn import(site: &Site, words: &[&str]) -> Ran {
    site.run(&[&["import"], words].concat())
}

/// The program under test has the machine's clock.
fn now() -> jiff::Timestamp {
    invited::clock::Clock::System.now().to_jiff()
}

/// The time of a mail, so many days ago.
fn days_ago(days: i64) -> String {
    let at = now() - jiff::SignedDuration::from_hours(24 * days);
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn past_mail(reference: &str, email: &str, days: i64) -> String {
    let mail = String::from_utf8(order_mail(reference, "Anna Example", email)).unwrap();
    mail.replace("Mon, 2 Mar 2026 09:00:00 +0000", &days_ago(days)).replace("\r\n", "\n")
}

fn mbox(mails: &[String]) -> String {
    mails.iter().fold(String::new(), |mut mbox, mail| {
        write!(mbox, "From orders@shop.example.com Mon Mar  2 09:00:00 2026\n{mail}\n").unwrap();
        mbox
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_orders_becomes_letters() {
    let (site, relay) = site().await;
    let heading = "E-Mail;Kundenname;Bestellnummer;Sprache\r\n";
    let text =
        format!("{heading}anna@customer.example.net;J\u{fc}rgen \u{d8}st;W-1;de\r\nbo@customer.example.net;;W-2;\r\n");
    let latin = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<_>>();
    let file = write(&site, "orders.csv", latin);

    let dry = import(&site, &["csv", &file, "--dry-run"]).ended(0);
    assert!(dry.out.contains("Windows-1252, separated by semicolons"), "{}", dry.out);
    assert!(dry.out.contains("2 orders would be invited") && dry.out.contains("a letter at"), "{}", dry.out);
    let unasked = import(&site, &["csv", &file]).ended(1);
    assert!(unasked.err.contains("Invite 2 customers of shop") && unasked.err.contains("--yes"), "{}", unasked.err);
    assert!(site.invitations().await.is_empty(), "nothing is changed before somebody says so");

    let service = site.serve().await;
    let done = import(&site, &["csv", &file, "--yes", "--actor", "maria", "--json"]).ended(0);
    promised(
        &done.json()[0],
        &["line", "reference", "outcome", "id", "goes_at", "rule", "why"],
        "- `import csv --json`",
    );
    promised(
        &done.json()[2],
        &["dry_run", "invited", "there", "refused", "cancelled", "repeated", "bad"],
        "- `import csv --json`",
    );
    until("both letters are out", async || (relay.taken().len() == 2).then_some(())).await;
    let taken = relay.taken();
    let letter = taken.iter().find(|letter| letter.to == ["anna@customer.example.net"]).unwrap();
    assert!(opened(letter).body_text(0).unwrap().contains("J\u{fc}rgen \u{d8}st"));

    let again = import(&site, &["csv", &file, "--yes"]).ended(0);
    assert!(again.out.contains("2 orders left alone, since they have an invitation already"), "{}", again.out);
    let story = site.run(&["explain", "W-1"]).ended(0);
    assert!(story.out.contains("by maria") && story.out.contains("orders.csv"), "{}", story.out);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_a_bad_line_imports_nothing_unless_it_may_be_skipped() {
    let (site, _relay) = site().await;
    let file = write(&site, "orders.csv", "email,name,reference\nanna@customer.example.net,Anna,B-1\nnobody,Bo,B-2\n");
    let refused = import(&site, &["csv", &file, "--yes"]).ended(1);
    assert!(refused.out.contains("line 3, email: is no address"), "{}", refused.out);
    assert!(refused.err.contains("nothing was imported") && refused.err.contains("--skip-bad"), "{}", refused.err);
    let json = import(&site, &["csv", &file, "--yes", "--json"]).ended(1);
    promised(&json.json()[0], &["line", "column", "outcome", "why", "remedy"], "- `import csv --json`");
    assert!(site.invitations().await.is_empty());
    import(&site, &["csv", &file, "--yes", "--skip-bad"]).ended(0);
    assert_eq!(site.invitations().await.len(), 1);

    let shapeless = write(&site, "shapeless.csv", "first,second\n1,2\n");
    let refused = import(&site, &["csv", &shapeless, "--yes"]).ended(1);
    assert!(refused.err.contains("no column is known to be the email nor the reference"), "{}", refused.err);
    import(&site, &["csv", "/nowhere/orders.csv"]).ended(1);
    import(&site, &["csv", &file, "--delay", "soon"]).ended(2);
    import(&site, &["csv", &file, "--delay", "91 days"]).ended(1);
    import(&site, &["csv", &file, "--shop", "other"]).ended(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_customer_is_invited_and_refusals_say_why() {
    let (site, _relay) = site().await;
    let invite = |words: &[&str]| site.run(&[&["invite", "--reference", "I-1"], words].concat());
    let dry = invite(&["--email", "anna@customer.example.net", "--dry-run"]).ended(0);
    assert!(dry.out.contains("Order I-1 would get a letter at"), "{}", dry.out);
    let role = invite(&["--email", "info@customer.example.net"]).ended(1);
    assert!(role.err.contains("I-1 gets no invitation"), "{}", role.err);
    site.run(&["suppress", "add", "bo@customer.example.net"]).ended(0);
    let listed = invite(&["--email", "bo@customer.example.net"]).ended(1);
    assert!(listed.err.contains("invited suppress remove bo@customer.example.net"), "{}", listed.err);
    site.run(&["suppress", "add", "--hashed", "cy@customer.example.net"]).ended(0);
    for words in [&["--dry-run"][..], &[]] {
        let hashed = invite(&[&["--email", "cy@customer.example.net"], words].concat()).ended(1);
        assert!(hashed.err.contains("suppress"), "{}", hashed.err);
    }
    invite(&["--email", "nobody"]).ended(2);
    invite(&["--email", "anna@customer.example.net", "--at", "2020-01-01"]).ended(1);
    assert!(site.invitations().await.is_empty());

    let begun =
        invite(&["--email", "anna@customer.example.net", "--delay", "2 days", "--product", "Cup", "--json"]).ended(0);
    promised(&begun.json()[0], &["dry_run", "id", "reference", "goes_at", "rule", "why"], "- `invite --json`");
    let invitation = site.invitations().await.remove(0);
    assert_eq!((invitation.progress.state, invitation.order.products[0].name.as_str()), (State::Queued, "Cup"));
    let twice = invite(&["--email", "anna@customer.example.net"]).ended(1);
    assert!(twice.err.contains("the order has one already (queued), invitation 1, due"), "{}", twice.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_foretold_of_mails_of_the_time_that_a_restored_queue_misses_is_that_they_are_held() {
    for (words, state) in [(&["--as-of", "5 days"][..], "held"), (&["--as-of", "5 days", "--on-time"], "queued")] {
        let (site, relay) = site().await;
        site.configure(relay.address, &[("delay", "\"7 days\"")]);
        site.run(&[&["restore"], words].concat()).ended(0);
        let mails = [past_mail("P-1", "anna@customer.example.net", 2), past_mail("P-2", "bo@customer.example.net", 9)];
        let file = write(&site, "past.mbox", mbox(&mails));
        let dry = import(&site, &["mbox", &file, "--dry-run", "--json"]).ended(0).json();
        let foretold = |reference: &str| dry.iter().find(|one| one["reference"] == reference).unwrap().clone();
        import(&site, &["mbox", &file, "--yes"]).ended(0);
        // Nothing is to go out: the second is due.
        site.run(&["queue", "pause", "--all"]);
        let service = site.serve().await;
        until("both orders are known", async || (site.invitations().await.len() == 2).then_some(())).await;
        service.stop().await;
        for one in site.invitations().await {
            let foretold = foretold(one.reference.as_str());
            let is_second = one.reference.as_str() == "P-2";
            let expected = if is_second { "held" } else { state };
            assert_eq!(one.progress.state.to_string(), expected, "{words:?}");
            assert_eq!(foretold["rule"] == "restored-while-due", expected == "held", "{words:?} {foretold}");
            assert_eq!(foretold["due_at"].as_str().is_none(), expected == "held", "{words:?} {foretold}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn past_mails_become_invitations_as_if_they_had_come_in_then() {
    let (site, _relay) = site().await;
    site.configure(_relay.address, &[("delay", "\"7 days\"")]);
    let mails = [
        past_mail("P-1", "anna@customer.example.net", 2),
        past_mail("P-2", "bo@customer.example.net", 30),
        past_mail("P-3", "cy@customer.example.net", 200),
        "Subject: no date\n\nFrom nobody\n".to_owned(),
    ];
    let file = write(&site, "past.mbox", mbox(&mails));
    let dry = import(&site, &["mbox", &file, "--dry-run", "--json"]).ended(0).json();
    promised(&dry[0], &["place", "outcome", "why"], "- `import mbox|maildir --json`");
    promised(
        &dry[1],
        &["place", "written_at", "outcome", "event", "reference", "rule", "due_at", "why"],
        "- `import mbox|maildir --json`",
    );
    promised(
        dry.last().unwrap(),
        &[
            "dry_run",
            "taken_in",
            "first_copy",
            "last_copy",
            "event",
            "held",
            "ignored",
            "known",
            "outside",
            "bad",
            "begins",
        ],
        "- `import mbox|maildir --json`",
    );
    let sums = dry.last().unwrap();
    assert_eq!(
        (&sums["event"], &sums["outside"], &sums["bad"], &sums["begins"]),
        (&2.into(), &1.into(), &1.into(), &2.into())
    );
    assert!(site.invitations().await.is_empty());

    let done = import(&site, &["mbox", &file, "--yes"]).ended(0);
    assert!(done.out.contains("2 mails taken in, as copies 1 to 2"), "{}", done.out);
    assert!(done.out.contains("older than 90 days"), "{}", done.out);
    let service = site.serve().await;
    until("both orders are known", async || (site.invitations().await.len() == 2).then_some(())).await;
    let foreseen = dry.iter().find(|one| one["reference"] == "P-1").unwrap()["due_at"].as_str().unwrap();
    let invitation = site.invitations().await.into_iter().find(|one| one.reference.as_str() == "P-1").unwrap();
    assert_eq!(invitation.progress.due_at.unwrap().to_string(), foreseen, "what was foretold came to be");

    // The same mails again, in another mailbox.
    let maildir = site.path("Maildir");
    for folder in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(maildir.join(folder)).unwrap();
    }
    std::fs::write(maildir.join("cur/1:2,S"), &mails[0]).unwrap();
    std::fs::write(maildir.join("new/2"), past_mail("P-4", "di@customer.example.net", 3)).unwrap();
    std::fs::write(maildir.join("tmp/3"), past_mail("P-5", "ed@customer.example.net", 3)).unwrap();
    let done = import(&site, &["maildir", maildir.to_str().unwrap(), "--yes", "--json"]).ended(0).json();
    assert_eq!((&done[0]["taken_in"], &done[0]["known"]), (&1.into(), &1.into()), "{done:?}");
    until("the new one is known", async || (site.invitations().await.len() == 3).then_some(())).await;
    service.stop().await;
    import(&site, &["mbox", site.config().to_str().unwrap()]).ended(1);
    import(&site, &["maildir", site.path("").to_str().unwrap()]).ended(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_orders_is_compared_with_the_queue() {
    let (site, _relay) = site().await;
    let today = now().strftime("%Y-%m-%d").to_string();
    for reference in ["L-1", "L-2", "L-3"] {
        let email = format!("{}@customer.example.net", reference.to_lowercase());
        site.run(&["invite", "--email", &email, "--reference", reference, "--delay", "3 days"]).ended(0);
    }
    site.run(&["queue", "cancel", "2", "--yes", "--reason", "test order"]).ended(0);
    site.run(&["suppress", "add", "--hashed", "sup@customer.example.net"]).ended(0);
    let list = format!(
        "Order Number;Email;Order date\nL-1;;{today}\nl-1;;{today}\nL-2;;{today}\nL-8;sup@customer.example.net;{today}\nL-9;;{today}\n"
    );
    let file = write(&site, "list.csv", list);
    let told = site.run(&["reconcile", &file, "--json"]).ended(1).json();
    let sums = &told[0];
    promised(
        sums,
        &[
            "orders",
            "invited",
            "stuck",
            "ended",
            "held",
            "ignored",
            "discarded",
            "suppressed",
            "never_received",
            "double",
            "repeated",
            "bad",
            "extra",
        ],
        "- `reconcile --json`",
    );
    let number = |name: &str| sums[name].as_u64().unwrap();
    assert_eq!(
        ["orders", "invited", "ended", "suppressed", "never_received", "repeated", "extra"].map(number),
        [4, 1, 1, 1, 1, 1, 1],
        "{sums}"
    );
    promised(&told[1], &["line", "reference", "outcome", "id", "state", "invitations", "why"], "- `reconcile --json`");
    assert!(told[2]["why"].as_str().unwrap().contains("test order"), "{}", told[2]);
    assert_eq!(
        (&told.last().unwrap()["outcome"], &told.last().unwrap()["reference"]),
        (&"extra".into(), &"L-3".into())
    );

    let missing = site.run(&["reconcile", &file, "--only", "missing"]).ended(1);
    assert!(missing.out.contains("L-9") && !missing.out.contains("L-2"), "{}", missing.out);
    assert!(missing.err.contains("2 of 4 orders have no invitation"), "{}", missing.err);
    let good = write(&site, "good.csv", "L-1\nL-2\nL-3\n");
    site.run(&["reconcile", &good]).ended(0);
}
