//! How the products stand: in a table with a head row, in rows with a class, or in lines of text. A rule counts when it finds
//! the same products as the generic reader did in every sample.

use std::collections::BTreeSet;

use super::kind::is_own;
use super::rule::{Ground, quoted};
use super::view::View;
use crate::domain::Product;
use crate::read::body::{Cell, Text};
use crate::read::words::fold;

/// A rule for products.
pub(super) struct Products {
    /// The lists of labels that it names.
    pub(super) labels: String,
    /// The rule, for a template with this prefix before its key.
    pub(super) rule: String,
    /// What it looks for, in plain words.
    pub(super) words: String,
}

/// Lines in the ways in which shops write them.
const LINES: &[&str] = &[
    r"^(?P<quantity>\d{1,5})\s*[x×]\s*(?P<name>\S.*?)\s+\((?P<sku>[^()]{1,40})\)\s*[=–—-]\s*(?P<price>\S{0,4}\s*\d[\d.,’ ]*\S{0,4})$",
    r"^(?P<quantity>\d{1,5})\s*[x×]\s*(?P<name>\S.*?)\s+\((?P<sku>[^()]{1,40})\)$",
    r"^(?P<quantity>\d{1,5})\s*[x×]\s*(?P<name>\S.*?)\s*[=–—-]\s*(?P<price>\S{0,4}\s*\d[\d.,’ ]*\S{0,4})$",
    r"^(?P<quantity>\d{1,5})\s*[x×]\s*(?P<name>\S.*?)$",
    r"^(?P<name>\S.*?)\s+[x×]\s*(?P<quantity>\d{1,5})\s*(?:=|–|—|-)\s*(?P<price>\S{0,4}\s*\d[\d.,’ ]*\S{0,4})$",
    r"^(?P<name>\S.*?)\s+[x×]\s*(?P<quantity>\d{1,5})$",
];

/// A rule for the products of the samples, if there is one that reads them all.
pub(super) fn rule(ground: &Ground<'_>, prefix: &str, language: &str) -> Option<Products> {
    if ground.views.iter().any(|view| view.reading.products.is_empty()) {
        return None;
    }
    let mut ways = Vec::new();
    for view in ground.views {
        for text in &view.body.texts {
            ways.extend(columns(view, text, language));
        }
        ways.extend(rows(view));
    }
    ways.extend(LINES.iter().map(|line| Products {
        labels: String::new(),
        rule: format!("line = '{line}'\n"),
        words: "lines with a count and a name".to_owned(),
    }));
    let reads = |way: &Products| {
        let found = ground.products(&format!("{}[[products]]\n{}", way.labels, way.rule));
        found.is_some_and(|found| {
            found.iter().zip(ground.views).all(|(found, view)| same(found, &view.reading.products))
        })
    };
    let mut way = ways.into_iter().find(reads)?;
    way.rule = format!("[[{prefix}products]]\n{}", way.rule);
    Some(way)
}

/// Whether two lists have the same names and counts, and the first at least as many counts.
fn same(found: &[Product], wanted: &[Product]) -> bool {
    let equal = |(found, wanted): (&Product, &Product)| {
        fold(&found.name) == fold(&wanted.name) && (wanted.quantity.is_none() || found.quantity == wanted.quantity)
    };
    found.len() == wanted.len() && found.iter().zip(wanted).all(equal)
}

/// A table whose head row names the columns.
fn columns(view: &View, text: &Text, language: &str) -> Option<Products> {
    let product = view.reading.products.first()?;
    let (name, row) = row_of(text, product)?;
    let number = |text: &str| {
        text.split(|c: char| !c.is_ascii_digit()).find(|run| !run.is_empty()).and_then(|run| run.parse().ok())
    };
    let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count();
    let counted = |cell: &&&Cell| {
        let text = text.cell(cell);
        cell.column != name.column
            && product.quantity.is_some()
            && number(&text) == product.quantity
            && letters(&text) <= 8
    };
    let priced = |cell: &&&Cell| {
        cell.column != name.column
            && product.price.as_ref().is_some_and(|price| text.cell(cell).contains(price.as_str()))
    };
    let coded = |cell: &&&Cell| {
        cell.column != name.column && product.sku.as_ref().is_some_and(|sku| text.cell(cell).as_ref() == sku.as_str())
    };
    let heads = text.cells.iter().filter(|cell| cell.table == name.table && cell.row < name.row);
    let heads = heads.filter(|cell| (1..=2).contains(&cell.lines.len()) && view.is_plain(&text.cell(cell)));
    let rows = heads.clone().map(|cell| cell.row).collect::<BTreeSet<_>>();
    for head_row in rows.into_iter().rev() {
        let head = |cell: &Cell| {
            let mut above = heads.clone().filter(|head| head.row == head_row && head.column == cell.column);
            above.next().map(|head| text.cell(head).into_owned()).filter(|text| text.chars().any(char::is_alphabetic))
        };
        let Some(name_head) = head(name) else { continue };
        let part = |test: &dyn Fn(&&&Cell) -> bool| row.iter().filter(test).find_map(|cell| head(cell));
        let parts = [("quantity", part(&counted)), ("price", part(&priced)), ("sku", part(&coded))];
        if parts[0].1.is_none() && parts[1].1.is_none() {
            continue;
        }
        let mut columns = vec!["name = \"product_column\"".to_owned()];
        let mut labels = format!("[labels.product_column]\n{language} = [{}]\n", quoted(&name_head));
        let mut seen = vec![name_head];
        for (part, head) in parts {
            let Some(head) = head.filter(|head| !seen.contains(head)) else { continue };
            labels.push_str(&format!("[labels.{part}_column]\n{language} = [{}]\n", quoted(&head)));
            columns.push(format!("{part} = \"{part}_column\""));
            seen.push(head);
        }
        let shown = seen.iter().map(|head| format!("{head:?}")).collect::<Vec<_>>().join(", ");
        return Some(Products {
            labels,
            rule: format!("columns = {{ {} }}\n", columns.join(", ")),
            words: format!("the rows of the table whose head row has the cells {shown}"),
        });
    }
    None
}

/// The cell with a product's name, and its row.
fn row_of<'t>(text: &'t Text, product: &Product) -> Option<(&'t Cell, Vec<&'t Cell>)> {
    let wanted = fold(&product.name);
    let is_name = |cell: &&Cell| {
        text.lines.get(cell.lines.start).is_some_and(|line| !cell.lines.is_empty() && fold(line) == wanted)
    };
    let name = text.cells.iter().filter(is_name).min_by_key(|cell| cell.lines.len())?;
    Some((name, text.cells.iter().filter(|cell| cell.table == name.table && cell.row == name.row).collect()))
}

/// Rows of a table that have a class of their own, with the cells of the name and of the count.
fn rows(view: &View) -> Vec<Products> {
    let Some(tree) = &view.body.tree else { return Vec::new() };
    let Some(product) = view.reading.products.first() else { return Vec::new() };
    let wanted = fold(&product.name);
    let mut found = Vec::new();
    for row in tree.select("tr[class]").nodes().iter().take(200) {
        let class = row.attr("class").unwrap_or_default();
        let Some(class) = class.split_whitespace().find(|name| is_own(name)).map(str::to_owned) else { continue };
        let cells = row.element_children();
        let text = |at: usize| cells.get(at).map(|cell| crate::read::body::lines_of(cell)).unwrap_or_default();
        let name = (0..cells.len()).find(|at| text(*at).first().is_some_and(|line| fold(line) == wanted));
        let count = |at: &usize| {
            let line = text(*at).join(" ");
            product.quantity.is_some_and(|count| line.trim_matches(|c: char| !c.is_ascii_digit()) == count.to_string())
        };
        let (Some(name), Some(quantity)) = (name, (0..cells.len()).find(count)) else { continue };
        let price = (0..cells.len())
            .find(|at| product.price.as_ref().is_some_and(|price| text(*at).join(" ").contains(price.as_str())));
        let cell = |at: usize| format!("\"td:nth-child({})\"", at + 1);
        let price = price.map(|at| format!("price = {}\n", cell(at))).unwrap_or_default();
        found.push(Products {
            labels: String::new(),
            rule: format!("rows = \"tr.{class}\"\nname = {}\nquantity = {}\n{price}", cell(name), cell(quantity)),
            words: format!("the rows of the class {class:?}"),
        });
        break;
    }
    found
}
