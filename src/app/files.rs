//! Reading what the configuration points at: the file itself, templates, letters and secrets. Every failure is a [`Problem`] that
//! names the file and the way out.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::config::{self, Config, Database, Secret};
use crate::document::{Document, Problem};
use crate::letter::{LetterFile, Letters};
use crate::page::{PageFile, Pages};
use crate::read::Templates;

/// Reads and checks a configuration file.
///
/// # Errors
/// All problems of the file at once.
pub fn load_config(path: &Path) -> Result<Config, Vec<Problem>> {
    let document = read_config_file(path).map_err(|problem| vec![problem])?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    config::parse(&document, folder)
}

/// The text of a configuration file.
///
/// # Errors
/// When it cannot be read.
pub fn read_config_file(path: &Path) -> Result<Document, Problem> {
    let name = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => Ok(Document::new(name, text)),
        Err(error) => Err(Problem::with_file(
            name,
            format!("cannot be read: {error}"),
            match error.kind() {
                ErrorKind::NotFound => "name the file with --config, or write one with: invited init",
                ErrorKind::PermissionDenied => "run as the user who owns it",
                _ => "see that it is a text file in UTF-8",
            },
        )),
    }
}

/// The templates that ship, with those of a folder laid over them.
///
/// # Errors
/// All problems of all files at once.
pub fn load_templates(folder: Option<&Path>) -> Result<Templates, Vec<Problem>> {
    let Some(folder) = folder else { return Ok(Templates::embedded()) };
    let (documents, problems) = template_files(folder);
    match Templates::with_overrides(documents) {
        Ok(templates) if problems.is_empty() => Ok(templates),
        Ok(_) => Err(problems),
        Err(more) => Err(problems.into_iter().chain(more).collect()),
    }
}

/// The same while a daemon runs that has files in force already: a file that cannot be read or used any more goes on as it was
/// `before`, see [`Templates::reloaded`]. With the templates comes everything that is wrong.
pub(super) fn reload_templates(folder: Option<&Path>, before: &[Document]) -> (Templates, Vec<Problem>) {
    let Some(folder) = folder else { return (Templates::embedded(), Vec::new()) };
    let (mut documents, mut problems) = template_files(folder);
    // A folder that cannot be read stands for all that was in it.
    let lost = |file: &Document| problems.iter().any(|problem| Path::new(file.file()).starts_with(&problem.file));
    let known = |file: &Document| documents.iter().any(|document| document.file() == file.file());
    let kept = before.iter().filter(|file| lost(file) && !known(file)).cloned().collect::<Vec<_>>();
    documents.extend(kept);
    documents.sort_by(|a, b| Path::new(a.file()).cmp(Path::new(b.file())));
    let (templates, more) = Templates::reloaded(documents, before);
    problems.extend(more);
    (templates, problems)
}

/// The texts of the templates and words in a folder, and what cannot be read of it.
pub fn template_files(folder: &Path) -> (Vec<Document>, Vec<Problem>) {
    let mut documents = Vec::new();
    let mut problems = Vec::new();
    for path in files_below(folder, &mut problems) {
        if path.extension().is_some_and(|extension| extension == "toml") {
            match fs::read_to_string(&path) {
                Ok(text) => documents.push(Document::new(path.display().to_string(), text)),
                Err(error) => problems.push(unreadable(&path, &error)),
            }
        }
    }
    (documents, problems)
}

/// The letters that ship, with those of a folder laid over them.
///
/// # Errors
/// All problems of all files at once.
pub fn load_letters(folder: Option<&Path>) -> Result<Letters, Vec<Problem>> {
    let Some(folder) = folder else { return Ok(Letters::embedded()) };
    let (files, problems) = letter_files(folder);
    match Letters::with_overrides(files) {
        Ok(letters) if problems.is_empty() => Ok(letters),
        Ok(_) => Err(problems),
        Err(more) => Err(problems.into_iter().chain(more).collect()),
    }
}

/// The letters of a folder, and what cannot be read of it.
pub fn letter_files(folder: &Path) -> (Vec<LetterFile>, Vec<Problem>) {
    let (files, problems) = texts_below(folder);
    (files.into_iter().map(|(path, text)| LetterFile { path, text }).collect(), problems)
}

/// The customers' pages that ship, with those of a folder laid over them.
///
/// # Errors
/// All problems of all files at once.
pub fn load_pages(folder: Option<&Path>) -> Result<Pages, Vec<Problem>> {
    let Some(folder) = folder else { return Ok(Pages::embedded()) };
    let (files, problems) = texts_below(folder);
    let files = files.into_iter().map(|(path, text)| PageFile { path, text }).collect();
    match Pages::with_overrides(files) {
        Ok(pages) if problems.is_empty() => Ok(pages),
        Ok(_) => Err(problems),
        Err(more) => Err(problems.into_iter().chain(more).collect()),
    }
}

/// The files below a folder by their paths in it, and what cannot be read of it.
fn texts_below(folder: &Path) -> (Vec<(String, String)>, Vec<Problem>) {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in files_below(folder, &mut problems) {
        match (fs::read_to_string(&path), path.strip_prefix(folder)) {
            (Ok(text), Ok(inside)) => files.push((inside.display().to_string(), text)),
            (Err(error), _) => problems.push(unreadable(&path, &error)),
            (Ok(_), Err(_)) => {}
        }
    }
    (files, problems)
}

/// A secret's value, without the line end that editors add.
///
/// # Errors
/// When the file cannot be read, is empty, or when others than its owner may read it.
pub fn read_secret(secret: &Secret) -> Result<String, Problem> {
    let path = match secret {
        Secret::File(path) => path.clone(),
        Secret::Credential(name) => match credentials_directory() {
            Some(folder) => folder.join(name),
            None => {
                return Err(Problem::with_file(
                    name.clone(),
                    "is a systemd credential, but no credentials were passed to this process",
                    "add LoadCredential= to the unit, or name a file instead: { file = \"…\" }",
                ));
            }
        },
    };
    let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    let value = text.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(Problem::with_file(path.display().to_string(), "is empty", "put the secret into it"));
    }
    if matches!(secret, Secret::File(_)) && readable_by_others(&path) {
        return Err(Problem::with_file(
            path.display().to_string(),
            "can be read by others than its owner",
            format!("chmod 600 {}", path.display()),
        ));
    }
    Ok(value.to_owned())
}

/// The password of a database's server, when its settings name one.
///
/// # Errors
/// When it cannot be read.
pub fn database_password(database: &Database) -> Result<Option<String>, Vec<Problem>> {
    let secret = match database {
        Database::Sqlite(_) => None,
        Database::Postgres(server) => server.password.as_ref(),
    };
    secret.map(read_secret).transpose().map_err(|problem| vec![problem])
}

#[expect(
    clippy::disallowed_methods,
    reason = "systemd passes the folder of credentials in the environment, and nowhere else"
)]
fn credentials_directory() -> Option<PathBuf> {
    std::env::var("CREDENTIALS_DIRECTORY").ok().map(PathBuf::from)
}

fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// The files of a folder and those inside it, hidden ones left out, in the order of their names.
pub(super) fn files_below(folder: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        match fs::read_dir(&folder) {
            Ok(entries) => {
                for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
                    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
                    if path.is_dir() && !hidden {
                        folders.push(path);
                    } else if path.is_file() && !hidden {
                        files.push(path);
                    }
                }
            }
            Err(error) => problems.push(unreadable(&folder, &error)),
        }
    }
    files.sort();
    files
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::with_file(
        path.display().to_string(),
        format!("cannot be read: {error}"),
        "see that it exists and that the daemon's user may read it",
    )
}
