//! SQL where values are expected: in mails, envelopes and HELO, and in whatever a command looks for.

use crate::client::Client;
use crate::kit::{order_mail, until};
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, TestRelay};

/// What would change the meaning of a statement that is put together from text.
const TEXTS: [&str; 5] = [
    "' OR '1'='1",
    "' OR 1=1--",
    "x'; DROP TABLE invitation; --",
    "\" OR \"\"=\"",
    "%' UNION SELECT secret FROM sqlite_master--",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_like_sql_is_a_value_like_any_other() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true"), ("error_delay", "\"0 s\""), ("errors", "100")]).await;
    let service = site.serve().await;
    let mut shop = Dialog::open(service.address).await.unwrap();
    let name = "Robert'); DROP TABLE invitation;--";
    shop.mail(BCC, &order_mail("SQL-1", name, "robert@customer.example.net")).await.unwrap();
    shop.mail(BCC, &order_mail("SQL-2", "Anna Exempel", "o'hara@customer.example.net")).await.unwrap();
    let mut client = Client::open(service.address);
    client.say("EHLO x'--");
    for text in TEXTS {
        client.say(&format!("MAIL FROM:<{}@b.example>", text.replace(' ', "")));
        assert!(client.say(&format!("RCPT TO:<{}@in.invited.example>", text.replace(' ', ""))).starts_with('5'));
        client.say("RSET");
        client.say(&format!("VRFY {text}"));
    }
    until("both are read", async || {
        (site.number("SELECT count(*) FROM copy WHERE state = 'unread'").await == 0).then_some(())
    })
    .await;
    let before = site.number("SELECT count(*) FROM invitation").await;
    assert_eq!(before, 2);
    let stored = "SELECT count(*) FROM invitation WHERE email = 'o''hara@customer.example.net'";
    assert_eq!(site.number(stored).await, 1, "an apostrophe is a part of an address");

    for text in TEXTS {
        for words in [
            &["queue", "list", "--json", "--email", text][..],
            &["queue", "list", "--json", "--reference", text],
            &["queue", "list", "--json", "--shop", text],
            &["held", "list", "--json", "--shop", text],
            &["explain", text],
            &["person", text],
            &["suppress", "list", "--json", "--shop", text],
            &["queue", "show", text],
        ] {
            let ran = site.run(words);
            assert!(!ran.out.contains("customer.example.net"), "{words:?} finds others: {ran:?}");
            assert!(!ran.err.contains("syntax") && !ran.err.contains("SQL"), "{words:?}: {ran:?}");
        }
    }
    assert_eq!(site.number("SELECT count(*) FROM invitation").await, before);
    assert_eq!(site.integrity().await, "ok");
    service.stop().await;
}
