//! A second opinion on letters that load: what is allowed, and still likely to be a slip of the pen.

use crate::document::Problem;
use crate::domain::LetterKind;

use super::afs;
use super::data::{LetterData, Sender};
use super::library::{LetterFile, Letters};
use super::trial::Sample;

/// Characters of a subject that phones show, about: more is cut off.
const LONGEST_SUBJECT: usize = 78;

/// What is doubtful in an operator's files, by file and line.
pub fn lint(files: &[LetterFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files {
        let mut add = |line: usize, what: String, remedy: &str| {
            problems.push(Problem { line, column: 1, ..Problem::with_file(file.path.clone(), what, remedy) });
        };
        for (line, name) in afs::unknown(&file.text) {
            let known = afs::VARIABLES.map(|known| format!("[{known}]")).join(" ");
            add(
                line,
                format!("[{name}] is no variable and is sent as it stands"),
                &format!("the variables are {known}"),
            );
        }
        for (line, text) in (1..).zip(file.text.lines()) {
            let lower = text.to_ascii_lowercase();
            if lower.contains("href=\"http://") || lower.contains("src=\"http://") {
                add(line, "has an address that is not https".to_owned(), "write https://");
            }
            if lower.contains("<script") {
                add(line, "has a script, which no mail program runs".to_owned(), "take it out");
            }
        }
        for (line, tag) in images(&file.text) {
            if !tag.to_ascii_lowercase().contains("alt=") {
                let remedy = "write alt=\"what it shows\", or alt=\"\" for a mere ornament";
                add(line, "has an image without a text".to_owned(), remedy);
            }
        }
    }
    problems
}

/// The image elements of HTML or MJML with their line, from 1.
fn images(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lower = text.to_ascii_lowercase();
    let mut starts = ["<img", "<mj-image"].iter().flat_map(|tag| lower.match_indices(tag)).collect::<Vec<_>>();
    starts.retain(|(at, tag)| !lower[at + tag.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-'));
    let starts = starts.into_iter().map(|(at, _)| at).collect::<Vec<_>>();
    starts.into_iter().map(move |at| {
        let end = text[at..].find('>').map_or(text.len(), |end| at + end);
        (text[..at].matches('\n').count() + 1, &text[at..end])
    })
}

impl Letters {
    /// What is doubtful about the letters of this shop, with its own name, look and address in them.
    pub fn doubts(&self, sender: &Sender<'_>) -> Vec<Problem> {
        let Some(sample) = Sample::new() else { return Vec::new() };
        let edition = self.edition_of(sender.shop);
        let mut problems = Vec::new();
        for locale in edition.locales() {
            for kind in LetterKind::ALL {
                let letter = LetterData { sender: *sender, locale: Some(locale), ..sample.full(kind) };
                let (key, lang) = edition.locale(letter.locale, sender.locale);
                let Ok(parts) = edition.parts(&letter, key, lang) else { continue };
                let length = parts.subject.chars().count();
                let mut add = |file: String, what: String, remedy: &str| {
                    problems.push(Problem::with_file(
                        file,
                        format!("the {kind} of the shop {}: {what}", sender.shop),
                        remedy,
                    ));
                };
                let words = crate::wording::word_name(key, &format!("{kind}.subject"));
                if length > LONGEST_SUBJECT {
                    let what = format!("its subject has {length} characters, and mail programs cut it off");
                    add(edition.file(&words).to_owned(), what, "write at most 78");
                } else if length == 0 {
                    add(edition.file(&words).to_owned(), "its subject is empty".to_owned(), "write one");
                }
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_doubtful_is_told_with_its_line() {
        let file = |path: &str, text: &str| LetterFile { path: path.to_owned(), text: text.to_owned() };
        let files = [
            file(
                "invitation.afs.html",
                "<p>Hi [FirstName]</p>\n<IMG\nsrc=\"https://x.example/a.png\">\n<a href=\"http://x.example\">x</a>",
            ),
            file(
                "layout.mjml",
                "<mj-image src='https://x.example/a.png' />\n<mj-image alt=\"\" />\n<mj-images />\n<script>",
            ),
            file("sv/words.toml", "[invitation]\nsubject = \"[name] [sic]\""),
            file("de/words.toml", "button = \"[Name]\""),
        ];
        let found =
            lint(&files).iter().map(|one| format!("{}:{} {}", one.file, one.line, one.what)).collect::<Vec<_>>();
        let expected = [
            "invitation.afs.html:1 [FirstName] is no variable and is sent as it stands",
            "invitation.afs.html:4 has an address that is not https",
            "invitation.afs.html:2 has an image without a text",
            "layout.mjml:4 has a script, which no mail program runs",
            "layout.mjml:1 has an image without a text",
            "sv/words.toml:2 [name] is no variable and is sent as it stands",
        ];
        assert_eq!(found, expected);
    }
}
