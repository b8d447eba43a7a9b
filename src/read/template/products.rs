//! Products in tables, in repeated elements and in lines of text.

use std::collections::BTreeMap;

use dom_query::{Matcher, NodeRef, Selection};
use regex::{Captures, Regex};

use super::rules::{Part, ProductRule, ProductSource};
use crate::domain::{Product, clean};
use crate::read::body::{Body, Cell, Text, lines_of};
use crate::read::evidence::{PRODUCTS, web_address};
use crate::read::words::Labels;

/// Cells that may be the head of a product column that are looked at.
const HEADS: usize = 5;
/// Characters of a product's name.
const NAME: usize = 300;

/// The products that a rule finds.
pub(super) fn read(rule: &ProductRule, body: &Body) -> Vec<Product> {
    let mut products = match &rule.kind {
        ProductSource::Columns { name, sku, quantity, price } => body
            .texts
            .iter()
            .map(|text| table(text, &Columns { name, sku, quantity, price }, rule.pattern.as_deref()))
            .find(|products| !products.is_empty())
            .unwrap_or_default(),
        ProductSource::Rows { rows, name, parts } => body.tree.as_ref().map_or_else(Vec::new, |tree| {
            let found = tree.select_matcher(rows);
            let nodes = found.nodes().iter().take(PRODUCTS);
            nodes.filter_map(|node| element(node, name, parts, rule.pattern.as_deref())).collect()
        }),
        ProductSource::Line(pattern) => {
            body.texts.iter().map(|text| lines(text, pattern)).find(|products| !products.is_empty()).unwrap_or_default()
        }
    };
    products.truncate(PRODUCTS);
    products
}

struct Columns<'r> {
    name: &'r Labels,
    sku: &'r Labels,
    quantity: &'r Labels,
    price: &'r Labels,
}

/// The rows under a head row that has the labels of a name and of a quantity or price. A row without a name, or without a
/// number where the quantity stands, is no product: it is a sum or a note.
fn table(text: &Text, columns: &Columns<'_>, pattern: Option<&Regex>) -> Vec<Product> {
    let is_head =
        |labels: &Labels, cell: &Cell| (1..=2).contains(&cell.lines.len()) && labels.named(&text.cell(cell)).is_some();
    let mut rows: BTreeMap<(usize, usize), Vec<&Cell>> = BTreeMap::new();
    for cell in &text.cells {
        rows.entry((cell.table, cell.row)).or_default().push(cell);
    }
    let names = text.cells.iter().filter(|cell| is_head(columns.name, cell));
    for name in names.take(HEADS) {
        let head_row = rows.get(&(name.table, name.row)).map(Vec::as_slice).unwrap_or_default();
        let head = |labels: &Labels| head_row.iter().find(|cell| is_head(labels, cell)).map(|cell| cell.column);
        let row = Row {
            text,
            name: name.column,
            sku: head(columns.sku),
            quantity: head(columns.quantity),
            price: head(columns.price),
        };
        if row.quantity.is_none() && row.price.is_none() {
            continue;
        }
        let below = rows.range((name.table, name.row + 1)..(name.table + 1, 0));
        let products = below.filter_map(|(_, cells)| row.product(cells)).map(|product| apart(product, pattern));
        let products = products.take(PRODUCTS).collect::<Vec<_>>();
        if !products.is_empty() {
            return products;
        }
    }
    Vec::new()
}

/// The columns of a table's parts.
struct Row<'t> {
    text: &'t Text,
    name: usize,
    sku: Option<usize>,
    quantity: Option<usize>,
    price: Option<usize>,
}

impl Row<'_> {
    fn product(&self, cells: &[&Cell]) -> Option<Product> {
        let at = |column: usize| cells.iter().find(|cell| cell.column == column);
        let value = |column: Option<usize>| {
            column.and_then(at).map(|cell| self.text.cell(cell)).filter(|value| !value.is_empty())
        };
        let name = self.text.lines.get(at(self.name)?.lines.clone())?.first()?;
        let quantity = value(self.quantity).and_then(|value| number(&value));
        if self.quantity.is_some() && quantity.is_none() {
            return None;
        }
        Some(Product {
            name: clean(name, NAME),
            sku: value(self.sku).map(|sku| clean(&sku, 100)),
            quantity,
            price: value(self.price).map(|price| clean(&price, 60)),
            ..Product::default()
        })
    }
}

fn element(
    node: &NodeRef<'_>,
    name: &Matcher,
    parts: &[(Part, Matcher, Option<String>)],
    pattern: Option<&Regex>,
) -> Option<Product> {
    let inside = Selection::from(*node);
    let name = inside.select_single_matcher(name);
    let lines = lines_of(name.nodes().first()?);
    let mut product = Product { name: clean(lines.first()?, NAME), ..Product::default() };
    for (part, matcher, attribute) in parts {
        let found = inside.select_single_matcher(matcher);
        let Some(node) = found.nodes().first() else { continue };
        let value = match attribute {
            Some(attribute) => node.attr(attribute).map(|value| value.to_string()),
            None => Some(lines_of(node).join(" ")),
        };
        let Some(value) = value.filter(|value| !value.trim().is_empty()) else { continue };
        match part {
            Part::Sku => product.sku = Some(clean(value.rsplit(':').next().unwrap_or(&value), 100)),
            Part::Quantity => product.quantity = number(&value),
            Part::Price => product.price = Some(clean(&value, 60)),
            Part::Url => product.url = web_address(&value),
            Part::Image => product.image = web_address(&value),
        }
    }
    Some(apart(product, pattern))
}

fn lines(text: &Text, pattern: &Regex) -> Vec<Product> {
    let products = text.lines.iter().filter_map(|line| {
        let found = pattern.captures(line)?;
        Some(filled(Product::default(), &found)).filter(|product| !product.name.is_empty())
    });
    products.take(PRODUCTS).collect()
}

/// A name cell that holds more than the name, taken apart.
fn apart(product: Product, pattern: Option<&Regex>) -> Product {
    let name = product.name.clone();
    match pattern.and_then(|pattern| pattern.captures(&name)) {
        Some(found) => filled(product, &found),
        None => product,
    }
}

fn filled(mut product: Product, found: &Captures<'_>) -> Product {
    let part = |name: &str| found.name(name).map(|part| clean(part.as_str(), NAME)).filter(|text| !text.is_empty());
    if let Some(name) = part("name") {
        product.name = name;
    }
    product.quantity = part("quantity").and_then(|text| number(&text)).or(product.quantity);
    product.price = part("price").or(product.price);
    product.sku = part("sku").or(product.sku);
    product
}

/// A count, from `2`, `2 x`, `x2`, `2,00`, `2 Stk.`. The first number counts: after it a refund shows what is left.
fn number(text: &str) -> Option<u32> {
    let mut runs = text.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',');
    let first = runs.find(|run| run.starts_with(|c: char| c.is_ascii_digit()))?;
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let whole = first.split(['.', ',']).next()?;
    whole.parse().ok().filter(|number| (1..=100_000).contains(number) && letters <= 8)
}
