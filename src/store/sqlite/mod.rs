//! SQLite: one file, opened with suspicion. What is done in it is in [`super::sql`].

mod backup;
mod open;
#[cfg(test)]
mod tests;

pub use backup::Contents;
pub(super) use open::{File, empty_log, newest_schema, quick_check};
