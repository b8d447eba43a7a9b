//! The keys of our own links. Several are known at a time, so that one can be changed for another while letters are under way: the
//! first signs, all of them are accepted, and what is taken off the list ends every link made with it.

use std::fmt;

use sha2::Sha256;

use hmac::{Hmac, KeyInit, Mac};
use subtle::ConstantTimeEq;

use super::sealed::SealKeys;

/// The key for one purpose: HMAC-SHA-256 of the purpose's name under the master key. Keys of two purposes tell nothing about
/// each other, so a leaked log key forges no link.
pub fn derive(master: &[u8], purpose: &str) -> [u8; 32] {
    hmac(master, &[b"invited key\0", purpose.as_bytes()])
}

pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104)");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The keys of links, by their numbers; at least one.
#[derive(Clone)]
pub struct LinkKeys {
    signs: LinkKey,
    others: Vec<LinkKey>,
}

/// What is made of one secret: a key for each use.
#[derive(Clone)]
pub(super) struct LinkKey {
    pub(super) id: u8,
    pub(super) tokens: [u8; 32],
    pub(super) tickets: SealKeys,
}

impl LinkKey {
    fn new((id, secret): (u8, [u8; 32])) -> Self {
        Self {
            id,
            tokens: derive(&secret, "tokens"),
            tickets: SealKeys {
                encrypt: derive(&secret, "order tickets: encryption"),
                authenticate: derive(&secret, "order tickets: authentication"),
            },
        }
    }
}

impl LinkKeys {
    /// Keys with their numbers: the first one signs, the others are accepted too. Of two with one number the former counts.
    pub fn new(signs: (u8, [u8; 32]), others: impl IntoIterator<Item = (u8, [u8; 32])>) -> Self {
        Self { signs: LinkKey::new(signs), others: others.into_iter().map(LinkKey::new).collect() }
    }

    /// The numbers of the keys that are accepted, that of the signing one first.
    pub fn ids(&self) -> impl Iterator<Item = u8> {
        self.all().map(|key| key.id)
    }

    pub(super) fn signs(&self) -> &LinkKey {
        &self.signs
    }

    /// The key of this number, and whether there is one. Where there is none it is the signing key, so that the work that follows
    /// takes as long, and nobody learns by the clock which numbers are in use.
    pub(super) fn of(&self, id: u8) -> (&LinkKey, bool) {
        let known = self.all().find(|key| key.id.ct_eq(&id).into());
        (known.unwrap_or(&self.signs), known.is_some())
    }

    fn all(&self) -> impl Iterator<Item = &LinkKey> {
        std::iter::once(&self.signs).chain(&self.others)
    }
}

/// The numbers only: the keys are secret.
impl fmt::Debug for LinkKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LinkKeys").field(&self.ids().collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_keys_are_those_of_rfc_2104_and_differ_by_purpose() {
        // printf 'invited key\0links' | openssl dgst -sha256 -hmac Jefe
        let hex = derive(b"Jefe", "links").iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex, "a76d55c65a8ea61cba31daafa351cf573eb8555df7bb5478ba29e1fd5d3d0596");
        assert_ne!(derive(b"Jefe", "links"), derive(b"Jefe", "log"));
    }

    #[test]
    fn the_first_key_signs_and_all_are_known_by_their_numbers_alone() {
        let keys = LinkKeys::new((3, [3; 32]), [(1, [1; 32]), (2, [2; 32])]);
        assert_eq!(keys.ids().collect::<Vec<_>>(), [3, 1, 2]);
        assert_eq!(keys.signs().id, 3);
        assert_eq!(keys.of(2).0.tokens, derive(&[2; 32], "tokens"));
        assert!(keys.of(1).1 && !keys.of(4).1);
        assert_eq!(format!("{keys:?}"), "LinkKeys([3, 1, 2])");
    }
}
