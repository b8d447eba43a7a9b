//! Mail as people keep it: mbox files and Maildir folders, one message after another, whatever their size together.

mod maildir;
mod mbox;

pub use maildir::Maildir;
pub use mbox::Mbox;

/// What was found at one place.
#[derive(Clone, PartialEq, Eq)]
pub enum Found {
    /// A message.
    Mail {
        /// Where, for people: `byte 1234`, or a file's name.
        place: String,
        /// The message as it was sent, quotes of the mailbox's own taken off.
        message: Vec<u8>,
    },
    /// Something that is no message, or none that can be taken.
    Bad {
        /// Where.
        place: String,
        /// Why.
        why: String,
    },
}

/// Without the message: a debug print must not put a person into a log.
impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mail { place, message } => write!(f, "Mail({place}, {} bytes)", message.len()),
            Self::Bad { place, why } => write!(f, "Bad({place}, {why})"),
        }
    }
}

fn too_large(limit: usize) -> String {
    format!("it is larger than a message may be ({limit} bytes; message in [smtp.limits])")
}
