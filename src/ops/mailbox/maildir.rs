//! Maildir: a file a message, those delivered in `new` and those seen in `cur`. What stands in `tmp` is not delivered yet.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Found, too_large};

/// The messages of a folder, in the order of their names, which begin with the time of delivery.
#[derive(Debug)]
pub struct Maildir {
    files: std::vec::IntoIter<PathBuf>,
    limit: usize,
}

impl Maildir {
    /// Looks into a folder. Messages of more than `limit` bytes are told and left out.
    ///
    /// # Errors
    /// When it is no Maildir, or cannot be read.
    pub fn open(folder: &Path, limit: usize) -> io::Result<Self> {
        let mut files = Vec::new();
        let mut has_any = false;
        for part in ["new", "cur"] {
            let entries = match fs::read_dir(folder.join(part)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            has_any = true;
            for entry in entries {
                let path = entry?.path();
                let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
                if !is_hidden && path.is_file() {
                    files.push(path);
                }
            }
        }
        if !has_any {
            return Err(io::Error::new(ErrorKind::InvalidInput, "is no Maildir: it has neither a folder cur nor new"));
        }
        files.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
        Ok(Self { files: files.into_iter(), limit })
    }

    /// How many messages are left.
    pub fn left(&self) -> usize {
        self.files.len()
    }
}

impl Iterator for Maildir {
    type Item = io::Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.files.next()?;
        let place = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let size = fs::metadata(&path).map(|metadata| metadata.len());
        Some(Ok(match size {
            Ok(size) if size > self.limit as u64 => Found::Bad { place, why: too_large(self.limit) },
            _ => match fs::read(&path) {
                Ok(message) => Found::Mail { place, message },
                // A mail program may move or delete it at any time.
                Err(error) => Found::Bad { place, why: format!("it cannot be read: {error}") },
            },
        }))
    }
}
