//! What only shows: `queue stats`, `fairness` and `queue watch`, with the real program on a queue that has a history.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use invited::clock::Clock;
use invited::domain::{
    Attempt, DAY, DeskOrder, EmailAddress, EventKind, HOUR, Handed, OrderNews, OrderReference, Outcome, Policies,
    Policy, Reading, ShopId, Timestamp,
};
use invited::store::{Actor, ClaimAsk, Credence, FiledReading, NewCopy, RelayShare, SqlStore, Store};

use crate::by_hand;
use crate::kit::START;
use crate::program::{Site, command, run};
use crate::relay::{Act, TestRelay};
use crate::terminal::terminal;

fn shop() -> ShopId {
    ShopId::parse("shop").unwrap()
}

fn policies() -> Arc<Policies> {
    Arc::new(Policies::from_iter([(shop(), Policy { person_apart: None, ..Policy::default() })]))
}

/// A mail tells of an order.
async fn tell(store: &SqlStore, kind: EventKind, reference: &str, at: Timestamp) {
    let copy = NewCopy {
        shop: shop(),
        mail_from: "orders@shop.example.com".to_owned(),
        rcpt_to: "shop+secret@in.invited.example".to_owned(),
        handed: Handed { client: None, hello: "mta.shop.example.com".to_owned(), tls: true, ..Handed::default() },
        answers: None,
        message: Arc::from(&b"a mail"[..]),
        received_at: at,
    };
    let copy = store.spool(vec![copy]).await.unwrap()[0];
    let email = format!("{}@customer.example", reference.to_lowercase());
    let reading = Reading {
        event: Some(kind),
        customer_email: Some(EmailAddress::parse(&email).unwrap()),
        reference: OrderReference::parse(reference),
        sent_at: Some(at),
        reason: None,
        ..Reading::without_findings(Outcome::Event, "")
    };
    let filing = FiledReading {
        copy,
        shop: shop(),
        reading,
        news: Some(OrderNews::new(kind, at)),
        credence: Credence::default(),
    };
    let filed = store.file_readings(Arc::new([filing]), policies(), at).await.unwrap();
    assert!(filed[0].is_done);
}

/// Ten orders on each of three Mondays, of which some are cancelled by the shop and some by hand; the letters of the others go out, but
/// for one that is refused and one that is put off. Then one order that waits for its letter.
async fn history(store: &SqlStore, start: Timestamp) {
    for week in 0..3 {
        let monday = start.plus(DAY * 7 * week);
        for n in 0..10 {
            let reference = format!("W{week}-{n}");
            tell(store, EventKind::Delivered, &reference, monday.plus(HOUR / 60 * n)).await;
            if n == 9 {
                tell(store, EventKind::Cancelled, &reference, monday.plus(HOUR)).await;
            }
        }
    }
    let kim = |reason: Option<&str>| Actor { name: "kim".to_owned(), reason: reason.map(str::to_owned) };
    let now = start.plus(DAY);
    for (id, reason) in [(1, Some("asked by telephone")), (2, Some("a|b\u{1b}[2J")), (3, None)] {
        let id = invited::domain::InvitationId(id);
        by_hand::order(store, id, DeskOrder::Cancel, &kim(reason), &policies(), now).await.unwrap();
    }
    let now = start.plus(DAY * 7 * 2 + DAY * 10);
    let relay = Some(RelayShare::new("default", 100));
    let ask = ClaimAsk { owner: "a daemon".to_owned(), relay, shops: vec![shop()], limit: 100 };
    let letters = store.claim_due(ask, policies(), now).await.unwrap().letters;
    assert_eq!(letters.len(), 24);
    for (n, letter) in letters.iter().enumerate() {
        assert!(store.mark_on_the_wire(&letter.claim, &format!("<{n}@x>"), now).await.unwrap());
        let (attempt, reply) = match n {
            0 => (Attempt::Refused, "550 no such user"),
            1 => (Attempt::Deferred { retry_at: now.plus(HOUR) }, "451 greylisted\u{1b}]0;x\u{7}"),
            _ => (Attempt::Accepted, "250 ok"),
        };
        store.settle(&letter.claim, attempt, reply, policies(), now).await.unwrap();
    }
}

async fn site(start: Timestamp) -> (Site, TestRelay) {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let store = site.store().await;
    history(&store, start).await;
    store.close().await;
    (site, relay)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_over_time_is_shown_in_spans_charts_and_sums() {
    let (site, _relay) = site(START).await;
    let rows = site.run(&["queue", "stats", "--since", "2026-03-01", "--by", "week", "--json"]).ended(0).json();
    let row = |from: &str| rows.iter().find(|row| row["from"] == from && row["span"] == "week").unwrap();
    for (from, begun, by_order, by_hand, letters) in [
        ("2026-03-01", 0, 0, 0, 0),
        ("2026-03-02", 10, 1, 3, 0),
        ("2026-03-09", 10, 1, 0, 0),
        ("2026-03-16", 10, 1, 0, 0),
        ("2026-03-23", 0, 0, 0, 22),
    ] {
        let row = row(from);
        let seen = ["begun", "cancelled_by_order", "cancelled_by_hand", "first_letters"]
            .map(|name| row[name].as_u64().unwrap());
        assert_eq!(seen, [begun, by_order, by_hand, letters], "{row}");
    }
    let all = rows.last().unwrap();
    assert_eq!(
        (all["span"].as_str(), all["begun"].as_u64(), all["refused"].as_u64()),
        (Some("all"), Some(30), Some(1))
    );
    assert_eq!(all["from"], "2026-03-01");

    let stats = || {
        let mut command = command();
        command.args(["queue", "stats", "--since", "2026-03-01", "--config"]).arg(site.config());
        command
    };
    let shown = run(stats().env("LC_ALL", "C.UTF-8")).ended(0).out;
    for part in [
        "all shops, from 2026-03-01 to ",
        "(days in UTC)",
        "Invitations begun: 30",
        "Letters taken by the relay: 22",
        "\u{2588}",
        "Letters that came back: none",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    let plain = run(stats().env("LC_ALL", "C")).ended(0).out;
    assert!(plain.is_ascii() && plain.contains('#') && plain.contains("Letters per invitation: 0.73"), "{plain}");

    assert!(site.run(&["queue", "stats", "--shop", "nowhere"]).ended(1).err.contains("there is no shop"));
    assert!(site.run(&["queue", "stats", "--since", "yesterday"]).ended(2).err.contains("--since"));
    assert!(site.run(&["queue", "stats", "--since", "2999-01-01"]).ended(1).err.contains("still to come"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_accounts_for_all_its_invitations() {
    let (site, _relay) = site(START).await;
    let account = &site.run(&["fairness", "--since", "2026-03-01", "--json"]).ended(0).json()[0];
    let became = account["became"].as_object().unwrap();
    let get = |name: &str| became[name].as_u64().unwrap();
    assert_eq!(account["begun"], 30);
    assert_eq!(became.values().map(|n| n.as_u64().unwrap()).sum::<u64>(), 30);
    let seen = ["got_a_letter", "under_way", "order_cancelled", "cancelled_by_hand", "failed"].map(get);
    assert_eq!(seen, [22, 1, 3, 3, 1], "{account}");
    let hands = account["by_hand"].as_array().unwrap();
    assert!(
        hands.len() == 3 && hands.iter().all(|hand| hand["actor"] == "kim" && hand["without_letter"] == 1),
        "{account}"
    );

    let shown = site.run(&["fairness", "--since", "2026-03-01"]).ended(0).out;
    for part in [
        "the 30 invitations that began from 2026-03-01",
        "no letter: cancelled by hand",
        "10.0 %",
        "asked by telephone",
        "(no reason given)",
        "1 cancelled by hand without a reason",
        "What this does not show",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    let document = site.run(&["fairness", "--since", "2026-03-01", "--markdown"]).ended(0).out;
    assert!(
        document.starts_with("# Fairness of shop") && document.contains("| kim | asked by telephone | 1 | 1 | 3.3 % |"),
        "{document}"
    );
    assert!(document.contains("a\\|b") && !document.contains('\u{1b}'), "{document}");
    let none = site.run(&["fairness", "--since", "2026-05-01"]).ended(0).out;
    assert!(none.starts_with("No invitation has begun since 2026-05-01"), "{none}");
    site.run(&["fairness", "--json", "--markdown"]).ended(2);
}

/// What stands on a terminal after all that was written to it. Knows what the live screen uses: texts, and a cursor that is set.
fn screen(written: &str) -> String {
    let mut cells = vec![vec![' '; 120]; 24];
    let (mut row, mut column) = (0, 0);
    let mut characters = written.chars();
    while let Some(c) = characters.next() {
        if c != '\u{1b}' {
            if let Some(cell) = cells.get_mut(row).and_then(|line| line.get_mut(column)) {
                *cell = c;
            }
            column += 1;
            continue;
        }
        let mut sequence = String::new();
        let mut last = characters.next();
        for c in characters.by_ref() {
            last = Some(c);
            if c.is_ascii_alphabetic() {
                break;
            }
            sequence.push(c);
        }
        if last == Some('H')
            && let Some((to_row, to_column)) = sequence.split_once(';')
        {
            (row, column) = (to_row.parse::<usize>().unwrap() - 1, to_column.parse::<usize>().unwrap() - 1);
        }
    }
    cells.into_iter().map(|line| line.into_iter().chain(['\n']).collect::<String>()).collect()
}

/// Runs the live screen on a terminal and types keys one after another, each when the screen shows what comes before it. Gives the exit
/// code, all that was written, and whether the terminal is as before.
fn watched(site: &Site, colours: bool, steps: &[(&str, &[u8])]) -> (i32, String, bool) {
    let (master, slave) = terminal(24);
    let mut watch = command();
    watch.args(["queue", "watch", "--every", "200ms", "--config"]).arg(site.config());
    watch.env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
    if !colours {
        watch.env("NO_COLOR", "1");
    }
    watch.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave.try_clone().unwrap());
    let mut child = watch.spawn().unwrap();
    drop(watch);
    let mut keyboard = master.try_clone().unwrap();
    let (sender, written) = std::sync::mpsc::channel();
    let mut reads = master;
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(read) = reads.read(&mut buffer) {
            if read == 0 || sender.send(buffer[..read].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut bytes = Vec::new();
    for (wanted, keys) in steps {
        loop {
            let shown = screen(&String::from_utf8_lossy(&bytes));
            if shown.contains(wanted) {
                break;
            }
            match written.recv_timeout(PATIENCE) {
                Ok(more) => bytes.extend(more),
                Err(_) => {
                    child.kill().unwrap();
                    panic!("{wanted:?} does not come:\n{shown}");
                }
            }
        }
        keyboard.write_all(keys).unwrap();
    }
    let code = child.wait().unwrap().code().unwrap_or(-1);
    let modes = rustix::termios::tcgetattr(&slave).unwrap().local_modes;
    let is_back = modes.contains(rustix::termios::LocalModes::ECHO | rustix::termios::LocalModes::ICANON);
    drop(slave);
    drop(keyboard);
    while let Ok(more) = written.recv_timeout(std::time::Duration::from_millis(500)) {
        bytes.extend(more);
    }
    (code, String::from_utf8_lossy(&bytes).into_owned(), is_back)
}

/// How long what is waited for may take before the test has failed; the screen is drawn every second.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// Ends the alternate screen.
const BACK: &str = "\u{1b}[?1049l";

#[tokio::test(flavor = "multi_thread")]
async fn the_live_screen_shows_the_queue_tells_a_story_and_gives_the_terminal_back() {
    let start = Timestamp(Clock::System.now().0 - i64::try_from((DAY * 24).as_millis()).unwrap());
    let (site, _relay) = site(start).await;
    let shown = tokio::task::spawn_blocking(move || {
        let steps: [(&str, &[u8]); 5] = [
            ("Next, 1 of", b"\r"),
            ("order delivered", b"?"),
            ("this help", b"x"),
            ("Esc back", b"\x1b"),
            ("Next, 1 of", b"q"),
        ];
        let (code, shown, is_back) = watched(&site, true, &steps);
        assert_eq!(code, 0, "{shown}");
        assert!(is_back && shown.contains(BACK), "{shown:?}");
        assert!(!shown.contains("\u{1b}]0;x"), "a relay's words steer nothing");
        let (code, plain, is_back) = watched(&site, false, &[("Next, 1 of", b"\x03")]);
        assert_eq!(code, 0, "Ctrl-C leaves");
        assert!(is_back && plain.contains(BACK), "{plain:?}");
        let is_colour =
            |text: &str| text.contains("\u{1b}[38;") || text.contains("\u{1b}[33m") || text.contains("\u{1b}[31m");
        assert!(is_colour(&shown) && !is_colour(&plain), "{plain:?}");

        let missing = site.run(&["queue", "watch"]).ended(1);
        assert!(
            missing.err.contains("invited queue list") && missing.err.contains("invited queue stats"),
            "{missing:?}"
        );
        let none = run(command().args(["queue", "watch", "--every", "0s"])).ended(2);
        assert!(none.err.contains("200ms to 1h"), "{none:?}");
        shown
    });
    let shown = shown.await.unwrap();
    assert!(shown.contains("Invitations") && shown.contains("Relays"), "{shown:?}");
}
