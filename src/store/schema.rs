//! Schemas and the programs that may work with them. A program's schema is the number of the newest migration that it knows.
//!
//! Migrations come in pairs so that daemons can be replaced one by one: the first *expands* (adds what the new program needs and
//! what the old one does not notice), the second, in a later release, *contracts* (takes away what only the old one needed) and
//! raises `compatible_from` in the table `property`. A program that meets a schema newer than its own works with it as long as
//! `compatible_from` is not above its own.

use super::StoreError;

/// Refuses a database whose schema needs newer programs than this one, which knows schemas up to `known`.
pub(super) fn check_floor(place: &str, floor: i64, found: i64, known: i64) -> Result<(), StoreError> {
    if floor > known {
        return Err(StoreError::NewerSchema { place: place.to_owned(), found: found.max(floor), known });
    }
    Ok(())
}

/// What the desk says of a schema that the daemon has not brought up to date.
pub(super) fn too_old(found: i64, needed: i64) -> String {
    format!("it has schema {found} and this program needs {needed}; start the daemon, which brings it up to date")
}

/// The schema that brought the table `property`, and with it the mark of a move.
pub(super) const WITH_PROPERTIES: i64 = 2;

/// What is said of a database into which a queue was not moved to the end.
pub(super) fn half_moved(source: &str) -> String {
    format!(
        "the move of a queue into it from {source} has not come to its end; finish it by the same invited move, or drop this database"
    )
}
