//! One daemon to a database. The lock is the kernel's, on a file beside the database: it ends with the process, however that
//! ends, so that nothing has to be cleared away after a crash. The support desk does not take it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::StoreError;

/// The right to be the daemon of one database, for as long as it is kept.
#[derive(Debug)]
pub struct DaemonLock {
    _file: File,
}

impl DaemonLock {
    /// Takes the lock `<database>.lock` and writes this process's id into it, without waiting. The file stays behind: taking it
    /// away would let two daemons lock two files of one name.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another daemon has it, [`StoreError::Missing`] when there is no database at `database`,
    /// [`StoreError::Unusable`] when the lock file cannot be written.
    pub fn acquire(database: &Path) -> Result<Self, StoreError> {
        // Two names of one file must not be two locks.
        let database = fs::canonicalize(database).map_err(|why| match why.kind() {
            std::io::ErrorKind::NotFound => StoreError::Missing(database.display().to_string()),
            _ => unusable(database)(why),
        })?;
        Self::take(&database)
    }

    /// The same where there may be no database yet, or no longer, and one is to be put.
    ///
    /// # Errors
    /// As above; [`StoreError::Missing`] when there is not even the folder.
    pub fn acquire_before(database: &Path) -> Result<Self, StoreError> {
        if database.exists() {
            return Self::acquire(database);
        }
        let missing = || StoreError::Missing(database.display().to_string());
        let name = database.file_name().ok_or_else(missing)?;
        let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder).map_err(|_| missing())?;
        Self::take(&folder.join(name))
    }

    fn take(database: &Path) -> Result<Self, StoreError> {
        let unusable = unusable(database);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(lock_path(database)).map_err(&unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Taken { pid: written_pid(&mut file) }),
            Err(TryLockError::Error(why)) => return Err(unusable(why)),
        }
        file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

fn unusable(database: &Path) -> impl Fn(std::io::Error) -> StoreError {
    let place = database.display().to_string();
    move |why| {
        let what = "its lock file cannot be written; the daemon must be able to write to the folder";
        StoreError::unopened(&place, what, &why)
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn written_pid(file: &mut File) -> u32 {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok()).unwrap_or(0)
}
