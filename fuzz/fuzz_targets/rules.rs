//! Any template that loads, against any mail: what stands before the first NUL is the template, what follows it the mail. Input
//! without a NUL is a template for a mail that never changes.
#![no_main]

use std::sync::Once;

use libfuzzer_sys::{Corpus, fuzz_target};

const MAIL: &str = "From: a@shop.example\r\nTo: b@example.org\r\nSubject: Your order 1024\r\nContent-Type: text/html\r\n\r\n\
    <table><tr><th>Product</th><th>Qty</th></tr><tr><td>Lamp</td><td>2</td></tr></table><p>Order ID: 1024<br>Name: Bo Ek";

fuzz_target!(|data: &[u8]| -> Corpus {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let Some(Ok(template)) = parts.next().map(std::str::from_utf8) else { return Corpus::Reject };
    match invited::read::fuzzing::rules(template, parts.next().unwrap_or(MAIL.as_bytes())) {
        Some(()) => Corpus::Keep,
        None => Corpus::Reject,
    }
});
