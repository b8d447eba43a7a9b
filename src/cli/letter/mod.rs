//! `invited letter`: the mails to customers, looked at before anybody gets one.

mod lint;
mod preview;
mod send_test;

use clap::{Subcommand, ValueEnum};

use super::Failure;
use crate::config::{Config, Shop};
use crate::domain::LetterKind;

/// Works with the letters to customers.
#[derive(Debug, Subcommand)]
pub(super) enum Letter {
    /// Looks for mistakes in letters, also such as an image without a text
    Lint(lint::Lint),
    /// Writes a letter as HTML, as text and as a mail, with made-up data or those of an invitation
    Preview(preview::Preview),
    /// Sends a letter with made-up data through the shop's relay; nothing is recorded
    SendTest(send_test::SendTest),
}

impl Letter {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Lint(lint) => lint.run(),
            Self::Preview(preview) => preview.run().await,
            Self::SendTest(test) => test.run().await,
        }
    }
}

/// Which letter.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// The first letter.
    Invitation,
    /// The reminder.
    Reminder,
}

impl From<Kind> for LetterKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Invitation => Self::Invitation,
            Kind::Reminder => Self::Reminder,
        }
    }
}

/// The shop that is meant: the only one, or the named one.
fn shop_of<'c>(config: &'c Config, named: Option<&str>) -> Result<&'c Shop, Failure> {
    let mut meant = config.shops.iter().filter(|shop| named.is_none_or(|id| shop.id.as_str() == id));
    match (meant.next(), meant.next()) {
        (Some(shop), None) => Ok(shop),
        (found, _) => {
            let known = config.shops.iter().map(|shop| shop.id.as_str()).collect::<Vec<_>>().join(", ");
            Err(match found {
                Some(_) => Failure::Usage(format!("say which shop with --shop: {known}")),
                None => Failure::Undone(format!(
                    "there is no shop {:?} in the configuration; there are: {known}",
                    named.unwrap_or_default()
                )),
            })
        }
    }
}

/// A language tag as letters know it.
fn locale_of(text: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(text) = text else { return Ok(None) };
    match crate::table::locale(text) {
        Some(locale) => Ok(Some(locale)),
        None => Err(Failure::Usage(format!("--locale {text:?} is no language; write one like sv or de-AT"))),
    }
}
