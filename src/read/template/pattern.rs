//! A regex of a template. Those that ship are compiled when they are first asked: together they take more memory and time than all
//! else that is loaded, and a shop has mails of one platform.

use std::ops::Deref;
use std::sync::{LazyLock, OnceLock};

use regex::{Regex, RegexBuilder};

/// Bytes of a compiled pattern.
const COMPILED: usize = 4 * 1024 * 1024;

/// Stands for a pattern that cannot be compiled. A test compiles every one that ships.
static NEVER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[^\s\S]").expect("a constant, and tested"));

/// A regex, compiled or yet to be.
pub(in crate::read) struct Pattern {
    text: String,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    /// A pattern that is compiled at once.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn checked(text: String) -> Result<Self, regex::Error> {
        let compiled = OnceLock::from(compile(&text)?);
        Ok(Self { text, compiled })
    }

    /// A pattern that is known to be right.
    pub(super) fn known(text: String) -> Self {
        Self { text, compiled: OnceLock::new() }
    }
}

impl Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        self.compiled.get_or_init(|| compile(&self.text).unwrap_or_else(|_| NEVER.clone()))
    }
}

fn compile(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(COMPILED).nest_limit(50).build()
}
