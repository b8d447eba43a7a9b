//! Any text as a configuration: a configuration or problems, never a panic.
#![no_main]

use std::path::Path;

use invited::document::Document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(problems) = invited::config::parse(&Document::new("invited.toml", text), Path::new("/etc/invited")) {
        assert!(!problems.is_empty());
    }
});
