//! The page templates that ship with the program. A new locale is a folder with a `words.toml` and a line here.

/// Path below `templates/pages/` and text.
pub(super) const FILES: &[(&str, &str)] = &[
    ("layout.html", include_str!("../../templates/pages/layout.html")),
    ("form.html", include_str!("../../templates/pages/form.html")),
    ("style.css", include_str!("../../templates/pages/style.css")),
    ("review.html", include_str!("../../templates/pages/review.html")),
    ("message.html", include_str!("../../templates/pages/message.html")),
    ("later.html", include_str!("../../templates/pages/later.html")),
    ("unsubscribe.html", include_str!("../../templates/pages/unsubscribe.html")),
    ("unsubscribed.html", include_str!("../../templates/pages/unsubscribed.html")),
    ("data.html", include_str!("../../templates/pages/data.html")),
    ("about.html", include_str!("../../templates/pages/about.html")),
    ("cs/words.toml", include_str!("../../templates/pages/cs/words.toml")),
    ("da/words.toml", include_str!("../../templates/pages/da/words.toml")),
    ("de/words.toml", include_str!("../../templates/pages/de/words.toml")),
    ("en/words.toml", include_str!("../../templates/pages/en/words.toml")),
    ("es/words.toml", include_str!("../../templates/pages/es/words.toml")),
    ("fi/words.toml", include_str!("../../templates/pages/fi/words.toml")),
    ("fr/words.toml", include_str!("../../templates/pages/fr/words.toml")),
    ("it/words.toml", include_str!("../../templates/pages/it/words.toml")),
    ("ja/words.toml", include_str!("../../templates/pages/ja/words.toml")),
    ("nb/words.toml", include_str!("../../templates/pages/nb/words.toml")),
    ("nl/words.toml", include_str!("../../templates/pages/nl/words.toml")),
    ("pl/words.toml", include_str!("../../templates/pages/pl/words.toml")),
    ("pt/words.toml", include_str!("../../templates/pages/pt/words.toml")),
    ("sv/words.toml", include_str!("../../templates/pages/sv/words.toml")),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_in_the_folder_ships() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/pages");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        let mut shipped: Vec<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        shipped.sort();
        assert_eq!(found, shipped);
    }
}
