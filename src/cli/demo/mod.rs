//! `invited demo`: the whole loop on one machine, with nothing set up. The daemon is the real one, the mails go in over SMTP, and
//! the letters come out at a relay that files them in a Maildir.

mod catcher;
mod shop;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::output::count;
use super::{Failure, Output};
use crate::app::{Daemon, Tracing};
use crate::clock::Clock;
use crate::config::{Config, LogFormat, Relay as RelaySettings};
use crate::domain::{CopyId, EmailAddress, Invitation, InvitationId, State};
use crate::ops::read::rule_of;
use crate::send::{Outcome, Relay};
use crate::store::{Store, StoredCopy, Subject};
use catcher::Catcher;

/// How long each step may take before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Shows the whole loop on this machine: order mails in, letters out; needs no set-up.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Shows the loop and ends, with 0 when every letter came out:
    invited demo --once
  What would become of your shop's own mails:
    invited demo --once --mail order.eml shipment.eml
  Stays up, so that mails can be sent to it by hand:
    invited demo --dir /tmp/invited-demo --listen 127.0.0.1:2525")]
pub(super) struct Demo {
    /// End after the loop is complete: exit code 0 when every letter came out
    #[arg(long)]
    once: bool,
    /// Work in this folder and leave everything there; a temporary one otherwise
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Hand in these mails instead of the samples (may be repeated)
    #[arg(long, value_name = "FILE.eml", num_args = 1..)]
    mail: Vec<PathBuf>,
    /// Where to listen for copies; a free port of the loopback otherwise
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: String,
    /// What to log, such as `info`; warnings otherwise
    #[arg(long, value_name = "FILTER", env = "INVITED_LOG", default_value = "warn")]
    log: String,
}

/// A mail to hand in.
struct Mail {
    name: String,
    bytes: Vec<u8>,
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Failure> {
        Tracing::install(LogFormat::Text, Some(&self.log));
        let mails = self.mails()?;
        let folder = match &self.dir {
            Some(dir) => dir.clone(),
            None => std::env::temp_dir().join(format!("invited-demo-{}", super::init::new_secret())),
        };
        let mut out = Output::new();
        let catcher = Catcher::start(&folder.join("Maildir"))?;
        let config = shop::set_up(&folder, &self.listen, catcher.address()).await?;
        let bcc = config.shops.first().map(|shop| config.bcc_address(shop)).unwrap_or_default();
        let daemon = Daemon::start(config.clone(), Clock::System).await?;
        let door = *daemon.addresses().first().ok_or_else(|| Failure::Undone("nothing listens".to_owned()))?;
        out.line(format!("invited demo in {}", folder.display()))?;
        out.line(format!("  the daemon listens on {door}; the shop's BCC address is {bcc}"))?;
        if let Some(pages) = daemon.pages_address() {
            out.line(format!("  the letters' links lead to its pages on http://{pages}"))?;
        }
        out.line(format!("  the relay on {} files letters in {}", catcher.address(), catcher.folder().display()))?;
        out.line("")?;

        let result = self.show(&daemon, &catcher, &mails, &config, &bcc, &mut out).await;
        if self.once {
            daemon.stop().await;
            if self.dir.is_none() && result.is_ok() {
                out.line(format!(
                    "Everything of this demo is in {}; remove it when you have looked.",
                    folder.display()
                ))?;
            }
            return result;
        }
        if let Err(failure) = result {
            daemon.stop().await;
            return Err(failure);
        }
        stay(daemon, &folder, door, &bcc, &mut out).await
    }

    fn mails(&self) -> Result<Vec<Mail>, Failure> {
        if self.mail.is_empty() {
            return Ok(shop::samples()
                .map(|(name, bytes)| Mail { name: name.to_owned(), bytes: bytes.to_vec() })
                .collect());
        }
        self.mail
            .iter()
            .map(|path| {
                let name =
                    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into());
                let bytes = std::fs::read(path)
                    .map_err(|error| Failure::Undone(format!("{} cannot be read: {error}", path.display())))?;
                Ok(Mail { name, bytes })
            })
            .collect()
    }

    /// Hands the mails in one by one and follows each to its letter.
    async fn show(
        &self,
        daemon: &Daemon,
        catcher: &Catcher,
        mails: &[Mail],
        config: &Config,
        bcc: &str,
        out: &mut Output,
    ) -> Result<(), Failure> {
        let store = &*daemon.house().store;
        let door = door_relay(daemon)?;
        let to = EmailAddress::parse(bcc).map_err(|error| Failure::Undone(error.to_string()))?;
        let from = &config.shops[0].from;
        let (mut events, mut letters, mut faults) = (0, 0, Vec::new());
        for (number, mail) in mails.iter().enumerate() {
            out.line(format!("[{}/{}] {}", number + 1, mails.len(), mail.name))?;
            let copy = hand_in(&door, from, &to, mail, out).await?;
            let copy = wait(|| async {
                Ok(store.copy(copy).await?.map(|(copy, _)| copy).filter(|one| one.reading.is_some()))
            })
            .await?
            .ok_or_else(|| Failure::Undone(format!("{} was not read within {PATIENCE:?}", mail.name)))?;
            let Some(id) = tell_reading(&copy, out)? else {
                if self.mail.is_empty() {
                    faults.push(format!("the sample {} was not read as an order", mail.name));
                }
                continue;
            };
            events += 1;
            match follow(store, id, out).await? {
                Followed::Out(invitation) => {
                    letters += 1;
                    tell_letter(store, catcher, &invitation, out).await?;
                }
                Followed::Stopped(text) => out.line(format!("      {text}"))?,
                Followed::Stuck(text) => faults.push(format!("{}: {text}", mail.name)),
            }
        }
        out.line("")?;
        out.line(format!(
            "{} in, {} about orders, {} out.",
            count(mails.len(), "mail"),
            events,
            count(letters, "letter")
        ))?;
        if letters == 0 {
            faults.push(
                "no letter went out: none of the mails tells of an order that is still to be reviewed".to_owned(),
            );
        }
        if faults.is_empty() { Ok(()) } else { Err(Failure::Undone(faults.join("; "))) }
    }
}

/// The daemon's own door, used as a shop's MTA would use it.
fn door_relay(daemon: &Daemon) -> Result<Relay, Failure> {
    let address = daemon.addresses().first().ok_or_else(|| Failure::Undone("nothing listens".to_owned()))?;
    let settings = RelaySettings {
        connections: 1,
        letters_per_connection: 1000,
        ..RelaySettings::plain("door", &address.ip().to_string(), address.port(), "demo.invalid")
    };
    Relay::new(&settings, None).map_err(|error| Failure::Undone(error.to_string()))
}

async fn hand_in(
    door: &Relay,
    from: &EmailAddress,
    to: &EmailAddress,
    mail: &Mail,
    out: &mut Output,
) -> Result<CopyId, Failure> {
    let bytes = crlf(&mail.bytes);
    let slot = door.reserve().await.ok_or_else(|| Failure::Undone("the way to the door is closed".to_owned()))?;
    match slot.send(Some(from), to, &bytes, || async { Ok::<(), std::convert::Infallible>(()) }).await {
        Outcome::Accepted { reply } => {
            out.line(format!("      in      {} bytes over SMTP: {reply}", bytes.len()))?;
            let id = reply.text.rsplit(' ').next().and_then(|id| id.parse().ok());
            id.ok_or_else(|| Failure::Undone(format!("the door's answer names no copy: {reply}")))
        }
        Outcome::Refused { reply, .. } | Outcome::TryLater { reply, .. } => {
            Err(Failure::Undone(format!("the door did not take {}: {reply}", mail.name)))
        }
        other => Err(Failure::Undone(format!("the door did not take {}: {other:?}", mail.name))),
    }
}

/// Files on disk often have bare line feeds; on the wire there are none (RFC 5321 2.3.8).
fn crlf(bytes: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        wire.extend(text.iter().filter(|byte| **byte != b'\r'));
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

fn tell_reading(copy: &StoredCopy, out: &mut Output) -> io::Result<Option<InvitationId>> {
    let Some(reading) = &copy.reading else { return Ok(None) };
    let (Some(id), Some(event)) = (copy.invitation, reading.event) else {
        let reason = reading.reason.as_deref().unwrap_or("no reason was given");
        out.line(format!("      read    {}: {reason}", reading.outcome.as_str()))?;
        return Ok(None);
    };
    let template = reading.template.as_deref().unwrap_or("no template");
    out.line(format!("      read    order {event}, by {template}"))?;
    for finding in
        [crate::domain::Field::CustomerName, crate::domain::Field::CustomerEmail, crate::domain::Field::Reference]
    {
        if let (Some(rule), Some(found)) =
            (rule_of(reading, finding), reading.findings.iter().find(|one| one.field == finding))
        {
            out.line(format!("              {:<14} {}  ({rule})", found.field.as_str(), found.value))?;
        }
    }
    out.line(format!("      queued  invitation {id}"))?;
    Ok(Some(id))
}

/// Where an invitation came to rest.
enum Followed {
    /// A letter went out.
    Out(Box<Invitation>),
    /// No letter is to go out.
    Stopped(String),
    /// A letter should have gone out and did not.
    Stuck(String),
}

async fn follow(store: &dyn Store, id: InvitationId, out: &mut Output) -> Result<Followed, Failure> {
    let settled = wait(|| async {
        let invitation = store.story(&Subject::Invitation(id)).await?.invitations.into_iter().next();
        Ok(invitation.filter(|one| !matches!(one.progress.state, State::Queued | State::Sending)))
    })
    .await?;
    Ok(match settled {
        None => Followed::Stuck(format!("the letter of invitation {id} did not go out within {PATIENCE:?}")),
        Some(invitation) if invitation.progress.letters_sent > 0 => {
            let next = match invitation.progress.due_at {
                Some(due) => format!("; the reminder is due {due}"),
                None => String::new(),
            };
            out.line(format!(
                "      sent    to {}, state {}{next}",
                invitation.customer.email, invitation.progress.state
            ))?;
            Followed::Out(Box::new(invitation))
        }
        Some(invitation) => match invitation.progress.state {
            State::Cancelled | State::Waiting | State::Done => {
                Followed::Stopped(format!("stopped {}: no letter goes out", invitation.progress.state))
            }
            state => Followed::Stuck(format!("invitation {id} is {state}; see: invited explain")),
        },
    })
}

async fn tell_letter(
    store: &dyn Store,
    catcher: &Catcher,
    invitation: &Invitation,
    out: &mut Output,
) -> Result<(), Failure> {
    let story = store.story(&Subject::Invitation(invitation.id)).await?;
    let message_id = story.letters.last().and_then(|letter| letter.message_id.clone()).unwrap_or_default();
    match catcher.find(&message_id)? {
        Some(path) => Ok(out.line(format!("      letter  {}", path.display()))?),
        None => Err(Failure::Undone(format!("the relay has no letter with the Message-ID <{message_id}>"))),
    }
}

/// Asks again until there is an answer or patience ends.
async fn wait<T, F, Fut>(ask: F) -> Result<Option<T>, Failure>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<Option<T>, crate::store::StoreError>>,
{
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(Some(answer));
        }
        if tokio::time::Instant::now() > deadline {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The daemon stays up until it is interrupted, so that people can try it by hand.
async fn stay(
    daemon: Daemon,
    folder: &Path,
    door: std::net::SocketAddr,
    bcc: &str,
    out: &mut Output,
) -> Result<(), Failure> {
    let config = folder.join("invited.toml");
    out.line("")?;
    out.line("The daemon stays up. Send it a mail by hand from another terminal:")?;
    out.line(format!("  swaks --server {door} --from shop@demo.example --to '{bcc}' --data @order.eml"))?;
    out.line("and look at what became of it:")?;
    out.line(format!("  invited queue list --config {}", config.display()))?;
    out.line(format!("  invited explain ADDRESS --config {}", config.display()))?;
    out.line("End with Ctrl-C.")?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    daemon.stop().await;
    Ok(())
}
