//! From bytes to text. An encoding is decided for a whole file: by its byte-order mark, else by whether it is UTF-8 throughout. What
//! is neither was written by an older Windows program of western Europe.

use std::fmt;

use super::Fault;

/// How a file is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with a byte-order mark or without.
    Utf8,
    /// UTF-16, with a byte-order mark, in either order of bytes.
    Utf16,
    /// Windows-1252, as older spreadsheets of western Europe write.
    Windows1252,
}

/// As it is said to people.
impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16 => "UTF-16",
            Self::Windows1252 => "Windows-1252",
        })
    }
}

/// What Windows-1252 has where Latin-1 has C1 controls (0x80 to 0x9F); the replacement character where it has nothing.
const WINDOWS_1252: [char; 32] = [
    '\u{20AC}', '\u{FFFD}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2C6}',
    '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{FFFD}', '\u{17D}', '\u{FFFD}', '\u{FFFD}', '\u{2018}',
    '\u{2019}', '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2DC}', '\u{2122}', '\u{161}',
    '\u{203A}', '\u{153}', '\u{FFFD}', '\u{17E}', '\u{178}',
];

/// What to do with a file that is in none of them.
const REMEDY: &str = "save it as CSV in UTF-8";

/// The text of a file, and in which encoding it was.
///
/// # Errors
/// With the line, where the bytes are no text in the encoding that the file has.
pub fn decode(bytes: &[u8]) -> Result<(Encoding, String), Fault> {
    if let Some(rest) = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]) {
        return match std::str::from_utf8(rest) {
            Ok(text) => Ok((Encoding::Utf8, text.to_owned())),
            Err(error) => {
                let what = "has bytes that are no UTF-8, though the file begins with UTF-8's mark";
                Err(Fault::row(line_at(rest, error.valid_up_to()), what, REMEDY))
            }
        };
    }
    match bytes {
        [0xFF, 0xFE, rest @ ..] => return utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => return utf16(rest, u16::from_be_bytes),
        _ => {}
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let what = "has a NUL byte, so the file is no table in text, or UTF-16 without its mark";
        return Err(Fault::row(line_at(bytes, at), what, REMEDY));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok((Encoding::Utf8, text.to_owned()));
    }
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for (at, byte) in bytes.iter().enumerate() {
        let c = match byte {
            0x80..=0x9F => WINDOWS_1252[usize::from(byte - 0x80)],
            _ => char::from(*byte),
        };
        if c == '\u{FFFD}' {
            let what = format!("has the byte {byte:02X}, which is neither UTF-8 nor Windows-1252");
            return Err(Fault::row(line_at(bytes, at), what, REMEDY));
        }
        text.push(c);
    }
    Ok((Encoding::Windows1252, text))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<(Encoding, String), Fault> {
    let broken = || Fault::file("the file begins with UTF-16's mark, but what follows is no UTF-16", REMEDY);
    let (pairs, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(broken());
    }
    let text = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<String, _>>();
    let text = text.map_err(|_| broken())?;
    if text.contains('\0') {
        return Err(broken());
    }
    Ok((Encoding::Utf16, text))
}

/// The line in which a byte stands, from 1.
fn line_at(bytes: &[u8], at: usize) -> u64 {
    let before = bytes.get(..at).unwrap_or(bytes);
    let breaks = before.iter().enumerate().filter(|(index, byte)| match byte {
        b'\n' => true,
        b'\r' => before.get(index + 1) != Some(&b'\n'),
        _ => false,
    });
    1 + breaks.count() as u64
}
