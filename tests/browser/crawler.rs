//! What mail scanners and previews do: every link of every letter is fetched, and fetched again, and nothing comes of it.

use std::collections::{BTreeMap, BTreeSet};

use invited::domain::DAY;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::kit::{say, until};
use crate::shop::{Shop, order_of};
use crate::wire::ask;

/// What the daemon writes without a visit: its own line, with how long it is taken to live, and what it says of itself.
const WRITTEN_BY_ITSELF: [&str; 2] = ["daemon", "report"];

/// What order mails call the languages that letters are written in.
const LOCALES: [&str; 14] = [
    "en-GB", "de-DE", "fr-FR", "sv-SE", "da-DK", "nb-NO", "fi-FI", "nl-NL", "es-ES", "it-IT", "pt-PT", "pl-PL",
    "cs-CZ", "ja-JP",
];

/// Every row of every table of the database's file, table by table, read with nothing but the engine's own list of them.
async fn dump(shop: &Shop) -> BTreeMap<String, Vec<String>> {
    let mut conn = shop.sql().await;
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut conn).await.unwrap();
    let mut dump = BTreeMap::new();
    for table in tables.into_iter().filter(|table| !WRITTEN_BY_ITSELF.contains(&table.as_str())) {
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(columns)).fetch_all(&mut conn).await.unwrap();
        let values = columns.iter().map(|column| format!("'{column}=' || quote(\"{column}\")"));
        let rows = format!("SELECT {} FROM \"{table}\" ORDER BY 1", values.collect::<Vec<_>>().join(" || ' ' || "));
        dump.insert(table, sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut conn).await.unwrap());
    }
    conn.close().await.unwrap();
    dump
}

#[tokio::test(flavor = "multi_thread")]
async fn fetching_every_link_of_every_letter_changes_nothing_in_any_language() {
    let shop = Shop::open("en").await;
    for locale in LOCALES {
        shop.letter(locale, &order_of(locale, locale, "Anna Example", &["Lamp", "Cup"])).await;
    }
    shop.house.pass(DAY * 7);
    until("the reminders are out", async || (shop.house.relay.taken().len() == 2 * LOCALES.len()).then_some(())).await;
    shop.house.until_quiet().await;
    let letters = (0..2 * LOCALES.len()).map(|number| shop.newest(number)).collect::<Vec<_>>();
    let before = dump(&shop).await;
    let (mut fetched, mut languages) = (0, BTreeSet::new());
    for letter in &letters {
        let language = letter.header.lines().find_map(|line| line.strip_prefix("Content-Language: ")).unwrap();
        languages.insert(language.to_owned());
        for kind in ["/r/", "/u/", "/d/", "/v/", "/about/"] {
            letter.link(kind, "");
        }
        // One click is for https alone (RFC 8058, section 3.1); the address stands there all the same.
        let unsubscribe = format!("List-Unsubscribe: <{}/u/", shop.base());
        assert!(letter.header.contains(&unsubscribe), "{}", letter.header);
        for _ in 0..3 {
            for link in &letter.links {
                let path = link.trim_start_matches(&shop.base());
                for method in ["GET", "HEAD"] {
                    let answer = ask(shop.pages, method, path, &[], b"").await.unwrap();
                    assert_eq!((answer.status, answer.field("set-cookie")), (200, None), "{language}: {method} {link}");
                    let is_page =
                        path.starts_with("/about/") || answer.text().contains(&format!("<html lang=\"{language}\""));
                    assert!(method == "HEAD" || is_page, "{link} is not in {language}");
                    fetched += 1;
                }
            }
        }
    }
    let after = dump(&shop).await;
    for (table, rows) in &before {
        assert_eq!(after.get(table), Some(rows), "the rows of {table}");
    }
    assert_eq!(after.len(), before.len());
    for table in ["copy", "invitation", "letter", "decision", "review", "suppression", "figure", "erasure_request"] {
        assert!(before.contains_key(table), "{table} is among {:?}", before.keys());
    }
    assert_eq!(languages.len(), LOCALES.len(), "{languages:?}");
    say(&format!("crawler: {fetched} requests by the links of {} letters changed nothing", letters.len()));
    shop.house.daemon.stop().await;
}
