//! The door: the SMTP server that takes the shops' copies in. [`Session`] is the protocol without I/O; [`serve`] is the shell that
//! gives it sockets, TLS, time and the intake.

mod auth;
mod client;
mod command;
mod connection;
mod data;
mod listener;
mod meter;
mod offers;
mod pipe;
mod proxy;
mod renewal;
mod reply;
mod session;
mod sockets;
mod tls;
mod trace;

pub use crate::config::Role;
pub use client::Client;
pub use connection::attend;
pub use listener::{Door, Now, serve};
pub use pipe::piped;
pub use renewal::{ends_soon, keep_certificate, tell_of_end};
pub use session::{Addressee, Effect, Fed, Goodbye, Incoming, LoginAnswer, Profile, Session};
pub use sockets::{InForce, ListenError, Listening, open};
pub use tls::{Certificate, TlsError, certificate_ends, load_tls};

#[cfg(test)]
mod tests;
