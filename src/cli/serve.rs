//! `invited serve`: the daemon, and what systemd and people can tell it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigArg, Failure};
use crate::app::{Broke, Daemon, StartError, Tracing, database_password, load_config};
use crate::clock::Clock;
use crate::config::Database;
use crate::ops::dispatch::LEASE;
use crate::ops::status::Listening;
use crate::store::{self, StoreError};

/// Runs the daemon.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  As systemd starts it:
    invited serve --config /etc/invited/invited.toml
  With more to read in the log, and a database made where there is none:
    invited serve --create --log invited::door=debug")]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigArg,
    /// Create the database when there is none, instead of refusing to start
    #[arg(long)]
    create: bool,
    /// What to log, such as `debug` or `invited::door=debug`
    #[arg(long, value_name = "FILTER", env = "INVITED_LOG")]
    log: Option<String>,
    /// Write the places that are listened on into this file once they are, one a line
    #[arg(long, value_name = "FILE", hide = true)]
    addresses: Option<PathBuf>,
    /// Seconds without a sign of life after which other daemons on the same server take this one's work over
    #[arg(long, value_name = "SECONDS", hide = true, value_parser = clap::value_parser!(u64).range(1..))]
    lease: Option<u64>,
}

impl Serve {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let path = &self.config.config;
        let config = load_config(path).map_err(Failure::Config)?;
        Tracing::install(config.log, self.log.as_deref());
        if self.create {
            let password = database_password(&config.database).map_err(Failure::Config)?;
            let made = store::create_if_missing(&config.database, password.as_deref()).await;
            made.map_err(|error| named(&config.database, error))?;
        }
        let lease = self.lease.map_or(LEASE, Duration::from_secs);
        // Signals are caught before anything starts, so that none that comes early kills a daemon that has begun to answer.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let database = config.database.clone();
        let started = Daemon::start_with_lease(config, Clock::System, lease).await;
        let mut daemon = started.map_err(|error| match error {
            StartError::Store(error) => StartError::Store(named(&database, error)),
            other => other,
        })?;
        if let Some(file) = &self.addresses {
            let lines = daemon.places().iter().map(|place| format!("{place}\n")).collect::<String>();
            std::fs::write(file, lines)?;
        }
        for Listening { address, role, tls } in daemon.listeners() {
            tracing::info!(address, role, tls, "listening for copies");
        }
        tell_systemd(&[NotifyState::Ready]);
        let mut watchdog = watchdog();
        let mut telling = telling();
        let mut broken = None;
        while broken.is_none() {
            tokio::select! {
                why = daemon.broke() => broken = Some(why),
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => self.reload(&daemon),
                _ = telling.tick() => tell_systemd(&[NotifyState::Status(&daemon.in_a_line().await)]),
                () = watchdog.tick() => {
                    if daemon.is_well().await {
                        tell_systemd(&[NotifyState::Watchdog]);
                    }
                }
            }
        }
        if let Some(Broke::Store(error)) = &broken {
            tracing::error!(%error, "this program is too old for the database by now; install the newer one");
        }
        tracing::info!("stopping: sessions and letters under way may end");
        tell_systemd(&[NotifyState::Stopping]);
        daemon.stop().await;
        tracing::info!("stopped");
        match broken {
            Some(Broke::Part(part)) => {
                Err(Failure::Undone(format!("{part} ended by itself; start the daemon again and report this")))
            }
            Some(Broke::Store(error)) => Err(Failure::Outdated(error)),
            None => Ok(()),
        }
    }

    /// All or nothing: a configuration with a problem leaves the old one in place and says why. A template with a mistake goes on as
    /// it was by itself.
    fn reload(&self, daemon: &Daemon) {
        // The instant is what systemd 253 and later tell this reload from an earlier one by.
        let at = NotifyState::monotonic_usec_now().ok();
        tell_systemd(&std::iter::once(NotifyState::Reloading).chain(at).collect::<Vec<_>>());
        match load_config(&self.config.config).and_then(|config| daemon.reload(config)) {
            Ok(done) => {
                for problem in &done.passed_over {
                    tracing::error!("{problem}");
                }
                if !done.passed_over.is_empty() {
                    tracing::error!("the templates with these mistakes go on as they were, the others were reloaded");
                }
                match done.restart.join(", ") {
                    none if none.is_empty() => tracing::info!("the configuration was reloaded"),
                    keys => tracing::warn!(keys, "the configuration was reloaded, but these need a restart"),
                }
            }
            Err(problems) => {
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                tracing::error!("the configuration was not reloaded; the old one goes on");
            }
        }
        tell_systemd(&[NotifyState::Ready]);
    }
}

/// What an engine says of a call that failed names no file: one that could be opened for reading only is told of at the first write.
fn named(database: &Database, error: StoreError) -> StoreError {
    match (error, database) {
        (StoreError::Failed(why), Database::Sqlite(path)) if !why.contains(&*path.to_string_lossy()) => {
            StoreError::Failed(format!("{}: {why}", path.display()))
        }
        (error, _) => error,
    }
}

/// Without systemd there is nobody to tell.
fn tell_systemd(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd was not told");
    }
}

/// How often systemd is told how things stand, for `systemctl status`.
const TELL_EVERY: Duration = Duration::from_secs(10);

fn telling() -> tokio::time::Interval {
    let mut interval = tokio::time::interval(TELL_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

/// Ticks at half the time that systemd gives the daemon to show that it lives, or never.
struct Watchdog(Option<tokio::time::Interval>);

fn watchdog() -> Watchdog {
    Watchdog(sd_notify::watchdog_enabled().map(|span: Duration| {
        let mut interval = tokio::time::interval(span / 2);
        // One word is enough after a time in which nothing could be said; a burst fills systemd's socket, and signals wait then.
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        interval
    }))
}

impl Watchdog {
    async fn tick(&mut self) {
        match &mut self.0 {
            Some(interval) => {
                interval.tick().await;
            }
            None => std::future::pending().await,
        }
    }
}
