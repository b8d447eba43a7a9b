//! What the desk and the daemon ask the store for, on a queue of any size.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use invited::domain::{
    Attempt, DAY, DeskOrder, EmailAddress, InvitationId, OrderReference, Policies, Policy, SendWindow, ShopId, State,
    Timestamp,
};
use invited::ops::desk::{Wish, plan};
use invited::store::{
    Actor, ClaimAsk, ClaimedLetter, DeskAsk, DeskOutcome, Filter, FreeText, ListFilter, RelayShare, Seen, SqlStore,
    Store, Subject,
};

use crate::queue_fill::{self as fill, NONE, RARE, SHOPS};

/// Letters claimed at once, and invitations on a page.
const BATCH: usize = 64;
const PAGE: usize = 50;

/// Invitations that a bulk action is about, about.
pub(crate) const MANY: u64 = 400;

/// One thing that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Claim,
    NextDue,
    FirstPage,
    DeepPage,
    ByState,
    ByShop,
    ByShopAndState,
    ByEmail,
    ByReference,
    ByAge,
    ByDue,
    ByTemplate,
    ByTag,
    ByRareText,
    ByNoText,
    ExplainAddress,
    ExplainReference,
    ExplainId,
    Figures,
    FiguresOfShop,
    Counts,
    DryRun,
    Cancel,
    Suppressions,
}

impl Call {
    pub(crate) const ALL: [Self; 24] = [
        Self::Claim,
        Self::NextDue,
        Self::FirstPage,
        Self::DeepPage,
        Self::ByState,
        Self::ByShop,
        Self::ByShopAndState,
        Self::ByEmail,
        Self::ByReference,
        Self::ByAge,
        Self::ByDue,
        Self::ByTemplate,
        Self::ByTag,
        Self::ByRareText,
        Self::ByNoText,
        Self::ExplainAddress,
        Self::ExplainReference,
        Self::ExplainId,
        Self::Figures,
        Self::FiguresOfShop,
        Self::Counts,
        Self::DryRun,
        Self::Cancel,
        Self::Suppressions,
    ];

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim 64 letters, with the persons' letters and the list",
            Self::NextDue => "next due of 20 shops",
            Self::FirstPage => "list: first page of 50",
            Self::DeepPage => "list: a page from anywhere on",
            Self::ByState => "list: of a state",
            Self::ByShop => "list: of a shop",
            Self::ByShopAndState => "list: of a shop and a state",
            Self::ByEmail => "list: of an address",
            Self::ByReference => "list: of a reference",
            Self::ByAge => "list: of an age",
            Self::ByDue => "list: due within a day",
            Self::ByTemplate => "list: of a template (1 in 4)",
            Self::ByTag => "list: with a tag (1 in 200)",
            Self::ByRareText => "list: with a text that 5 have",
            Self::ByNoText => "list: with a text that none has",
            Self::ExplainAddress => "explain an address",
            Self::ExplainReference => "explain a reference",
            Self::ExplainId => "explain an invitation",
            Self::Figures => "figures of 30 days, all shops",
            Self::FiguresOfShop => "figures of 30 days, one shop",
            Self::Counts => "counts",
            Self::DryRun => "what cancelling 400 comes to",
            Self::Cancel => "cancel one",
            Self::Suppressions => "list of those not written to",
        }
    }

    /// Whether it has no index to follow: it looks at more the more there is, up to a bound.
    pub(crate) fn is_search(self) -> bool {
        matches!(self, Self::ByTag | Self::ByRareText | Self::ByNoText)
    }
}

/// A queue that is asked.
pub(crate) struct Asked<'a> {
    pub(crate) store: &'a SqlStore,
    pub(crate) all: u64,
    pub(crate) now: i64,
    state: u64,
    policies: Arc<Policies>,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(store: &'a SqlStore, all: u64, now: i64) -> Result<Self> {
        // Every rule that looks at a person's past, at any hour.
        let policy = Policy { window: SendWindow::default(), ..Policy::AFS };
        let shops = (0..SHOPS).map(|shop| Ok((ShopId::parse(&fill::shop(shop))?, policy.clone())));
        let policies = shops.collect::<Result<Vec<_>>>()?.into_iter().collect::<Policies>();
        Ok(Self { store, all, now, state: 1, policies: Arc::new(policies) })
    }

    /// One of the orders, the same ones in each run (a linear congruential generator, Knuth's numbers).
    fn any(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % self.all + 1
    }

    /// How long it takes.
    pub(crate) async fn take(&mut self, call: Call) -> Result<Duration> {
        let order = self.any();
        let now = Timestamp(self.now);
        match call {
            Call::Claim => self.claim(now).await,
            Call::NextDue => {
                let (due, took) = timed(self.store.next_due()).await?;
                ensure!(due.len() as u64 == SHOPS, "{} shops have something due", due.len());
                Ok(took)
            }
            Call::ExplainAddress => {
                let key = EmailAddress::parse(&fill::email(order, self.all))?.key();
                self.explain(Subject::Email(key)).await
            }
            Call::ExplainReference => {
                let reference = OrderReference::parse(&fill::reference(order)).context("reference")?;
                self.explain(Subject::Reference(reference)).await
            }
            Call::ExplainId => self.explain(Subject::Invitation(InvitationId(i64::try_from(order)?))).await,
            Call::Figures | Call::FiguresOfShop => {
                let shop = (call == Call::FiguresOfShop).then(|| ShopId::parse(&fill::shop(order))).transpose()?;
                let (figures, took) = timed(self.store.figures(self.now / 86_400_000 - 30, shop.as_ref())).await?;
                ensure!(!figures.is_empty(), "no figures");
                Ok(took)
            }
            Call::Counts => Ok(timed(self.store.counts()).await?.1),
            Call::DryRun => {
                let (plan, took) =
                    timed(plan(self.store, &many(self.all, now), &Wish::Cancel, &self.policies, now)).await?;
                ensure!((300..=500).contains(&plan.seen.len()), "{} were meant", plan.seen.len());
                Ok(took)
            }
            Call::Cancel => self.cancel(order, now).await,
            Call::Suppressions => {
                let filter = ListFilter::default();
                let (entries, took) = timed(self.store.suppressions(&filter, None, PAGE)).await?;
                ensure!(entries.len() == PAGE, "{} entries", entries.len());
                Ok(took)
            }
            _ => self.list(call, order).await,
        }
    }

    /// Letters are claimed and put back, since the relay is down: so many stay due.
    async fn claim(&mut self, now: Timestamp) -> Result<Duration> {
        let ask = ClaimAsk {
            owner: "benchmark".to_owned(),
            relay: Some(RelayShare::new("relay", 1000)),
            shops: (0..SHOPS).map(|shop| ShopId::parse(&fill::shop(shop))).collect::<Result<_, _>>()?,
            limit: BATCH,
        };
        let (claimed, took) = timed(self.store.claim_due(ask, Arc::clone(&self.policies), now)).await?;
        ensure!(claimed.dealt_with == BATCH, "{} were dealt with", claimed.dealt_with);
        ensure!(claimed.letters.len() > BATCH / 2, "{} letters were claimed", claimed.letters.len());
        let mark = async |letter: &ClaimedLetter| {
            let id = format!("<{}.1.4f9a1c77d2e0b853@shop.example.com>", letter.invitation.id);
            self.store.mark_on_the_wire(&letter.claim, &id, now).await
        };
        try_join_all(claimed.letters.iter().map(mark)).await?;
        let down = Attempt::RelayDown { retry_at: now };
        let settle = async |letter: &ClaimedLetter| {
            self.store.settle(&letter.claim, down, "421 4.3.2 not now", Arc::clone(&self.policies), now).await
        };
        try_join_all(claimed.letters.iter().map(settle)).await?;
        Ok(took)
    }

    async fn list(&mut self, call: Call, order: u64) -> Result<Duration> {
        let now = Timestamp(self.now);
        let none = Filter::default();
        let shop = Some(ShopId::parse(&fill::shop(order))?);
        let filter = match call {
            Call::ByState => Filter { states: vec![State::Done], ..none },
            Call::ByShop => Filter { shop, ..none },
            Call::ByShopAndState => Filter { shop, states: vec![State::Done], ..none },
            Call::ByEmail => Filter { email: Some(EmailAddress::parse(&fill::email(order, self.all))?.key()), ..none },
            Call::ByReference => Filter { reference: Some(fill::reference(order)), ..none },
            Call::ByAge => Filter { begun_before: Timestamp(self.now - 600 * 86_400_000), ..none },
            Call::ByDue => Filter { due_before: Some(now.plus(DAY)), ..none },
            Call::ByTemplate => Filter { template: Some("magento".to_owned()), ..none },
            Call::ByTag => Filter { tag: Some("vip".to_owned()), ..none },
            Call::ByRareText => Filter { text: FreeText::parse(RARE), ..none },
            Call::ByNoText => Filter { text: FreeText::parse(NONE), ..none },
            _ => none,
        };
        let before = match call {
            Call::DeepPage => Some(InvitationId(i64::try_from(order + 1)?)),
            _ => None,
        };
        let (page, took) = timed(self.store.list(&filter, before, PAGE)).await?;
        let is_found = !page.invitations.is_empty() || call == Call::ByNoText || page.looked_down_to.is_some();
        ensure!(is_found, "{}: nothing", call.name());
        Ok(took)
    }

    /// As `invited explain` does: the story, and what bears on what comes next.
    async fn explain(&mut self, subject: Subject) -> Result<Duration> {
        let start = Instant::now();
        let story = self.store.story(&subject).await?;
        let policies = Arc::clone(&self.policies);
        let standings = self.store.standings(&story.invitations, policies, Timestamp(self.now)).await?;
        let took = start.elapsed();
        ensure!(story.decisions.len() >= 5 && !story.copies.is_empty() && !standings.is_empty(), "no whole story");
        Ok(took)
    }

    /// What has not ended, of a person's orders.
    async fn cancel(&mut self, order: u64, now: Timestamp) -> Result<Duration> {
        let filter = Filter { states: vec![State::Queued], ..Filter::default() };
        // The newest are not due yet, so that what is due stays.
        let before = InvitationId(i64::try_from(self.all - order % (self.all / 50))?);
        let page = self.store.list(&filter, Some(before), 1).await?;
        let one = page.invitations.first().context("nothing is queued")?;
        let ask = DeskAsk { seen: Seen::from(one), order: DeskOrder::Cancel };
        let actor = Actor { name: "anna".to_owned(), reason: Some("the customer asked".to_owned()) };
        let (outcomes, took) = timed(self.store.desk_all(vec![ask], &actor, Arc::clone(&self.policies), now)).await?;
        ensure!(matches!(outcomes.as_slice(), [DeskOutcome::Decided(_)]), "{outcomes:?}");
        Ok(took)
    }
}

/// The newest that are queued, of so long that they are [`MANY`] in a queue of `all`.
fn many(all: u64, now: Timestamp) -> Filter {
    let back = i64::try_from(many_minutes(all)).unwrap_or(i64::MAX / 60_000) * 60_000;
    Filter { states: vec![State::Queued], begun_from: Timestamp(now.0 - back), ..Filter::default() }
}

/// That time: 90 of 100 of the newest are queued, and all of them came in two years.
pub(crate) fn many_minutes(all: u64) -> u64 {
    MANY * 100 / 90 * (2 * 365 * 24 * 60) / all
}

async fn timed<T, E>(asked: impl Future<Output = Result<T, E>>) -> Result<(T, Duration)>
where
    anyhow::Error: From<E>,
{
    let start = Instant::now();
    let answer = asked.await?;
    Ok((answer, start.elapsed()))
}
