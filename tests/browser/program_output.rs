//! Hostile names, products and reviews in what the program prints, in exports, and in the head of a letter.

use std::path::{Path, PathBuf};

use invited::config::Secret;
use invited::domain::Review;
use invited::table::{FORMULA, rows_of};
use serde_json::Value;

use crate::hostile::{BRACES, MARK, hostile};
use crate::kit::{configuration_text, say};
use crate::program::{Ran, command, run};
use crate::shop::{Shop, address, order_of};
use crate::wire::ask;

/// Whether a character steers a terminal, or the order or the place of what stands around it.
fn steers(c: char) -> bool {
    let hidden = matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}');
    hidden || (c.is_control() && c != '\n')
}

/// A configuration's file for the program beside the shop's database.
fn configured(shop: &Shop) -> PathBuf {
    let Secret::File(key) = &shop.house.config.master_key else { panic!("a key in a file") };
    let file = key.parent().unwrap().join("invited.toml");
    std::fs::write(&file, configuration_text(&shop.house.relay.address.to_string(), &[])).unwrap();
    file
}

/// What a command prints, of which nothing steers.
fn printed(config: &Path, words: &[&str]) -> Ran {
    let ran = run(command().args(words).arg("--config").arg(config)).ended(0);
    // RFC 4180 ends its lines so.
    let out = if words.contains(&"export") { ran.out.replace("\r\n", "\n") } else { ran.out.clone() };
    let found = out.chars().chain(ran.err.chars()).find(|c| steers(*c));
    assert_eq!(found, None, "{words:?}: {out:?}");
    ran
}

/// Writes a review by the letter's link, with this text in every field.
async fn write(shop: &Shop, path: &str, text: &str) {
    let page = ask(shop.pages, "GET", path, &[], b"").await.unwrap().text();
    let token =
        page.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let cut = |most: usize| text.chars().take(most).collect::<String>();
    let (title, name, words) = (cut(90), cut(50), format!("{text}\n{text}"));
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (field, value) in [
        ("token", &*token),
        ("website", ""),
        ("stars", "5"),
        ("title", &*title),
        ("text", &*words),
        ("name", &*name),
        ("p0_stars", "4"),
        ("p0_text", &*words),
        ("do", "write"),
    ] {
        form.append_pair(field, value);
    }
    let fields = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = ask(shop.pages, "POST", path, &fields, form.finish().as_bytes()).await.unwrap();
    assert_eq!(answer.status, 200, "{text:?}: {}", answer.text());
}

/// Compares what is told of a review with what is stored.
fn is_told(value: &Value, one: &Review) {
    for (name, expected) in [("title", one.words.title()), ("text", one.words.text()), ("name", one.words.name())] {
        assert_eq!(value[name], expected, "{value}");
    }
    assert_eq!(value["product"].as_str(), one.product.as_deref());
}

/// The names of a message's unfolded fields, in order.
fn fields(header: &str) -> Vec<&str> {
    header.lines().map(|line| line.split(':').next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_text_in_what_the_program_prints_and_in_letters_heads() {
    let shop = Shop::open("en").await;
    let plain = shop.letter("P-1", &order_of("P-1", "en", "Anna Example", &["Lamp"])).await;
    let texts = hostile();
    for (number, text) in texts.iter().enumerate() {
        let reference = format!("H-{number}");
        let letter = shop.letter(&reference, &order_of(&reference, "en", text, &[text])).await;
        assert_eq!(fields(&letter.header), fields(&plain.header), "{text:?}");
        assert!(letter.header.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n')), "{}", letter.header);
        let to = letter.header.lines().find(|line| line.starts_with("To: ")).unwrap();
        assert!(to.ends_with(&format!("<{}>", address(&reference))) && to.matches('@').count() == 1, "{to}");
        write(&shop, letter.review().trim_start_matches(&shop.base()), text).await;
    }
    shop.house.until_quiet().await;
    let stored = shop.stored().await;
    assert!(stored.len() > texts.len(), "products were reviewed, too: {}", stored.len());
    let config = configured(&shop);
    shows_reviews(&config, &stored);
    exports_reviews(&config, &stored);
    for (number, text) in texts.iter().enumerate() {
        let reference = format!("H-{number}");
        let email = address(&reference);
        printed(&config, &["person", &email]);
        for words in [vec!["explain", &reference], vec!["queue", "show", &reference]] {
            let ran = printed(&config, &words);
            // A name or a product with braces is none.
            assert!(number == BRACES || ran.out.contains(MARK), "{words:?}: {}", ran.out);
        }
        for words in [vec!["explain", &reference, "--json"], vec!["person", &email, "--json"]] {
            let ran = printed(&config, &words);
            assert!(!ran.json().is_empty() && ran.out.contains(MARK), "{text:?}: {words:?}: {}", ran.out);
        }
    }
    let listed = printed(&config, &["queue", "list"]);
    assert_eq!(listed.out.lines().filter(|line| line.contains("H-")).count(), texts.len(), "{}", listed.out);
    say(&format!("hostile: {} reviews printed and exported as text", stored.len()));
    shop.house.daemon.stop().await;
}

fn shows_reviews(config: &Path, stored: &[Review]) {
    let list = printed(config, &["review", "list", "--limit", "1000"]);
    assert_eq!(list.out.lines().count(), stored.len() + 1, "a line for each and none is folded: {}", list.out);
    let json = printed(config, &["review", "list", "--limit", "1000", "--json"]).json();
    assert_eq!(json.len(), stored.len());
    for (value, one) in json.iter().zip(stored) {
        is_told(value, one);
        let id = one.id.to_string();
        let shown = printed(config, &["review", "show", &id]);
        for line in one.words.text().lines().chain([one.words.title(), one.words.name()]) {
            assert!(shown.out.contains(line.trim()), "{line:?} in {}", shown.out);
        }
        is_told(&printed(config, &["review", "show", &id, "--json"]).json()[0], one);
    }
}

fn exports_reviews(config: &Path, stored: &[Review]) {
    let json = printed(config, &["review", "export", "--format", "jsonl"]).json();
    assert_eq!(json.len(), stored.len());
    json.iter().zip(stored).for_each(|(value, one)| is_told(value, one));

    let csv = printed(config, &["review", "export"]).out;
    let (_, rows) = rows_of(&csv, |_| false).unwrap();
    assert_eq!(rows.len(), stored.len() + 1, "the heading and a row for each");
    let column = |name: &str| rows[0].cells.iter().position(|cell| cell == name).unwrap();
    for (row, one) in rows[1..].iter().zip(stored) {
        // Reading takes the apostrophes off again.
        assert_eq!(row.cells[column("title")], one.words.title().trim());
        assert_eq!(row.cells[column("text")], one.words.text().trim());
        assert_eq!(row.cells[column("name")], one.words.name().trim());
    }
    let cells = raw_cells(&csv);
    assert!(cells.iter().any(|cell| cell.starts_with("'=HYPERLINK(")), "{csv}");
    let formula = cells.iter().find(|cell| cell.starts_with(FORMULA) && !cell.starts_with('\''));
    assert_eq!(formula, None, "no spreadsheet takes a cell for a formula");
}

/// The cells of a table as a spreadsheet has them (RFC 4180, section 2).
fn raw_cells(csv: &str) -> Vec<String> {
    let (mut cells, mut is_quoted) = (vec![String::new()], false);
    for c in csv.chars() {
        match c {
            // Of a quote that is doubled, the first ends and the second begins; that it is left out changes no beginning but its own.
            '"' => is_quoted = !is_quoted,
            ',' | '\r' | '\n' if !is_quoted => cells.push(String::new()),
            _ => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}
