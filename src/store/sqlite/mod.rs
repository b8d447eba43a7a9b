//! SQLite: one file, opened with suspicion. What is done in it is in [`super::sql`].

mod open;
#[cfg(test)]
mod tests;

pub(super) use open::{File, empty_log, newest_schema, quick_check};
