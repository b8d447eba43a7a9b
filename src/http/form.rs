//! What a form brings, read strictly: each field once, in UTF-8, within bounds, and none that the form does not have. What cannot be
//! read is replaced and noted, so that the customer gets the rest of what was typed back.

use axum::http::{HeaderMap, header};
use percent_encoding::percent_decode;

/// The largest form, bytes. The longest review is a tenth of this.
pub(super) const LARGEST: usize = 64 * 1_024;

/// Fields of one form at most: a review of a shop and of a hundred products has fewer.
const FIELDS: usize = 512;

/// The fields of a form, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    fields: Vec<(String, String)>,
    /// Whether there were bytes that are no UTF-8, of which replacement characters are left.
    pub(super) broken: bool,
}

/// Why a body is no form of ours. None of it happens to somebody who fills in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoForm {
    /// Another media type than those of forms.
    MediaType,
    /// It cannot be taken apart.
    Malformed,
    /// A field stands in it twice.
    Doubled,
    /// A field that the form does not have.
    Unknown,
}

impl Form {
    /// The form in a body. Its fields are no others than `known`.
    pub(super) fn read(headers: &HeaderMap, body: &[u8], known: impl Fn(&str) -> bool) -> Result<Self, NoForm> {
        let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (kind, parameters) = media_type.split_once(';').unwrap_or((media_type, ""));
        let raw = match kind.trim().to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => urlencoded(body),
            "multipart/form-data" => multipart(body, boundary(parameters).ok_or(NoForm::Malformed)?),
            _ => Err(NoForm::MediaType),
        }?;
        let mut form = Self::default();
        for (name, value) in raw {
            let name = String::from_utf8(name).map_err(|_| NoForm::Unknown)?;
            if !known(&name) {
                return Err(NoForm::Unknown);
            }
            if form.fields.iter().any(|(other, _)| *other == name) {
                return Err(NoForm::Doubled);
            }
            let value = String::from_utf8(value).unwrap_or_else(|error| {
                form.broken = true;
                String::from_utf8_lossy(error.as_bytes()).into_owned()
            });
            form.fields.push((name, value));
        }
        Ok(form)
    }

    /// Names and values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A field's value; empty when the field is not there, as a browser sends a field that was left empty.
    pub(super) fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }
}

type Raw = Vec<(Vec<u8>, Vec<u8>)>;

/// `application/x-www-form-urlencoded` of the URL standard, in bytes.
fn urlencoded(body: &[u8]) -> Result<Raw, NoForm> {
    let decoded = |bytes: &[u8]| {
        let spaced = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect::<Vec<_>>();
        percent_decode(&spaced).collect::<Vec<_>>()
    };
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
        (decoded(name), decoded(value))
    });
    let pairs = pairs.take(FIELDS + 1).collect::<Vec<_>>();
    if pairs.len() > FIELDS { Err(NoForm::Malformed) } else { Ok(pairs) }
}

/// The boundary among the parameters of `multipart/form-data` (RFC 2046 5.1.1).
fn boundary(parameters: &str) -> Option<&str> {
    let parameter = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value.trim())
    })?;
    let value = parameter.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(parameter);
    let fine = (1..=70).contains(&value.len()) && value.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    fine.then_some(value)
}

/// `multipart/form-data` (RFC 7578): what RFC 8058 lets a mailbox provider send. Parts are texts; a file is none of ours.
fn multipart(body: &[u8], boundary: &str) -> Result<Raw, NoForm> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    // The first delimiter has no line before it.
    let body = [b"\r\n", body].concat();
    let mut rest = split_at(&body, &delimiter).ok_or(NoForm::Malformed)?.1;
    let mut fields = Vec::new();
    while !rest.starts_with(b"--") {
        let (part, behind) = split_at(rest, &delimiter).ok_or(NoForm::Malformed)?;
        let (head, value) = split_at(part, b"\r\n\r\n").ok_or(NoForm::Malformed)?;
        fields.push((part_name(head).ok_or(NoForm::Malformed)?, value.to_vec()));
        if fields.len() > FIELDS {
            return Err(NoForm::Malformed);
        }
        rest = behind;
    }
    Ok(fields)
}

fn part_name(head: &[u8]) -> Option<Vec<u8>> {
    let head = std::str::from_utf8(head).ok()?;
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let name = line.split(';').find_map(|parameter| parameter.trim().strip_prefix("name="))?;
    let name = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(name);
    Some(name.as_bytes().to_vec())
}

/// What stands before and behind the first `mark`.
fn split_at<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::find(text, mark)?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(media_type: &str, body: &[u8]) -> Result<Form, NoForm> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        Form::read(&headers, body, |name| ["a", "b", "List-Unsubscribe"].contains(&name))
    }

    const URLENCODED: &str = "application/x-www-form-urlencoded";

    #[test]
    fn fields_are_decoded_and_what_is_no_text_is_replaced_and_noted() {
        for (body, a, b, broken) in [
            ("a=1&b=2", "1", "2", false),
            ("a=x+y%21&b", "x y!", "", false),
            ("a=%C3%A5&b=%E2%9C%93", "å", "✓", false),
            ("a=%FFx&b=kept", "\u{fffd}x", "kept", true),
            ("a=%E5&b=", "\u{fffd}", "", true),
            ("a=50%&b=%zz", "50%", "%zz", false),
            ("a=b=c&&b=%26", "b=c", "&", false),
            ("", "", "", false),
        ] {
            let form = read(URLENCODED, body.as_bytes()).unwrap();
            assert_eq!((form.get("a"), form.get("b"), form.broken), (a, b, broken), "{body}");
        }
        let with_charset = read("application/x-www-form-urlencoded; charset=utf-8", b"a=1").unwrap();
        assert_eq!(with_charset.get("a"), "1");
    }

    #[test]
    fn what_no_page_of_ours_sends_is_no_form() {
        let many = "a=1&".repeat(10_000);
        for (media_type, body, expected) in [
            (URLENCODED, "a=1&a=2", NoForm::Doubled),
            (URLENCODED, "a=1&c=2", NoForm::Unknown),
            (URLENCODED, "%FF=1", NoForm::Unknown),
            (URLENCODED, many.as_str(), NoForm::Malformed),
            ("application/json", "{}", NoForm::MediaType),
            ("text/plain", "a=1", NoForm::MediaType),
            ("multipart/form-data", "a", NoForm::Malformed),
            ("multipart/form-data; boundary=x", "a", NoForm::Malformed),
            ("multipart/form-data; boundary=x", "--x\r\n\r\na\r\n--x--", NoForm::Malformed),
            (
                "multipart/form-data; boundary=x",
                "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1",
                NoForm::Malformed,
            ),
        ] {
            assert_eq!(read(media_type, body.as_bytes()), Err(expected), "{media_type} {body:.60}");
        }
    }

    #[test]
    fn the_multipart_body_of_rfc_8058_is_read() {
        let body = b"--XX\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--XX--\r\n";
        let form = read("multipart/form-data; boundary=\"XX\"", body).unwrap();
        assert_eq!(form.get("List-Unsubscribe"), "One-Click");
        let two = b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nline\r\n--X\r\n--XX\r\ncontent-disposition: form-data; name=\"b\"\r\nContent-Type: text/plain\r\n\r\n\r\n--XX--";
        let form = read("Multipart/Form-Data; boundary=XX", two).unwrap();
        assert_eq!((form.get("a"), form.get("b")), ("line\r\n--X", ""));
    }
}
