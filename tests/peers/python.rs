//! Python's smtplib, which many a shop's own program hands its mails in by.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::counter::{Counter, How, LATER, NAME, PASSWORD, SENDER, USER, how, run_with};
use crate::kit::say;
use crate::program::{BCC, has, not_run};

/// What the client is told: where, how, and as whom. An address, or the path of a socket.
fn told(door: &Counter, way: &str, place: &str, mechanism: Option<&str>) -> Value {
    let place = match place.rsplit_once(':') {
        Some((host, port)) => json!({"host": host, "port": port.parse::<u16>().unwrap()}),
        None => json!({"host": place, "port": 0}),
    };
    json!({"way": way, "where": place, "trust": door.chain, "name": NAME, "to": BCC, "mails": [],
           "login": mechanism.map(|_| [USER, PASSWORD]), "mechanism": mechanism})
}

fn mail(from: &str, file: &Path, utf8: bool, more: &[&str]) -> Value {
    json!({"from": from, "file": file, "utf8": utf8, "more": more})
}

/// What came of each mail.
fn hand_in(mut told: Value, mails: Vec<Value>) -> Vec<Value> {
    told["mails"] = mails.into();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peers/python_client.py");
    run_with(Command::new("python3").arg(script), told.to_string().as_bytes()).ended(0).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn smtplib_hands_mails_in_by_each_of_its_ways_and_goes_on_after_451() {
    if !has("python3") {
        return not_run("smtplib_hands_mails_in_by_each_of_its_ways_and_goes_on_after_451", "python3");
    }
    let mut door = Counter::open().await;
    let ways = [
        (told(&door, "plain", &door.smtp.to_string(), None), how("smtp", false, false)),
        (told(&door, "starttls", &door.smtp.to_string(), None), how("smtp", true, false)),
        (told(&door, "tls", &door.smtps.to_string(), None), how("smtp", true, false)),
        (told(&door, "starttls", &door.smtp.to_string(), Some("PLAIN")), how("smtp", true, true)),
        (told(&door, "starttls", &door.submission.to_string(), Some("PLAIN")), how("submission", true, true)),
        (told(&door, "starttls", &door.submission.to_string(), Some("LOGIN")), how("submission", true, true)),
        (told(&door, "tls", &door.submissions.to_string(), Some("PLAIN")), how("submission", true, true)),
        (told(&door, "tls", &door.submissions.to_string(), Some("LOGIN")), how("submission", true, true)),
        (told(&door, "lmtp", &door.lmtp.to_string(), None), how("lmtp", false, false)),
        (told(&door, "lmtp", door.socket.to_str().unwrap(), None), how("lmtp", false, false)),
    ];
    let (mut copies, mut later) = (0, 0);
    for (told, expected) in &ways {
        let what = told.to_string();
        let senders = [SENDER, "", "beställning@shop.example.com", LATER, SENDER];
        let files = senders.map(|_| door.order().1);
        let nobody = ["nobody@in.invited.example"];
        let mails = std::iter::zip(senders, &files)
            .enumerate()
            .map(|(number, (from, file))| mail(from, file, !from.is_ascii(), if number == 0 { &nobody } else { &[] }));
        let mails = mails.collect::<Vec<_>>();
        door.refuse().await;
        let sessions = door.sessions();
        let came = hand_in(told.clone(), mails.clone());
        assert_eq!(came[0]["refused"], json!({nobody[0]: 550}), "{what}");
        let codes = came.iter().map(|one| one["code"].as_i64().unwrap()).collect::<Vec<_>>();
        assert_eq!(codes, [250, 250, 250, 451, 250], "{what}");
        assert_eq!(door.until_sessions(sessions, 1).await, 1, "{what}");
        later += 1;
        let from = |from: &str| How { mail_from: from.to_owned(), ..expected.clone() };
        let all = door.copies().await;
        Counter::check(&what, &all, copies, &[from(senders[0]), from(""), from(senders[2]), from(SENDER)]);

        door.relent().await;
        assert_eq!(hand_in(told.clone(), vec![mails[3].clone()])[0]["code"], 250, "{what}");
        copies = door.took(&what, all.len(), from(LATER)).await;
    }
    say(&format!(
        "smtplib: {copies} mails by {} ways, {} from SMTPUTF8 senders, {later} after a 451 in a session that went on",
        ways.len(),
        ways.len()
    ));
    door.close(copies).await;
}
