//! `invited ingest`: a mail on standard input, as the pipe transport of a mail server hands it over. It ends with a code of sysexits.h,
//! since that is what the mail server acts on.

use std::io::{self, IsTerminal as _, Read as _};
use std::sync::Arc;

use clap::{ArgGroup, Args};

use super::{ConfigArg, Desk, Failure, Output};
use crate::document::Problem;
use crate::domain::{Handed, LetterId, ShopId, Way};
use crate::door::piped;
use crate::ops::accept::{self, NewCopy, Recipient};
use crate::store::Store as _;

/// The command line is wrong: `EX_USAGE`.
pub(super) const USAGE: u8 = 64;
/// The mail will never be taken: `EX_DATAERR`.
const DATA: u8 = 65;
/// Nobody here has the address: `EX_NOUSER`.
const NO_USER: u8 = 67;
/// The mail server must keep the mail and come back: `EX_TEMPFAIL`.
const TRY_AGAIN: u8 = 75;

/// Takes in a mail on standard input, for the pipe transport of a mail server.
///
/// It ends with 0 when the mail is durable in the queue, where a running daemon finds it within seconds. Otherwise the mail server
/// is told by the code what to do: 64 (the command line is wrong), 65 (too big, looping, or no mail) and 67 (nobody here has the
/// address) are for good; with 75 it keeps the mail and tries again. A configuration or a database that cannot be used is 75 too,
/// since a mail server would bounce the mail for 78.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").required(true).args(["shop", "to"])))]
#[command(after_help = "\
Examples:
  In master.cf of Postfix, for a transport that hands in mails for all shops:
    invited ingest --to ${recipient} --from ${sender}
  A mail of one shop, whatever address it was sent to:
    invited ingest --shop nordljus < mail.eml")]
pub(super) struct Ingest {
    #[command(flatten)]
    config: ConfigArg,
    /// The shop whose mail it is; for a transport that nobody but the shop can reach
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// The address that it was sent to, as in RCPT TO; of several the mail is taken for all or for none
    #[arg(long, value_name = "ADDRESS", num_args = 1..)]
    to: Vec<String>,
    /// The sender of its envelope, as in MAIL FROM; MAILER-DAEMON and an empty one are nobody
    #[arg(long, value_name = "ADDRESS", default_value = "", allow_hyphen_values = true, hide_default_value = true)]
    from: String,
}

impl Ingest {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.take_in().await.map_err(|failure| match failure {
            Failure::Config(problems) => {
                let problems = problems.iter().map(Problem::to_string).collect::<Vec<_>>();
                told(TRY_AGAIN, problems.join("\n"))
            }
            Failure::Undone(why) => told(TRY_AGAIN, why),
            Failure::Outdated(error) => told(TRY_AGAIN, error.to_string()),
            Failure::Usage(why) => told(USAGE, why),
            other => other,
        })
    }

    async fn take_in(&self) -> Result<(), Failure> {
        if io::stdin().is_terminal() {
            return Err(told(USAGE, "there is no mail on standard input"));
        }
        let desk = Desk::open(&self.config).await?;
        let addressees = self.addressees(&desk)?;
        let (limits, hostname, now) = (&desk.config.door.limits, &desk.config.door.hostname, desk.clock.now());
        let mut mail = Vec::new();
        // A mail that is too big is not read to its end; one byte more than may be is enough to know it.
        io::stdin().lock().take(limits.message as u64 + 1).read_to_end(&mut mail)?;
        let message: Arc<[u8]> = piped(&mail, hostname, now, limits).map_err(|why| told(DATA, why))?.into();
        drop(mail);
        let from = if self.from.eq_ignore_ascii_case("MAILER-DAEMON") { "" } else { &self.from };
        let copies = addressees.into_iter().map(|(shop, answers, rcpt_to)| NewCopy {
            shop,
            mail_from: from.to_owned(),
            rcpt_to,
            handed: Handed { way: Way::Pipe, ..Handed::default() },
            answers,
            message: Arc::clone(&message),
            received_at: now,
        });
        desk.store.ready().await?;
        let later = |why: accept::NotNow| told(TRY_AGAIN, format!("{why}; hand the mail in again later"));
        let ids = accept::keep(&desk.store, copies.collect()).await.map_err(later)?;
        desk.store.close().await;
        let mut out = Output::new();
        // The mail is kept: nobody who does not listen may make it come again.
        for id in ids {
            let _ = out.line(format!("kept as copy {id}"));
        }
        Ok(())
    }

    /// Whose mail it is: each once, with the address that named it first.
    fn addressees(&self, desk: &Desk) -> Result<Vec<(ShopId, Option<LetterId>, String)>, Failure> {
        if let Some(shop) = &self.shop {
            let shop = desk.shop(shop).map_err(|_| told(NO_USER, "there is no such shop in the configuration"))?;
            return Ok(vec![(shop, None, String::new())]);
        }
        let mut addressees = Vec::<(ShopId, Option<LetterId>, String)>::new();
        let return_key = desk.return_key()?;
        for address in &self.to {
            let (shop, letter) = match accept::recipient(&desk.config, &return_key, address) {
                Recipient::Shop(shop) => (shop, None),
                Recipient::Letter(shop, letter) => (shop, Some(letter)),
                Recipient::Unknown => return Err(told(NO_USER, "nobody here has this address")),
            };
            if !addressees.iter().any(|(known, of, _)| *known == shop && *of == letter) {
                addressees.push((shop, letter, address.clone()));
            }
        }
        Ok(addressees)
    }
}

fn told(code: u8, why: impl Into<String>) -> Failure {
    Failure::Told { code, why: why.into() }
}
