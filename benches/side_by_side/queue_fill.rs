//! A queue as it stands after years, written by a few statements that both engines understand: shops, orders, letters, decisions,
//! copies, who is not written to, and the counts of it all. Nothing of the schema is changed and each row goes through all indexes,
//! so that these are as wide as those of a queue that grew.

#![allow(dead_code, reason = "each benchmark that fills a queue asks for other things of it")]

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row as _};

use crate::mails;

/// The instant at which everything happens: 2026-03-02T09:00:00Z, milliseconds.
pub(crate) const NOW: i64 = 1_772_442_000_000;

const SIX_WEEKS: i64 = 42 * 86_400_000;

/// Shops, which share the orders evenly; their names are [`shop`].
pub(crate) const SHOPS: u64 = 20;

/// Copies are kept of the newest orders, with their bytes.
const COPIES: u64 = 100_000;

/// Orders with [`RARE`] in the name of a product, in a whole queue of any size.
pub(crate) const RARE_ORDERS: u64 = 5;

/// A word that few orders have, and one that none has.
pub(crate) const RARE: &str = "Zirconium";
pub(crate) const NONE: &str = "Unobtainium";

/// Rows in one transaction.
const CHUNK: u64 = 100_000;

/// A number that stands in the reading and the mail wherever an order's own belongs.
const MARK: u64 = 12_345_678;

/// The tables whose size is told.
const TABLES: [&str; 7] = ["invitation", "letter", "decision", "copy", "copy_body", "suppression", "figure"];

/// What a queue is filled with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents {
    /// Invitations.
    pub(crate) all: u64,
    /// When it is, milliseconds.
    pub(crate) now: i64,
    /// How long after one order the next one came, milliseconds.
    pub(crate) apart: i64,
    /// Five decisions on each order and a copy of it without its bytes, instead of what is needed to send letters.
    pub(crate) is_whole: bool,
}

impl Contents {
    /// What matters to those who send letters: an order a minute, or fewer when that would not make six weeks. Whoever ordered twice
    /// had the letter before long enough ago to get one now.
    pub(crate) fn lean(all: u64) -> Result<Self> {
        Ok(Self { all, now: NOW, apart: (SIX_WEEKS / i64::try_from(all)?).max(60_000), is_whole: false })
    }

    /// What matters to those who look for something: two years of orders, however many.
    pub(crate) fn whole(all: u64, now: i64) -> Result<Self> {
        Ok(Self { all, now, apart: 63_072_000_000 / i64::try_from(all)?, is_whole: true })
    }
}

/// A connection past the store.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// What a table takes.
#[derive(Debug, Serialize)]
pub(crate) struct Size {
    pub(crate) engine: &'static str,
    pub(crate) invitations: u64,
    pub(crate) table: &'static str,
    pub(crate) rows: u64,
    /// The rows themselves, with what was too long for a page.
    pub(crate) table_bytes: u64,
    pub(crate) index_bytes: u64,
}

/// The name of a shop.
pub(crate) fn shop(number: u64) -> String {
    format!("shop-{}", number % SHOPS)
}

/// The reference of order `number`, which is also its invitation's number.
pub(crate) fn reference(number: u64) -> String {
    format!("{number:08}-2026")
}

/// The address of the customer of order `number` in a queue of `all`. Every second customer has ordered twice.
pub(crate) fn email(number: u64, all: u64) -> String {
    format!("customer{:08}@example.net", customer(number, all))
}

fn customers(all: u64) -> u64 {
    all * 2 / 3
}

/// Scattered over all customers.
fn customer(number: u64, all: u64) -> u64 {
    number * 2_654_435_761 % customers(all)
}

/// Text of eight digits, in both engines' words.
fn digits(number: &str) -> String {
    format!("substr(CAST(100000000 + {number} AS TEXT), 2)")
}

impl Raw {
    pub(crate) fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// Fills an empty queue.
    pub(crate) async fn fill(&mut self, contents: Contents) -> Result<()> {
        self.hurry().await?;
        let all = contents.all;
        let copies = self.copies(contents)?;
        for from in (1..=all).step_by(usize::try_from(CHUNK)?) {
            let to = all.min(from + CHUNK - 1);
            let mut chunk = vec![invitations(from, to, contents), letters(from, to), decisions(from, to, contents)];
            let from = if contents.is_whole { from } else { from.max(all.saturating_sub(COPIES) + 1) };
            if from <= to {
                chunk.push(copies.replace("{from}", &from.to_string()).replace("{to}", &to.to_string()));
            }
            self.run(&format!("BEGIN; {}; COMMIT", chunk.join("; "))).await?;
        }
        self.run(&format!("BEGIN; {}; {COUNTS}; COMMIT", suppressions(contents))).await?;
        let written = self.number("SELECT MAX(id) FROM invitation").await?;
        ensure!(written == all, "of {all} invitations the last has the number {written}");
        self.settle_down().await
    }

    /// What is written now need not outlive a power cut.
    async fn hurry(&mut self) -> Result<()> {
        self.run(match self {
            Self::Sqlite(_) => {
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000; \
                 PRAGMA locking_mode = EXCLUSIVE"
            }
            // A replica does not look after each row whether what it refers to is there.
            Self::Postgres(_) => "SET synchronous_commit = off; SET session_replication_role = replica",
        })
        .await
    }

    /// What a server does by itself in time.
    async fn settle_down(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.run("VACUUM (ANALYZE)").await,
        }
    }

    /// Copies and their bodies: a real mail of 4 KB, read and packed as the daemon does it. The range is left open.
    fn copies(&self, contents: Contents) -> Result<String> {
        let mark = MARK.to_string();
        let mail = mails::order(&format!("{mark}-2026"), &format!("customer{mark}@example.net"), 4096);
        let reading = serde_json::to_string(&mails::read(&mail))?.replace('\'', "''");
        ensure!(reading.contains(&mark), "the order was not read");
        let body = zstd::bulk::compress(mail.as_bytes(), 1)?;
        let hex = body.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let body = match self {
            Self::Sqlite(_) => format!("X'{hex}'"),
            Self::Postgres(_) => format!("CAST('\\x{hex}' AS BYTEA)"),
        };
        let bodies = format!(
            "; INSERT INTO copy_body (copy_id, received_at, body) SELECT id, received_at, {body} FROM copy \
             WHERE id > (SELECT COALESCE(MAX(copy_id), 0) FROM copy_body) ORDER BY id"
        );
        Ok(format!(
            "INSERT INTO copy (shop, mail_from, rcpt_to, client, hello, tls, size, received_at, state, attempts, read_at, reading, \
             email_key, reference_key, invitation_id) \
             SELECT shop, 'bounces@shop.example.com', shop || '@in.example.com', '192.0.2.25', 'mail.shop.example.com', 1, {size}, \
             created_at, 'event', 1, created_at, replace('{reading}', '{mark}', {}), email_key, reference_key, id \
             FROM invitation WHERE id BETWEEN {{from}} AND {{to}} ORDER BY id{bodies}",
            digits("id"),
            size = mail.len(),
            bodies = if contents.is_whole { "" } else { &bodies },
        ))
    }

    /// What each table takes.
    pub(crate) async fn sizes(&mut self, all: u64) -> Result<Vec<Size>> {
        let engine = self.engine();
        let mut sizes = Vec::new();
        for table in TABLES {
            let (table_bytes, index_bytes) = match self {
                Self::Sqlite(_) => {
                    let pages = "SELECT COALESCE(SUM(pgsize), 0) FROM dbstat WHERE aggregate = true AND name";
                    let indexes = format!(
                        "{pages} IN (SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table}')"
                    );
                    (self.number(&format!("{pages} = '{table}'")).await?, self.number(&indexes).await?)
                }
                Self::Postgres(_) => (
                    self.number(&format!("SELECT pg_table_size('{table}')")).await?,
                    self.number(&format!("SELECT pg_indexes_size('{table}')")).await?,
                ),
            };
            let rows = self.number(&format!("SELECT COUNT(*) FROM {table}")).await?;
            sizes.push(Size { engine, invitations: all, table, rows, table_bytes, index_bytes });
        }
        Ok(sizes)
    }

    pub(crate) async fn run(&mut self, text: &str) -> Result<()> {
        let run = sqlx::raw_sql(AssertSqlSafe(text));
        let done = match self {
            Self::Sqlite(conn) => run.execute(conn).await.map(drop),
            Self::Postgres(conn) => run.execute(conn).await.map(drop),
        };
        done.with_context(|| text.chars().take(200).collect::<String>())
    }

    async fn number(&mut self, text: &str) -> Result<u64> {
        let ask = sqlx::raw_sql(AssertSqlSafe(text));
        let number: i64 = match self {
            Self::Sqlite(conn) => ask.fetch_one(conn).await.with_context(|| text.to_owned())?.try_get(0)?,
            Self::Postgres(conn) => ask.fetch_one(conn).await.with_context(|| text.to_owned())?.try_get(0)?,
        };
        Ok(u64::try_from(number)?)
    }
}

/// Orders as old as their numbers are small. The newest 5 % are queued, the next 1 % are due, the next 4 % have had their first letter,
/// and of the rest most are done; among all of them are some that ended otherwise, and among the newest some that wait.
fn invitations(from: u64, to: u64, contents: Contents) -> String {
    let Contents { all, now, apart, .. } = contents;
    let details = format!(
        r#"'{{"locale":"en","order_date":"2026-02-20T09:00:00Z","expected_delivery":null,"products":[{{"name":"' || CASE WHEN n % {each} = {each} / 2 THEN '{RARE}' ELSE 'Lamp' END || ' no. ' || (n % 977) || '","sku":"L-' || (n % 977) || '","url":"https://shop.example.com/lamps/' || (n % 977) || '","image":null,"price":"13.50 EUR","quantity":1}}],"country":"SE","tags":[' || CASE n % 200 WHEN 7 THEN '"vip"' WHEN 8 THEN '"trade","gift"' ELSE '' END || '],"template":"' || CASE n % 4 WHEN 0 THEN 'woocommerce' WHEN 1 THEN 'magento' ELSE 'shopify' END || '","consent":null}}'"#,
        each = (all / RARE_ORDERS).max(1),
    );
    format!(
        "WITH RECURSIVE numbers (n) AS (SELECT CAST({from} AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < {to}), \
         aged AS (SELECT n, ({all} - n) * 1000 / {all} AS age, n / {SHOPS} % 100 AS lot FROM numbers), \
         stood AS (SELECT n, age, CASE WHEN lot < 3 THEN 'cancelled' \
             WHEN lot = 3 AND n % 7 = 0 THEN 'held' WHEN lot = 3 AND n % 7 = 1 THEN 'failed' \
             WHEN lot = 3 AND n % 7 = 2 THEN 'in_doubt' WHEN age < 60 AND lot < 10 THEN 'waiting' \
             WHEN age < 60 THEN 'queued' WHEN age < 100 THEN 'sent' ELSE 'done' END AS state, \
             {now} - ({all} - n) * {apart} AS created_at, n * 2654435761 % {customers} AS customer FROM aged) \
         INSERT INTO invitation (shop, reference, reference_key, email, email_key, name, details, state, due_at, expires_at, \
         letters_sent, attempts, created_at, updated_at) \
         SELECT 'shop-' || (n % {SHOPS}), {reference} || '-2026', {reference} || '-2026', 'customer' || {customer} || '@example.net', \
         'customer' || {customer} || '@example.net', 'Anna Example', {details}, state, \
         CASE WHEN state IN ('waiting', 'sent') OR state = 'queued' AND age < 50 \
             THEN {now} + 3600000 + n * 104729 % 600000 * 1000 WHEN state = 'queued' THEN {now} - n * 104729 % 3600000 - 1 END, \
         CASE WHEN state IN ('queued', 'sent') THEN {now} + 2592000000 END, \
         CASE WHEN state = 'sent' OR state = 'done' AND n % 3 > 0 THEN 1 WHEN state = 'done' THEN 2 ELSE 0 END, \
         0, created_at, created_at + 604800000 FROM stood ORDER BY n",
        customers = customers(all),
        reference = digits("n"),
        customer = digits("customer"),
    )
}

/// A letter for each that was sent.
fn letters(from: u64, to: u64) -> String {
    let kind = |ordinal: u8, kind: &str| {
        format!(
            "INSERT INTO letter (invitation_id, ordinal, kind, phase, attempts, message_id, relay, claimed_at, on_the_wire_at, \
             settled_at, reply, shop, email_key) \
             SELECT id, {ordinal}, '{kind}', 'accepted', 1, '<' || id || '.{ordinal}.4f9a1c77d2e0b853@shop.example.com>', 'relay', \
             updated_at, updated_at + 90, updated_at + 120, '250 2.0.0 Ok: queued as 4ZxYpQ2mJtz7N' || (id % 10), shop, email_key \
             FROM invitation WHERE id BETWEEN {from} AND {to} AND letters_sent >= {ordinal} ORDER BY id"
        )
    };
    format!("{}; {}", kind(1, "invitation"), kind(2, "reminder"))
}

/// How each began, and what became of its letter; of a whole queue five decisions on each.
fn decisions(from: u64, to: u64, contents: Contents) -> String {
    let columns = "invitation_id, at, event, from_state, to_state, due_at, rule, actor, note, copy_id, inputs";
    let of = format!("FROM invitation WHERE id BETWEEN {from} AND {to}");
    let reply = "'250 2.0.0 Ok: queued as 4ZxYpQ2mJtz7N' || (id % 10)";
    let one = |what: &str, which: &str| {
        format!("INSERT INTO decision ({columns}) SELECT id, {what} {of} {which} ORDER BY id")
    };
    let began = "created_at, 'order placed', NULL, 'queued', created_at + 604800000, 'trigger-starts-delay', 'daemon', NULL, id, \
                 '{\"trigger\":\"order\",\"delay\":\"7 days\",\"told at\":\"2026-02-20T09:00:00Z\"}'";
    let accepted = format!(
        "updated_at, 'attempt accepted', 'sending', state, due_at, 'letter-accepted', 'daemon', {reply}, NULL, NULL"
    );
    let sent = "AND letters_sent > 0";
    let mut all = vec![one(began, ""), one(&accepted, sent)];
    if contents.is_whole {
        let again = |hours: u32, event: &str| {
            format!(
                "created_at + {hours} * 3600000, 'order {event}', 'queued', 'queued', created_at + 604800000, \
                 'repeat-changes-nothing', 'daemon', NULL, NULL, '{{\"event\":\"{event}\"}}'"
            )
        };
        let due = |rule: &str, to_state: &str| {
            format!(
                "updated_at - 60000, 'due', 'queued', '{to_state}', updated_at, '{rule}', 'daemon', NULL, NULL, \
                 '{{\"letters to the person\":\"1\",\"letters at most\":\"5\",\"within\":\"30 days\"}}'"
            )
        };
        all.extend([
            one(&again(1, "paid"), ""),
            one(&due("outside-window", "queued"), sent),
            one(&due("due-letter-claimed", "sending"), sent),
        ]);
        // Of those that had no letter the shop told more often.
        all.extend([30, 50, 70].map(|hours| one(&again(hours, "shipped"), "AND letters_sent = 0")));
    }
    all.join("; ")
}

/// One in twenty customers.
fn suppressions(contents: Contents) -> String {
    format!(
        "INSERT INTO suppression (shop, kind, subject, reason, actor, at) \
         SELECT DISTINCT CASE id % 3 WHEN 0 THEN '' ELSE shop END, 'address', email_key, \
         CASE id % 4 WHEN 0 THEN 'bounced' ELSE 'unsubscribed' END, 'customer', created_at \
         FROM invitation WHERE id % 20 = 3 AND id <= {} - {} / 10 ORDER BY created_at ON CONFLICT (kind, subject, shop) DO NOTHING",
        contents.all, contents.all
    )
}

/// As the migration that made the table counted what was there.
const COUNTS: &str = "INSERT INTO figure (shop, day, name, n) SELECT shop, 0, 'state ' || state, COUNT(*) FROM invitation GROUP BY 1, 3; \
    INSERT INTO figure (shop, day, name, n) SELECT shop, created_at / 86400000, 'begun', COUNT(*) FROM invitation GROUP BY 1, 2; \
    INSERT INTO figure (shop, day, name, n) SELECT invitation.shop, decision.at / 86400000, decision.rule, COUNT(*) \
    FROM decision CROSS JOIN invitation WHERE invitation.id = decision.invitation_id GROUP BY 1, 2, 3";
