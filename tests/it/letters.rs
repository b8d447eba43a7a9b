//! `invited letter`: letters on disk, in a box and looked through, as somebody who writes them works with the program.

use std::fs;

use crate::cli::promised;
use crate::program::Site;
use crate::relay::{Act, TestRelay};

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_written_as_page_text_and_mail() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::empty(None, relay.address, &[]);
    let out = site.path("looked-at");
    let out = out.to_str().unwrap();
    let ran = site.run(&["letter", "preview", "--locale", "ja", "--kind", "reminder", "--out", out, "--json"]).ended(0);
    promised(
        &ran.json()[0],
        &["subject", "locale", "html_bytes", "message_bytes", "folder"],
        "## `letter preview --json`",
    );
    assert_eq!(ran.json()[0]["locale"], "ja");
    let read = |name: &str| fs::read_to_string(site.path("looked-at").join(name)).unwrap();
    assert!(read("letter.html").contains("charset") && read("letter.html").contains("Anna Example 様"));
    assert!(read("letter.txt").contains("Anna Example 様"));
    assert!(read("letter.eml").contains("\r\nList-Unsubscribe: <"));
    let ran = site.run(&["letter", "preview", "--shop", "nobody", "--out", out]).ended(1);
    assert!(ran.err.contains("there is no shop \"nobody\""), "{ran:?}");
    let ran = site.run(&["letter", "preview", "--locale", "?", "--out", out]).ended(2);
    assert!(ran.err.contains("is no language"), "{ran:?}");
    assert!(relay.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_letter_goes_through_the_relay_and_is_recorded_nowhere() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let ran = site.run(&["letter", "send-test", "--to", "me@shop.example", "--locale", "de"]).ended(0);
    assert!(ran.out.starts_with("Taken by "), "{ran:?}");
    let [letter] = <[_; 1]>::try_from(relay.taken()).unwrap();
    let text = String::from_utf8_lossy(&letter.data);
    assert!(text.contains("\r\nSubject: Test: Wie war Ihre Bestellung"), "{text}");
    assert!(text.contains("<me@shop.example>") && letter.from.starts_with("bounce+"), "{text}");
    assert!(site.invitations().await.is_empty());
    let ran = site.run(&["letter", "send-test", "--to", "nobody"]).ended(2);
    assert!(ran.err.contains("is no address"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_or_doubtful_in_letters_is_told_with_its_place() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::empty(None, relay.address, &[("letters", "\"letters\"")]);
    fs::create_dir(site.path("letters")).unwrap();
    let lint = |words: &[&str]| site.run(&[&["letter", "lint"][..], words].concat());
    assert!(lint(&[]).ended(0).out.contains("0 files, 0 warnings"));
    let pasted = "<p>Hi [FirstName], [Stars]</p>\n<img src=\"https://shop.example/a.png\">\n";
    fs::write(site.path("letters/invitation.afs.html"), pasted).unwrap();
    let ran = lint(&[]).ended(0);
    for expected in [
        "invitation.afs.html:1:1: [FirstName] is no variable and is sent as it stands; the variables are [Name]",
        "invitation.afs.html:2:1: has an image without a text; write alt=",
        "1 file, 2 warnings",
    ] {
        assert!(ran.out.contains(expected), "{expected} in {ran:?}");
    }
    let rows = lint(&["--deny-warnings", "--json"]).ended(1).json();
    let keys = ["severity", "file", "line", "column", "key", "what", "remedy"];
    promised(&rows[0], &keys, "## `template check --json`, `letter lint --json`");
    fs::write(site.path("letters/invitation.txt"), "{{ link }}").unwrap();
    assert!(lint(&[]).ended(78).err.contains("invitation.txt: has no unsubscribe_link; show {{ unsubscribe_link }}"));
}
