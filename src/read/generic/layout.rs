//! Values beside their labels: in the line after the label, in the cell to the right, in the cell or line below. Which of them it
//! is, the layout says: a label whose right neighbour is a label too heads a column.

use crate::read::body::{Cell, Text};
use crate::read::words::{Headed, LabelIndex};

/// Labelled values of a mail that are kept.
const VALUES: usize = 400;

/// Heads to each side of one that are looked at.
const HEADS: usize = 3;

/// Where a value stands, seen from its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the same line.
    After,
    /// In the next cell of the row, in the cell below or in the next line.
    Beside,
}

/// A value with its label.
pub(super) struct Labelled<'i, 't> {
    pub(super) head: Headed<'i, 't>,
    pub(super) value: &'t str,
    pub(super) place: Place,
    /// The line of the label.
    pub(super) line: usize,
    /// The line of the value.
    pub(super) value_line: usize,
}

/// A text with its labels.
pub(super) struct Layout<'t> {
    pub(super) lines: &'t [String],
    /// For each line the label that it begins with.
    pub(super) heads: Vec<Option<Headed<'t, 't>>>,
    pub(super) labelled: Vec<Labelled<'t, 't>>,
}

impl<'t> Layout<'t> {
    /// Finds the labels of a text and their values.
    pub(super) fn of(text: &'t Text, index: &'t LabelIndex) -> Self {
        let heads = text.lines.iter().map(|line| index.head(line)).collect::<Vec<_>>();
        let mut cell_of = vec![None; text.lines.len()];
        // Cells end from the inside out, so the first that holds a line is the one it stands in.
        for (number, cell) in text.cells.iter().enumerate() {
            for line in cell.lines.clone() {
                if let Some(place) = cell_of.get_mut(line).filter(|place| place.is_none()) {
                    *place = Some(number);
                }
            }
        }
        let is_label =
            |line: usize| heads.get(line).is_some_and(|head| head.as_ref().is_some_and(|head| head.value.is_empty()));
        let mut found = Vec::new();
        for (line, head) in heads.iter().enumerate().filter(|(_, head)| head.is_some()).take(2 * VALUES) {
            let Some(head) = head else { continue };
            let beside = || {
                let cell = cell_of.get(line).copied().flatten().and_then(|number| text.cells.get(number));
                let cell = cell.filter(|cell| cell.lines.len() <= 2 && cell.lines.start == line);
                let right = cell.and_then(|cell| right_of(text, cell));
                let below = || cell.and_then(|cell| below(text, cell));
                let first = |cell: &Cell| cell.lines.start;
                // `Order number<br>48213` beside `Date<br>3 August`.
                let own = || cell.filter(|cell| cell.lines.len() == 2 && !is_label(line + 1)).map(|_| line + 1);
                match right.map(first) {
                    Some(right) if !is_label(right) => Some(right),
                    Some(_) => own().or_else(|| below().map(first)),
                    None => own().or_else(|| below().map(first)).or(Some(line + 1)),
                }
                .filter(|value| !is_label(*value))
            };
            let (value, value_line, place) = if head.value.is_empty() {
                let Some((at, value)) = beside().and_then(|at| Some((at, text.lines.get(at)?))) else { continue };
                (value.as_str(), at, Place::Beside)
            } else {
                (head.value, line, Place::After)
            };
            found.push((line, value, value_line, place));
            if found.len() == VALUES {
                break;
            }
        }
        let labelled = found.into_iter().filter_map(|(line, value, value_line, place)| {
            Some(Labelled { head: (*heads.get(line)?)?, value, place, line, value_line })
        });
        Self { labelled: labelled.collect(), lines: &text.lines, heads }
    }

    /// Whether a label heads a column of products: in a row with it stands the head of a count or a price.
    pub(super) fn heads_products(&self, line: usize) -> bool {
        let (before, after) = self.heads.split_at(line.min(self.heads.len()));
        let bare = |head: &Option<Headed<'t, 't>>| head.filter(|head| head.value.is_empty());
        let counts =
            |head: Headed<'t, 't>| ["quantity", "unit_price", "line_total"].into_iter().any(|list| head.is(list));
        before.iter().rev().map_while(bare).take(HEADS).any(counts)
            || after.iter().skip(1).map_while(bare).take(HEADS).any(counts)
    }

    /// The values whose label is in a list, in the order of the mail.
    pub(super) fn of_list<'l>(&'l self, list: &'static str) -> impl Iterator<Item = &'l Labelled<'t, 't>> {
        self.labelled.iter().filter(move |one| one.head.is(list))
    }
}

/// The next cell of the row that is not empty.
fn right_of<'t>(text: &'t Text, head: &Cell) -> Option<&'t Cell> {
    text.cells
        .iter()
        .filter(|cell| cell.row == head.row && cell.column > head.column && !cell.lines.is_empty())
        .min_by_key(|cell| cell.column)
}

/// The cell in the next row of the table that is not empty in this column.
fn below<'t>(text: &'t Text, head: &Cell) -> Option<&'t Cell> {
    text.cells
        .iter()
        .filter(|cell| {
            cell.table == head.table && cell.row > head.row && cell.column == head.column && !cell.lines.is_empty()
        })
        .min_by_key(|cell| cell.row)
}
