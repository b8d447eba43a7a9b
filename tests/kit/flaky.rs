//! A store that fails when it is told to, for tests of what stands above it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use invited::domain::{
    AddressKey, Attempt, CopyId, CustomerNews, Decision, Doubt, EmailAddress, Invitation, InvitationId, LetterId,
    ListKey, OrderReference, Policies, Review, ReviewId, ShopId, Timestamp,
};
use invited::store::{
    Actor, Alarm, AnswerFiled, AnsweredLetter, Claim, ClaimAsk, Claimed, Counts, DecisionRecord, DeskAsk, DeskFiling,
    DeskOutcome, Discarded, ErasureRequest, Figure, Filed, FiledAnswer, FiledReading, Filter, HeldCount, HeldFilter,
    Listed, NewCopy, NewEntry, NewReviews, Page, Pause, Recovered, Reinvited, Report, ReviewCount, ReviewEdit,
    ReviewFilter, ReviewsOf, ReviewsWritten, Settled, ShopComplaints, ShopHours, Standing, Store, StoreError,
    StoredCopy, StoredEntry, Story, Subject, UnreadCopy, WatchFigures,
};

/// Hands every call on to another store, save those that were told to fail.
pub(crate) struct FlakyStore {
    inner: Arc<dyn Store>,
    faults: Mutex<HashMap<&'static str, Fault>>,
}

/// Which calls of a method fail, and how.
struct Fault {
    error: StoreError,
    calls: Range<usize>,
    seen: usize,
}

impl FlakyStore {
    /// In front of `inner`.
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, faults: Mutex::default() }
    }

    /// Lets these calls of `method`, counted from now, fail with `error`, without reaching the store.
    pub(crate) fn fail(&self, method: &'static str, error: StoreError, calls: Range<usize>) {
        self.faults.lock().unwrap().insert(method, Fault { error, calls, seen: 0 });
    }

    fn pass(&self, method: &'static str) -> Result<(), StoreError> {
        let mut faults = self.faults.lock().unwrap();
        let Some(fault) = faults.get_mut(method) else { return Ok(()) };
        fault.seen += 1;
        if fault.calls.contains(&(fault.seen - 1)) { Err(fault.error.clone()) } else { Ok(()) }
    }
}

macro_rules! hand_on {
    ($($method:ident($($argument:ident: $of:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for FlakyStore {
            $(async fn $method(&self, $($argument: $of),*) -> Result<$answer, StoreError> {
                self.pass(stringify!($method))?;
                self.inner.$method($($argument),*).await
            })*

            async fn close(&self) {
                self.inner.close().await;
            }
        }
    };
}

hand_on! {
    spool(copies: Vec<NewCopy>) -> Vec<CopyId>;
    ready() -> ();
    claim_copies(limit: usize, attempts_at_most: u32, owner: &str, now: Timestamp) -> Vec<UnreadCopy>;
    file_readings(readings: Arc<[FiledReading]>, policies: Arc<Policies>, now: Timestamp) -> Vec<Filed>;
    answered_letters(letters: &[LetterId]) -> Vec<AnsweredLetter>;
    file_answers(answers: Arc<[FiledAnswer]>, policies: Arc<Policies>, now: Timestamp) -> Vec<AnswerFiled>;
    claim_due(ask: ClaimAsk, policies: Arc<Policies>, now: Timestamp) -> Claimed;
    mark_on_the_wire(claim: &Claim, message_id: &str, now: Timestamp) -> bool;
    settle(claim: &Claim, attempt: Attempt, reply: &str, policies: Arc<Policies>, now: Timestamp) -> Option<Settled>;
    beat(owner: &str, lease_until: Timestamp, now: Timestamp) -> ();
    leave(owner: &str) -> ();
    release(owner: &str, in_hand: Vec<Claim>, policies: Arc<Policies>, now: Timestamp) -> Recovered;
    recover(owner: &str, policies: Arc<Policies>, now: Timestamp) -> Recovered;
    desk_all(asks: Vec<DeskAsk>, actor: &Actor, policies: Arc<Policies>, now: Timestamp) -> Vec<DeskOutcome>;
    reinvite(invitation: InvitationId, due: Timestamp, actor: &Actor, policies: Arc<Policies>, now: Timestamp) -> Reinvited;
    list(filter: &Filter, before: Option<InvitationId>, limit: usize) -> Page;
    story(subject: &Subject) -> Story;
    histories(since: Timestamp, after: Option<(Timestamp, InvitationId)>, limit: usize) -> Vec<(Invitation, Vec<DecisionRecord>)>;
    standings(invitations: &[Invitation], policies: Arc<Policies>, now: Timestamp) -> HashMap<InvitationId, Standing>;
    held_copies(filter: &HeldFilter, before: Option<CopyId>, limit: usize) -> Vec<StoredCopy>;
    ignored_copies(filter: &HeldFilter, before: Option<CopyId>, limit: usize) -> Vec<StoredCopy>;
    count_held(filter: &HeldFilter) -> Vec<HeldCount>;
    file_for_desk(readings: Arc<[FiledReading]>, filing: &DeskFiling, policies: Arc<Policies>, now: Timestamp) -> Vec<Filed>;
    file_again(readings: Arc<[FiledReading]>, policies: Arc<Policies>, now: Timestamp) -> Vec<Filed>;
    copies_again(now: Timestamp, limit: usize) -> Vec<CopyId>;
    in_doubt(asked: &[(ShopId, Doubt)], since: Timestamp) -> Vec<(ShopId, Doubt)>;
    discard(copies: Vec<CopyId>, actor: &Actor, now: Timestamp) -> Vec<Discarded>;
    watch_figures() -> WatchFigures;
    watch_hours(shops: &[ShopId], since: Timestamp) -> ShopHours;
    raise_alarm(alarm: &Alarm) -> bool;
    clear_alarm(alarm: &Alarm) -> bool;
    purge_hours(before: Timestamp) -> u64;
    copy(id: CopyId) -> Option<(StoredCopy, Option<Vec<u8>>)>;
    next_due() -> Vec<(ShopId, Timestamp)>;
    figures(since_day: i64, shop: Option<&ShopId>) -> Vec<Figure>;
    complaints(today: i64) -> Vec<ShopComplaints>;
    pause(shop: Option<&ShopId>, actor: &Actor, now: Timestamp) -> bool;
    resume(shop: Option<&ShopId>) -> bool;
    pauses() -> Vec<Pause>;
    report(report: &Report) -> ();
    reports() -> Vec<Report>;
    counts() -> Counts;
    purge(received_before: Timestamp, limit: usize) -> u64;
    write_reviews(new: NewReviews, policies: Arc<Policies>, now: Timestamp) -> ReviewsWritten;
    delete_reviews(whose: &ReviewsOf, by: Option<&Actor>, now: Timestamp) -> Vec<ReviewId>;
    reviews_of(whose: &ReviewsOf) -> Vec<Review>;
    list_reviews(filter: &ReviewFilter, before: Option<ReviewId>, limit: usize) -> Vec<Review>;
    review_history(id: ReviewId) -> Vec<ReviewEdit>;
    review_counts(shop: &ShopId) -> Vec<ReviewCount>;
    customer_news(invitation: InvitationId, news: CustomerNews, policies: Arc<Policies>, now: Timestamp) -> Option<Decision>;
    unsubscribe(entry: NewEntry, by_link_of: Option<InvitationId>, policies: Arc<Policies>, now: Timestamp) -> Listed;
    resubscribe(keys: Vec<ListKey>, shop: &ShopId) -> usize;
    list_standing(keys: &[ListKey]) -> Vec<StoredEntry>;
    reviewed_by_reference(shop: &ShopId, reference: &OrderReference, email: Option<AddressKey>, actor: &Actor, policies: Arc<Policies>, now: Timestamp) -> Vec<(InvitationId, Decision)>;
    revoke_links(invitation: InvitationId, actor: &Actor, now: Timestamp) -> Option<u8>;
    ask_erasure(shop: &ShopId, email: &EmailAddress, entry: NewEntry, by_link_of: Option<InvitationId>, policies: Arc<Policies>, now: Timestamp) -> Listed;
    erasure_requests() -> Vec<ErasureRequest>;
}
