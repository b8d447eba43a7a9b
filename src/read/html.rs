//! HTML made harmless before a tree is built from it. html5ever needs time quadratic in the nesting depth and follows forty years
//! of error recovery; so a small tokenizer of our own writes the page again with plain tags only, to a bounded depth and size.
//! Comments (with them Outlook's conditional ones), scripts, styles and foreign content are gone afterwards, and what the tree
//! builder sees is what was counted. Everything left open is closed with the block it stands in: html5ever would open `<font>` and
//! its kind again in each block that follows, which is a bomb of its own.

use memchr::{memchr, memchr_iter, memchr3, memchr3_iter};

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
/// Longest name of an element that counts.
const NAME: usize = 10;

/// An element that is kept as a tag; of all others only the content is kept.
pub(super) struct Element {
    pub(super) name: &'static str,
    traits: u8,
}

/// A trait: it never has content.
pub(super) const VOID: u8 = 1;
/// A trait: a block, which does not belong inside a `p` and closes an open one.
const BLOCK: u8 = 2;
/// A trait: a wall of a table. A closing tag inside does not reach what is open outside.
const WALL: u8 = 4;
/// A trait: a part of a table that goes only into certain others.
const PART: u8 = 8;

impl Element {
    const fn of(name: &'static str, traits: u8) -> Self {
        Self { name, traits }
    }

    pub(super) fn is(&self, wanted: u8) -> bool {
        self.traits & wanted != 0
    }
}

/// The elements that are kept; first those that order mails consist of, since the list is gone through for each tag.
static KEPT: &[Element] = &[
    Element::of("td", WALL | PART),
    Element::of("tr", WALL | PART),
    Element::of("span", 0),
    Element::of("p", BLOCK),
    Element::of("br", VOID),
    Element::of("table", WALL | BLOCK),
    Element::of("tbody", WALL | PART),
    Element::of("a", 0),
    Element::of("div", BLOCK),
    Element::of("img", VOID),
    Element::of("th", WALL | PART),
    Element::of("strong", 0),
    Element::of("b", 0),
    Element::of("li", 0),
    Element::of("ul", BLOCK),
    Element::of("h1", BLOCK),
    Element::of("h2", BLOCK),
    Element::of("h3", BLOCK),
    Element::of("font", 0),
    Element::of("center", BLOCK),
    Element::of("thead", WALL | PART),
    Element::of("tfoot", WALL | PART),
    Element::of("small", 0),
    Element::of("em", 0),
    Element::of("i", 0),
    Element::of("u", 0),
    Element::of("meta", VOID),
    Element::of("link", VOID),
    Element::of("html", 0),
    Element::of("body", 0),
    Element::of("hr", VOID | BLOCK),
    Element::of("col", VOID),
    Element::of("colgroup", WALL),
    Element::of("caption", WALL),
    Element::of("ol", BLOCK),
    Element::of("dl", BLOCK),
    Element::of("dt", 0),
    Element::of("dd", 0),
    Element::of("h4", BLOCK),
    Element::of("h5", BLOCK),
    Element::of("h6", BLOCK),
    Element::of("blockquote", BLOCK),
    Element::of("section", BLOCK),
    Element::of("article", BLOCK),
    Element::of("aside", BLOCK),
    Element::of("header", BLOCK),
    Element::of("footer", BLOCK),
    Element::of("main", BLOCK),
    Element::of("nav", BLOCK),
    Element::of("address", BLOCK),
    Element::of("figure", BLOCK),
    Element::of("pre", BLOCK),
    Element::of("abbr", 0),
    Element::of("big", 0),
    Element::of("code", 0),
    Element::of("del", 0),
    Element::of("dfn", 0),
    Element::of("ins", 0),
    Element::of("label", 0),
    Element::of("mark", 0),
    Element::of("q", 0),
    Element::of("s", 0),
    Element::of("strike", 0),
    Element::of("sub", 0),
    Element::of("sup", 0),
    Element::of("time", 0),
    Element::of("tt", 0),
];

/// What a tag's name says.
enum Tag {
    Kept(&'static Element),
    /// One of [`SILENT`].
    Silent(&'static str),
    Unknown,
}

impl Tag {
    /// Letter case does not count.
    fn of(name: &str) -> Self {
        let mut buffer = [0; NAME];
        let Some(lower) = buffer.get_mut(..name.len()) else { return Self::Unknown };
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        let lower = &*lower;
        let kept = KEPT.iter().find(|kept| kept.name.as_bytes() == lower).map(Self::Kept);
        kept.or_else(|| SILENT.iter().find(|silent| silent.as_bytes() == lower).map(|silent| Self::Silent(silent)))
            .unwrap_or(Self::Unknown)
    }
}

/// Attributes that only say what an element looks like. They are half of many a mail, and nobody reads them but rules that name
/// them.
const LOOKS: &[&str] = &[
    "style",
    "width",
    "align",
    "valign",
    "border",
    "cellpadding",
    "cellspacing",
    "bgcolor",
    "height",
    "role",
    "target",
    "rel",
    "color",
    "face",
    "size",
    "alt",
    "background",
    "nowrap",
    "clear",
    "vspace",
    "hspace",
];

/// What rules look at in a page, as far as the names in their selectors tell.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Those of [`LOOKS`] that they speak of.
    looks: Vec<&'static str>,
    /// A selector has more than plain names, and may look at anything.
    anything: bool,
}

impl Named {
    /// Notes what a selector, or an attribute's name, speaks of.
    pub(super) fn note(&mut self, css: &str) {
        let css = css.to_ascii_lowercase();
        // An escape may stand for any name; and other pseudo-classes than these look at texts as they are.
        let of_elements =
            ["nth-", "first-", "last-", "only-child", "only-of-type", "not(", "is(", "where(", "has(", "root", "empty"];
        // Of a text only the line ends are others.
        let of_words = |rest: &str| {
            let words = rest.strip_prefix("contains(").and_then(|rest| rest.split_once(')'));
            words.is_some_and(|(words, _)| !words.contains(char::is_whitespace))
        };
        let plain = |rest: &str| of_elements.iter().any(|name| rest.starts_with(name)) || of_words(rest);
        let plain = css.split(':').skip(1).all(plain);
        self.anything |= !plain || css.contains('\\');
        self.looks.extend(LOOKS.iter().filter(|name| css.contains(**name)));
    }

    /// Whether rules may look at anything.
    pub(super) fn look_at_anything(&self) -> bool {
        self.anything
    }

    /// Whether nobody looks at an attribute.
    fn leaves_out(&self, attribute: &str) -> bool {
        let is = |name: &&&str| name.eq_ignore_ascii_case(attribute);
        !self.anything && LOOKS.iter().find(is).is_some_and(|_| !self.looks.iter().any(|name| is(&name)))
    }
}

/// The page written again, well nested, or `None` when it is too large or too deep. What nobody looks at, as `named` tells, is
/// left out: the tree builder needs its time for every byte.
pub(super) fn harmless(html: &str, named: &Named) -> Option<String> {
    write(html, named, String::with_capacity(html.len().min(SIZE)))
}

/// What a page is written into.
pub(super) trait Sink {
    /// A tag opens; its attributes come next.
    fn open(&mut self, element: &'static Element);
    /// An attribute of the tag that opened last, its name in lower case.
    fn attribute(&mut self, name: &str, value: &str);
    /// All attributes have come.
    fn opened(&mut self) {}
    /// The innermost element that is open closes.
    fn close(&mut self, element: &'static Element);
    /// Text, its character references as they are.
    fn text(&mut self, text: &str);
}

impl Sink for String {
    fn open(&mut self, element: &'static Element) {
        self.push('<');
        self.push_str(element.name);
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.push(' ');
        self.push_str(name);
        self.push_str("=\"");
        let mut rest = value;
        while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'<' | b'>' | b'\0')) {
            self.push_str(&rest[..at]);
            self.push_str(match rest.as_bytes()[at] {
                b'"' => "&quot;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                _ => "",
            });
            rest = &rest[at + 1..];
        }
        self.push_str(rest);
        self.push('"');
    }

    fn opened(&mut self) {
        self.push('>');
    }

    fn close(&mut self, element: &'static Element) {
        self.push_str("</");
        self.push_str(element.name);
        self.push('>');
    }

    fn text(&mut self, text: &str) {
        self.push_str(text);
    }
}

/// Writes the page again, as [`harmless`] does, into whatever takes it.
pub(super) fn write<S: Sink>(html: &str, named: &Named, out: S) -> Option<S> {
    let mut page = Page { out, open: Vec::new(), steps: 0, named, size: 0 };
    let mut attributes = Vec::new();
    let mut rest = html;
    while let Some(at) = memchr(b'<', rest.as_bytes()) {
        page.text(&rest[..at]);
        let (token, after) = next_token(&rest[at..], &mut attributes);
        rest = after;
        match token {
            Token::Text(text) => page.put(text),
            Token::Nothing => {}
            Token::Open(name) => match Tag::of(name) {
                Tag::Kept(element) => page.open(element, &attributes),
                Tag::Silent(name) => rest = after_close(rest, name),
                Tag::Unknown => page.put(" "),
            },
            Token::Close(name) => {
                if let Tag::Kept(element) = Tag::of(name) {
                    page.close(element);
                }
            }
        }
        if page.open.len() > DEPTH || page.steps > STEPS || page.size > SIZE {
            return None;
        }
    }
    page.text(rest);
    (page.size <= SIZE).then_some(page.out)
}

/// An attribute as it was written: its name, and its value without quotes.
type Attribute<'h> = (&'h str, &'h str);

/// The page as it is written again.
struct Page<'n, S> {
    out: S,
    open: Vec<&'static Element>,
    steps: usize,
    named: &'n Named,
    /// Bytes of the page; those that were left out count as if they had not been.
    size: usize,
}

impl<S: Sink> Page<'_, S> {
    fn put(&mut self, text: &str) {
        self.size += text.len();
        self.out.text(text);
    }

    fn open(&mut self, element: &'static Element, attributes: &[Attribute<'_>]) {
        let name = element.name;
        if element.is(PART) {
            let keeps: &[&str] = match name {
                "td" | "th" => &["table", "tbody", "thead", "tfoot", "tr"],
                "tr" => &["table", "tbody", "thead", "tfoot"],
                _ => &["table"],
            };
            let Some(index) = self.open.iter().rposition(|open| open.is(WALL) && keeps.contains(&open.name)) else {
                return;
            };
            self.close_down_to(index + 1);
        } else if element.is(BLOCK) {
            self.close_in_scope("p");
        } else {
            match name {
                "html" | "body" if self.open.iter().any(|open| open.name == name) => return,
                "a" => self.close_in_scope("a"),
                "li" | "dd" | "dt" if self.open.last().is_some_and(|open| open.name == name) => {
                    self.close_in_scope(name);
                }
                _ => {}
            }
        }
        self.steps += self.open.len() + 1;
        self.write(element, attributes);
        if !element.is(VOID) {
            self.open.push(element);
        }
    }

    fn close(&mut self, element: &'static Element) {
        let name = element.name;
        if element.is(PART) || name == "table" {
            let inner = self.open.iter().rposition(|open| open.name == "table").unwrap_or_default();
            if let Some(index) = self.open.iter().rposition(|open| open.name == name).filter(|index| *index >= inner) {
                self.close_down_to(index);
            }
        } else {
            self.close_in_scope(name);
        }
    }

    /// Closes the innermost open element of this name and what is open in it; not through the wall of a table.
    fn close_in_scope(&mut self, name: &str) {
        for (index, open) in self.open.iter().enumerate().rev() {
            if open.name == name {
                self.close_down_to(index);
                return;
            }
            if open.is(WALL) {
                return;
            }
        }
    }

    fn close_down_to(&mut self, index: usize) {
        for element in self.open.drain(index..).rev() {
            self.size += element.name.len() + 3;
            self.out.close(element);
        }
    }

    fn write(&mut self, element: &'static Element, attributes: &[Attribute<'_>]) {
        self.size += element.name.len() + 2;
        self.out.open(element);
        let mut styled = false;
        for (name, value) in attributes {
            self.size += name.len() + value.len() + 4;
            // A style may hide its element. Of two the tree builder takes the first, and the second must not come into its place.
            let style = name.eq_ignore_ascii_case("style") && !std::mem::replace(&mut styled, true);
            if self.named.leaves_out(name) && !(style && may_hide(value)) {
                continue;
            }
            self.size += 5 * memchr3_iter(b'"', b'<', b'>', value.as_bytes()).count();
            match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                true => self.out.attribute(&name.to_ascii_lowercase(), value),
                false => self.out.attribute(name, value),
            }
        }
        self.out.opened();
    }

    /// Writes text. Line ends become blanks, which the tree builder takes in one go; it would stop at each, and at each entity.
    fn text(&mut self, text: &str) {
        self.size += text.len();
        if self.named.anything {
            return self.out.text(text);
        }
        let mut rest = text;
        while let Some(at) = memchr3(b'\n', b'\r', b'&', rest.as_bytes()) {
            self.out.text(&rest[..at]);
            rest = &rest[at..];
            let (written, length) = match rest.as_bytes() {
                [b'&', b'n', b'b', b's', b'p', b';', ..] => ("\u{a0}", 6),
                [b'&', ..] => ("&", 1),
                [b'\r', b'\n', ..] => (" ", 2),
                _ => (" ", 1),
            };
            self.out.text(written);
            rest = &rest[length..];
        }
        self.out.text(rest);
    }
}

/// Whether a `style` as it is written in a page may hide its element; what [`hides`] says once it is decoded.
fn may_hide(style: &str) -> bool {
    style.contains(['&', '\0']) || hides(style)
}

/// Whether a `style` hides its element, as those of preheaders do. Blanks and letter case do not count.
pub(super) fn hides(style: &str) -> bool {
    const SIGNS: [(&str, &str); 6] = [
        ("display", "none"),
        ("visibility", "hidden"),
        ("mso-hide", "all"),
        ("font-size", "0;"),
        ("max-height", "0;"),
        ("max-height", "0px"),
    ];
    let same = |c: char, sign: char| c.to_ascii_lowercase() == sign;
    // Each look goes no further than to the next colon, so all together are linear.
    memchr_iter(b':', style.as_bytes()).any(|at| {
        let before = style[..at].chars().rev().filter(|c| !c.is_whitespace());
        let after = style[at + 1..].chars().filter(|c| !c.is_whitespace());
        let ends_with = |name: &str| {
            let mut before = before.clone();
            name.chars().rev().all(|sign| before.next().is_some_and(|c| same(c, sign)))
        };
        let starts_with = |value: &str| {
            let mut after = after.clone();
            value.chars().all(|sign| after.next().is_some_and(|c| same(c, sign)))
        };
        // Most values begin with nothing that a sign's value begins with.
        after.clone().next().is_some_and(|c| matches!(c, '0' | 'n' | 'N' | 'h' | 'H' | 'a' | 'A'))
            && (SIGNS.iter().any(|(name, value)| starts_with(value) && ends_with(name))
                || (after.clone().eq(['0']) && ends_with("font-size")))
    })
}

enum Token<'h> {
    Text(&'h str),
    Open(&'h str),
    Close(&'h str),
    Nothing,
}

/// The token at the start of `text`, which begins with `<`, and what follows it (WHATWG HTML, 13.2.5); the attributes of an
/// opening tag.
fn next_token<'h>(text: &'h str, found: &mut Vec<Attribute<'h>>) -> (Token<'h>, &'h str) {
    if let Some(comment) = text.strip_prefix("<!--") {
        return (Token::Nothing, after_comment(comment));
    }
    let inside = &text[1..];
    match inside.as_bytes().first() {
        Some(b'!' | b'?') => (Token::Nothing, after_found(inside, b'>')),
        Some(b'/') => {
            let name = tag_name(&inside[1..]);
            let token = if name.is_empty() { Token::Nothing } else { Token::Close(name) };
            (token, after_found(inside, b'>'))
        }
        Some(c) if c.is_ascii_alphabetic() => {
            let name = tag_name(inside);
            (Token::Open(name), attributes(&inside[name.len()..], found))
        }
        _ => (Token::Text("&lt;"), inside),
    }
}

/// A tag's name, as it is written; a name with anything but letters and digits is nobody's.
fn tag_name(text: &str) -> &str {
    let end = text.bytes().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
    &text[..end.unwrap_or(text.len())]
}

fn after_found(text: &str, end: u8) -> &str {
    memchr(end, text.as_bytes()).map_or("", |at| &text[at + 1..])
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
            return after_found(rest, b'>');
        }
    }
    ""
}

/// Finds the attributes of a tag up to its `>`; what follows that.
fn attributes<'h>(mut text: &'h str, found: &mut Vec<Attribute<'h>>) -> &'h str {
    found.clear();
    loop {
        text = after_all(text, |byte| byte.is_ascii_whitespace() || byte == b'/');
        match text.as_bytes().first() {
            None => return "",
            Some(b'>') => return &text[1..],
            _ => {}
        }
        // An attribute name may begin with `=`; from there on it ends at one.
        let end =
            text.bytes().skip(1).position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'='));
        let name = &text[..end.map_or(text.len(), |end| end + 1)];
        text = after_all(&text[name.len()..], |byte| byte.is_ascii_whitespace());
        let mut value = "";
        if let Some(after) = text.strip_prefix('=') {
            let after = after_all(after, |byte| byte.is_ascii_whitespace());
            (value, text) = match after.as_bytes().first() {
                Some(quote @ (b'"' | b'\'')) => {
                    let after = &after[1..];
                    memchr(*quote, after.as_bytes()).map_or((after, ""), |end| (&after[..end], &after[end + 1..]))
                }
                _ => {
                    let end = after.bytes().position(|byte| byte.is_ascii_whitespace() || byte == b'>');
                    after.split_at(end.unwrap_or(after.len()))
                }
            };
        }
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':'));
        if plain && value.len() <= VALUE && found.len() < ATTRIBUTES {
            found.push((name, value));
        }
    }
}

/// `text` without the bytes at its start that are `such`, all of them ASCII.
fn after_all(text: &str, such: impl Fn(u8) -> bool) -> &str {
    let end = text.bytes().position(|byte| !such(byte));
    &text[end.unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules that look at everything.
    fn all() -> Named {
        Named { anything: true, ..Named::default() }
    }

    #[test]
    fn what_nobody_looks_at_is_left_out() {
        let mut named = Named::default();
        for (html, left) in [
            ("<b STYLE='color:red' width=3 class=a>x\r\ny\n\nz&nbsp;&amp;</b>", "<b class=\"a\">x y  z\u{a0}&amp;</b>"),
            ("<p style='display : None'>x", "<p style=\"display : None\">x"),
            ("<p style=''style='display:none'>x", "<p>x"),
            ("<p style='display:none'style=x>x", "<p style=\"display:none\">x"),
            ("<p style='a&#58;b'>x", "<p style=\"a&#58;b\">x"),
        ] {
            assert_eq!(harmless(html, &named).as_deref(), Some(left), "{html}");
        }
        named.note("td[Width='3']");
        named.note("td:Nth-of-type(2) > p:not(:first-child)");
        assert_eq!(harmless("<p width=3 align=b>\n", &named).as_deref(), Some("<p width=\"3\"> "));
        named.note("p:has(td:empty + td:contains('@'))");
        assert_eq!(harmless("<p align=b>\n", &named).as_deref(), Some("<p> "));
        named.note("p:contains('x y')");
        assert_eq!(harmless("<p align=b>\n", &named).as_deref(), Some("<p align=\"b\">\n"));
        // What is left out counts all the same.
        assert!(
            harmless(&format!("<p style='{}'>", "x".repeat(VALUE)).repeat(SIZE / VALUE), &Named::default()).is_none()
        );
    }

    #[test]
    fn what_hides_an_element_is_known_with_blanks_and_in_capitals() {
        for style in [
            "display:none",
            "x:y; DISPLAY : n one",
            "a:b;visibility:hidden !important",
            "mso-hide:all;",
            "font-size:0",
            "font-size: 0 ",
            "font-size:0;x:y",
            "max-height:0px",
            "\u{a0}max-height\u{a0}:\u{a0}0;",
        ] {
            assert!(hides(style), "{style}");
        }
        for style in
            ["display:block", "font-size:0.9em", "font-size:08", "max-height:0", "none:display", ":", "line-height:0;"]
        {
            assert!(!hides(style), "{style}");
        }
    }

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
            assert_eq!(harmless(html, &all()).as_deref(), Some(left), "{html}");
        }
    }

    #[test]
    fn deep_and_large_pages_are_refused() {
        assert!(harmless(&"<div>".repeat(400), &all()).is_some());
        assert!(harmless(&"<div>".repeat(600), &all()).is_none());
        assert!(harmless(&"<div></p>".repeat(600), &all()).is_none());
        assert!(harmless(&"<p><i>x".repeat(10_000), &all()).is_some());
        assert!(harmless(&format!("{}{}", "<div>".repeat(400), "<p>x".repeat(90_000)), &all()).is_none());
        assert!(harmless(&"<p>x</p>".repeat(10_000), &all()).is_some());
        assert!(harmless(&"x".repeat(SIZE + 1), &all()).is_none());
        let picture = format!("<img src=\"data:image/png;base64,{}\" alt=x>", "A".repeat(SIZE));
        assert_eq!(harmless(&picture, &all()).as_deref(), Some("<img alt=\"x\">"));
    }
}
