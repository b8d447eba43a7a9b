//! A copy of a file in use, and the way back from it. Neither leaves anything half done under its final name: what is made is made
//! beside it, written to disk, looked through, and only then given the name.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::sql::engine::Engine;
use super::sql::fault::Fault;
use super::sqlite::{Contents, File, Knows, TakenOver};
use super::{Actor, DaemonLock, Role, SqlStore, Store as _, StoreError, open, owner};
use crate::config::Database;
use crate::domain::{Gap, InvitationId, Policies, Timestamp};

/// Why there is no backup, or why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database, or the backup, cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file stands where one is to be made.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// Somebody has the file open, so it is not whole.
    #[error("{0} is in use, and part of it is in the file beside it; make a backup of it with: invited backup")]
    InUse(PathBuf),
    /// Nobody wrote down when the file was made, or it is younger than now.
    #[error("{0}")]
    WhenUnknown(String),
    /// A file cannot be read, written or renamed.
    #[error("{place}: {error}")]
    Io {
        /// Which.
        place: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
}

impl BackupError {
    fn io(place: &Path) -> impl FnOnce(io::Error) -> Self {
        let place = place.to_owned();
        |error| match error.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists(place),
            _ => Self::Io { place, error },
        }
    }
}

/// A backup that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackedUp {
    /// The instant before which everything is in it.
    pub at: Timestamp,
    /// Its size.
    pub bytes: u64,
    /// What is in it.
    pub contents: Contents,
}

/// Makes a backup of the queue in the file `database` at `to`, which must not exist: whole as of one instant, while others read and write.
/// Nobody waits for it. It is looked through and on disk when this comes back, and the queue knows when it was made.
///
/// # Errors
/// When there is none; nothing is left at `to` then.
pub async fn backup(database: &Path, to: &Path, now: Timestamp) -> Result<BackedUp, BackupError> {
    // Whoever may not write to the queue would leave files of his own beside it.
    let store = open(&Database::Sqlite(database.to_owned()), None, Role::Desk).await?;
    let made = make(&File::new(database), to, now).await;
    if made.is_ok()
        && let Err(error) = store.note_backup(now).await
    {
        tracing::warn!(%error, "the backup is made, but the queue could not note it");
    }
    store.close().await;
    made
}

async fn make(database: &File, to: &Path, now: Timestamp) -> Result<BackedUp, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let part = Part::create(to, "part")?;
    database.copy_whole(&part.path).await?;
    let contents = File::new(&part.path).sign_backup(now).await?;
    let bytes = part.sync()?;
    part.take_name(to)?;
    Ok(BackedUp { at: now, bytes, contents })
}

/// What is to be restored, and how.
#[derive(Debug)]
pub struct Restoration<'r> {
    /// The backup.
    pub backup: &'r Path,
    /// Where the queue is to be.
    pub to: &'r Path,
    /// Whether a queue that is there is to be kept beside it under another name; refused otherwise.
    pub replace: bool,
    /// When the backup was made, for one that does not know it itself.
    pub since: Option<Timestamp>,
    /// Whether a person says that no letter went out before its time since then, so that only what was due may have gone.
    pub on_time: bool,
    /// The shops' rules, by which it is told what may have gone out.
    pub policies: Arc<Policies>,
    /// Who does it.
    pub actor: Actor,
    /// The present time.
    pub now: Timestamp,
}

/// A queue that was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The time of which it knows nothing, but for what was taken over.
    pub gap: Gap,
    /// What is in it.
    pub contents: Contents,
    /// What the queue that was there before knew better.
    pub taken: TakenOver,
    /// The invitations whose letters may have gone out in that time. They are held. None where the queue that was there knew everything.
    pub held: Vec<InvitationId>,
    /// Where the queue is that was there before.
    pub kept: Option<PathBuf>,
}

/// Puts a backup in the place of a queue. What the queue that was there knows of the time since the backup was made is taken over, and
/// unless that is everything, what may have been sent since is held, in the same step.
///
/// # Errors
/// [`StoreError::Taken`] while a daemon works there. Whatever is wrong, what was there is as it was.
pub async fn restore(order: &Restoration<'_>) -> Result<Restored, BackupError> {
    if order.to.exists() && !order.replace {
        // Whose work it is comes first: whoever is told of --replace tries it.
        drop(DaemonLock::acquire_before(order.to)?);
        return Err(BackupError::Exists(order.to.to_owned()));
    }
    // A link stays a link to the queue.
    let to = fs::canonicalize(order.to).unwrap_or_else(|_| order.to.to_owned());
    let order = &Restoration { to: &to, policies: Arc::clone(&order.policies), actor: order.actor.clone(), ..*order };
    owner::check(order.to)?;
    let _lock = DaemonLock::acquire_before(order.to)?;
    if fs::metadata(with_suffix(order.backup, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::InUse(order.backup.to_owned()));
    }
    // Of a restoration that was interrupted; the lock says that nobody is at it.
    Part::remove(&named(order.to, RESTORING));
    let part = Part::create(order.to, RESTORING)?;
    let mut from = fs::File::open(order.backup).map_err(BackupError::io(order.backup))?;
    let mut into = OpenOptions::new().write(true).open(&part.path).map_err(BackupError::io(&part.path))?;
    io::copy(&mut from, &mut into).map_err(BackupError::io(&part.path))?;
    drop(into);

    let file = File::new(&part.path);
    let made_at = file.prepare_backup(order.backup).await?;
    let since = made_at.or(order.since).ok_or_else(|| {
        BackupError::WhenUnknown(format!(
            "{} does not say when it was made, since invited backup did not make it",
            order.backup.display()
        ))
    })?;
    if since > order.now {
        let why = "was made in the future; is this machine's clock right?";
        return Err(BackupError::WhenUnknown(format!("{} {why}", order.backup.display())));
    }
    let taken = take_over(order.to, &file, made_at).await?;
    let gap = Gap { since, until: order.now, on_time: order.on_time };
    let store = SqlStore::start(Engine::Sqlite(file.clone()), None).await.map_err(Fault::into_store_error)?;
    let held = if taken.knows == Knows::Everything {
        store.note_put_back(gap).await.map(|()| Vec::new())
    } else {
        store.hold_restored(gap, &order.actor, Arc::clone(&order.policies)).await
    };
    store.close().await;
    let held = held?;
    let contents = file.settle().await?;
    part.sync()?;
    let kept = set_aside(order)?;
    part.take_name(order.to)?;
    Ok(Restored { gap, contents, taken, held, kept })
}

/// Takes over what the queue `there` knows, if it can be read. It is read in a copy: it may have an older schema, and it is kept as it is.
async fn take_over(there: &Path, restored: &File, made_at: Option<Timestamp>) -> Result<TakenOver, BackupError> {
    let nothing = |why: String| TakenOver { knows: Knows::Nothing(why), invitations: 0, erased: 0 };
    if !there.exists() {
        return Ok(nothing("no queue was there".to_owned()));
    }
    Part::remove(&named(there, COMPARING));
    let part = Part::create(there, COMPARING)?;
    let present = File::new(&part.path);
    match File::new(there).copy_readable(&present).await {
        Ok(()) => Ok(restored.take_over(&present, made_at).await?),
        Err(error) => Ok(nothing(format!("the queue that was there cannot be read: {error}"))),
    }
}

/// Holds what may have been sent since `since` in a queue that something else put back: a server's own means, a snapshot of a disk.
///
/// # Errors
/// [`StoreError::Taken`] while a daemon works there. Nothing was changed then.
pub async fn hold_since(
    database: &Database,
    password: Option<&str>,
    gap: Gap,
    actor: &Actor,
    policies: Arc<Policies>,
) -> Result<Vec<InvitationId>, BackupError> {
    let store = open(database, password, Role::Daemon).await?;
    let held = async {
        if store.daemons(gap.until).await? > 0 {
            return Err(StoreError::Taken { pid: 0 });
        }
        store.hold_restored(gap, actor, policies).await
    };
    let held = held.await;
    store.close().await;
    Ok(held?)
}

const RESTORING: &str = "restoring";

/// Behind the name of the copy in which the queue that is replaced is read.
const COMPARING: &str = "comparing";

/// Files of SQLite's beside the database. The log first: a new file must never meet an old one's.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Gives the queue that stands there another name.
fn set_aside(order: &Restoration<'_>) -> Result<Option<PathBuf>, BackupError> {
    let kept = named(order.to, &format!("before-{}", order.now.0));
    for suffix in BESIDE {
        let (from, to) = (with_suffix(order.to, suffix), with_suffix(&kept, suffix));
        if from.exists() {
            renameat_with(CWD, &from, CWD, &to, RenameFlags::NOREPLACE)
                .map_err(|error| BackupError::io(&to)(error.into()))?;
        }
    }
    if !order.to.exists() {
        return Ok(None);
    }
    renameat_with(CWD, order.to, CWD, &kept, RenameFlags::NOREPLACE)
        .map_err(|error| BackupError::io(&kept)(error.into()))?;
    Ok(Some(kept))
}

/// `invited.db` with a word behind it: `invited.db.restoring`.
fn named(path: &Path, word: &str) -> PathBuf {
    with_suffix(path, &format!(".{word}"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A file that is being made beside its final name; gone when it does not come to that.
struct Part {
    path: PathBuf,
}

impl Part {
    fn create(beside: &Path, word: &str) -> Result<Self, BackupError> {
        let path = named(beside, word);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(BackupError::io(&path))?;
        Ok(Self { path })
    }

    /// Makes it durable; its size.
    fn sync(&self) -> Result<u64, BackupError> {
        let synced = fs::File::open(&self.path).and_then(|file| file.sync_all().and_then(|()| file.metadata()));
        synced.map(|found| found.len()).map_err(BackupError::io(&self.path))
    }

    /// Gives it its name, durably.
    fn take_name(&self, name: &Path) -> Result<(), BackupError> {
        renameat_with(CWD, &self.path, CWD, name, RenameFlags::NOREPLACE)
            .map_err(|error| BackupError::io(name)(error.into()))?;
        let folder = name.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(BackupError::io(folder))
    }

    fn remove(path: &Path) {
        for suffix in BESIDE.iter().copied().chain(["-journal", ""]) {
            let _ = fs::remove_file(with_suffix(path, suffix));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        Self::remove(&self.path);
    }
}
