//! Any text as a template: it loads or is refused with problems that have a place, and what loads can read a mail.
#![no_main]

use invited::document::Document;
use invited::read::{Context, Reader, Templates};
use libfuzzer_sys::fuzz_target;

const MAIL: &[u8] = b"From: a@shop.example\r\nTo: b@example.org\r\nSubject: Your order 1024\r\n\r\nOrder ID: 1024\r\n";

fuzz_target!(|text: &str| {
    match Templates::with_overrides(vec![Document::new("fuzz.toml", text)]) {
        Ok(templates) => drop(Reader::new(templates).read(MAIL, &Context::default())),
        Err(problems) => assert!(!problems.is_empty()),
    }
});
