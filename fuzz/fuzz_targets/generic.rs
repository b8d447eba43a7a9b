//! Any subject (the first line) and any body of a shop that nobody knows; a body that begins with `<` is HTML.
#![no_main]

use std::sync::OnceLock;

use invited::read::{Reader, Templates};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    static READER: OnceLock<Reader> = OnceLock::new();
    let reader = READER.get_or_init(|| {
        std::panic::set_hook(Box::new(|_| {}));
        Reader::new(Templates::embedded().generic_only())
    });
    let (subject, body) = text.split_once('\n').unwrap_or((text, ""));
    invited::read::fuzzing::generic(reader, subject, body.starts_with('<'), body);
});
