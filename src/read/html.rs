//! HTML made harmless before a tree is built from it. html5ever needs time quadratic in the nesting depth and follows forty years
//! of error recovery; so a small tokenizer of our own writes the page again with plain tags only, to a bounded depth and size.
//! Comments (with them Outlook's conditional ones), scripts, styles and foreign content are gone afterwards, and what the tree
//! builder sees is what was counted. Everything left open is closed with the block it stands in: html5ever would open `<font>` and
//! its kind again in each block that follows, which is a bomb of its own.

/// Bytes of the page as it is written again; longer pages are read as text.
const SIZE: usize = 2 * 1024 * 1024;
/// Open elements at one time.
const DEPTH: usize = 512;
/// Open elements, summed up over all tags: the tree builder walks the open ones for many a tag. A large order mail has 300,000.
const STEPS: usize = 4_000_000;
/// Bytes of one attribute; longer ones, pictures as `data:` addresses, are dropped.
const VALUE: usize = 4_000;
/// Attributes of one tag; the rest is dropped.
const ATTRIBUTES: usize = 40;

/// Elements whose content is no text of the mail.
const SILENT: &[&str] = &[
    "script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "template", "select", "svg",
    "math", "object", "audio", "video", "canvas",
];
/// Elements that never have content.
const VOID: &[&str] = &["area", "br", "col", "hr", "img", "input", "link", "meta", "wbr", "base", "embed", "source"];
/// Elements that are kept as tags; of all others only the content is kept.
const KEPT: &[&str] = &[
    "html",
    "body",
    "a",
    "abbr",
    "address",
    "article",
    "aside",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figure",
    "font",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "i",
    "img",
    "ins",
    "li",
    "link",
    "main",
    "mark",
    "meta",
    "nav",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "section",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "tt",
    "u",
    "ul",
    "label",
];

/// The walls of a table: a closing tag inside does not reach what is open outside.
const TABLE: &[&str] = &["table", "tbody", "thead", "tfoot", "tr", "td", "th", "caption", "colgroup"];
/// Elements that a new block does not belong inside: it closes an open `p`.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "table",
    "ul",
    "ol",
    "dl",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "center",
    "section",
    "article",
    "aside",
    "header",
    "footer",
    "main",
    "nav",
    "address",
    "figure",
    "pre",
    "hr",
];

/// The page written again, well nested, or `None` when it is too large or too deep.
pub(super) fn harmless(html: &str) -> Option<String> {
    let mut page = Page { out: String::with_capacity(html.len().min(SIZE)), open: Vec::new(), steps: 0 };
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        page.out.push_str(&rest[..at]);
        let (token, after) = next_token(&rest[at..]);
        rest = after;
        match token {
            Token::Text(text) => page.out.push_str(text),
            Token::Nothing => {}
            Token::Open(tag) if SILENT.contains(&tag.name.as_str()) => rest = after_close(rest, &tag.name),
            Token::Open(tag) => match KEPT.iter().find(|kept| **kept == tag.name) {
                Some(name) => page.open(name, &tag),
                None => page.out.push(' '),
            },
            Token::Close(name) => page.close(&name),
        }
        if page.open.len() > DEPTH || page.steps > STEPS || page.out.len() > SIZE {
            return None;
        }
    }
    page.out.push_str(rest);
    (page.out.len() <= SIZE).then_some(page.out)
}

/// The page as it is written again.
struct Page {
    out: String,
    open: Vec<&'static str>,
    steps: usize,
}

impl Page {
    fn open(&mut self, name: &'static str, tag: &Tag<'_>) {
        if matches!(name, "html" | "body") && self.open.contains(&name) {
            return;
        }
        match name {
            "tr" | "tbody" | "thead" | "tfoot" | "td" | "th" => {
                let keeps: &[&str] = match name {
                    "td" | "th" => &["table", "tbody", "thead", "tfoot", "tr"],
                    "tr" => &["table", "tbody", "thead", "tfoot"],
                    _ => &["table"],
                };
                let Some(index) = self.open.iter().rposition(|open| keeps.contains(open)) else { return };
                self.close_down_to(index + 1);
            }
            _ if BLOCKS.contains(&name) => self.close_in_scope("p"),
            "a" => self.close_in_scope("a"),
            "li" | "dd" | "dt" if self.open.last() == Some(&name) => self.close_in_scope(name),
            _ => {}
        }
        self.steps += self.open.len() + 1;
        tag.write(&mut self.out);
        if !VOID.contains(&name) {
            self.open.push(name);
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "table" | "tbody" | "thead" | "tfoot" | "tr" | "td" | "th" => {
                let inner = self.open.iter().rposition(|open| *open == "table").unwrap_or_default();
                if let Some(index) = self.open.iter().rposition(|open| *open == name).filter(|index| *index >= inner) {
                    self.close_down_to(index);
                }
            }
            _ => self.close_in_scope(name),
        }
    }

    /// Closes the innermost open element of this name and what is open in it; not through the wall of a table.
    fn close_in_scope(&mut self, name: &str) {
        for (index, open) in self.open.iter().enumerate().rev() {
            if *open == name {
                self.close_down_to(index);
                return;
            }
            if TABLE.contains(open) {
                return;
            }
        }
    }

    fn close_down_to(&mut self, index: usize) {
        for name in self.open.drain(index..).rev() {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
    }
}

enum Token<'h> {
    Text(&'h str),
    Open(Tag<'h>),
    Close(String),
    Nothing,
}

struct Tag<'h> {
    name: String,
    attributes: Vec<(&'h str, &'h str)>,
}

impl Tag<'_> {
    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(&name.to_ascii_lowercase());
            out.push_str("=\"");
            for c in value.chars() {
                match c {
                    '"' => out.push_str("&quot;"),
                    '<' => out.push_str("&lt;"),
                    '>' => out.push_str("&gt;"),
                    '\0' => {}
                    other => out.push(other),
                }
            }
            out.push('"');
        }
        out.push('>');
    }
}

/// The token at the start of `text`, which begins with `<`, and what follows it (WHATWG HTML, 13.2.5).
fn next_token(text: &str) -> (Token<'_>, &str) {
    if let Some(comment) = text.strip_prefix("<!--") {
        return (Token::Nothing, after_comment(comment));
    }
    let inside = &text[1..];
    match inside.chars().next() {
        Some('!' | '?') => (Token::Nothing, after_found(inside, ">")),
        Some('/') => {
            let name = tag_name(&inside[1..]);
            let token = if name.is_empty() { Token::Nothing } else { Token::Close(name) };
            (token, after_found(inside, ">"))
        }
        Some(c) if c.is_ascii_alphabetic() => {
            let name = tag_name(inside);
            let end = inside.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').unwrap_or(inside.len());
            let (attributes, rest) = attributes(&inside[end..]);
            (Token::Open(Tag { name, attributes }), rest)
        }
        _ => (Token::Text("&lt;"), inside),
    }
}

/// A tag's name in lower case; a name with anything but letters and digits is nobody's and comes back as it is.
fn tag_name(text: &str) -> String {
    text.split(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

fn after_found<'h>(text: &'h str, end: &str) -> &'h str {
    text.find(end).map_or("", |at| &text[at + end.len()..])
}

/// `<!-->` and `<!--->` are whole comments; otherwise `-->` or `--!>` ends one.
fn after_comment(text: &str) -> &str {
    if let Some(rest) = text.strip_prefix('>').or_else(|| text.strip_prefix("->")) {
        return rest;
    }
    let mut from = 0;
    while let Some(at) = text[from..].find("--") {
        let after = &text[from + at + 2..];
        if let Some(rest) = after.strip_prefix('>').or_else(|| after.strip_prefix("!>")) {
            return rest;
        }
        from += at + 1;
    }
    ""
}

/// What follows the closing tag of a silent element; the rest of the page when there is none.
fn after_close<'h>(text: &'h str, name: &str) -> &'h str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        if rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return after_found(rest, ">");
        }
    }
    ""
}

/// The attributes of a tag up to its `>`, and what follows that.
fn attributes(mut text: &str) -> (Vec<(&str, &str)>, &str) {
    let mut found = Vec::new();
    loop {
        text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        let Some(first) = text.chars().next() else { return (found, "") };
        if first == '>' {
            return (found, &text[1..]);
        }
        // An attribute name may begin with `=`; from there on it ends at one.
        let skip = first.len_utf8();
        let end = text[skip..]
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '='))
            .map_or(text.len(), |at| at + skip);
        let name = &text[..end];
        text = text[end..].trim_start_matches(|c: char| c.is_ascii_whitespace());
        let mut value = "";
        if let Some(after) = text.strip_prefix('=') {
            let after = after.trim_start_matches(|c: char| c.is_ascii_whitespace());
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            (value, text) = match quote {
                Some(quote) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                None => {
                    after.split_at(after.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(after.len()))
                }
            };
        }
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':'));
        if plain && value.len() <= VALUE && found.len() < ATTRIBUTES {
            found.push((name, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_tags_are_left() {
        for (html, left) in [
            ("<p CLASS='a \"b\"' x=1>1 < 2</p>", "<p class=\"a &quot;b&quot;\" x=\"1\">1 &lt; 2</p>"),
            ("a<!--[if mso]><table><![endif]-->b<!-->c--><!--->d", "abc-->d"),
            ("<script>if (a</b/) '</p>'</script>x<STYLE>p{}</STYLE>y", "xy"),
            ("<o:p>x</o:p><svg><![CDATA[</svg>]]></svg>y", " x]]>y"),
            ("</div>x<", "x&lt;"),
            ("<a href=x>y<a>z", "<a href=\"x\">y</a><a>z"),
            ("<p><b>x<p>y</b></p>", "<p><b>x</b></p><p>y</p>"),
            ("<div><table><i><tr><td>x</div></table>y", "<div><table><i></i><tr><td>x</td></tr></table>y"),
            ("<div title=\"</div>\">z", "<div title=\"&lt;/div&gt;\">z"),
        ] {
            assert_eq!(harmless(html).as_deref(), Some(left), "{html}");
        }
    }

    #[test]
    fn deep_and_large_pages_are_refused() {
        assert!(harmless(&"<div>".repeat(400)).is_some());
        assert!(harmless(&"<div>".repeat(600)).is_none());
        assert!(harmless(&"<div></p>".repeat(600)).is_none());
        assert!(harmless(&"<p><i>x".repeat(10_000)).is_some());
        assert!(harmless(&format!("{}{}", "<div>".repeat(400), "<p>x".repeat(90_000))).is_none());
        assert!(harmless(&"<p>x</p>".repeat(10_000)).is_some());
        assert!(harmless(&"x".repeat(SIZE + 1)).is_none());
        let picture = format!("<img src=\"data:image/png;base64,{}\" alt=x>", "A".repeat(SIZE));
        assert_eq!(harmless(&picture).as_deref(), Some("<img alt=\"x\">"));
    }
}
