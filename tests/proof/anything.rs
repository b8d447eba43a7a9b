//! Whatever somebody does to a mail that the shop signed: it is no longer believed, or it says what it said.

use std::cell::Cell;

use mail_parser::MessageParser;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::signer::signed;
use crate::{MAIL, Scene, WELL, by_dkim};

/// Pieces that programs may take for different things.
const PIECES: [&str; 16] = [
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ";",
    "\0",
    "\r\n\r\n",
    "To: victim@example.net\r\n",
    "From: victim@example.net\r\n",
    "Subject: x\r\n",
    "\r\n ",
    "Reply-To: victim@example.net\r\n",
    "=",
    "\u{e9}",
];

/// One change: where, in thousandths of the mail, how many bytes go, and what comes.
fn change() -> impl Strategy<Value = (usize, usize, String)> {
    let piece = prop_oneof![
        Just(String::new()),
        prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        "[ -~]{1,3}".prop_map(|text| text),
    ];
    (0..1000_usize, 0..4_usize, piece)
}

/// At a place in the mail, or at the start of a line near it, where fields are put in.
fn changed(mail: &str, changes: &[(usize, usize, String)], at_lines: bool) -> String {
    let mut bytes = mail.as_bytes().to_vec();
    for (place, gone, piece) in changes {
        let mut at = place * bytes.len() / 1000;
        if at_lines {
            at = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        }
        let end = (at + if at_lines { 0 } else { *gone }).min(bytes.len());
        bytes.splice(at..end, piece.bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a reader takes from a mail: addresses and words, without the white space that may change on the way.
fn said(mail: &str) -> Option<Vec<String>> {
    let parsed = MessageParser::default().parse(mail.as_bytes())?;
    let addresses = |all: Vec<&mail_parser::Address<'_>>| {
        let one = |address: &mail_parser::Addr<'_>| format!("{:?} {:?}", address.name, address.address);
        all.into_iter().flat_map(|list| list.iter().map(one).collect::<Vec<_>>()).collect::<Vec<_>>().join(", ")
    };
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(vec![
        addresses(parsed.from().into_iter().collect()),
        addresses(parsed.all_to().collect()),
        addresses(parsed.reply_to().into_iter().collect()),
        words(parsed.subject().unwrap_or_default()),
        words(&parsed.body_text(0).unwrap_or_default()),
    ])
}

#[test]
fn a_changed_mail_is_not_believed_or_says_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let scene = runtime.block_on(Scene::new());
    let mail = signed(MAIL, &scene.key, WELL);
    let says = said(&mail);
    let believed = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 4000, failure_persistence: None, ..Config::default() });
    let changes = (prop::collection::vec(change(), 1..4), any::<bool>());
    runner
        .run(&changes, |(changes, at_lines)| {
            let altered = changed(&mail, &changes, at_lines);
            if runtime.block_on(scene.says(&altered, &by_dkim())) == "dkim" {
                believed.set(believed.get() + 1);
                prop_assert_eq!(said(&altered), says.clone(), "{:?}", altered);
            }
            Ok(())
        })
        .unwrap();
    let believed = believed.get();
    assert!(believed > 20, "only {believed} of the changed mails were believed, so nothing was compared");
}
