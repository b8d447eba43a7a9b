//! The pages as a customer has them: a real Chromium opens what the letters of a real daemon link to, at the width of a telephone and of
//! a desk, light and dark, with scripts and without, and axe-core looks at each page as a screen reader would. What is missing is said on
//! standard error, and is a failure when `INVITED_REQUIRE_PEERS` is set.
//!
//! Every page that is looked at is left as a picture in `INVITED_SCREENSHOTS`, by default `target/screenshots`.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

mod crawler;
mod driver;
mod harness;
mod hostile;
mod languages;
mod looks;
mod notices;
mod own_links;
mod program_output;
mod shop;
mod story;
mod wire;

#[path = "../it/kit.rs"]
mod kit;
#[path = "../it/program.rs"]
mod program;
#[path = "../kit/relay.rs"]
mod relay;
#[path = "../kit/said.rs"]
mod said;
