//! Data blocks in HTML, found in the page as it came: shops put them into comments, before `<html>` and after `</body>`, with
//! either quote or none, and write JSON that JSON forbids (`json`).

use memchr::memchr_iter;
use serde_json::Value;

use super::entities::named;
use super::json;

/// Blocks of one type that are looked at.
pub(super) const BLOCKS: usize = 20;
/// Bytes of one block.
pub(super) const BLOCK: usize = 512 * 1024;
/// Bytes of the tag before a block.
const TAG: usize = 1_000;

/// The JSON values of all `<script>` blocks of one type.
#[derive(Default)]
pub(super) struct Scripts {
    /// What could be read.
    pub(super) values: Vec<Value>,
    /// What could be read where the tag itself was escaped for HTML, so that a reader of the mail sees the block. A shop that
    /// escapes too much writes it so; but so does every shop with what a customer wrote into the field for a note.
    pub(super) shown: Vec<Value>,
    /// How many blocks could not.
    pub(super) broken: usize,
    /// Whether there are more than are looked at.
    pub(super) more: bool,
}

impl Scripts {
    /// Finds the blocks of a type in a page.
    pub(super) fn of_type(kind: &str, page: &str) -> Self {
        let mut found = Self::default();
        let mut from = 0;
        // Hardly any page has a block, and its type is rarer than its tag.
        if !may_hold(kind, page) {
            return found;
        }
        while let Some((content, shown)) = next_block(kind, page, from) {
            if found.values.len() + found.shown.len() + found.broken == BLOCKS {
                found.more = true;
                break;
            }
            from = content;
            match read(&page[content..]) {
                Some((value, length)) => {
                    from += length;
                    if shown { &mut found.shown } else { &mut found.values }.push(value);
                }
                None => found.broken += 1,
            }
        }
        found
    }
}

/// Whether the word after the sign of a type, such as `trustpilot`, stands in a page.
fn may_hold(kind: &str, page: &str) -> bool {
    let word = kind.rsplit(['+', '/']).next().unwrap_or(kind).as_bytes();
    let Some((first, page)) = word.first().zip(Some(page.as_bytes())) else { return false };
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), page)
        .any(|at| page.get(at..at + word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word)))
}

/// Where the content of the next block begins, and whether its tag is escaped.
fn next_block(kind: &str, page: &str, from: usize) -> Option<(usize, bool)> {
    let bytes = page.as_bytes();
    let plain = memchr_iter(b'<', bytes.get(from..)?).map(|at| (from + at, false));
    let tag = plain.filter(|(at, _)| starts_ignoring_case(&page[*at..], "<script"));
    let next = tag.filter_map(|(at, shown)| Some((content_at(kind, page, at, 7, ">")?, shown))).next();
    let escaped =
        memchr_iter(b'&', &bytes[from..]).map(|at| from + at).take_while(|at| next.is_none_or(|(end, _)| *at < end));
    let escaped = escaped.filter(|at| starts_ignoring_case(&page[*at..], "&lt;script"));
    escaped.filter_map(|at| Some((content_at(kind, page, at, 10, "&gt;")?, true))).next().or(next)
}

/// Where the content of a script begins whose tag, of the wanted type, begins at `at`.
fn content_at(kind: &str, page: &str, at: usize, name: usize, close: &str) -> Option<usize> {
    let tag = &page[at + name..];
    let mut end = tag.len().min(TAG);
    while !tag.is_char_boundary(end) {
        end -= 1;
    }
    let tag = &tag[..end];
    let end = tag.find(close)?;
    let value = type_of(&unescaped(&tag[..end]))?;
    let value = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (value == kind).then_some(at + name + end + close.len())
}

/// The value of the attribute `type`.
fn type_of(attributes: &str) -> Option<String> {
    let lower = attributes.to_ascii_lowercase();
    let mut from = 0;
    loop {
        let at = from + lower.get(from..)?.find("type")?;
        from = at + 4;
        let begins = lower[..at].ends_with(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '/'));
        let Some(value) = attributes[from..].trim_start().strip_prefix('=').filter(|_| begins) else { continue };
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'' | '\u{201C}' | '\u{201D}'));
        return Some(match quote {
            Some(quote) => {
                let end = |c: char| c == quote || matches!(c, '\u{201C}' | '\u{201D}');
                value[quote.len_utf8()..].split(end).next().unwrap_or_default().to_owned()
            }
            None => value.split_whitespace().next().unwrap_or_default().to_owned(),
        });
    }
}

/// Whether `text` begins with some ASCII, letter case apart.
pub(super) fn starts_ignoring_case(text: &str, ascii: &str) -> bool {
    text.as_bytes().get(..ascii.len()).is_some_and(|start| start.eq_ignore_ascii_case(ascii.as_bytes()))
}

/// The JSON value that `content` begins with, and how long it is.
fn read(content: &str) -> Option<(Value, usize)> {
    // Between the tag and the value there may be the signs that hide a script from old browsers and XML parsers.
    let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let mut text = content.trim_start_matches(blank);
    while let Some(rest) = ["<!--", "//", "/*", "*/", "<![CDATA["].iter().find_map(|sign| text.strip_prefix(sign)) {
        text = rest.trim_start_matches(blank);
    }
    let start = content.len() - text.len();
    let mut end = text.len().min(BLOCK);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    let (value, length) = json::parse(text).or_else(|| escaped_once_more(text))?;
    Some((value, start + length))
}

/// JSON that was written as the text of a JSON string: `{\"a\":\"b\"}`, in quotes or not.
fn escaped_once_more(text: &str) -> Option<(Value, usize)> {
    let end = memchr_iter(b'<', text.as_bytes()).find(|at| starts_ignoring_case(&text[*at..], "</script"))?;
    let json = text[..end].trim().trim_matches('"');
    if !json.contains("\\\"") {
        return None;
    }
    let mut plain = String::with_capacity(json.len());
    let mut chars = json.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'r' | 't') => plain.push(' '),
                Some(c @ ('"' | '\\' | '/')) => plain.push(c),
                Some(c) => plain.extend(['\\', c]),
                None => {}
            },
            c => plain.push(c),
        }
    }
    json::parse(&plain).map(|(value, _)| (value, end))
}

/// Text with HTML entities decoded until nothing changes, twice at most: WooCommerce escapes `&` before it escapes the whole.
pub(super) fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..2 {
        if !text.contains('&') {
            break;
        }
        let next = unescape_once(&text);
        if next == text {
            break;
        }
        text = next;
    }
    text
}

fn unescape_once(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest[1..].split_once(';').map(|(name, _)| name).filter(|name| name.len() <= 10);
        match entity.and_then(character) {
            Some(c) => {
                out.push(c);
                rest = &rest[entity.map_or(0, str::len) + 2..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The character of an entity, without its `&` and `;`.
fn character(entity: &str) -> Option<char> {
    let Some(number) = entity.strip_prefix('#') else { return named(entity) };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    code.ok().and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(page: &str) -> Option<String> {
        let found = Scripts::of_type("application/x", page);
        found.values.first().map(ToString::to_string)
    }

    #[test]
    fn blocks_are_found_wherever_they_stand_and_however_they_are_written() {
        for page in [
            "<script type=\"application/x\">{\"a\":\"b\"}</script>",
            "<!-- <SCRIPT id=1 type='application/X' defer> //<![CDATA[\n {\"a\":\"b\"} ]]></script> -->",
            "</body></html><script type=application/x>{\"a\":\"b\",}</script>",
            "<script type=\"application/x\">{&quot;a&quot;:&quot;b&quot;}</script>",
            "<script type=\"application&#47;x\">{\"a\":\"b\"}</script>",
            "<script type = ' application/x; charset=utf-8'>\u{feff}{\"a\":\"b\"}</script>",
            "<script type=\u{201d}application/x\u{201d}>{\"a\":\"b\"}</script>",
            "<script type=application/x>{\\\"a\\\":\\\"b\\\"}</script>",
            "<script type=application/x>\"{\\n\\\"a\\\":\\\"b\\\"}\"</script>",
            "<script type=application/x><!--\n{\"a\":\"b\"}\n--></script>",
            "<SCRIPT\nTYPE=\"APPLICATION/X\"\n>/*<![CDATA[*/{\"a\":\"b\"}/*]]>*/</SCRIPT>",
        ] {
            assert_eq!(only(page).as_deref(), Some("{\"a\":\"b\"}"), "{page}");
        }
        for page in [
            "<p>application/x</p>{\"a\":1}",
            "<script datatype='application/x'>{\"a\":1}</script>",
            "<script type='text/x' id='application/x'>{\"a\":1}</script>",
            "<scripttype='application/x'>{\"a\":1}</script>",
            "<script type='application/x",
        ] {
            assert_eq!(only(page), None, "{page}");
        }
    }

    #[test]
    fn the_usual_mistakes_are_repaired() {
        assert_eq!(
            only("<script type='application/x'>{\"a\":\"</script> x\",\"b\":'',\"c\":\"1\t2\n3\"}</script>").as_deref(),
            Some("{\"a\":\"</script> x\",\"b\":\"\",\"c\":\"1 2 3\"}")
        );
        let broken = Scripts::of_type("application/x", "<script type='application/x'>{\"a\" oops}</script>");
        assert_eq!((broken.values.len(), broken.broken), (0, 1));
        assert_eq!(Scripts::of_type("application/x", "<script type='application/x'>{\"a\":[").broken, 1);
    }

    #[test]
    fn a_block_whose_tag_is_escaped_is_set_apart() {
        let page = "&lt;script type=&quot;application/x&quot;&gt;{&quot;a&quot;:&quot;b&quot;}&lt;/script&gt;\
            <script type='application/x'>{\"a\":\"c\"}</script>&lt;SCRIPT type=application/x&gt;{a:d}";
        let found = Scripts::of_type("application/x", page);
        let texts = |values: &[Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(&found.values), ["{\"a\":\"c\"}"]);
        assert_eq!(texts(&found.shown), ["{\"a\":\"b\"}", "{\"a\":\"d\"}"]);
    }

    #[test]
    fn no_more_blocks_are_looked_at_than_a_mail_may_have() {
        let block = "<script type='application/x'>{\"a\":\"b\"}</script>";
        let found = Scripts::of_type("application/x", &block.repeat(BLOCKS));
        assert_eq!((found.values.len(), found.more), (BLOCKS, false));
        let found = Scripts::of_type("application/x", &block.repeat(BLOCKS + 1));
        assert_eq!((found.values.len(), found.more), (BLOCKS, true));
    }

    #[test]
    fn entities_are_decoded_twice_at_most() {
        assert_eq!(
            unescaped("O&#039;Connor &amp;amp; S&ouml;hne & &bogus; &#x41;"),
            "O'Connor & S\u{f6}hne & &bogus; A"
        );
        assert_eq!(unescaped("&amp;amp;amp;"), "&amp;");
    }
}
