//! The templates that ship, from `templates/parsers/`. A new file gets a line here; a test finds files without one.

use crate::document::Document;

/// File name and text of every template that ships.
pub(super) const FILES: &[(&str, &str)] = &[
    ("generic.toml", include_str!("../../templates/parsers/generic.toml")),
    ("magento2.toml", include_str!("../../templates/parsers/magento2.toml")),
    ("opencart.toml", include_str!("../../templates/parsers/opencart.toml")),
    ("prestashop.toml", include_str!("../../templates/parsers/prestashop.toml")),
    ("shopify.toml", include_str!("../../templates/parsers/shopify.toml")),
    ("sylius.toml", include_str!("../../templates/parsers/sylius.toml")),
    ("woocommerce.toml", include_str!("../../templates/parsers/woocommerce.toml")),
];

/// The templates that ship, as documents.
pub(super) fn documents() -> Vec<Document> {
    FILES.iter().map(|(name, text)| Document::new(format!("templates/parsers/{name}"), *text)).collect()
}
