//! The two promises that only a killed process can show. Taking in: whatever was answered 250 is there afterwards. Sending:
//! no letter is lost and none goes out twice, and those of which nobody can know are listed.
//!
//! Five rounds by default; `INVITED_CRASH_ROUNDS` sets another number, `INVITED_CRASH_SEED` another course.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use invited::domain::State;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::kit::{Chance, opened, order_mail, say, setting, until};
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, Seen, TestRelay};

/// Clients that hand in at one time.
const CLIENTS: usize = 4;
/// Connections of the relay in the starter configuration.
const CONNECTIONS: usize = 4;
/// Letters that are due when the sending begins.
const LETTERS: usize = 300;

/// A mail that was answered 250.
struct Acknowledged {
    reference: String,
    copy: i64,
}

/// Hands in mails as fast as it can until the connection breaks.
async fn hand_in(door: SocketAddr, round: u64, client: usize, count: Arc<watch::Sender<u64>>) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    let Ok(mut dialog) = Dialog::open(door).await else { return acknowledged };
    for number in 0.. {
        let reference = format!("R{round}-C{client}-{number}");
        let mail = order_mail(&reference, "Anna Example", &format!("{reference}@customer.example.net"));
        match dialog.mail(BCC, &mail).await {
            Ok(reply) => {
                assert!(reply.starts_with("250 "), "an undisturbed store takes every mail: {reply}");
                let copy = reply.rsplit(' ').next().unwrap().parse().unwrap();
                acknowledged.push(Acknowledged { reference, copy });
                count.send_modify(|count| *count += 1);
            }
            Err(_) => break,
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_during_intake_loses_nothing_that_was_acknowledged() {
    let rounds = setting("INVITED_CRASH_ROUNDS", 5);
    let seed = setting("INVITED_CRASH_SEED", 20_260_302);
    let mut chance = Chance(seed);
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true")]).await;
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let service = site.serve().await;
        let count = Arc::new(watch::Sender::new(0));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(hand_in(service.address, round, client, Arc::clone(&count)));
        }
        let moment = 1 + chance.below(250);
        count.subscribe().wait_for(|count| *count >= moment).await.unwrap();
        service.kill().await;
        acknowledged.extend(clients.join_all().await.into_iter().flatten());
        let missing = missing(&site, &acknowledged).await;
        assert_eq!(missing, 0, "copies that were acknowledged are in the file at once, round {round}, seed {seed}");
    }

    // What was taken in is also read, by a daemon that begins where the last one was killed.
    let service = site.serve().await;
    until("every copy is read", async || {
        (site.number("SELECT count(*) FROM copy WHERE state = 'unread'").await == 0).then_some(())
    })
    .await;
    service.stop().await;
    let lost = missing(&site, &acknowledged).await;
    let invited = site.invitations().await.into_iter().map(|one| one.reference.to_string()).collect::<BTreeSet<_>>();
    let unread = acknowledged.iter().filter(|one| !invited.contains(&one.reference)).map(|one| one.copy);
    let unread = unread.collect::<BTreeSet<_>>();
    // The copy that is being read when the process dies three times running is set aside for a person; it might be the cause.
    let held = site.run(&["held", "list", "--json", "--limit", "10000"]).ended(0).json();
    let held = held.iter().map(|row| row["id"].as_i64().unwrap()).collect::<BTreeSet<_>>();
    let integrity = site.integrity().await;
    say(&format!(
        "kill -9 during intake: seed {seed}, {rounds} kills, {} acknowledged, acknowledged - stored = {lost}, {} invitations, \
         {} set aside and listed (at most {}), integrity_check {integrity}",
        acknowledged.len(),
        invited.len(),
        held.len(),
        rounds / 2,
    ));
    assert_eq!((lost, integrity.as_str()), (0, "ok"));
    assert!(unread.is_subset(&held), "what became no invitation is listed: {unread:?}");
    assert!(u64::try_from(held.len()).unwrap() <= rounds / 2, "one more at most for two kills: {held:?}");
    assert!(u64::try_from(acknowledged.len()).unwrap() >= rounds, "the clients were served");
}

/// How many of the acknowledged copies are not in the database.
async fn missing(site: &Site, acknowledged: &[Acknowledged]) -> usize {
    let mut conn = site.sql().await;
    let ids = sqlx::query_scalar::<_, i64>("SELECT copy_id FROM copy_body").fetch_all(&mut conn).await.unwrap();
    let ids = ids.into_iter().collect::<BTreeSet<_>>();
    acknowledged.iter().filter(|one| !ids.contains(&one.copy)).count()
}

/// Everything that the relay heard: a moment in it is one between any two steps of a dialog.
fn steps(seen: &Seen) -> u64 {
    u64::try_from(seen.lines.len() + seen.dots).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_during_sending_loses_no_letter_and_doubles_none() {
    let kills = setting("INVITED_CRASH_ROUNDS", 5);
    let seed = setting("INVITED_CRASH_SEED", 20_260_302);
    let mut chance = Chance(seed);
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true")]).await;
    fill(&site).await;

    site.configure(relay.address, &[]);
    // A letter is three commands and a dot; the kills are spread over the first four fifths of them.
    let span = u64::try_from(LETTERS).unwrap() * 4 * 4 / 5 / kills;
    for kill in 0..kills {
        let service = site.serve().await;
        let moment = kill * span + 1 + chance.below(span);
        relay.until(|seen| steps(seen) >= moment).await;
        service.kill().await;
    }
    let service = site.serve().await;
    until("nothing is due and nothing is being sent", async || {
        let busy = "SELECT count(*) FROM invitation WHERE state IN ('queued', 'sending')";
        (site.number(busy).await == 0).then_some(())
    })
    .await;
    service.stop().await;
    judge(&site, &relay, kills, seed).await;
}

/// Hands in the orders and waits until their letters are due, while none may go out.
async fn fill(site: &Site) {
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for number in 0..LETTERS {
        let mail = order_mail(&format!("S-{number}"), "Anna Example", &format!("anna{number}@customer.example.net"));
        let reply = dialog.mail(BCC, &mail).await.unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }
    let wanted = i64::try_from(LETTERS).unwrap();
    until("every order is read", async || {
        (site.number("SELECT count(*) FROM invitation WHERE state = 'queued'").await == wanted).then_some(())
    })
    .await;
    drop(dialog);
    service.stop().await;
}

async fn judge(site: &Site, relay: &TestRelay, kills: u64, seed: u64) {
    let mut taken = BTreeMap::<(String, String), usize>::new();
    for letter in relay.taken() {
        let id = opened(&letter).message_id().unwrap().to_owned();
        *taken.entry((id, letter.to.join(","))).or_default() += 1;
    }
    let ids = taken.keys().map(|(id, _)| id).collect::<BTreeSet<_>>();
    let recipients = taken.keys().map(|(_, to)| to.clone()).collect::<BTreeSet<_>>();
    let doubled = relay.taken().len() - ids.len();
    let invitations = site.invitations().await;
    assert_eq!(invitations.len(), LETTERS);
    let in_doubt = invitations.iter().filter(|one| one.progress.state == State::InDoubt).collect::<Vec<_>>();
    let lost = invitations
        .iter()
        .filter(|one| one.progress.state != State::InDoubt && !recipients.contains(one.customer.email.as_str()))
        .count();
    let listed = site.run(&["queue", "list", "--state", "in_doubt", "--json", "--limit", "10000"]).ended(0).json();
    let integrity = site.integrity().await;
    say(&format!(
        "kill -9 during sending: seed {seed}, {kills} kills, {LETTERS} letters, {} taken by the relay, lost {lost}, doubled \
         {doubled}, in doubt {} (at most {}), {} of them listed, integrity_check {integrity}",
        relay.taken().len(),
        in_doubt.len(),
        usize::try_from(kills).unwrap() * CONNECTIONS,
        listed.len(),
    ));
    assert_eq!((lost, doubled, integrity.as_str()), (0, 0, "ok"));
    assert_eq!((ids.len(), recipients.len()), (taken.len(), taken.len()), "one Message-ID to a customer");
    assert!(in_doubt.len() <= usize::try_from(kills).unwrap() * CONNECTIONS);
    let listed = listed.iter().map(|row| row["id"].as_i64().unwrap()).collect::<BTreeSet<_>>();
    assert_eq!(listed, in_doubt.iter().map(|one| one.id.0).collect());
    let done = invitations.iter().filter(|one| one.progress.state == State::Done).count();
    assert_eq!(done + in_doubt.len(), LETTERS, "every other letter is done");
}
