//! Turns: what daemons that share a database must not do at the same time for one order, one relay or one person. A name falls on
//! one of 65,536 rows, which is locked until the transaction ends; two names on one row only wait for each other. SQLite has one
//! writer at a time, so there everybody has the turn already.
//!
//! Orders and relays have rows of their own, and persons have: turns of persons are taken last, by who has locked invitations already.
//! Nobody who holds one waits for an order, a relay or an invitation, so nobody can wait in a circle.

use sha2::{Digest, Sha256};

use super::connection::Connection;
use super::fault::Fault;
use super::moves::to_json;
use super::statements as sql;

/// Takes the turns of all these names. They are locked in one order, so that nobody can wait in a circle.
pub(super) async fn take<'n>(conn: &mut Connection, names: impl Iterator<Item = Turn<'n>>) -> Result<(), Fault> {
    if !conn.is_shared() {
        return Ok(());
    }
    let mut slots = names.map(|name| name.slot()).collect::<Vec<_>>();
    slots.sort_unstable();
    slots.dedup();
    if !slots.is_empty() {
        conn.rows::<(i64,)>(sql::TAKE_TURNS, [to_json(&slots)?.into()]).await?;
    }
    Ok(())
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn<'n> {
    /// An order of a shop, by its reference's key: two copies about it may tell of two customers, who must both be seen.
    Order(&'n str, &'n str),
    /// A relay: how many letters are in hand for it is counted before more are claimed.
    Relay(&'n str),
    /// A person, by the address's key: the letters to them are counted before more are claimed.
    Person(&'n str),
}

/// Rows for orders and relays; those for persons come behind.
const ROWS: i64 = 65_536;

impl Turn<'_> {
    /// The same on every machine and in every version: two daemons must agree.
    fn slot(self) -> i64 {
        let (name, first) = match self {
            Self::Order(shop, key) => (format!("order\0{shop}\0{key}"), 0),
            Self::Relay(name) => (format!("relay\0{name}"), 0),
            Self::Person(key) => (format!("person\0{key}"), ROWS),
        };
        let digest = Sha256::digest(name);
        first + i64::from(u16::from_be_bytes([digest[0], digest[1]]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_always_falls_on_the_same_row() {
        assert_eq!(Turn::Order("nord", "a-1").slot(), 15_274);
        assert_eq!(Turn::Relay("default").slot(), 61_809);
        assert!((ROWS..2 * ROWS).contains(&Turn::Person("anna@example.com").slot()));
        assert_ne!(Turn::Order("nord", "1").slot(), Turn::Order("nor", "d1").slot());
    }
}
