//! The use cases, one file each. Every way in (SMTP, command line, pages) ends here, so a rule such as "250 only after the
//! commit" exists once.

pub mod accept;
mod answers;
pub mod desk;
pub mod dispatch;
pub mod elsewhere;
pub mod explain;
pub mod fairness;
pub mod held;
mod house;
pub mod import;
pub mod letters;
pub mod links;
mod logins;
pub mod mailbox;
mod meter;
pub mod metrics;
pub mod my_data;
pub mod past_mail;
pub mod person;
pub mod practice;
pub mod probe;
pub mod purge;
pub mod put_off;
pub mod read;
pub mod reconcile;
mod relays;
pub mod review;
pub mod simulate;
#[cfg(test)]
mod specimen;
pub mod stats;
pub mod status;
pub mod trust;
pub mod unsubscribe;
pub mod visit;
pub mod vitals;
pub mod watch;

pub use house::{House, Keys, Setup};
pub use logins::{Logins, hash_password};
pub use meter::Meter;
pub use relays::{Readiness, RelayLine, RelayState};
