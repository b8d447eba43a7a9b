//! All letter templates: those that ship, those with which an operator replaces them for every shop, and those for one shop.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::{Problem, Problems};
use crate::domain::ShopId;
use crate::wording::Layer;

use super::data::{ComposeError, Composed, LetterData};
use super::edition::Edition;
use super::words::LetterFolder;
use super::{afs, shipped, trial};

/// A file of the operator's letters folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterFile {
    /// Its path below the folder, with `/`: `sv/words.toml`, `layout.mjml`, `shops/nordljus/de/invitation.mjml`.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// The letter templates of all locales and shops, compiled.
pub struct Letters {
    common: Edition,
    shops: BTreeMap<String, Edition>,
}

impl Letters {
    /// The templates that ship.
    pub fn embedded() -> Self {
        let common = Edition::compile(&[shipped_layer()], &Problems::default());
        Self { common, shops: BTreeMap::new() }
    }

    /// The templates that ship, with the operator's files in place of those of the same name; the rest remain. Each letter is
    /// tried once with made-up data, so that a mistake is found now and not when the first customer is due.
    ///
    /// # Errors
    /// Every problem of every file, with its place.
    pub fn with_overrides(files: Vec<LetterFile>) -> Result<Self, Vec<Problem>> {
        let problems = Problems::default();
        let mut common = Layer::default();
        let mut shops: BTreeMap<String, Layer> = BTreeMap::new();
        for Put { path, place, text } in put(files, &problems) {
            let (shop, name) = match place.strip_prefix("shops/").and_then(|rest| rest.split_once('/')) {
                Some((shop, name)) => (Some(shop), name),
                None => (None, place.as_str()),
            };
            let known_shop = shop.is_none_or(|shop| ShopId::parse(shop).is_ok());
            let name = name.to_owned();
            let layer = match shop {
                Some(shop) => shops.entry(shop.to_owned()).or_default(),
                None => &mut common,
            };
            if !known_shop || !layer.add::<LetterFolder>(&name, path.clone(), text) {
                problems.add(no_letter_file(path));
            }
        }
        let layers = [shipped_layer(), common];
        let edition = Edition::compile(&layers, &problems);
        let mut editions = BTreeMap::new();
        for (shop, layer) in shops {
            let [shipped, common] = &layers;
            editions.insert(shop, Edition::compile(&[shipped.clone(), common.clone(), layer], &problems));
        }
        // A letter is only tried once all its files can be read, since the second would repeat what the first has said.
        if problems.is_empty() {
            for edition in std::iter::once(&edition).chain(editions.values()) {
                trial::run(edition, &problems);
            }
        }
        if problems.is_empty() { Ok(Self { common: edition, shops: editions }) } else { Err(problems.into_sorted()) }
    }

    /// The locales that letters can be written in, as their folders are called, for shops without files of their own.
    pub fn locales(&self) -> impl Iterator<Item = &str> {
        self.common.locales()
    }

    /// Makes a letter. Pure: the same data give the same bytes.
    ///
    /// # Errors
    /// A value that may not stand in a message, or a template that fails on these data.
    pub fn compose(&self, letter: &LetterData<'_>) -> Result<Composed, ComposeError> {
        self.edition_of(letter.sender.shop).compose(letter)
    }

    /// The templates of a shop.
    pub(super) fn edition_of(&self, shop: &ShopId) -> &Edition {
        self.shops.get(shop.as_str()).unwrap_or(&self.common)
    }
}

/// A file of an operator, ready to be compiled.
struct Put {
    /// Its path, as its author named it.
    path: String,
    /// The path of what it is: that of the template which it stands for.
    place: String,
    text: String,
}

/// The operator's files as templates of ours: with the variables of pasted letters, and pasted letters as both parts of a letter.
fn put(files: Vec<LetterFile>, problems: &Problems) -> Vec<Put> {
    let paths = files.iter().map(|file| file.path.clone()).collect::<BTreeSet<_>>();
    let mut put = Vec::with_capacity(files.len());
    for LetterFile { path, text } in files {
        let (letter, page, other, of_other) = match (path.strip_suffix(".afs.html"), path.strip_suffix(".afs.txt")) {
            (Some(letter), _) => (letter, true, [".txt", ".afs.txt"], ".mjml"),
            (_, Some(letter)) => (letter, false, [".mjml", ".afs.html"], ".txt"),
            _ => {
                let text = afs::translated(&path, &text);
                put.push(Put { place: path.clone(), path, text });
                continue;
            }
        };
        let here = format!("{letter}{of_other}");
        if paths.contains(&here) {
            let what = format!("stands for the same part of the letter as {here}");
            problems.add(Problem::with_file(path, what, "take one of them away"));
            continue;
        }
        if !other.iter().any(|other| paths.contains(&format!("{letter}{other}"))) {
            let (place, text) = match page {
                true => (format!("{letter}.txt"), afs::text(&afs::text_of(&text))),
                false => (format!("{letter}.mjml"), afs::page(&afs::page_of(&text))),
            };
            put.push(Put { path: path.clone(), place, text });
        }
        let text = if page { afs::page(&text) } else { afs::text(&text) };
        put.push(Put { place: here, path, text });
    }
    put
}

fn shipped_layer() -> Layer {
    Layer::shipped::<LetterFolder>("templates/letters", shipped::FILES)
}

fn no_letter_file(path: String) -> Problem {
    Problem::with_file(
        path,
        "is no file of a letter",
        "use layout.mjml, layout.txt, <locale>/words.toml, <locale>/<letter>.mjml or <locale>/<letter>.txt, or .afs.html and .afs.txt for pasted ones, where <letter> is \
         invitation or reminder; below shops/<shop>/ they are for that shop alone",
    )
}
