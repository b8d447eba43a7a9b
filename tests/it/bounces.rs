//! What comes back to letters, through the real daemon: letters leave with a return address of their own, and what is sent there over
//! SMTP stops the letters that must not go, and only those.

use invited::domain::{AlarmKind, AnswerKind, Complaints, DAY, EmailAddress, Outcome as Read, Rule, State};
use invited::ops::status;
use invited::ops::watch::{self, Watch};
use invited::send::{Outcome, Relay};
use invited::store::Subject;

use crate::kit::{House, client, opened, order_mail, until};
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, Taken, TestRelay};

const ANNA: &str = "anna@customer.example.net";

/// A house that has sent Anna the first letter about this order.
async fn with_letter(reference: &str) -> (House, Taken) {
    let house = House::ordinary().await;
    house.hand_in(&order_mail(reference, "Anna Example", ANNA)).await;
    house.pass(DAY * 7);
    house.until_state(reference, State::Sent).await;
    let letter = house.relay.taken().remove(0);
    (house, letter)
}

/// A notice that this letter was not delivered to `whom`, with the letter's header section.
pub(crate) fn bounce(letter: &Taken, whom: &str, status: &str, words: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(&letter.data);
    let head = text.split("\r\n\r\n").next().unwrap();
    format!(
        "From: MAILER-DAEMON@mx.example.net (Mail Delivery System)\r\nTo: {to}\r\nSubject: Undelivered Mail Returned to Sender\r\n\
         Date: Mon, 9 Mar 2026 09:00:00 +0000\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"=b\"\r\n\r\n\
         --=b\r\nContent-Type: text/plain\r\n\r\n<{whom}>: {words}\r\n\r\n--=b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.example.net\r\n\r\nFinal-Recipient: rfc822; {whom}\r\nAction: failed\r\nStatus: {status}\r\n\
         Diagnostic-Code: smtp; 550 {status} {words}\r\n\r\n--=b\r\nContent-Type: text/rfc822-headers\r\n\r\n{head}\r\n\r\n--=b--\r\n",
        to = letter.from
    )
    .into_bytes()
}

/// A provider's report that the customer called this letter junk.
pub(crate) fn complaint(letter: &Taken) -> Vec<u8> {
    let id = opened(letter).message_id().unwrap().to_owned();
    format!(
        "From: fbl@large.example\r\nTo: {}\r\nSubject: FW: x\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=\"=b\"\r\n\r\n--=b\r\n\
         Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n\r\n--=b\r\n\
         Content-Type: message/rfc822\r\n\r\nMessage-ID: <{id}>\r\nTo: redacted\r\n\r\nx\r\n--=b--\r\n",
        letter.from
    )
    .into_bytes()
}

/// A mail to a letter's return address, from nobody, as notices are sent.
async fn answer(house: &House, to: &str, mail: &[u8]) {
    let door: Relay = client(&house.daemon.addresses()[0].to_string());
    let to = EmailAddress::parse(to).unwrap();
    let slot = door.reserve().await.unwrap();
    let sent = slot.send(None, &to, mail, || async { Ok::<(), std::convert::Infallible>(()) }).await;
    let Outcome::Accepted { reply } = sent else { panic!("the door took no answer: {sent:?}") };
    let copy = reply.text.rsplit(' ').next().unwrap().parse().unwrap();
    until("an answer is read", async || {
        let (copy, _) = house.store().copy(copy).await.unwrap().unwrap();
        let outcome = copy.reading?.outcome;
        assert_eq!(outcome, Read::Ignored, "an answer is no order mail");
        Some(())
    })
    .await;
}

async fn kinds(house: &House, reference: &str) -> Vec<AnswerKind> {
    house.story(reference).await.answers.iter().map(|answer| answer.kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_address_gets_no_second_letter() {
    let (house, letter) = with_letter("B-1").await;
    assert!(letter.from.starts_with("bounce+") && letter.from.ends_with("@in.invited.example"), "{}", letter.from);
    house.hand_in(&order_mail("B-2", "Anna Example", ANNA)).await;
    answer(&house, &letter.from, &bounce(&letter, ANNA, "5.1.1", "User unknown")).await;
    let failed = house.until_state("B-1", State::Failed).await;
    assert_eq!(house.story("B-1").await.decisions.last().unwrap().rule, Rule::Bounced);
    assert_eq!(house.invitation("B-2").await.progress.state, State::Cancelled, "what else is open ends too");
    house.pass(DAY * 60);
    house.until_quiet().await;
    assert_eq!(house.relay.taken().len(), 1, "no reminder to a dead address");
    let story = house.store().story(&Subject::Invitation(failed.id)).await.unwrap();
    assert_eq!(story.answers[0].status.as_deref(), Some("5.1.1"));
    assert_eq!(story.answers[0].reason.as_deref(), Some("no_such_address"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_box_gets_its_reminder() {
    let (house, letter) = with_letter("B-1").await;
    answer(&house, &letter.from, &bounce(&letter, ANNA, "5.2.2", "Mailbox is full")).await;
    assert_eq!(kinds(&house, "B-1").await, [AnswerKind::SoftBounce]);
    house.pass(DAY * 7);
    house.until_state("B-1", State::Done).await;
    assert_eq!(house.relay.taken().len(), 2);
    // Each letter has an address of its own.
    assert_ne!(house.relay.taken()[1].from, letter.from);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_ends_it_and_an_out_of_office_notice_does_not() {
    let (house, letter) = with_letter("B-1").await;
    let away = format!(
        "From: {ANNA}\r\nTo: {}\r\nSubject: Automatische Antwort: x\r\nAuto-Submitted: auto-replied\r\n\r\nDiese Adresse existiert \
         nicht mehr: {ANNA}\r\n",
        letter.from
    );
    answer(&house, &letter.from, away.as_bytes()).await;
    assert_eq!(house.invitation("B-1").await.progress.state, State::Sent);
    answer(&house, &letter.from, &complaint(&letter)).await;
    house.until_state("B-1", State::Cancelled).await;
    assert_eq!(kinds(&house, "B-1").await, [AnswerKind::AutoReply, AnswerKind::Complaint]);
    house.pass(DAY * 60);
    house.until_quiet().await;
    assert_eq!(house.relay.taken().len(), 1, "nothing is sent back, and no reminder goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_that_a_letters_header_begins_unsubscribes() {
    let (house, letter) = with_letter("B-1").await;
    let header = opened(&letter).header_raw("List-Unsubscribe").unwrap().trim().to_owned();
    let mailto = format!("<mailto:{}?subject=unsubscribe>", letter.from);
    assert!(header.ends_with(&mailto), "{header}");
    // As a mail program sends it, from whatever address its owner has.
    let mail = format!("From: anna@elsewhere.example\r\nTo: {}\r\nSubject: Unsubscribe\r\n\r\n", letter.from);
    answer(&house, &letter.from, mail.as_bytes()).await;
    house.until_state("B-1", State::Cancelled).await;
    assert_eq!(house.story("B-1").await.decisions.last().unwrap().rule, Rule::Unsubscribed);
    assert_eq!(kinds(&house, "B-1").await, [AnswerKind::Unsubscribed]);
    house.hand_in(&order_mail("B-2", "Anna Example", ANNA)).await;
    house.pass(DAY * 60);
    house.until_quiet().await;
    assert_eq!(house.relay.taken().len(), 1, "no reminder, and no letter about the next order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_is_an_alarm_until_nobody_has_complained_for_a_week() {
    let (house, letter) = with_letter("B-1").await;
    let (mut watch, daemon) = (Watch::default(), house.daemon.house());
    let alarms = async |watch: &mut Watch| {
        let figures = watch::look(daemon, watch).await.unwrap();
        let alarms = figures.alarms.into_iter().filter(|alarm| alarm.kind == AlarmKind::Complaint);
        alarms.map(|alarm| (alarm.since, alarm.note)).collect::<Vec<_>>()
    };
    assert_eq!(alarms(&mut watch).await, []);
    answer(&house, &letter.from, &complaint(&letter)).await;
    house.until_state("B-1", State::Cancelled).await;
    let since = house.clock.now();
    let [(began, note)] = <[_; 1]>::try_from(alarms(&mut watch).await).unwrap();
    assert_eq!(began, since);
    assert!(note.starts_with("1 complaint in the last 7 days") && note.contains("0.3 %"), "{note}");
    let standing = status::look(house.store(), &house.config, since).await.unwrap();
    assert_eq!(standing.complaints[0].seen, Complaints { week: 1, month: 1, letters: 1 });
    let faults = status::faults(&standing, since);
    let fault = faults.iter().find(|fault| fault.contains("complaint: 1 complaint")).unwrap();
    assert!(fault.contains("see: invited queue stats"), "{fault}");

    // Another one is told by the same alarm.
    house.pass(DAY * 2);
    answer(&house, &letter.from, &complaint(&letter)).await;
    until("it is counted", async || {
        let told = alarms(&mut watch).await;
        (told.len() == 1 && told[0].0 == since && told[0].1.starts_with("2 complaints")).then_some(())
    })
    .await;
    house.pass(DAY * 5);
    assert!(alarms(&mut watch).await[0].1.starts_with("1 complaint "), "the first is a week ago");
    house.pass(DAY * 2);
    assert_eq!(alarms(&mut watch).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_about_somebody_else_changes_nothing() {
    let (house, letter) = with_letter("B-1").await;
    let stranger = Taken { data: b"Message-ID: <other@example.org>\r\nTo: eve@example.org".to_vec(), ..letter.clone() };
    answer(&house, &letter.from, &bounce(&stranger, "eve@example.org", "5.1.1", "User unknown")).await;
    assert_eq!(kinds(&house, "B-1").await, [AnswerKind::Unmatched]);
    house.pass(DAY * 7);
    house.until_state("B-1", State::Done).await;
    assert_eq!(house.relay.taken().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_lets_only_the_shop_send_gets_the_shops_address() {
    let house = House::open(&[("return_path", "\"from\"")], |_| Act::Ok).await;
    house.hand_in(&order_mail("B-1", "Anna Example", ANNA)).await;
    house.pass(DAY * 7);
    house.until_state("B-1", State::Sent).await;
    assert_eq!(house.relay.taken()[0].from, house.config.shops[0].from.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_return_address_is_refused_and_support_sees_what_came_back() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    assert!(dialog.mail(BCC, &order_mail("B-1", "Anna Example", ANNA)).await.unwrap().starts_with("250 "));
    let letter = relay.until(|seen| !seen.taken.is_empty()).await.taken.remove(0);
    let (local, domain) = letter.from.split_once('@').unwrap();
    let last = if local.ends_with('a') { 'b' } else { 'a' };
    let forged = format!("{}{last}@{domain}", &local[..local.len() - 1]);
    dialog.say("MAIL FROM:<>").await.unwrap();
    let refused = dialog.say(&format!("RCPT TO:<{forged}>")).await.unwrap();
    assert!(refused.starts_with("550 5.1.1 "), "{refused}");
    let taken = dialog.say(&format!("RCPT TO:<{}>", letter.from.to_uppercase())).await.unwrap();
    assert!(taken.starts_with("250 "), "{taken}");
    dialog.say("DATA").await.unwrap();
    let reply = dialog.body(&bounce(&letter, ANNA, "5.1.1", "User unknown")).await.unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
    until("the bounce is filed", async || {
        (site.number("SELECT count(*) FROM answer WHERE kind = 'hard_bounce'").await == 1).then_some(())
    })
    .await;
    let told = site.run(&["explain", ANNA]).ended(0).out;
    assert!(told.contains("it came back: the address is dead (5.1.1 no such address)"), "{told}");
    assert!(told.contains("bounced"), "{told}");
    let shown = site.run(&["queue", "show", "B-1"]).ended(0).out;
    assert!(shown.contains("came back"), "{shown}");
    let json = site.run(&["queue", "show", "B-1", "--json"]).ended(0).json();
    assert_eq!(json[0]["answers"][0]["kind"], "hard_bounce", "{}", json[0]);
    assert!(shown.contains("the first letter was taken by the relay (attempt 1); default said 250 "), "{shown}");
    let outgoing = &json[0]["outgoing"][0];
    assert_eq!((&outgoing["relay"], &outgoing["phase"]), (&"default".into(), &"accepted".into()), "{outgoing}");
    let sums = site.run(&["queue", "stats", "--json"]).ended(0).json().pop().unwrap();
    let sums = ["hard_bounces", "soft_bounces", "complaints", "bounced"].map(|name| sums[name].as_u64());
    assert_eq!(sums, [Some(1), Some(0), Some(0), Some(1)]);
    let table = site.run(&["queue", "stats"]).ended(0).out;
    for part in
        ["Letters that came back: 1", "HARD BOUNCES", "COMPLAINTS", "letters that came back: the address is dead"]
    {
        assert!(table.contains(part), "{part}: {table}");
    }
    let list = site.run(&["suppress", "list"]).ended(0).out;
    assert!(list.contains(ANNA) && list.contains("bounced"), "{list}");
    let log = service.log();
    assert!(log.contains("something came back to a letter") && !log.contains(ANNA), "{log}");
    service.stop().await;
}
