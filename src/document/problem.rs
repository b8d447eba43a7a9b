//! One mistake in a document, and the list of all of them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

/// A mistake in a file that a person wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file as the person named it.
    pub file: String,
    /// Line, from 1; 0 when the problem is with the file as a whole.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key's path, `shop[0].relay`; empty for a syntax error.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// A problem with a file as a whole, such as one that cannot be read.
    pub fn with_file(file: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.into(), line: 0, column: 0, key: String::new(), what: what.into(), remedy: remedy.into() }
    }
}

/// `file:line:column: key: what is wrong; remedy`, the form that editors jump to.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.what)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

/// Collects problems while a document is read. Shared by all tables of a reading, hence the inner mutability.
#[derive(Debug, Default)]
pub struct Problems {
    noted: RefCell<Vec<Problem>>,
    asked: RefCell<BTreeSet<String>>,
}

impl Problems {
    /// Notes a problem.
    pub fn add(&self, problem: Problem) {
        self.noted.borrow_mut().push(problem);
    }

    /// Notes several problems.
    pub fn extend(&self, problems: impl IntoIterator<Item = Problem>) {
        self.noted.borrow_mut().extend(problems);
    }

    /// Whether none was noted so far.
    pub fn is_empty(&self) -> bool {
        self.noted.borrow().is_empty()
    }

    /// The path of every key that was asked for, there or not. With it a test can hold a documented example against its reader.
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }

    pub(super) fn ask(&self, path: String) {
        self.asked.borrow_mut().insert(path);
    }

    /// All problems, in the order of their places.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut all = self.noted.into_inner();
        all.sort();
        all.dedup();
        all
    }
}
