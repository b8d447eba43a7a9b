//! The element tree of a page, planted while the page is made harmless. What `html` writes is well nested, and of nearly all mails
//! the tree builder of html5ever would only append it, node by node, after taking every byte apart a second time. That is done here
//! directly. Where HTML's rules of tree construction (WHATWG HTML, 13.2.6) would do anything else, text in a table but not in a
//! cell, a list item that ends another one, the planter gives up, and html5ever plants the page.

use std::borrow::Cow;

use dom_query::{Document, NodeId};

use super::entities::{LATIN, named};
use super::html::{Element, Named, Sink, VOID, harmless, write};

/// A page as a tree.
pub(super) struct Planted {
    pub(super) document: Document,
    /// Whether there may be microdata in it.
    pub(super) microdata: bool,
}

/// The tree of a page, or `None` when it is too large or too deep.
pub(super) fn planted(html: &str, named: &Named) -> Option<Planted> {
    if !named.look_at_anything() {
        let planter = write(html, named, Planter::default())?;
        if let Some(planted) = planter.finish() {
            return Some(planted);
        }
    }
    let html = harmless(html, named)?;
    let microdata = html.contains("itemscope");
    Some(Planted { document: Document::from(html), microdata })
}

/// How far the page is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing but perhaps `<html>`.
    Start,
    /// Things that go into the head.
    Head(NodeId),
    Body(NodeId),
}

/// An open element.
struct Open {
    node: NodeId,
    name: &'static str,
    /// It has no tag: a row without `tbody`, a cell without `tr`.
    implied: bool,
}

/// Builds a tree as long as that is only appending.
struct Planter {
    document: Document,
    phase: Phase,
    html: Option<NodeId>,
    /// The elements open in the body.
    open: Vec<Open>,
    /// Text, as it is written in the page, that has not got a node yet.
    text: String,
    /// The element whose attributes come.
    tagged: Option<NodeId>,
    microdata: bool,
    /// Something else than appending is to be done.
    gave_up: bool,
}

impl Default for Planter {
    fn default() -> Self {
        Self {
            document: Document::default(),
            phase: Phase::Start,
            html: None,
            open: Vec::new(),
            text: String::new(),
            tagged: None,
            microdata: false,
            gave_up: false,
        }
    }
}

/// What HTML calls white space; a no-break space is none.
const BLANKS: [char; 5] = [' ', '\t', '\n', '\r', '\u{c}'];
/// Where only parts of a table go: anything else would be put before the table.
const TABLE: [&str; 5] = ["table", "tbody", "thead", "tfoot", "tr"];
/// Elements that HTML does not call special: a list item looks through them for one to end.
const PHRASING: [&str; 26] = [
    "span", "a", "strong", "b", "font", "small", "em", "i", "u", "abbr", "big", "code", "del", "dfn", "ins", "label",
    "mark", "q", "s", "strike", "sub", "sup", "time", "tt", "address", "div",
];

impl Sink for Planter {
    fn open(&mut self, element: &'static Element) {
        self.tagged = None;
        if self.gave_up {
            return;
        }
        self.plant_text();
        let name = element.name;
        match (name, self.phase) {
            ("html", Phase::Start) if self.html.is_none() => self.tagged = Some(self.root()),
            ("body", Phase::Start | Phase::Head(_)) => self.tagged = Some(self.body()),
            ("meta" | "link", Phase::Start | Phase::Head(_)) => {
                let head = self.head();
                self.tagged = Some(self.append(head, name));
            }
            // Their rules are long, and they are rare.
            ("html" | "body" | "col" | "colgroup" | "caption" | "pre", _) => self.gave_up = true,
            _ => self.open_in_body(element),
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        let Some(node) = self.tagged.filter(|_| !self.gave_up) else { return };
        let Some(value) = decoded(value, true) else {
            self.gave_up = true;
            return;
        };
        self.microdata |= name.contains("itemscope");
        self.document.tree.update_node(&node, |node| {
            // Of two the first counts.
            if let Some(element) = node.as_element_mut()
                && !element.attrs.iter().any(|attribute| &*attribute.name.local == name)
            {
                element.set_attr(name, &value);
            }
        });
    }

    fn close(&mut self, element: &'static Element) {
        if self.gave_up {
            return;
        }
        if matches!(element.name, "html" | "body") {
            // What comes after it belongs to the body too.
            if !matches!(self.phase, Phase::Body(_)) {
                self.plant_text();
                self.body();
            }
            return;
        }
        self.plant_text();
        while let Some(open) = self.open.pop() {
            if open.name == element.name && !open.implied {
                return;
            }
            if !open.implied {
                break;
            }
        }
        self.gave_up = true;
    }

    fn text(&mut self, text: &str) {
        if !self.gave_up {
            self.text.push_str(text);
        }
    }
}

impl Planter {
    fn finish(mut self) -> Option<Planted> {
        self.plant_text();
        self.body();
        (!self.gave_up).then_some(Planted { document: self.document, microdata: self.microdata })
    }

    fn append(&self, parent: NodeId, name: &str) -> NodeId {
        let node = self.document.tree.new_element(name).id;
        self.document.tree.append_child_of(&parent, &node);
        node
    }

    fn append_text(&self, parent: NodeId, text: &str) {
        if !text.is_empty() {
            let node = self.document.tree.new_text(text).id;
            self.document.tree.append_child_of(&parent, &node);
        }
    }

    fn root(&mut self) -> NodeId {
        match self.html {
            Some(html) => html,
            None => *self.html.insert(self.append(self.document.root().id, "html")),
        }
    }

    /// The head, before the body has begun.
    fn head(&mut self) -> NodeId {
        match self.phase {
            Phase::Head(head) | Phase::Body(head) => head,
            Phase::Start => {
                let root = self.root();
                let head = self.append(root, "head");
                self.phase = Phase::Head(head);
                head
            }
        }
    }

    /// The body, which begins with this if it has not.
    fn body(&mut self) -> NodeId {
        if let Phase::Body(body) = self.phase {
            return body;
        }
        self.head();
        let root = self.root();
        let body = self.append(root, "body");
        self.phase = Phase::Body(body);
        body
    }

    /// The innermost open element.
    fn inner(&mut self) -> (NodeId, &'static str) {
        let body = self.body();
        self.open.last().map_or((body, "body"), |open| (open.node, open.name))
    }

    fn push(&mut self, name: &'static str, implied: bool) {
        let (parent, _) = self.inner();
        let node = self.append(parent, name);
        self.open.push(Open { node, name, implied });
    }

    fn open_in_body(&mut self, element: &'static Element) {
        let name = element.name;
        let part = matches!(name, "td" | "th" | "tr" | "tbody" | "thead" | "tfoot");
        match part {
            true => self.make_room(name),
            false => {
                let (_, inner) = self.inner();
                self.gave_up |= TABLE.contains(&inner) || self.ends_another(name);
            }
        }
        if self.gave_up {
            return;
        }
        self.push(name, false);
        self.tagged = self.open.last().map(|open| open.node);
        if element.is(VOID) {
            self.open.pop();
        }
    }

    /// Closes and opens what has no tags around a part of a table.
    fn make_room(&mut self, name: &str) {
        let ends: &[&str] = match name {
            "td" | "th" => &["tr", "tbody", "thead", "tfoot", "table"],
            "tr" => &["tbody", "thead", "tfoot", "table"],
            _ => &["table"],
        };
        while let Some(open) = self.open.last()
            && !ends.contains(&open.name)
        {
            if !open.implied {
                self.gave_up = true;
                return;
            }
            self.open.pop();
        }
        let (_, inner) = self.inner();
        match (name, inner) {
            (_, "body") => self.gave_up = true,
            ("td" | "th", "table") => {
                self.push("tbody", true);
                self.push("tr", true);
            }
            ("tr", "table") => self.push("tbody", true),
            ("td" | "th", "tbody" | "thead" | "tfoot") => self.push("tr", true),
            _ => {}
        }
    }

    /// Whether an element ends another one that has not been closed.
    fn ends_another(&self, name: &str) -> bool {
        let is_heading = |name: &str| matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6");
        match name {
            "li" | "dd" | "dt" => {
                let same = |open: &Open| open.name == name || (name != "li" && matches!(open.name, "dd" | "dt"));
                let through = |open: &&Open| PHRASING.contains(&open.name) || open.name == "p";
                let walls = |open: &&Open| !matches!(open.name, "table" | "td" | "th");
                self.open.iter().rev().find(|open| same(open) || !through(open)).is_some_and(same)
                    || self.open.iter().rev().take_while(walls).any(|open| open.name == "p")
            }
            name if is_heading(name) => self.open.last().is_some_and(|open| is_heading(open.name)),
            _ => false,
        }
    }

    /// Gives the text that has come a node.
    fn plant_text(&mut self) {
        if self.text.is_empty() || self.gave_up {
            return;
        }
        let written = std::mem::take(&mut self.text);
        let text = match decoded(&written, false) {
            Some(text) => text,
            None => {
                self.gave_up = true;
                return;
            }
        };
        let mut text: &str = &text;
        if !matches!(self.phase, Phase::Body(_)) {
            // White space before the body is the head's, or nobody's.
            let rest = text.trim_start_matches(BLANKS);
            if let Phase::Head(head) = self.phase {
                self.append_text(head, &text[..text.len() - rest.len()]);
            }
            // A byte order mark at the very start is no text.
            self.gave_up |= rest.starts_with('\u{feff}');
            text = rest;
        }
        if !text.is_empty() {
            let (parent, inner) = self.inner();
            match TABLE.contains(&inner) && text.contains(|c| !BLANKS.contains(&c)) {
                true => self.gave_up = true,
                false => self.append_text(parent, text),
            }
        }
        self.text = written;
        self.text.clear();
    }
}

/// A text or the value of an attribute with its character references decoded (WHATWG HTML, 13.2.5.72 and on), or `None` where that
/// needs more than is known here.
fn decoded(text: &str, is_value: bool) -> Option<Cow<'_, str>> {
    if memchr::memchr3(b'&', b'\0', b'\r', text.as_bytes()).is_none() {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr3(b'&', b'\0', b'\r', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        if rest.as_bytes()[at] != b'&' {
            return None;
        }
        rest = &rest[at + 1..];
        let end = rest.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        match (name, after.as_bytes().first()) {
            ("", Some(b'#')) => {
                let (number, after) = after[1..].split_once(';')?;
                out.push(by_number(number)?);
                rest = after;
            }
            ("", _) => out.push('&'),
            (_, Some(b';')) => {
                out.push(by_name(name)?);
                rest = &after[1..];
            }
            // `AT&T`; and `?a=1&b=2`, where a known name counts for nothing before a `=` or a letter.
            (_, Some(b'=')) if is_value => out.push('&'),
            _ if is_value && !is_legacy(name) => out.push('&'),
            _ if !is_value && !(1..=name.len()).any(|end| is_legacy(&name[..end])) => out.push('&'),
            _ => return None,
        }
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// The character of a number; `None` for those that HTML gives another meaning.
fn by_number(number: &str) -> Option<char> {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok()?,
        None if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse().ok()?,
        _ => return None,
    };
    char::from_u32(code).filter(|c| *c >= '\u{a0}' || matches!(c, '\t' | '\n' | ' '..='~'))
}

fn by_name(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "quot" => Some('"'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        // HTML 5 gave them other characters.
        "lang" | "rang" => None,
        _ => named(name),
    }
}

/// Whether a name counts without its `;` too.
fn is_legacy(name: &str) -> bool {
    matches!(name, "amp" | "lt" | "gt" | "quot" | "AMP" | "LT" | "GT" | "QUOT" | "COPY" | "REG")
        || LATIN.split(' ').any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is planted here, unless the planter gives up, beside what html5ever plants.
    fn both(html: &str) -> (Option<String>, String) {
        let named = Named::default();
        let planted = write(html, &named, Planter::default()).and_then(Planter::finish);
        let other = Document::from(harmless(html, &named).expect("a small page"));
        (planted.map(|planted| planted.document.html().to_string()), other.html().to_string())
    }

    #[test]
    fn what_mails_are_made_of_is_planted_as_html5ever_does_it() {
        for html in [
            "",
            "x",
            " <html lang=sv><head> <meta charset=utf-8> <title>x</title></head> <body class=a>x</body></html> y",
            "<link rel=x href=y>\n <p>x<p>y</p>z",
            "<html> </html> x",
            "<table><tr><td>a<td>b<tr><td>c</table>d",
            "<table> <tbody> <tr> <td> a</td> </tr> </tbody> </table>",
            "<table><td>a</td><tr><th>b</table><table><tbody></table>",
            "<div><table><tr><td><table><tr><td>x</div></table>y</table>z",
            "<b>x<p>y</b>z",
            "<ul><li>a<li>b</ul><ol><li><p>c</ol>",
            "<a href='?a=1&b=2&amp;c=%20' class=x CLASS=y>AT&T &euro;&#8211;&#x2014; &nbsp; & x</a>",
            "<h1>x</h1><hr><br><img src=x>",
        ] {
            let (planted, other) = both(html);
            assert_eq!(planted.as_ref(), Some(&other), "{html}");
        }
    }

    #[test]
    fn what_is_not_only_appended_is_left_to_html5ever() {
        for html in [
            "<table>x<tr><td>y</table>",
            "<table><tr><b>x</b><td>y</table>",
            "<li><b>x<li>y",
            "<p>x<li>y",
            "<h1>x<h2>y",
            "<dl><dt>x<dd>y</dl>",
            "<pre>x</pre>",
            "<body><html lang=x>",
            "x&copy y",
            "&#150;",
            "&bogus;",
            "<a href='&copy'>",
            "<col>",
            "\u{feff}x",
        ] {
            assert_eq!(both(html).0, None, "{html}");
        }
    }

    #[test]
    fn every_name_that_is_decoded_has_the_character_that_html5ever_gives_it() {
        let names = LATIN.split(' ').chain("quot amp apos lt gt OElig Scaron Yuml fnof circ tilde Alpha Omega thetasym piv ensp emsp \
            thinsp zwnj rlm ndash mdash lsquo rsquo ldquo bdquo dagger Dagger bull hellip permil prime lsaquo oline frasl euro image weierp \
            real trade alefsym larr harr crarr hArr forall exist empty notin ni minus lowast radic infin ang or int there4 sim \
            cong asymp equiv ge nsub supe oplus perp sdot rfloor loz spades diams lang rang"
            .split_whitespace());
        for name in names {
            let html = format!("<p title='&{name};'>&{name};x");
            let (planted, other) = both(&html);
            assert!(planted.is_none_or(|planted| planted == other), "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

        /// Tags in any order: what is planted is what html5ever plants.
        #[test]
        fn no_page_is_planted_otherwise(pieces in proptest::collection::vec(proptest::sample::select(vec![
            "<table>", "</table>", "<tbody>", "</tbody>", "<thead>", "<tr>", "</tr>", "<td>", "<td class=x>", "</td>", "<th>",
            "<table><tr><td>", "</td></tr></table>", "</td><td>", "</td></tr><tr><td>",
            "<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<a href=x>", "</a>", "<font size=1>", "</font>", "<span>", "</span>",
            "<ul>", "</ul>", "<li>", "</li>", "<h1>", "</h1>", "<h2>", "<dl>", "<dt>", "<dd>", "</dl>", "<center>", "</center>",
            "<br>", "<hr>", "<img src=x>", "<meta x=y>", "<link>", "<html>", "<html lang=x>", "</html>", "<head>", "</head>",
            "<body>", "<body id=x>", "</body>", "<title>x</title>", "<o:p>", "</o:p>", "<strong>", "</strong>", "<section>",
            "<blockquote>", "</blockquote>", "<caption>", "<col>", "<pre>", "<b><b><b><b>", "</b></b></b></b>",
            "x", " ", "\n", "a b", "&amp;", "&nbsp;", "&", "am", "p;", "&#32;", "&lt;", "1 < 2", "&copy", "&copy;", "=",
            "<a href='a&b=c&copy=1'>", "<a title='\"&amp;'>", "<!-- x -->",
        ]), 0..40)) {
            let html = pieces.concat();
            let (planted, other) = both(&html);
            if let Some(planted) = planted {
                prop_assert_eq!(planted, other, "{}", html);
            }
        }
    }
}
