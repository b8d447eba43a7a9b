//! The house as a whole: the real daemon on a free port, mails over real SMTP, letters at a scripted relay, time steered by hand.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

#[path = "../kit/browser.rs"]
mod browser;
#[path = "../kit/by_hand.rs"]
mod by_hand;
#[path = "../kit/dns.rs"]
mod dns;
#[path = "../kit/flaky.rs"]
mod flaky;
mod kit;
#[path = "../kit/postfix.rs"]
mod postfix;
#[path = "../kit/postgres.rs"]
mod postgres;
mod privacy;
mod program;
#[path = "../kit/relay.rs"]
mod relay;
#[path = "../kit/said.rs"]
mod said;
#[path = "../proof/signer.rs"]
mod signer;
#[path = "../kit/systemd.rs"]
mod systemd;

mod bounces;
mod claims;
mod cli;
mod crash;
mod desk;
mod explain;
mod forged;
mod held;
mod imports;
mod learn;
mod letters;
mod links;
mod listeners;
mod monitoring;
mod orders;
mod outgoing;
mod page_doors;
mod page_wire;
mod pages;
mod peers;
mod people;
mod platforms;
mod proofs;
mod relays;
mod senders;
mod serve;
mod simulate;
mod status;
mod templates;
mod terminal;
mod views;
mod zones;
