//! Each kind of doubt, with its place; and the templates that ship have none.

use super::lint;
use crate::document::Document;
use crate::read::template::load::load;

/// A template of these lines, which loads.
fn told(lines: &str) -> Vec<String> {
    let text = format!("name = \"acme\"\n{lines}\n");
    let document = Document::new("acme.toml", text);
    if let Err(problems) = load(vec![document.clone()], Vec::new(), crate::read::embedded::lexicon()) {
        panic!("{problems:?}");
    }
    lint(&document).iter().map(ToString::to_string).collect()
}

const MATCH: &str = "[[match]]\nheader = \"X-Acme\"\n";

#[test]
fn a_rule_that_an_earlier_one_leaves_nothing_for_is_told_with_its_place() {
    let found = told(
        "[[match]]\nheader = \"X-Acme\"\n[[match]]\nheader = [\"X-Acme: 3\", \"X-Y\"]\n\
         [[ignore]]\nname = \"all\"\nwhen = { subject = \"order\" }\n\
         [[mail]]\nname = \"order\"\nevent = \"placed\"\nwhen = [{ subject = \"Your order\", html = \"x\" }, { text = \"thanks\" }, { text.en = [\"Many thanks\"] }]\n",
    );
    assert_eq!(
        found,
        [
            "acme.toml:4:1: match[1]: holds only where match[0] does, which is enough; leave it out",
            "acme.toml:12:9: mail[0].when[0]: is never reached: ignore[0].when[0] holds wherever this does, and is tried first; \
             narrow that one, or leave this out",
            "acme.toml:12:70: mail[0].when[2]: holds only where mail[0].when[1] does, which is enough; leave it out",
        ]
    );
}

#[test]
fn what_an_earlier_rule_leaves_over_is_reached() {
    let found = told(&format!(
        "{MATCH}\
         [[ignore]]\nname = \"late\"\nunless_recognised = true\nwhen = {{ subject = \"order\" }}\n\
         [[ignore]]\nname = \"later\"\nunless_told = true\nwhen = {{ text = \"status\" }}\n\
         [[ignore]]\nname = \"sooner\"\nunless_recognised = true\nwhen = {{ text = \"the status\" }}\n\
         [[ignore]]\nname = \"copy\"\nwhen = {{ subject = \"order\", unless = {{ to_us = true }} }}\n\
         [[ignore]]\nname = \"words\"\nwhen = {{ subject = \"rder\", html = \"y\" }}\n\
         [[mail]]\nname = \"order\"\nevent = \"placed\"\nwhen = {{ subject = \"reorder\", html = \"x\" }}\n\
         [[mail]]\nname = \"orders\"\nevent = \"placed\"\nwhen = {{ subject = \"an * order\" }}\n"
    ));
    // The rule that is tried last is the only one that nothing is left for.
    assert_eq!(found.len(), 0, "{found:?}");
    let found = told(&format!(
        "{MATCH}\
         [[ignore]]\nname = \"copy\"\nwhen = {{ subject = \"order\", unless = {{ to_us = true }} }}\n\
         [[mail]]\nname = \"order\"\nevent = \"placed\"\nwhen = {{ subject = \"order\", unless = [{{ to_us = true }}, {{ html = \"x\" }}] }}\n"
    ));
    assert!(found.len() == 1 && found[0].contains("mail[0].when: is never reached: ignore[0].when[0]"), "{found:?}");
}

#[test]
fn words_that_are_never_needed_are_told() {
    let found = told(&format!(
        "{MATCH}[labels.unused]\nen = \"x\"\n[labels.number]\nen = [\"No\", \"no:\"]\nsv = \"No\"\n[labels.inside]\nen = \"y\"\n\
         [[reference]]\nlabel = \"number\"\n[[reference]]\ntext = '{{inside}} (\\d+)'\n\
         [[ignore]]\nname = \"n\"\n[ignore.when.subject]\nxx = \"zzz\"\nen = [\"Your order has shipped\", \"order has\", \"has shippeded\"]\npt-BR = \"b\"\n"
    ));
    let wanted = [
        "labels.unused: no rule names these labels; name them, label = \"unused\", or leave them out",
        "labels.number.en[1]: is in this list twice",
        "subject.xx: \"xx\" is no language",
        "subject.en: stands only where \"order has\" stands, which is enough; leave one of them out",
    ];
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for words in wanted {
        assert!(found.iter().any(|told| told.contains(words)), "{words}: {found:#?}");
    }
}

#[test]
fn field_rules_and_patterns_are_looked_at_wherever_they_stand() {
    let found = told(&format!(
        "{MATCH}[[reference]]\nlabel = \"order_number\"\n[[reference]]\nlabel = \"order_number\"\nwhere = \"below\"\n\
         [[customer_name]]\nlabel = \"billing_address\"\n[[customer_name]]\nlabel = \"billing_address\"\nwhere = \"address\"\n\
         [[products]]\nline = 'a (\\d+)'\n\
         [[mail]]\nname = \"order\"\nevent = \"placed\"\nwhen = {{ text_pattern = '^a', unless = {{ subject_pattern = 'a^b' }} }}\n\
         [[mail.reference]]\nsubject = '(?P<order>\\d+)'\n"
    ));
    let wanted = [
        "reference[1]: finds nothing that reference[0] does not find",
        "products[0].line: cannot find anything: it has no group name",
        "mail[0].when.text_pattern: ^ or $ is an end of the whole text here",
        "mail[0].when.unless.subject_pattern: cannot match",
        "mail[0].reference[0].subject: the group \"order\" is not looked at",
    ];
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for words in wanted {
        assert!(found.iter().any(|told| told.contains(words)), "{words}: {found:#?}");
    }
}

#[test]
fn what_is_no_template_is_left_alone() {
    assert_eq!(lint(&Document::new("sv.toml", "language = \"sv\"\n")), []);
}

#[test]
fn the_templates_that_ship_have_nothing_doubtful() {
    let doubts =
        crate::read::embedded::documents().iter().flat_map(lint).map(|one| one.to_string()).collect::<Vec<_>>();
    assert!(doubts.is_empty(), "{}", doubts.join("\n"));
}
