//! `invited check`: everything that `serve` would need, looked at one by one, without starting anything.

use std::path::Path;

use clap::Args;

use super::{ConfigArg, Failure, JsonArg, Output, live};
use crate::app::{build_setup, database_password, exposed, load_config, rebuild_setup, signing_key};
use crate::clock::Clock;
use crate::config::{Config, ListenOn, Pages};
use crate::domain::Timestamp;
use crate::door::{certificate_ends, ends_soon, load_tls};
use crate::ops::Setup;
use crate::read::{Templates, lint};
use crate::send::dkim::{Published, look_up};
use crate::store::{self, Role, Store};

/// Checks the configuration and everything it names, without starting anything.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Before a start, and after every change to the configuration:
    invited check --config /etc/invited/invited.toml
  Without a word to the relays:
    invited check --offline
  Before a running daemon is told to reload:
    invited check --reload
  The whole way in, through the daemon that runs:
    invited check --live")]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Leave the relays alone: check what can be checked without the network
    #[arg(long)]
    offline: bool,
    /// Look at it as a running daemon will that reloads it: a template with a mistake is told, but goes on there as it was
    #[arg(long)]
    reload: bool,
    /// Send the daemon that runs a mail, and see that it is taken in and read; nothing comes of it
    #[arg(long, conflicts_with_all = ["offline", "reload"])]
    live: bool,
}

/// One thing that was looked at.
pub(super) struct Finding {
    what: String,
    fault: Option<String>,
    /// Whether it is worth a look though it is no fault.
    doubt: bool,
    note: String,
}

impl Finding {
    pub(super) fn fine(what: impl Into<String>, note: impl Into<String>) -> Self {
        Self { what: what.into(), fault: None, doubt: false, note: note.into() }
    }

    pub(super) fn faulty(what: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { what: what.into(), fault: Some(fault.into()), doubt: false, note: String::new() }
    }
}

impl Check {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = load_config(&self.config.config).map_err(Failure::Config)?;
        let (setup, passed_over) = match self.reload {
            true => rebuild_setup(config.clone(), &Templates::embedded()).map_err(Failure::Config)?,
            false => (build_setup(config.clone()).map_err(Failure::Config)?, Vec::new()),
        };
        let mut findings = vec![Finding::fine("configuration", self.config.config.display().to_string())];
        findings.push(templates(setup.reader.templates()));
        findings.extend(
            passed_over.iter().map(|problem| Finding { doubt: true, ..Finding::fine("template", problem.to_string()) }),
        );
        findings.push(Finding::fine("letters", setup.letters.locales().collect::<Vec<_>>().join(", ")));
        findings.extend(
            exposed(&config).map(|doubt| Finding { doubt: true, ..Finding::fine("metrics", doubt.to_string()) }),
        );
        findings.extend(config.pages.as_ref().map(pages));
        findings.extend(config.door.listeners.iter().filter_map(|listener| folder_of(&listener.on)));
        findings.push(certificate(&config));
        findings.extend(config.trust_doubts().into_iter().map(|(shop, doubt)| Finding {
            doubt: true,
            ..Finding::fine("trust", format!("shop {}: {doubt}", shop.id))
        }));
        findings.push(database(&config, !self.reload).await?);
        if !self.offline {
            findings.extend(relays(&setup).await);
            findings.extend(dkim(&config).await);
        }
        if self.live {
            findings.extend(live::probe_all(&setup).await?);
        }
        let mut out = Output::new();
        for finding in &findings {
            if self.json.json {
                out.json(&serde_json::json!({
                    "what": finding.what,
                    "ok": finding.fault.is_none(),
                    "note": finding.fault.as_ref().unwrap_or(&finding.note),
                }))?;
            } else {
                let (mark, text) = match &finding.fault {
                    Some(fault) => ("FAULT", fault),
                    None if finding.doubt => ("warn", &finding.note),
                    None => ("ok", &finding.note),
                };
                out.line(format!("{mark:<6} {:<14} {text}", finding.what))?;
            }
        }
        match findings.iter().filter(|finding| finding.fault.is_some()).count() {
            0 => Ok(()),
            faults => Err(Failure::Undone(format!("{} found", super::output::count(faults, "fault")))),
        }
    }
}

fn templates(templates: &Templates) -> Finding {
    let names = templates.names().collect::<Vec<_>>().join(", ");
    let doubts = templates.files().iter().flat_map(lint).count();
    let note = match doubts {
        0 => names,
        _ => format!("{names} ({}, see: invited template check)", super::output::count(doubts, "warning")),
    };
    Finding { doubt: doubts > 0, ..Finding::fine("templates", note) }
}

/// Where customers' pages are. TLS in front of an address that others reach too is easily gone round.
fn pages(pages: &Pages) -> Finding {
    let tls = if pages.tls { "TLS" } else { "plain HTTP for a proxy" };
    let note = format!("{} served on {}, {tls}", pages.url, pages.listen);
    match pages.listen.ip().to_canonical().is_loopback() || pages.tls {
        true => Finding::fine("pages", note),
        false => Finding {
            doubt: true,
            ..Finding::fine("pages", format!("{note}: let a firewall say that only the proxy may connect"))
        },
    }
}

/// A unix socket without a folder to be in. It is no fault, since systemd may make the folder at the start.
fn folder_of(on: &ListenOn) -> Option<Finding> {
    let ListenOn::Unix(socket) = on else { return None };
    let folder = socket.parent().filter(|folder| !folder.is_dir())?.display();
    let note = format!("{on}: there is no folder {folder}; make it (invited.tmpfiles makes /run/invited)");
    Some(Finding { doubt: true, ..Finding::fine("listener", note) })
}

fn certificate(config: &Config) -> Finding {
    match &config.door.tls {
        None => Finding::fine("certificate", "none: there is no TLS"),
        Some(files) => match load_tls(files) {
            Ok(certificate) => ending(&files.certificate, certificate_ends(&certificate), Clock::System.now()),
            Err(error) => Finding::faulty("certificate", error.to_string()),
        },
    }
}

/// One that ends is no fault: nobody must be kept from reloading for it.
fn ending(file: &Path, ends: Timestamp, now: Timestamp) -> Finding {
    let remedy = match ends_soon(ends, now) {
        _ if ends <= now => ", which is over: renew it",
        true => ", which is soon: renew it",
        false => "",
    };
    Finding {
        doubt: !remedy.is_empty(),
        ..Finding::fine("certificate", format!("{}, until {ends}{remedy}", file.display()))
    }
}

/// Looks at the database; at every page of a file, unless it is only asked whether a reload would go.
async fn database(config: &Config, whole: bool) -> Result<Finding, Failure> {
    let password = database_password(&config.database).map_err(Failure::Config)?;
    let opened = match store::open(&config.database, password.as_deref(), Role::Desk).await {
        Ok(store) if whole => match store.check().await {
            Ok(()) => store.counts().await,
            damaged => damaged.map(|()| Default::default()),
        },
        Ok(store) => store.counts().await,
        Err(error) => Err(error),
    };
    Ok(match opened {
        Ok(counts) => {
            let all = counts.invitations.values().sum::<u64>();
            let note = format!("{}: {all} invitations, {} held copies", config.database, counts.held_copies);
            Finding::fine("database", note)
        }
        Err(error) => Finding::faulty("database", error.to_string()),
    })
}

async fn relays(setup: &Setup) -> Vec<Finding> {
    let mut findings = Vec::new();
    for settings in &setup.config.relays {
        let Some(line) = setup.relays.get(&settings.name) else { continue };
        let what = format!("relay {}", settings.name);
        let place = format!("{}:{}", settings.host, settings.port);
        findings.push(match line.relay.probe().await {
            Ok(greeting) => {
                let how = greeting.tls.unwrap_or_else(|| "in the clear".to_owned());
                let login = if greeting.logged_in { ", logged in" } else { "" };
                Finding::fine(what, format!("{place} answers as {}, {how}{login}", greeting.name))
            }
            Err(trouble) => Finding::faulty(what, format!("{place}: {trouble}")),
        });
    }
    findings
}

/// Whether the DNS publishes the keys that letters are signed with. That it cannot be asked is no fault of the configuration.
async fn dkim(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for dkim in &config.dkim {
        let (what, name) = (format!("dkim {}", dkim.selector), dkim.record_name());
        let published = match signing_key(dkim) {
            Ok(key) => look_up(&name, &key).await,
            Err(problem) => Published::Unknown(problem.to_string()),
        };
        let doubt = |note: String| Finding { doubt: true, ..Finding::fine(what.clone(), note) };
        findings.push(match published {
            Published::Same => Finding::fine(what.clone(), format!("{name} publishes it")),
            Published::Testing => doubt(format!("{name} publishes it for trial only (t=y): receivers pass over it")),
            Published::Missing => doubt(format!("{name} is not in the DNS yet; to publish: invited dkim record")),
            Published::Unknown(why) => doubt(format!("{name} cannot be looked up: {why}")),
            Published::Revoked => {
                Finding::faulty(what.clone(), format!("{name} revokes the key; take it out of the configuration"))
            }
            Published::Other => {
                let remedy = "no receiver can check the letters; to publish: invited dkim record";
                Finding::faulty(what.clone(), format!("{name} publishes another key: {remedy}"))
            }
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unix_socket_without_a_folder_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let on = |path: &str| folder_of(&ListenOn::Unix(folder.path().join(path)));
        assert!(on("lmtp.sock").is_none());
        let finding = on("run/lmtp.sock").unwrap();
        assert!(finding.doubt && finding.fault.is_none() && finding.note.contains("there is no folder"));
        assert!(folder_of(&ListenOn::Tcp(([127, 0, 0, 1], 25).into())).is_none());
    }

    #[test]
    fn a_certificate_is_spoken_of_two_weeks_before_it_ends() {
        let day = 86_400;
        let ends = Timestamp::from_seconds(1_795_251_600);
        for (before, doubt, words) in
            [(15 * day, false, "Z"), (14 * day, true, "which is soon"), (0, true, "is over"), (-day, true, "is over")]
        {
            let finding = ending(Path::new("chain.pem"), ends, Timestamp::from_seconds(1_795_251_600 - before));
            assert_eq!((finding.doubt, finding.fault.is_none()), (doubt, true));
            assert!(finding.note.starts_with("chain.pem, until 2026-11-21T09:00:00Z"), "{}", finding.note);
            assert!(finding.note.contains(words), "{}", finding.note);
        }
    }
}
