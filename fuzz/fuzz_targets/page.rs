//! Any text as a page: HTML made harmless, its tree, its lines and cells.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|page: &str| invited::read::fuzzing::page(page));
