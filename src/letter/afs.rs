//! Letters that were written for Trustpilot's Automatic Feedback Service: its variables, such as `[Name]` and `[Link]`, work in a
//! shop's own words and templates under their own names, and a whole text can be pasted as `invitation.afs.html` or
//! `invitation.afs.txt`. A variable becomes one of our templates, so that what it stands for is only ever text: it is escaped where
//! it is shown in HTML, and never read again for variables.

use minijinja::{Value, context};

/// The variables, as that service spells them.
pub(super) const VARIABLES: [&str; 8] =
    ["Name", "CompanyIdentifier", "DomainName", "Order", "Link", "Stars", "Products", "LegalNotice"];

/// What begins a template that was pasted: it is a page or a text already, and no MJML.
pub(super) const PASTED: &str = "{# afs #}";

/// The honorific that Japanese texts write after the name; the word for an unknown customer carries it already.
const HONORIFIC: &str = "\u{69d8}";

const STARS_HTML: &str = "{% for star in stars %}<a href=\"{{ star.link }}\" title=\"{{ star.label }}\" aria-label=\"{{ star.label }}\" \
     style=\"display:inline-block;width:48px;font-size:42px;line-height:52px;text-align:center;text-decoration:none;color:{{ palette.star }};\">\
     &#9733;</a>{% else %}<a href=\"{{ link }}\">{{ words.button }}</a>{% endfor %}";
const PRODUCTS_HTML: &str =
    "{% for product in products %}{{ product }}{% if not loop.last %}<br />{% endif %}{% endfor %}";
const LEGAL_HTML: &str = "{{ words.why }} {{ words.objection }}<br /><a href=\"{{ unsubscribe_link }}\">{{ words.unsubscribe }}</a>\
     {% if data_link %} &#183; <a href=\"{{ data_link }}\">{{ words.your_data }}</a>{% endif %}\
     {% if view_link %} &#183; <a href=\"{{ view_link }}\">{{ words.view }}</a>{% endif %}\
     {% if about_link %} &#183; <a href=\"{{ about_link }}\">{{ words.about }}</a>{% endif %}\
     {% for line in postal_address %}<br />{{ line }}{% endfor %}";
const STARS_TEXT: &str = "{% for star in stars %}{{ star.label }}: {{ star.link }}{% if not loop.last %}{{ '\\n' }}{% endif %}{% else %}{{ link }}{% endfor %}";
const PRODUCTS_TEXT: &str =
    "{% for product in products %}- {{ product }}{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}";
const LEGAL_TEXT: &str = "{{ words.why }}{{ '\\n' }}{{ words.objection }}{{ '\\n' }}{{ words.unsubscribe }}: {{ unsubscribe_link }}\
     {% if data_link %}{{ '\\n' }}{{ words.your_data }}: {{ data_link }}{% endif %}\
     {% if view_link %}{{ '\\n' }}{{ words.view }}: {{ view_link }}{% endif %}\
     {% if about_link %}{{ '\\n' }}{{ words.about }}: {{ about_link }}{% endif %}\
     {{ '\\n' }}{% for line in postal_address %}{{ '\\n' }}{{ line }}{% endfor %}";

/// What a word, and a template, knows of the letter under these names.
pub(super) struct Facts<'a> {
    pub(super) name: &'a str,
    /// What the customer is called whose name is not known.
    pub(super) customer: &'a str,
    pub(super) shop: &'a str,
    pub(super) domain: &'a str,
    pub(super) reference: &'a str,
    pub(super) link: &'a str,
    pub(super) products: &'a [String],
}

/// The variable `afs` of templates.
pub(super) fn value(facts: &Facts<'_>) -> Value {
    let name = if facts.name.is_empty() { facts.customer } else { facts.name };
    context! {
        Name => name,
        honorific => if name.ends_with(HONORIFIC) { "" } else { HONORIFIC },
        CompanyIdentifier => facts.shop,
        DomainName => facts.domain,
        Order => facts.reference,
        Link => facts.link,
        Products => facts.products.join(", "),
    }
}

/// Where a variable stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a word: one text of a letter.
    Word,
    /// In a plain-text part.
    Text,
    /// In a page's text.
    Page,
    /// In a link of a page.
    Anchor,
    /// In a tag of a page: an attribute's value.
    Tag,
}

/// A file of words, or a template of ours, with these variables put as ours: no character else is touched, and no line moves.
pub(super) fn translated(file: &str, text: &str) -> String {
    match file.rsplit_once('.') {
        Some((_, "toml")) => put(text, Place::Word, false),
        Some((_, "txt")) => put(text, Place::Text, false),
        _ => put(text, Place::Page, false),
    }
}

/// The template of a pasted page.
pub(super) fn page(html: &str) -> String {
    let mut html = html.to_owned();
    if !html.contains("[LegalNotice]") {
        let end = html.to_ascii_lowercase().rfind("</body>").unwrap_or(html.len());
        html.insert_str(end, "<p style=\"font-size:13px;color:#5a646f;\">[LegalNotice]</p>");
    }
    format!("{PASTED}{}", put(&html, Place::Page, true))
}

/// The template of a pasted text.
pub(super) fn text(text: &str) -> String {
    let notice = if text.contains("[LegalNotice]") { "" } else { "\n\n----------\n\n[LegalNotice]\n" };
    format!("{PASTED}{}", put(&format!("{text}{notice}"), Place::Text, true))
}

/// The text of a pasted page, for whom there is no other.
pub(super) fn text_of(html: &str) -> String {
    let page = dom_query::Document::from(html);
    page.select("head, style, script, title").remove();
    for link in page.select("a[href]").iter() {
        let (said, to) = (link.text().trim().to_owned(), link.attr("href").unwrap_or_default().to_string());
        let whole = if said.is_empty() || said == to { to } else { format!("{said}: {to}") };
        link.set_text(&whole);
    }
    page.formatted_text().to_string()
}

/// The page of a pasted text, for whom there is no other.
pub(super) fn page_of(text: &str) -> String {
    let escape =
        |line: &str| line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut page = String::from(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\" /><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\
         <meta name=\"color-scheme\" content=\"light dark\" /></head><body style=\"margin:0 auto;padding:24px 20px;max-width:560px;\
         font:16px/1.6 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;\">",
    );
    let mut open = false;
    // One line of the text is one line of the page, so that a mistake is told at its place.
    for line in text.lines() {
        match (line.trim().is_empty(), open) {
            (true, true) => page.push_str("</p>"),
            (true, false) => {}
            (false, true) => page.push_str("<br />"),
            (false, false) => page.push_str("<p>"),
        }
        open = !line.trim().is_empty();
        page.push_str(&escape(line));
        page.push('\n');
    }
    page.push_str(if open { "</p></body></html>" } else { "</body></html>" });
    page
}

/// Puts our templates in the place of the variables. What is `literal` has no templates of its own.
fn put(text: &str, ground: Place, literal: bool) -> String {
    let mut out = String::with_capacity(text.len() + 256);
    let (mut in_tag, mut in_anchor) = (false, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let place = match (ground, in_tag, in_anchor) {
            (Place::Page, true, _) => Place::Tag,
            (Place::Page, _, true) => Place::Anchor,
            _ => ground,
        };
        if let Some((name, after)) = variable(rest) {
            out.push_str(ours(name, place));
            rest = after;
            if let Some(after) = rest.strip_prefix(HONORIFIC).filter(|_| name == "Name") {
                out.push_str("{{ afs.honorific }}");
                rest = after;
            }
            continue;
        }
        match c {
            '<' => {
                in_tag = true;
                let tag = rest.get(1..).unwrap_or_default().to_ascii_lowercase();
                in_anchor = match tag.strip_prefix('a') {
                    Some(after) if after.starts_with(|c: char| c.is_whitespace()) => true,
                    _ => in_anchor && !tag.starts_with("/a>"),
                };
            }
            '>' => in_tag = false,
            _ => {}
        }
        let opens = c == '{' && rest[1..].starts_with(['{', '%', '#']);
        if literal && opens {
            out.push_str("{{ '{' }}");
        } else {
            out.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// The variable that a text begins with, and what comes after it.
fn variable(text: &str) -> Option<(&'static str, &str)> {
    let (name, after) = text.strip_prefix('[')?.split_once(']')?;
    Some((VARIABLES.into_iter().find(|known| *known == name)?, after))
}

/// What we write for a variable.
fn ours(name: &str, place: Place) -> &'static str {
    match (name, place) {
        ("CompanyIdentifier", _) => "{{ afs.CompanyIdentifier }}",
        ("DomainName", _) => "{{ afs.DomainName }}",
        ("Order", _) => "{{ afs.Order }}",
        ("Link", Place::Page) => "<a href=\"{{ link }}\">{{ link }}</a>",
        // Where the layout shows the stars itself, a word that has them too gets them out of its way.
        ("Stars" | "LegalNotice", Place::Word) => "",
        ("Link", _) | ("Stars", Place::Tag | Place::Anchor) => "{{ afs.Link }}",
        ("Stars", Place::Text) => STARS_TEXT,
        ("Stars", Place::Page) => STARS_HTML,
        ("Products", Place::Word | Place::Tag) => "{{ afs.Products }}",
        ("Products", Place::Text) => PRODUCTS_TEXT,
        ("Products", Place::Page | Place::Anchor) => PRODUCTS_HTML,
        ("LegalNotice", Place::Text) => LEGAL_TEXT,
        ("LegalNotice", Place::Page) => LEGAL_HTML,
        ("LegalNotice", _) => "{{ words.why }}",
        _ => "{{ afs.Name }}",
    }
}

/// Words in brackets that look like a variable and are none: `[FirstName]`, `[link]`; with their line, from 1.
pub(super) fn unknown(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        for (at, _) in text.match_indices('[') {
            let Some((name, _)) = text[at + 1..].split_once(']') else { continue };
            let mut letters = name.chars();
            let is_camel = (3..=30).contains(&name.len())
                && letters.next().is_some_and(|c| c.is_ascii_uppercase())
                && name.chars().all(|c| c.is_ascii_alphanumeric())
                && name.chars().any(|c| c.is_ascii_lowercase());
            let is_misspelt = VARIABLES.iter().any(|known| known.eq_ignore_ascii_case(name.trim()));
            if (is_camel || is_misspelt) && !VARIABLES.contains(&name) {
                found.push((line, name));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_become_ours_and_other_brackets_stay() {
        for (file, text, expected) in [
            ("sv/words.toml", "subject = \"[Name], [Order]?\"", "subject = \"{{ afs.Name }}, {{ afs.Order }}?\""),
            ("sv/words.toml", "[invitation]\nbody = '[sic] [name] [Stars]x'", "[invitation]\nbody = '[sic] [name] x'"),
            ("ja/words.toml", "greeting = '[Name]様'", "greeting = '{{ afs.Name }}{{ afs.honorific }}'"),
            ("layout.txt", "{{ link }} [Link] [", "{{ link }} {{ afs.Link }} ["),
            ("layout.mjml", "<a href=\"[Link]\">[Order]</a>", "<a href=\"{{ afs.Link }}\">{{ afs.Order }}</a>"),
            ("layout.mjml", "<p>[Link]</p>", "<p><a href=\"{{ link }}\">{{ link }}</a></p>"),
            ("layout.mjml", "<a x=''>[Link]</a><abbr>å[1]", "<a x=''>{{ afs.Link }}</a><abbr>å[1]"),
        ] {
            assert_eq!(translated(file, text), expected, "{text}");
        }
    }

    #[test]
    fn what_was_pasted_has_no_templates_of_its_own() {
        let template = text("{{ link }} {% if x %} {# #} { {{{ [LegalNotice]");
        assert!(!template.replace("{{ '{' }}", "").contains("{% if x"), "{template}");
        let mut env = minijinja::Environment::new();
        env.add_template("t", &template).unwrap();
        let words = context! { why => "why", objection => "o", unsubscribe => "u" };
        let links = context! { unsubscribe_link => "l", data_link => "", view_link => "", about_link => "" };
        let made = env.get_template("t").unwrap().render(context! { words, postal_address => [""], ..links }).unwrap();
        assert!(made.starts_with("{{ link }} {% if x %} {# #} { {{{ why\no\nu: l"), "{made}");
    }

    #[test]
    fn a_page_gives_a_text_and_a_text_gives_a_page() {
        let html = "<html><head><title>t</title><style>p{}</style></head><body><p>Hi [Name]&amp;co</p><p><a href=\"[Link]\">Rate us</a></p></body></html>";
        assert_eq!(text_of(html), "Hi [Name]&co\n\nRate us: [Link]");
        let page = page_of("a <b>\n[Link]\n\nc");
        assert!(page.contains("<p>a &lt;b&gt;\n<br />[Link]\n</p>\n<p>c\n</p></body>"), "{page}");
    }

    #[test]
    fn what_looks_like_a_variable_and_is_none_is_found() {
        let text = "[Name] [FirstName]\n[LINK] [link] [sic] [1] [A] [Ab] [if mso] [ABC] x[";
        assert_eq!(unknown(text), [(1, "FirstName"), (2, "LINK"), (2, "link")]);
    }
}
