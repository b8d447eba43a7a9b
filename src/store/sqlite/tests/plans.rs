//! That no statement walks over a table that grows or sorts what an index has in order, and how far lists look.

use super::*;

/// The steps of all statements that go over a whole table that grows, each with its statement's name.
async fn walks(conn: &mut Connection) -> Vec<String> {
    let mut walks = Vec::new();
    for statement in every_statement().filter(|statement| !statement.sqlite.is_empty()) {
        for step in conn.plan(*statement).await {
            // A partial index holds only the rows that are asked for.
            let is_partial =
                ["copy_unread", "copy_held", "copy_held_by_reason", "copy_in_hand", "letter_in_hand", "copy_again"];
            if [
                "copy",
                "copy_body",
                "invitation",
                "due",
                "earlier",
                "letter",
                "answer",
                "sender",
                "past",
                "decision",
                "tally",
                "figure",
                "suppression",
                "review",
                "review_edit",
            ]
            .iter()
            .any(|table| step == format!("SCAN {table}") || step.starts_with(&format!("SCAN {table} ")))
                && !is_partial.iter().any(|index| step.ends_with(index))
            {
                walks.push(format!("{}: {step}", statement.name));
            }
        }
    }
    walks
}

#[tokio::test]
async fn no_statement_walks_over_a_whole_table() {
    let place = Place::new().await;
    let mut conn = Connection::from(place.other().await);
    let walks = walks(&mut conn).await;
    assert!(walks.is_empty(), "{}", walks.join("\n"));
    assert!(sql::ALL.len() > 40);
}

#[tokio::test]
async fn letters_in_hand_are_looked_for_among_those_in_hand() {
    let place = Place::new().await;
    let mut conn = Connection::from(place.other().await);
    for statistics in [false, true] {
        if statistics {
            place.run(YEARS).await;
            conn = Connection::from(place.other().await);
        }
        for statement in [sql::IN_HAND_AT, sql::IN_HAND_FOR] {
            let plan = conn.plan(statement).await;
            assert!(plan.iter().any(|step| step.contains("INDEX letter_in_hand")), "{}: {plan:?}", statement.name);
        }
        let lately = conn.plan(sql::CLAIMED_LATELY_AT).await;
        assert!(lately.iter().any(|step| step.contains("letter_claimed (claimed_at>? AND claimed_at<?")), "{lately:?}");
    }
}

/// Nothing of ours gathers statistics, but a person may, and SQLite goes by them from then on.
#[tokio::test]
async fn no_statement_walks_over_a_large_table_though_somebody_gathered_statistics() {
    let place = Place::new().await;
    place.run(YEARS).await;
    let mut conn = Connection::from(place.other().await);
    let walks = walks(&mut conn).await;
    assert!(walks.is_empty(), "{}", walks.join("\n"));
}

/// Two years of a few shops, of which most is done, a customer who orders often, and statistics of it.
const YEARS: &str = "
    CREATE TEMP TABLE numbers AS WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)
        SELECT n, CASE WHEN n % 10 = 0 THEN 'old' ELSE n % 5000 || '' END || '@example.com' AS email FROM numbers;
    INSERT INTO invitation (shop, reference, reference_key, email, email_key, details, state, due_at, letters_sent, attempts,
        created_at, updated_at)
    SELECT 'shop' || (n % 20), 'A-' || n, 'a-' || n, email, email, '{}', CASE WHEN n > 18000 THEN 'queued' ELSE 'done' END,
        CASE WHEN n > 18000 THEN n END, 1, 0, n, n FROM numbers;
    INSERT INTO copy (shop, mail_from, rcpt_to, hello, tls, size, received_at, state, email_key, reference_key, template, reason)
    SELECT 'shop' || (n % 20), 'o@shop.example', 'x@afs.example', 'mx', 1, 1, n,
        CASE WHEN n > 19900 THEN 'unread' WHEN n % 37 = 0 THEN 'held' ELSE 'event' END, email, 'a-' || n, 'template' || (n % 7),
        CASE WHEN n % 37 = 0 THEN 'reason ' || (n % 3) END FROM numbers;
    INSERT INTO copy_body (copy_id, received_at, body) SELECT n, n, X'00' FROM numbers;
    INSERT INTO letter (invitation_id, ordinal, kind, phase, attempts, claimed_at, owner, relay, shop, email_key)
    SELECT n, 1, 'invitation', CASE WHEN n > 19950 THEN 'claimed' ELSE 'accepted' END, 1, n, 'one', 'default', 'shop' || (n % 20),
        email FROM numbers;
    INSERT INTO decision (invitation_id, at, event, to_state, rule, actor)
    SELECT n, n, 'due', 'sending', 'due-letter-claimed', 'daemon' FROM numbers;
    INSERT INTO suppression (shop, kind, subject, reason, actor, at)
    SELECT '', 'address', n || '@example.com', 'unsubscribed', 'customer', n FROM numbers;
    INSERT INTO figure (shop, day, name, n) SELECT 'shop' || (n % 20), n, 'begun', 1 FROM numbers;
    INSERT INTO review (shop, reference, reference_key, email_key, invitation_id, kind, product, collected, verified, stars, title, text,
        name, language, written_at)
    SELECT 'shop' || (n % 20), 'A-' || n, 'a-' || n, email, n, 'service', '', 'automatic', 1, 1 + n % 5, '', '', '', 'de', n FROM numbers;
    INSERT INTO review_edit (review_id, at, stars, title, text, name) SELECT n, n, 1, '', '', '' FROM numbers;
    INSERT INTO tally (shop, hour, event, ignored, held) SELECT 'shop' || (n % 20), n, 1, 1, 1 FROM numbers;
    DROP TABLE numbers; ANALYZE";

#[tokio::test]
async fn pages_come_in_order_without_sorting() {
    let place = Place::new().await;
    let mut conn = Connection::from(place.other().await);
    for statement in [
        sql::UNREAD,
        look::LIST_ALL,
        look::IDS_STATE,
        look::IDS_SHOP_STATE,
        look::LIST_EMAIL,
        look::LIST_REFERENCE,
        look::IDS_EMAIL,
        look::IDS_REFERENCE,
        look::STEP_DOWN,
        look::WALK,
        look::FIRST_SINCE,
        look::LAST_BEFORE,
        look::HELD_COPIES,
        look::HELD_OF_SHOP,
        look::HELD_OF_TEMPLATE,
        look::HELD_OF_REFERENCE,
        look::HELD_OF_EMAIL,
        look::HELD_OF_REASON,
        look::KEPT,
        look::HELD_KINDS,
        sql::HOURS_OF,
        sql::NEXT_DUE,
        sql::STANDING,
        sql::FIGURES_OF_SHOP,
        sql::FIGURES_OF_ALL,
        sql::PAUSES,
        sql::CLAIMED_LATELY,
        sql::PAST_LETTERS,
        sql::SUPPRESSED,
    ] {
        for step in conn.plan(statement).await {
            assert!(!step.contains("TEMP B-TREE"), "{}: {step}", statement.name);
        }
    }
}

/// Invitations of many days, of which few are meant.
const MANY_ENDED: &str = "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 230000) \
    INSERT INTO invitation (shop, reference, reference_key, email, email_key, name, details, state, letters_sent, attempts, \
        created_at, updated_at) \
    SELECT 'shop' || n % 2, 'A-' || n, 'a-' || n, n || '@example.com', n || '@example.com', \
        CASE WHEN n = 5 THEN 'Needle' ELSE 'Anna' END, '{}', 'done', 1, 0, n, n FROM counted";

#[tokio::test]
async fn a_list_looks_at_so_many_and_says_how_far_it_came() {
    let place = Place::new().await;
    place.run(MANY_ENDED).await;
    let store = place.open().await;
    let text = |text: &str| Filter { text: FreeText::parse(text), ..Filter::default() };
    let shop = ShopId::parse("shop0").ok();
    for (filter, down_to, found) in [
        (text("needle"), Some(30_001), Some(5)),
        // The engine cannot tell these from names that are as long, so fewer are looked at.
        (text("\u{447}\u{430}\u{439}"), Some(210_001), None),
        (Filter { template: Some("own".to_owned()), ..Filter::default() }, Some(30_001), None),
        (Filter { shop: shop.clone(), ..text("needle") }, None, None),
        (Filter { begun_before: Timestamp(100), ..text("needle") }, Some(30_001), Some(5)),
    ] {
        let first = store.list(&filter, None, 50).await.unwrap();
        assert_eq!(first.looked_down_to.map(|id| id.0), down_to, "{filter:?}");
        assert_eq!(first.invitations, [], "{filter:?}");
        let rest = store.list(&filter, Some(InvitationId(30_001)), 50).await.unwrap();
        assert_eq!(rest.invitations.first().map(|one| one.id.0), found, "{filter:?}");
    }
    let one = store.list(&text("anna"), None, 3).await.unwrap();
    assert_eq!(one.invitations.iter().map(|one| one.id.0).collect::<Vec<_>>(), [230_000, 229_999, 229_998]);
    assert_eq!(one.looked_down_to, Some(InvitationId(229_998)));
}
