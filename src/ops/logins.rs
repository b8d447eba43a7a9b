//! Who may log in at the door, and whether a password is right. Hashing takes its time and its memory, so few passwords are looked
//! at at one time, off the threads that serve connections; and it takes them too for users that there are not, so that nobody learns
//! names by the clock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::accept::NotNow;
use crate::config::PasswordHash;

/// Passwords that are looked at at one time; each takes its hash's memory (19 MiB unless told) and a processor for some ten
/// milliseconds.
const AT_ONE_TIME: usize = 2;

/// How long one waits for its turn before the client is asked to come back.
const PATIENCE: Duration = Duration::from_secs(10);

/// Turns at looking at passwords. They outlive a reload, which must not let more in.
#[derive(Debug, Clone)]
pub struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONE_TIME)))
    }
}

/// The users and the hashes of their passwords.
#[derive(Debug, Default)]
pub struct Logins {
    hashes: HashMap<String, Arc<PasswordHash>>,
    /// The same hashes in the order of their names.
    all: Vec<Arc<PasswordHash>>,
}

impl Logins {
    /// These users.
    pub fn new(logins: impl IntoIterator<Item = (String, PasswordHash)>) -> Self {
        let hashes = logins.into_iter().map(|(user, hash)| (user, Arc::new(hash))).collect::<HashMap<_, _>>();
        let mut users = hashes.iter().collect::<Vec<_>>();
        users.sort_by_key(|(user, _)| *user);
        let all = users.into_iter().map(|(_, hash)| Arc::clone(hash)).collect();
        Self { hashes, all }
    }

    /// Whether there is anybody.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether this is the user and the password is right.
    ///
    /// # Errors
    /// When there was no turn to look at it.
    pub async fn are_right(&self, turns: &Turns, user: &str, password: &[u8]) -> Result<bool, NotNow> {
        self.look(turns, user, password, is_right).await
    }

    /// The same work for whoever asks: a turn, and one look at a password against a hash.
    async fn look<L>(&self, turns: &Turns, user: &str, password: &[u8], look: L) -> Result<bool, NotNow>
    where
        L: FnOnce(&PasswordHash, &[u8]) -> bool + Send + 'static,
    {
        let known = self.hashes.get(user);
        let Some(hash) = known.or_else(|| self.stand_in(user)).cloned() else { return Ok(false) };
        let is_known = known.is_some();
        let turn = timeout(PATIENCE, Arc::clone(&turns.0).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(NotNow::Unavailable) };
        let password = password.to_vec();
        let looked = tokio::task::spawn_blocking(move || {
            // Held until the work is done, also when nobody waits for it any more.
            let _turn = turn;
            look(&hash, &password)
        });
        looked.await.map(|right| right && is_known).map_err(|_| NotNow::Unavailable)
    }

    /// The hash that a user who is not there is laid against. Always the same one, so that a stranger's name takes one time only, as
    /// a user's does, whatever the users' settings are.
    fn stand_in(&self, user: &str) -> Option<&Arc<PasswordHash>> {
        let number = user.bytes().fold(0_usize, |number, byte| number.wrapping_mul(31).wrapping_add(byte.into()));
        self.all.get(number.checked_rem(self.all.len())?)
    }
}

/// Whether this is the password of the hash. Takes some ten milliseconds.
fn is_right(hash: &PasswordHash, password: &[u8]) -> bool {
    let mut found = vec![0; hash.hash.len()];
    derive(hash, password, &mut found) && bool::from(found.ct_eq(&hash.hash))
}

/// Hashes a password for [`PasswordHash::parse`], with 16 random bytes as salt.
pub fn hash_password(password: &[u8], salt: [u8; 16]) -> PasswordHash {
    let (memory, passes, lanes) = PasswordHash::NEW;
    let mut hash = PasswordHash { memory, passes, lanes, salt: salt.to_vec(), hash: vec![0; 32] };
    let mut found = vec![0; 32];
    let hashed = derive(&hash, password, &mut found);
    debug_assert!(hashed, "argon2 takes the settings of new hashes");
    hash.hash = found;
    hash
}

fn derive(hash: &PasswordHash, password: &[u8], into: &mut [u8]) -> bool {
    Params::new(hash.memory, hash.passes, hash.lanes, Some(into.len())).is_ok_and(|params| {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(password, &hash.salt, into).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_that_another_program_made_is_known_again() {
        // `echo -n "password" | argon2 somesalt -id -t 2 -k 65536 -p 1 -e`, from the test vectors of phc-winner-argon2.
        let hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = PasswordHash::parse(hash).unwrap();
        assert!(is_right(&hash, b"password"));
        assert!(!is_right(&hash, b"Password"));
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_user_lets_in() {
        let logins = Logins::new([
            ("nordljus".to_owned(), hash_password(b"open sesame", [1; 16])),
            ("sydljus".to_owned(), hash_password(b"", [2; 16])),
        ]);
        let turns = Turns::default();
        for (user, password, right) in [
            ("nordljus", "open sesame", true),
            ("nordljus", "open sesame ", false),
            ("nordljus", "", false),
            ("Nordljus", "open sesame", false),
            ("sydljus", "open sesame", false),
            ("sydljus", "", true),
            ("nobody", "open sesame", false),
            ("", "", false),
        ] {
            assert_eq!(logins.are_right(&turns, user, password.as_bytes()).await, Ok(right), "{user} {password}");
        }
        assert_eq!(Logins::default().are_right(&turns, "nordljus", b"open sesame").await, Ok(false));
        assert_eq!(turns.0.available_permits(), AT_ONE_TIME);
    }

    /// What the work for a password is: settings and salt of its hash, how long the password is, and turns that were left meanwhile.
    type Work = (u32, u32, u32, Vec<u8>, usize, usize);

    /// The work that was done for a user, and the answer.
    async fn work(logins: &Logins, user: &str, password: &[u8]) -> (Vec<Work>, Result<bool, NotNow>) {
        let turns = Turns::default();
        let (done, seen) = std::sync::mpsc::channel();
        let left = Arc::clone(&turns.0);
        let look = move |hash: &PasswordHash, password: &[u8]| {
            let salt = hash.salt.clone();
            let work = (hash.memory, hash.passes, hash.lanes, salt, password.len(), left.available_permits());
            done.send(work).unwrap();
            is_right(hash, password)
        };
        let answer = logins.look(&turns, user, password, look).await;
        (std::iter::from_fn(|| seen.try_recv().ok()).collect(), answer)
    }

    #[tokio::test]
    async fn strangers_are_laid_against_a_hash_too() {
        let logins = Logins::new([("a".to_owned(), hash_password(b"open sesame", [1; 16]))]);
        let (known, answer) = work(&logins, "a", b"open barley").await;
        assert_eq!(answer, Ok(false));
        let (memory, passes, lanes) = PasswordHash::NEW;
        assert_eq!(known, [(memory, passes, lanes, vec![1; 16], 11, AT_ONE_TIME - 1)]);
        for user in ["", "b", "someone@example.com", &"x".repeat(10_000)] {
            // Also with a password that is right for somebody else, whose hash is the stand-in.
            for password in [b"open barley", b"open sesame"] {
                let (done, answer) = work(&logins, user, password).await;
                assert_eq!(answer, Ok(false), "{user}");
                assert_eq!(done, known, "{user}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_looked_at_out_of_turn() {
        let logins = Logins::new([("a".to_owned(), hash_password(b"open sesame", [1; 16]))]);
        let turns = Turns::default();
        let taken = turns.0.acquire_many(u32::try_from(AT_ONE_TIME).unwrap()).await.unwrap();
        for user in ["a", "nobody"] {
            assert_eq!(logins.are_right(&turns, user, b"open sesame").await, Err(NotNow::Unavailable), "{user}");
        }
        drop(taken);
    }

    #[test]
    fn a_strangers_name_always_has_the_same_stand_in() {
        let hashes = (0..9).map(|number| {
            let mut hash = PasswordHash::parse(
                "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            )
            .unwrap();
            hash.salt = vec![number; 16];
            (format!("user{number}"), hash)
        });
        let hashes = hashes.collect::<Vec<_>>();
        let (one, other) = (Logins::new(hashes.clone()), Logins::new(hashes.into_iter().rev()));
        for user in ["", "b", "someone@example.com"] {
            assert_eq!(one.stand_in(user).unwrap().salt, other.stand_in(user).unwrap().salt, "{user}");
        }
    }
}
