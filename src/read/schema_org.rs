//! The layers of data: schema.org `Order`, `ParcelDelivery` and `Invoice`, as JSON-LD or as microdata, in the forms that shops send: one
//! object, a list, an `@graph`, inside an `EmailMessage`; one offer or many; statuses with and without their address; entities
//! escaped twice (WooCommerce). What microdata say is made JSON first (`microdata`). RDFa is not read: no shop was seen that sends
//! it.

use serde_json::{Map, Value as Json};

use super::evidence::{Evidence, PRODUCTS, Value, yes_or_no};
use super::schema_values::{as_list, country, date, event_of, first_list, is, member, plain, price, product, things};
use super::scripts::{BLOCKS, Scripts, unescaped};
use crate::domain::{EmailAddress, EventKind, Layer, OrderReference, PersonName, Total, clean};

/// How deep objects are looked for in objects.
pub(super) const LEVELS: usize = 12;
/// Objects of one mail that are looked at.
pub(super) const OBJECTS: usize = 2_000;

/// Reads the JSON-LD blocks of a page.
pub(super) fn read_json_ld(page: &str, evidence: &mut Evidence) {
    let scripts = Scripts::of_type("application/ld+json", page);
    for value in &scripts.values {
        read(value, Layer::JsonLd, evidence);
    }
    if scripts.broken > 0 {
        evidence.remark(Layer::JsonLd, "script", "a block of schema.org data is no JSON, and could not be read");
    }
    if scripts.more {
        let what = format!("there are more than {BLOCKS} blocks of schema.org data; the rest was not read");
        evidence.remark(Layer::JsonLd, "script", what);
    }
}

/// Reads what is an order, a parcel or an invoice, and what of them is inside other things.
pub(super) fn read(value: &Json, layer: Layer, evidence: &mut Evidence) {
    Search { layer, evidence, objects: OBJECTS }.search(value, 0);
}

struct Search<'e> {
    layer: Layer,
    evidence: &'e mut Evidence,
    /// How many more objects are looked at.
    objects: usize,
}

impl Search<'_> {
    fn search(&mut self, value: &Json, level: usize) {
        self.objects = self.objects.saturating_sub(1);
        if level > LEVELS || self.objects == 0 {
            let what = format!(
                "schema.org data are larger than {OBJECTS} things or deeper than {LEVELS} levels; the rest was not read"
            );
            return self.evidence.remark(self.layer, "limit", what);
        }
        match value {
            Json::Array(items) => items.iter().for_each(|item| self.search(item, level + 1)),
            Json::Object(object) if is(object, "Order") => self.order(object, true),
            Json::Object(object) if is(object, "ParcelDelivery") => self.parcel(object),
            Json::Object(object) if is(object, "Invoice") => self.invoice(object),
            Json::Object(object) => {
                let things = object.values().filter(|inner| inner.is_object() || inner.is_array());
                things.for_each(|inner| self.search(inner, level + 1));
            }
            _ => {}
        }
    }

    /// An order; `told` when its status is what the mail tells of.
    fn order(&mut self, object: &Map<String, Json>, told: bool) {
        let status = object.get("orderStatus").and_then(plain).filter(|_| told);
        if let Some(status) = status.filter(|status| !self.unfilled("Order.orderStatus", status)) {
            match event_of(&status) {
                Some(kind) => self.add("Order.orderStatus", Value::Event(kind)),
                None => self.unread("Order.orderStatus", "no status that tells of an event", &status),
            }
        }
        self.text("Order.orderNumber", object.get("orderNumber"), "no order reference", |text| {
            OrderReference::parse(text).map(Value::Reference)
        });
        self.text("Order.orderDate", object.get("orderDate"), "no date (ISO 8601)", |text| {
            date(text).map(Value::OrderDate)
        });
        for key in ["customer", "billingAddress"] {
            let people = object.get(key).map(as_list).unwrap_or_default();
            people.into_iter().take(10).for_each(|person| self.person(person, &format!("Order.{key}")));
        }
        let deliveries = object.get("orderDelivery").map(as_list).unwrap_or_default();
        let deliveries = deliveries.into_iter().filter_map(Json::as_object).take(10).collect::<Vec<_>>();
        deliveries.iter().for_each(|delivery| self.expected(delivery));
        let home = ["billingAddress", "customer"].iter().find_map(|key| country(object.get(*key)?));
        self.country("Order", home.or_else(|| deliveries.iter().find_map(|one| country(one.get("deliveryAddress")?))));
        self.total("Order", object);
        self.consent(object.get("consent"));
        self.products("Order.acceptedOffer", first_list(object, &["acceptedOffer", "orderedItem"]), object);
    }

    fn parcel(&mut self, object: &Map<String, Json>) {
        let status = object.get("deliveryStatus").and_then(plain);
        match status.as_deref().map(event_of) {
            // A parcel of which nothing else is said is on its way.
            None => self.add("ParcelDelivery", Value::Event(EventKind::Shipped)),
            Some(Some(kind)) => self.add("ParcelDelivery.deliveryStatus", Value::Event(kind)),
            Some(None) => {
                let status = status.unwrap_or_default();
                if !self.unfilled("ParcelDelivery.deliveryStatus", &status) {
                    self.unread("ParcelDelivery.deliveryStatus", "no status that tells of an event", &status);
                }
            }
        }
        self.expected(object);
        for part in object.get("partOfOrder").map(as_list).unwrap_or_default().into_iter().take(10) {
            match part {
                // The parcel says more about what happened than the order that it belongs to; but not that the order is off.
                Json::Object(part) => {
                    let status = part.get("orderStatus").and_then(plain).and_then(|status| event_of(&status));
                    self.order(part, status.is_some_and(EventKind::ends_the_order));
                }
                number => self.text("Order.orderNumber", Some(number), "no order reference", |text| {
                    OrderReference::parse(text).map(Value::Reference)
                }),
            }
        }
        let address = object.get("deliveryAddress");
        let addressee = address.and_then(|address| member(address, "name"));
        self.name("ParcelDelivery.deliveryAddress.name", addressee);
        self.country("ParcelDelivery", address.and_then(country));
        self.products("ParcelDelivery.itemShipped", first_list(object, &["itemShipped"]), object);
    }

    /// An invoice tells of no event, but of which order, and of whom.
    fn invoice(&mut self, object: &Map<String, Json>) {
        for order in object.get("referencesOrder").map(as_list).unwrap_or_default().into_iter().take(10) {
            if let Json::Object(order) = order {
                self.order(order, false);
            }
        }
        if let Some(person) = object.get("customer") {
            self.person(as_list(person).first().copied().unwrap_or(person), "Invoice.customer");
        }
        if let Some(Json::Object(due)) = object.get("totalPaymentDue") {
            self.total("Invoice.totalPaymentDue", due);
        }
    }

    fn add(&mut self, rule: impl Into<String>, value: Value) {
        self.evidence.add(self.layer, rule, value);
    }

    fn unread(&mut self, rule: &str, not: &str, text: &str) {
        self.evidence.remark(self.layer, rule, format!("{rule} is {not}: {}", clean(text, 80)));
    }

    fn unfilled(&mut self, rule: &str, text: &str) -> bool {
        self.evidence.is_unfilled(self.layer, rule, text)
    }

    /// Notes a value, or what is wrong with it.
    fn text(&mut self, rule: &str, value: Option<&Json>, not: &str, parse: impl Fn(&str) -> Option<Value>) {
        let Some(text) = value.and_then(plain) else { return };
        if self.unfilled(rule, &text) {
            return;
        }
        match parse(&text) {
            Some(value) => self.add(rule, value),
            None => self.unread(rule, not, &text),
        }
    }

    fn name(&mut self, rule: &str, name: Option<String>) {
        if let Some(name) = name.filter(|name| !self.unfilled(rule, name)).and_then(|name| PersonName::parse(&name)) {
            self.add(rule, Value::Name(name));
        }
    }

    fn email(&mut self, rule: &str, email: Option<String>) {
        let email = email.filter(|email| !self.unfilled(rule, email));
        let email = email.map(|email| email.trim_start_matches("mailto:").to_owned());
        match email.as_deref().map(EmailAddress::parse) {
            Some(Ok(email)) => self.add(rule, Value::Email(email)),
            Some(Err(_)) => self.unread(rule, "no mail address", email.as_deref().unwrap_or_default()),
            None => {}
        }
    }

    /// A person, an organisation or a postal address; or only a name.
    fn person(&mut self, person: &Json, rule: &str) {
        if let Some(text) = person.as_str() {
            let text = clean(&unescaped(text), 300);
            return match text.contains('@') {
                true => self.email(&format!("{rule}.email"), Some(text)),
                false => self.name(&format!("{rule}.name"), Some(text)),
            };
        }
        let parts = || Some(format!("{} {}", member(person, "givenName")?, member(person, "familyName")?));
        let name = member(person, "name").or_else(parts).or_else(|| member(person, "legalName"));
        self.name(&format!("{rule}.name"), name);
        self.email(&format!("{rule}.email"), member(person, "email"));
    }

    fn expected(&mut self, delivery: &Map<String, Json>) {
        for key in ["expectedArrivalUntil", "expectedArrivalFrom"] {
            let rule = format!("ParcelDelivery.{key}");
            let Some(text) = delivery.get(key).and_then(plain) else { continue };
            if self.unfilled(&rule, &text) {
                continue;
            }
            if let Some(day) = date(&text).and_then(|date| date.day()) {
                return self.add(rule, Value::ExpectedDelivery(day));
            }
            self.unread(&rule, "no date (ISO 8601)", &text);
        }
    }

    /// Whether the customer agreed to be asked: no word of schema.org, but a key that a shop may add to its order.
    fn consent(&mut self, consent: Option<&Json>) {
        if let Some(Json::Bool(agreed)) = consent {
            return self.add("Order.consent", Value::Consent(*agreed, None));
        }
        self.text("Order.consent", consent, "neither true nor false", |text| {
            yes_or_no(text).map(|agreed| Value::Consent(agreed, None))
        });
    }

    fn country(&mut self, rule: &str, country: Option<String>) {
        if let Some(country) = country {
            self.add(format!("{rule}.addressCountry"), Value::Country(country));
        }
    }

    fn total(&mut self, rule: &str, object: &Map<String, Json>) {
        let Some((amount, currency)) = price(&Json::Object(object.clone()), &["price", "value", "totalPrice"]) else {
            return;
        };
        let rule = format!("{rule}.price");
        if self.unfilled(&rule, &amount) || !amount.contains(|c: char| c.is_ascii_digit()) {
            return;
        }
        self.add(rule, Value::Total(Total { amount: clean(&amount, 40), currency }));
    }

    fn products(&mut self, rule: &str, items: Vec<&Json>, order: &Map<String, Json>) {
        let currency = order.get("priceCurrency").and_then(plain);
        let mut products = Vec::new();
        for item in items.into_iter().take(PRODUCTS) {
            for thing in things(item) {
                let Some(product) = product(item, thing, currency.as_deref()) else { continue };
                if !self.unfilled(&format!("{rule}.name"), &product.name) && products.len() < PRODUCTS {
                    products.push(product);
                }
            }
        }
        if !products.is_empty() {
            self.add(rule, Value::Products(products));
        }
    }
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
    fn an_order_is_found_wherever_it_is_and_whatever_its_type_is_written_like() {
        let order = r#"{"@type":"Order","orderNumber":"7"}"#;
        for json in [
            order.to_owned(),
            format!("[{order}]"),
            format!("{{\"@graph\":[{{\"@type\":\"WebSite\"}},{order}]}}"),
            format!("{{\"@type\":\"EmailMessage\",\"about\":{order}}}"),
            format!(
                "{{\"@type\":\"EmailMessage\",\"potentialAction\":{{\"@type\":\"ViewAction\",\"object\":[{order}]}}}}"
            ),
            format!("{{\"@type\":\"WebPage\",\"mainEntity\":{order}}}"),
            format!("{{\"@type\":\"Invoice\",\"paymentStatus\":\"PaymentComplete\",\"referencesOrder\":{order}}}"),
            format!("{{\"@type\":\"ItemList\",\"itemListElement\":[{{\"@type\":\"ListItem\",\"item\":{order}}}]}}"),
            order.replace("\"Order\"", "[\"Thing\",\"Order\"]"),
            order.replace("\"Order\"", "\"http://schema.org/Order\""),
            order.replace("\"Order\"", "\"https://schema.org/Order\""),
            order.replace("\"Order\"", "\"schema:Order\""),
            order.replace("\"7\"", "7"),
            order.replace("\"7\"", "[\"7\"]"),
            order.replace("\"7\"", "{\"@value\":\"7\"}"),
            order.replace("\"7\"", "\"#7\""),
        ] {
            assert_eq!(json_ld(&json), ["Order.orderNumber=7"], "{json}");
        }
        for kind in ["OrderItem", "order", "OrderAction", "Offer", "MyOrder"] {
            assert!(json_ld(&order.replace("Order\"", &format!("{kind}\""))).is_empty(), "{kind}");
        }
    }

    #[test]
    fn every_status_tells_of_its_event_in_every_spelling() {
        for (status, event) in [
            ("OrderPaymentDue", "placed"),
            ("OrderProcessing", "placed"),
            ("OrderInTransit", "shipped"),
            ("OrderPickupAvailable", "shipped"),
            ("OrderDelivered", "delivered"),
            ("OrderReturned", "refunded"),
            ("OrderCancelled", "cancelled"),
        ] {
            for written in [
                format!("\"{status}\""),
                format!("\"http://schema.org/{status}\""),
                format!("\"https://schema.org/{status}\""),
                format!("\"https:\\/\\/schema.org\\/{status}\""),
                format!("\"schema:{status}\""),
                format!("\"{}{}\"", "o", &status[1..]),
                format!("\"OrderStatus{}\"", &status[5..]),
                format!("\"{}\"", &status[5..]),
                format!("{{\"@id\":\"https://schema.org/{status}\"}}"),
                format!("{{\"@type\":\"OrderStatus\",\"name\":\"{status}\"}}"),
            ] {
                let found = json_ld(&format!("{{\"@type\":\"Order\",\"orderStatus\":{written}}}"));
                assert_eq!(found, [format!("Order.orderStatus={event}")], "{written}");
                let found = json_ld(&format!("{{\"@type\":\"ParcelDelivery\",\"deliveryStatus\":{written}}}"));
                assert_eq!(found, [format!("ParcelDelivery.deliveryStatus={event}")], "{written}");
            }
        }
        for status in ["OrderProblem", "https://schema.org/OrderProblem", "OrderOnTheMoon"] {
            let found = json_ld(&format!("{{\"@type\":\"Order\",\"orderStatus\":\"{status}\"}}"));
            let remark = format!("Order.orderStatus is no status that tells of an event: {status}");
            assert_eq!(found, [format!("Order.orderStatus={remark}")]);
        }
        let label = json_ld(r#"{"@type":"ParcelDelivery","deliveryStatus":"LabelCreated"}"#);
        assert_eq!(label.len(), 1, "a parcel that is not on its way is no shipment: {label:?}");
        assert!(label[0].contains("no status"), "{label:?}");
    }

    #[test]
    fn a_parcel_of_an_order_that_is_off_is_no_good_news() {
        for (status, expected) in
            [("OrderProcessing", "placed"), ("OrderDelivered", "shipped"), ("OrderCancelled", "cancelled")]
        {
            let found = json_ld(&format!(
                r#"{{"@type":"ParcelDelivery","partOfOrder":{{"@type":"Order","orderNumber":"7","orderStatus":"{status}"}}}}"#
            ));
            let told = found.iter().any(|finding| *finding == format!("Order.orderStatus={expected}"));
            assert_eq!(told, status == "OrderCancelled", "{status}: {found:?}");
        }
    }

    #[test]
    fn people_are_read_in_every_form() {
        for (person, expected) in [
            (r#"{"@type":"Person","name":"Bo Ek","email":"bo@ek.example"}"#, vec!["name=Bo Ek", "email=bo@ek.example"]),
            (
                r#"{"@type":"Organization","legalName":"Ek AB","email":"mailto:bo@ek.example"}"#,
                vec!["name=Ek AB", "email=bo@ek.example"],
            ),
            (r#"{"givenName":"Bo","familyName":"Ek"}"#, vec!["name=Bo Ek"]),
            (r#"[{"name":"Bo Ek"}]"#, vec!["name=Bo Ek"]),
            (r#""Bo Ek""#, vec!["name=Bo Ek"]),
            (r#""bo@ek.example""#, vec!["email=bo@ek.example"]),
            (r#"{"name":"S\u00f6ren O&amp;#039;Ek"}"#, vec!["name=S\u{f6}ren O'Ek"]),
            (
                r#"{"name":"{{ customer.name }}"}"#,
                vec!["name=Order.customer.name is an unfilled placeholder: {{ customer.name }}"],
            ),
            (r#"{"email":"bo"}"#, vec!["email=Order.customer.email is no mail address: bo"]),
            (r#"{"name":""}"#, vec![]),
        ] {
            let found = json_ld(&format!(r#"{{"@type":"Order","customer":{person}}}"#));
            let expected = expected.into_iter().map(|one| format!("Order.customer.{one}")).collect::<Vec<_>>();
            assert_eq!(found, expected, "{person}");
        }
    }

    #[test]
    fn the_total_and_the_country_are_read() {
        for (inner, expected) in [
            (r#""price":"1234.50","priceCurrency":"sek""#, vec!["Order.price=1234.50 SEK"]),
            (r#""price":12"#, vec!["Order.price=12"]),
            (r#""priceSpecification":{"price":"9.90","priceCurrency":"EUR"}"#, vec!["Order.price=9.90 EUR"]),
            (r#""price":"free""#, vec![]),
            (r#""billingAddress":{"addressCountry":"se"}"#, vec!["Order.addressCountry=SE"]),
            (r#""billingAddress":{"addressCountry":{"@type":"Country","name":"DE"}}"#, vec!["Order.addressCountry=DE"]),
            (r#""customer":{"address":{"addressCountry":"FI"}}"#, vec!["Order.addressCountry=FI"]),
            (r#""orderDelivery":{"deliveryAddress":{"addressCountry":"NL"}}"#, vec!["Order.addressCountry=NL"]),
            (r#""billingAddress":{"addressCountry":"Sweden"}"#, vec![]),
        ] {
            assert_eq!(json_ld(&format!(r#"{{"@type":"Order",{inner}}}"#)), expected, "{inner}");
        }
        let invoice =
            r#"{"@type":"Invoice","totalPaymentDue":{"@type":"PriceSpecification","price":"5","priceCurrency":"USD"}}"#;
        assert_eq!(json_ld(invoice), ["Invoice.totalPaymentDue.price=5 USD"]);
    }

    #[test]
    fn dates_are_read_with_and_without_zone() {
        for (written, expected) in [
            ("2026-05-05T10:00:00+02:00", "2026-05-05T10:00:00+02:00"),
            ("2026-05-05T10:00:00Z", "2026-05-05T10:00:00Z"),
            ("2026-05-05T10:00:00", "2026-05-05T10:00:00"),
            ("2026-05-05 10:00:00", "2026-05-05 10:00:00"),
            ("2026-05-05", "2026-05-05"),
            ("Tue, 05 May 2026 10:00:00 +0200", "2026-05-05T10:00:00+02:00"),
            ("05/06/2026", "Order.orderDate is no date (ISO 8601): 05/06/2026"),
        ] {
            let found = json_ld(&format!(r#"{{"@type":"Order","orderDate":"{written}"}}"#));
            assert_eq!(found, [format!("Order.orderDate={expected}")]);
        }
        for (inner, day) in [
            (r#""expectedArrivalFrom":"2026-05-07","expectedArrivalUntil":"2026-05-09T12:00:00Z""#, "Until=2026-05-09"),
            (r#""expectedArrivalFrom":"2026-05-07""#, "From=2026-05-07"),
        ] {
            let found = json_ld(&format!(r#"{{"@type":"Order","orderDelivery":[{{{inner}}}]}}"#));
            assert_eq!(found, [format!("ParcelDelivery.expectedArrival{day}")]);
        }
    }

    #[test]
    fn two_orders_in_one_mail_are_two_findings_and_one_order_twice_is_one() {
        let order = |number: &str| format!(r#"{{"@type":"Order","orderNumber":"{number}"}}"#);
        assert_eq!(json_ld(&format!("[{},{}]", order("7"), order("7"))), ["Order.orderNumber=7"]);
        assert_eq!(
            json_ld(&format!("[{},{}]", order("7"), order("8"))),
            ["Order.orderNumber=7", "Order.orderNumber=8"]
        );
    }

    #[test]
    fn what_is_too_much_is_said() {
        let many = format!("[{}]", "{\"a\":1},".repeat(OBJECTS + 1));
        let deep = format!("{}{{}}{}", "[".repeat(LEVELS + 2), "]".repeat(LEVELS + 2));
        for json in [many, deep] {
            let found = json_ld(&json);
            assert!(found.len() == 1 && found[0].starts_with("limit=schema.org data are larger"), "{found:?}");
        }
        assert_eq!(
            json_ld("{\"@type\" oops}"),
            ["script=a block of schema.org data is no JSON, and could not be read"]
        );
    }

    #[test]
    fn other_things_are_not_read() {
        assert!(json_ld(r#"{"@type":"Organization","name":"Shop"}"#).is_empty());
        assert_eq!(
            json_ld(r#"{"@type":"Order","orderNumber":"{{ id }}"}"#),
            ["Order.orderNumber=Order.orderNumber is an unfilled placeholder: {{ id }}"]
        );
    }
}
