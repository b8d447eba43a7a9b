//! Tables as text (RFC 4180), read and written. What is written is safe to open in a spreadsheet: a cell that a program there would take
//! for a formula begins with an apostrophe, which reading takes off again.

use std::borrow::Cow;

/// Characters with which a spreadsheet takes a cell for a formula (OWASP, "CSV Injection"), and the one that says it is none.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// One record as a line without its end.
pub(super) fn record<'c>(cells: impl IntoIterator<Item = &'c str>) -> String {
    let mut line = String::new();
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            line.push(',');
        }
        let cell = guarded(cell);
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

/// A cell as it was before it was [`guarded`].
pub(super) fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA)).unwrap_or(cell)
}

/// A record, with the number of its first line.
pub(super) type Record = (usize, Vec<String>);

/// The records of a text. Empty lines are none. A quote that is left open is an error with the line in which it begins.
pub(super) fn records(text: &str, separator: char) -> Result<Vec<Record>, usize> {
    let mut records = Vec::new();
    let (mut cells, mut cell, mut was_quoted) = (Vec::new(), String::new(), false);
    let (mut line, mut first_line) = (1, 1);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if cell.is_empty() && !was_quoted => {
                was_quoted = true;
                let opened = line;
                loop {
                    match characters.next() {
                        Some('"') if characters.peek() == Some(&'"') => {
                            characters.next();
                            cell.push('"');
                        }
                        Some('"') => break,
                        Some(c) => {
                            line += usize::from(c == '\n');
                            cell.push(c);
                        }
                        None => return Err(opened),
                    }
                }
            }
            c if c == separator => {
                cells.push(std::mem::take(&mut cell));
                was_quoted = false;
            }
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' => {
                finish(&mut records, &mut cells, &mut cell, was_quoted, first_line);
                was_quoted = false;
                line += 1;
                first_line = line;
            }
            c => cell.push(c),
        }
    }
    finish(&mut records, &mut cells, &mut cell, was_quoted, first_line);
    Ok(records)
}

fn finish(records: &mut Vec<Record>, cells: &mut Vec<String>, cell: &mut String, was_quoted: bool, line: usize) {
    if cells.is_empty() && cell.trim().is_empty() && !was_quoted {
        cell.clear();
        return;
    }
    cells.push(std::mem::take(cell));
    records.push((line, std::mem::take(cells)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_no_formula_is_in_it() {
        for cells in [
            ["anna@x.test", "a, \"b\"; c", "two\nlines"],
            ["=SUM(A1)@x.test", "+49 1", "-x"],
            ["@x.test", "'=1", "''"],
            ["", " blank ", "\tx"],
        ] {
            let line = record(cells);
            let read = records(&line, ',').expect("one record");
            let [(1, read)] = &read[..] else { panic!("{read:?}") };
            for cell in read {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{line}");
            }
            assert_eq!(read.iter().map(|cell| unguarded(cell)).collect::<Vec<_>>(), cells, "{line}");
        }
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        let text = "a;b\r\n\r\n\"x\ny\";2\n3;\"\"";
        assert_eq!(
            records(text, ';'),
            Ok(vec![
                (1, vec!["a".to_owned(), "b".to_owned()]),
                (3, vec!["x\ny".to_owned(), "2".to_owned()]),
                (5, vec!["3".to_owned(), String::new()])
            ])
        );
        assert_eq!(records("a\n\"b\nc", ','), Err(2));
    }
}
