//! SQLite: one file, opened with suspicion. What is done in it is in [`super::sql`].

mod backup;
mod open;
mod takeover;
#[cfg(test)]
mod tests;

pub use backup::Contents;
pub(super) use open::{File, empty_log, newest_schema, quick_check};
pub(super) use takeover::PUT_BACK;
pub use takeover::{Knows, TakenOver};
