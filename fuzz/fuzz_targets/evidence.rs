//! Any mail, with any records in the DNS of the domain that it speaks of: no panic, evidence that can be kept, and no proof by a
//! signature, since nobody here has a key. The input is the mail, then the SPF record, the policy and the seals' key, each after a NUL.
#![no_main]

#[path = "../../tests/kit/dns.rs"]
mod dns;

use std::cell::RefCell;

use invited::domain::trust::{Evidence, ListedDomain, Method, NewSenders, TrustRules, Verdict, judge};
use invited::domain::{Handed, Timestamp};
use invited::proof::{Mail, Prover};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

/// A key whose other half nobody kept.
const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

thread_local! {
    static PLACE: RefCell<Option<(Runtime, dns::Dns)>> = const { RefCell::new(None) };
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0);
    let mail = parts.next().unwrap_or_default();
    let records = parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect::<Vec<_>>();
    PLACE.with_borrow_mut(|place| {
        let (runtime, dns) = place.get_or_insert_with(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let dns = runtime.block_on(dns::Dns::start());
            (runtime, dns)
        });
        dns.forget();
        dns.txt("s1._domainkey.shop.example", KEY);
        let names = ["shop.example", "_dmarc.shop.example", "s1._domainkey.sealer.example"];
        for (name, record) in names.iter().zip(&records) {
            dns.txt(name, record);
        }
        runtime.block_on(look(dns, mail));
    });
});

async fn look(dns: &dns::Dns, message: &[u8]) {
    let list = |domain: &str| ListedDomain::parse(domain).into_iter().collect::<Vec<_>>();
    let rules = TrustRules {
        dkim: list(".shop.example"),
        spf: list(".shop.example"),
        dmarc: list(".shop.example"),
        arc: list("sealer.example"),
        address: NewSenders::Refuse,
        ..TrustRules::default()
    };
    let handed = Handed { client: "192.0.2.25".parse().ok(), hello: "mail.shop.example".to_owned(), ..Handed::default() };
    // A new one each time, since it remembers answers.
    let prover = Prover::new(&[dns.address]).expect("a resolver");
    let evidence = prover.evidence(Mail { handed: &handed, mail_from: "order@shop.example", message }, &rules).await;
    let kept = serde_json::to_string(&evidence).expect("evidence is JSON");
    assert_eq!(serde_json::from_str::<Evidence>(&kept).ok(), Some(evidence.clone()));
    match judge(&evidence, &rules, Timestamp::from_seconds(1_795_251_600)) {
        Verdict::Trusted { by } => assert!(matches!(by, Method::Spf | Method::Dmarc), "{by:?}"),
        Verdict::Held { why } | Verdict::Unsure { why } => assert!(!why.contains('\n'), "{why:?}"),
        Verdict::NewSender { .. } => panic!("the rules refuse new senders"),
    }
}
