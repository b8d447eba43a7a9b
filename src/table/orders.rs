//! Rows of orders: whom to ask about which order, and what else the file says of it. A row that cannot be used is a fault with its
//! line, its column and a remedy; nothing of it is guessed.

use std::collections::HashMap;

use super::Fault;
use super::columns::{assign, key};
use super::encoding::Encoding;
use super::rows::{Row, Separator, Sheet};
use super::words::{CANCELLED, Column, SHOPIFY, SHOPIFYS_OWN, WORDS};
use crate::domain::{EmailAddress, OrderDate, OrderReference, PersonName, Product, clean};

/// Characters of a product's name and of what else is said of one, at most.
const PRODUCT: usize = 200;
/// Products of one order that are kept.
const PRODUCTS: usize = 50;
/// Tags of one order, and characters of one.
const TAGS: usize = 20;
const TAG: usize = 64;

/// What a row must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// An address and a reference: somebody is to be written to.
    Invite,
    /// A reference.
    Reconcile,
}

/// An order as a file tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderLine {
    /// The line of its first row.
    pub line: u64,
    /// The customer's address; there for [`Need::Invite`].
    pub email: Option<EmailAddress>,
    /// The customer's name.
    pub name: Option<PersonName>,
    /// The order.
    pub reference: OrderReference,
    /// The customer's language, `sv` or `sv-SE`.
    pub locale: Option<String>,
    /// The customer's country, ISO 3166-1 alpha-2 in capitals.
    pub country: Option<String>,
    /// When it was placed.
    pub order_date: Option<OrderDate>,
    /// What was bought.
    pub products: Vec<Product>,
    /// The shop's marks for it.
    pub tags: Vec<String>,
    /// Whether the file says that it will not be carried out.
    pub is_cancelled: bool,
}

/// A row about an order that an earlier row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// Its line.
    pub line: u64,
    /// The line of the earlier one.
    pub first: u64,
}

/// What stands in a file of orders.
#[derive(Debug, Clone)]
pub struct Orders {
    /// How it is encoded.
    pub encoding: Encoding,
    /// What separates its values.
    pub separator: Separator,
    /// Which heading stands for what, in the file's order; empty where there is no heading.
    pub used: Vec<(String, &'static str)>,
    /// The headings of which nothing is taken.
    pub unused: Vec<String>,
    /// How many rows there are, the heading not counted.
    pub rows: usize,
    /// The orders, each once, in the file's order.
    pub orders: Vec<OrderLine>,
    /// Rows about an order that was there already; what they say of products was added to it.
    pub repeats: Vec<Repeat>,
    /// What cannot be used.
    pub faults: Vec<Fault>,
    /// What is to be known about the file as a whole.
    pub notes: Vec<String>,
}

/// Reads a file of orders.
///
/// # Errors
/// When it is no table, or has no columns with what is needed.
pub fn orders(bytes: &[u8], need: Need) -> Result<Orders, Fault> {
    let words = WORDS.iter().flat_map(|(_, words)| words.iter());
    let known = words.copied().collect::<std::collections::HashSet<_>>();
    let sheet = Sheet::read(bytes, |cell| known.contains(key(cell).as_str()))?;
    let (heading, first) = Heading::of(&sheet, need)?;
    let rows = sheet.rows.get(first..).unwrap_or_default();
    let days = DayOrder::of(rows, &heading);
    let mut found = Orders {
        encoding: sheet.encoding,
        separator: sheet.separator,
        used: heading.used(),
        unused: heading.unused(),
        rows: rows.len(),
        orders: Vec::with_capacity(rows.len()),
        repeats: Vec::new(),
        faults: Vec::new(),
        notes: Vec::new(),
    };
    if days == DayOrder::Unknown {
        found.notes.push(
            "the dates can be read with the day first or the month first, so none is used; write them as 2026-12-24"
                .to_owned(),
        );
    }
    let mut places: HashMap<String, usize> = HashMap::with_capacity(rows.len());
    for row in rows {
        match heading.order(row, need, days) {
            Ok(order) => found.add(order, need, &mut places),
            Err(fault) => found.faults.push(fault),
        }
    }
    Ok(found)
}

impl Orders {
    /// Adds an order, or what a further row says of one.
    fn add(&mut self, order: OrderLine, need: Need, places: &mut HashMap<String, usize>) {
        let place = *places.entry(order.reference.key()).or_insert(self.orders.len());
        let Some(known) = self.orders.get_mut(place) else {
            self.orders.push(order);
            return;
        };
        let address = |one: &OrderLine| one.email.as_ref().map(EmailAddress::key);
        if need == Need::Invite && address(known) != address(&order) {
            let what = format!("the order stands in line {} with another address", known.line);
            self.faults.push(Fault::row(order.line, what, "leave the one that is right"));
            return;
        }
        self.repeats.push(Repeat { line: order.line, first: known.line });
        known.is_cancelled |= order.is_cancelled;
        for product in order.products {
            if known.products.len() < PRODUCTS && !known.products.contains(&product) {
                known.products.push(product);
            }
        }
    }
}

/// The columns of a file.
struct Heading<'s> {
    names: &'s [String],
    meanings: Vec<Option<Column>>,
    /// How many values a row may have; any number where there is no heading.
    width: Option<usize>,
}

/// Trustpilot's order, for files without a heading.
const BARE: [Option<Column>; 3] = [Some(Column::Address), Some(Column::Name), Some(Column::Reference)];

impl<'s> Heading<'s> {
    /// The heading, and the place of the first row behind it.
    fn of(sheet: &'s Sheet, need: Need) -> Result<(Self, usize), Fault> {
        let first = sheet.rows.first().ok_or_else(|| Fault::file("the file is empty", "give one with orders"))?;
        let names = first.cells.as_slice();
        if names.first().is_some_and(|cell| EmailAddress::parse(cell).is_ok()) {
            return Ok((Self { names: &[], meanings: BARE.to_vec(), width: None }, 0));
        }
        let keys = names.iter().map(|name| key(name)).collect::<Vec<_>>();
        let is_shopify = SHOPIFYS_OWN.iter().all(|own| keys.iter().any(|key| key == own));
        let mut meanings = assign(names, if is_shopify { SHOPIFY } else { WORDS });
        let has = |meanings: &[Option<Column>], column| meanings.contains(&Some(column));
        // "Nombre" and "nome" are the whole name where nothing is said of a last one.
        if !has(&meanings, Column::Name) && !has(&meanings, Column::LastName) {
            for meaning in &mut meanings {
                if *meaning == Some(Column::FirstName) {
                    *meaning = Some(Column::Name);
                }
            }
        }
        if need == Need::Reconcile && !has(&meanings, Column::Reference) && names.len() == 1 {
            // A list of references, and nothing else.
            return Ok((Self { names: &[], meanings: vec![Some(Column::Reference)], width: Some(1) }, 0));
        }
        let wanted: &[(Column, &str)] = match need {
            Need::Invite => &[(Column::Address, "email"), (Column::Reference, "reference")],
            Need::Reconcile => &[(Column::Reference, "reference")],
        };
        let missing = wanted.iter().filter(|(column, _)| !has(&meanings, *column)).map(|(_, name)| *name);
        let missing = missing.collect::<Vec<_>>();
        if !missing.is_empty() {
            let shown = names.iter().map(|name| clean(name, 40)).filter(|name| !name.contains('@')).collect::<Vec<_>>();
            return Err(Fault::row(
                first.line,
                format!(
                    "no column is known to be the {}; its headings are: {}",
                    missing.join(" nor the "),
                    shown.join(", ")
                ),
                "name the columns in the first line: email, name, reference; or leave the heading out and give them in this order",
            ));
        }
        Ok((Self { names, meanings, width: Some(names.len()) }, 1))
    }

    fn used(&self) -> Vec<(String, &'static str)> {
        let named = self.names.iter().zip(&self.meanings);
        named.filter_map(|(name, meaning)| Some((clean(name, 60), in_words((*meaning)?)))).collect()
    }

    fn unused(&self) -> Vec<String> {
        let named = self.names.iter().zip(&self.meanings).filter(|(_, meaning)| meaning.is_none());
        named.map(|(name, _)| clean(name, 60)).filter(|name| !name.is_empty()).collect()
    }

    /// The value of a column, cleaned; `None` where it is empty or there is no such column.
    fn text(&self, row: &Row, column: Column, most: usize) -> Option<String> {
        let place = self.meanings.iter().position(|meaning| *meaning == Some(column))?;
        let text = clean(row.cells.get(place)?, most);
        (!text.is_empty()).then_some(text)
    }

    /// What a column is called in this file.
    fn name(&self, column: Column) -> &str {
        let place = self.meanings.iter().position(|meaning| *meaning == Some(column));
        place.and_then(|place| self.names.get(place)).map_or_else(|| in_words(column), String::as_str)
    }

    fn order(&self, row: &Row, need: Need, days: DayOrder) -> Result<OrderLine, Fault> {
        if let Some(fault) = &row.fault {
            return Err(fault.clone());
        }
        let filled = row.cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
        if let Some(width) = self.width.filter(|width| filled > *width) {
            let what = format!("has {filled} values, but the first line has {width}");
            return Err(Fault::row(row.line, what, "put a value that has the separator in it in quotes"));
        }
        let fault = |column: Column, what: &str, remedy: &str| {
            Fault::row(row.line, what.to_owned(), remedy).in_column(&clean(self.name(column), 60))
        };
        let reference = self.text(row, Column::Reference, 66);
        let reference = reference.ok_or_else(|| fault(Column::Reference, "is empty", "give the order's number"))?;
        let reference = OrderReference::parse(&reference).ok_or_else(|| {
            fault(Column::Reference, "is no order reference", "give the order's number, at most 64 characters")
        })?;
        let email = match (self.text(row, Column::Address, 400), need) {
            (None, Need::Invite) => return Err(fault(Column::Address, "is empty", "give the customer's address")),
            (None, Need::Reconcile) => None,
            (Some(text), _) => match EmailAddress::parse(&text) {
                Ok(address) => Some(address),
                Err(_) if need == Need::Reconcile => None,
                Err(why) => return Err(fault(Column::Address, &format!("is no address: {why}"), "write name@domain")),
            },
        };
        let locale = self.text(row, Column::Locale, 40).map(|text| {
            locale(&text)
                .ok_or_else(|| fault(Column::Locale, "is no language tag", "write sv or sv-SE, or leave it empty"))
        });
        let order_date = self.text(row, Column::Date, 40).filter(|_| days != DayOrder::Unknown).map(|text| {
            day(&text, days).ok_or_else(|| fault(Column::Date, "is no date", "write 2026-12-24, or leave it empty"))
        });
        // A list to be compared is compared by its references; what else is odd in it does not matter.
        let (locale, order_date) = match need {
            Need::Invite => (locale.transpose()?, order_date.transpose()?),
            Need::Reconcile => (locale.and_then(Result::ok), order_date.and_then(Result::ok)),
        };
        Ok(OrderLine {
            line: row.line,
            email,
            name: self.person(row),
            reference,
            locale,
            country: self.text(row, Column::Country, 40).and_then(|text| country(&text)),
            order_date,
            products: self.product(row).into_iter().collect(),
            tags: self.tags(row),
            is_cancelled: self.text(row, Column::CancelledAt, 40).is_some() || self.is_cancelled(row),
        })
    }

    fn person(&self, row: &Row) -> Option<PersonName> {
        let whole = self.text(row, Column::Name, 200);
        let parts = [Column::FirstName, Column::LastName].map(|column| self.text(row, column, 100));
        let parts = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        PersonName::parse(&whole.unwrap_or(parts))
    }

    fn product(&self, row: &Row) -> Option<Product> {
        let text = |column| self.text(row, column, PRODUCT);
        let page = |column| self.text(row, column, 2_000).filter(|url| is_web(url));
        let name = text(Column::Product).or_else(|| text(Column::Sku))?;
        Some(Product {
            name,
            sku: text(Column::Sku),
            url: page(Column::ProductUrl),
            image: page(Column::ProductImage),
            gtin: text(Column::Gtin),
            mpn: text(Column::Mpn),
            brand: text(Column::Brand),
            ..Product::default()
        })
    }

    fn tags(&self, row: &Row) -> Vec<String> {
        let text = self.text(row, Column::Tags, TAGS * TAG).unwrap_or_default();
        let tags = text.split([',', ';', '|']).map(|tag| clean(tag, TAG)).filter(|tag| !tag.is_empty());
        tags.take(TAGS).collect()
    }

    fn is_cancelled(&self, row: &Row) -> bool {
        let status = self.text(row, Column::Status, 60).map(|text| key(&text)).unwrap_or_default();
        CANCELLED.iter().any(|word| status.starts_with(word))
    }
}

/// A column's meaning for people.
const fn in_words(column: Column) -> &'static str {
    match column {
        Column::Address => "email",
        Column::Reference => "reference",
        Column::Name => "name",
        Column::FirstName => "first name",
        Column::LastName => "last name",
        Column::Locale => "language",
        Column::Country => "country",
        Column::Date => "order date",
        Column::Status => "status",
        Column::CancelledAt => "cancelled at",
        Column::Product => "product",
        Column::Sku => "article number",
        Column::Gtin => "GTIN",
        Column::Mpn => "MPN",
        Column::Brand => "brand",
        Column::ProductUrl => "product page",
        Column::ProductImage => "product picture",
        Column::Tags => "tags",
    }
}

fn is_web(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// `de`, `de-DE`, also written `de_DE` or `DE_de`.
pub fn locale(text: &str) -> Option<String> {
    let mut parts = text.split(['-', '_']);
    let letters = |part: &&str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let language = parts.next().filter(letters).filter(|part| matches!(part.len(), 2 | 3))?.to_ascii_lowercase();
    let region = match parts.next() {
        None => None,
        Some(part) if part.len() == 2 && letters(&part) => Some(part.to_ascii_uppercase()),
        Some(_) => return None,
    };
    if parts.next().is_some() {
        return None;
    }
    Some(region.map_or_else(|| language.clone(), |region| format!("{language}-{region}")))
}

/// A code of two letters; a country's name in some language is none.
fn country(text: &str) -> Option<String> {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_code.then(|| text.to_ascii_uppercase())
}

/// In which order the dates of a file have day and month, where they begin with neither year nor a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayOrder {
    DayFirst,
    MonthFirst,
    /// Both are possible throughout, or some dates say this and some that.
    Unknown,
}

impl DayOrder {
    /// Found out from all dates of the file: a number above 12 is a day.
    fn of(rows: &[Row], heading: &Heading<'_>) -> Self {
        let (mut day_first, mut month_first, mut any) = (false, false, false);
        for text in rows.iter().filter_map(|row| heading.text(row, Column::Date, 40)) {
            let Some(Numbers { numbers: [first, second, _], begins_with_year: false, has_dots }) = Numbers::of(&text)
            else {
                continue;
            };
            any = true;
            // Dots stand between the numbers of languages that begin with the day.
            day_first |= has_dots || first > 12;
            month_first |= !has_dots && second > 12;
        }
        match (day_first, month_first) {
            (true, true) => Self::Unknown,
            (false, true) => Self::MonthFirst,
            (false, false) if any => Self::Unknown,
            (true | false, false) => Self::DayFirst,
        }
    }
}

/// The three numbers with which a date begins.
struct Numbers {
    numbers: [i64; 3],
    begins_with_year: bool,
    has_dots: bool,
}

impl Numbers {
    fn of(text: &str) -> Option<Self> {
        let date = text.split([' ', 'T', ',']).next()?;
        let mark = date.chars().find(|c| matches!(c, '-' | '/' | '.'))?;
        let parts = date.trim_end_matches(mark).split(mark).collect::<Vec<_>>();
        let [first, second, third] = parts.as_slice() else { return None };
        let number = |part: &str| {
            let is_number = (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| part.parse().ok()).flatten()
        };
        let numbers = [number(first)?, number(second)?, number(third)?];
        let begins_with_year = first.len() == 4;
        (begins_with_year || third.len() == 4).then_some(Self { numbers, begins_with_year, has_dots: mark == '.' })
    }
}

fn day(text: &str, days: DayOrder) -> Option<OrderDate> {
    if let Some(whole) = OrderDate::parse(text) {
        return Some(whole);
    }
    let Numbers { numbers: [first, second, third], begins_with_year, .. } = Numbers::of(text)?;
    let (year, month, day) = match (begins_with_year, days) {
        (true, _) => (first, second, third),
        (false, DayOrder::DayFirst) => (third, second, first),
        (false, DayOrder::MonthFirst) => (third, first, second),
        (false, DayOrder::Unknown) => return None,
    };
    let date = jiff::civil::Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    Some(OrderDate::from(date.ok()?))
}
