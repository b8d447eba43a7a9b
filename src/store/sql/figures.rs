//! Counting what happens to invitations while it happens, so that nobody ever has to count the rows. A transaction gathers its changes
//! and writes them last of all, each row in the order of its key: whoever waits for one of these rows holds nothing that its owner
//! could still want, so daemons cannot wait for each other in a circle, however many pieces of work share a commit.

use std::collections::BTreeMap;

use serde_json::json;

use super::connection::Connection;
use super::fault::Fault;
use super::moves::to_json;
use super::statements as sql;
use super::tally::shop_id;
use crate::domain::{AnswerKind, Collected, Complaints, Outturn, Progress, Rule, ShopId, State, Timestamp};
use crate::store::{Figure, ShopComplaints};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The day that the counts of what stands are kept under.
const STANDING: i64 = 0;

/// What stands before a state's word in the name of its count.
const STATE: &str = "state ";

/// Changes of counts on their way into the table, one after the other, so that what came last can be taken back.
#[derive(Debug, Default)]
pub(in crate::store) struct Figures(Vec<Change>);

#[derive(Debug, Clone)]
struct Change {
    shop: ShopId,
    day: i64,
    name: Name,
    by: i64,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Begun,
    LetIn,
    Rule(Rule),
    State(State),
    FirstLetter,
    Reminder,
    Dropped,
    Outturn(Outturn),
    DroppedBy(Rule),
    NotDropped,
    Answer(AnswerKind),
    Review(Collected),
    ReviewChanged,
    ReviewDeleted,
    ReviewRemoved,
}

impl Name {
    fn text(self) -> String {
        match self {
            Self::Begun => "begun".to_owned(),
            Self::LetIn => "let in".to_owned(),
            Self::Rule(rule) => rule.as_str().to_owned(),
            Self::State(state) => format!("{STATE}{state}"),
            Self::FirstLetter => "letter first".to_owned(),
            Self::Reminder => "letter reminder".to_owned(),
            Self::Dropped => "letter dropped".to_owned(),
            Self::Outturn(outturn) => format!("became {}", outturn.as_str()),
            Self::DroppedBy(rule) => format!("dropped {rule}"),
            Self::NotDropped => "dropped undone".to_owned(),
            Self::Answer(kind) => format!("answer {kind}"),
            Self::Review(way) => format!("review {way}"),
            Self::ReviewChanged => "review changed".to_owned(),
            Self::ReviewDeleted => "review deleted".to_owned(),
            Self::ReviewRemoved => "review removed".to_owned(),
        }
    }
}

/// How many changes there were at a moment.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Mark(usize);

impl Figures {
    /// An invitation began.
    pub(super) fn begun(&mut self, shop: &ShopId, at: Timestamp) {
        self.add(shop, day_of(at), Name::Begun, 1);
    }

    /// An invitation began by a shop's copy, without a person.
    pub(super) fn let_in(&mut self, shop: &ShopId, at: Timestamp) {
        self.add(shop, day_of(at), Name::LetIn, 1);
    }

    /// Something was decided by this rule.
    pub(super) fn decided(&mut self, shop: &ShopId, rule: Rule, at: Timestamp) {
        self.add(shop, day_of(at), Name::Rule(rule), 1);
    }

    /// Something came back to a letter.
    pub(super) fn answered(&mut self, shop: &ShopId, kind: AnswerKind, at: Timestamp) {
        self.add(shop, day_of(at), Name::Answer(kind), 1);
    }

    /// A review was written.
    pub(super) fn reviewed(&mut self, shop: &ShopId, way: Collected, at: Timestamp) {
        self.add(shop, day_of(at), Name::Review(way), 1);
    }

    /// A review was changed, or written again after it had been deleted.
    pub(super) fn review_changed(&mut self, shop: &ShopId, at: Timestamp) {
        self.add(shop, day_of(at), Name::ReviewChanged, 1);
    }

    /// A review was deleted, by its author or by staff.
    pub(super) fn review_deleted(&mut self, shop: &ShopId, by_staff: bool, at: Timestamp) {
        self.add(shop, day_of(at), if by_staff { Name::ReviewRemoved } else { Name::ReviewDeleted }, 1);
    }

    /// An invitation that stood `before` stands `now`; `None` where there was none, or is none any more.
    pub(super) fn stands(&mut self, shop: &ShopId, before: Option<State>, now: Option<State>) {
        if before == now {
            return;
        }
        if let Some(before) = before {
            self.add(shop, STANDING, Name::State(before), -1);
        }
        if let Some(now) = now {
            self.add(shop, STANDING, Name::State(now), 1);
        }
    }

    /// An invitation of `begun_at` that stood `before` stands `now` by this rule: what became of it, and whether a letter went.
    pub(super) fn became(
        &mut self,
        shop: &ShopId,
        begun_at: Timestamp,
        before: Option<&Progress>,
        now: &Progress,
        rule: Rule,
        at: Timestamp,
    ) {
        let letters_before = before.map_or(0, |before| before.letters_sent);
        if now.letters_sent > letters_before {
            let name = if letters_before == 0 { Name::FirstLetter } else { Name::Reminder };
            self.add(shop, day_of(at), name, 1);
        }
        let (was, is) = (before.map(Outturn::of), Outturn::of(now));
        if was == Some(is) {
            return;
        }
        if is == Outturn::Dropped {
            self.add(shop, day_of(at), Name::Dropped, 1);
            self.add(shop, day_of(begun_at), Name::DroppedBy(rule), 1);
        }
        self.turned_out(shop, begun_at, was, is);
    }

    /// An invitation of `begun_at` is erased as it stands.
    pub(super) fn erased(&mut self, shop: &ShopId, begun_at: Timestamp, progress: &Progress) {
        self.stands(shop, Some(progress.state), None);
        self.turned_out(shop, begun_at, Some(Outturn::of(progress)), Outturn::Erased);
    }

    fn turned_out(&mut self, shop: &ShopId, begun_at: Timestamp, was: Option<Outturn>, is: Outturn) {
        let day = day_of(begun_at);
        if let Some(was) = was {
            self.add(shop, day, Name::Outturn(was), -1);
        }
        if was == Some(Outturn::Dropped) {
            self.add(shop, day, Name::NotDropped, 1);
        }
        self.add(shop, day, Name::Outturn(is), 1);
    }

    /// Adds what another gathered.
    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    fn add(&mut self, shop: &ShopId, day: i64, name: Name, by: i64) {
        self.0.push(Change { shop: shop.clone(), day, name, by });
    }

    /// Where it is now.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.0.len())
    }

    /// Forgets what came after a mark: the engine has undone it.
    pub(super) fn go_back_to(&mut self, mark: Mark) {
        self.0.truncate(mark.0);
    }

    /// Forgets everything.
    pub(in crate::store) fn clear(&mut self) {
        self.0.clear();
    }

    /// What is to be written, one row for each count that changes, and nothing is left.
    pub(in crate::store) fn take_rows(&mut self) -> Result<Option<String>, Fault> {
        let mut sums: BTreeMap<(String, i64, String), i64> = BTreeMap::new();
        for change in self.0.drain(..) {
            *sums.entry((change.shop.as_str().to_owned(), change.day, change.name.text())).or_default() += change.by;
        }
        let rows = sums.iter().filter(|(_, by)| **by != 0).map(|((shop, day, name), by)| json!([shop, day, name, by]));
        let rows = rows.collect::<Vec<_>>();
        if rows.is_empty() { Ok(None) } else { to_json(&rows).map(Some) }
    }
}

/// Days since 1970 in UTC.
pub(super) fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// How many invitations stand in each state.
pub(super) async fn standing(conn: &mut Connection) -> Result<BTreeMap<State, u64>, Fault> {
    let rows: Vec<(String, i64)> = conn.rows(sql::STANDING, []).await?;
    let states = rows.into_iter().filter_map(|(name, n)| {
        // A state that a newer program knows is that program's business.
        let state = State::parse(name.strip_prefix(STATE)?)?;
        Some((state, u64::try_from(n).ok().filter(|n| *n > 0)?))
    });
    Ok(states.collect())
}

/// The counts of one shop or of all, from a day on, and of what stands.
pub(super) async fn since(conn: &mut Connection, since_day: i64, shop: Option<&ShopId>) -> Result<Vec<Figure>, Fault> {
    let mut figures = Vec::new();
    for (from, to) in [(STANDING, STANDING), (since_day.max(STANDING + 1), i64::MAX)] {
        let rows: Vec<(String, i64, String, i64)> = match shop {
            Some(shop) => conn.rows(sql::FIGURES_OF_SHOP, [from.into(), to.into(), shop.as_str().into()]).await?,
            None => conn.rows(sql::FIGURES_OF_ALL, [from.into(), to.into()]).await?,
        };
        for (shop, day, name, n) in rows {
            figures.push(Figure { shop: shop_id(&shop)?, day, name, n: u64::try_from(n).unwrap_or(0) });
        }
    }
    figures.retain(|figure| figure.n > 0);
    Ok(figures)
}

/// Complaints and letters of the shops up to a day.
pub(super) async fn complaints(conn: &mut Connection, today: i64) -> Result<Vec<ShopComplaints>, Fault> {
    let since = |days: i64| today.saturating_sub(days - 1);
    let values = [since(Complaints::DAYS).into(), today.into(), since(Complaints::QUIET_DAYS).into()];
    let rows: Vec<(String, i64, i64, i64)> = conn.rows(sql::COMPLAINTS, values).await?;
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let shops = rows.into_iter().map(|(shop, week, month, letters)| {
        let seen = Complaints { week: count(week), month: count(month), letters: count(letters) };
        Ok(ShopComplaints { shop: shop_id(&shop)?, seen })
    });
    shops.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_add_up_to_a_row_for_each_count_in_the_order_of_their_keys() {
        let (nord, ost) = (ShopId::parse("nord").unwrap(), ShopId::parse("ost").unwrap());
        let at = Timestamp(DAY_MS * 3 + 1);
        let mut figures = Figures::default();
        figures.decided(&ost, Rule::OrderOpens, at);
        let mark = figures.mark();
        figures.begun(&ost, at);
        figures.go_back_to(mark);
        figures.stands(&nord, None, Some(State::Waiting));
        figures.stands(&nord, Some(State::Waiting), Some(State::Queued));
        figures.stands(&nord, Some(State::Queued), Some(State::Queued));
        figures.begun(&nord, Timestamp(0));
        figures.begun(&nord, Timestamp(-1));
        figures.begun(&nord, at);
        figures.begun(&nord, at);
        assert_eq!(
            figures.take_rows().unwrap().unwrap(),
            r#"[["nord",-1,"begun",1],["nord",0,"begun",1],["nord",0,"state queued",1],["nord",3,"begun",2],["ost",3,"order-opens",1]]"#
        );
        assert_eq!(figures.take_rows().unwrap(), None);
    }
}
