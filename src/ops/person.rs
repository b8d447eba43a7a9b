//! Everything that is kept about one person, found and erased. What is theirs is known by keys; where else they are named is found by
//! looking through every text and the kept bytes of every copy, which takes time that grows with them and is shown while it lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aho_corasick::AhoCorasick;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::{
    CopyId, EmailAddress, ListKey, ListReason, Policies, ShopId, SuppressionEntry, Timestamp, lookup_keys,
};
use crate::read::everything;
use crate::store::{Erased, Erasure, Own, PersonTable, SqlStore, StoreError, StoredEntry};

/// Bytes of a file that are looked through at one time.
const CHUNK: usize = 1024 * 1024;

/// No text that is looked for, and no longer one around it, has more bytes.
const LONGEST: usize = 1024;

/// How often what came in meanwhile is looked for once more.
const ROUNDS: usize = 3;

/// How long a letter that is on the wire is waited for, and between two looks.
const WIRE_WAITS: u32 = 120;
const WIRE_WAIT: Duration = Duration::from_millis(500);

/// How often the log is tried to be emptied while others use the file; each try waits some seconds by itself.
const TIDY_TRIES: u32 = 6;
const TIDY_WAIT: Duration = Duration::from_millis(500);

/// An address in every way in which a text may have it.
#[derive(Clone)]
pub struct Names {
    /// In ASCII lower case.
    sought: Vec<String>,
    matcher: AhoCorasick,
}

impl Names {
    /// The ways of an address, with other spellings of it that are known. `None` for a text that cannot be looked for, which no address is.
    pub fn of(address: &EmailAddress, spellings: &[String]) -> Option<Self> {
        let (unicode, _) = idna::domain_to_unicode(address.domain());
        let mut sought = BTreeSet::new();
        let shown = format!("{}@{unicode}", address.local_part());
        for one in [address.as_str(), address.key().as_str(), &shown, &shown.to_lowercase()] {
            sought.insert(one.to_ascii_lowercase());
        }
        sought.extend(spellings.iter().map(|one| one.to_ascii_lowercase()));
        // As links have it.
        let in_links = sought.iter().map(|one| one.replace('@', "%40")).collect::<Vec<_>>();
        sought.extend(in_links);
        let sought = sought.into_iter().collect::<Vec<_>>();
        let matcher = AhoCorasick::builder().ascii_case_insensitive(true).build(&sought).ok()?;
        Some(Self { sought, matcher })
    }

    /// What is to be looked for, in ASCII lower case.
    pub fn sought(&self) -> &[String] {
        &self.sought
    }

    /// Whether the address stands in a text, and not only as a part of a longer one.
    pub fn stand_in(&self, text: &[u8]) -> bool {
        self.matcher
            .find_overlapping_iter_of(text)
            .any(|(from, to)| !goes_on_before(text, from) && !goes_on_after(text, to))
    }

    /// Whether a mail names the address anywhere: in its bytes as they are, or decoded.
    pub fn stand_in_mail(&self, mail: &[u8]) -> bool {
        self.stand_in(mail)
            || everything(mail).is_some_and(|texts| texts.iter().any(|text| self.stand_in(text.as_bytes())))
    }

    /// The longer texts of which the address is a part: other people's addresses.
    fn longer_in(&self, text: &str, longer: &mut BTreeSet<String>) {
        let bytes = text.as_bytes();
        for (from, to) in self.matcher.find_overlapping_iter_of(bytes) {
            let (mut begin, mut end) = (from, to);
            while goes_on_before(bytes, begin) {
                begin -= 1;
            }
            while goes_on_after(bytes, end) {
                end += 1;
            }
            if (begin, end) != (from, to)
                && let Some(whole) = text.get(begin..end)
            {
                longer.insert(whole.to_ascii_lowercase());
            }
        }
    }

    /// How often the address stands in what is read, the bytes as they are, but for the places that are part of a longer address which is
    /// known. In a database's file texts stand wall to wall, so what is around a place tells nothing else.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn count_in(&self, mut file: impl Read, longer: &[String], read: &mut dyn FnMut(u64)) -> io::Result<u64> {
        let others = AhoCorasick::builder().ascii_case_insensitive(true).build(longer).map_err(io::Error::other)?;
        let (mut buffer, mut kept, mut found) = (vec![0; CHUNK + 2 * LONGEST], 0, 0);
        let mut skip = 0;
        loop {
            let got = file.read(&mut buffer[kept..])?;
            let is_end = got == 0;
            let bytes = &buffer[..kept + got];
            // What begins in the last bytes is looked at with the next ones.
            let until = if is_end { bytes.len() } else { bytes.len().saturating_sub(LONGEST) };
            let spans = others.find_overlapping_iter_of(bytes).collect::<Vec<_>>();
            let mut places = self.matcher.find_overlapping_iter_of(bytes).collect::<Vec<_>>();
            places.retain(|(from, to)| {
                (skip..until).contains(from) && !spans.iter().any(|(begin, end)| begin <= from && end >= to)
            });
            places.dedup_by_key(|(from, _)| *from);
            found += places.len() as u64;
            read(got as u64);
            if is_end {
                return Ok(found);
            }
            // A stretch before stays too, so that a longer text around a place is seen whole.
            let begin = until.saturating_sub(LONGEST);
            skip = until.max(skip) - begin;
            kept = bytes.len() - begin;
            buffer.copy_within(begin..begin + kept, 0);
        }
    }
}

/// Every place, also those that overlap.
trait Places {
    fn find_overlapping_iter_of<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, usize)> + 'a;
}

impl Places for AhoCorasick {
    fn find_overlapping_iter_of<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, usize)> + 'a {
        self.find_overlapping_iter(text).map(|found| (found.start(), found.end()))
    }
}

/// Whether what stands before a place belongs to the same address. Characters of an address that texts set around one too, such as `=` and
/// `'`, do not count.
fn goes_on_before(text: &[u8], from: usize) -> bool {
    from.checked_sub(1).and_then(|before| text.get(before)).is_some_and(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+') || !byte.is_ascii()
    })
}

fn goes_on_after(text: &[u8], to: usize) -> bool {
    let is_label = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || !byte.is_ascii();
    match text.get(to) {
        Some(b'.') => text.get(to + 1).is_some_and(is_label),
        Some(byte) => is_label(byte),
        None => false,
    }
}

/// How far a look through everything has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Through what.
    pub what: &'static str,
    /// So far, in the unit of `of`.
    pub done: i64,
    /// In all.
    pub of: i64,
}

/// Who is told how far it has come.
pub type Progress<'p> = &'p mut (dyn FnMut(Looked) + Send);

/// Where a person was found.
#[derive(Clone)]
pub struct Found {
    /// What is theirs by the keys of its rows.
    pub own: Own,
    /// Every copy that names them, theirs included.
    pub copies: BTreeSet<CopyId>,
    /// Rows of others that name them, by table; of copies and invitations none.
    pub words: BTreeMap<PersonTable, Vec<i64>>,
    /// Invitations of others that name them.
    pub named_by: Vec<i64>,
    /// Entries of the suppression list that mean them.
    pub entries: Vec<StoredEntry>,
    /// Longer addresses of others that contain theirs.
    pub longer: Vec<String>,
    /// Copies whose bytes are damaged.
    pub damaged: usize,
    names: Names,
}

impl Found {
    /// Whether nothing at all is known of them, the suppression list not counted.
    pub fn is_nothing(&self) -> bool {
        self.own.of(PersonTable::Invitation).is_empty()
            && self.own.of(PersonTable::Review).is_empty()
            && self.own.of(PersonTable::ErasureRequest).is_empty()
            && self.copies.is_empty()
            && self.words.is_empty()
            && self.named_by.is_empty()
    }

    /// What to look for.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What goes beside what is known by keys.
    fn erasure(&self) -> Erasure {
        Erasure {
            copies: self.copies.iter().copied().collect(),
            words: self.words.iter().map(|(table, ids)| (*table, ids.clone())).collect(),
        }
    }
}

/// Finds everything that is kept about a person.
///
/// # Errors
/// When the store cannot be read.
pub async fn find(
    store: &SqlStore,
    address: &EmailAddress,
    list_key: &[u8; 32],
    progress: Progress<'_>,
) -> Result<Found, StoreError> {
    let own = store.own_rows(&address.key()).await?;
    let names = Names::of(address, &own.spellings)
        .ok_or_else(|| StoreError::Failed("this address cannot be looked for".to_owned()))?;
    let entries = store.suppressed_by(&lookup_keys(&address.key(), list_key)).await?;
    let copies = own.of(PersonTable::Copy).iter().copied().map(CopyId).collect();
    let (words, named_by, longer, damaged) = (BTreeMap::new(), Vec::new(), BTreeSet::new(), 0);
    let mut found = Found { own, copies, words, named_by, entries, longer: Vec::new(), damaged, names };
    let mut longer: BTreeSet<String> = longer;
    for table in PersonTable::ALL {
        look_through(store, table, &mut found, &mut longer, progress).await?;
    }
    found.longer = longer.into_iter().collect();
    let names = found.names.clone();
    let search = Arc::new(move |mail: &[u8]| names.stand_in_mail(mail));
    let mut after = CopyId(0);
    loop {
        let bodies = store.bodies_naming(after, Arc::clone(&search) as Arc<_>).await?;
        found.copies.extend(bodies.found);
        found.damaged += bodies.damaged.len();
        let Some(to) = bodies.to else { return Ok(found) };
        progress(Looked { what: "the bytes of copies, up to number", done: to.0, of: 0 });
        after = to;
    }
}

/// Looks through one table. What a row has in several columns comes as one text.
async fn look_through(
    store: &SqlStore,
    table: PersonTable,
    found: &mut Found,
    longer: &mut BTreeSet<String>,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let own = match table {
        PersonTable::Suppression => found.entries.iter().map(|one| one.id).collect(),
        _ => found.own.of(table).iter().copied().collect::<BTreeSet<_>>(),
    };
    let mut after = 0;
    loop {
        let stretch = store.rows_naming(table, after, found.names.sought()).await?;
        for (id, text) in stretch.found {
            found.names.longer_in(&text, longer);
            if own.contains(&id) || !found.names.stand_in(text.as_bytes()) {
                continue;
            }
            match table {
                PersonTable::Copy => drop(found.copies.insert(CopyId(id))),
                PersonTable::Invitation => found.named_by.push(id),
                _ => found.words.entry(table).or_default().push(id),
            }
        }
        progress(Looked { what: table.as_str(), done: stretch.to, of: stretch.last });
        if stretch.to >= stretch.last {
            return Ok(());
        }
        after = stretch.to;
    }
}

/// Why somebody cannot be erased: the shop whose own address or domain it is. Every copy names that.
pub fn whose_own<'c>(config: &'c Config, address: &EmailAddress) -> Option<&'c ShopId> {
    let is_under = |domain: &String| {
        address.domain() == domain
            || address.domain().strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
    };
    let key = address.key();
    let shop = config.shops.iter().find(|shop| {
        let boxes = [Some(&shop.from), shop.reply_to.as_ref(), Some(&shop.unsubscribe)];
        shop.domains.iter().any(is_under) || boxes.into_iter().flatten().any(|one| one.key() == key)
    });
    shop.map(|shop| &shop.id)
        .or_else(|| is_under(&config.ingest_domain).then(|| config.shops.first().map(|shop| &shop.id)).flatten())
}

/// What stays of an erased person: a hash.
pub fn mark(
    address: &EmailAddress,
    shop: Option<ShopId>,
    list_key: &[u8; 32],
    actor: &str,
    note: Option<String>,
    now: Timestamp,
) -> SuppressionEntry {
    SuppressionEntry {
        key: ListKey::of(&address.key()).hashed(list_key),
        shop,
        reason: ListReason::Erased,
        note,
        actor: actor.to_owned(),
        at: now,
    }
}

/// By whose order a person is erased, and what stays of them.
#[derive(Debug, Clone)]
pub struct Order {
    /// The entry of the suppression list that stays, see [`mark`]; `None` when the list is to forget them too.
    pub mark: Option<SuppressionEntry>,
    /// Who gave it.
    pub actor: String,
    /// The shops' rules, with the key of the list.
    pub policies: Arc<Policies>,
    /// The time.
    pub clock: Clock,
}

/// How erasing went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasing {
    /// What is gone.
    pub erased: Erased,
    /// Letters that were on the wire still when waiting for them ended: they may reach the person yet.
    pub on_the_wire: usize,
    /// Whether the engine has let go of what was deleted too: `false` when others used the file all the time.
    pub is_tidy: bool,
    /// Invitations of others that name the person still.
    pub named_by: Vec<i64>,
    /// Copies whose bytes are damaged, which nobody can look into.
    pub damaged: usize,
    /// Longer addresses of others that contain theirs.
    pub longer: Vec<String>,
}

/// Erases a person whom [`find`] has found. What came in meanwhile is looked for afterwards, and erased too.
///
/// # Errors
/// When the store fails. What was erased before is erased; run again, it goes on.
pub async fn erase(
    store: &SqlStore,
    address: &EmailAddress,
    mut found: Found,
    order: &Order,
    progress: Progress<'_>,
) -> Result<Erasing, StoreError> {
    let key = address.key();
    let on_the_wire = wait_for_the_wire(store, address, progress).await?;
    let mut erased = Erased::default();
    for _ in 0..ROUNDS {
        let erase = async || {
            let Order { mark, actor, policies, clock } = order;
            store.erase(&key, found.erasure(), mark.clone(), actor, Arc::clone(policies), clock.now()).await
        };
        let this = match erase().await {
            // The log's own bytes on disk can be used again once it is written into the file.
            Err(StoreError::Full) => {
                store.tidy().await?;
                erase().await?
            }
            other => other?,
        };
        erased = erased.and(this);
        found = find(store, address, order.policies.list_key(), progress).await?;
        let is_left = [PersonTable::Invitation, PersonTable::Review, PersonTable::ErasureRequest];
        if found.copies.is_empty()
            && found.words.is_empty()
            && is_left.iter().all(|table| found.own.of(*table).is_empty())
        {
            break;
        }
    }
    let is_tidy = tidy(store, progress).await?;
    let Found { named_by, damaged, longer, .. } = found;
    Ok(Erasing { erased, on_the_wire, is_tidy, named_by, damaged, longer })
}

/// Waits until no letter to the person is on the wire, or for a minute.
async fn wait_for_the_wire(
    store: &SqlStore,
    address: &EmailAddress,
    progress: Progress<'_>,
) -> Result<usize, StoreError> {
    for waited in 0..WIRE_WAITS {
        let own = store.own_rows(&address.key()).await?;
        if own.on_the_wire == 0 {
            return Ok(0);
        }
        progress(Looked {
            what: "waiting for a letter that is on the wire",
            done: waited.into(),
            of: WIRE_WAITS.into(),
        });
        tokio::time::sleep(WIRE_WAIT).await;
    }
    Ok(store.own_rows(&address.key()).await?.on_the_wire)
}

/// Writes the database's file anew and empties its log.
///
/// # Errors
/// When the store fails.
pub async fn rewrite(store: &SqlStore, progress: Progress<'_>) -> Result<bool, StoreError> {
    progress(Looked { what: "writing the database's file anew", done: 0, of: 0 });
    store.rewrite().await?;
    tidy(store, progress).await
}

async fn tidy(store: &SqlStore, progress: Progress<'_>) -> Result<bool, StoreError> {
    for tried in 0..TIDY_TRIES {
        match store.tidy().await {
            Ok(true) => return Ok(true),
            Ok(false) | Err(StoreError::Busy) => {}
            Err(error) => return Err(error),
        }
        progress(Looked { what: "emptying the log, which others use", done: tried.into(), of: TIDY_TRIES.into() });
        tokio::time::sleep(TIDY_WAIT).await;
    }
    Ok(false)
}

/// What was found in a database's files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remains {
    /// Files that were read whole, and their bytes.
    pub files: Vec<(String, u64)>,
    /// Places in which the address stands.
    pub places: u64,
}

/// Reads a database's file, its log and its index of the log whole, and counts the places in which the address stands.
///
/// # Errors
/// When a file cannot be read.
pub fn remains(database: &Path, names: &Names, longer: &[String], progress: Progress<'_>) -> io::Result<Remains> {
    let mut remains = Remains::default();
    for suffix in ["", "-wal", "-shm"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        let file = match std::fs::File::open(&name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !suffix.is_empty() => continue,
            Err(error) => return Err(error),
        };
        let size = i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX);
        let mut read = 0_u64;
        remains.places += names.count_in(file, longer, &mut |bytes| {
            read += bytes;
            progress(Looked {
                what: "the bytes of the database's file",
                done: i64::try_from(read).unwrap_or(size),
                of: size,
            });
        })?;
        remains.files.push((Path::new(&name).display().to_string(), read));
    }
    Ok(remains)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(address: &str) -> Names {
        Names::of(&EmailAddress::parse(address).unwrap(), &[]).unwrap()
    }

    #[test]
    fn an_address_is_found_as_it_is_written_and_not_in_other_peoples() {
        let anna = names("Anna.Lind@b\u{fc}cher.example");
        for (text, expected) in [
            ("anna.lind@xn--bcher-kva.example", true),
            ("<ANNA.LIND@xn--bcher-kva.example>", true),
            ("for anna.lind@b\u{fc}cher.example.", true),
            ("mail=anna.lind%40xn--bcher-kva.example&x", true),
            ("'anna.lind@xn--bcher-kva.example'", true),
            ("hanna.lind@xn--bcher-kva.example", false),
            ("eva.anna.lind@xn--bcher-kva.example", false),
            ("anna.lind@xn--bcher-kva.example.test", false),
            ("anna.lind@xn--bcher-kva.examples", false),
            ("anna.lind", false),
        ] {
            assert_eq!(anna.stand_in(text.as_bytes()), expected, "{text}");
        }
        assert!(names("j\u{dc}rgen@x.test").stand_in("j\u{fc}rgen@x.test".as_bytes()), "the compared form");
    }

    #[test]
    fn a_mail_names_somebody_whatever_its_encoding() {
        let mail = b"From: a@shop.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nZm9yIGFubmFAeC50ZXN0Cg==\r\n";
        assert!(names("anna@x.test").stand_in_mail(mail));
        assert!(!names("nna@x.test").stand_in_mail(mail));
    }

    #[test]
    fn what_remains_is_counted_over_all_seams_but_for_longer_addresses() {
        let anna = names("anna@x.test");
        let mut longer = BTreeSet::new();
        anna.longer_in("hanna@x.test anna@x.test anna@x.test.example", &mut longer);
        let longer = longer.into_iter().collect::<Vec<_>>();
        assert_eq!(longer, ["anna@x.test.example", "hanna@x.test"]);
        for at in [0, 1, CHUNK - 5, CHUNK, CHUNK + LONGEST - 4, CHUNK + 2 * LONGEST - 3, 3 * CHUNK] {
            let mut bytes = vec![b'.'; 3 * CHUNK + 40];
            bytes[at..at + 11].copy_from_slice(b"ANNA@x.test");
            let count = |bytes: &[u8]| anna.count_in(bytes, &longer, &mut |_| {}).unwrap();
            assert_eq!(count(&bytes), 1, "{at}");
            bytes[at..at + 12].copy_from_slice(b"hanna@x.test");
            assert_eq!(count(&bytes), 0, "{at}");
        }
        let wall_to_wall = b"nordanna@x.testanna@x.testAnna";
        assert_eq!(anna.count_in(&wall_to_wall[..], &[], &mut |_| {}).unwrap(), 2);
    }
}
