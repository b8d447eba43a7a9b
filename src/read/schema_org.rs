//! Layer 2: schema.org `Order` and `ParcelDelivery`, as JSON-LD or as microdata, in the forms that shops send: one object, a
//! list, an `@graph`; one offer or many; statuses with and without their address; entities escaped twice (WooCommerce).

use dom_query::{Document, NodeRef};
use serde_json::{Map, Value as Json};

use super::evidence::{Evidence, PRODUCTS, Value, is_unfilled, web_address};
use super::scripts::{Scripts, unescaped};
use crate::domain::{EmailAddress, EventKind, Layer, OrderDate, OrderReference, PersonName, Product, clean};

/// How deep objects are looked for in objects.
const LEVELS: usize = 12;
/// Objects of one mail that are looked at.
const OBJECTS: usize = 200;

/// Reads the JSON-LD blocks of a page.
pub(super) fn read_json_ld(page: &str, evidence: &mut Evidence) {
    for value in Scripts::of_type("application/ld+json", page).values {
        search(&value, Layer::JsonLd, evidence, 0);
    }
}

/// Reads the microdata items of a page.
pub(super) fn read_microdata(tree: &Document, evidence: &mut Evidence) {
    let orders =
        tree.select("[itemscope][itemtype*='schema.org/Order'], [itemscope][itemtype*='schema.org/ParcelDelivery']");
    for node in orders.nodes().iter().take(20) {
        // An item that is a property of another one is read with it.
        if node.has_attr("itemprop") {
            continue;
        }
        let mut budget = OBJECTS;
        search(&item(node, 0, &mut budget), Layer::Microdata, evidence, 0);
    }
}

fn search(value: &Json, layer: Layer, evidence: &mut Evidence, level: usize) {
    if level > LEVELS {
        return;
    }
    match value {
        Json::Array(items) => items.iter().take(OBJECTS).for_each(|item| search(item, layer, evidence, level + 1)),
        Json::Object(object) => match kind(object) {
            Some("Order") => order(object, layer, evidence),
            Some("ParcelDelivery") => parcel(object, layer, evidence),
            _ => {
                for key in ["@graph", "mainEntity", "about", "object", "potentialAction"] {
                    if let Some(inner) = object.get(key) {
                        search(inner, layer, evidence, level + 1);
                    }
                }
            }
        },
        _ => {}
    }
}

/// `@type` without its address; the first one when there are several.
fn kind(object: &Map<String, Json>) -> Option<&str> {
    let name = match object.get("@type")? {
        Json::Array(names) => names.first()?.as_str()?,
        name => name.as_str()?,
    };
    name.rsplit(['/', ':', '#']).next()
}

fn order(object: &Map<String, Json>, layer: Layer, evidence: &mut Evidence) {
    if let Some(kind) = object.get("orderStatus").and_then(text).and_then(|status| event_of(&status)) {
        evidence.add(layer, "Order.orderStatus", Value::Event(kind));
    }
    if let Some(reference) = object.get("orderNumber").and_then(text).and_then(|text| OrderReference::parse(&text)) {
        evidence.add(layer, "Order.orderNumber", Value::Reference(reference));
    }
    if let Some(date) = object.get("orderDate").and_then(text).and_then(|text| OrderDate::parse(&text)) {
        evidence.add(layer, "Order.orderDate", Value::OrderDate(date));
    }
    for key in ["customer", "billingAddress"] {
        if let Some(person) = object.get(key) {
            person_at(person, &format!("Order.{key}"), layer, evidence);
        }
    }
    if let Some(delivery) = object.get("orderDelivery") {
        for delivery in as_list(delivery).iter().filter_map(|item| item.as_object()) {
            expected(delivery, layer, evidence);
        }
    }
    let products = as_list_of(object, &["acceptedOffer", "orderedItem"]);
    note_products(products, "Order.acceptedOffer", layer, evidence);
}

fn parcel(object: &Map<String, Json>, layer: Layer, evidence: &mut Evidence) {
    evidence.add(layer, "ParcelDelivery", Value::Event(EventKind::Shipped));
    expected(object, layer, evidence);
    for part in object.get("partOfOrder").map(as_list).unwrap_or_default() {
        if let Some(part) = part.as_object() {
            let mut part = part.clone();
            // The parcel says more about what happened than the order that it belongs to.
            part.remove("orderStatus");
            order(&part, layer, evidence);
        }
    }
    let addressee = object.get("deliveryAddress").and_then(|address| member(address, "name"));
    if let Some(name) = addressee.and_then(|name| PersonName::parse(&name)) {
        evidence.add(layer, "ParcelDelivery.deliveryAddress.name", Value::Name(name));
    }
    note_products(as_list_of(object, &["itemShipped"]), "ParcelDelivery.itemShipped", layer, evidence);
}

fn expected(delivery: &Map<String, Json>, layer: Layer, evidence: &mut Evidence) {
    let day = ["expectedArrivalUntil", "expectedArrivalFrom"]
        .iter()
        .find_map(|key| delivery.get(*key).and_then(text).and_then(|text| OrderDate::parse(&text)))
        .and_then(|date| date.day());
    if let Some(day) = day {
        evidence.add(layer, "ParcelDelivery.expectedArrivalUntil", Value::ExpectedDelivery(day));
    }
}

fn person_at(person: &Json, rule: &str, layer: Layer, evidence: &mut Evidence) {
    let name = member(person, "name").or_else(|| {
        let (given, family) = (member(person, "givenName")?, member(person, "familyName")?);
        Some(format!("{given} {family}"))
    });
    if let Some(name) = name.and_then(|name| PersonName::parse(&name)) {
        evidence.add(layer, format!("{rule}.name"), Value::Name(name));
    }
    if let Some(email) =
        member(person, "email").and_then(|text| EmailAddress::parse(text.trim_start_matches("mailto:")).ok())
    {
        evidence.add(layer, format!("{rule}.email"), Value::Email(email));
    }
}

/// The event that an order status tells of. `OrderProblem` tells of none: WooCommerce writes it while it waits for the money.
fn event_of(status: &str) -> Option<EventKind> {
    let word = status.rsplit(['/', '#']).next()?.to_ascii_lowercase();
    Some(match word.as_str() {
        "orderprocessing" | "orderpaymentdue" => EventKind::Placed,
        "orderintransit" | "orderpickupavailable" => EventKind::Shipped,
        "orderdelivered" => EventKind::Delivered,
        "orderreturned" => EventKind::Refunded,
        "ordercancelled" | "ordercanceled" => EventKind::Cancelled,
        _ => return None,
    })
}

fn note_products(items: Vec<&Json>, rule: &str, layer: Layer, evidence: &mut Evidence) {
    let products = items.into_iter().take(PRODUCTS).filter_map(product).collect::<Vec<_>>();
    if !products.is_empty() {
        evidence.add(layer, rule, Value::Products(products));
    }
}

/// A product from an offer, an order item or a product.
fn product(item: &Json) -> Option<Product> {
    let thing = ["itemOffered", "orderedItem"].iter().find_map(|key| item.get(key)).unwrap_or(item);
    let thing = as_list(thing).first().copied()?;
    let quantity = item
        .get("eligibleQuantity")
        .or_else(|| item.get("orderQuantity"))
        .or_else(|| item.get("priceSpecification")?.get("eligibleQuantity"))
        .and_then(|quantity| member(quantity, "value").or_else(|| text(quantity)))
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|number| (1.0..=100_000.0).contains(number));
    let price = member(item, "price").map(|price| match member(item, "priceCurrency") {
        Some(currency) => format!("{price} {currency}"),
        None => price,
    });
    Some(Product {
        name: clean(&member(thing, "name").or_else(|| text(thing))?, 300),
        sku: member(thing, "sku").or_else(|| member(thing, "productID")),
        url: member(thing, "url").and_then(|url| web_address(&url)),
        image: member(thing, "image").and_then(|url| web_address(&url)),
        price,
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked above")]
        quantity: quantity.map(|number| number as u32),
    })
}

/// A value or each value of a list.
fn as_list(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(items) => items.iter().collect(),
        single => vec![single],
    }
}

fn as_list_of<'j>(object: &'j Map<String, Json>, keys: &[&str]) -> Vec<&'j Json> {
    keys.iter().find_map(|key| object.get(*key)).map(as_list).unwrap_or_default()
}

/// A property of an object as text.
fn member(value: &Json, key: &str) -> Option<String> {
    let value = as_list(value).first().copied()?;
    value.get(key).and_then(text)
}

/// A value as cleaned text: texts, numbers, the first of a list, `@value`, or the `@id` or `url` of an object such as an image.
fn text(value: &Json) -> Option<String> {
    let text = match value {
        Json::String(text) => clean(&unescaped(text), 1_000),
        Json::Number(number) => number.to_string(),
        Json::Array(items) => return items.first().filter(|item| !item.is_array()).and_then(text),
        Json::Object(object) => {
            let inner = ["@value", "name", "url", "@id"].iter().find_map(|key| object.get(*key))?;
            return inner.as_str().map(|inner| clean(&unescaped(inner), 1_000)).filter(|inner| !inner.is_empty());
        }
        _ => return None,
    };
    (!text.is_empty() && !is_unfilled(&text)).then_some(text)
}

/// A microdata item as the JSON-LD that says the same (WHATWG HTML, 5.4).
fn item(node: &NodeRef<'_>, level: usize, budget: &mut usize) -> Json {
    let mut object = Map::new();
    if let Some(kind) = node.attr("itemtype") {
        object.insert("@type".to_owned(), Json::String(kind.to_string()));
    }
    if level > LEVELS {
        return Json::Object(object);
    }
    let mut waiting = node.children();
    waiting.reverse();
    while let Some(child) = waiting.pop() {
        if !child.is_element() {
            continue;
        }
        *budget = budget.saturating_sub(usize::from(child.has_attr("itemprop")));
        if *budget == 0 {
            break;
        }
        let scope = child.has_attr("itemscope");
        if let Some(names) = child.attr("itemprop") {
            let value = if scope { item(&child, level + 1, budget) } else { Json::String(property(&child)) };
            for name in names.split_ascii_whitespace().take(4) {
                add_property(&mut object, name, value.clone());
            }
        }
        if !scope {
            waiting.extend(child.children().into_iter().rev());
        }
    }
    Json::Object(object)
}

fn add_property(object: &mut Map<String, Json>, name: &str, value: Json) {
    match object.get_mut(name) {
        Some(Json::Array(values)) => values.push(value),
        Some(first) => {
            let values = vec![first.take(), value];
            *first = Json::Array(values);
        }
        None => {
            object.insert(name.to_owned(), value);
        }
    }
}

/// The value of a property element.
fn property(node: &NodeRef<'_>) -> String {
    let attribute = ["content", "href", "src", "datetime"].iter().find_map(|name| node.attr(name));
    attribute.unwrap_or_else(|| node.text()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(evidence: Evidence) -> Vec<String> {
        evidence.into_findings(&[]).into_iter().map(|f| format!("{}={}", f.rule, f.value)).collect()
    }

    fn json_ld(json: &str) -> Vec<String> {
        let mut evidence = Evidence::default();
        read_json_ld(&format!("<script type=\"application/ld+json\">{json}</script>"), &mut evidence);
        findings(evidence)
    }

    #[test]
    fn an_order_is_read_from_a_graph_with_one_offer() {
        assert_eq!(
            json_ld(
                r#"{"@context":"https:\/\/schema.org\/","@graph":[{"@type":["Order"],"orderNumber":10483,
                "orderStatus":"orderDelivered","orderDate":"2025-09-24T23:33:05+02:00","customer":{"name":"\u00d6rjan Ek"},
                "billingAddress":{"email":"orjan@ek.example"},
                "acceptedOffer":{"price":"5","priceCurrency":"SEK","itemOffered":{"name":"Salt &amp;amp; Peppar","sku":"S"}}}]}"#
            ),
            [
                "Order.orderStatus=delivered",
                "Order.customer.name=\u{d6}rjan Ek",
                "Order.billingAddress.email=orjan@ek.example",
                "Order.orderNumber=10483",
                "Order.orderDate=2025-09-24T23:33:05+02:00",
                "Order.acceptedOffer=Salt & Peppar",
            ]
        );
    }

    #[test]
    fn a_parcel_is_a_shipment_of_its_order() {
        assert_eq!(
            json_ld(
                r#"[{"@type":"http://schema.org/ParcelDelivery","expectedArrivalUntil":"2026-11-24T10:00:00Z",
                "itemShipped":{"name":"Cup"},"partOfOrder":{"@type":"Order","orderNumber":"7","orderStatus":"OrderProcessing"}}]"#
            ),
            [
                "ParcelDelivery=shipped",
                "Order.orderNumber=7",
                "ParcelDelivery.expectedArrivalUntil=2026-11-24",
                "ParcelDelivery.itemShipped=Cup",
            ]
        );
    }

    #[test]
    fn microdata_says_the_same() {
        let tree = Document::from(
            "<div itemscope itemtype='http://schema.org/Order'><span itemprop='orderNumber'>A-1</span>\
             <link itemprop='orderStatus' href='http://schema.org/OrderInTransit'>\
             <div itemprop='customer' itemscope itemtype='http://schema.org/Person'><meta itemprop='name' content='Bo Ek'></div></div>",
        );
        let mut evidence = Evidence::default();
        read_microdata(&tree, &mut evidence);
        assert_eq!(
            findings(evidence),
            ["Order.orderStatus=shipped", "Order.customer.name=Bo Ek", "Order.orderNumber=A-1"]
        );
    }

    #[test]
    fn other_things_are_not_read() {
        assert!(json_ld(r#"{"@type":"Organization","name":"Shop"}"#).is_empty());
        assert!(json_ld(r#"{"@type":"Order","orderNumber":"{{ id }}"}"#).is_empty());
    }
}
