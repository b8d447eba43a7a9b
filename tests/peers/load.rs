//! Postfix' own load generator: crowds of sessions with many mails each.

use std::process::Command;
use std::time::Instant;

use crate::counter::{Counter, SENDER, how, run_with};
use crate::kit::{order_mail, say};
use crate::program::{BCC, has, not_run};

#[tokio::test(flavor = "multi_thread")]
async fn smtp_source_hands_two_hundred_mails_in_by_four_sessions_at_one_time() {
    if !has("smtp-source") {
        return not_run(
            "smtp_source_hands_two_hundred_mails_in_by_four_sessions_at_one_time",
            "smtp-source of postfix",
        );
    }
    let door = Counter::open().await;
    let mail = door.site.path("order.eml");
    let text = String::from_utf8(order_mail("LOAD-1", "Anna Exempel", "anna@customer.example.net")).unwrap();
    std::fs::write(&mail, text.replace("\r\n", "\n")).unwrap();
    let unix = format!("unix:{}", door.socket.display());
    let (smtp, lmtp) = (format!("inet:{}", door.smtp), format!("inet:{}", door.lmtp));
    let mut copies = 0;
    for (words, place, way) in
        [(&[][..], &smtp, "smtp"), (&["-d"], &smtp, "smtp"), (&["-L"], &lmtp, "lmtp"), (&["-L", "-d"], &unix, "lmtp")]
    {
        let mut command = Command::new("smtp-source");
        command.args(["-s", "4", "-m", "200", "-f", SENDER, "-t", BCC, "-M", "mta.shop.example.com", "-F"]);
        let (sessions, began) = (door.sessions(), Instant::now());
        run_with(command.arg(&mail).args(words).arg(place), b"").ended(0);
        let took = began.elapsed();
        let all = door.copies().await;
        Counter::check(&format!("{way} {words:?}"), &all, copies, &vec![how(way, false, false); 200]);
        copies = all.len();
        let expected = if words.contains(&"-d") { 4 } else { 200 };
        let sessions = door.until_sessions(sessions, expected).await;
        assert_eq!(sessions, expected, "{way} {words:?}");
        say(&format!(
            "smtp-source {words:?} {way}: 200 mails, four sessions at one time, {sessions} in all, in {took:.1?}"
        ));
    }
    // The same order 800 times is one invitation.
    door.close(1).await;
}
