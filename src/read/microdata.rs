//! Microdata (WHATWG HTML, chapter 5) as the JSON-LD that says the same. Items inside other items, `meta`, `link` and `time`
//! included; `itemref` is not followed.

use dom_query::{Document, NodeRef};
use serde_json::{Map, Value as Json};

use super::evidence::Evidence;
use super::schema_org::{self, LEVELS};
use crate::domain::Layer;

/// Items of a page that are looked at.
const ITEMS: usize = 20;
/// Properties of an item and all that is in it.
const PROPERTIES: usize = 500;
/// What an item must be to be read; an item in one of these is read with it.
const WANTED: [&str; 3] = ["schema.org/order", "schema.org/parceldelivery", "schema.org/invoice"];

/// Reads the orders, parcels and invoices of a page.
pub(super) fn read(tree: &Document, evidence: &mut Evidence) {
    let items = tree.select("[itemscope][itemtype]");
    let wanted = items.nodes().iter().filter(|node| is_wanted(node) && !within_another(node));
    for node in wanted.take(ITEMS) {
        let mut budget = PROPERTIES;
        schema_org::read(&item(node, 0, &mut budget), Layer::Microdata, evidence);
        if budget == 0 {
            evidence.remark(
                Layer::Microdata,
                "limit",
                format!("an item has more than {PROPERTIES} properties; the rest was not read"),
            );
        }
    }
}

fn is_wanted(node: &NodeRef<'_>) -> bool {
    node.has_attr("itemscope")
        && node.attr("itemtype").is_some_and(|kinds| {
            let kinds = kinds.to_ascii_lowercase();
            kinds.split_ascii_whitespace().any(|kind| WANTED.iter().any(|wanted| kind.ends_with(wanted)))
        })
}

fn within_another(node: &NodeRef<'_>) -> bool {
    node.has_attr("itemprop") && node.ancestors_it(None).any(|above| above.is_element() && is_wanted(&above))
}

/// An item.
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
            for name in names.split_ascii_whitespace().take(4) {
                let value = if scope { item(&child, level + 1, budget) } else { Json::String(property(&child, name)) };
                // A name may be an address too: `http://schema.org/orderNumber`.
                add_property(&mut object, name.rsplit('/').next().unwrap_or(name), value);
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

/// The value of a property element. A link is the value only of what is an address: `<a itemprop="name" href=…>` has its text.
fn property(node: &NodeRef<'_>, name: &str) -> String {
    let link =
        ["url", "image", "status", "target", "sameas"].iter().any(|word| name.to_ascii_lowercase().contains(word));
    let names: &[&str] =
        if node.has_name("a") && !link { &["content"] } else { &["content", "href", "src", "datetime", "value"] };
    let attribute = names.iter().find_map(|name| node.attr(name));
    attribute.unwrap_or_else(|| node.text()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(html: &str) -> Vec<String> {
        let mut evidence = Evidence::default();
        read(&Document::from(html), &mut evidence);
        evidence.into_findings(&[]).into_iter().map(|f| format!("{}={}", f.rule, f.value)).collect()
    }

    #[test]
    fn microdata_say_the_same_as_json() {
        let order = "<div itemscope itemtype='http://schema.org/Order'><span itemprop='orderNumber'>A-1</span>\
             <link itemprop='orderStatus' href='http://schema.org/OrderInTransit'>\
             <time itemprop='orderDate' datetime='2026-05-05T10:00:00+02:00'>5 May</time>\
             <div itemprop='customer' itemscope itemtype='http://schema.org/Person'><meta itemprop='name' content='Bo Ek'></div>\
             <div itemprop='billingAddress' itemscope itemtype='http://schema.org/PostalAddress'>\
             <meta itemprop='email' content='bo@ek.example'><meta itemprop='addressCountry' content='se'></div>\
             <div itemprop='acceptedOffer' itemscope itemtype='http://schema.org/Offer'>\
             <div itemprop='itemOffered' itemscope itemtype='http://schema.org/Product'>\
             <a itemprop='name' href='https://shop.example/cup'>Cup</a><a itemprop='url' href='https://shop.example/cup'>x</a></div>\
             <meta itemprop='price' content='12.50'><meta itemprop='priceCurrency' content='SEK'>\
             <div itemprop='eligibleQuantity' itemscope itemtype='http://schema.org/QuantitativeValue'>\
             <meta itemprop='value' content='2'></div></div></div>";
        let expected = [
            "Order.orderStatus=shipped",
            "Order.customer.name=Bo Ek",
            "Order.billingAddress.email=bo@ek.example",
            "Order.orderNumber=A-1",
            "Order.orderDate=2026-05-05T10:00:00+02:00",
            "Order.acceptedOffer=Cup",
            "Order.addressCountry=SE",
        ];
        assert_eq!(findings(order), expected);
        let about = order.replacen("itemscope", "itemprop='about' itemscope", 1);
        let message = format!("<div itemscope itemtype='https://schema.org/EmailMessage'>{about}</div>");
        assert_eq!(findings(&message), expected);
    }

    #[test]
    fn an_order_inside_a_parcel_is_read_with_it_and_only_once() {
        assert_eq!(
            findings(
                "<div itemscope itemtype='https://schema.org/ParcelDelivery'>\
                 <div itemprop='partOfOrder' itemscope itemtype='https://schema.org/Order'>\
                 <meta itemprop='orderNumber' content='7'><link itemprop='orderStatus' href='https://schema.org/OrderProcessing'>\
                 </div></div><div itemscope itemtype='https://schema.org/OrderItem'><b itemprop='orderNumber'>8</b></div>"
            ),
            ["ParcelDelivery=shipped", "Order.orderNumber=7"]
        );
    }
}
