//! Signing letters with DKIM (RFC 6376, RFC 8463): keys, signatures, and the record that publishes a key.
//!
//! The signature is put in front of the finished letter, whatever relay it goes to, and made anew at every attempt, so that its
//! time is that of the sending. Its crypto is that of `mail-auth`, which is used on the way in too.

mod key;
mod published;
mod sign;

#[cfg(test)]
mod tests;

pub use key::{Algorithm, KeyError, SigningKey};
pub use published::{Published, look_up};
pub use sign::Signers;
