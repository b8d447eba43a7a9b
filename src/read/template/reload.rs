//! Loading templates anew while a daemon runs: one file with a mistake does not keep the changes of the others out, and leaves the
//! shop with what was in force before.

use super::Templates;
use crate::document::{Document, Problem};

impl Templates {
    /// The files of the shop's own that are in force, as they were written.
    pub fn files(&self) -> &[Document] {
        &self.files
    }

    /// Loads the files anew, laid over the templates that ship. Of a file that does not load, the text that was in force `before`
    /// goes on; one that was not there then is left out, so that a template of its name that ships goes on. Where not even that
    /// loads, because files need each other, everything stays as it was. With the templates comes everything that is wrong.
    pub fn reloaded(files: Vec<Document>, before: &[Document]) -> (Self, Vec<Problem>) {
        Self::reloaded_by(Self::with_overrides, files, before)
    }

    fn reloaded_by(
        load: impl Fn(Vec<Document>) -> Result<Self, Vec<Problem>>,
        mut files: Vec<Document>,
        before: &[Document],
    ) -> (Self, Vec<Problem>) {
        let mut told: Vec<Problem> = Vec::new();
        loop {
            let problems = match load(files.clone()) {
                Ok(templates) => return (templates, told),
                Err(problems) => problems,
            };
            let mut stuck = true;
            files.retain_mut(|file| {
                if !problems.iter().any(|problem| problem.file == file.file()) {
                    return true;
                }
                match before.iter().find(|known| known.file() == file.file()) {
                    Some(known) if known.text() != file.text() => {
                        *file = known.clone();
                        stuck = false;
                        true
                    }
                    // What was in force does not load with the others as they are now.
                    Some(_) => true,
                    None => {
                        stuck = false;
                        false
                    }
                }
            });
            told.extend(problems);
            if stuck {
                let old = load(before.to_vec()).unwrap_or_else(|_| Self::embedded());
                return (old, told);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, subject: &str) -> Document {
        Document::new(
            format!("{name}.toml"),
            format!(
                "name = \"{name}\"\n[[match]]\nheader = \"X-{name}\"\n[[mail]]\nname = \"{subject}\"\nevent = \"placed\"\n\
                 when = {{ subject = \"{subject}\" }}\n"
            ),
        )
    }

    fn broken(name: &str) -> Document {
        Document::new(format!("{name}.toml"), format!("name = \"{name}\"\n[[match]]\nheadr = \"X\"\n"))
    }

    /// Without the templates that ship, which take their time.
    fn alone(files: Vec<Document>, before: &[Document]) -> (Templates, Vec<Problem>) {
        let load = |files: Vec<Document>| {
            let shipped = Vec::new();
            crate::read::template::load::load(files.clone(), shipped, crate::read::embedded::lexicon())
                .map(|templates| Templates { files, ..templates })
        };
        Templates::reloaded_by(load, files, before)
    }

    /// The kinds of mail of the shop's own templates, and what was told.
    fn reloaded(files: Vec<Document>, before: &[Document]) -> (Vec<String>, Vec<String>) {
        let (templates, told) = alone(files, before);
        let names =
            templates.files().iter().map(|file| file.file().trim_end_matches(".toml").to_owned()).collect::<Vec<_>>();
        let kinds = templates.mails().filter(|(name, _)| names.iter().any(|own| own == name));
        (kinds.map(|(name, mail)| format!("{name} {mail}")).collect(), told.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_file_with_a_mistake_goes_on_as_it_was_and_the_others_are_new() {
        let before = [file("acme", "old"), file("other", "old")];
        let (kinds, told) = reloaded(vec![broken("acme"), file("other", "new"), file("third", "new")], &before);
        assert_eq!(kinds, ["acme old", "other new", "third new"]);
        assert_eq!(told, ["acme.toml:3:1: match[0].headr: is no key of this table; did you mean \"header\"?"]);
    }

    #[test]
    fn a_new_file_with_a_mistake_is_left_out_and_what_ships_goes_on() {
        let (kinds, told) = reloaded(vec![broken("shopify"), file("acme", "new")], &[]);
        assert_eq!((kinds, told.len()), (vec!["acme new".to_owned()], 1));
        let (templates, _) = Templates::reloaded(vec![broken("shopify")], &[]);
        assert!(templates.mails().any(|(name, mail)| name == "shopify" && mail == "order"));
    }

    #[test]
    fn a_file_that_was_taken_away_is_gone_and_one_without_mistake_is_not_told_of() {
        let (kinds, told) = reloaded(vec![file("other", "old")], &[file("acme", "old"), file("other", "old")]);
        assert_eq!((kinds, told.len()), (vec!["other old".to_owned()], 0));
    }

    #[test]
    fn files_that_do_not_go_together_stay_as_they_were() {
        // The template that is in force has the name that a new file, which comes first, gives itself too.
        let mut copy = file("acme", "new");
        copy = Document::new("aaa.toml", copy.text());
        let (kinds, told) = reloaded(vec![copy, file("acme", "old")], &[file("acme", "old")]);
        assert_eq!(kinds, ["acme old"]);
        assert!(told[0].contains("two files are the template \"acme\""), "{told:?}");
    }

    #[test]
    fn words_with_a_mistake_go_on_as_they_were() {
        let words = |order: &str| Document::new("sv.toml", format!("language = \"sv\"\n[labels]\n{order}\n"));
        let before = [words("order_words = [\"order\"]")];
        let (templates, told) = alone(vec![words("order_wrds = [\"order\"]"), file("acme", "new")], &before);
        assert_eq!(templates.files()[0].text(), before[0].text());
        assert_eq!((templates.files().len(), told.len()), (2, 1));
    }
}
