//! The door: the SMTP server that takes the shops' copies in. [`Session`] is the protocol without I/O; [`serve`] is the shell that
//! gives it sockets, TLS, time and the intake.

mod command;
mod connection;
mod data;
mod listener;
mod meter;
mod reply;
mod session;
mod slots;
mod tls;
mod trace;

pub use connection::attend;
pub use listener::{Door, Now, serve};
pub use meter::Meter;
pub use session::{Addressee, Effect, Fed, Goodbye, Incoming, Profile, Session};
pub use tls::{TlsError, load_tls};

#[cfg(test)]
mod tests;
