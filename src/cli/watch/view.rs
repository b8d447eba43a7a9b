//! What the person at the screen chose, and what the keys do: no terminal and no database, so that every key can be tested.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::look::Snapshot;
use crate::domain::InvitationId;

/// Rows that a page key moves.
const PAGE: usize = 10;

/// A part of the screen in which rows are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Panel {
    /// What is due next.
    Due,
    /// Relays and their replies.
    Relays,
    /// The shops' copies.
    Copies,
}

impl Panel {
    const ALL: [Self; 3] = [Self::Due, Self::Relays, Self::Copies];

    fn moved(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}

/// An invitation's story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tale {
    pub(super) id: InvitationId,
    /// `None` until it is read.
    pub(super) lines: Option<Vec<String>>,
    /// The first line that is shown; the drawing keeps it within what there is.
    pub(super) top: usize,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) panel: Panel,
    /// The chosen row of each panel.
    pub(super) rows: [usize; 3],
    pub(super) tale: Option<Tale>,
    pub(super) has_help: bool,
    pub(super) is_paused: bool,
}

impl Default for View {
    fn default() -> Self {
        Self { panel: Panel::Due, rows: [0; 3], tale: None, has_help: false, is_paused: false }
    }
}

/// What is to be done beside drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing.
    None,
    /// Leave.
    Leave,
    /// Read an invitation's story.
    Tell(InvitationId),
}

impl View {
    /// The chosen row of a panel.
    pub(super) fn row(&self, panel: Panel) -> usize {
        self.rows[panel as usize]
    }

    /// Takes a key.
    pub(super) fn press(&mut self, key: KeyEvent, seen: Option<&Snapshot>) -> Wish {
        if key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'C')) {
            return Wish::Leave;
        }
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return Wish::None;
        }
        if std::mem::take(&mut self.has_help) {
            return if key.code == KeyCode::Char('q') { Wish::Leave } else { Wish::None };
        }
        match key.code {
            KeyCode::Char('q') => return Wish::Leave,
            KeyCode::Char('?' | 'h') => self.has_help = true,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            _ if self.tale.is_some() => self.press_in_tale(key.code),
            KeyCode::Esc => return Wish::Leave,
            code => return self.press_in_panels(code, seen),
        }
        Wish::None
    }

    fn press_in_tale(&mut self, code: KeyCode) {
        if matches!(code, KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace) {
            self.tale = None;
        }
        if let Some(tale) = &mut self.tale {
            let last = tale.lines.as_ref().map_or(0, |lines| lines.len().saturating_sub(1));
            tale.top = moved(tale.top, code, last);
        }
    }

    fn press_in_panels(&mut self, code: KeyCode, seen: Option<&Snapshot>) -> Wish {
        match code {
            KeyCode::Tab | KeyCode::Right => self.panel = self.panel.moved(1),
            KeyCode::BackTab | KeyCode::Left => self.panel = self.panel.moved(Panel::ALL.len() - 1),
            KeyCode::Enter => {
                let chosen = seen.and_then(|seen| self.chosen(seen));
                if let Some(id) = chosen {
                    self.tale = Some(Tale { id, lines: None, top: 0 });
                    return Wish::Tell(id);
                }
            }
            code => {
                let last = seen.map_or(0, |seen| self.count(seen).saturating_sub(1));
                let row = &mut self.rows[self.panel as usize];
                *row = moved((*row).min(last), code, last);
            }
        }
        Wish::None
    }

    /// How many rows the panel has.
    fn count(&self, seen: &Snapshot) -> usize {
        match self.panel {
            Panel::Due => seen.upcoming.len(),
            Panel::Relays => seen.deferred.len(),
            Panel::Copies => seen.copies.len(),
        }
    }

    /// The invitation of the chosen row.
    fn chosen(&self, seen: &Snapshot) -> Option<InvitationId> {
        let row = self.row(self.panel);
        match self.panel {
            Panel::Due => seen.upcoming.get(row.min(seen.upcoming.len().saturating_sub(1))).map(|due| due.id),
            Panel::Relays => {
                seen.deferred.get(row.min(seen.deferred.len().saturating_sub(1))).map(|one| one.invitation)
            }
            Panel::Copies => None,
        }
    }

    /// The story of an invitation was read; whoever has turned away from it meanwhile does not see it.
    pub(super) fn told(&mut self, id: InvitationId, lines: Vec<String>) {
        if let Some(tale) = self.tale.as_mut().filter(|tale| tale.id == id) {
            tale.lines = Some(lines);
        }
    }
}

fn moved(row: usize, code: KeyCode, last: usize) -> usize {
    match code {
        KeyCode::Up | KeyCode::Char('k') => row.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => (row + 1).min(last),
        KeyCode::PageUp => row.saturating_sub(PAGE),
        KeyCode::PageDown => (row + PAGE).min(last),
        KeyCode::Home | KeyCode::Char('g') => 0,
        KeyCode::End | KeyCode::Char('G') => last,
        _ => row,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::watch::look::Due;
    use crate::domain::Timestamp;

    fn seen() -> Snapshot {
        let due = |id| Due {
            id: InvitationId(id),
            at: Timestamp(0),
            what: "letter",
            shop: "nord".to_owned(),
            reference: "1".to_owned(),
            customer: "<a@b.example>".to_owned(),
        };
        Snapshot { upcoming: vec![due(11), due(12), due(13)], ..Snapshot::default() }
    }

    fn press(view: &mut View, code: KeyCode) -> Wish {
        view.press(KeyEvent::new(code, KeyModifiers::NONE), Some(&seen()))
    }

    #[test]
    fn rows_are_chosen_and_their_story_is_asked_for() {
        let mut view = View::default();
        assert_eq!(press(&mut view, KeyCode::Up), Wish::None);
        for _ in 0..5 {
            press(&mut view, KeyCode::Down);
        }
        assert_eq!(view.row(Panel::Due), 2, "not beyond the last");
        press(&mut view, KeyCode::Char('k'));
        assert_eq!(press(&mut view, KeyCode::Enter), Wish::Tell(InvitationId(12)));
        view.told(InvitationId(13), vec!["of another".to_owned()]);
        assert_eq!(view.tale.as_ref().unwrap().lines, None);
        view.told(InvitationId(12), vec!["one".to_owned(), "two".to_owned()]);
        for _ in 0..5 {
            press(&mut view, KeyCode::PageDown);
        }
        assert_eq!(view.tale.as_ref().unwrap().top, 1);
        assert_eq!(press(&mut view, KeyCode::Esc), Wish::None, "out of the story first");
        assert_eq!(view.tale, None);
        assert_eq!(press(&mut view, KeyCode::Esc), Wish::Leave);
    }

    #[test]
    fn a_row_that_is_gone_is_the_last_one_there_is() {
        let mut view = View { rows: [99, 0, 0], ..View::default() };
        assert_eq!(press(&mut view, KeyCode::Enter), Wish::Tell(InvitationId(13)));
        let mut view = View::default();
        let empty = Snapshot::default();
        let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(view.press(enter, Some(&empty)), Wish::None);
        assert_eq!(view.press(enter, None), Wish::None);
    }

    #[test]
    fn every_way_out_leads_out_from_everywhere() {
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        for before in [vec![], vec![KeyCode::Char('?')], vec![KeyCode::Enter], vec![KeyCode::Tab, KeyCode::Char('p')]] {
            let mut view = View::default();
            for key in before {
                press(&mut view, key);
            }
            assert_eq!(view.clone().press(ctrl_c, None), Wish::Leave);
            assert_eq!(press(&mut view, KeyCode::Char('q')), Wish::Leave);
        }
        let mut view = View::default();
        press(&mut view, KeyCode::Char('?'));
        assert_eq!((press(&mut view, KeyCode::Esc), view.has_help), (Wish::None, false), "out of the help first");
    }

    #[test]
    fn panels_go_round_and_p_holds_the_screen() {
        let mut view = View::default();
        for panel in [Panel::Relays, Panel::Copies, Panel::Due] {
            press(&mut view, KeyCode::Tab);
            assert_eq!(view.panel, panel);
        }
        press(&mut view, KeyCode::BackTab);
        assert_eq!(view.panel, Panel::Copies);
        assert_eq!(press(&mut view, KeyCode::Enter), Wish::None, "copies have no story here");
        press(&mut view, KeyCode::Char('p'));
        assert!(view.is_paused);
        press(&mut view, KeyCode::Char('p'));
        assert!(!view.is_paused);
    }
}
