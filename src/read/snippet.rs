//! Layer 1: the AFS structured data snippet, `<script type="application/json+trustpilot">`, in the spelling of its documentation
//! and with the mistakes that shops make in it. It carries no kind of event.

use serde_json::{Map, Value as Json};

use super::evidence::{Evidence, PRODUCTS, Value, is_unfilled, locale, web_address};
use super::scripts::{Scripts, unescaped};
use crate::domain::{EmailAddress, Layer, OrderReference, PersonName, Product, clean};

/// The snippet's type.
const TYPE: &str = "application/json+trustpilot";

/// Reads the snippets of a page. Returns whether one was there that could not be read.
pub(super) fn read(page: &str, evidence: &mut Evidence) -> bool {
    let scripts = Scripts::of_type(TYPE, page);
    for value in &scripts.values {
        match value {
            Json::Object(object) => fields(object, evidence),
            Json::Array(items) => items.iter().filter_map(Json::as_object).for_each(|item| fields(item, evidence)),
            _ => {}
        }
    }
    scripts.broken > 0
}

fn fields(object: &Map<String, Json>, evidence: &mut Evidence) {
    let layer = Layer::Snippet;
    if let Some(email) = text(object, "recipientEmail").and_then(|text| EmailAddress::parse(&text).ok()) {
        evidence.add(layer, "recipientEmail", Value::Email(email));
    }
    if let Some(name) = text(object, "recipientName").and_then(|text| PersonName::parse(&text)) {
        evidence.add(layer, "recipientName", Value::Name(name));
    }
    if let Some(reference) = text(object, "referenceId").and_then(|text| OrderReference::parse(&text)) {
        evidence.add(layer, "referenceId", Value::Reference(reference));
    }
    if let Some(tag) = text(object, "locale").and_then(|text| locale(&text)) {
        evidence.add(layer, "locale", Value::Locale(tag));
    }
    let products = products(object);
    if !products.is_empty() {
        evidence.add(layer, "products", Value::Products(products));
    }
}

/// A value as text: shops write numbers without quotes, and run everything through `htmlspecialchars`.
fn text(object: &Map<String, Json>, key: &str) -> Option<String> {
    let (_, value) = object.iter().find(|(known, _)| known.eq_ignore_ascii_case(key))?;
    let text = match value {
        Json::String(text) => clean(&unescaped(text), 500),
        Json::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty() && !is_unfilled(&text)).then_some(text)
}

/// `products`, or the `productSkus` that some shops send instead: then the article number has to do for a name.
fn products(object: &Map<String, Json>) -> Vec<Product> {
    let list = |key: &str| object.get(key).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let full = list("products").iter().filter_map(Json::as_object).filter_map(|item| {
        let sku = text(item, "sku");
        Some(Product {
            name: text(item, "name").or_else(|| sku.clone())?,
            sku,
            url: text(item, "productUrl").and_then(|url| web_address(&url)),
            image: text(item, "imageUrl").and_then(|url| web_address(&url)),
            ..Product::default()
        })
    });
    let skus = list("productSkus").iter().filter_map(Json::as_str).map(|sku| clean(&unescaped(sku), 100));
    let bare = skus.filter(|sku| !sku.is_empty()).map(|sku| Product {
        name: sku.clone(),
        sku: Some(sku),
        ..Product::default()
    });
    let mut products = full.take(PRODUCTS).collect::<Vec<_>>();
    if products.is_empty() {
        products.extend(bare.take(PRODUCTS));
    }
    products
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(json: &str) -> Vec<String> {
        let mut evidence = Evidence::default();
        read(&format!("<!-- <script type='{TYPE}'>{json}</script> -->"), &mut evidence);
        evidence.into_findings(&[]).into_iter().map(|f| format!("{}={}", f.rule, f.value)).collect()
    }

    #[test]
    fn the_documented_fields_are_read() {
        assert_eq!(
            findings(
                r#"{"recipientEmail":"a@b.example","recipientName":"Sean O&#039;Connor","referenceId":"1\/2","locale":"sv_SE",
                "products":[{"productUrl":"https://b.example/p","imageUrl":"x","name":"\u003ci\u003e","sku":"S"}]}"#
            ),
            [
                "recipientName=Sean O'Connor",
                "recipientEmail=a@b.example",
                "referenceId=1/2",
                "products=<i>",
                "locale=sv-SE"
            ]
        );
    }

    #[test]
    fn mistakes_cost_only_the_field_they_are_in() {
        assert_eq!(
            findings(
                r#"{"recipientEmail":"{{ email }}","recipientName":'',"referenceId": 5674,"productSkus":["A","B"],}"#
            ),
            ["referenceId=5674", "products=A; B"]
        );
        assert!(findings("{\"referenceId\": {{ id }} }").is_empty());
    }
}
