//! A daemon that is told to reload one bad configuration after the other.

use crate::Part;
use crate::kit::{order_mail, until};
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, TestRelay};

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_configuration_of_the_gallery_leaves_the_old_one_and_its_sessions_in_place() {
    let part = Part::begin("reload with bad configurations", &[], false).unwrap();
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let gallery = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bad-config");
    let mut pictures = std::fs::read_dir(gallery).unwrap().map(|one| one.unwrap().path()).collect::<Vec<_>>();
    pictures.sort();
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(Dialog::open(service.address).await.unwrap());
    }
    let refusals = || service.log().matches("the configuration was not reloaded; the old one goes on").count();
    for (number, picture) in pictures.iter().enumerate() {
        let text = std::fs::read_to_string(picture).unwrap();
        std::fs::write(site.config(), &text).unwrap();
        service.signal("HUP");
        until("it is refused", async || (refusals() == number + 1).then_some(())).await;
        // Each message names the file, and a line of it where there is one.
        let first = text.lines().find_map(|line| line.strip_prefix("#! ")).unwrap();
        let rest = first.split_once(':').unwrap().1;
        assert!(service.log().contains(rest.trim_end()), "{}: {first}", picture.display());
        let session = number % sessions.len();
        assert!(sessions[session].say("NOOP").await.unwrap().starts_with("250"), "{}", picture.display());
    }
    assert!(pictures.len() >= 30);
    for (number, mut session) in sessions.into_iter().enumerate() {
        let mail = order_mail(&format!("R-{number}"), "Anna", &format!("anna{number}@kund.example.net"));
        assert!(session.mail(BCC, &mail).await.unwrap().starts_with("250 "));
    }
    relay.until(|seen| seen.taken.len() == 5).await;
    site.configure(relay.address, &[]);
    service.stop().await;
    part.ran(&format!("{} bad configurations, 0 sessions dropped, mails and letters go on", pictures.len()));
}
