//! Any bytes as a mail: its MIME view.
#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|mail: &[u8]| {
    // As in `reader`: the view catches the panics of the MIME parser, which must not end the run.
    static QUIET: Once = Once::new();
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    invited::read::fuzzing::mime(mail);
});
