//! The JSON Schema of template files, for editors that check and complete TOML while it is written (taplo, "Even Better TOML").

use serde_json::{Map, Value, json};

use super::grammar::{CONDITION, Holds, Shape, TEMPLATE};
use super::load::LANGUAGES;

/// A language tag as phrases may have it.
const LANGUAGE: &str = "^[a-z]{2,3}([-_][A-Za-z]+)*$";

/// The schema, JSON Schema draft 7.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut waiting: Vec<&'static Shape> = vec![&CONDITION];
    let root = table(&TEMPLATE, &mut waiting);
    while let Some(shape) = waiting.pop() {
        if !definitions.contains_key(shape.name) {
            let schema = table(shape, &mut waiting);
            definitions.insert(shape.name.to_owned(), schema);
        }
    }
    definitions.insert("texts".to_owned(), texts());
    definitions.insert("phrases".to_owned(), phrases());
    definitions.insert("labels".to_owned(), by_language());
    definitions.sort_keys();
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A template of invited: how to read a shop platform's order mails",
    });
    if let (Value::Object(schema), Value::Object(root)) = (&mut schema, root) {
        schema.extend(root);
        schema.insert("definitions".to_owned(), Value::Object(definitions));
    }
    schema
}

fn table(shape: &'static Shape, waiting: &mut Vec<&'static Shape>) -> Value {
    let mut properties = Map::new();
    for key in shape.keys {
        let mut schema = match &key.holds {
            Holds::Text | Holds::Labels => json!({ "type": "string" }),
            Holds::Name => json!({ "type": "string", "pattern": "^[a-z0-9_-]+$" }),
            Holds::Pattern { .. } => {
                json!({ "type": "string", "format": "regex", "maxLength": super::load_fields::PATTERN })
            }
            Holds::Flag => json!({ "type": "boolean" }),
            Holds::Word(words) => json!({ "type": "string", "enum": words }),
            // What stands beside `$ref` is not looked at in draft 7, hence `allOf`.
            Holds::Texts => refers("texts"),
            Holds::Phrases => refers("phrases"),
            Holds::LabelLists => {
                json!({ "type": "object", "additionalProperties": { "$ref": "#/definitions/labels" } })
            }
            Holds::Table(inner) => {
                waiting.push(inner);
                refers(inner.name)
            }
            Holds::Tables(inner) => {
                waiting.push(inner);
                let one = json!({ "$ref": format!("#/definitions/{}", inner.name) });
                json!({ "anyOf": [{ "type": "array", "items": one }, one] })
            }
        };
        schema["description"] = key.says.into();
        properties.insert(key.name.to_owned(), schema);
    }
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !shape.required.is_empty() {
        schema["required"] = json!(shape.required);
    }
    if !shape.one_of.is_empty() {
        schema["oneOf"] = shape.one_of.iter().map(|key| json!({ "required": [key] })).collect();
    }
    if shape.name == CONDITION.name {
        schema["minProperties"] = json!(1);
    }
    schema
}

fn refers(name: &str) -> Value {
    json!({ "allOf": [{ "$ref": format!("#/definitions/{name}") }] })
}

fn texts() -> Value {
    json!({ "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "array", "items": { "type": "string", "minLength": 1 } }] })
}

fn phrases() -> Value {
    let lists = json!({ "lexicon": { "type": "string", "enum": crate::read::lexicon::PHRASES } });
    let shared =
        json!({ "type": "object", "additionalProperties": false, "required": ["lexicon"], "properties": lists });
    let mut languages = by_language();
    // Phrases may be in any language; those of the labels are what an editor proposes.
    languages["patternProperties"] = json!({ LANGUAGE: { "$ref": "#/definitions/texts" } });
    json!({ "anyOf": [{ "$ref": "#/definitions/texts" }, languages, shared] })
}

/// A text or a list of texts for each language.
fn by_language() -> Value {
    let mut properties = Map::new();
    for language in LANGUAGES {
        properties.insert((*language).to_owned(), json!({ "$ref": "#/definitions/texts" }));
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::read::template::load::load;

    /// As much of JSON Schema as the schema uses; the first fault with its place.
    fn fault(root: &Value, schema: &Value, value: &Value, path: &str) -> Option<String> {
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/definitions/")) {
            let inner = &root["definitions"][name];
            assert!(inner.is_object(), "{name} is defined");
            return fault(root, inner, value, path);
        }
        let is = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some(other) => panic!("{other}"),
            None => true,
        };
        if !is {
            return Some(format!("{path}: is no {}", schema["type"]));
        }
        let all = |key: &str| schema[key].as_array().cloned().unwrap_or_default();
        if !all("enum").is_empty() && !all("enum").contains(value) {
            return Some(format!("{path}: {value} is none of the words"));
        }
        if let Some(most) = schema["maxLength"].as_u64()
            && value.as_str().is_some_and(|text| text.chars().count() as u64 > most)
        {
            return Some(format!("{path}: is too long"));
        }
        if let Some(table) = value.as_object() {
            for key in all("required") {
                if !table.contains_key(key.as_str().unwrap()) {
                    return Some(format!("{path}: {key} is missing"));
                }
            }
            if (table.len() as u64) < schema["minProperties"].as_u64().unwrap_or(0) {
                return Some(format!("{path}: is empty"));
            }
            for (key, inner) in table {
                let place = format!("{path}.{key}");
                let patterns = schema["patternProperties"].as_object().into_iter().flatten();
                let mut patterned = patterns.filter(|(pattern, _)| regex::Regex::new(pattern).unwrap().is_match(key));
                let known = schema["properties"].get(key).or_else(|| patterned.next().map(|(_, schema)| schema));
                let known = known.or_else(|| schema.get("additionalProperties"));
                match known {
                    Some(Value::Bool(false)) => return Some(format!("{place}: is unknown")),
                    Some(known) => {
                        if let Some(fault) = fault(root, known, inner, &place) {
                            return Some(fault);
                        }
                    }
                    None => {}
                }
            }
        }
        if let (Some(items), Some(list)) = (schema.get("items"), value.as_array())
            && let Some(fault) = list.iter().find_map(|item| fault(root, items, item, &format!("{path}[]")))
        {
            return Some(fault);
        }
        let fits = |one: &&Value| fault(root, one, value, path).is_none();
        let (any, one) = (all("anyOf"), all("oneOf"));
        if !any.is_empty() && !any.iter().any(|one| fits(&one)) {
            let faults = any.iter().filter_map(|one| fault(root, one, value, path)).collect::<Vec<_>>();
            return Some(faults.join(" | "));
        }
        if !one.is_empty() && one.iter().filter(fits).count() != 1 {
            return Some(format!("{path}: not exactly one of {one:?}"));
        }
        all("allOf").iter().find_map(|one| fault(root, one, value, path))
    }

    fn of(text: &str) -> Option<String> {
        let schema = schema();
        fault(&schema, &schema, &toml::from_str::<Value>(text).unwrap(), "")
    }

    #[test]
    fn every_template_that_ships_fits_the_schema() {
        for document in crate::read::embedded::documents() {
            assert_eq!(of(document.text()), None, "{}", document.file());
        }
    }

    /// What the loader refuses for its keys or types, the schema refuses, and the other way round.
    #[test]
    fn the_schema_knows_what_the_loader_knows() {
        let head = "name = \"acme\"\n";
        let mail =
            "[[match]]\nheader = \"X\"\n[[mail]]\nname = \"order\"\nevent = \"placed\"\nwhen = { subject = \"x\" }\n";
        for (text, good) in [
            (mail.to_owned(), true),
            (
                format!(
                    "{mail}[labels.x]\nsv = \"a\"\nen = [\"b\"]\n[[reference]]\nlabel = \"x\"\nwhere = \"below\"\n"
                ),
                true,
            ),
            (
                format!(
                    "{mail}[[ignore]]\nname = \"i\"\nwhen = {{ subject.de = [\"x\"], unless = {{ to_us = true }} }}\n"
                ),
                true,
            ),
            (
                format!("{mail}[[ignore]]\nname = \"i\"\nwhen = {{ subject.ar = \"x\", text.zh-Hant = [\"y\"] }}\n"),
                true,
            ),
            (format!("{mail}[[ignore]]\nname = \"i\"\nwhen = {{ subject.klingon = \"x\" }}\n"), false),
            (format!("{mail}[[ignore]]\nname = \"i\"\nwhen = {{ subject.lexicon = \"account\" }}\n"), true),
            (format!("{mail}[[ignore]]\nname = \"i\"\nwhen = {{ subject.lexicon = \"acount\" }}\n"), false),
            (format!("{mail}[[ignore]]\nname = \"i\"\nwhen = {{ }}\n"), false),
            (format!("{mail}[[ignore]]\nname = \"i\"\n"), false),
            (format!("{mail}[[referenc]]\nheader = \"x\"\n"), false),
            (format!("{mail}[[reference]]\nheader = \"x\"\ncss = \"p\"\n"), false),
            (format!("{mail}[[reference]]\npattern = \"x\"\n"), false),
            (format!("{mail}[[reference]]\nlabel = \"email\"\nwhere = \"left\"\n"), false),
            (format!("{mail}[labels.x]\nklingon = \"a\"\n"), false),
            (mail.replace("placed", "plcaed"), false),
            (mail.replace("when = { subject = \"x\" }", "when = 7"), false),
            (format!("believe_schema_status = \"no\"\n{mail}"), false),
        ] {
            let text = format!("{head}{text}");
            let loaded =
                load(vec![Document::new("acme.toml", text.clone())], Vec::new(), crate::read::embedded::lexicon());
            assert_eq!(loaded.is_ok(), good, "{text}: {:?}", loaded.err());
            assert_eq!(of(&text).is_none(), good, "{text}: {:?}", of(&text));
        }
    }

    #[test]
    fn the_schema_that_lies_beside_the_templates_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/parser.schema.json");
        let text = format!("{:#}\n", schema());
        assert!(
            std::fs::read_to_string(path).is_ok_and(|known| known == text),
            "write it anew: invited template schema > templates/parser.schema.json"
        );
    }
}
