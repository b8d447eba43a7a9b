//! The templates that ship, from `templates/parsers/`, and the words of `templates/lexicon/`. A new file gets a line here; a test
//! finds files without one.

use crate::document::Document;

/// File name and text of every template that ships.
pub(super) const FILES: &[(&str, &str)] = &[
    ("aimeos.toml", include_str!("../../templates/parsers/aimeos.toml")),
    ("amazon.toml", include_str!("../../templates/parsers/amazon.toml")),
    ("bagisto.toml", include_str!("../../templates/parsers/bagisto.toml")),
    ("django-oscar.toml", include_str!("../../templates/parsers/django-oscar.toml")),
    ("ec-cube.toml", include_str!("../../templates/parsers/ec-cube.toml")),
    ("generic.toml", include_str!("../../templates/parsers/generic.toml")),
    ("magento2.toml", include_str!("../../templates/parsers/magento2.toml")),
    ("modified-shop.toml", include_str!("../../templates/parsers/modified-shop.toml")),
    ("opencart.toml", include_str!("../../templates/parsers/opencart.toml")),
    ("oxid.toml", include_str!("../../templates/parsers/oxid.toml")),
    ("prestashop.toml", include_str!("../../templates/parsers/prestashop.toml")),
    ("pretix.toml", include_str!("../../templates/parsers/pretix.toml")),
    ("saleor.toml", include_str!("../../templates/parsers/saleor.toml")),
    ("shopify.toml", include_str!("../../templates/parsers/shopify.toml")),
    ("solidus.toml", include_str!("../../templates/parsers/solidus.toml")),
    ("sylius.toml", include_str!("../../templates/parsers/sylius.toml")),
    ("vendure.toml", include_str!("../../templates/parsers/vendure.toml")),
    ("woocommerce.toml", include_str!("../../templates/parsers/woocommerce.toml")),
    ("zencart.toml", include_str!("../../templates/parsers/zencart.toml")),
];

/// File name and text of the words of every language.
pub(super) const WORDS: &[(&str, &str)] = &[
    ("any.toml", include_str!("../../templates/lexicon/any.toml")),
    ("bg.toml", include_str!("../../templates/lexicon/bg.toml")),
    ("ca.toml", include_str!("../../templates/lexicon/ca.toml")),
    ("cs.toml", include_str!("../../templates/lexicon/cs.toml")),
    ("da.toml", include_str!("../../templates/lexicon/da.toml")),
    ("de.toml", include_str!("../../templates/lexicon/de.toml")),
    ("el.toml", include_str!("../../templates/lexicon/el.toml")),
    ("en.toml", include_str!("../../templates/lexicon/en.toml")),
    ("es.toml", include_str!("../../templates/lexicon/es.toml")),
    ("et.toml", include_str!("../../templates/lexicon/et.toml")),
    ("fi.toml", include_str!("../../templates/lexicon/fi.toml")),
    ("fr.toml", include_str!("../../templates/lexicon/fr.toml")),
    ("hr.toml", include_str!("../../templates/lexicon/hr.toml")),
    ("hu.toml", include_str!("../../templates/lexicon/hu.toml")),
    ("id.toml", include_str!("../../templates/lexicon/id.toml")),
    ("is.toml", include_str!("../../templates/lexicon/is.toml")),
    ("it.toml", include_str!("../../templates/lexicon/it.toml")),
    ("ja.toml", include_str!("../../templates/lexicon/ja.toml")),
    ("ko.toml", include_str!("../../templates/lexicon/ko.toml")),
    ("lt.toml", include_str!("../../templates/lexicon/lt.toml")),
    ("lv.toml", include_str!("../../templates/lexicon/lv.toml")),
    ("nb.toml", include_str!("../../templates/lexicon/nb.toml")),
    ("nl.toml", include_str!("../../templates/lexicon/nl.toml")),
    ("pl.toml", include_str!("../../templates/lexicon/pl.toml")),
    ("pt.toml", include_str!("../../templates/lexicon/pt.toml")),
    ("ro.toml", include_str!("../../templates/lexicon/ro.toml")),
    ("ru.toml", include_str!("../../templates/lexicon/ru.toml")),
    ("sk.toml", include_str!("../../templates/lexicon/sk.toml")),
    ("sl.toml", include_str!("../../templates/lexicon/sl.toml")),
    ("sv.toml", include_str!("../../templates/lexicon/sv.toml")),
    ("th.toml", include_str!("../../templates/lexicon/th.toml")),
    ("tr.toml", include_str!("../../templates/lexicon/tr.toml")),
    ("uk.toml", include_str!("../../templates/lexicon/uk.toml")),
    ("vi.toml", include_str!("../../templates/lexicon/vi.toml")),
    ("zh.toml", include_str!("../../templates/lexicon/zh.toml")),
];

/// The words that ship, as documents.
pub(super) fn lexicon() -> Vec<Document> {
    WORDS.iter().map(|(name, text)| Document::new(format!("templates/lexicon/{name}"), *text)).collect()
}

/// The templates that ship, as documents.
pub(super) fn documents() -> Vec<Document> {
    FILES.iter().map(|(name, text)| Document::new(format!("templates/parsers/{name}"), *text)).collect()
}
