//! Any bytes as a mail: the reader answers, and what it takes for an event is complete and holds no control characters.
#![no_main]

use std::sync::OnceLock;

use invited::domain::Outcome;
use invited::read::{Context, Reader, Templates};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|mail: &[u8]| {
    static READER: OnceLock<Reader> = OnceLock::new();
    let reader = READER.get_or_init(|| {
        // The harness aborts at the first panic. The reader catches those of the MIME parser, which is its promise, so only
        // what comes out of it may end the run.
        std::panic::set_hook(Box::new(|_| {}));
        Reader::new(Templates::embedded())
    });
    let own = ["in.invited.example".to_owned()];
    let reading = reader.read(mail, &Context { shop_domains: &[], own_domains: &own, locale: Some("sv"), consent_words: &[] });
    assert_eq!(reading.outcome == Outcome::Event, reading.order_event().is_some());
    assert_eq!(reading.outcome == Outcome::Event, reading.reason.is_none());
    assert!(!reading.reason.as_deref().is_some_and(|reason| reason.contains("the reader failed")));
    for finding in &reading.findings {
        assert!(!finding.value.chars().any(char::is_control), "{}", finding.rule);
    }
});
