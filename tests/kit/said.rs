//! What a test says past the harness, which keeps the output of tests that pass to itself: what was not run, and the figures of
//! what was.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Says it on standard error, whether the test passes or not.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{text}").expect("stderr");
}

/// Something that is not tested because a program is missing: says so, the same line once, or fails when
/// `INVITED_REQUIRE_PEERS` wants everything to be there.
#[track_caller]
pub(crate) fn not_run(test: &str, missing: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    assert!(std::env::var_os("INVITED_REQUIRE_PEERS").is_none(), "{test} needs {missing}");
    let line = format!("NOT RUN: {test} needs {missing}");
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
        say(&line);
    }
}
