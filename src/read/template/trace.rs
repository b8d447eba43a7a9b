//! What the rules of the templates make of a mail, one by one, for whoever writes them. It goes through the rules a second time,
//! in the order of `classify` and `extract`, so that reading itself pays nothing for it; a test holds both against each other.

use super::extract::checked;
use super::rules::{Condition, Counts, Fields, Mail, Sight, Source, Target, Template};
use super::{GENERIC, Templates, products};
use crate::read::dates::{DayOrder, Habits};

/// A rule that was tried.
#[derive(Clone, PartialEq, Eq)]
pub struct Step {
    /// The template that it stands in.
    pub template: String,
    /// Where it stands there, as problems name it: `mail[2].reference[0]`.
    pub rule: String,
    /// What it is called, or where it looks.
    pub name: String,
    /// What it made of the mail.
    pub took: Took,
}

/// What a rule made of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Took {
    /// Nothing: none of its conditions holds, or nothing stands where it looks.
    Nothing,
    /// The condition of this number holds, so the rule does.
    Holds(usize),
    /// It found this, and it is taken.
    Value(String),
    /// It found this, which is not what the field can be.
    Unfit(String),
}

/// What the trace has found out about a mail, step by step.
pub(in crate::read) struct Trace<'s> {
    sight: &'s Sight<'s>,
    steps: Vec<Step>,
}

impl Templates {
    /// Every rule that is tried on a mail until one decides what it is, and then the rules of its fields.
    pub(in crate::read) fn trace(&self, sight: &Sight<'_>, language: Option<&str>) -> Vec<Step> {
        let mut trace = Trace { sight, steps: Vec::new() };
        // A rule of all mails that holds one does not keep it from being read.
        if let Some(generic) = self.generic()
            && trace.refusal(generic, |counts| counts == Counts::Always) == Some("ignore")
        {
            return trace.steps;
        }
        let mut first = None;
        for template in self.list.iter().filter(|template| template.name != GENERIC) {
            if !trace.one(template, "match", "", &template.matches) {
                continue;
            }
            // In this order, each only where the one before knows nothing; the fields are read whatever the kind.
            let refused = trace.refusal(template, |counts| counts == Counts::Always).is_some();
            let kind = if refused { None } else { trace.kind(template) };
            if refused || kind.is_some() || trace.refusal(template, |counts| counts != Counts::Always).is_some() {
                self.trace_fields(&mut trace, template, kind, language);
                return trace.steps;
            }
            first = first.or(Some(template));
        }
        if let Some(template) = first {
            self.trace_fields(&mut trace, template, None, language);
        }
        if let Some(generic) = self.generic() {
            trace.refusal(generic, |counts| counts != Counts::Always);
        }
        trace.steps
    }

    fn trace_fields(&self, trace: &mut Trace<'_>, template: &Template, mail: Option<usize>, language: Option<&str>) {
        let own = mail.and_then(|index| Some((index, &template.mails.get(index)?.fields)));
        let mut sets = own.map(|(index, fields)| (format!("mail[{index}]."), fields)).into_iter().collect::<Vec<_>>();
        sets.push((String::new(), &template.fields));
        let habits =
            Habits { months: self.lexicon.months(), mailed: trace.sight.message.day, order: DayOrder::of(language) };
        let greeting = sets.iter().find_map(|(_, fields)| {
            let rules = fields.rules.iter().filter(|rule| rule.target == Target::Greeting);
            rules.flat_map(|rule| rule.values(trace.sight, None)).next().map(|one| one.text)
        });
        for (target, key) in Target::ALL {
            trace.field(template, &sets, target, key, greeting.as_deref(), &habits);
        }
        trace.products(template, &sets);
    }
}

impl Trace<'_> {
    fn add(&mut self, template: &Template, rule: String, name: impl Into<String>, took: Took) {
        self.steps.push(Step { template: template.name.clone(), rule, name: name.into(), took });
    }

    /// Tries a rule with its conditions; whether it holds.
    fn one(&mut self, template: &Template, rule: &str, name: &str, when: &[Condition]) -> bool {
        let held = when.iter().position(|condition| condition.holds(self.sight).is_some());
        self.add(template, rule.to_owned(), name, held.map_or(Took::Nothing, Took::Holds));
        held.is_some()
    }

    /// Tries the rules that set a mail aside; which kind of them did.
    fn refusal(&mut self, template: &Template, now: impl Fn(Counts) -> bool) -> Option<&'static str> {
        for (key, list) in [("ignore", &template.ignore), ("hold", &template.hold)] {
            for (index, rule) in list.iter().enumerate().filter(|(_, rule)| now(rule.counts)) {
                if self.one(template, &format!("{key}[{index}]"), &rule.name, &rule.when) {
                    return Some(key);
                }
            }
        }
        None
    }

    fn kind(&mut self, template: &Template) -> Option<usize> {
        let held = |(index, mail): &(usize, &Mail)| {
            self.one(template, &format!("mail[{index}]"), &format!("{}: {}", mail.name, mail.event), &mail.when)
        };
        template.mails.iter().enumerate().find(held).map(|(index, _)| index)
    }

    fn field(
        &mut self,
        template: &Template,
        sets: &[(String, &Fields)],
        target: Target,
        key: &str,
        greeting: Option<&str>,
        habits: &Habits<'_>,
    ) {
        for (path, fields) in sets {
            for (index, rule) in fields.rules.iter().filter(|rule| rule.target == target).enumerate() {
                let mut took = Took::Nothing;
                for one in rule.values(self.sight, greeting) {
                    if target == Target::Greeting || checked(target, &one.text, habits).is_some() {
                        took = Took::Value(one.text);
                        break;
                    }
                    took = Took::Unfit(one.text);
                }
                // Of addresses all are noted, since two make the mail ambiguous.
                let enough = matches!(took, Took::Value(_)) && target != Target::CustomerEmail;
                self.add(template, format!("{path}{key}[{index}]"), source(&rule.source), took);
                if enough {
                    return;
                }
            }
        }
    }

    fn products(&mut self, template: &Template, sets: &[(String, &Fields)]) {
        for (path, fields) in sets {
            for (index, rule) in fields.products.iter().enumerate() {
                let found = products::read(rule, self.sight.body);
                let names = found.iter().map(|product| match product.quantity {
                    Some(quantity) => format!("{quantity} × {}", product.name),
                    None => product.name.clone(),
                });
                let took = match names.collect::<Vec<_>>() {
                    none if none.is_empty() => Took::Nothing,
                    names => Took::Value(names.join("; ")),
                };
                let enough = took != Took::Nothing;
                let name = rule.id.trim_start_matches("products.").to_owned();
                self.add(template, format!("{path}products[{index}]"), name, took);
                if enough {
                    return;
                }
            }
        }
    }
}

/// Where a rule looks, in a word.
fn source(source: &Source) -> &'static str {
    match source {
        Source::Header(_) => "header",
        Source::Subject(_) => "subject",
        Source::Text(_) => "text",
        Source::Label { .. } => "label",
        Source::Css { .. } => "css",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::domain::{Field, Layer};
    use crate::read::{Context, Explanation, Reader, Templates};

    const TEMPLATE: &str = r#"
name = "acme"
[[match]]
header = "X-Acme"
[labels.number]
en = "Number"
[[ignore]]
name = "password"
when = { subject = "password" }
[[mail]]
name = "cancelled"
event = "cancelled"
when = { subject = "cancelled" }
[[mail]]
name = "order"
event = "placed"
[[mail.when]]
text = "nowhere"
[[mail.when]]
subject = "order"
[[mail.reference]]
subject = 'nothing (\d+)'
[[reference]]
text = 'for (\w+)'
[[reference]]
label = "number"
[[customer_name]]
text = 'Dear (\w+)'
"#;

    fn explained(mail: &str) -> Explanation {
        static READER: std::sync::LazyLock<Reader> = std::sync::LazyLock::new(|| {
            let templates = Templates::with_overrides(vec![Document::new("acme.toml", TEMPLATE)]);
            Reader::new(templates.ok().unwrap())
        });
        READER.explain(mail.as_bytes(), &Context::default())
    }

    #[test]
    fn every_rule_until_the_one_that_decides_is_told_with_what_it_took() {
        let told = explained(
            "From: a@shop.example\r\nTo: ylva@example.org\r\nX-Acme: 1\r\nSubject: Your order\r\n\r\n\
             Dear Ylva\r\nThank you for ordering\r\nNumber: 77\r\n",
        );
        let own = told.steps.iter().filter(|step| step.template == "acme");
        let steps = own.map(|step| (step.rule.as_str(), step.name.as_str(), &step.took)).collect::<Vec<_>>();
        let value = |text: &str| Took::Value(text.to_owned());
        let wanted = [
            ("match", "", Took::Holds(0)),
            ("ignore[0]", "password", Took::Nothing),
            ("mail[0]", "cancelled: cancelled", Took::Nothing),
            ("mail[1]", "order: placed", Took::Holds(1)),
            ("customer_name[0]", "text", value("Ylva")),
            ("mail[1].reference[0]", "subject", Took::Nothing),
            ("reference[0]", "text", Took::Unfit("ordering".to_owned())),
            ("reference[1]", "label", value("77")),
        ];
        assert_eq!(steps, wanted.each_ref().map(|(rule, name, took)| (*rule, *name, took)));
        assert_eq!(told.reading.reference.unwrap().as_str(), "77");
    }

    #[test]
    fn a_mail_that_is_set_aside_has_no_more_steps_than_it_took() {
        let told = explained("From: a@shop.example\r\nX-Invited-Letter: 1\r\nSubject: Your order\r\n\r\n");
        let last = told.steps.last().unwrap();
        assert_eq!(
            (last.template.as_str(), last.name.as_str(), &last.took),
            ("generic", "own letter", &Took::Holds(0))
        );
        let told = explained("From: a@shop.example\r\nX-Acme: 1\r\nSubject: Your password\r\n\r\n");
        let held = told.steps.iter().filter(|step| matches!(step.took, Took::Holds(_)) && step.rule != "match");
        assert_eq!(held.map(|step| step.rule.as_str()).collect::<Vec<_>>(), ["ignore[0]"]);
        assert!(explained("").mail.is_none());
    }

    /// The fixtures of all templates: what the trace ends with is what the reading says.
    #[test]
    fn the_trace_of_every_fixture_agrees_with_its_reading() {
        let reader = crate::read::tests::reader();
        let mut compared = 0;
        let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mail"));
        for folder in std::fs::read_dir(root).unwrap().flatten() {
            for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
                if file.path().extension().is_none_or(|extension| extension != "eml") {
                    continue;
                }
                let place = file.path().display().to_string();
                let told = reader.explain(&std::fs::read(file.path()).unwrap(), &Context::default());
                let kind = told.steps.iter().find(|step| {
                    step.rule.starts_with("mail[") && !step.rule.contains('.') && matches!(step.took, Took::Holds(_))
                });
                let known = told.reading.findings.iter().find_map(|finding| {
                    finding
                        .rule
                        .strip_prefix("mail.")
                        .filter(|kind| *kind != "phrase" && told.reading.template.is_some())
                });
                assert_eq!(kind.and_then(|step| step.name.split_once(": ")).map(|(name, _)| name), known, "{place}");
                if let (Some(step), Some(template)) = (kind, &told.reading.template) {
                    assert_eq!(step.template, *template, "{place}");
                }
                let wanted = told
                    .reading
                    .findings
                    .iter()
                    .filter(|finding| finding.layer == Layer::Template && finding.field == Field::Reference);
                for finding in wanted {
                    let found = told
                        .steps
                        .iter()
                        .any(|step| matches!(&step.took, Took::Value(text) if text.contains(&finding.value)));
                    assert!(found, "{place}: the trace has no {}", finding.rule);
                    compared += 1;
                }
            }
        }
        assert!(compared > 10, "{compared}");
    }
}
