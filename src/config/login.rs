//! `[[login]]`: who may log in at the door (RFC 4954), and the hashes of their passwords.

use std::fmt;
use std::path::Path;

use base64ct::{Base64Unpadded, Encoding};

use crate::document::{Entry, Table};

use super::settings::Secret;
use super::values::{problem_at, secret};

const REMEDY: &str =
    "write what invited login hash prints, or name a file that holds it: { file = \"…\" } or { credential = \"…\" }";

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorLogin {
    /// The user name; no two have the same.
    pub user: String,
    /// How the password is known again.
    pub password: StoredPassword,
}

/// Where the hash of a password stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredPassword {
    /// In the configuration.
    Hash(PasswordHash),
    /// In a file, as [`PasswordHash::parse`] reads it.
    Secret(Secret),
}

/// A password, hashed by argon2id (RFC 9106) in the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    /// Memory, KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// The salt.
    pub salt: Vec<u8>,
    /// What comes out for the right password.
    pub hash: Vec<u8>,
}

/// Less memory than this no pass makes good.
const LEAST_MEMORY: u32 = 7_168;
/// Memory times passes: all of the settings that OWASP's password storage cheat sheet calls equally good reach this.
const LEAST_WORK: u32 = 35_840;
/// A login must not take the machine: at most this memory, KiB, and so many passes and lanes.
const MOST_MEMORY: u32 = 262_144;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 16;

impl PasswordHash {
    /// The memory, passes and lanes that new hashes get: the first choice of OWASP's password storage cheat sheet.
    pub const NEW: (u32, u32, u32) = (19_456, 2, 1);

    /// Reads the PHC string format.
    ///
    /// # Errors
    /// What is wrong with it, in words that repeat nothing of it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const STRANGE: &str = "is no hash of argon2id in the PHC string format";
        let mut parts =
            text.strip_prefix('$').ok_or("is no hash but a text; a password itself must not stand here")?.split('$');
        let (kind, version, costs) = (parts.next(), parts.next(), parts.next());
        if kind != Some("argon2id") {
            return Err("is a hash of another kind than argon2id");
        }
        if version != Some("v=19") {
            return Err("is of another version of argon2id than v=19");
        }
        let (memory, passes, lanes) = costs.and_then(costs_of).ok_or(STRANGE)?;
        let (salt, hash) = (parts.next().ok_or(STRANGE)?, parts.next().ok_or(STRANGE)?);
        let octets = |text: &str| Base64Unpadded::decode_vec(text).map_err(|_| STRANGE);
        let (salt, hash) = (octets(salt)?, octets(hash)?);
        if parts.next().is_some() {
            return Err(STRANGE);
        }
        if memory < LEAST_MEMORY || u64::from(memory) * u64::from(passes) < u64::from(LEAST_WORK) {
            return Err("is too cheap to guess: less than m=19456,t=2,p=1 or its like");
        }
        if memory > MOST_MEMORY || passes > MOST_PASSES || !(1..=MOST_LANES).contains(&lanes) {
            return Err("is too dear to check: more than m=262144,t=16,p=16");
        }
        if !(8..=64).contains(&salt.len()) || !(16..=64).contains(&hash.len()) {
            return Err("has a salt that is not of 8 to 64 bytes, or a hash that is not of 16 to 64");
        }
        Ok(Self { memory, passes, lanes, salt, hash })
    }
}

/// `m=19456,t=2,p=1`
fn costs_of(text: &str) -> Option<(u32, u32, u32)> {
    let mut costs = text.split(',');
    let mut cost = |name: &str| costs.next()?.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
    let found = (cost("m")?, cost("t")?, cost("p")?);
    costs.next().is_none().then_some(found)
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, passes, lanes, salt, hash } = self;
        let (salt, hash) = (Base64Unpadded::encode_string(salt), Base64Unpadded::encode_string(hash));
        write!(f, "$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}")
    }
}

/// Without salt and hash: whoever has them can guess at home.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash(m={},t={},p={})", self.memory, self.passes, self.lanes)
    }
}

/// What the tables say.
pub(super) struct Logins {
    /// Those without a mistake.
    pub(super) logins: Vec<DoorLogin>,
    /// The names of all, also of those with mistakes in their passwords; `None` when a name is in doubt.
    pub(super) users: Option<Vec<String>>,
}

/// All who may log in; none when there is no table.
pub(super) fn read_all(top: &Table<'_>, folder: &Path) -> Logins {
    let (mut users, mut is_doubtful) = (Vec::new(), false);
    let logins = top.tables("login", |table| {
        let user = table.required_string("user", "write a name: user = \"nordljus\"");
        let user = user.and_then(|entry| name(entry, &mut users));
        is_doubtful |= user.is_none();
        table.required("password", REMEDY);
        let password = password(table, folder);
        Some(DoorLogin { user: user?, password: password? })
    });
    is_doubtful |= logins.is_none() && top.any("login").is_some();
    Logins { logins: logins.unwrap_or_default(), users: (!is_doubtful).then_some(users) }
}

fn name(entry: Entry<'_, &str>, taken: &mut Vec<String>) -> Option<String> {
    let user = entry.check("write a name of its own, one line of up to 255 bytes", |user| {
        if user.is_empty() || user.len() > 255 || user.chars().any(char::is_control) {
            Err("is no user name".to_owned())
        } else if taken.iter().any(|other| other == user) {
            Err(format!("{user:?} is the name of another login"))
        } else {
            Ok((*user).to_owned())
        }
    })?;
    taken.push(user.clone());
    Some(user)
}

fn password(table: &Table<'_>, folder: &Path) -> Option<StoredPassword> {
    let entry = table.any("password")?;
    if entry.value.as_table().is_some() {
        return secret(table, "password", folder).map(StoredPassword::Secret);
    }
    let Some(text) = entry.value.as_str() else {
        problem_at(table, "password", "is neither a hash nor the place of one", REMEDY);
        return None;
    };
    match PasswordHash::parse(text) {
        Ok(hash) => Some(StoredPassword::Hash(hash)),
        Err(what) => {
            problem_at(table, "password", what, REMEDY);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$d3JpdGV5b3Vyb3duaGVyZQ$aW52aXRlZCBsb2dpbiBoYXNoIG1ha2VzIG9uZSBvZi4";

    #[test]
    fn a_hash_is_written_as_it_was_read_and_shows_nothing_in_debug() {
        let hash = PasswordHash::parse(GOOD).unwrap();
        assert_eq!(hash.to_string(), GOOD);
        assert_eq!((hash.memory, hash.passes, hash.lanes), PasswordHash::NEW);
        assert_eq!((hash.salt.as_slice(), hash.hash.len()), (&b"writeyourownhere"[..], 32));
        assert_eq!(format!("{hash:?}"), "PasswordHash(m=19456,t=2,p=1)");
    }

    #[test]
    fn the_settings_that_are_called_equally_good_are_taken() {
        for costs in ["m=47104,t=1,p=1", "m=19456,t=2,p=1", "m=12288,t=3,p=1", "m=9216,t=4,p=1", "m=7168,t=5,p=1"] {
            assert!(PasswordHash::parse(&GOOD.replace("m=19456,t=2,p=1", costs)).is_ok(), "{costs}");
        }
    }

    #[test]
    fn what_is_no_hash_or_a_bad_one_is_refused_with_the_reason() {
        for (text, why) in [
            ("opensesame", "a password itself"),
            ("", "a password itself"),
            ("$2y$10$abcdefghijklmnopqrstuv", "another kind"),
            ("$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA", "another kind"),
            (&GOOD.replace("v=19", "v=16"), "another version"),
            (&GOOD.replace("v=19$", ""), "another version"),
            (&GOOD.replace("m=19456,", ""), "no hash"),
            (&GOOD.replace("p=1", "p=1,x=2"), "no hash"),
            (&GOOD.replace("t=2", "t=two"), "no hash"),
            (&GOOD.replace("ZQ$", "ZQ==$"), "no hash"),
            (&format!("{GOOD}$more"), "no hash"),
            (&GOOD.replace("m=19456", "m=4096"), "too cheap"),
            (&GOOD.replace("t=2", "t=1"), "too cheap"),
            (&GOOD.replace("t=2", "t=0"), "too cheap"),
            (&GOOD.replace("m=19456", "m=4194304"), "too dear"),
            (&GOOD.replace("t=2", "t=4000000000"), "too dear"),
            (&GOOD.replace("p=1", "p=0"), "too dear"),
            (&GOOD.replace("d3JpdGV5b3Vyb3duaGVyZQ", "YQ"), "a salt"),
        ] {
            let told = PasswordHash::parse(text).expect_err(text);
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
