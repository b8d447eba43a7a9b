//! Test sets on disk: mails with their expected results beside them.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{files_below, unreadable};
use crate::document::{Document, Problem};
use crate::read::expected::Expected;

/// A mail of a test set, `NAME.eml`, with what stands beside it in `NAME.json`.
pub struct Sample {
    path: PathBuf,
    /// Its place in the test set, `shopify/order-en-1.eml`.
    pub place: String,
    /// The folder that it is in, which is its platform.
    pub platform: String,
    /// What it ought to be read as.
    pub expected: Expected,
}

impl Sample {
    /// The mail itself. Test sets may be large, so it is read when it is wanted.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn mail(&self) -> io::Result<Vec<u8>> {
        fs::read(&self.path)
    }
}

/// Finds the mails below a folder, in the order of their places, each with its expected result.
///
/// # Errors
/// All problems at once: no mails, a mail without an expected result or the other way round, results that cannot be understood.
pub fn load_samples(folder: &Path) -> Result<Vec<Sample>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut samples = Vec::new();
    let files = files_below(folder, &mut problems);
    for path in &files {
        let beside = |extension: &str| files.binary_search(&path.with_extension(extension)).is_ok();
        match path.extension().and_then(OsStr::to_str) {
            Some("eml") if beside("json") => match expected(&path.with_extension("json")) {
                Ok(expected) => samples.push(sample(folder, path, expected)),
                Err(problem) => problems.push(problem),
            },
            Some("eml") => problems.push(Problem::with_file(
                path.display().to_string(),
                "has no expected result beside it",
                format!("write {}, such as {{ \"outcome\": \"ignored\" }}", path.with_extension("json").display()),
            )),
            Some("json") if !beside("eml") => problems.push(Problem::with_file(
                path.display().to_string(),
                "has no mail beside it",
                format!("save the mail as {}", path.with_extension("eml").display()),
            )),
            _ => {}
        }
    }
    if samples.is_empty() && problems.is_empty() {
        problems.push(Problem::with_file(
            folder.display().to_string(),
            "holds no mails",
            "save mails as NAME.eml and what they ought to be read as in NAME.json beside them",
        ));
    }
    if problems.is_empty() { Ok(samples) } else { Err(problems) }
}

fn expected(path: &Path) -> Result<Expected, Problem> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    Expected::parse(&Document::new(path.display().to_string(), text))
}

fn sample(folder: &Path, path: &Path, expected: Expected) -> Sample {
    let inside = path.strip_prefix(folder).unwrap_or(path);
    let platform = inside.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| {
        // Mails of one platform alone; the folder may have been given as `.` or with `..` in it.
        Path::new(folder.file_name().unwrap_or(OsStr::new("mails")))
    });
    Sample {
        place: inside.display().to_string(),
        platform: platform.display().to_string(),
        path: path.to_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_are_found_with_their_results_and_their_platforms() {
        let folder = tempfile::tempdir().unwrap();
        let write = |place: &str, text: &str| {
            let path = folder.path().join(place);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("b/two.eml", "From: a@b.test\n\n");
        write("b/two.json", "{\"outcome\": \"held\"}");
        write("one.eml", "");
        write("one.json", "{\"outcome\": \"ignored\"}");
        write("README.md", "mails of our shop");
        let root = folder.path().file_name().unwrap().to_str().unwrap();
        let samples = load_samples(folder.path()).ok().unwrap();
        let places = samples.iter().map(|one| (one.place.as_str(), one.platform.as_str())).collect::<Vec<_>>();
        assert_eq!(places, [("b/two.eml", "b"), ("one.eml", root)]);
        assert_eq!(samples[0].mail().unwrap(), b"From: a@b.test\n\n");
    }

    #[test]
    fn what_does_not_belong_together_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let told = || {
            let problems = load_samples(folder.path()).err().unwrap();
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert!(told().contains("holds no mails; save mails as NAME.eml"));
        for (name, text) in [("a.eml", ""), ("b.json", "{}"), ("c.eml", ""), ("c.json", "{\n\"x\": 1}")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let told = told();
        for words in ["a.eml: has no expected result", "b.json: has no mail", "c.json: does not say what"] {
            assert!(told.contains(words), "{told}");
        }
        assert!(load_samples(Path::new("/nowhere/at/all")).err().unwrap()[0].what.contains("cannot be read"));
    }
}
