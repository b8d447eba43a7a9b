//! The configuration: from TOML to checked [`Config`], or all problems at once.
//!
//! [`parse`] reads, [`template`] writes a first configuration for a new shop, and [`dns_records`] tells what the DNS must say for
//! it to work. No file is opened here: certificates, keys and folders are looked at when the program starts.

mod database;
mod dkim;
mod dns;
mod link;
mod listener;
mod login;
mod pages;
mod policy;
mod postgres_url;
mod read;
mod relay;
mod settings;
mod shop;
mod smtp;
mod starter;
mod trust;
mod units;
mod values;

#[cfg(test)]
mod tests;

pub use database::{Database, DatabaseFault, Postgres, PostgresHost, PostgresTls};
pub use dns::{DnsRecord, dns_records};
pub use link::{FIRST_LINK_KEY, LinkKey, LinkTo, ShopLink};
pub use listener::{ListenOn, Listener, ListenerTls};
pub use login::{DoorLogin, PasswordHash, StoredPassword};
pub use pages::{DEFAULT_PAGES_LISTEN, Pages};
pub use read::parse;
pub use settings::{
    Brand, Config, DEFAULT_LISTEN, Dkim, Door, Limits, LogFormat, Login, MailboxDomain, Metrics, Relay, RelayTimeouts,
    ReturnPath, Role, Secret, Shop, Tls, TlsFiles,
};
pub use starter::{Answers, template};
pub use units::{duration, written};
