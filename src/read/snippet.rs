//! The best layer: the AFS structured data snippet, `<script type="application/json+trustpilot">`, in the spelling of its documentation
//! and with the mistakes that shops make in it. It carries no kind of event. `consent` is a key of our own. Of its keys `templateId`, `senderEmail`, `senderName`,
//! `replyTo` and those of `productReviewInvitation…` are the business of the service that it was written for, and are not read.

use serde_json::{Map, Value as Json};

use super::evidence::{Evidence, PRODUCTS, Value, locale, web_address, yes_or_no};
use super::message::Message;
use super::scripts::{BLOCKS, Scripts, unescaped};
use crate::domain::{EmailAddress, Layer, OrderReference, PersonName, Product, clean};

/// The snippet's type.
const TYPE: &str = "application/json+trustpilot";
/// What the rules of a snippet that a reader of the mail sees begin with.
pub(super) const SHOWN: &str = "shown.";
/// Characters that AFS allows in no reference, since they break its links (b2 of its documentation).
const NOT_IN_REFERENCES: [char; 6] = ['#', '*', '+', '"', '%', '&'];
/// Most tags that are taken.
const TAGS: usize = 20;

/// Reads the snippets of a mail. Returns whether one was there that could not be read.
pub(super) fn read(message: &Message, evidence: &mut Evidence) -> bool {
    let page = Scripts::of_type(TYPE, &message.html);
    let text = Scripts::of_type(TYPE, &message.text);
    each(&page.values, "", evidence);
    // In plain text, and where the tag is escaped, people see the block. What is there may be what a customer wrote.
    for values in [&page.shown, &text.values, &text.shown] {
        each(values, SHOWN, evidence);
    }
    let broken = page.broken + text.broken;
    if broken > 0 {
        evidence.remark(Layer::Snippet, "snippet", "a snippet is no JSON, and could not be read");
    }
    if page.more || text.more {
        evidence.remark(
            Layer::Snippet,
            "snippet",
            format!("there are more than {BLOCKS} snippets; the rest was not read"),
        );
    }
    broken > 0
}

fn each(values: &[Json], prefix: &'static str, evidence: &mut Evidence) {
    for value in values {
        let items = match value {
            Json::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        for object in items.iter().filter_map(Json::as_object) {
            Snippet { object, prefix }.note(evidence);
        }
    }
}

struct Snippet<'j> {
    object: &'j Map<String, Json>,
    prefix: &'static str,
}

impl Snippet<'_> {
    fn note(&self, evidence: &mut Evidence) {
        self.field("recipientEmail", "no mail address", evidence, |text| {
            EmailAddress::parse(text.trim_start_matches("mailto:")).ok().map(Value::Email)
        });
        self.field("recipientName", "no name", evidence, |text| PersonName::parse(text).map(Value::Name));
        self.field("referenceId", "no order reference", evidence, |text| {
            OrderReference::parse(text).map(Value::Reference)
        });
        self.field("locale", "no language", evidence, |text| locale(text).map(Value::Locale));
        self.field("preferredSendTime", "no time of the form 2026-12-15T13:30:00", evidence, |text| {
            send_time(text).map(Value::PreferredSendTime)
        });
        self.consent(evidence);
        for reference in texts(self.object, "referenceId") {
            if reference.trim_start_matches('#').contains(NOT_IN_REFERENCES)
                && !super::evidence::is_unfilled(&reference)
            {
                let what = "the reference has a character of #*+\"%&, which AFS does not allow";
                evidence.remark(Layer::Snippet, self.rule("referenceId"), what);
            }
        }
        let tags = self.tags(evidence);
        if !tags.is_empty() {
            evidence.add(Layer::Snippet, self.rule("tags"), Value::Tags(tags));
        }
        let products = self.products(evidence);
        if !products.is_empty() {
            evidence.add(Layer::Snippet, self.rule("products"), Value::Products(products));
        }
    }

    /// Whether the customer agreed to be asked: `true`, `false`, or a word or number for it.
    fn consent(&self, evidence: &mut Evidence) {
        if let Some(Json::Bool(agreed)) = get(self.object, "consent") {
            evidence.add(Layer::Snippet, self.rule("consent"), Value::Consent(*agreed, None));
        }
        self.field("consent", "neither true nor false", evidence, |text| {
            yes_or_no(text).map(|agreed| Value::Consent(agreed, None))
        });
    }

    fn rule(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Notes the value of a key, or what is wrong with it.
    fn field(&self, key: &str, not: &str, evidence: &mut Evidence, parse: impl Fn(&str) -> Option<Value>) {
        let rule = self.rule(key);
        for text in texts(self.object, key) {
            if evidence.is_unfilled(Layer::Snippet, &rule, &text) {
                continue;
            }
            match parse(&text) {
                Some(value) => evidence.add(Layer::Snippet, rule.as_str(), value),
                None => evidence.remark(Layer::Snippet, rule.as_str(), format!("{key} is {not}: {}", clean(&text, 80))),
            }
        }
    }

    /// A list of texts; one text with commas will do.
    fn list(&self, key: &str, evidence: &mut Evidence) -> Vec<String> {
        let rule = self.rule(key);
        let mut all = texts(self.object, key);
        if let [single] = &all[..]
            && get(self.object, key).is_some_and(|value| value.is_string())
        {
            all = single.split(',').map(|part| part.trim().to_owned()).collect();
        }
        all.retain(|text| !text.is_empty() && !evidence.is_unfilled(Layer::Snippet, &rule, text));
        all
    }

    fn tags(&self, evidence: &mut Evidence) -> Vec<String> {
        let mut tags = self.list("tags", evidence);
        tags.dedup();
        tags.truncate(TAGS);
        tags.into_iter().map(|tag| clean(&tag, 100)).collect()
    }

    /// `products`, or the `productSkus` that some shops send instead: then the article number has to do for a name.
    fn products(&self, evidence: &mut Evidence) -> Vec<Product> {
        let items = match get(self.object, "products") {
            Some(Json::Array(items)) => items.as_slice(),
            Some(single @ Json::Object(_)) => std::slice::from_ref(single),
            _ => &[],
        };
        let mut products = Vec::new();
        for item in items.iter().filter_map(Json::as_object).take(PRODUCTS) {
            let mut value = |key: &str| {
                let text = texts(item, key).into_iter().next()?;
                let rule = format!("{}products.{key}", self.prefix);
                (!evidence.is_unfilled(Layer::Snippet, &rule, &text)).then_some(text)
            };
            let sku = value("sku");
            let product = Product {
                name: value("name").or_else(|| sku.clone()).unwrap_or_default(),
                sku,
                url: value("productUrl").and_then(|url| web_address(&url)),
                image: value("imageUrl").and_then(|url| web_address(&url)),
                gtin: value("gtin"),
                mpn: value("mpn"),
                brand: value("brand"),
                ..Product::default()
            };
            if !product.name.is_empty() {
                products.push(product);
            }
        }
        if products.is_empty() {
            let skus = self.list("productSkus", evidence).into_iter().take(PRODUCTS);
            products.extend(skus.map(|sku| Product { name: sku.clone(), sku: Some(sku), ..Product::default() }));
        }
        products
    }
}

/// A member; the letter case of its name does not count.
fn get<'j>(object: &'j Map<String, Json>, key: &str) -> Option<&'j Json> {
    object.get(key).or_else(|| object.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value))
}

/// A member as texts: more than one only where it is a list. Shops run everything through `htmlspecialchars`.
fn texts(object: &Map<String, Json>, key: &str) -> Vec<String> {
    let items = match get(object, key) {
        Some(Json::Array(items)) => items.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    let texts = items.iter().filter_map(Json::as_str).map(|text| clean(&unescaped(text), 500));
    texts.filter(|text| !text.is_empty()).collect()
}

/// `2018-12-15T13:30:00`, in UTC where there is no zone; or `12/15/2018 13:30:00`, as samples of the documentation write it, with
/// the month first.
fn send_time(text: &str) -> Option<jiff::Timestamp> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time);
    }
    let time = text.parse::<jiff::civil::DateTime>().ok();
    let time = time.or_else(|| jiff::civil::DateTime::strptime("%m/%d/%Y %H:%M:%S", text).ok())?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, body: &str) -> Message {
        let head = "From: Shop <shop@shop.example>\nTo: shop+1@in.invited.example\nSubject: Order";
        Message::parse(format!("{head}\nContent-Type: {kind}; charset=utf-8\n\n{body}\n").as_bytes()).unwrap()
    }

    fn in_mail(kind: &str, body: &str) -> Vec<String> {
        let mut evidence = Evidence::default();
        read(&message(kind, body), &mut evidence);
        evidence.into_findings(&[]).into_iter().map(|f| format!("{}={}", f.rule, f.value)).collect()
    }

    fn findings(json: &str) -> Vec<String> {
        in_mail("text/html", &format!("<!-- <script type='{TYPE}'>{json}</script> -->"))
    }

    #[test]
    fn the_documented_fields_are_read() {
        assert_eq!(
            findings(
                r#"{"recipientEmail":"a@b.example","recipientName":"Sean O&#039;Connor","referenceId":"1\/2","locale":"sv_SE",
                "templateId":"xyz","productReviewInvitationTemplateId":"zyx","senderEmail":"s@b.example","senderName":"S",
                "replyTo":"r@b.example","preferredSendTime":"2018-12-15T13:30:00",
                "productReviewInvitationPreferredSendTime":"2018-12-25T13:00:00","tags":["Tag1","Tag2"],
                "products":[{"productUrl":"https://b.example/p","imageUrl":"x","name":"\u003ci\u003e","sku":"S"}]}"#
            ),
            [
                "recipientName=Sean O'Connor",
                "recipientEmail=a@b.example",
                "referenceId=1/2",
                "products=<i>",
                "locale=sv-SE",
                "preferredSendTime=2018-12-15T13:30:00Z",
                "tags=Tag1, Tag2",
            ]
        );
    }

    #[test]
    fn a_product_has_its_numbers_and_its_brand() {
        let snippet = r#"{"products":[{"productUrl":"https://b.example/1.htm","imageUrl":"https://b.example/1.jpg",
            "name":"Metal Toy Car","sku":"ABC-1234","gtin":01234567890,"mpn":"7TX1641","brand":"Acme"}]}"#;
        let message = message("text/html", &format!("<script type='{TYPE}'>{snippet}</script>"));
        let mut evidence = Evidence::default();
        read(&message, &mut evidence);
        let [candidate] = &evidence.of(crate::domain::Field::Products)[..] else { panic!("no products") };
        let text = |text: &str| Some(text.to_owned());
        let product = Product {
            name: "Metal Toy Car".to_owned(),
            sku: text("ABC-1234"),
            url: text("https://b.example/1.htm"),
            image: text("https://b.example/1.jpg"),
            gtin: text("01234567890"),
            mpn: text("7TX1641"),
            brand: text("Acme"),
            ..Product::default()
        };
        assert!(candidate.value == Value::Products(vec![product]));
    }

    #[test]
    fn mistakes_cost_only_the_field_they_are_in() {
        assert_eq!(
            findings(
                r#"{"recipientEmail":"{{ email }}","recipientName":'',"referenceId": 5674,"productSkus":["A","B"],}"#
            ),
            [
                "referenceId=5674",
                "products=A; B",
                "recipientEmail=recipientEmail is an unfilled placeholder: {{ email }}"
            ]
        );
        assert_eq!(
            findings(r#"{"referenceId": {{ id }} }"#),
            ["referenceId=referenceId is an unfilled placeholder: {{ id }}"]
        );
        assert_eq!(
            findings(r#"{"referenceId":"7","recipientEmail":"bo","locale":"swedish","preferredSendTime":"soon"}"#),
            [
                "referenceId=7",
                "recipientEmail=recipientEmail is no mail address: bo",
                "locale=locale is no language: swedish",
                "preferredSendTime=preferredSendTime is no time of the form 2026-12-15T13:30:00: soon",
            ]
        );
        assert_eq!(findings("{\"referenceId\" 7}"), ["snippet=a snippet is no JSON, and could not be read"]);
    }

    /// Every mess that shops make of it, each with the same two values.
    #[test]
    fn a_snippet_survives_what_shops_do_to_it() {
        let json = r#"{"recipientEmail":"a@b.example","referenceId":"A-7"}"#;
        let quoted = json.replace('"', "&quot;");
        let tagged = |json: &str| format!("<script type=\"{TYPE}\">{json}</script>");
        let both = ["recipientEmail=a@b.example", "referenceId=A-7"];
        for (what, body) in [
            ("in a comment", format!("<!-- {} -->", tagged(json))),
            ("in single quotes", format!("<script type='{TYPE}'>{json}</script>")),
            ("without quotes", format!("<script type={TYPE}>{json}</script>")),
            ("in the head", format!("<html><head>{}</head><body></body></html>", tagged(json))),
            ("after the body", format!("<html><body></body></html>{}", tagged(json))),
            ("escaped quotes", tagged(&quoted)),
            ("escaped plus sign", format!("<script type=\"application/json&#43;trustpilot\">{json}</script>")),
            ("empty literal", tagged(&json.replace("{\"", "{\"recipientName\":'',\"products\":'',\""))),
            ("control characters", tagged(&json.replace("{\"", "{\"recipientName\":\"\u{1}\t\u{8}\",\""))),
            ("script end in a name", tagged(&json.replace('}', ",\"senderName\":\"</script>\"}"))),
            ("escaped script end", tagged(&json.replace('}', ",\"senderName\":\"\\u003c/script\\u003e\"}"))),
            ("trailing commas", tagged(&json.replace('}', ",\"tags\":[\"{{ t }}\",],}").replace("{{ t }}", ""))),
            ("single quotes", tagged(&json.replace('"', "'"))),
            ("byte order mark", tagged(&format!("\u{feff}{json}"))),
            ("smart quotes", tagged(&json.replace('"', "\u{201d}"))),
            ("line ends made tags", tagged(&json.replace(',', ",<br />\n"))),
            ("twice the same", tagged(json) + &tagged(json)),
            ("a list", tagged(&format!("[{json}]"))),
            ("escaped for JSON", tagged(&json.replace('"', "\\\""))),
            ("escaped values", tagged(&json.replace("@", "&#64;").replace("A-7", "A&amp;#45;7"))),
            ("other letter case", tagged(&json.replace("recipientEmail", "RecipientEmail"))),
        ] {
            assert_eq!(in_mail("text/html", &body), both, "{what}: {body}");
        }
        for (what, kind, body) in [
            ("in plain text", "text/plain", tagged(json)),
            ("escaped in plain text", "text/plain", tagged(json).replace('<', "&lt;").replace('>', "&gt;")),
            ("with its tag escaped", "text/html", tagged(json).replace('<', "&lt;").replace('>', "&gt;")),
            (
                "with all escaped",
                "text/html",
                tagged(&quoted).replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
            ),
        ] {
            let shown = both.map(|found| format!("{SHOWN}{found}"));
            assert_eq!(in_mail(kind, &body), shown, "{what}: {body}");
        }
    }

    #[test]
    fn a_reference_may_be_anything_that_the_shop_calls_its_orders() {
        for (written, reference) in [
            ("\"a@b.example\"", "a@b.example"),
            ("\"bo_ek\"", "bo_ek"),
            ("8002211922", "8002211922"),
            ("0042", "0042"),
            ("1.10", "1.10"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("\"#1001\"", "1001"),
            ("AB-12", "AB-12"),
        ] {
            assert_eq!(findings(&format!("{{\"referenceId\":{written}}}")), [format!("referenceId={reference}")]);
        }
        let refused = findings("{\"referenceId\":\"A+1\"}");
        assert_eq!(refused[0], "referenceId=A+1");
        assert!(refused[1].contains("which AFS does not allow"), "{refused:?}");
    }

    #[test]
    fn two_values_of_one_name_are_two_findings() {
        assert_eq!(
            findings(r#"{"recipientEmail":"a@b.example","recipientName":"Bo","recipientEmail":"c@d.example"}"#),
            ["recipientName=Bo", "recipientEmail=a@b.example", "recipientEmail=c@d.example"]
        );
    }

    #[test]
    fn send_times_are_utc_unless_they_say_otherwise() {
        for (text, time) in [
            ("2018-12-15T13:30:00", Some("2018-12-15T13:30:00Z")),
            ("2018-12-15 13:30:00", Some("2018-12-15T13:30:00Z")),
            ("2018-12-15T13:30:00Z", Some("2018-12-15T13:30:00Z")),
            ("2018-12-15T13:30:00+02:00", Some("2018-12-15T11:30:00Z")),
            ("09/07/2013 13:37:00", Some("2013-09-07T13:37:00Z")),
            ("13/07/2013 13:37:00", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(send_time(text).map(|time| time.to_string()).as_deref(), time, "{text}");
        }
    }
}
