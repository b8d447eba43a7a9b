//! The body as rules read it: lines of text as a reader sees them, table cells with their places, and the element tree for CSS
//! selectors. HTML is parsed once.

use std::ops::Range;

use dom_query::{Document, NodeRef};

use super::html::harmless;
use super::message::Message;
use super::words::fold;
use crate::domain::clean;

/// Lines of a body that are kept.
const LINES: usize = 6_000;
/// Table cells of a body that are kept.
const CELLS: usize = 4_000;
/// Characters of a line that are kept.
const LINE: usize = 2_000;
/// Bytes of text that phrases and regexes look at.
pub(super) const TEXT: usize = 256 * 1024;

/// Elements that begin and end lines.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "table",
    "tbody",
    "thead",
    "tfoot",
    "tr",
    "td",
    "th",
    "ul",
    "ol",
    "li",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "section",
    "article",
    "aside",
    "header",
    "footer",
    "center",
    "blockquote",
    "pre",
    "dl",
    "dt",
    "dd",
    "main",
    "nav",
    "address",
    "figure",
    "caption",
    "hr",
    "br",
    "body",
];

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
}

impl Text {
    fn finish(mut self) -> Self {
        for line in &self.lines {
            if self.whole.len() + line.len() + 1 > TEXT {
                break;
            }
            self.whole.push_str(line);
            self.whole.push('\n');
        }
        self
    }

    /// The text of a cell, its lines joined by blanks.
    pub(super) fn cell(&self, cell: &Cell) -> String {
        self.lines.get(cell.lines.clone()).unwrap_or_default().join(" ")
    }

    fn plain(text: &str) -> Self {
        let lines = text.lines().map(|line| clean(line, LINE)).filter(|line| !line.is_empty()).take(LINES).collect();
        Self { lines, ..Self::default() }.finish()
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
    /// `lang` of the page.
    pub(super) language: Option<String>,
}

impl Body {
    /// Reads the bodies of a message.
    pub(super) fn of(message: &Message) -> Self {
        let mut texts = Vec::new();
        let mut tree = None;
        let mut language = None;
        if !message.html.is_empty() {
            match harmless(&message.html) {
                Some(html) => {
                    let document = Document::from(html);
                    language = document.html_root().attr("lang").map(|lang| lang.to_string());
                    texts.push(walk(&document));
                    tree = Some(document);
                }
                None => {
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
            folded.push_str(&fold(&text.whole));
            folded.push('\n');
        }
        Self { texts, folded, tree, language }
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
        if node.is_text() {
            let text = node.text();
            if self.line.len() < LINE * 4 {
                self.line.push_str(&text);
            }
            return false;
        }
        if node.is_comment() || self.text.lines.len() >= LINES {
            return false;
        }
        let Some(name) = node.node_name() else { return true };
        if hidden(node) {
            return false;
        }
        if BLOCKS.contains(&name.as_ref()) {
            self.break_line();
        }
        match name.as_ref() {
            "table" => {
                self.tables.push(self.table_count);
                self.table_count += 1;
            }
            "tr" => {
                self.rows.push(self.row_count);
                self.row_count += 1;
                self.columns.push(0);
            }
            "td" | "th" => {
                let span = node.attr("colspan").and_then(|span| span.parse::<usize>().ok()).unwrap_or(1).clamp(1, 100);
                let column = self.columns.last_mut().map_or(0, |next| std::mem::replace(next, *next + span));
                self.cells.push((column, self.text.lines.len()));
            }
            _ => {}
        }
        true
    }

    fn leave(&mut self, node: &NodeRef<'_>, entered: bool) {
        if node.is_text() || !entered {
            return;
        }
        let Some(name) = node.node_name() else { return };
        if BLOCKS.contains(&name.as_ref()) {
            self.break_line();
        }
        match name.as_ref() {
            "table" => drop(self.tables.pop()),
            "tr" => {
                self.rows.pop();
                self.columns.pop();
            }
            "td" | "th" => {
                if let Some((column, start)) = self.cells.pop()
                    && self.text.cells.len() < CELLS
                {
                    let lines = start..self.text.lines.len();
                    let table = self.tables.last().copied().unwrap_or_default();
                    let row = self.rows.last().copied().unwrap_or_default();
                    self.text.cells.push(Cell { table, row, column, lines });
                }
            }
            _ => {}
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

/// Whether the mail's author hid the element, as preheaders are.
fn hidden(node: &NodeRef<'_>) -> bool {
    if node.has_attr("hidden") {
        return true;
    }
    let Some(style) = node.attr("style") else { return false };
    let style = style.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    ["display:none", "visibility:hidden", "mso-hide:all", "font-size:0;", "max-height:0;", "max-height:0px"]
        .iter()
        .any(|sign| style.contains(sign))
        || style.ends_with("font-size:0")
}
