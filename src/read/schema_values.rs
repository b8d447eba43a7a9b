//! The values in schema.org data, which are written in more ways than one: statuses, dates, countries, products with prices and
//! quantities.

use serde_json::{Map, Value as Json};

use super::evidence::web_address;
use super::scripts::unescaped;
use crate::domain::{EventKind, OrderDate, Product, clean};

/// Whether the type of an object is this one, or one of its types; without its address.
pub(super) fn is(object: &Map<String, Json>, kind: &str) -> bool {
    let same = |name: &Json| name.as_str().and_then(|name| name.trim().rsplit(['/', ':', '#']).next()) == Some(kind);
    object.get("@type").is_some_and(|names| as_list(names).into_iter().any(same))
}

/// The event that a status of an order or a parcel tells of. `OrderProblem` tells of none: WooCommerce writes it while it waits
/// for the money.
pub(super) fn event_of(status: &str) -> Option<EventKind> {
    let word = status.trim_end_matches('/').rsplit(['/', '#', ':']).next()?;
    let word = word.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
    let word = word.strip_prefix("orderstatus").unwrap_or(&word);
    Some(match word.strip_prefix("order").unwrap_or(word) {
        "processing" | "paymentdue" => EventKind::Placed,
        "intransit" | "pickupavailable" => EventKind::Shipped,
        "delivered" => EventKind::Delivered,
        "returned" => EventKind::Refunded,
        "cancelled" | "canceled" => EventKind::Cancelled,
        _ => return None,
    })
}

/// A date by ISO 8601, or as mail writes it (RFC 5322).
pub(super) fn date(text: &str) -> Option<OrderDate> {
    OrderDate::parse(text).or_else(|| {
        let time = jiff::fmt::rfc2822::parse(text).ok()?;
        OrderDate::parse(&time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    })
}

/// The country of an address, or of the address of a person: two letters (ISO 3166-1).
pub(super) fn country(place: &Json) -> Option<String> {
    let place = as_list(place).first().copied()?;
    let written = member(place, "addressCountry").or_else(|| member(place.get("address")?, "addressCountry"))?;
    let written = written.trim();
    (written.len() == 2 && written.bytes().all(|b| b.is_ascii_alphabetic())).then(|| written.to_ascii_uppercase())
}

/// The things that an offer or an order item is about; or itself, when it is the product.
pub(super) fn things(item: &Json) -> Vec<&Json> {
    ["itemOffered", "orderedItem"].iter().find_map(|key| item.get(*key)).map_or_else(|| vec![item], as_list)
}

/// A product from an offer, an order item or a product.
pub(super) fn product(item: &Json, thing: &Json, currency: Option<&str>) -> Option<Product> {
    let quantity = ["eligibleQuantity", "orderQuantity", "quantity"]
        .iter()
        .find_map(|key| item.get(*key))
        .or_else(|| item.get("priceSpecification").and_then(|spec| as_list(spec).first()?.get("eligibleQuantity")))
        .or_else(|| item.get("acceptedOffer")?.get("eligibleQuantity"))
        .and_then(|quantity| member(quantity, "value").or_else(|| plain(quantity)))
        .and_then(|text| text.trim().parse::<f64>().ok())
        // Half a metre of cloth is no number of things.
        .filter(|number| (1.0..=100_000.0).contains(number) && number.fract() == 0.0);
    let price = [item, thing].into_iter().find_map(|one| price(one, &["price"]));
    let price = price.map(|(amount, own)| match own.as_deref().or(currency) {
        Some(currency) => format!("{amount} {currency}"),
        None => amount,
    });
    let brand = member(thing, "brand");
    let gtin = ["gtin", "gtin13", "gtin14", "gtin12", "gtin8", "isbn"].iter().find_map(|key| member(thing, key));
    Some(Product {
        name: clean(&member(thing, "name").or_else(|| plain(thing))?, 300),
        sku: member(thing, "sku").or_else(|| member(thing, "productID")),
        url: member(thing, "url").and_then(|url| web_address(&url)),
        image: member(thing, "image").and_then(|url| web_address(&url)),
        price: price.map(|price| clean(&price, 60)),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked above")]
        quantity: quantity.map(|number| number as u32),
        gtin,
        mpn: member(thing, "mpn"),
        brand,
    })
}

/// The amount and the currency of something: its own, or those of its price specification or its offer.
pub(super) fn price(value: &Json, keys: &[&str]) -> Option<(String, Option<String>)> {
    let currency = |value: &Json| {
        let code = member(value, "priceCurrency").or_else(|| member(value, "currency"))?;
        (code.len() == 3 && code.bytes().all(|b| b.is_ascii_alphabetic())).then(|| code.to_ascii_uppercase())
    };
    let own = currency(value);
    if let Some(amount) = keys.iter().find_map(|key| member(value, key)) {
        return Some((amount, own));
    }
    let inner = ["priceSpecification", "offers", "totalPrice", "price"].iter().find_map(|key| {
        let inner = as_list(value.get(*key)?).first().copied()?;
        inner.is_object().then_some(inner)
    })?;
    let amount = ["price", "value"].iter().find_map(|key| member(inner, key))?;
    Some((amount, currency(inner).or(own)))
}

/// A value or each value of a list.
pub(super) fn as_list(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(items) => items.iter().collect(),
        single => vec![single],
    }
}

/// The first of these properties that holds anything.
pub(super) fn first_list<'j>(object: &'j Map<String, Json>, keys: &[&str]) -> Vec<&'j Json> {
    keys.iter().filter_map(|key| object.get(*key)).map(as_list).find(|list| !list.is_empty()).unwrap_or_default()
}

/// A property of an object as text.
pub(super) fn member(value: &Json, key: &str) -> Option<String> {
    let value = as_list(value).first().copied()?;
    value.get(key).and_then(plain)
}

/// A value as cleaned text: texts, the first of a list, `@value`, or the name, address or `@id` of an object such as an image.
pub(super) fn plain(value: &Json) -> Option<String> {
    let text = match value {
        Json::String(text) => clean(&unescaped(text), 1_000),
        Json::Array(items) => return items.first().filter(|item| !item.is_array()).and_then(plain),
        Json::Object(object) => {
            let inner = ["@value", "name", "url", "@id"].iter().find_map(|key| object.get(*key))?;
            clean(&unescaped(inner.as_str()?), 1_000)
        }
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::{Evidence, Value};
    use super::*;

    fn product_of(json: &str) -> Product {
        let mut evidence = Evidence::default();
        super::super::schema_org::read_json_ld(
            &format!("<script type=\"application/ld+json\">{json}</script>"),
            &mut evidence,
        );
        match evidence.of(crate::domain::Field::Products).first().map(|candidate| &candidate.value) {
            Some(Value::Products(products)) if products.len() == 1 => products[0].clone(),
            _ => panic!("not one product in {json}"),
        }
    }

    #[test]
    fn quantities_and_prices_are_read_wherever_they_stand() {
        let product = r#"{"@type":"Product","name":"Cup"}"#;
        let offer = |more: &str| format!(r#""acceptedOffer":{{"@type":"Offer","itemOffered":{product}{more}}}"#);
        let item = |more: &str| format!(r#""orderedItem":[{{"@type":"OrderItem","orderedItem":{product}{more}}}]"#);
        for (inner, quantity, price) in [
            (offer(""), None, None),
            (
                offer(r#","eligibleQuantity":{"value":"3"},"price":"5.00","priceCurrency":"eur""#),
                Some(3),
                Some("5.00 EUR"),
            ),
            (offer(r#","eligibleQuantity":2,"price":5"#), Some(2), Some("5")),
            (
                offer(r#","priceSpecification":{"price":"1.10","priceCurrency":"SEK","eligibleQuantity":{"value":2}}"#),
                Some(2),
                Some("1.10 SEK"),
            ),
            (offer(r#","price":"9","eligibleQuantity":"1.5""#), None, Some("9")),
            (offer(r#","eligibleQuantity":0"#), None, None),
            (item(r#","orderQuantity":4"#), Some(4), None),
            (item(r#","orderQuantity":{"@type":"QuantitativeValue","value":4},"price":"7""#), Some(4), Some("7")),
            (format!(r#""acceptedOffer":[],{}"#, item(r#","orderQuantity":"2""#)), Some(2), None),
            (
                r#""orderedItem":{"@type":"Product","name":"Cup","offers":{"price":"3","priceCurrency":"USD"}}"#
                    .to_owned(),
                None,
                Some("3 USD"),
            ),
            (format!(r#""priceCurrency":"NOK",{}"#, offer(r#","price":"3""#)), None, Some("3 NOK")),
        ] {
            let found = product_of(&format!(r#"{{"@type":"Order",{inner}}}"#));
            assert_eq!((found.quantity, found.price.as_deref()), (quantity, price), "{inner}");
            assert_eq!(found.name, "Cup", "{inner}");
        }
        let full = product_of(
            r#"{"@type":"Order","acceptedOffer":{"itemOffered":{"name":"Cup","sku":"S","gtin13":4006381333931,"mpn":"M",
            "brand":{"@type":"Brand","name":"Acme"},"image":{"url":"https://shop.example/i"},"url":"https://shop.example/p"}}}"#,
        );
        assert_eq!(
            [full.sku, full.gtin, full.mpn, full.brand, full.image, full.url].map(Option::unwrap_or_default),
            ["S", "4006381333931", "M", "Acme", "https://shop.example/i", "https://shop.example/p"]
        );
    }
}
