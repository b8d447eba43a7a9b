//! What the customers' pages count: who asked for what, and what became of it. Pages are named, links and people are not.

use std::time::Duration;

use axum::http::StatusCode;

use crate::meter::{Counter, Kind, MILLISECONDS, Page as Figures, Show, Spread, label};

/// The pages as figures name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Review,
    Later,
    Unsubscribe,
    Data,
    View,
    Order,
    Shop,
    Basic,
    About,
    Hook,
    Robots,
    /// None of ours.
    Other,
}

impl Page {
    const ALL: [(Self, &str); 12] = [
        (Self::Review, "review"),
        (Self::Later, "later"),
        (Self::Unsubscribe, "unsubscribe"),
        (Self::Data, "data"),
        (Self::View, "view"),
        (Self::Order, "order"),
        (Self::Shop, "shop"),
        (Self::Basic, "basic"),
        (Self::About, "about"),
        (Self::Hook, "hook"),
        (Self::Robots, "robots"),
        (Self::Other, "other"),
    ];
}

/// What became of a form that was sent, or of a word by the hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Written,
    Unchanged,
    Deleted,
    PutOff,
    Unsubscribed,
    Undone,
    Exported,
    ErasureAsked,
    /// By the hook.
    Told,
    /// Fields were wrong: the form was given back.
    Invalid,
    /// Its token was no more than a day old, or none: the form was given back.
    Stale,
    /// It came from another site.
    Foreign,
    /// A program had filled in what no person sees.
    Trapped,
    TooLarge,
    /// It was no form of ours.
    Strange,
    /// What it was about is gone.
    Gone,
    /// The store could not be written.
    Failed,
}

impl Outcome {
    const ALL: [(Self, &str); 17] = [
        (Self::Written, "written"),
        (Self::Unchanged, "unchanged"),
        (Self::Deleted, "deleted"),
        (Self::PutOff, "put_off"),
        (Self::Unsubscribed, "unsubscribed"),
        (Self::Undone, "undone"),
        (Self::Exported, "exported"),
        (Self::ErasureAsked, "erasure_asked"),
        (Self::Told, "told"),
        (Self::Invalid, "invalid"),
        (Self::Stale, "stale"),
        (Self::Foreign, "foreign"),
        (Self::Trapped, "trapped"),
        (Self::TooLarge, "too_large"),
        (Self::Strange, "strange"),
        (Self::Gone, "gone"),
        (Self::Failed, "failed"),
    ];
}

/// Why a link was not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    Unknown,
    Expired,
    Revoked,
    Gone,
    /// Too many from one network.
    TooMany,
}

impl Turned {
    const ALL: [(Self, &str); 5] = [
        (Self::Unknown, "unknown"),
        (Self::Expired, "expired"),
        (Self::Revoked, "revoked"),
        (Self::Gone, "gone"),
        (Self::TooMany, "too_many"),
    ];
}

/// What the pages have done since the start.
pub(super) struct Meter {
    /// By page, and by the first digit of the status, from 2 to 5.
    requests: [[Counter; 4]; Page::ALL.len()],
    posts: [Counter; Outcome::ALL.len()],
    turned: [Counter; Turned::ALL.len()],
    answers: Spread<12>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            requests: std::array::from_fn(|_| std::array::from_fn(|_| Counter::default())),
            posts: std::array::from_fn(|_| Counter::default()),
            turned: std::array::from_fn(|_| Counter::default()),
            answers: Spread::new(&MILLISECONDS),
        }
    }
}

impl Meter {
    /// A request was answered.
    pub(super) fn answered(&self, page: Page, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(2).min(3);
        if let Some(counter) = self.requests.get(page as usize).and_then(|classes| classes.get(class)) {
            counter.one();
        }
        self.answers.took(took);
    }

    /// A form came to this end.
    pub(super) fn post(&self, outcome: Outcome) {
        if let Some(counter) = self.posts.get(outcome as usize) {
            counter.one();
        }
    }

    /// A link was not followed.
    pub(super) fn turned(&self, why: Turned) {
        if let Some(counter) = self.turned.get(why as usize) {
            counter.one();
        }
    }
}

impl Show for Meter {
    fn show(&self, figures: &mut Figures) {
        let requests = Page::ALL.iter().zip(&self.requests).flat_map(|((_, page), classes)| {
            let classes = ["2xx", "3xx", "4xx", "5xx"].into_iter().zip(classes);
            classes.map(move |(class, counter)| {
                (format!("{},{}", label("page", page), label("status", class)), counter.get())
            })
        });
        figures.family(
            Kind::Counter,
            "invited_pages_requests_total",
            "Requests for customers' pages, by page and class of the status.",
            requests.collect::<Vec<_>>(),
        );
        let posts = Outcome::ALL.iter().zip(&self.posts).map(|((_, outcome), counter)| (*outcome, counter));
        figures.counters(
            "invited_pages_posts_total",
            "Forms that customers sent, by what became of them.",
            "outcome",
            posts,
        );
        let turned = Turned::ALL.iter().zip(&self.turned).map(|((_, why), counter)| (*why, counter));
        figures.counters(
            "invited_pages_refused_links_total",
            "Links that were not followed, by reason.",
            "reason",
            turned,
        );
        figures.spans("invited_pages_seconds", "Time from a request's head to its answer.", &self.answers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_where_its_counter_is() {
        assert!(Page::ALL.iter().enumerate().all(|(at, (page, _))| *page as usize == at));
        assert!(Outcome::ALL.iter().enumerate().all(|(at, (outcome, _))| *outcome as usize == at));
        assert!(Turned::ALL.iter().enumerate().all(|(at, (why, _))| *why as usize == at));
    }

    #[test]
    fn what_was_counted_is_shown() {
        let meter = Meter::default();
        meter.answered(Page::Review, StatusCode::OK, Duration::from_millis(1));
        meter.answered(Page::Other, StatusCode::NOT_FOUND, Duration::from_millis(1));
        meter.post(Outcome::Failed);
        meter.turned(Turned::TooMany);
        let mut figures = Figures::default();
        meter.show(&mut figures);
        let text = figures.into_text();
        for line in [
            "invited_pages_requests_total{page=\"review\",status=\"2xx\"} 1\n",
            "invited_pages_requests_total{page=\"other\",status=\"4xx\"} 1\n",
            "invited_pages_posts_total{outcome=\"failed\"} 1\n",
            "invited_pages_refused_links_total{reason=\"too_many\"} 1\n",
            "invited_pages_seconds_count 2\n",
        ] {
            assert!(text.contains(line), "{line} is missing: {text}");
        }
    }
}
