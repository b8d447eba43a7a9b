//! The mails that we send: an invitation and its reminders, in the customer's language and the shop's look.
//!
//! [`Letters`] holds the templates of all locales, those that ship with the program and those with which an operator replaces
//! them. [`Letters::compose`] makes one finished message of one [`LetterData`]; the same data give the same bytes, so a letter
//! that is sent again after a crash is the same letter. `docs/letters.md` describes the files for those who write them.

mod afs;
mod compose;
mod data;
mod edition;
mod facts;
mod library;
mod lint;
mod message;
mod shipped;
#[cfg(test)]
mod tests;
mod trial;
mod words;

pub use data::{ComposeError, Composed, LetterData, Links, Sender, UnsubscribeMail};
pub use library::{LetterFile, Letters};
pub use lint::lint;
