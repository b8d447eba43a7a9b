//! Data blocks in HTML, found in the page as it came: shops put them into comments, before `<html>` and after `</body>`, with
//! either quote or none, and write JSON that JSON forbids.

use memchr::memchr2_iter;
use serde_json::Value;

use super::entities::named;

/// Blocks of one type that are looked at.
const BLOCKS: usize = 20;
/// Bytes of one block.
const BLOCK: usize = 512 * 1024;

/// The JSON values of all `<script>` blocks whose type is `kind`; `broken` counts the blocks that could not be read.
pub(super) struct Scripts {
    /// What could be read.
    pub(super) values: Vec<Value>,
    /// How many blocks could not.
    pub(super) broken: usize,
}

impl Scripts {
    /// Finds the blocks of a type in a page.
    pub(super) fn of_type(kind: &str, page: &str) -> Self {
        let mut found = Self { values: Vec::new(), broken: 0 };
        let mut rest = page;
        while found.values.len() + found.broken < BLOCKS {
            let Some(at) = find_ignoring_case(rest, kind) else { break };
            let (before, after) = (&rest[..at], &rest[at + kind.len()..]);
            rest = after;
            // The type must be an attribute of a script tag: `<script … type=…KIND… >`.
            let Some(tag) = before.rfind('<').map(|start| &before[start..]) else { continue };
            if !tag.get(..7).is_some_and(|name| name.eq_ignore_ascii_case("<script")) || tag.contains('>') {
                continue;
            }
            let Some(end) = after.find('>') else { break };
            let content = &after[end + 1..];
            match read(content) {
                Some((value, length)) => {
                    found.values.push(value);
                    rest = content.get(length..).unwrap_or_default();
                }
                None => found.broken += 1,
            }
        }
        found
    }
}

fn find_ignoring_case(text: &str, ascii: &str) -> Option<usize> {
    let (text, wanted) = (text.as_bytes(), ascii.as_bytes());
    // A sign such as `+` is rarer than a letter, and has no case.
    let sign = wanted.iter().rposition(|byte| !byte.is_ascii_alphabetic()).unwrap_or_default();
    let byte = wanted.get(sign)?;
    memchr2_iter(byte.to_ascii_lowercase(), byte.to_ascii_uppercase(), text).find_map(|at| {
        let start = at.checked_sub(sign)?;
        text.get(start..start + wanted.len())?.eq_ignore_ascii_case(wanted).then_some(start)
    })
}

/// The JSON value that `content` begins with, and how long it is. Strict JSON first, then with the usual mistakes repaired.
fn read(content: &str) -> Option<(Value, usize)> {
    // Between the tag and the value there may be the signs that hide a script from old browsers and XML parsers.
    let mut text = content.trim_start();
    while let Some(rest) = ["<!--", "//", "/*", "*/", "<![CDATA["].iter().find_map(|sign| text.strip_prefix(sign)) {
        text = rest.trim_start();
    }
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let start = content.len() - text.len();
    let mut end = content.len().min(start + BLOCK);
    while !content.is_char_boundary(end) {
        end -= 1;
    }
    let text = &content[start..end];
    let length = extent(text)?;
    let json = &text[..length];
    let value = serde_json::from_str(json)
        .or_else(|_| serde_json::from_str(&repaired(json)))
        .or_else(|_| serde_json::from_str(&repaired(&json.replace("&quot;", "\"").replace("&#34;", "\""))))
        .ok()?;
    Some((value, start + length))
}

/// Where the value ends: at the bracket that closes the first one. Brackets and `</script>` in strings do not count, but a
/// `</script>` outside of them ends the block; without a closing bracket there is no value.
fn extent(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'<' if !in_string
                && text.as_bytes()[at..].get(..8).is_some_and(|t| t.eq_ignore_ascii_case(b"</script")) =>
            {
                return None;
            }
            _ => {}
        }
    }
    None
}

/// JSON with raw control characters in strings escaped, `''` as the empty string, commas before a closing bracket dropped.
fn repaired(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        if in_string {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                c if c.is_control() => {
                    out.push(' ');
                    continue;
                }
                _ => {}
            }
            out.push(c);
        } else {
            match c {
                '"' => {
                    in_string = true;
                    out.push(c);
                }
                '\'' if chars.peek() == Some(&'\'') => {
                    chars.next();
                    out.push_str("\"\"");
                }
                '}' | ']' => {
                    out.truncate(out.trim_end().len());
                    if out.ends_with(',') {
                        out.pop();
                    }
                    out.push(c);
                }
                c if c.is_whitespace() || c == '\u{a0}' || c == '\u{feff}' => out.push(' '),
                c => out.push(c),
            }
        }
    }
    out
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
        ] {
            assert_eq!(only(page).as_deref(), Some("{\"a\":\"b\"}"), "{page}");
        }
        assert_eq!(only("<p>application/x</p>{\"a\":1}"), None);
    }

    #[test]
    fn the_usual_mistakes_are_repaired() {
        assert_eq!(
            only("<script type='application/x'>{\"a\":\"</script> x\",\"b\":'',\"c\":\"1\t2\n3\"}</script>").as_deref(),
            Some("{\"a\":\"</script> x\",\"b\":\"\",\"c\":\"1 2 3\"}")
        );
        let broken = Scripts::of_type("application/x", "<script type='application/x'>{\"a\": oops}</script>");
        assert_eq!((broken.values.len(), broken.broken), (0, 1));
        assert_eq!(Scripts::of_type("application/x", "<script type='application/x'>{\"a\":[").broken, 1);
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
