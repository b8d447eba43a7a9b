//! Any bytes as a file of orders: every row is an order, a repeat or a fault, and what comes out is clean.
#![no_main]

use invited::domain::is_invisible;
use invited::table::{Need, orders};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    for need in [Need::Invite, Need::Reconcile] {
        let Ok(found) = orders(file, need) else { continue };
        assert_eq!(found.orders.len() + found.repeats.len() + found.faults.len(), found.rows);
        for order in &found.orders {
            assert!(need == Need::Reconcile || order.email.is_some());
            assert!(!order.reference.as_str().chars().any(is_invisible));
            assert!(order.name.as_ref().is_none_or(|name| !name.as_str().chars().any(is_invisible)));
        }
        assert!(found.faults.iter().all(|fault| fault.line.is_some() && !fault.remedy.is_empty()));
    }
});
