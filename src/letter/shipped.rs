//! The letter templates that ship with the program. A new locale is a folder with a `words.toml` and a line here.

/// Path below `templates/letters/` and text.
pub(super) const FILES: &[(&str, &str)] = &[
    ("layout.mjml", include_str!("../../templates/letters/layout.mjml")),
    ("layout.txt", include_str!("../../templates/letters/layout.txt")),
    ("cs/words.toml", include_str!("../../templates/letters/cs/words.toml")),
    ("da/words.toml", include_str!("../../templates/letters/da/words.toml")),
    ("de/words.toml", include_str!("../../templates/letters/de/words.toml")),
    ("en/words.toml", include_str!("../../templates/letters/en/words.toml")),
    ("es/words.toml", include_str!("../../templates/letters/es/words.toml")),
    ("fi/words.toml", include_str!("../../templates/letters/fi/words.toml")),
    ("fr/words.toml", include_str!("../../templates/letters/fr/words.toml")),
    ("it/words.toml", include_str!("../../templates/letters/it/words.toml")),
    ("ja/words.toml", include_str!("../../templates/letters/ja/words.toml")),
    ("nb/words.toml", include_str!("../../templates/letters/nb/words.toml")),
    ("nl/words.toml", include_str!("../../templates/letters/nl/words.toml")),
    ("pl/words.toml", include_str!("../../templates/letters/pl/words.toml")),
    ("pt/words.toml", include_str!("../../templates/letters/pt/words.toml")),
    ("sv/words.toml", include_str!("../../templates/letters/sv/words.toml")),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_in_the_folder_ships() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/letters");
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
