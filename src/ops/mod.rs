//! The use cases, one file each. Every way in (SMTP, command line, later HTTP) ends here, so a rule such as "250 only after the
//! commit" exists once.

pub mod accept;
pub mod desk;
pub mod dispatch;
pub mod explain;
pub mod fairness;
pub mod held;
mod house;
pub mod import;
mod letters;
pub mod mailbox;
pub mod metrics;
pub mod past_mail;
pub mod person;
pub mod purge;
pub mod read;
pub mod reconcile;
mod relays;
pub mod simulate;
#[cfg(test)]
mod specimen;
pub mod stats;
pub mod watch;

pub use house::{House, Keys, Setup};
pub use relays::{Readiness, RelayLine};
