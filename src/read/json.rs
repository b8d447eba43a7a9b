//! JSON as shops write it. Their templates print values without quotes or with the wrong ones, escape them for HTML, leave commas
//! and control characters, and let an editor turn line ends into `<br>`. What is valid JSON (RFC 8259) is read as such, but for
//! numbers: they stay as they were written, since `0042` and `1.10` may be order references.

use serde_json::{Map, Value};

use super::scripts::starts_ignoring_case;
use crate::domain::is_invisible;

/// Values inside each other.
const LEVELS: usize = 64;
/// Values in all.
const VALUES: usize = 50_000;
/// Bytes of a value without quotes.
const BARE: usize = 500;
/// Bytes of a tag or a comment between values.
const TAG: usize = 500;

/// Quotes that open a string, with those that may close it.
const QUOTES: &[(&[&str], &[&str])] = &[
    (&["\""], &["\""]),
    (&["'"], &["'"]),
    (
        &["\u{201C}", "\u{201D}", "\u{201E}", "\u{201F}", "\u{2033}"],
        &["\u{201C}", "\u{201D}", "\u{201F}", "\u{2033}", "\""],
    ),
    (&["\u{2018}", "\u{2019}", "\u{201A}"], &["\u{2018}", "\u{2019}", "'"]),
    (&["&quot;", "&#34;", "&#034;", "&#x22;"], &["&quot;", "&#34;", "&#034;", "&#x22;"]),
    (&["&ldquo;", "&rdquo;", "&bdquo;"], &["&ldquo;", "&rdquo;"]),
    (&["&#39;", "&#039;", "&#x27;", "&apos;"], &["&#39;", "&#039;", "&#x27;", "&apos;"]),
    (&["&amp;quot;", "&amp;#34;"], &["&amp;quot;", "&amp;#34;"]),
];

/// Signs of placeholders that stand where a value should, with what ends them.
const PLACEHOLDERS: &[(&str, &str)] =
    &[("{{", "}}"), ("{%", "%}"), ("{$", "}"), ("${", "}"), ("#{", "}"), ("<%", "%>"), ("<?", "?>"), ("*|", "|*")];

/// The object or list that `text` begins with, and how many bytes it has. Numbers come as texts.
pub(super) fn parse(text: &str) -> Option<(Value, usize)> {
    let mut parser = Parser { text, at: 0, values: 0 };
    parser.blank();
    if !parser.rest().starts_with(['{', '[']) {
        return None;
    }
    let value = parser.value(0, false)?;
    Some((value, parser.at))
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    values: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    /// Goes over what may stand between values.
    fn blank(&mut self) {
        self.at += blank(self.rest());
    }

    fn value(&mut self, level: usize, in_object: bool) -> Option<Value> {
        self.values += 1;
        if level > LEVELS || self.values > VALUES {
            return None;
        }
        self.blank();
        if let Some(text) = self.placeholder() {
            return Some(Value::String(text));
        }
        if self.take("{") {
            return self.object(level);
        }
        if self.take("[") {
            return self.list(level);
        }
        match opener(self.rest()) {
            Some(quote) => self.string(quote, if in_object { After::Member } else { After::Item }).map(Value::String),
            None => self.bare(),
        }
    }

    fn object(&mut self, level: usize) -> Option<Value> {
        let mut object = Map::new();
        loop {
            self.blank();
            while self.take(",") {
                self.blank();
            }
            if self.take("}") {
                return Some(Value::Object(object));
            }
            let key = match opener(self.rest()) {
                Some(quote) => self.string(quote, After::Key)?,
                None => {
                    let name = identifier(self.rest());
                    self.at += name.len();
                    (!name.is_empty()).then(|| name.to_owned())?
                }
            };
            self.blank();
            if !self.take(":") {
                return None;
            }
            let value = self.value(level + 1, true)?;
            insert(&mut object, key, value);
            self.separator('}')?;
        }
    }

    fn list(&mut self, level: usize) -> Option<Value> {
        let mut items = Vec::new();
        loop {
            self.blank();
            while self.take(",") {
                self.blank();
            }
            if self.take("]") {
                return Some(Value::Array(items));
            }
            items.push(self.value(level + 1, false)?);
            self.separator(']')?;
        }
    }

    /// A value is over: a comma, the end, or a quote in the place of a forgotten comma.
    fn separator(&mut self, end: char) -> Option<()> {
        self.blank();
        let rest = self.rest();
        (rest.starts_with([',', end]) || opener(rest).is_some()).then_some(())
    }

    /// A string after its opening quote. A quote within that is followed by what cannot follow a string belongs to it.
    fn string(&mut self, (opening, closers): (usize, &'static [&'static str]), after: After) -> Option<String> {
        self.at += opening;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            if let Some(closer) = closers.iter().find(|closer| rest.starts_with(**closer))
                && after.may_follow(&rest[closer.len()..])
            {
                self.at += closer.len();
                return Some(out);
            }
            let c = rest.chars().next()?;
            self.at += c.len_utf8();
            match c {
                '\\' => self.escape(&mut out),
                c if c.is_control() => out.push(' '),
                c => out.push(c),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, out: &mut String) {
        let Some(c) = self.rest().chars().next() else { return };
        self.at += c.len_utf8();
        match c {
            'n' | 'r' | 't' | 'b' | 'f' => out.push(' '),
            'u' => {
                let Some(first) = self.hex() else { return out.push('\u{FFFD}') };
                let mut units = vec![first];
                if (0xD800..0xDC00).contains(&first) && self.rest().starts_with("\\u") {
                    self.at += 2;
                    units.extend(self.hex());
                }
                out.extend(char::decode_utf16(units).map(|c| c.unwrap_or('\u{FFFD}')));
            }
            c => out.push(c),
        }
    }

    fn hex(&mut self) -> Option<u16> {
        let unit = u16::from_str_radix(self.rest().get(..4)?, 16).ok()?;
        self.at += 4;
        Some(unit)
    }

    /// A placeholder that stands where a value should, such as `{{ order.id }}`.
    fn placeholder(&mut self) -> Option<String> {
        let rest = self.rest();
        let single = rest
            .strip_prefix('{')
            .and_then(|inside| inside[identifier(inside).len()..].strip_prefix('}'))
            .map(|after| rest.len() - after.len())
            .filter(|length| *length > 2);
        let paired = PLACEHOLDERS.iter().find_map(|(open, close)| {
            let inside = rest.strip_prefix(open)?;
            let mut end = inside.len().min(BARE);
            while !inside.is_char_boundary(end) {
                end -= 1;
            }
            Some(open.len() + inside[..end].find(close)? + close.len())
        });
        let length = paired.or(single)?;
        self.at += length;
        Some(rest[..length].to_owned())
    }

    /// A value without quotes: a number, a word, a text whose quotes were forgotten, or nothing at all.
    fn bare(&mut self) -> Option<Value> {
        let rest = self.rest();
        let end = rest.find(|c: char| matches!(c, ',' | '}' | ']' | '<' | '"' | ':' | '{' | '[') || c.is_control())?;
        if end > BARE || rest[end..].starts_with(['"', ':', '{', '[']) {
            return None;
        }
        self.at += end;
        let text = rest[..end].trim();
        Some(match text {
            "" | "null" | "undefined" | "None" | "nil" | "NaN" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            text => Value::String(text.to_owned()),
        })
    }
}

/// Puts a member into an object. A name that comes twice with two values has both, as a list: which one is meant nobody knows.
fn insert(object: &mut Map<String, Value>, key: String, value: Value) {
    match object.get_mut(&key) {
        None => drop(object.insert(key, value)),
        Some(known) if *known == value => {}
        Some(Value::Array(values)) => values.push(value),
        Some(known) => *known = Value::Array(vec![known.take(), value]),
    }
}

/// What a string is, which decides what follows it.
#[derive(Clone, Copy)]
enum After {
    Key,
    Member,
    Item,
}

impl After {
    fn may_follow(self, rest: &str) -> bool {
        let length = blank(rest);
        let (between, next) = (&rest[..length], &rest[length..]);
        match (self, next.chars().next()) {
            (Self::Key, sign) => sign == Some(':'),
            (_, None | Some('}' | ']')) => true,
            (Self::Item, Some(',')) => true,
            (Self::Member, Some(',')) => is_member(next[1..].trim_start_matches(',')),
            // A forgotten comma, with the next member on a line of its own.
            _ => between.contains('\n') && is_member(next),
        }
    }
}

/// Whether a member begins here, or an object ends.
fn is_member(text: &str) -> bool {
    let text = &text[blank(text)..];
    let name = identifier(text);
    text.is_empty()
        || text.starts_with(['}', ','])
        || opener(text).is_some()
        || (!name.is_empty() && text[name.len()..].trim_start().starts_with(':'))
}

fn identifier(text: &str) -> &str {
    let end =
        text.bytes().take(100).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'@' | b'$')).count();
    let name = &text[..end];
    if name.starts_with(|c: char| c.is_ascii_digit()) { "" } else { name }
}

/// The length of the quote that `text` begins with, and what closes it.
fn opener(text: &str) -> Option<(usize, &'static [&'static str])> {
    QUOTES.iter().find_map(|(open, close)| {
        open.iter().find(|quote| text.starts_with(**quote)).map(|quote| (quote.len(), *close))
    })
}

/// How many bytes of `text` may stand between values: blanks of all kinds, line ends that were escaped once more, tags, comments.
fn blank(text: &str) -> usize {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || is_invisible(c));
        let skipped = match rest.as_bytes().first() {
            Some(b'&') => {
                ["&nbsp;", "&#160;", "&#xA0;", "&#13;", "&#10;"].iter().find_map(|sign| rest.strip_prefix(sign))
            }
            Some(b'\\') => ["\\n", "\\r", "\\t"].iter().find_map(|sign| rest.strip_prefix(sign)),
            Some(b'<') => tag(rest),
            Some(b'/') => comment(rest),
            _ => None,
        };
        match skipped {
            Some(after) => rest = after,
            None => return text.len() - rest.len(),
        }
    }
}

/// What follows the tag that `text` begins with. The end of the script ends everything.
fn tag(text: &str) -> Option<&str> {
    let named = text[1..].trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphabetic());
    if !named || starts_ignoring_case(text, "</script") || starts_ignoring_case(text, "<script") {
        return None;
    }
    let end = text.bytes().take(TAG).position(|byte| byte == b'>')?;
    Some(&text[end + 1..])
}

fn comment(text: &str) -> Option<&str> {
    let (end, length) = match text.as_bytes().get(1)? {
        b'*' => (text.as_bytes().windows(2).take(TAG).position(|two| two == b"*/")?, 2),
        b'/' => (text.bytes().take(TAG).position(|byte| byte == b'\n')?, 1),
        _ => return None,
    };
    Some(&text[end + length..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_json_is_what_it_is_but_for_numbers() {
        for text in [
            r#"{"a":"b","c":[{"d":null},true,false,[],{}],"e":{"f":"g"}}"#,
            r#"["\u00d6rjan \ud83d\ude00 \"x\", 'y' \/ \\",""]"#,
            "{ \"a\" : \"it's, so\" ,\r\n\t\"b\":\"{{ x }}\" }",
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text), Some((expected, text.len())), "{text}");
        }
        let numbers = parse(r#"{"a":0042,"b":1.10,"c":-5,"d":123456789012345678901234}rest"#);
        let expected = serde_json::json!({"a": "0042", "b": "1.10", "c": "-5", "d": "123456789012345678901234"});
        assert_eq!(numbers.map(|(value, _)| value), Some(expected));
    }

    #[test]
    fn mistakes_are_understood_where_they_can_only_mean_one_thing() {
        let wanted = serde_json::json!({"a": "b", "c": "d"});
        for text in [
            "{\"a\":\"b\",\"c\":\"d\",}",
            "\u{feff}{,\"a\":\"b\",,\"c\":\"d\"}",
            "{'a':'b','c':'d'}",
            "{a: 'b', c: \"d\"}",
            "{\u{201c}a\u{201d}: \u{201c}b\u{201d}, \u{201e}c\u{201c}: \u{201c}d\u{201d}}",
            "{\u{2018}a\u{2019}: \u{2018}b\u{2019}, \"c\": \u{201c}d\"}",
            "{&quot;a&quot;:&quot;b&quot;,&quot;c&quot;:&#34;d&#34;}",
            "{&#039;a&#039;:&#39;b&#39;,c:d}",
            "{&amp;quot;a&amp;quot;:&amp;quot;b&amp;quot;,c:d}",
            "{&ldquo;a&rdquo;:&ldquo;b&rdquo;,c:d}",
            "{<br />\n\"a\":\"b\",<br>\n<p>\"c\":\"d\"</p>}",
            "{\"a\":\"b\"\n\"c\":\"d\"}",
            "{\"a\":\"b\", // the name\n /* and */ \"c\":\"d\"}",
            "{\u{a0}\"a\":&nbsp;\"b\",\"c\":\"d\"}",
            "{\"a\":\"b\",\"c\":d}",
            "{\"a\":\"b\",\"a\":\"b\",\"c\":\"d\"}",
        ] {
            assert_eq!(parse(text).map(|(value, _)| value).as_ref(), Some(&wanted), "{text}");
        }
        for (text, value) in [
            ("{\"a\":\"17\" screen, \"wide\"\"}", "17\" screen, \"wide\""),
            ("{\"a\":\"Poster \"Rock\", 50x70\",\"b\":\"\"}", "Poster \"Rock\", 50x70"),
            ("{'a':'Sean O'Connor'}", "Sean O'Connor"),
            ("{\"a\":\"1\t2\n3\"}", "1 2 3"),
            ("{\"a\":\"</script> x\"}", "</script> x"),
            ("{\"a\":\"\\u003c/script\\u003E\"}", "</script>"),
            ("{\"a\":&quot;Tom &amp; &quot;Jo&quot;.&quot;}", "Tom &amp; &quot;Jo&quot;."),
            ("{\"a\": {{ order.id }} }", "{{ order.id }}"),
            ("{\"a\": {$id}, \"b\":1}", "{$id}"),
            ("{\"a\": {order_id}, \"b\":1}", "{order_id}"),
            ("{\"a\": <%= order.id %>}", "<%= order.id %>"),
            ("{\"a\": ${x}}", "${x}"),
            ("{\"a\": %ORDER%}", "%ORDER%"),
        ] {
            assert_eq!(
                parse(text).and_then(|(all, _)| all["a"].as_str().map(str::to_owned)).as_deref(),
                Some(value),
                "{text}"
            );
        }
        for text in ["{\"a\":}", "{\"a\": ,\"b\":1}", "{\"a\":undefined}", "{\"a\":None}"] {
            assert_eq!(parse(text).map(|(all, _)| all["a"].clone()), Some(Value::Null), "{text}");
        }
    }

    #[test]
    fn two_values_of_one_name_are_both_kept() {
        let twice = parse(r#"{"a":"1","a":"2"}"#).map(|(value, _)| value);
        assert_eq!(twice, Some(serde_json::json!({"a": ["1", "2"]})));
    }

    #[test]
    fn what_is_no_json_is_not_read() {
        for text in [
            "",
            "x",
            "{",
            "{\"a\"",
            "{\"a\":[",
            "{\"a\":\"b}",
            "{\"a\" \"b\"}",
            "{a b}",
            "{\"a\": b: c}",
            "\"a\"",
            "{\"a\":1</script>",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
        assert_eq!(parse(&"{\"a\":".repeat(100_000)), None);
        assert_eq!(parse(&format!("[{}", "\"\" ".repeat(200_000))), None);
    }
}
