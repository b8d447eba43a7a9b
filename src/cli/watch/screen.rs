//! The screen, drawn: a function of what was seen, what was chosen, the present and the room there is.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState};

use super::look::{Rates, Snapshot, daily, span, stopped};
use super::view::{Panel, Tale, View};
use crate::cli::glyphs::Glyphs;
use crate::cli::output::{Tone, local, one_line};
use crate::domain::{State, Timestamp, Zone};
use crate::ops::stats::{Measure, Sums};

/// The smallest screen that shows anything of use.
const NARROWEST: u16 = 60;
const LOWEST: u16 = 18;

/// Corners and walls of ASCII.
const ASCII: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// The keys and what they do.
const KEYS: [(&str, &str); 8] = [
    ("q, Ctrl-C", "leave"),
    ("Esc", "out of a story or this help; leave"),
    ("Tab, left, right", "another panel"),
    ("up, down, j, k", "another row, or another line of a story"),
    ("PgUp, PgDn, Home, End", "the same by ten, and to the ends"),
    ("Enter", "the story of the chosen invitation"),
    ("p, space", "hold the screen as it is; again: go on"),
    ("?", "this help"),
];

/// Everything that is drawn.
pub(super) struct Face<'f> {
    /// Whose queue it is, in words.
    pub(super) whose: &'f str,
    /// How often the database is looked at, in words.
    pub(super) every: &'f str,
    pub(super) zone: &'f Zone,
    pub(super) glyphs: Glyphs,
    pub(super) has_colours: bool,
    pub(super) now: Timestamp,
    /// `None` before the first look.
    pub(super) seen: Option<&'f Snapshot>,
    pub(super) rates: &'f Rates,
    /// Since when the database cannot be read, and why.
    pub(super) trouble: Option<&'f (Timestamp, String)>,
    pub(super) view: &'f View,
}

/// Draws the whole screen.
pub(super) fn draw(frame: &mut Frame<'_>, face: &Face<'_>) {
    let area = frame.area();
    if area.width < NARROWEST || area.height < LOWEST {
        let text = format!(
            "This terminal is too small: {NARROWEST} columns and {LOWEST} rows at least, and it has {} and {}. q leaves.",
            area.width, area.height
        );
        return frame.render_widget(Paragraph::new(wrapped(&text, area.width).join("\n")), area);
    }
    let notices = face.notices();
    let room = if area.height < 30 { 3 } else { 6 };
    let lines = u16::try_from(notices.len()).unwrap_or(u16::MAX).min(room);
    let bottom = (area.height / 4).clamp(6, 14);
    let rows = [
        Constraint::Length(1),
        Constraint::Length(lines),
        Constraint::Length(8),
        Constraint::Min(3),
        Constraint::Length(bottom),
        Constraint::Length(1),
    ];
    let [title, notice, top, due, bottom, foot] = Layout::vertical(rows).areas(area);
    face.title(frame, title);
    face.draw_notices(frame, notice, &notices);
    face.foot(frame, foot);
    if let Some(tale) = &face.view.tale {
        let all = Rect { y: top.y, height: foot.y - top.y, ..area };
        face.tale(frame, all, tale);
    } else if let Some(seen) = face.seen {
        let [queue, rates] = Layout::horizontal([Constraint::Length(34), Constraint::Min(46)]).areas(top);
        face.queue(frame, queue, seen);
        face.rates(frame, rates, seen);
        face.due(frame, due, seen);
        let [relays, copies] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(bottom);
        face.relays(frame, relays, seen);
        face.copies(frame, copies, seen);
    } else {
        frame.render_widget(Paragraph::new("Looking at the database ..."), top);
    }
    if face.view.has_help {
        face.help(frame, area);
    }
}

impl Face<'_> {
    fn colour(&self, colour: Color) -> Style {
        if self.has_colours { Style::new().fg(colour) } else { Style::new() }
    }

    fn tone(&self, state: State, n: u64) -> Style {
        match Tone::of(state.as_str()) {
            Some(Tone::Asks) if n > 0 => self.colour(Color::Yellow),
            Some(Tone::Wrong) if n > 0 => self.colour(Color::Red),
            _ => Style::new(),
        }
    }

    fn dim(&self) -> Style {
        if self.has_colours { Style::new().add_modifier(Modifier::DIM) } else { Style::new() }
    }

    fn block(&self, title: String, is_chosen: bool) -> Block<'static> {
        let set = if self.glyphs == Glyphs::Ascii { ASCII } else { border::PLAIN };
        let (mark, style) =
            if is_chosen { ("> ", Style::new().add_modifier(Modifier::BOLD)) } else { ("", Style::new()) };
        Block::bordered().border_set(set).title(Span::styled(format!(" {mark}{title} "), style))
    }

    fn title(&self, frame: &mut Frame<'_>, area: Rect) {
        let clock = if self.view.is_paused {
            format!("held at {}; p goes on", clock(self.now, self.zone))
        } else {
            format!("{}, every {}", clock(self.now, self.zone), self.every)
        };
        let style = Style::new().add_modifier(Modifier::BOLD);
        frame.render_widget(Line::styled(format!("The queue of {}", self.whose), style), area);
        frame.render_widget(Line::raw(clock).right_aligned(), area);
    }

    fn foot(&self, frame: &mut Frame<'_>, area: Rect) {
        let keys = match (&self.view.tale, self.view.panel) {
            (Some(_), _) => "Esc back  up/down scroll  q leave  ? help",
            (None, Panel::Copies) => "q leave  Tab panel  up/down row  p hold  ? help",
            (None, _) => "q leave  Tab panel  up/down row  Enter story  p hold  ? help",
        };
        frame.render_widget(Line::styled(keys, self.dim()), area);
    }

    /// What a person should know first, the worst first.
    fn notices(&self) -> Vec<(String, Style)> {
        let (wrong, asks) = (self.colour(Color::Red), self.colour(Color::Yellow));
        let mut notices = Vec::new();
        if let Some((since, why)) = self.trouble {
            let text = format!("! The database cannot be read since {}: {why}", clock(*since, self.zone));
            notices.push((one_line(&text).into_owned(), wrong.add_modifier(Modifier::BOLD)));
        }
        let Some(seen) = self.seen else { return notices };
        for alarm in &seen.alarms {
            let text = format!("! {}: {} (for {})", alarm.shop, alarm.note, ago(alarm.since, self.now));
            notices.push((one_line(&text).into_owned(), wrong));
        }
        for pause in &seen.pauses {
            let whose =
                pause.shop.as_ref().map_or_else(|| "All letters".to_owned(), |shop| format!("Letters of {shop}"));
            let why = pause.actor.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            let text = format!("! {whose} rest for {}, by {}{why}", ago(pause.since, self.now), pause.actor.name);
            notices.push((one_line(&text).into_owned(), asks));
        }
        notices
    }

    fn draw_notices(&self, frame: &mut Frame<'_>, area: Rect, notices: &[(String, Style)]) {
        let room = usize::from(area.height);
        let shown = if notices.len() > room { room.saturating_sub(1) } else { room };
        let mut lines =
            notices.iter().take(shown).map(|(text, style)| Line::styled(text.as_str(), *style)).collect::<Vec<_>>();
        if notices.len() > shown {
            lines.push(Line::styled(format!("! and {} more", notices.len() - shown), self.colour(Color::Yellow)));
        }
        frame.render_widget(Paragraph::new(lines), area);
    }

    fn queue(&self, frame: &mut Frame<'_>, area: Rect, seen: &Snapshot) {
        let cell = |state: State| {
            let n = seen.states.get(&state).copied().unwrap_or(0);
            let name = state.as_str().replace('_', " ");
            Span::styled(format!("{name:<9}{:>6}", short(n)), self.tone(state, n))
        };
        let (open, over) = State::ALL.split_at(State::ALL.len() / 2);
        let mut lines = open
            .iter()
            .zip(over)
            .map(|(left, right)| Line::from(vec![cell(*left), Span::raw("  "), cell(*right)]))
            .collect::<Vec<_>>();
        lines.push(Line::raw(format!("{:<9}{:>6}", "all", short(seen.states.values().sum()))));
        frame.render_widget(Paragraph::new(lines).block(self.block("Invitations".to_owned(), false)), area);
    }

    fn rates(&self, frame: &mut Frame<'_>, area: Rect, seen: &Snapshot) {
        type Number = fn(&Sums) -> u64;
        let numbers: [(&str, Number); 5] = [
            ("begun", |sums| sums.get(Measure::Begun)),
            ("letters", Sums::letters),
            ("refused", |sums| sums.get(Measure::Refused)),
            ("stopped", stopped),
            ("bounces", Sums::bounces),
        ];
        let row = |cells: [String; 5]| {
            let [name, hour, today, yesterday, day] = cells;
            Line::raw(format!("{name:<8}{hour:>8}{today:>8}{yesterday:>11}{day:>9}"))
        };
        let heading = ["", "an hour", "today", "yesterday", "a day"].map(str::to_owned);
        let mut lines = vec![row(heading).style(self.dim())];
        for (name, number) in numbers {
            let hour = self.rates.hourly(number).map_or_else(|| "-".to_owned(), short);
            let [today, yesterday, week] = [&seen.today, &seen.yesterday, &seen.week].map(number);
            lines.push(row([name.to_owned(), hour, short(today), short(yesterday), short(daily(week))]));
        }
        let block = self.block("Rates (days in UTC)".to_owned(), false);
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }

    fn due(&self, frame: &mut Frame<'_>, area: Rect, seen: &Snapshot) {
        let is_wide = area.width >= 120;
        let rows = seen.upcoming.iter().map(|due| {
            let late = due.at <= self.now;
            let mut cells = vec![
                Cell::new(due.id.to_string()),
                Cell::new(span(due.at, self.now)).style(if late { self.colour(Color::Yellow) } else { Style::new() }),
            ];
            if is_wide {
                cells.push(Cell::new(local(due.at, self.zone)));
            }
            cells.extend([due.what, &due.shop, &due.reference, &due.customer].map(Cell::new));
            Row::new(cells)
        });
        let names = if is_wide { [20, 30] } else { [10, 14] };
        let mut columns = vec![("ID", Constraint::Length(8)), ("IN", Constraint::Length(10))];
        if is_wide {
            columns.push(("DUE", Constraint::Length(22)));
        }
        columns.extend([
            ("WHAT", Constraint::Length(8)),
            ("SHOP", Constraint::Length(names[0])),
            ("ORDER", Constraint::Length(names[1])),
            ("CUSTOMER", Constraint::Min(10)),
        ]);
        let title = match seen.upcoming.len() {
            0 => "Next: nothing is due".to_owned(),
            n => format!("Next, {} of {n}", self.view.row(Panel::Due).min(n - 1) + 1),
        };
        self.table(frame, area, Panel::Due, title, rows.collect(), &columns);
    }

    fn relays(&self, frame: &mut Frame<'_>, area: Rect, seen: &Snapshot) {
        let in_doubt = seen.states.get(&State::InDoubt).copied().unwrap_or(0);
        let in_hand = seen.in_hand.iter().map(|one| one.claimed + one.on_the_wire).sum::<u64>();
        let title = format!("Relays: {} in hand, {} in doubt", short(in_hand), short(in_doubt));
        let hands = seen.in_hand.iter().map(|one| {
            let relay = if one.relay.is_empty() { "(no relay)" } else { &one.relay };
            let (letters, oldest) = (one.claimed + one.on_the_wire, ago(one.oldest, self.now));
            let text = format!("{relay}: {letters}, {} on the wire, for {oldest}", one.on_the_wire);
            Line::raw(one_line(&text).into_owned())
        });
        let mut hands = hands.collect::<Vec<_>>();
        if hands.is_empty() {
            hands.push(Line::raw("no letter is in hand"));
        }
        // Replies have at least half of the panel.
        hands.truncate(usize::from(area.height.saturating_sub(2) / 2).max(1));
        let block = self.block(title, self.view.panel == Panel::Relays);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let above = u16::try_from(hands.len()).unwrap_or(0).min(inner.height);
        frame.render_widget(Paragraph::new(hands), Rect { height: above, ..inner });
        let below = Rect { y: inner.y + above, height: inner.height - above, ..inner };
        let rows = seen
            .deferred
            .iter()
            .map(|one| Row::new([ago(one.at, self.now), format!("#{}", one.invitation), one.reply.clone()]));
        let rows = rows.collect::<Vec<_>>();
        if rows.is_empty() {
            return frame.render_widget(Line::styled("no letter was put off lately", self.dim()), below);
        }
        let widths = [Constraint::Length(7), Constraint::Length(7), Constraint::Min(8)];
        self.rows(frame, below, Panel::Relays, Table::new(rows, widths), seen.deferred.len());
    }

    fn copies(&self, frame: &mut Frame<'_>, area: Rect, seen: &Snapshot) {
        let held = seen.copies.iter().map(|one| one.held).sum::<u64>();
        let unread = seen.copies.iter().map(|one| one.unread).sum::<u64>();
        let rows = seen.copies.iter().map(|one| {
            let style = if one.held > 0 { self.colour(Color::Yellow) } else { Style::new() };
            Row::new([
                Cell::new(one.shop.as_str()),
                Cell::new(short(one.unread)),
                Cell::new(short(one.held)).style(style),
                Cell::new(short(one.read)),
                Cell::new(one.last.map(|last| ago(last, self.now)).unwrap_or_default()),
            ])
        });
        let columns = [
            ("SHOP", Constraint::Min(8)),
            ("UNREAD", Constraint::Length(6)),
            ("HELD", Constraint::Length(6)),
            ("READ", Constraint::Length(6)),
            ("LAST", Constraint::Length(7)),
        ];
        let title = format!("Copies: {} held, {} unread", short(held), short(unread));
        self.table(frame, area, Panel::Copies, title, rows.collect(), &columns);
    }

    /// A panel with rows below a heading.
    fn table(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        panel: Panel,
        title: String,
        rows: Vec<Row<'_>>,
        columns: &[(&str, Constraint)],
    ) {
        let count = rows.len();
        let heading = Row::new(columns.iter().map(|(name, _)| (*name).to_owned())).style(self.dim());
        let table = Table::new(rows, columns.iter().map(|(_, width)| *width)).header(heading);
        self.rows(frame, area, panel, table.block(self.block(title, self.view.panel == panel)), count);
    }

    /// A table in which a row is chosen, when its panel is.
    fn rows(&self, frame: &mut Frame<'_>, area: Rect, panel: Panel, table: Table<'_>, count: usize) {
        let row = self.view.row(panel).min(count.saturating_sub(1));
        let is_chosen = self.view.panel == panel && count > 0;
        let table = table.highlight_symbol("> ").row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        let mut state = TableState::new().with_selected(is_chosen.then_some(row));
        frame.render_stateful_widget(table, area, &mut state);
    }

    fn tale(&self, frame: &mut Frame<'_>, area: Rect, tale: &Tale) {
        let block = self.block(format!("Invitation {}", tale.id), true);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let Some(lines) = &tale.lines else {
            return frame.render_widget(Paragraph::new("Reading ..."), inner);
        };
        let from = lines.iter().skip(tale.top);
        let shown = from.flat_map(|line| wrapped(line, inner.width)).take(usize::from(inner.height)).map(Line::raw);
        frame.render_widget(Paragraph::new(shown.collect::<Vec<_>>()), inner);
    }

    fn help(&self, frame: &mut Frame<'_>, area: Rect) {
        let width = 66.min(area.width);
        let height = u16::try_from(KEYS.len()).unwrap_or(0) + 2;
        let place = Rect {
            x: area.x + (area.width - width) / 2,
            y: area.y + area.height.saturating_sub(height) / 2,
            width,
            height: height.min(area.height),
        };
        let lines = KEYS.map(|(keys, what)| Line::raw(format!("{keys:<22} {what}")));
        frame.render_widget(Clear, place);
        frame.render_widget(Paragraph::new(lines.to_vec()).block(self.block("Keys".to_owned(), false)), place);
    }
}

/// How long ago, without the word.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let told = span(at, now);
    told.strip_suffix(" ago").unwrap_or(&told).to_owned()
}

fn clock(at: Timestamp, zone: &Zone) -> String {
    at.to_jiff().to_zoned(zone.to_jiff()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// A number in at most six characters.
fn short(n: u64) -> String {
    match n {
        0..1_000_000 => n.to_string(),
        1_000_000..100_000_000 => format!("{}.{}M", n / 1_000_000, n % 1_000_000 / 100_000),
        _ => format!("{}M", n / 1_000_000),
    }
}

/// A text in lines of at most so many columns, broken between words where that goes; what goes on is set in.
fn wrapped(text: &str, width: u16) -> Vec<String> {
    let width = usize::from(width.max(1));
    let columns = |text: &str| Span::raw(text).width();
    let inset = text.chars().take_while(|c| *c == ' ').count() + 2;
    let inset = if inset * 2 > width { 0 } else { inset };
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_inclusive(' ') {
        if columns(&line) + columns(word.trim_end()) > width && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, " ".repeat(inset)));
        }
        for c in word.chars() {
            if columns(&line) + columns(c.encode_utf8(&mut [0; 4])) > width {
                if c == ' ' {
                    continue;
                }
                lines.push(std::mem::replace(&mut line, " ".repeat(inset)));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests;
