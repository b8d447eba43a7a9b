//! What the writers count.

use std::time::Duration;

use crate::meter::{Counter, MILLISECONDS, Page, Show, Spread};

/// Callers that share a commit.
static SHARED: [u64; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// What the writers of one store have done since it was opened.
#[derive(Debug)]
pub struct Meter {
    commits: Spread<12>,
    shared: Spread<8>,
    failures: Counter,
}

impl Default for Meter {
    fn default() -> Self {
        Self { commits: Spread::new(&MILLISECONDS), shared: Spread::new(&SHARED), failures: Counter::default() }
    }
}

impl Meter {
    /// A transaction of so many callers is durable, so long after it began.
    pub(super) fn committed(&self, callers: usize, took: Duration) {
        self.commits.took(took);
        self.shared.saw(callers as u64);
    }

    /// A transaction failed by the database's fault.
    pub(super) fn failed(&self) {
        self.failures.one();
    }
}

impl Show for Meter {
    fn show(&self, page: &mut Page) {
        page.spans(
            "invited_store_commit_seconds",
            "Time from the beginning of a transaction until it was durable.",
            &self.commits,
        );
        page.numbers("invited_store_commit_callers", "Callers that shared a transaction.", &self.shared);
        page.counter(
            "invited_store_failures_total",
            "Transactions that failed by the database's fault.",
            &self.failures,
        );
    }
}
