//! Language tags (RFC 5646): their shape, how people write them, and what is looked up for one.

/// The shape of a language tag (RFC 5646): a language of two or three letters and subtags.
pub(super) fn is_locale(text: &str) -> bool {
    let mut subtags = text.split('-');
    subtags
        .next()
        .is_some_and(|language| matches!(language.len(), 2 | 3) && language.bytes().all(|b| b.is_ascii_alphabetic()))
        && subtags.all(|subtag| (2..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// A language tag and the more general ones after it: `de-AT` gives `de-at`, `de` (RFC 4647 3.4). An underscore, as shop software
/// writes it, counts as a hyphen.
pub(crate) fn lookup(tag: &str) -> impl Iterator<Item = String> {
    let tag = tag.trim().replace('_', "-").to_ascii_lowercase();
    std::iter::successors(Some(tag), |tag| tag.rsplit_once('-').map(|(general, _)| general.to_owned()))
}

/// `de-at` as people write it, `de-AT` (RFC 5646 2.1.1).
pub(super) fn shown(locale: &str) -> String {
    let mut out = String::new();
    for (index, subtag) in locale.split('-').enumerate() {
        if index > 0 {
            out.push('-');
        }
        match (index, subtag.len()) {
            (1.., 2) => out.push_str(&subtag.to_ascii_uppercase()),
            (1.., 4) => {
                out.extend(subtag.chars().enumerate().map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c }))
            }
            _ => out.push_str(subtag),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_looked_up_from_the_special_to_the_general() {
        assert_eq!(lookup("zh_Hant-TW").collect::<Vec<_>>(), ["zh-hant-tw", "zh-hant", "zh"]);
        assert_eq!(["de-at", "zh-hant-tw", "en"].map(shown), ["de-AT", "zh-Hant-TW", "en"]);
    }
}
