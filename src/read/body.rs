//! The body as rules read it: lines of text as a reader sees them, table cells with their places, and the element tree for CSS
//! selectors. HTML is parsed once.

use std::borrow::Cow;
use std::ops::Range;

use dom_query::{Document, Element, LocalName, NodeData, NodeRef, local_name};

use super::html::{Named, hides};
use super::message::Message;
use super::tree::{Planted, planted};
use super::words::fold_into;
use crate::domain::clean;

/// Lines of a body that are kept.
const LINES: usize = 6_000;
/// Table cells of a body that are kept.
const CELLS: usize = 4_000;
/// Characters of a line that are kept.
const LINE: usize = 2_000;
/// Bytes of text that phrases and regexes look at.
pub(super) const TEXT: usize = 256 * 1024;

/// What an element is for the text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Table,
    Row,
    Cell,
    /// Any other that begins and ends lines.
    Block,
    Inline,
}

impl Kind {
    fn of(element: &Element) -> Self {
        match element.name.local {
            local_name!("table") => Self::Table,
            local_name!("tr") => Self::Row,
            local_name!("td") | local_name!("th") => Self::Cell,
            local_name!("p")
            | local_name!("div")
            | local_name!("tbody")
            | local_name!("thead")
            | local_name!("tfoot")
            | local_name!("ul")
            | local_name!("ol")
            | local_name!("li")
            | local_name!("h1")
            | local_name!("h2")
            | local_name!("h3")
            | local_name!("h4")
            | local_name!("h5")
            | local_name!("h6")
            | local_name!("section")
            | local_name!("article")
            | local_name!("aside")
            | local_name!("header")
            | local_name!("footer")
            | local_name!("center")
            | local_name!("blockquote")
            | local_name!("pre")
            | local_name!("dl")
            | local_name!("dt")
            | local_name!("dd")
            | local_name!("main")
            | local_name!("nav")
            | local_name!("address")
            | local_name!("figure")
            | local_name!("caption")
            | local_name!("hr")
            | local_name!("br")
            | local_name!("body") => Self::Block,
            _ => Self::Inline,
        }
    }
}

/// One cell of a table, with the lines in it (those of tables inside it too).
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// The table, numbered through the body.
    pub(super) table: usize,
    /// The row, numbered through the body.
    pub(super) row: usize,
    /// The place in the row, from 0, `colspan` counted.
    pub(super) column: usize,
    /// Its lines in [`Text::lines`].
    pub(super) lines: Range<usize>,
}

/// Text in lines.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// The lines that are not empty, cleaned.
    pub(super) lines: Vec<String>,
    /// The table cells, in the order in which they end.
    pub(super) cells: Vec<Cell>,
    /// All lines, one a row, at most [`TEXT`] bytes.
    pub(super) whole: String,
    /// Whether there was more than is kept.
    cut: bool,
}

impl Text {
    fn finish(mut self) -> Self {
        for line in &self.lines {
            if self.whole.len() + line.len() + 1 > TEXT {
                self.cut = true;
                break;
            }
            self.whole.push_str(line);
            self.whole.push('\n');
        }
        self
    }

    /// The text of a cell, its lines joined by blanks.
    pub(super) fn cell(&self, cell: &Cell) -> Cow<'_, str> {
        match self.lines.get(cell.lines.clone()).unwrap_or_default() {
            [line] => Cow::Borrowed(line),
            lines => Cow::Owned(lines.join(" ")),
        }
    }

    fn plain(text: &str) -> Self {
        let mut all = text.lines().map(|line| clean(line, LINE)).filter(|line| !line.is_empty());
        let lines = all.by_ref().take(LINES).collect();
        Self { lines, cut: all.next().is_some(), ..Self::default() }.finish()
    }
}

/// The body of a mail.
pub(super) struct Body {
    /// The texts to look into, best first: HTML as lines, then the plain text.
    pub(super) texts: Vec<Text>,
    /// All texts folded, for phrases.
    pub(super) folded: String,
    /// The element tree, when there is HTML that is neither too large nor too deep.
    pub(super) tree: Option<Document>,
    /// Whether there may be microdata in the tree.
    pub(super) microdata: bool,
    /// `lang` of the page.
    pub(super) language: Option<String>,
    /// Whether there was more than is looked at, in some of the texts.
    pub(super) cut: bool,
}

impl Body {
    /// Reads the bodies of a message. The tree has what rules look at, which is `named`.
    pub(super) fn of(message: &Message, named: &Named) -> Self {
        let mut texts = Vec::new();
        let mut tree = None;
        let mut language = None;
        let mut microdata = false;
        let mut cut = false;
        if !message.html.is_empty() {
            match planted(&message.html, named) {
                Some(Planted { document, microdata: may_hold }) => {
                    microdata = may_hold;
                    language = document.html_root().attr("lang").map(|lang| lang.to_string());
                    texts.push(walk(&document));
                    tree = Some(document);
                }
                None => {
                    cut = true;
                    let mut end = message.html.len().min(TEXT * 4);
                    while !message.html.is_char_boundary(end) {
                        end -= 1;
                    }
                    texts.push(Text::plain(&mail_parser::decoders::html::html_to_text(&message.html[..end])));
                }
            }
        }
        if !message.text.is_empty() {
            texts.push(Text::plain(&message.text));
        }
        let mut folded = String::new();
        for text in &texts {
            fold_into(&text.whole, &mut folded);
            folded.push('\n');
        }
        cut |= texts.iter().any(|text| text.cut);
        Self { texts, folded, tree, microdata, language, cut }
    }
}

/// The lines of one element and what is in it, as [`Body`] would have them.
pub(super) fn lines_of(node: &NodeRef<'_>) -> Vec<String> {
    let mut walker = Walker::default();
    walker.subtree(*node);
    walker.break_line();
    walker.text.lines
}

fn walk(document: &Document) -> Text {
    let mut walker = Walker::default();
    walker.subtree(document.root());
    walker.break_line();
    walker.text.finish()
}

#[derive(Default)]
struct Walker {
    text: Text,
    line: String,
    tables: Vec<usize>,
    rows: Vec<usize>,
    columns: Vec<usize>,
    cells: Vec<(usize, usize)>,
    table_count: usize,
    row_count: usize,
}

impl Walker {
    /// Goes through a subtree without recursion.
    fn subtree(&mut self, root: NodeRef<'_>) {
        let mut node = root;
        loop {
            let inside = self.enter(&node);
            if inside && let Some(child) = node.first_child() {
                node = child;
                continue;
            }
            self.leave(&node, inside);
            loop {
                if node.id == root.id {
                    return;
                }
                if let Some(next) = node.next_sibling() {
                    node = next;
                    break;
                }
                let Some(parent) = node.parent() else { return };
                node = parent;
                self.leave(&node, true);
            }
        }
    }

    /// Begins a node; `false` when what is in it is not shown.
    fn enter(&mut self, node: &NodeRef<'_>) -> bool {
        let full = self.text.lines.len() >= LINES;
        let (line, cut) = (&mut self.line, &mut self.text.cut);
        let element = node.query_or(Entered::Open, |node| match &node.data {
            NodeData::Text { contents } => {
                if line.len() < LINE * 4 {
                    line.push_str(contents);
                }
                Entered::Shut
            }
            NodeData::Comment { .. } => Entered::Shut,
            _ if full => {
                *cut = true;
                Entered::Shut
            }
            NodeData::Element(element) if hidden(element) => Entered::Shut,
            NodeData::Element(element) => Entered::Element(Kind::of(element), span(element)),
            _ => Entered::Open,
        });
        let Entered::Element(kind, span) = element else { return matches!(element, Entered::Open) };
        if kind != Kind::Inline {
            self.break_line();
        }
        match kind {
            Kind::Table => {
                self.tables.push(self.table_count);
                self.table_count += 1;
            }
            Kind::Row => {
                self.rows.push(self.row_count);
                self.row_count += 1;
                self.columns.push(0);
            }
            Kind::Cell => {
                let column = self.columns.last_mut().map_or(0, |next| std::mem::replace(next, *next + span));
                self.cells.push((column, self.text.lines.len()));
            }
            Kind::Block | Kind::Inline => {}
        }
        true
    }

    fn leave(&mut self, node: &NodeRef<'_>, entered: bool) {
        if !entered {
            return;
        }
        let kind = node.query_or(Kind::Inline, |node| match &node.data {
            NodeData::Element(element) => Kind::of(element),
            _ => Kind::Inline,
        });
        if kind != Kind::Inline {
            self.break_line();
        }
        match kind {
            Kind::Table => drop(self.tables.pop()),
            Kind::Row => {
                self.rows.pop();
                self.columns.pop();
            }
            Kind::Cell => {
                let room = self.text.cells.len() < CELLS;
                self.text.cut |= !room;
                if let Some((column, start)) = self.cells.pop()
                    && room
                {
                    let lines = start..self.text.lines.len();
                    let table = self.tables.last().copied().unwrap_or_default();
                    let row = self.rows.last().copied().unwrap_or_default();
                    self.text.cells.push(Cell { table, row, column, lines });
                }
            }
            Kind::Block | Kind::Inline => {}
        }
    }

    fn break_line(&mut self) {
        let line = clean(&self.line, LINE);
        self.line.clear();
        if !line.is_empty() {
            self.text.lines.push(line);
        }
    }
}

/// What became of a node.
enum Entered {
    /// What is in it is not shown, or it is text, which was taken.
    Shut,
    /// An element, with its `colspan`.
    Element(Kind, usize),
    /// Something else with elements inside.
    Open,
}

/// How many columns a cell has.
fn span(element: &Element) -> usize {
    let span = value(element, &local_name!("colspan")).and_then(|span| span.parse().ok());
    span.unwrap_or(1).clamp(1, 100)
}

/// Whether the mail's author hid the element, as preheaders are.
fn hidden(element: &Element) -> bool {
    value(element, &local_name!("hidden")).is_some() || value(element, &local_name!("style")).is_some_and(hides)
}

/// The value of an attribute.
fn value<'e>(element: &'e Element, name: &LocalName) -> Option<&'e str> {
    element.attrs.iter().find(|attribute| attribute.name.local == *name).map(|attribute| &*attribute.value)
}
