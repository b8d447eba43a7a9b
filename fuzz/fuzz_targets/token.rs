//! Any text as a link's token: refused, never a panic.
#![no_main]

use invited::domain::Timestamp;
use invited::link::{Purpose, Token};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(Token::verify(&[7; 32], Purpose::Review, text, Timestamp(0)).is_err());
});
