//! Any bytes as a mail to a letter's return address.
#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|mail: &[u8]| {
    // As in `mime`: panics of the MIME parser are caught, and must not end the run.
    static QUIET: Once = Once::new();
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    invited::read::fuzzing::answer(mail);
});
