//! Text that came from outside is cleaned once, where it is parsed: no control characters that could end a header or a
//! terminal line, no marks that turn the reading direction, no runs of white space, a bounded length.

/// Characters that a reader does not see and that change how the rest is shown or parsed: C0 and C1 controls, zero-width
/// and bidirectional marks (Unicode TR 36, "Trojan source"), line and paragraph separators, the byte-order mark.
pub fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180E}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// `text` with white space (no-break spaces too) collapsed to single blanks, invisible characters removed, trimmed, and cut
/// after `max_chars` characters.
pub fn clean(text: &str, max_chars: usize) -> String {
    let text = text.trim();
    if text.len() <= max_chars && is_clean_ascii(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len().min(max_chars * 4));
    let mut kept = 0;
    let mut blank = false;
    for c in text.chars() {
        if c.is_whitespace() {
            blank = true;
        } else if !is_invisible(c) {
            if blank && kept > 0 {
                if kept + 1 >= max_chars {
                    break;
                }
                out.push(' ');
                kept += 1;
            }
            blank = false;
            if kept == max_chars {
                break;
            }
            out.push(c);
            kept += 1;
        }
    }
    out
}

/// Whether a text without blanks around it is printable ASCII with single blanks, as most texts are.
fn is_clean_ascii(text: &str) -> bool {
    let mut before = 0;
    text.bytes().all(|byte| {
        let good = matches!(byte, b' '..=b'~') && (byte != b' ' || before != b' ');
        before = byte;
        good
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_forge_a_header_or_a_line_is_gone() {
        assert_eq!(clean("Bob\r\nBcc: v@x.test", 100), "Bob Bcc: v@x.test");
        assert_eq!(clean("a\u{202E}b\u{0}c\u{1b}[2J", 100), "abc[2J");
        assert_eq!(clean("  J\u{fc}rgen \u{a0}\t M\u{fc}ller\u{200b} ", 100), "J\u{fc}rgen M\u{fc}ller");
        assert_eq!(clean("\u{2028}\u{feff}", 100), "");
    }

    #[test]
    fn the_length_is_counted_in_characters() {
        assert_eq!(clean("\u{e5}\u{e4}\u{f6}\u{e5}", 3), "\u{e5}\u{e4}\u{f6}");
        assert_eq!(clean("ab cd", 3), "ab");
        assert_eq!(clean("ab cd", 4), "ab c");
        assert_eq!(clean(" ab cd ", 5), "ab cd");
        assert_eq!(clean("ab  c", 5), "ab c");
    }
}
