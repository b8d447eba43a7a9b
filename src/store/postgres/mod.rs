//! PostgreSQL: a server that several daemons may share. What is done in it is in [`super::sql`].

mod open;
#[cfg(test)]
pub(super) mod tests;

pub(super) use open::{Server, newest_schema};
