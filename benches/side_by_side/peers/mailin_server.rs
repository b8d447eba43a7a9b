//! What one would write with `mailin-embedded` in an afternoon: an SMTP server that keeps each mail in SQLite and answers 250 when
//! its commit is durable. A peer in the benchmark, and an example of that library.
//!
//! ```text
//! cargo run --release --example mailin_server -- 127.0.0.1:2525 mails.db 100
//! ```
//!
//! The last number is how many sessions it serves at one time: a thread each.
#![expect(clippy::print_stderr, reason = "an example tells what went wrong")]

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, io};

use anyhow::{Context, Result, anyhow};
use mailin_embedded::{Handler, Response, Server, SslConfig, response};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::runtime::{Builder, Handle};

fn main() -> Result<()> {
    let mut args = env::args().skip(1);
    let mut next = || args.next().context("usage: mailin_server ADDRESS:PORT DATABASE SESSIONS");
    let (address, database, sessions) = (next()?, next()?, next()?.parse()?);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let database = runtime.block_on(open(Path::new(&database)))?;
    let keeper = Keeper {
        runtime: runtime.handle().clone(),
        database: Arc::new(Mutex::new(database)),
        sender: String::new(),
        recipients: String::new(),
        message: Vec::new(),
    };
    // Its errors are neither Send nor Sync.
    let mut server = Server::new(keeper);
    server.with_name("mail.invited.example.com").with_num_threads(sessions);
    server.with_ssl(SslConfig::None).map_err(|error| anyhow!("{error}"))?;
    server.with_addr(address).map_err(|error| anyhow!("{error}"))?;
    server.serve().map_err(|error| anyhow!("{error}"))
}

async fn open(database: &Path) -> Result<SqliteConnection> {
    let mut conn = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
        .connect()
        .await?;
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS mail (id INTEGER PRIMARY KEY, sender TEXT NOT NULL, recipients TEXT NOT NULL, message BLOB NOT NULL)",
    )
    .execute(&mut conn)
    .await?;
    Ok(conn)
}

/// One a session.
#[derive(Clone)]
struct Keeper {
    runtime: Handle,
    // SQLite lets one write at a time; waiting here is cheaper than in its busy handler, which sleeps.
    database: Arc<Mutex<SqliteConnection>>,
    sender: String,
    recipients: String,
    message: Vec<u8>,
}

impl Keeper {
    /// One statement is one transaction.
    fn keep(&mut self) -> Result<(), sqlx::Error> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let insert = sqlx::query("INSERT INTO mail (sender, recipients, message) VALUES (?, ?, ?)")
            .bind(&*self.sender)
            .bind(&*self.recipients)
            .bind(&*self.message);
        self.runtime.block_on(insert.execute(&mut *database))?;
        Ok(())
    }
}

impl Handler for Keeper {
    fn helo(&mut self, _ip: IpAddr, _domain: &str) -> Response {
        response::OK
    }

    fn data_start(&mut self, _domain: &str, from: &str, _is8bit: bool, to: &[String]) -> Response {
        from.clone_into(&mut self.sender);
        self.recipients = to.join(",");
        self.message.clear();
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.message.extend_from_slice(line);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        match self.keep() {
            Ok(()) => response::OK,
            Err(error) => {
                eprintln!("a mail could not be kept: {error}");
                response::INTERNAL_ERROR
            }
        }
    }
}
