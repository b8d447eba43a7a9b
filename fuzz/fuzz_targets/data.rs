//! Any text as the data of a page: the snippet, JSON-LD, microdata.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|page: &str| invited::read::fuzzing::data(page));
