//! That nothing is said to a relay that is not protected as configured.

use super::*;

/// A certificate for `name`, signed by an authority of ours (or by itself), and the PEM file of that authority.
pub(crate) fn certificate(
    name: &str,
    expired: bool,
    self_signed: bool,
) -> (Arc<rustls::ServerConfig>, tempfile::NamedTempFile) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    if expired {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    params.distinguished_name.push(rcgen::DnType::CommonName, "the relay");
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap()).unwrap();
    let leaf = if self_signed { params.self_signed(&key) } else { params.signed_by(&key, &issuer) }.unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(issuer.pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], rustls_pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (Arc::new(config), file)
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_gets_no_letter() {
    for (what, name, expired, self_signed, words) in [
        ("good", "127.0.0.1", false, false, ""),
        ("expired", "127.0.0.1", true, false, "expired"),
        ("for another name", "relay.example.com", false, false, "not valid for"),
        ("self-signed", "127.0.0.1", false, true, "tls_ca"),
    ] {
        for (tls, implicit) in [(Tls::Required, false), (Tls::Implicit, true), (Tls::Opportunistic, false)] {
            let (server, authority) = certificate(name, expired, self_signed);
            let test = TestRelay::start_with(Kit { tls: Some(server), implicit, ..Kit::default() }, |_| Act::Ok).await;
            let tls_ca = Some(authority.path().to_owned());
            let relay = Relay::new(&config::Relay { tls, tls_ca, ..settings(test.address.port()) }, None).unwrap();
            let outcome = send(&relay, "a@example.com", LETTER).await;
            if words.is_empty() || tls == Tls::Opportunistic {
                assert_eq!(mark(&outcome).0, '+', "{what}, {tls:?}: {outcome:?}");
                assert_eq!(relay.probe().await.unwrap().tls.as_deref(), Some("TLSv1_3"));
                continue;
            }
            let Outcome::Unavailable(trouble) = &outcome else { panic!("{what}, {tls:?}: {outcome:?}") };
            assert!(trouble.phase == Phase::Tls && trouble.alarm, "{what}, {tls:?}: {trouble}");
            assert!(trouble.reason.contains(words), "{what}, {tls:?}: {trouble}");
            let seen = test.until(|seen| seen.open == 0).await;
            assert!(!seen.lines.iter().any(|(_, line)| line.starts_with("MAIL")), "{what}, {tls:?}");
        }
    }
}

#[tokio::test]
async fn letters_go_in_the_clear_only_where_that_was_asked_for() {
    let test = TestRelay::start(|_| Act::Ok).await;
    for (tls, expected) in [(Tls::None, '+'), (Tls::Opportunistic, '+'), (Tls::Required, 'A')] {
        let relay = Relay::new(&config::Relay { tls, ..settings(test.address.port()) }, None).unwrap();
        assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, expected, "{tls:?}");
    }
    assert_eq!(test.taken().len(), 2);
    // Offered, but refused or broken: not even an opportunistic connection goes on.
    for act in [Act::Reply("454 4.7.0 TLS not available"), Act::Raw(b"220 go\r\n220 on in the clear\r\n"), Act::Close] {
        let (server, _authority) = certificate("127.0.0.1", false, false);
        let kit = Kit { tls: Some(server), ..Kit::default() };
        let test = TestRelay::start_with(kit, once(At::StartTls, act.clone())).await;
        let relay =
            Relay::new(&config::Relay { tls: Tls::Opportunistic, ..settings(test.address.port()) }, None).unwrap();
        let outcome = send(&relay, "a@example.com", LETTER).await;
        assert!(matches!(mark(&outcome), ('U' | 'A', Some(Phase::Tls))), "{act:?}: {outcome:?}");
        assert_eq!(test.taken().len(), 0);
    }
}

/// A relay that offers STARTTLS and then speaks a TLS that nobody should: `answer` to the ClientHello. Gives its port, and what it
/// hears after that.
async fn old_tls_relay(answer: Vec<u8>) -> (u16, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 2_000];
        for said in [&b"220 hi\r\n"[..], b"250-hi\r\n250 STARTTLS\r\n", b"220 go\r\n", &answer] {
            tcp.write_all(said).await.unwrap();
            let _ = tcp.read(&mut bytes).await.unwrap();
        }
        let mut rest = bytes.to_vec();
        let _ = tcp.read_to_end(&mut rest).await;
        rest
    });
    (port, heard)
}

#[tokio::test]
async fn a_relay_that_speaks_only_a_tls_of_old_gets_no_letter() {
    // A ServerHello of TLS 1.0 or 1.1 (version, 32 random octets, no session, AES128-SHA, no compression), or the alert
    // protocol_version.
    let hello = |minor: u8| {
        let body = [&[3, minor][..], &[7; 32], &[0, 0x00, 0x2f, 0]].concat();
        let handshake = [&[2, 0, 0, u8::try_from(body.len()).unwrap()][..], &body].concat();
        [&[22, 3, minor, 0, u8::try_from(handshake.len()).unwrap()][..], &handshake].concat()
    };
    for (what, answer) in
        [("TLS 1.0", hello(1)), ("TLS 1.1", hello(2)), ("an alert", vec![21, 3, 1, 0, 2, 2, 70]), ("SSL 3", hello(0))]
    {
        for tls in [Tls::Required, Tls::Opportunistic] {
            let (port, heard) = old_tls_relay(answer.clone()).await;
            let (_, authority) = certificate("127.0.0.1", false, false);
            let tls_ca = Some(authority.path().to_owned());
            let relay = Relay::new(&config::Relay { tls, tls_ca, ..settings(port) }, None).unwrap();
            let outcome = send(&relay, "a@example.com", LETTER).await;
            assert_eq!(mark(&outcome), ('A', Some(Phase::Tls)), "{what}, {tls:?}: {outcome:?}");
            let heard = heard.await.unwrap();
            assert!(!heard.windows(4).any(|word| word == b"MAIL"), "{what}, {tls:?}");
        }
    }
}

#[tokio::test]
async fn a_starttls_that_somebody_took_out_of_the_greeting_stops_the_letter() {
    // The relay has a certificate, and whoever sits between it and us leaves its STARTTLS out of the EHLO reply.
    for keyword in ["XXXXXXXA", "STARTTLSX"] {
        let test = TestRelay::start_with(Kit { offers: vec![keyword], ..Kit::default() }, |_| Act::Ok).await;
        let relay = Relay::new(&config::Relay { tls: Tls::Required, ..settings(test.address.port()) }, None).unwrap();
        assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await), ('A', Some(Phase::Tls)), "{keyword}");
        let seen = test.until(|seen| seen.open == 0).await;
        assert!(seen.lines.iter().all(|(_, line)| line.starts_with("EHLO")), "{:?}", seen.lines);
    }
}

#[tokio::test]
async fn words_slipped_in_before_the_handshake_end_the_connection() {
    // What an attacker between us and the relay would add: an EHLO reply, read after the handshake as if it came from within.
    let injected = Act::Raw(b"220 go ahead\r\n250-relay.example.com\r\n250 AUTH PLAIN\r\n");
    let (server, authority) = certificate("127.0.0.1", false, false);
    let test = TestRelay::start_with(Kit { tls: Some(server), ..Kit::default() }, once(At::StartTls, injected)).await;
    let tls_ca = Some(authority.path().to_owned());
    let relay =
        Relay::new(&config::Relay { tls: Tls::Required, tls_ca, ..settings(test.address.port()) }, None).unwrap();
    assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await), ('A', Some(Phase::Tls)));
    assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, '+');
    assert_eq!(test.taken().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_never_begins_tls_is_waited_for_no_longer_than_configured() {
    let test = TestRelay::start(|_| Act::Silence).await;
    let relay = Relay::new(&config::Relay { tls: Tls::Implicit, ..settings(test.address.port()) }, None).unwrap();
    let start = Instant::now();
    assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await), ('U', Some(Phase::Tls)));
    assert_eq!(start.elapsed().as_secs(), 30);
}
