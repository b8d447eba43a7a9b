//! The products of a mail of unknown make: a table whose head row names its columns; else rows and lines that have the parts of an
//! order line, a name with a count and a price.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::domain::{Product, clean};
use crate::read::body::{Cell, Text};
use crate::read::evidence::PRODUCTS;
use crate::read::words::{Headed, LabelIndex};

/// Characters of a product's name.
const NAME: usize = 300;
/// Lines of a row that is one product.
const LINES: usize = 14;
/// Head rows that are tried: each costs a look at the whole table.
const HEADS: usize = 6;
/// Rows that are looked at.
const ROWS: usize = 1_500;
/// Lines after a name among which its count may be.
const AHEAD: usize = 7;

/// Rows of cells, by table and row, left to right.
type Rows<'t> = BTreeMap<(usize, usize), Vec<&'t Cell>>;

/// A price: a sign or code of a currency beside a number, or a number with two decimals. Blanks between thousands are plain here.
static PRICE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(?:(?:[$€£¥￥₽₴₩]|\b(?:EUR|USD|GBP|SEK|DKK|NOK|CHF|PLN|CZK|HUF|RON|JPY|AUD|CAD|INR|R\$|kr\.?|zł|Kč|Ft|lei))\s?-?\d[\d.,'’\u{a0}\u{202f} ]*|-?(?:\b\d{1,3}(?: \d{3})+(?:[.,]\d{1,2})?|\d[\d.,'’\u{a0}\u{202f}]*)\s?(?:[$€£¥￥₽₴₩]|(?:EUR|USD|GBP|SEK|DKK|NOK|CHF|PLN|CZK|HUF|RON|JPY|kr\.?|zł|Kč|Ft|lei|円|:-|,-)(?:\W|$))|\b\d[\d.,'’\u{a0}]*[.,]\d\d\b)",
    )
    .ok()
});

/// A count before a name: `2 x Lamp`, `2× Lamp`.
static COUNT_FIRST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)^\s*(?P<count>\d{1,4})\s*(?:x|×|ｘ|✕|\*|stk\.?|st\.?|pcs\.?|szt\.?|ks|kpl|db|個|点)\s+(?P<name>\S.*)$",
    )
    .ok()
});

/// A count after a name: `Lamp × 2`, `Lamp (2 Stk.)`, `Lamp x2`.
static COUNT_LAST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?P<name>.*\S)\s*(?:[(\[]\s*(?P<within>\d{1,4})\s*(?:x|×|stk\.?|st\.?|pcs\.?|szt\.?|ks|kpl|個|点)?\s*[)\]]|\s[x×ｘ✕]\s?(?P<count>\d{1,4}))\s*$").ok()
});

/// A cell that is nothing but a count.
static COUNT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*(?:[x×ｘ✕]\s?)?(\d{1,4})(?:[.,]0+)?\s*(?:x|×|ｘ|✕|stk\.?|st\.?|pcs\.?|szt\.?|ks|kpl|db|個|点|本|枚)?\s*$").ok()
});

/// An article number at the end of a name: `Lamp (LA-1)`, `Lamp [LA-1]`.
static SKU: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^(?P<name>.*\S)\s*[(\[](?P<sku>[A-Z0-9][A-Za-z0-9/_.\-]*\d[A-Za-z0-9/_.\-]*|[A-Z0-9]+(?:-[A-Z0-9]+)+)[)\]]$",
    )
    .ok()
});

/// An article number before a name: `[LA-1] Lamp`, `TEE-RNR-M Shirt`.
static SKU_FIRST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:\[(?P<sku>[A-Za-z0-9][A-Za-z0-9/_.\-]*)\]|(?P<code>[A-Z0-9]+(?:-[A-Z0-9]+)+))\s+(?P<name>\S.*)$")
        .ok()
});

/// Whether a character may be a digit of the patterns: those of other scripts are digits too. Most texts have none, and no
/// pattern need be asked about them.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric())
}

/// [`COUNT_FIRST`] in a text, which begins with a digit then.
fn count_first(text: &str) -> Option<Captures<'_>> {
    COUNT_FIRST.as_ref().filter(|_| text.trim_start().starts_with(is_digit))?.captures(text)
}

/// [`COUNT_LAST`] in a text, which ends with a digit or a bracket then.
fn count_last(text: &str) -> Option<Captures<'_>> {
    COUNT_LAST.as_ref().filter(|_| text.trim_end().ends_with(|c| is_digit(c) || matches!(c, ')' | ']')))?.captures(text)
}

/// Reads the products of a text, of whose lines it is known with which labels they begin.
pub(super) fn find(text: &Text, index: &LabelIndex, heads: &[Option<Headed<'_, '_>>]) -> Vec<Product> {
    let mut rows: Rows<'_> = BTreeMap::new();
    for cell in &text.cells {
        rows.entry((cell.table, cell.row)).or_default().push(cell);
    }
    rows.values_mut().for_each(|cells| cells.sort_by_key(|cell| cell.column));
    let reader = Reader { text, index, heads };
    let mut products = reader.headed(&rows);
    if products.is_empty() {
        products = reader.loose_rows(&rows);
    }
    if products.is_empty() {
        products = reader.labelled();
    }
    if products.is_empty() {
        products = reader.lines();
    }
    products.truncate(PRODUCTS);
    products
}

struct Reader<'t> {
    text: &'t Text,
    index: &'t LabelIndex,
    /// For each line of the text the label that it begins with.
    heads: &'t [Option<Headed<'t, 't>>],
}

/// The columns of a table, as its head row names them.
#[derive(Default)]
struct Columns {
    /// Where names may be: there may be a column for pictures or codes with a head of the same kind.
    names: Vec<usize>,
    sku: Option<usize>,
    quantity: Option<usize>,
    unit: Option<usize>,
    total: Option<usize>,
}

impl<'t> Reader<'t> {
    /// The label that a whole text is.
    fn label<'l>(&self, text: &'l str) -> Option<Headed<'t, 'l>> {
        self.index
            .head(text)
            .filter(|head| head.value.is_empty() || head.value.chars().count() <= 12 && head.value.starts_with('('))
    }

    /// Whether a row or line is no product but a sum, a fee or a note.
    fn is_sum(&self, text: &str) -> bool {
        let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
        self.index.head(text).is_some_and(|head| head.is("sums") && !head.is("product"))
    }

    fn cell_lines(&self, cell: &Cell) -> &'t [String] {
        self.text.lines.get(cell.lines.clone()).unwrap_or_default()
    }

    /// The rows under a head row.
    fn headed(&self, rows: &Rows<'t>) -> Vec<Product> {
        let heads = rows.iter().take(ROWS).filter_map(|(place, cells)| Some((place, self.columns(cells)?)));
        for ((table, row), columns) in heads.take(HEADS) {
            let below = rows.range((*table, row + 1)..(table + 1, 0));
            let products =
                below.filter_map(|(_, cells)| self.in_columns(&columns, cells)).take(PRODUCTS).collect::<Vec<_>>();
            if !products.is_empty() {
                return products;
            }
        }
        Vec::new()
    }

    /// The columns that a row names, when it is the head of a product table: a name, and a count or a price.
    fn columns(&self, cells: &[&Cell]) -> Option<Columns> {
        let mut columns = Columns::default();
        for cell in cells {
            if !(1..=2).contains(&cell.lines.len()) {
                continue;
            }
            let text = self.text.cell(cell);
            let Some(head) = self.label(&text) else { continue };
            // `Name` heads the names of products here, though elsewhere it stands before a person's.
            if head.is("product") || head.is("customer_name") {
                columns.names.push(cell.column);
                continue;
            }
            let place = [
                ("quantity", &mut columns.quantity),
                ("unit_price", &mut columns.unit),
                ("sku", &mut columns.sku),
                ("line_total", &mut columns.total),
            ];
            if let Some((_, column)) = place.into_iter().find(|(list, column)| head.is(list) && column.is_none()) {
                *column = Some(cell.column);
            }
        }
        let priced = columns.unit.is_some() || columns.total.is_some();
        if columns.names.is_empty() && columns.quantity.is_some() && priced {
            let taken = [columns.sku, columns.quantity, columns.unit, columns.total];
            columns.names = (0..4).filter(|column| !taken.contains(&Some(*column))).collect();
        }
        (!columns.names.is_empty() && (columns.quantity.is_some() || priced)).then_some(columns)
    }

    fn in_columns(&self, columns: &Columns, cells: &[&Cell]) -> Option<Product> {
        let at = |column: usize| cells.iter().find(|cell| cell.column == column);
        let value = |column: Option<usize>| {
            column.and_then(at).map(|cell| self.text.cell(cell)).filter(|value| !value.is_empty())
        };
        let name_cell = columns
            .names
            .iter()
            .filter_map(|column| at(*column))
            .find(|cell| self.cell_lines(cell).iter().any(|line| has_letters(line)))?;
        let name = self.cell_lines(name_cell).iter().find(|line| has_letters(line))?;
        let first = cells.iter().find(|cell| !cell.lines.is_empty())?;
        // `Voucher` alone is a sum, `Voucher over 50 €` with a count may be what was bought.
        let sum = |text: &str| {
            self.is_sum(text) && (columns.quantity.is_none() || self.label(text.trim_end_matches(':')).is_some())
        };
        if sum(&self.text.cell(first)) || sum(name) {
            return None;
        }
        let counted = value(columns.quantity).and_then(|text| count(&text));
        if columns.quantity.is_some() && counted.is_none() {
            return None;
        }
        // Where the count has a column, `Mill set x 2` is a name.
        let mut product = if counted.is_some() { coded(name) } else { taken_apart(name) };
        product.quantity = counted.or(product.quantity).or_else(|| self.count_in(self.cell_lines(name_cell)));
        product.price = value(columns.unit).or_else(|| value(columns.total)).and_then(|text| price(&text));
        if columns.quantity.is_none() && product.price.is_none() {
            return None;
        }
        product.sku = value(columns.sku)
            .map(|sku| clean(&sku, 100))
            .or(product.sku)
            .or_else(|| self.sku_in(self.cell_lines(name_cell)));
        Some(product)
    }

    /// The count that a line names: `Quantity: 2`.
    fn count_in(&self, lines: &[String]) -> Option<u32> {
        lines.iter().find_map(|line| {
            let head = self.index.head(line)?;
            head.is("quantity").then(|| count(head.value)).flatten()
        })
    }

    /// The article number that a line names.
    fn sku_in(&self, lines: &[String]) -> Option<String> {
        lines.iter().find_map(|line| {
            let head = self.index.head(line)?;
            let value = head.value.trim();
            (head.is("sku") && !value.is_empty() && value.len() <= 60).then(|| clean(value, 100))
        })
    }

    /// Rows without a head: a name, a count, a price.
    fn loose_rows(&self, rows: &Rows<'t>) -> Vec<Product> {
        let mut found: Vec<Product> = Vec::new();
        for cells in rows.values().take(ROWS) {
            let filled = cells.iter().filter(|cell| !cell.lines.is_empty()).count();
            let lines = cells.iter().map(|cell| cell.lines.len()).sum::<usize>();
            if filled < 2 || lines > LINES {
                continue;
            }
            if found.len() == PRODUCTS {
                break;
            }
            if let Some(product) = self.loose_row(cells)
                && !found.contains(&product)
            {
                found.push(product);
            }
        }
        found
    }

    fn loose_row(&self, cells: &[&Cell]) -> Option<Product> {
        let lines = cells.iter().flat_map(|cell| self.cell_lines(cell)).collect::<Vec<_>>();
        let is_price = |line: &str| price(line).is_some_and(|price| price.chars().count() * 2 > line.chars().count());
        let named = |line: &&&String| {
            has_letters(line) && !is_price(line) && count(line).is_none() && before_price(line).is_none()
        };
        let name = lines.iter().filter(named).find(|line| !is_code(line)).or_else(|| lines.iter().find(named))?;
        if self.is_sum(name) || self.index.head(name).is_some_and(|head| head.value.is_empty()) {
            return None;
        }
        // The price may stand in the line of the name.
        let (name, inline) = match price_in(name).filter(|found| found.start > 0) {
            Some(found) => (name[..found.start].trim(), Some(clean(&name[found], 60))),
            None => (name.as_str(), None),
        };
        if !has_letters(name) {
            return None;
        }
        let price =
            inline.or_else(|| lines.iter().filter(|line| line.as_str() != name).find_map(|line| price(line)))?;
        let own_cell = || {
            cells.iter().find_map(|cell| match self.cell_lines(cell) {
                [line] => count(line),
                _ => None,
            })
        };
        let own_line = || lines.iter().filter(|line| line.as_str() != name).find_map(|line| count_sign(line));
        let labelled = || lines.iter().find_map(|line| self.count_in(std::slice::from_ref(*line)));
        let multiplied = || lines.iter().find_map(|line| before_price(line));
        let counted = own_cell().or_else(labelled).or_else(own_line).or_else(multiplied);
        let mut product = if counted.is_some() { coded(name) } else { taken_apart(name) };
        product.quantity = counted.or(product.quantity);
        product.quantity?;
        product.price = Some(price);
        let rest = lines.iter().map(|line| (*line).clone()).collect::<Vec<_>>();
        // The count is no code.
        let is_own = |line: &&&String| is_code(line) && count(line) != product.quantity;
        let code = || lines.iter().find(is_own).map(|code| clean(code, 100));
        product.sku = product.sku.or_else(|| self.sku_in(&rest)).or_else(code);
        Some(product)
    }

    /// Products whose every part stands at a label: `Item: Lamp`, `Price: $10`, `Quantity: 2`.
    fn labelled(&self) -> Vec<Product> {
        let mut found: Vec<Product> = Vec::new();
        let mut code = None;
        for head in self.heads.iter().flatten().filter(|head| !head.value.is_empty()) {
            let value = || clean(head.value, NAME);
            if head.is("product") && has_letters(head.value) {
                found.push(Product { sku: code.take(), ..coded(head.value) });
            } else if head.is("sku") {
                match found
                    .last_mut()
                    .filter(|last| last.sku.is_none() && last.quantity.is_none() && last.price.is_none())
                {
                    Some(last) => last.sku = Some(value()),
                    None => code = Some(value()),
                }
            } else if let Some(last) = found.last_mut() {
                if head.is("quantity") && last.quantity.is_none() {
                    last.quantity = count(head.value);
                } else if (head.is("unit_price") || head.is("line_total")) && last.price.is_none() {
                    last.price = price(head.value);
                }
            }
        }
        found.retain(|product| product.quantity.is_some());
        // Some mails list the parcel's content below the order's.
        let mut once: Vec<Product> = Vec::new();
        for product in found {
            if once.len() == PRODUCTS {
                break;
            }
            if !once.iter().any(|known| known.name.starts_with(&product.name) || product.name.starts_with(&known.name))
            {
                once.push(product);
            }
        }
        once
    }

    /// Lines of text: a count and a name and a price, or a name with the count in one of the lines after it.
    fn lines(&self) -> Vec<Product> {
        let mut found = Vec::new();
        let lines = &self.text.lines;
        let mut at = 0;
        while at < lines.len() && found.len() < PRODUCTS {
            if let Some(product) = self.line(&lines[at]) {
                found.push(product);
            } else if let Some(product) = self.priced_below(lines, at).or_else(|| self.paragraph(lines, at)) {
                found.push(product);
            }
            at += 1;
        }
        found
    }

    fn line(&self, line: &str) -> Option<Product> {
        if self.is_sum(line) || line.chars().count() > NAME {
            return None;
        }
        if let Some(product) = self.inline(line) {
            return Some(product);
        }
        let line = line.trim_start_matches(['*', '-', '•', '–', ' ']);
        let (head, price) = match price_in(line) {
            Some(found) => {
                let head = &line[..found.start];
                (
                    head.trim_end_matches([' ', '=', ':', '@', '-', '–', '\t', '|', ',', ';']),
                    Some(clean(&line[found], 60)),
                )
            }
            None => (line, None),
        };
        let first = count_first(head);
        // Without a price only the sign of multiplication makes a number at the end a count.
        let last = count_last(head).filter(|_| price.is_some() || head.contains(['×', '✕']));
        if first.is_none() && last.is_none() {
            return None;
        }
        let product = Product { price, ..taken_apart(head) };
        (product.quantity.is_some() && has_letters(&product.name)).then_some(product)
    }

    /// A line with the parts of a product at labels: `* Lamp - quantity: 1 - price: 10 €`.
    fn inline(&self, line: &str) -> Option<Product> {
        let mut parts = line
            .split([';', '|', '\t'])
            .flat_map(|part| part.split(" - "))
            .flat_map(|part| part.split(", "))
            .map(str::trim);
        let name = parts.next()?.trim_start_matches(['*', '-', '•', ' ']);
        let mut product = coded(name);
        let mut labelled = false;
        for part in parts {
            match self.index.head(part).filter(|head| !head.value.is_empty()) {
                Some(head) if head.is("quantity") && product.quantity.is_none() => product.quantity = count(head.value),
                Some(head) if (head.is("unit_price") || head.is("line_total")) && product.price.is_none() => {
                    product.price = price(head.value);
                }
                Some(head) if head.is("sku") && product.sku.is_none() => product.sku = Some(clean(head.value, 100)),
                _ => continue,
            }
            labelled = true;
        }
        (labelled && product.quantity.is_some() && has_letters(&product.name) && self.index.head(name).is_none())
            .then_some(product)
    }

    /// A name with the count and the price in the line below: `2 x 24,50 € = 49,00 €`.
    fn priced_below(&self, lines: &[String], at: usize) -> Option<Product> {
        let (name, below) = (lines.get(at)?, lines.get(at + 1)?);
        let quantity = before_price(below)?;
        if !has_letters(name) || self.is_sum(name) || self.index.head(name).is_some_and(|head| head.value.is_empty()) {
            return None;
        }
        Some(Product { quantity: Some(quantity), price: price(below), ..coded(name) })
    }

    /// A name whose count and price stand at labels in the lines below it.
    fn paragraph(&self, lines: &[String], at: usize) -> Option<Product> {
        let name = lines.get(at)?;
        let heads = self.heads.get(at + 1..(at + 1 + AHEAD).min(lines.len()))?;
        // Up to the count there may be options, but no other line that begins a product.
        let counts = |head: &Headed<'_, '_>| head.is("quantity") && count(head.value).is_some();
        let stop = heads.iter().position(|head| head.as_ref().is_some_and(counts))?;
        if !has_letters(name)
            || self.is_sum(name)
            || self.heads.get(at)?.is_some()
            || name.contains(['：', '＊', '◎'])
            || name.ends_with(':')
        {
            return None;
        }
        let below = lines.get(at + 1..(at + 1 + AHEAD).min(lines.len()))?;
        let between = &below[..stop];
        let option = |line: &String| line.starts_with(['-', '•', '*', '+']) || line.contains(':');
        if between.iter().zip(heads).any(|(line, head)| head.is_none() && !option(line)) {
            return None;
        }
        let quantity = self.count_in(&below[..=stop])?;
        let price = heads
            .iter()
            .take(stop + 3)
            .flatten()
            .find_map(|head| (head.is("unit_price") || head.is("line_total")).then(|| price(head.value)).flatten());
        let product = taken_apart(name);
        let sku = product.sku.clone().or_else(|| self.sku_in(between));
        Some(Product { quantity: Some(quantity), price, sku, ..product })
    }
}

/// A name with what is written with it: a count, an article number.
fn taken_apart(name: &str) -> Product {
    let mut name = name.trim();
    let mut product = Product::default();
    if let Some(found) = count_first(name) {
        product.quantity = found.name("count").and_then(|count| count.as_str().parse().ok());
        name = found.name("name").map_or(name, |name| name.as_str());
    } else if let Some(found) = count_last(name) {
        product.quantity = found.name("count").or(found.name("within")).and_then(|count| count.as_str().parse().ok());
        name = found.name("name").map_or(name, |name| name.as_str());
    }
    let bare = coded(name);
    Product { quantity: product.quantity.filter(|count| *count > 0), ..bare }
}

/// A name with the article number that is written before or behind it.
fn coded(name: &str) -> Product {
    let name = name.trim().trim_start_matches(['-', '•', '*', ' ']);
    // `1. Lamp` is the first line of a list.
    let name = match name.split_once(". ") {
        Some((number, rest)) if number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            rest.trim_start()
        }
        _ => name,
    };
    let behind = || SKU.as_ref().filter(|_| name.ends_with([')', ']']))?.captures(name);
    let before = |first: char| first == '[' || first.is_ascii_uppercase() || first.is_ascii_digit();
    let found = behind().or_else(|| SKU_FIRST.as_ref().filter(|_| name.starts_with(before))?.captures(name));
    let part = |group: &str| found.as_ref().and_then(|found| found.name(group)).map(|part| part.as_str());
    Product {
        name: clean(part("name").unwrap_or(name), NAME),
        sku: part("sku").or_else(|| part("code")).map(|sku| clean(sku, 100)),
        ..Product::default()
    }
}

/// Whether a text is a code and no name: capitals, digits and signs in one word, with a digit or a hyphen.
fn is_code(text: &str) -> bool {
    let text = text.trim();
    !text.contains(' ')
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_/.".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// The count in `(3) @ $24.50 = $73.50` or `3 x $24.50`.
fn before_price(line: &str) -> Option<u32> {
    let head = line[..price_in(line)?.start].trim();
    let head = head.strip_suffix(['@', 'x', '×', '*', 'à'])?.trim();
    // Before the sign there may be a unit: `1 kpl x`.
    count(head.trim_matches(['(', ')', ' ']))
}

/// A count that is all of a text.
fn count(text: &str) -> Option<u32> {
    let found = COUNT.as_ref().filter(|_| text.contains(is_digit))?.captures(text)?;
    found.get(1)?.as_str().parse().ok().filter(|count| (1..=9_999).contains(count))
}

/// A count that is all of a line and has a sign for one: a bare number may be anything.
fn count_sign(text: &str) -> Option<u32> {
    let text = text.trim();
    text.contains(|c: char| c.is_alphabetic() || matches!(c, '×' | '✕')).then(|| count(text)).flatten()
}

/// The first price in a text.
fn price(text: &str) -> Option<String> {
    price_in(text).map(|place| clean(&text[place], 60))
}

/// Where the first price in a text stands. In `set of 4 £25` the sign belongs to what follows it.
pub(super) fn price_in(text: &str) -> Option<Range<usize>> {
    // Most texts have no digit, and no pattern need be asked about them.
    let found = PRICE.as_ref().filter(|_| text.contains(is_digit))?.find(text)?;
    let sign = found
        .as_str()
        .char_indices()
        .next_back()
        .filter(|(_, last)| !last.is_alphanumeric() && !matches!(last, '-' | ' '));
    match sign {
        Some((at, _)) if at > 0 && text[found.end()..].starts_with(|c: char| c.is_ascii_digit()) => {
            let from = found.start() + at;
            let again = PRICE.as_ref()?.find_at(text, from)?;
            Some(again.range())
        }
        _ => Some(found.range()),
    }
}

fn has_letters(text: &str) -> bool {
    text.chars().filter(|c| c.is_alphabetic()).count() >= 2
}
