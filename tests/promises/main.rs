//! Random histories against the promises: several shops, persons and orders, random policies, events in any order with repeats,
//! relays that fail, people who interfere, and a clock that jumps. What is promised is stated in [`ledger`] without any of the code
//! that keeps it.
//!
//! `INVITED_HISTORIES=N cargo test --test promises` plays N histories; a failure names its seed, and `INVITED_SEED=N` plays that one.
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]
#![expect(clippy::print_stderr, reason = "a failure is looked into by its story")]
#![expect(clippy::disallowed_methods, reason = "a seed and a number are given by the environment")]

mod chance;
mod drive;
mod ledger;

/// Played without further ado: some seconds, of an optimised program and of one that is not.
const HISTORIES: u64 = if cfg!(debug_assertions) { 20_000 } else { 500_000 };

#[test]
fn random_histories_keep_the_promises() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    if let Some(seed) = number("INVITED_SEED") {
        drive::history(seed, true);
        return;
    }
    let histories = number("INVITED_HISTORIES").unwrap_or(HISTORIES);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let start = std::time::Instant::now();
    let letters = std::thread::scope(|scope| {
        let parts = (0..threads).map(|part| {
            scope.spawn(move || {
                (part..histories).step_by(threads as usize).map(|seed| drive::history(seed, false)).sum::<u64>()
            })
        });
        let parts = parts.collect::<Vec<_>>();
        parts.into_iter().map(|part| part.join().expect("a promise was broken: see above")).sum::<u64>()
    });
    eprintln!("{histories} histories, {letters} letters, {:.1} s", start.elapsed().as_secs_f64());
    assert!(letters > histories, "histories without letters show nothing");
}
