//! Any text as a link's token or ticket: refused, never a panic.
#![no_main]

use invited::domain::Timestamp;
use invited::link::{LinkKeys, OrderTicket, Place, Purpose, Site, Token};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let keys = LinkKeys::new((1, [7; 32]), [(2, [8; 32])]);
    for purpose in Purpose::ALL {
        assert!(Token::verify(&keys, purpose, text, Timestamp(0)).is_err());
    }
    assert!(OrderTicket::open(&keys, text, Timestamp(0)).is_err());
    let _ = (Token::claimed_key(text), OrderTicket::claimed_key(text));
    if let Some(Place::Review(token) | Place::Order(token)) = Site::new("https://r.example").place(text) {
        assert!(text.contains(token) && !token.is_empty());
    }
});
