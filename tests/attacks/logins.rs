//! Guessing passwords, and the command that makes their hashes.

use std::io::Write as _;
use std::process::Stdio;

use base64ct::{Base64, Encoding as _};

use crate::client::{Client, add, certificate};
use crate::kit::say;
use crate::program::{BCC, Site, command};
use crate::relay::{Act, TestRelay};

/// What `invited login hash` makes of a password.
fn hash(password: &str) -> String {
    let mut command = command();
    let mut child =
        command.args(["login", "hash"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program");
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn plain(user: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", Base64::encode_string(format!("\0{user}\0{password}").as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_guesses_few_reach_the_hash_and_none_learns_a_name() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let extra = [("hold_all", "true"), ("error_delay", "\"0 s\"")];
    let site = Site::new(relay.address, &extra).await;
    let (chain, line) = certificate(&site);
    site.configure(relay.address, &[&extra[..], &[("tls", &line)]].concat());
    let (one, other) = (hash("open sesame"), hash("open sesame"));
    assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && one != other, "each with a salt of its own: {one}");
    add(&site, &format!("[[login]]\nuser = \"shop\"\npassword = \"{one}\""));
    let service = site.serve().await;

    let mut client = Client::secured(service.address, &chain);
    client.say("EHLO client.example");
    assert!(client.say(&plain("shop", "open sesame")).starts_with("235 2.7.0"));
    client.begin("a@shop.example.com", BCC);
    assert!(client.say("Subject: a\r\n\r\n.").starts_with("250 2.0.0"));
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE login = 'shop'").await, 1);

    let (mut guesses, mut wrong, mut later, mut shown_out) = (0, [0, 0], 0, 0);
    while guesses < 1_000 {
        let mut client = Client::secured(service.address, &chain);
        client.say("EHLO client.example");
        loop {
            let unknown = guesses % 2;
            let reply = client.say(&plain(["shop", "nobody"][unknown], &format!("guess {guesses}")));
            guesses += 1;
            match &reply[..reply.len().min(9)] {
                "535 5.7.8" => {
                    assert_eq!(reply, "535 5.7.8 user or password wrong");
                    wrong[unknown] += 1;
                }
                "454 4.7.0" => later += 1,
                "421 4.7.0" => {
                    shown_out += 1;
                    break;
                }
                _ => panic!("{reply}"),
            }
        }
    }
    let looked_at = service.log().matches("a login failed").count();
    let [known, unknown] = wrong;
    say(&format!(
        "guessing: {guesses} guesses, {looked_at} reached the hash; {known} of a user and {unknown} of nobody were told 535, \
         {later} 454, {shown_out} 421"
    ));
    // Nobody's are looked at as a user's are: that the work is the same, `ops::logins` counts.
    assert!(known > 0 && unknown > 0, "{known} {unknown}");
    assert!((1..=30).contains(&looked_at), "{looked_at}");
    // The right password does not help any more: who guesses could not tell otherwise that it is right.
    let mut client = Client::secured(service.address, &chain);
    client.say("EHLO client.example");
    assert!(client.say(&plain("shop", "open sesame")).starts_with("454 4.7.0"));
    let log = service.log();
    assert!(!log.contains("nobody") && !log.contains("guess "), "no name and no password stands in the log");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_in_a_file_must_be_one() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    add(&site, "[[login]]\nuser = \"shop\"\npassword = { file = \"login\" }");
    std::fs::write(site.path("login"), "open sesame\n").unwrap();
    crate::kit::make_private(&site.path("login"));
    let ran = site.run(&["check", "--offline"]).ended(78);
    assert!(ran.err.contains("the password of the login \"shop\"") && !ran.err.contains("sesame"), "{ran:?}");
    std::fs::write(site.path("login"), format!("{}\n", hash("open sesame"))).unwrap();
    site.run(&["check", "--offline"]).ended(0);
}
