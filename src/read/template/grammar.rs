//! The keys of a template, each with what it holds and what it is for: the language as a table. The schema for editors is written
//! from it and the lint walks along it; a test holds it equal to what the loader asks for.

/// A table of a template.
pub(super) struct Shape {
    /// Its name in the schema.
    pub(super) name: &'static str,
    pub(super) keys: &'static [Key],
    /// Keys that must be there.
    pub(super) required: &'static [&'static str],
    /// Of these exactly one must be there; empty when nothing is asked.
    pub(super) one_of: &'static [&'static str],
}

/// A key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    /// What it is for, for the author.
    pub(super) says: &'static str,
}

/// What a key holds.
pub(super) enum Holds {
    /// A text.
    Text,
    /// The name of a template.
    Name,
    /// A regex; looked for in one line, or in a text of many lines.
    Pattern { lines: bool },
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text or a list of texts.
    Texts,
    /// The name of a list of labels.
    Labels,
    /// Phrases: a text, a list, a list for each language, or the name of a list that all share.
    Phrases,
    /// A table.
    Table(&'static Shape),
    /// A list of tables, or one alone.
    Tables(&'static Shape),
    /// Lists of labels by name, each with a list of texts for each language.
    LabelLists,
}

const fn key(name: &'static str, holds: Holds, says: &'static str) -> Key {
    Key { name, holds, says }
}

/// The words for events.
pub(super) const EVENTS: &[&str] = &[
    "placed",
    "paid",
    "shipped",
    "shipped_in_part",
    "delivered",
    "delayed",
    "cancelled",
    "refunded",
    "refunded_in_part",
];

/// A template.
pub(super) static TEMPLATE: Shape = Shape {
    name: "template",
    keys: &[
        key(
            "name",
            Holds::Name,
            "The platform in lower case, the same as the file's name; a template that ships is replaced by one of its name",
        ),
        key("title", Holds::Text, "The platform's name as people write it"),
        key("checked", Holds::Tables(&CHECKED), "What the template was held against"),
        key(
            "believe_schema_status",
            Holds::Flag,
            "Whether a schema.org order status tells what a mail is about; true unless said otherwise",
        ),
        key(
            "match",
            Holds::Tables(&CONDITION),
            "Which mails are the platform's; one condition is enough. Take what a merchant does not change",
        ),
        key("ignore", Holds::Tables(&REFUSAL), "Mails that start nothing"),
        key("hold", Holds::Tables(&REFUSAL), "Mails that a person must look at"),
        key(
            "mail",
            Holds::Tables(&MAIL),
            "The kinds of mail that tell of an event; the first that fits is taken, so bad news goes first",
        ),
        key(
            "labels",
            Holds::LabelLists,
            "Lists of labels that rules name; a list of a shared name goes before the shared one",
        ),
        key("customer_name", Holds::Tables(&FIELD), NAME),
        key("customer_email", Holds::Tables(&FIELD), EMAIL),
        key("reference", Holds::Tables(&FIELD), REFERENCE),
        key("order_date", Holds::Tables(&FIELD), DATE),
        key("expected_delivery", Holds::Tables(&FIELD), DELIVERY),
        key("greeting", Holds::Tables(&FIELD), GREETING),
        key("products", Holds::Tables(&PRODUCTS), PRODUCT),
    ],
    required: &["name"],
    one_of: &[],
};

const NAME: &str = "Where the customer's name stands; the first rule that finds one is taken";
const EMAIL: &str = "Where the customer's address stands; all that are found count, and two make the mail ambiguous";
const REFERENCE: &str = "Where the order reference stands; the first rule that finds one is taken";
const DATE: &str = "Where the day of the order stands; the first rule that finds one is taken";
const DELIVERY: &str = "Where the day stands on which the parcel is expected";
const GREETING: &str = "What the mail calls the customer in its first line; it helps to find the name in an address";
const PRODUCT: &str = "Where the products stand; the first rule that finds any is taken";

static CHECKED: Shape = Shape {
    name: "checked",
    keys: &[
        key("versions", Holds::Text, "Versions of the platform, such as \"2.1 to 2.4\""),
        key("languages", Holds::Texts, "Languages of the mails"),
    ],
    required: &["versions", "languages"],
    one_of: &[],
};

/// A test of a mail.
pub(super) static CONDITION: Shape = Shape {
    name: "condition",
    keys: &[
        key(
            "header",
            Holds::Texts,
            "Each of these is there: \"X-Mailer: acme\" (the field has this text in it) or \"List-Id\" (the field is there)",
        ),
        key("from", Holds::Phrases, "One of the phrases stands in the author's name or address"),
        key("to", Holds::Phrases, "One of the phrases stands in an addressee's name or address"),
        key("subject", Holds::Phrases, "One of the phrases stands in the subject"),
        key("subject_pattern", Holds::Pattern { lines: false }, "The regex matches the subject"),
        key("text", Holds::Phrases, "One of the phrases stands in the body"),
        key("text_pattern", Holds::Pattern { lines: true }, "The regex matches the lines of the body"),
        key("html", Holds::Texts, "One of these pieces stands in the HTML source, letter for letter"),
        key("css", Holds::Texts, "One of these selectors finds an element"),
        key("to_us", Holds::Flag, "true: our own domain is in To; false: it is not, as in a blind copy"),
        key("unless", Holds::Tables(&CONDITION), "None of these conditions holds"),
    ],
    required: &[],
    one_of: &[],
};

static REFUSAL: Shape = Shape {
    name: "refusal",
    keys: &[
        key("name", Holds::Text, "The rule's name; support reads it as the reason"),
        key("why", Holds::Text, "What the mail is instead of an order mail"),
        key("unless_recognised", Holds::Flag, "Try it after [[mail]], for what is left"),
        key("unless_told", Holds::Flag, "Try it last, when no words say what happened to an order"),
        key("when", Holds::Tables(&CONDITION), "In which mails; one condition is enough"),
    ],
    required: &["name", "when"],
    one_of: &[],
};

static MAIL: Shape = Shape {
    name: "mail",
    keys: &[
        key("name", Holds::Text, "The kind of mail"),
        key("event", Holds::Word(EVENTS), "What it tells of"),
        key("when", Holds::Tables(&CONDITION), "Which mails are of this kind; one condition is enough"),
        key("customer_name", Holds::Tables(&FIELD), NAME),
        key("customer_email", Holds::Tables(&FIELD), EMAIL),
        key("reference", Holds::Tables(&FIELD), REFERENCE),
        key("order_date", Holds::Tables(&FIELD), DATE),
        key("expected_delivery", Holds::Tables(&FIELD), DELIVERY),
        key("greeting", Holds::Tables(&FIELD), GREETING),
        key("products", Holds::Tables(&PRODUCTS), PRODUCT),
    ],
    required: &["name", "event", "when"],
    one_of: &[],
};

static FIELD: Shape = Shape {
    name: "field",
    keys: &[
        key("header", Holds::Text, "The value of this header field"),
        key("subject", Holds::Pattern { lines: false }, "What the regex cuts out of the subject"),
        key("text", Holds::Pattern { lines: true }, "What the regex cuts out of the lines of the body"),
        key("label", Holds::Labels, "The value at one of the labels of this list"),
        key("css", Holds::Text, "The text of the element that this selector finds"),
        key("attribute", Holds::Text, "With css: the value of this attribute instead"),
        key(
            "where",
            Holds::Word(&["any", "after", "right", "below", "address"]),
            "With label: where the value stands, seen from its label",
        ),
        key("pattern", Holds::Pattern { lines: false }, "Cuts the value out of what the source gave"),
    ],
    required: &[],
    one_of: &["header", "subject", "text", "label", "css"],
};

static PRODUCTS: Shape = Shape {
    name: "products",
    keys: &[
        key("columns", Holds::Table(&COLUMNS), "A table whose head row has labels of these lists"),
        key("rows", Holds::Text, "The selector of the elements, one a product"),
        key("line", Holds::Pattern { lines: false }, "Lines of text; groups name, quantity, price, sku"),
        key("name", Holds::Text, "With rows: the selector of the name"),
        key("sku", Holds::Text, "With rows: the selector of the article number; \" @attribute\" may follow"),
        key("quantity", Holds::Text, "With rows: the selector of the quantity; \" @attribute\" may follow"),
        key("price", Holds::Text, "With rows: the selector of the price; \" @attribute\" may follow"),
        key("url", Holds::Text, "With rows: the selector of the link; \" @attribute\" may follow"),
        key("image", Holds::Text, "With rows: the selector of the picture; \" @attribute\" may follow"),
        key(
            "pattern",
            Holds::Pattern { lines: false },
            "Takes a name apart that holds more; groups name, quantity, price, sku",
        ),
    ],
    required: &[],
    one_of: &["columns", "rows", "line"],
};

static COLUMNS: Shape = Shape {
    name: "columns",
    keys: &[
        key("name", Holds::Labels, "Labels over the names"),
        key("sku", Holds::Labels, "Labels over the article numbers"),
        key("quantity", Holds::Labels, "Labels over the quantities"),
        key("price", Holds::Labels, "Labels over the prices"),
    ],
    required: &["name"],
    one_of: &[],
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::document::Document;
    use crate::domain::EventKind;

    /// Has every table, and in every table what makes the loader ask for all of its keys.
    const EVERYTHING: &str = r#"
name = "acme"
[[checked]]
versions = "1"
languages = "en"
[[match]]
subject = "x"
unless = { subject = "y" }
[[ignore]]
name = "a"
when = { subject = "x" }
[[hold]]
name = "b"
when = { subject = "x" }
[[mail]]
name = "c"
event = "paid"
when = { subject = "x" }
"#;

    /// The keys of a table and of those inside it, as paths; a table inside a table of its own kind is gone into once.
    fn paths(shape: &Shape, path: &str, inside: &mut Vec<&'static str>, found: &mut BTreeSet<String>) {
        for key in shape.keys {
            let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
            if let Holds::Tables(inner) | Holds::Table(inner) = &key.holds
                && inside.iter().filter(|name| **name == inner.name).count() < 2
            {
                inside.push(inner.name);
                paths(inner, &path, inside, found);
                inside.pop();
            }
            found.insert(path);
        }
    }

    #[test]
    fn the_grammar_has_the_keys_that_the_loader_asks_for() {
        let mut text = EVERYTHING.to_owned();
        let mut fields = String::new();
        for prefix in ["", "mail."] {
            for field in ["customer_name", "customer_email", "reference", "order_date", "expected_delivery", "greeting"]
            {
                for source in ["header", "subject", "text"] {
                    fields.push_str(&format!("[[{prefix}{field}]]\n{source} = \"x\"\n"));
                }
            }
            fields.push_str(&format!("[[{prefix}products]]\nrows = \"tr\"\nname = \"td\"\n"));
            fields.push_str(&format!(
                "[[{prefix}products]]\ncolumns = {{ name = \"product\", price = \"unit_price\" }}\n"
            ));
        }
        // The template's own rules go before [[mail]], whose tables would take them.
        let at = text.find("[[mail]]").unwrap();
        let (own, of_mail) = fields.split_at(fields.find("[[mail.").unwrap());
        text.insert_str(at, own);
        text.push_str(of_mail);

        let asked = crate::read::template::load::keys_asked(&Document::new("acme.toml", text));
        let plain = |path: &String| {
            let pieces = path.split('.').map(|piece| piece.split('[').next().unwrap_or_default());
            pieces.collect::<Vec<_>>().join(".")
        };
        let asked = asked.iter().map(plain).collect::<BTreeSet<_>>();
        let mut known = BTreeSet::new();
        paths(&TEMPLATE, "", &mut vec![TEMPLATE.name], &mut known);
        // Only [[match]] has a condition inside a condition here.
        let deep = |path: &&String| path.contains("unless.") && !path.starts_with("match.unless.");
        let known = known.iter().filter(|path| !deep(path)).cloned().collect::<BTreeSet<_>>();
        let difference = asked.symmetric_difference(&known).collect::<Vec<_>>();
        assert!(difference.is_empty(), "asked for or in the grammar, but not both: {difference:?}");
        assert_eq!(EVENTS, EventKind::ALL.map(EventKind::as_str));
    }
}
