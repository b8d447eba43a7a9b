//! Screens as they look, literally.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::cli::watch::look::{Copies, Due};
use crate::domain::{AlarmKind, DAY, HOUR, InvitationId, ShopId};
use crate::ops::stats::{By, Stats};
use crate::store::{Actor, Alarm, Deferred, Figure, InHand, Pause};

/// Monday, 2 March 2026, 10:00 in Stockholm.
const NOW: Timestamp = Timestamp::from_seconds(1_772_442_000);

fn shop(name: &str) -> ShopId {
    ShopId::parse(name).unwrap()
}

fn ago(span: std::time::Duration) -> Timestamp {
    Timestamp(NOW.0 - span.as_millis() as i64)
}

fn sums(names: &[(&str, u64)]) -> Sums {
    let figures = names.iter().map(|(name, n)| Figure { shop: shop("nord"), day: 5, name: (*name).to_owned(), n: *n });
    Stats::of(&figures.collect::<Vec<_>>(), 5, 5, By::Day).total
}

fn snapshot() -> Snapshot {
    let due = |id, at, what, reference: &str, customer: &str| Due {
        id: InvitationId(id),
        at,
        what,
        shop: "nord".to_owned(),
        reference: reference.to_owned(),
        customer: customer.to_owned(),
    };
    Snapshot {
        states: [
            (State::Waiting, 12),
            (State::Queued, 3_456),
            (State::Sending, 3),
            (State::Sent, 810),
            (State::Done, 1_234_567),
            (State::Cancelled, 44),
            (State::Failed, 2),
            (State::InDoubt, 1),
        ]
        .into(),
        today: sums(&[("begun", 40), ("letter first", 30), ("letter reminder", 5), ("relay-refuses", 1)]),
        yesterday: sums(&[("begun", 120), ("letter first", 100), ("desk-cancels", 2), ("letter dropped", 3)]),
        week: sums(&[("begun", 700), ("letter first", 650), ("answer hard_bounce", 7)]),
        total: sums(&[("begun", 740), ("letter first", 680)]),
        upcoming: vec![
            due(4711, ago(HOUR * 2), "letter", "LN-2204", "Anna Exempel <anna@customer.example>"),
            due(4712, NOW.plus(HOUR / 2), "reminder", "LN-2205", "<b.beispiel@customer.example>"),
            due(
                4713,
                NOW.plus(DAY * 12),
                "give up",
                "LN-2206-very-long-reference",
                "\u{6ce8}\u{6587} <c@customer.example>",
            ),
        ],
        in_hand: vec![InHand { relay: "default".to_owned(), claimed: 2, on_the_wire: 1, oldest: ago(HOUR / 600) }],
        deferred: vec![Deferred {
            invitation: InvitationId(4700),
            at: ago(HOUR / 12),
            reply: "default said 451 4.7.1 greylisted (at rcpt)".to_owned(),
        }],
        copies: vec![
            Copies { shop: "nord".to_owned(), unread: 0, held: 7, read: 9_000, last: Some(ago(HOUR / 60)) },
            Copies { shop: "syd".to_owned(), unread: 2, held: 0, read: 0, last: None },
        ],
        alarms: vec![],
        pauses: vec![],
    }
}

fn noticed() -> Snapshot {
    let alarm = Alarm {
        shop: shop("nord"),
        kind: AlarmKind::Held,
        since: ago(HOUR * 3),
        note: "40 of the last 50 order mails are held".to_owned(),
    };
    let actor = Actor { name: "kim".to_owned(), reason: Some("the\u{1b}[2J relay moves".to_owned()) };
    let pause = Pause { shop: Some(shop("syd")), since: ago(DAY * 3), actor };
    Snapshot { alarms: vec![alarm], pauses: vec![pause], ..snapshot() }
}

/// What a test draws.
struct Case {
    seen: Option<Snapshot>,
    view: View,
    trouble: Option<(Timestamp, String)>,
    glyphs: Glyphs,
    has_colours: bool,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            seen: Some(snapshot()),
            view: View::default(),
            trouble: None,
            glyphs: Glyphs::Blocks,
            has_colours: false,
        }
    }
}

impl Case {
    fn drawn(&self, width: u16, height: u16) -> Terminal<TestBackend> {
        let zone = Zone::named("Europe/Stockholm").unwrap();
        let mut rates = Rates::default();
        rates.saw(sums(&[("begun", 733), ("letter first", 660)]), ago(HOUR / 2));
        rates.saw(sums(&[("begun", 740), ("letter first", 680)]), NOW);
        let face = Face {
            whose: "all shops",
            every: "2s",
            zone: &zone,
            glyphs: self.glyphs,
            has_colours: self.has_colours,
            now: NOW,
            seen: self.seen.as_ref(),
            rates: &rates,
            trouble: self.trouble.as_ref(),
            view: &self.view,
        };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &face)).unwrap();
        terminal
    }

    /// The screen as text, without the blanks at the ends of lines.
    fn text(&self, width: u16, height: u16) -> String {
        let terminal = self.drawn(width, height);
        let buffer = terminal.backend().buffer();
        let lines = (0..height).map(|y| {
            let mut line = String::new();
            let mut x = 0;
            while x < width {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                // A wide character has its second column too.
                x += u16::try_from(Span::raw(symbol).width().max(1)).unwrap();
            }
            format!("{}\n", line.trim_end())
        });
        lines.collect()
    }
}

fn tale() -> View {
    let lines = [
        "Invitation 4711: nord, order LN-2204, Anna Exempel <anna@customer.example>, queued",
        "  2026-03-01 09:00 CET  \
         order placed: begins as queued, next at 2026-03-08 09:00 CET, because the delay before the first letter began",
    ];
    let lines = lines.map(str::to_owned).to_vec();
    View { tale: Some(Tale { id: InvitationId(4711), lines: Some(lines), top: 0 }), ..View::default() }
}

#[test]
fn the_screen_of_an_ordinary_terminal() {
    let text = Case::default().text(80, 24);
    assert_eq!(text, include_str!("80x24.txt"), "\n{text}");
}

#[test]
fn notices_stand_on_top_the_worst_first_and_steer_nothing() {
    let trouble = Some((ago(HOUR / 60), "disk I/O error".to_owned()));
    let text = Case { seen: Some(noticed()), trouble, ..Case::default() }.text(80, 24);
    assert_eq!(text, include_str!("80x24-notices.txt"), "\n{text}");
}

#[test]
fn the_screen_of_a_large_terminal() {
    let text = Case { seen: Some(noticed()), ..Case::default() }.text(200, 60);
    assert_eq!(text, include_str!("200x60.txt"), "\n{text}");
}

#[test]
fn the_screen_of_a_terminal_without_blocks() {
    let text = Case { glyphs: Glyphs::Ascii, ..Case::default() }.text(80, 24);
    let without_names = text.replace(['\u{6ce8}', '\u{6587}'], "");
    assert!(without_names.is_ascii(), "{text}");
    assert!(text.contains("+ Invitations ---"), "{text}");
}

#[test]
fn a_story_is_broken_between_words_and_scrolls() {
    let mut view = tale();
    let text = Case { view: view.clone(), ..Case::default() }.text(80, 24);
    assert_eq!(text, include_str!("80x24-story.txt"), "\n{text}");
    view.press(KeyEvent::new(KeyCode::Down, KeyModifiers::NONE), None);
    let text = Case { view, ..Case::default() }.text(80, 24);
    assert!(!text.contains("LN-2204, Anna") && text.contains("order placed: begins as queued"), "{text}");
    let unread = View { tale: Some(Tale { id: InvitationId(1), lines: None, top: 0 }), ..View::default() };
    assert!(Case { view: unread, ..Case::default() }.text(80, 24).contains("Reading ..."));
}

#[test]
fn help_lies_over_everything() {
    let text = Case { view: View { has_help: true, ..View::default() }, ..Case::default() }.text(80, 24);
    for (keys, what) in KEYS {
        assert!(text.contains(&format!("{keys:<22} {what}")), "{text}");
    }
}

#[test]
fn before_the_first_look_and_without_anything_there_is_a_screen_too() {
    let text = Case { seen: None, ..Case::default() }.text(80, 24);
    assert!(text.contains("Looking at the database ..."), "{text}");
    let text = Case { seen: Some(Snapshot::default()), ..Case::default() }.text(80, 24);
    for part in
        ["Next: nothing is due", "no letter is in hand", "no letter was put off lately", "Copies: 0 held, 0 unread"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_held_screen_says_since_when() {
    let text = Case { view: View { is_paused: true, ..View::default() }, ..Case::default() }.text(80, 24);
    assert!(
        text.starts_with("The queue of all shops") && text.contains("held at 2026-03-02 10:00:00 CET; p goes on"),
        "{text}"
    );
}

#[test]
fn every_size_draws_something_and_none_panics() {
    let long = Snapshot { upcoming: snapshot().upcoming.into_iter().cycle().take(100).collect(), ..noticed() };
    let views = [
        View::default(),
        tale(),
        View { has_help: true, panel: Panel::Copies, ..View::default() },
        View { panel: Panel::Relays, rows: [500, 500, 500], ..View::default() },
    ];
    for view in views {
        let case = Case { seen: Some(long.clone()), view, trouble: Some((NOW, "x".repeat(300))), ..Case::default() };
        for (width, height) in
            [(1, 1), (20, 5), (59, 24), (60, 18), (61, 19), (80, 17), (80, 25), (120, 30), (300, 100)]
        {
            let text = case.text(width, height);
            let is_small = width < NARROWEST || height < LOWEST;
            assert_eq!(!text.contains("The queue of"), is_small, "{width}x{height}\n{text}");
        }
    }
}

#[test]
fn colours_are_there_only_where_they_are_wanted_and_the_chosen_row_is_seen_without_them() {
    let trouble = || Some((NOW, "no".to_owned()));
    let coloured = |has_colours| {
        let case = Case { seen: Some(noticed()), trouble: trouble(), has_colours, ..Case::default() };
        let terminal = case.drawn(80, 24);
        let buffer = terminal.backend().buffer().clone();
        buffer.content.iter().filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count()
    };
    assert_eq!(coloured(false), 0);
    assert!(coloured(true) > 50);
    let text = Case { view: View { rows: [1, 0, 0], ..View::default() }, ..Case::default() }.text(80, 24);
    assert!(text.contains("> 4712") && text.contains("> Next, 2 of 3"), "{text}");
}
