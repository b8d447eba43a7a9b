//! The files of one folder, which lie over those below them.

use std::collections::BTreeMap;

use super::Folder;
use super::locale::is_locale;

/// Files that lie over those below them, by their name within the folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layer(pub(super) BTreeMap<String, Source>);

/// A file's text.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The file as its author named it, for messages.
    pub(super) file: String,
    pub(super) text: String,
}

impl Layer {
    /// The files that ship in a folder: path below it and text.
    pub(crate) fn shipped<F: Folder>(folder: &str, files: &[(&str, &str)]) -> Self {
        let mut layer = Self::default();
        for (path, text) in files {
            layer.add::<F>(path, format!("{folder}/{path}"), (*text).to_owned());
        }
        layer
    }

    /// Adds a file; `false` when the folder has no file of this name.
    pub(crate) fn add<F: Folder>(&mut self, name: &str, file: String, text: String) -> bool {
        let Some(name) = known_name::<F>(name) else { return false };
        self.0.insert(name, Source { file, text });
        true
    }
}

/// A file's name with its locale in lower case, when it is one of the folder's.
pub(crate) fn known_name<F: Folder>(name: &str) -> Option<String> {
    match name.split_once('/') {
        None => F::is_common(name).then(|| name.to_owned()),
        Some((locale, file)) => (is_locale(locale) && (file == "words.toml" || F::is_of_locale(file)))
            .then(|| format!("{}/{file}", locale.to_ascii_lowercase())),
    }
}
