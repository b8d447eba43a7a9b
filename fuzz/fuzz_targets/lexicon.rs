//! Any text as a file of words.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|words: &str| invited::read::fuzzing::lexicon(words));
