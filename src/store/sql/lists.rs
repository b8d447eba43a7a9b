//! Lists of invitations. The narrowest thing that a filter asks for chooses the index that is followed; what no index knows is
//! looked at row by row, in steps, so that no statement and no list takes long however many invitations there are.

use std::collections::VecDeque;
use std::time::Duration;

use super::connection::{Connection, Value};
use super::desk_statements as sql;
use super::fault::Fault;
use super::moves::to_json;
use super::rows::{InvitationRow, records};
use super::statements::Statement;
use crate::domain::{DAY, Invitation, InvitationId, Timestamp};
use crate::store::filter::{tag_pattern, template_pattern};
use crate::store::{Filter, Page};

/// Invitations that are looked at for one page, about.
const LOOK_AT_MOST: usize = 200_000;

/// Invitations that are looked at by one statement: along the table, and picked out of it by their numbers.
const STRIDE: usize = 20_000;
const HANDFUL: usize = 4_000;

/// How much larger each handful is than the one before it: most lists end with the first.
const GROWS_BY: usize = 4;

/// Rows that the engine takes for meant and that are judged here, for one page. It hands over others than are meant only for texts
/// that it cannot compare.
const JUDGED_AT_MOST: usize = 20_000;

/// Numbers grow with time, but clocks are set, and daemons on several machines have one each. Nobody's is a day wrong.
const CLOCKS_APART: Duration = DAY;

/// A page of invitations.
pub(super) async fn list(
    conn: &mut Connection,
    filter: &Filter,
    before: Option<InvitationId>,
    limit: usize,
) -> Result<Page, Fault> {
    let Some((mut before, lowest)) = bounds(conn, filter, before).await? else { return Ok(Page::default()) };
    if filter.is_empty() {
        let rows: Vec<InvitationRow> = conn.rows(sql::LIST_ALL, [before.into(), limit.into()]).await?;
        let invitations: Vec<Invitation> = records(rows)?;
        let looked_down_to = invitations.last().filter(|_| invitations.len() >= limit).map(|last| last.id);
        return Ok(Page { invitations, looked_down_to });
    }
    let meant = Meant::new(filter)?;
    let mut way = Way::of(filter, before, lowest, limit);
    let mut page = Page::default();
    let (mut looked, mut judged) = (0, 0);
    while let Some((step, among)) = way.next(conn, before).await? {
        looked += among;
        let lowest_of_step = step.lowest();
        loop {
            let room = limit - page.invitations.len();
            let rows = step.rows(conn, &meant, before, room.max(100)).await?;
            let (handed, last) = (rows.len(), rows.last().map(|row| row.id));
            judged += handed;
            let found: Vec<Invitation> = records(rows)?;
            page.invitations.extend(found.into_iter().filter(|one| filter.means(one)).take(room));
            let is_full = page.invitations.len() >= limit;
            let is_step_done = handed < room.max(100);
            before = if is_step_done { lowest_of_step } else { last.unwrap_or(lowest_of_step) };
            if is_full || judged >= JUDGED_AT_MOST || (is_step_done && looked >= LOOK_AT_MOST) {
                let ended_at = page.invitations.last().filter(|_| is_full).map(|one| one.id);
                let is_over = !is_full && before <= lowest;
                page.looked_down_to = (!is_over).then(|| ended_at.unwrap_or(InvitationId(before)));
                return Ok(page);
            }
            if is_step_done {
                break;
            }
        }
    }
    Ok(page)
}

/// Between which numbers the filter's invitations lie: below the first, down to the second. `None` when there are none.
async fn bounds(
    conn: &mut Connection,
    filter: &Filter,
    before: Option<InvitationId>,
) -> Result<Option<(i64, i64)>, Fault> {
    let mut before = before.map_or(i64::MAX, |id| id.0);
    let mut lowest = i64::MIN;
    if filter.states_meant().is_some_and(|states| states.is_empty()) {
        return Ok(None);
    }
    // Whatever has a lower number than one that began well before the time in question began before it too; and the other way round.
    if filter.begun_from > Timestamp(i64::MIN) {
        let early = Timestamp(filter.begun_from.0.saturating_sub(i64::try_from(CLOCKS_APART.as_millis()).unwrap_or(0)));
        let last: Option<(i64,)> = conn.row(sql::LAST_BEFORE, [early.into()]).await?;
        lowest = last.map_or(lowest, |(last,)| last);
    }
    if filter.begun_before < Timestamp(i64::MAX) {
        let late = filter.begun_before.plus(CLOCKS_APART);
        let first: Option<(i64,)> = conn.row(sql::FIRST_SINCE, [late.into()]).await?;
        before = first.map_or(before, |(first,)| before.min(first));
    }
    Ok((lowest < before).then_some((before, lowest)))
}

/// What every statement of a filter is given after its first three values.
struct Meant(Vec<Option<String>>, [Timestamp; 4]);

impl Meant {
    fn new(filter: &Filter) -> Result<Self, Fault> {
        let states =
            filter.states_meant().map(|states| states.into_iter().map(|state| state.as_str()).collect::<Vec<_>>());
        let texts = vec![
            filter.shop.as_ref().map(|shop| shop.as_str().to_owned()),
            states.map(|states| to_json(&states)).transpose()?,
            filter.email.as_ref().map(|key| key.as_str().to_owned()),
            filter.reference.clone(),
            filter.template.as_deref().map(template_pattern),
            filter.tag.as_deref().map(tag_pattern),
            filter.text.as_ref().map(|text| text.pattern()),
            filter.text.as_ref().map(|text| text.json_pattern()),
        ];
        let times = [
            filter.begun_from,
            filter.begun_before,
            filter.due_from.unwrap_or(Timestamp(i64::MIN)),
            filter.due_before.unwrap_or(Timestamp(i64::MAX)),
        ];
        Ok(Self(texts, times))
    }

    fn values(&self) -> impl Iterator<Item = Value> {
        let text = |one: &Option<String>| Value::from(one.clone());
        let (keys, patterns) = self.0.split_at(4);
        keys.iter()
            .map(text)
            .chain(self.1.map(Value::from))
            .chain(patterns.iter().map(text))
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// The next invitations to be looked at.
enum Step {
    /// All down to this number.
    Down(i64),
    /// Those with these numbers, which fall.
    Among(Vec<i64>),
}

impl Step {
    /// Where it ends.
    fn lowest(&self) -> i64 {
        match self {
            Self::Down(lowest) => *lowest,
            Self::Among(ids) => ids.last().copied().unwrap_or(i64::MIN),
        }
    }

    /// The rows in it, below a number, that the engine takes for meant.
    async fn rows(
        &self,
        conn: &mut Connection,
        meant: &Meant,
        before: i64,
        limit: usize,
    ) -> Result<Vec<InvitationRow>, Fault> {
        let (statement, first) = match self {
            Self::Down(_) => (sql::WALK, before.into()),
            Self::Among(ids) => {
                let below = ids.iter().filter(|id| **id < before).collect::<Vec<_>>();
                (sql::PICK, to_json(&below)?.into())
            }
        };
        let given = [first, limit.into(), self.lowest().into()];
        conn.rows(statement, given.into_iter().chain(meant.values())).await
    }
}

/// The way down the invitations along which a filter's are looked for.
enum Way {
    /// The table itself, down to a number.
    Table(i64),
    /// Some entries of an index, down to a number.
    Index {
        entries: Vec<Entries>,
        lowest: i64,
        /// How many come next.
        handful: usize,
    },
}

impl Way {
    /// Along the narrowest index that knows something of what the filter asks for.
    fn of(filter: &Filter, before: i64, lowest: i64, limit: usize) -> Self {
        let index = |entries| Self::Index { entries, lowest, handful: limit.clamp(1, HANDFUL) };
        let by =
            |statement, keys: Vec<String>| Entries { statement, keys, ids: VecDeque::new(), before, is_over: false };
        if let Some(email) = &filter.email {
            return index(vec![by(sql::IDS_EMAIL, vec![email.as_str().to_owned()])]);
        }
        if let Some(reference) = &filter.reference {
            return index(vec![by(sql::IDS_REFERENCE, vec![reference.clone()])]);
        }
        let states = filter.states_meant();
        if states.is_none() && filter.shop.is_none() {
            return Self::Table(lowest);
        }
        let states = states.unwrap_or_else(|| crate::domain::State::ALL.to_vec());
        let entries = states.into_iter().map(|state| match &filter.shop {
            Some(shop) => by(sql::IDS_SHOP_STATE, vec![state.as_str().to_owned(), shop.as_str().to_owned()]),
            None => by(sql::IDS_STATE, vec![state.as_str().to_owned()]),
        });
        index(entries.collect())
    }

    /// What is to be looked at below a number, and how many invitations that are.
    async fn next(&mut self, conn: &mut Connection, before: i64) -> Result<Option<(Step, usize)>, Fault> {
        match self {
            Self::Table(lowest) => {
                if before <= *lowest {
                    return Ok(None);
                }
                let end: Option<(i64,)> = conn.row(sql::STEP_DOWN, [before.into(), (STRIDE - 1).into()]).await?;
                Ok(Some((Step::Down(end.map_or(*lowest, |(end,)| end.max(*lowest))), STRIDE)))
            }
            Self::Index { entries, lowest, handful } => {
                let ids = merged(conn, entries, *lowest, *handful).await?;
                *handful = handful.saturating_mul(GROWS_BY).min(HANDFUL);
                let among = ids.len();
                Ok((among > 0).then_some((Step::Among(ids), among)))
            }
        }
    }
}

/// Entries of an index under one key, newest first.
struct Entries {
    statement: Statement,
    keys: Vec<String>,
    /// Those that were read and not used.
    ids: VecDeque<i64>,
    /// Below which number to read on.
    before: i64,
    is_over: bool,
}

impl Entries {
    /// The newest that was not used.
    async fn newest(&mut self, conn: &mut Connection, handful: usize) -> Result<Option<i64>, Fault> {
        if self.ids.is_empty() && !self.is_over {
            let given = [self.before.into(), handful.into()];
            let keys = self.keys.iter().map(|key| Value::from(key.as_str()));
            let ids: Vec<(i64,)> = conn.rows(self.statement, given.into_iter().chain(keys)).await?;
            self.is_over = ids.len() < handful;
            self.before = ids.last().map_or(self.before, |(last,)| *last);
            self.ids = ids.into_iter().map(|(id,)| id).collect();
        }
        Ok(self.ids.front().copied())
    }
}

/// The next handful of all entries together, newest first.
async fn merged(
    conn: &mut Connection,
    entries: &mut [Entries],
    lowest: i64,
    handful: usize,
) -> Result<Vec<i64>, Fault> {
    let mut ids = Vec::with_capacity(handful);
    while ids.len() < handful {
        let mut newest: Option<(i64, usize)> = None;
        for (place, one) in entries.iter_mut().enumerate() {
            newest = newest.max(one.newest(conn, handful).await?.map(|id| (id, place)));
        }
        let Some((id, place)) = newest.filter(|(id, _)| *id >= lowest) else { break };
        entries[place].ids.pop_front();
        ids.push(id);
    }
    Ok(ids)
}
