//! What is told for monitoring: the pages, what they hold, that they go with the configuration, and that they say when something is
//! wrong.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::kit::{House, START, order_mail, until};
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, TestRelay};
use invited::domain::AlarmKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A free port for a listener that is asked for by number.
pub(crate) fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Status and text of a page.
pub(crate) async fn page(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    Ok((head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned()))
}

/// The value of a sample.
fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample} in {text}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_its_document_tell_of_the_same_figures() {
    let house = House::open(&[("metrics.listen", "\"127.0.0.1:0\"")], |_| Act::Ok).await;
    let (_, text) = page(house.daemon.monitor_address().unwrap(), "/metrics").await.unwrap();
    let told = |line: &str| -> Option<(String, String)> {
        let mut words = line.strip_prefix("# TYPE ")?.split(' ').map(ToOwned::to_owned);
        Some((words.next()?, words.next()?))
    };
    let shown = text.lines().filter_map(told).collect::<Vec<_>>();
    let once = shown.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(once.len(), shown.len(), "each family once");
    let document = include_str!("../../docs/metrics.md");
    let row = |line: &str| -> Option<(String, String)> {
        let mut cells = line.strip_prefix("| `invited_")?.split('|').map(str::trim);
        Some((format!("invited_{}", cells.next()?.trim_end_matches('`')), cells.next()?.to_owned()))
    };
    let rows = document.lines().filter(|line| line.matches('|').count() == 5).filter_map(row);
    assert_eq!(once, rows.collect::<BTreeSet<_>>(), "what is shown, and what docs/metrics.md tells of");
    let alarms = document.lines().find(|line| line.starts_with("| `invited_shop_alarm` |")).unwrap_or_default();
    for kind in AlarmKind::ALL {
        assert!(alarms.contains(&format!("(`{}`)", kind.as_str())), "{kind:?} is not told of");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, number) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("invited_") && number.parse::<f64>().is_ok(), "{line}");
    }
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_and_its_letter_are_counted_on_their_whole_way() {
    let extra = [("metrics.listen", "\"127.0.0.1:0\""), ("delay", "\"0 days\""), ("reminder", "false")];
    let house = House::open(&extra, |_| Act::Ok).await;
    let address = house.daemon.monitor_address().unwrap();
    house.hand_in(&order_mail("COUNT-1", "Anna Example", "anna@customer.example.net")).await;
    house.until_state("COUNT-1", invited::domain::State::Done).await;
    let (code, text) = page(address, "/metrics").await.unwrap();
    assert_eq!(code, 200);
    for (sample, wanted) in [
        ("invited_store_up", 1.0),
        ("invited_smtp_sessions_total", 1.0),
        ("invited_messages_total{outcome=\"kept\"}", 1.0),
        ("invited_copies_kept_total", 1.0),
        ("invited_intake_seconds_count", 1.0),
        ("invited_copies_read_total{outcome=\"event\"}", 1.0),
        ("invited_letter_attempts_total{outcome=\"accepted\"}", 1.0),
        ("invited_letter_attempt_seconds_count", 1.0),
        ("invited_invitations{state=\"done\"}", 1.0),
        ("invited_reader_lag_seconds", 0.0),
        ("invited_relay_up{relay=\"default\"}", 1.0),
        ("invited_smtp_refusals_total{code=\"550\"}", 0.0),
    ] {
        assert!((value(&text, sample) - wanted).abs() < 1e-9, "{sample}: {text}");
    }
    assert!(value(&text, "invited_store_commit_seconds_count") >= 3.0);
    assert!(value(&text, "invited_disk_free_bytes") > 0.0);
    let start = f64::from(i32::try_from(START.0 / 1000).unwrap());
    assert!((value(&text, "invited_start_time_seconds") - start).abs() < 1e-9);
    for (path, wanted) in [("/healthz", "alive\n"), ("/readyz", "ready\n")] {
        assert_eq!(page(address, path).await.unwrap(), (200, wanted.to_owned()));
    }
    assert_eq!(page(address, "/").await.unwrap().0, 404);
    house.daemon.stop().await;
    assert!(page(address, "/healthz").await.is_err(), "nobody is there any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_comes_moves_and_goes_with_the_configuration() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let (first, second) = (free(), free());
    let service = site.serve().await;
    assert!(page(first, "/healthz").await.is_err());
    let reload = async |address: Option<SocketAddr>, said: &str| {
        let told = service.log().matches(said).count();
        let listen = address.map(|address| format!("\"{address}\""));
        let extra = listen.iter().map(|listen| ("metrics.listen", listen.as_str())).collect::<Vec<_>>();
        site.configure(relay.address, &extra);
        service.signal("HUP");
        until("it was reloaded", async || (service.log().matches(said).count() > told).then_some(())).await;
    };
    reload(Some(first), "the configuration was reloaded").await;
    assert_eq!(page(first, "/readyz").await.unwrap().0, 200);
    reload(Some(second), "the configuration was reloaded").await;
    assert_eq!(page(second, "/readyz").await.unwrap().0, 200);
    until("the old one is closed", async || page(first, "/healthz").await.is_err().then_some(())).await;
    // An address that is taken changes nothing.
    reload(Some(relay.address), "the configuration was not reloaded").await;
    assert_eq!(page(second, "/readyz").await.unwrap().0, 200);
    reload(None, "the configuration was reloaded").await;
    until("it is gone", async || page(second, "/healthz").await.is_err().then_some(())).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_is_503_with_a_word_until_it_can_be() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let address = free();
    site.configure(relay.address, &[("metrics.listen", &format!("\"{address}\""))]);
    let service = site.serve().await;
    let mut other = site.sql().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let mut dialog = Dialog::open(service.address).await.unwrap();
    let mail = order_mail("WAIT-1", "Anna Example", "anna@customer.example.net");
    assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("451 "));
    let (code, why) = page(address, "/readyz").await.unwrap();
    assert_eq!(code, 503, "{why}");
    assert!(why.len() > 5, "{why}");
    assert_eq!(page(address, "/healthz").await.unwrap().0, 200, "the process lives");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    until("it is ready again", async || (page(address, "/readyz").await.unwrap().0 == 200).then_some(())).await;
    let (_, text) = page(address, "/metrics").await.unwrap();
    assert!(value(&text, "invited_store_failures_total") >= 1.0);
    assert!(value(&text, "invited_smtp_refusals_total{code=\"451\"}") >= 1.0);
    service.stop().await;
}
