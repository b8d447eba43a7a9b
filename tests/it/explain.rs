//! `invited explain` as a support person reads it, with the real daemon: why an order got no letter, what happens next and when, and
//! that every remedy which it names can be typed as it stands and works.

use std::time::Duration;

use invited::clock::Clock;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::kit::until;
use crate::program::{BCC, Dialog, Ran, Service, Site};
use crate::relay::{Act, At, TestRelay};

const ANNA: &str = "anna@customer.example.net";

/// An order mail written so many hours ago, with more in its body.
fn mail(subject: &str, email: &str, hours_ago: i64, body: &str) -> Vec<u8> {
    let now = Clock::System.now().to_jiff();
    let date = (now - SignedDuration::from_hours(hours_ago)).to_zoned(TimeZone::UTC);
    let date = jiff::fmt::rfc2822::to_string(&date).unwrap();
    format!(
        "From: Shop <orders@shop.example.com>\r\nTo: Anna Lind <{email}>\r\nSubject: {subject}\r\nDate: {date}\r\n\
         Message-ID: <{hours_ago}.{}@shop.example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <html><body>{body}</body></html>\r\n",
        subject.replace(' ', "-")
    )
    .into_bytes()
}

fn order(reference: &str, email: &str, hours_ago: i64) -> Vec<u8> {
    mail(&format!("Your order {reference}"), email, hours_ago, &snippet(reference, email))
}

fn snippet(reference: &str, email: &str) -> String {
    format!(
        "<p>Thank you for your order.</p><script type=\"application/json+trustpilot\">{{\"recipientEmail\": \"{email}\", \
         \"recipientName\": \"Anna Lind\", \"referenceId\": \"{reference}\"}}</script>"
    )
}

fn cancellation(reference: &str, email: &str, hours_ago: i64) -> Vec<u8> {
    let text = format!("<p>Your order {reference} has been cancelled.</p>");
    mail(&format!("Order {reference} has been cancelled"), email, hours_ago, &text)
}

/// A shop whose letters are due at once, or by other lines of its configuration.
struct Shop {
    site: Site,
    relay: TestRelay,
    service: Service,
}

impl Shop {
    async fn open(extra: &[(&str, &str)]) -> Self {
        let relay = TestRelay::start(|_| Act::Ok).await;
        let site = Site::new(relay.address, extra).await;
        let service = site.serve().await;
        Self { site, relay, service }
    }

    /// Hands a mail in and waits until it was read.
    async fn take_in(&self, mail: &[u8]) {
        let copies = self.site.number("SELECT count(*) FROM copy").await;
        let mut dialog = Dialog::open(self.service.address).await.unwrap();
        let reply = dialog.mail(BCC, mail).await.unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
        until("it is read", async || {
            (self.site.number("SELECT count(*) FROM copy WHERE state <> 'unread'").await == copies + 1).then_some(())
        })
        .await;
    }

    /// Waits until the story has the words, and gives it.
    async fn tells(&self, words: &[&str], part: &str) -> String {
        let mut last = String::new();
        let waited = tokio::time::timeout(
            Duration::from_secs(20),
            until(part, async || {
                last = self.site.run(&[&["explain"], words].concat()).out;
                last.contains(part).then_some(())
            }),
        );
        let came = waited.await.is_ok();
        assert!(came, "{part:?} is not in: {last}");
        last
    }

    /// Types the remedy that the story names: the command that begins so, up to the end of its sentence.
    fn follow(&self, story: &str, begins: &str, more: &[&str]) -> Ran {
        self.site.run(&[words(story, begins), more.iter().map(|word| (*word).to_owned()).collect()].concat())
    }

    async fn letters(&self, number: usize) {
        self.relay.until(|seen| seen.taken.len() == number).await;
    }
}

/// The words of a command in a text, as a shell takes them.
fn words(text: &str, begins: &str) -> Vec<String> {
    let start = text.find(begins).unwrap_or_else(|| panic!("{begins:?} is not in: {text}"));
    let rest = text[start..].strip_prefix("invited ").unwrap();
    let end = [". ", "; ", ", ", "\n"].iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    let mut words = Vec::new();
    for (at, part) in rest[..end].trim_end_matches('.').split('"').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_never_came_in_is_invited_by_hand() {
    let shop = Shop::open(&[]).await;
    shop.site.run(&["explain", "X-1"]).ended(1);
    let story = shop.site.run(&["explain", "--order", "X-1"]).ended(0).out;
    assert!(story.starts_with("No copy was read as telling of order X-1."), "{story}");
    assert!(story.contains("Next: nothing, until a mail about the order comes in."), "{story}");
    let mut invite = words(&story, "invited invite");
    *invite.iter_mut().find(|word| *word == "ADDRESS").unwrap() = ANNA.to_owned();
    shop.site.run(&invite).ended(0);
    shop.letters(1).await;
    shop.tells(&["--order", "X-1"], "all letters that were meant to go are out").await;
    shop.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_only_a_held_or_an_ignored_mail_names_is_found_in_its_text() {
    let shop = Shop::open(&[]).await;
    let two = "<p>Thank you for your order 20417-B.</p><p>Order 20418-B</p>";
    shop.take_in(&mail("Order confirmation", "list@shop.example.com", 0, two)).await;
    let news = String::from_utf8(mail("News of the week", ANNA, 0, "<p>Who ordered N-700 liked this.</p>")).unwrap();
    let news = news.replacen("MIME-Version", "List-Id: <news.shop.example.com>\r\nMIME-Version", 1);
    shop.take_in(news.as_bytes()).await;

    let story = shop.site.run(&["explain", "--order", "20417-B"]).ended(0).out;
    assert!(story.contains("copy 1 has it in its text, but is held: "), "{story}");
    shop.follow(&story, "invited held show 1", &[]).ended(0);
    let missing = shop.follow(&story, "invited held release 1", &["--dry-run"]);
    assert!(missing.out.contains("--email ADDRESS"), "{missing:?}");
    shop.follow(&story, "invited held release 1", &["--email", ANNA, "--event", "placed"]).ended(0);
    shop.letters(1).await;

    let story = shop.site.run(&["explain", "--order", "N-700"]).ended(0).out;
    assert!(story.contains("copy 2 has it in its text, but was ignored: "), "{story}");
    assert!(story.contains("Next: nothing; mails of this kind ask nobody."), "{story}");
    shop.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capped_letter_is_foretold_and_goes_by_hand() {
    let shop = Shop::open(&[]).await;
    shop.take_in(&order("A-1", ANNA, 0)).await;
    shop.letters(1).await;
    shop.take_in(&order("A-2", ANNA, 0)).await;
    let story = shop.tells(&["A-2"], "(person-apart): at least 5 days lie between two, the last one went at ").await;
    assert!(story.contains("Next: the first letter goes out at "), "the wait is its time by now: {story}");
    assert_eq!(shop.relay.taken().len(), 1);
    let id = shop.site.run(&["queue", "list", "--reference", "A-2", "--json"]).ended(0).json()[0]["id"].to_string();
    shop.site.run(&["queue", "reschedule", &id, "--to", "1 day"]).ended(0);
    let story = shop.site.run(&["explain", "A-2"]).ended(0).out;
    assert!(story.contains("and as things stand it waits until "), "{story}");
    shop.follow(&story, "invited queue send-now", &[]).ended(0);
    shop.letters(2).await;
    shop.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_dropped_is_told_and_goes_by_hand() {
    for (line, email, body, sentence) in [
        (("sample", "\"0.1 %\""), ANNA, "", "the shop asks about a share of its orders only"),
        (("consent", "\"required\""), ANNA, "", "the shop asks only who agreed to it"),
        (
            ("max_age", "\"30 days\""),
            ANNA,
            "<script type=\"application/ld+json\">{\"@context\": \"http://schema.org\", \"@type\": \"Order\", \
             \"orderNumber\": \"A-1\", \"orderDate\": \"2020-02-03\"}</script>",
            "the order is older than the shop invites for",
        ),
        (("locale", "\"en\""), "info@customer.example.net", "", "the shop does not write to addresses of this kind"),
    ] {
        let shop = Shop::open(&[line]).await;
        let body = format!("{}{body}", snippet("A-1", email));
        shop.take_in(&mail("Your order A-1", email, 0, &body)).await;
        let story = shop.tells(&["A-1"], &format!("Next: nothing; {sentence}")).await;
        let again = shop.follow(&story, "invited queue reinvite", &["--json"]).ended(0).json();
        shop.site.run(&["queue", "send-now", &again[0]["opened"].to_string()]).ended(0);
        shop.letters(1).await;
        let story = shop.tells(&["--id", "1"], "It is followed by invitation 2.").await;
        assert!(!story.contains("invited queue reinvite 1"), "it is done: {story}");
        shop.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suppressed_person_is_told_with_what_takes_them_off_the_list() {
    let shop = Shop::open(&[("delay", "\"7 days\"")]).await;
    shop.take_in(&order("A-1", ANNA, 0)).await;
    shop.site.run(&["suppress", "add", ANNA, "--reason", "asked by telephone"]).ended(0);
    let story = shop.tells(&["A-1"], "Next: nothing; the address is on the suppression list.").await;
    shop.follow(&story, "invited suppress remove", &[]).ended(0);
    let story = shop.site.run(&["explain", "A-1"]).ended(0).out;
    assert!(!story.contains("invited suppress"), "nobody is on the list any more: {story}");
    shop.follow(&story, "invited queue reinvite", &[]).ended(0);
    shop.letters(1).await;

    let email = "cy@mail.blocked.example.net";
    shop.take_in(&order("B-1", email, 0)).await;
    shop.site.run(&["suppress", "add", "blocked.example.net"]).ended(0);
    let story = shop.tells(&["B-1"], "as things stand it is not sent: the address is on the suppression list").await;
    let listed = shop.follow(&story, "invited suppress list", &["--json"]);
    assert!(listed.out.contains("blocked.example.net"), "{listed:?}");
    shop.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_away_is_named_with_what_happened_and_counts_as_no_attempt() {
    let nobody = crate::monitoring::free();
    let site = Site::new(nobody, &[]).await;
    let service = site.serve().await;
    let shop = Shop { site, relay: TestRelay::start(|_| Act::Ok).await, service };
    shop.take_in(&order("A-1", ANNA, 0)).await;
    let story =
        shop.tells(&["A-1"], "waits for a relay, which counts as no attempt; could not connect to default: ").await;
    assert!(!story.contains("said") && !story.contains("(attempt "), "{story}");
    let shown = shop.site.run(&["queue", "show", "A-1"]).ended(0).out;
    assert!(shown.contains("could not connect to default: ") && shown.contains("onnection refused"), "{shown}");
    let json = shop.site.run(&["queue", "show", "A-1", "--json"]).ended(0).json().remove(0);
    assert_eq!((&json["attempts"], &json["outgoing"][0]["relay"]), (&0.into(), &"default".into()), "{json}");
    // How the relay is stands in the status too, for those who look there first.
    let status = until("it has said so", async || {
        let status = shop.site.run(&["status"]);
        status.out.contains("default rests").then_some(status.out)
    })
    .await;
    for part in [", then one letter tries it; it cannot be used since ", ": connect: ", "onnection refused"] {
        assert!(status.contains(part), "{part}: {status}");
    }

    shop.site.configure(shop.relay.address, &[]);
    shop.service.signal("HUP");
    shop.site.run(&["queue", "send-now", "1"]);
    shop.letters(1).await;
    let story = shop.tells(&["A-1"], "taken by the relay (attempt 1); default said 250 ").await;
    assert!(story.contains("relay down: "), "what was before is told too: {story}");
    shop.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_letter_is_told_with_the_relay_that_refused_it() {
    let relay = TestRelay::start(|moment| match moment.at {
        At::Rcpt => Act::Reply("550 5.1.1 nobody of that name"),
        _ => Act::Ok,
    })
    .await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let shop = Shop { site, relay, service };
    shop.take_in(&order("A-1", ANNA, 0)).await;
    let told = "the first letter: refused (attempt 1); default said 550 5.1.1 nobody of that name (at rcpt)";
    shop.tells(&["A-1"], told).await;
    shop.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_rests_is_told_with_what_lets_it_go_on() {
    let shop = Shop::open(&[]).await;
    shop.site.run(&["queue", "pause", "--shop", "shop", "--reason", "stocktaking", "--actor", "kim"]).ended(0);
    shop.take_in(&order("A-1", ANNA, 0)).await;
    let story = shop.tells(&["A-1"], "by kim: stocktaking").await;
    assert!(story.contains("but the queue of shop is paused since "), "{story}");
    assert!(shop.relay.taken().is_empty());
    shop.follow(&story, "invited queue resume", &[]).ended(0);
    shop.letters(1).await;
    shop.service.stop().await;

    let shop = Shop::open(&[("hold_all", "true")]).await;
    shop.take_in(&order("A-1", ANNA, 0)).await;
    shop.tells(&["A-1"], "take hold_all = true out of it and reload the daemon").await;
    assert!(shop.relay.taken().is_empty());
    shop.site.configure(shop.relay.address, &[]);
    shop.service.signal("HUP");
    shop.letters(1).await;
    shop.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_reopened_and_reinvited_orders_say_who_decides() {
    let shop = Shop::open(&[("delay", "\"7 days\"")]).await;
    shop.take_in(&order("A-1", ANNA, 100)).await;
    let story = shop.tells(&["A-1"], "Next: the first letter goes out at ").await;
    assert!(story.contains("To stop it: invited queue cancel 1"), "{story}");
    shop.take_in(&cancellation("A-1", ANNA, 90)).await;
    let story = shop.tells(&["A-1"], "Next: nothing; the order was cancelled, so nobody is asked about it.").await;
    assert!(
        story.contains("Should a later mail of the shop say that the order goes on, a person is asked."),
        "{story}"
    );
    shop.site.run(&["queue", "reinvite", "1"]).ended(1);

    shop.take_in(&order("A-1", ANNA, 1)).await;
    let story = shop.tells(&["A-1"], "Next: nothing by itself; a person should say whether the order goes on.").await;
    shop.follow(&story, "invited queue send-now", &[]).ended(0);
    shop.letters(1).await;

    shop.take_in(&order("B-1", "bo@customer.example.net", 1)).await;
    let story = shop.tells(&["B-1"], "To stop it: ").await;
    shop.follow(&story, "invited queue cancel", &[]).ended(0);
    let story = shop.tells(&["B-1"], "Next: nothing; support cancelled the invitation.").await;
    shop.follow(&story, "invited queue reinvite", &[]).ended(0);
    shop.letters(2).await;
    let story = shop.tells(&["B-1"], "It is followed by invitation 3.").await;
    assert!(!story.contains("invited queue reinvite 2"), "{story}");
    assert!(story.contains(", follows 2"), "{story}");
    shop.service.stop().await;
}
