//! `invited letter send-test`: a letter with made-up data in somebody's own box.

use clap::Args;
use serde_json::json;

use super::{Kind, locale_of, shop_of};
use crate::app::{build_setup, load_config};
use crate::cli::{ConfigArg, Failure, JsonArg, Output};
use crate::clock::Clock;
use crate::domain::EmailAddress;
use crate::ops::letters::send_test;

/// Which letter, and to whom.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  How the first letter looks in one's own mail program:
    invited letter send-test --shop nordljus --to you@nordljus.example
  The reminder in another language:
    invited letter send-test --shop nordljus --to you@nordljus.example --locale fi --kind reminder")]
pub(in crate::cli) struct SendTest {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The shop whose letter it is; needed where there are several
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Who gets it; its subject begins with `Test:`
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// The language (`sv`, `de-AT`); the shop's otherwise
    #[arg(long)]
    locale: Option<String>,
    /// First letter or reminder
    #[arg(long, value_enum, default_value_t = Kind::Invitation)]
    kind: Kind,
}

impl SendTest {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let to = EmailAddress::parse(&self.to)
            .map_err(|error| Failure::Usage(format!("--to {:?} is no address: {error}", self.to)))?;
        let locale = locale_of(self.locale.as_deref())?;
        let config = load_config(&self.config.config).map_err(Failure::Config)?;
        let shop = shop_of(&config, self.shop.as_deref())?.clone();
        let setup = build_setup(config).map_err(Failure::Config)?;
        let sent = send_test(&setup, &shop, to, locale.as_deref(), self.kind.into(), Clock::System.now()).await;
        let (relay, reply) = sent.map_err(Failure::Undone)?;
        let mut out = Output::new();
        match self.json.json {
            true => out.json(&json!({ "relay": relay, "reply": reply }))?,
            false => out.line(format!("Taken by {relay}: {reply}"))?,
        }
        Ok(())
    }
}
