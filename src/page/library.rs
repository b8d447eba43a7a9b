//! All page templates: those that ship, those with which an operator replaces them for every shop, and those for one shop.

use std::collections::BTreeMap;

use crate::document::{Problem, Problems};
use crate::domain::ShopId;
use crate::wording::{Edition, Layer};

use super::render::{self, RenderError, Rendered};
use super::view::{Frame, Page};
use super::words::PageFolder;
use super::{shipped, trial};

/// A file of the operator's pages folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFile {
    /// Its path below the folder, with `/`: `sv/words.toml`, `layout.html`, `shops/nordljus/de/about.html`.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// The page templates of all locales and shops, compiled.
pub struct Pages {
    common: Edition,
    shops: BTreeMap<String, Edition>,
}

impl Pages {
    /// The templates that ship.
    pub fn embedded() -> Self {
        let common = Edition::compile::<PageFolder>(&[shipped_layer()], &Problems::default());
        Self { common, shops: BTreeMap::new() }
    }

    /// The templates that ship, with the operator's files in place of those of the same name; the rest remain. Each page is tried
    /// with made-up data, so that a mistake is found now and not by the first customer.
    ///
    /// # Errors
    /// Every problem of every file, with its place.
    pub fn with_overrides(files: Vec<PageFile>) -> Result<Self, Vec<Problem>> {
        let problems = Problems::default();
        let mut common = Layer::default();
        let mut shops: BTreeMap<String, Layer> = BTreeMap::new();
        for PageFile { path, text } in files {
            let (shop, name) = match path.strip_prefix("shops/").and_then(|rest| rest.split_once('/')) {
                Some((shop, name)) => (Some(shop), name),
                None => (None, path.as_str()),
            };
            let known_shop = shop.is_none_or(|shop| ShopId::parse(shop).is_ok());
            let layer = match shop {
                Some(shop) => shops.entry(shop.to_owned()).or_default(),
                None => &mut common,
            };
            if !known_shop || !layer.add::<PageFolder>(name, path.clone(), text) {
                problems.add(no_page_file(path));
            }
        }
        let layers = [shipped_layer(), common];
        let edition = Edition::compile::<PageFolder>(&layers, &problems);
        let mut editions = BTreeMap::new();
        for (shop, layer) in shops {
            let [shipped, common] = &layers;
            let of_shop = Edition::compile::<PageFolder>(&[shipped.clone(), common.clone(), layer], &problems);
            editions.insert(shop, of_shop);
        }
        // A page is only tried once all its files can be read, since the second would repeat what the first has said.
        if problems.is_empty() {
            for edition in std::iter::once(&edition).chain(editions.values()) {
                trial::run(edition, &problems);
            }
        }
        if problems.is_empty() { Ok(Self { common: edition, shops: editions }) } else { Err(problems.into_sorted()) }
    }

    /// The locales that pages can be shown in, as their folders are called, for shops without files of their own.
    pub fn locales(&self) -> impl Iterator<Item = &str> {
        self.common.locales()
    }

    /// Makes a page. Pure: the same data give the same bytes.
    ///
    /// # Errors
    /// A template that fails on these data; it was replaced by the operator, and nothing of the customer is told.
    pub fn render(&self, frame: &Frame<'_>, page: &Page<'_>) -> Result<Rendered, RenderError> {
        let of_shop = frame.shop.and_then(|shop| self.shops.get(shop.id.as_str()));
        Ok(render::render(of_shop.unwrap_or(&self.common), frame, page)?)
    }

    /// The language that a page with this frame is in, as `Content-Language` says it.
    pub fn language(&self, frame: &Frame<'_>) -> String {
        let of_shop = frame.shop.and_then(|shop| self.shops.get(shop.id.as_str()));
        render::language(of_shop.unwrap_or(&self.common), frame).1.to_owned()
    }
}

fn shipped_layer() -> Layer {
    Layer::shipped::<PageFolder>("templates/pages", shipped::FILES)
}

fn no_page_file(path: String) -> Problem {
    Problem::with_file(
        path,
        "is no file of a page",
        "use layout.html, form.html, style.css, <page>.html, <locale>/words.toml or <locale>/<page>.html, where <page> is \
         review, message, later, unsubscribe, unsubscribed, data or about; below shops/<shop>/ they are for that shop alone",
    )
}
