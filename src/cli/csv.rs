//! Tables as text (RFC 4180), written. They are safe to open in a spreadsheet: a cell that a program there would take for a formula
//! begins with an apostrophe, which reading ([`crate::table`]) takes off again.

use std::borrow::Cow;

use crate::table::FORMULA;

/// One record as a line without its end.
pub(super) fn record(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut line = String::new();
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            line.push(',');
        }
        let cell = guarded(cell.as_ref());
        // Some programs split at semicolons and tabs too.
        if cell.contains([',', '"', '\n', '\r', ';', '\t']) || cell.trim() != cell {
            line.push('"');
            line.push_str(&cell.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(&cell);
        }
    }
    line
}

/// A cell that no spreadsheet takes for a formula.
fn guarded(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(FORMULA) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::rows_of;

    #[test]
    fn a_record_is_read_as_it_was_written_and_no_formula_is_in_it() {
        for cells in [
            ["anna@x.test", "a, \"b\"; c", "two\nlines"],
            ["=SUM(A1)@x.test", "+49 1", "-x"],
            ["@x.test", "'=1", "''"],
            ["", " blank ", "\tx"],
        ] {
            let line = record(cells);
            let (_, rows) = rows_of(&line, |_| false).expect("one record");
            let [row] = &rows[..] else { panic!("{rows:?}") };
            assert!(!line.split(',').any(|cell| cell.starts_with(['=', '+', '-', '@', '\t'])), "{line}");
            // Blanks around a value are nobody's; behind the apostrophe they stay.
            let trimmed = |cell: &str| if cell.starts_with('\t') { cell.to_owned() } else { cell.trim().to_owned() };
            assert_eq!(row.cells, cells.map(trimmed), "{line}");
        }
    }
    #[test]
    fn no_value_is_a_formula_in_whatever_spreadsheet() {
        for (value, written) in [
            ("plain", "plain"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("a;b", "\"a;b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "\"'\tx\""),
            ("\rx", "\"'\rx\""),
            ("\0x", "'\0x"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\u{ff0b}1", "'\u{ff0b}1"),
            ("\u{ff0d}1", "'\u{ff0d}1"),
            ("\u{ff20}x", "'\u{ff20}x"),
            ("=HYPERLINK(\"http://a\",\"b\")", "\"'=HYPERLINK(\"\"http://a\"\",\"\"b\"\")\""),
            ("1=1", "1=1"),
            ("'x", "''x"),
            (" x", "\" x\""),
        ] {
            assert_eq!(record([value]), written, "{value:?}");
        }
        assert_eq!(record(["a", "b,c"]), "a,\"b,c\"");
    }
}
