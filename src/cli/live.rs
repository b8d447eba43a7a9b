//! The live part of `invited check`: a mail is sent through the whole way in, from the listener to the reader, step by step.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::Failure;
use super::check::Finding;
use crate::app::database_password;
use crate::clock::{Clock, random_bytes};
use crate::config::{
    self, Config, ListenOn, Listener, ListenerTls, Relay as RelaySettings, RelayTimeouts, ReturnPath, Shop, Tls,
};
use crate::domain::{CopyId, EmailAddress};
use crate::ops::{Setup, probe, status};
use crate::send::{Outcome, Relay};
use crate::store::{self, CopyState, PROBE, Role, SqlStore, Store};

/// How long the reader may take.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// How often it is asked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long each step with the listener may take.
const STEP: Duration = Duration::from_secs(30);

/// Sends a probe for the first shop and says how each step went; the first that fails is the last.
pub(super) async fn probe_all(setup: &Setup) -> Result<Vec<Finding>, Failure> {
    let config = &setup.config;
    let mut findings = Vec::new();
    let Some(shop) = config.shops.first() else { return Ok(findings) };
    let password = database_password(&config.database).map_err(Failure::Config)?;
    let store = store::open(&config.database, password.as_deref(), Role::Desk).await?;
    let Some(address) = listener(config, &store).await? else {
        let what =
            "no daemon of this machine listens for mail between servers by TCP; is it at work? See: invited status";
        return Ok(vec![Finding::faulty("live: connect", what)]);
    };
    let relay = match client(config, address) {
        Ok(relay) => relay,
        Err(error) => return Ok(vec![Finding::faulty("live: connect", error)]),
    };
    let began = Instant::now();
    match relay.probe().await {
        Ok(greeting) => {
            let how = greeting.tls.unwrap_or_else(|| "in the clear".to_owned());
            findings.push(Finding::fine("live: connect", after(began, format!("{address} answers, {how}"))));
        }
        Err(trouble) => {
            let what = format!("{address}: {trouble}; is the daemon at work? See: systemctl status invited");
            findings.push(Finding::faulty("live: connect", what));
            return Ok(findings);
        }
    }
    let began = Instant::now();
    let copy = match hand_in(setup, shop, &relay).await {
        Ok(copy) => copy,
        Err(why) => {
            findings.push(Finding::faulty("live: hand in", why));
            return Ok(findings);
        }
    };
    findings.push(Finding::fine("live: hand in", after(began, format!("kept as copy {copy}"))));
    let began = Instant::now();
    findings.push(match read(&store, copy).await? {
        Ok(()) => Finding::fine("live: read", after(began, "known as a probe, nothing comes of it".to_owned())),
        Err(why) => Finding::faulty("live: read", why),
    });
    Ok(findings)
}

/// Where mail is handed in: the first listener of the configuration that anybody may hand mail to, or, when it does not know the
/// address (a port that is free, a socket of systemd's), that of the daemon.
async fn listener(config: &Config, store: &SqlStore) -> Result<Option<SocketAddr>, Failure> {
    let is_open = |listener: &&Listener| {
        let (v4, v6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
        let is_proxied = listener.proxy.iter().any(|network| network.contains(&v4) || network.contains(&v6));
        listener.role == config::Role::Smtp && listener.tls != ListenerTls::Implicit && !is_proxied
    };
    let configured = config.door.listeners.iter().filter(is_open).find_map(|listener| match listener.on {
        ListenOn::Tcp(address) if address.port() != 0 => Some(address),
        _ => None,
    });
    if let Some(address) = configured {
        return Ok(Some(reachable(address)));
    }
    let (host, now) = (status::host(), Clock::System.now());
    let daemons = status::daemons(store).await?;
    let here = daemons.into_iter().filter(|daemon| daemon.word.host == host && daemon.lives(now));
    let mut listeners = here.flat_map(|daemon| daemon.word.listeners).filter(|listener| listener.role == "smtp");
    Ok(listeners.find_map(|listener| listener.address.parse().ok()).map(reachable))
}

/// A listener on all interfaces is reached over loopback.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listening.port())
}

fn client(config: &Config, address: SocketAddr) -> Result<Relay, String> {
    let settings = RelaySettings {
        name: "live".to_owned(),
        host: address.ip().to_string(),
        port: address.port(),
        // Its certificate is for the name that others know it by.
        tls: Tls::Opportunistic,
        tls_ca: None,
        login: None,
        return_path: ReturnPath::default(),
        connections: 1,
        letters_per_connection: 1,
        rate: None,
        per_domain: None,
        domains: Vec::new(),
        hello_name: config.door.hostname.clone(),
        timeouts: RelayTimeouts { connect: STEP, command: STEP, data: STEP, dot: STEP },
    };
    Relay::new(&settings, None).map_err(|error| error.to_string())
}

/// Hands a probe in and gives the number that the listener's answer names.
async fn hand_in(setup: &Setup, shop: &Shop, relay: &Relay) -> Result<CopyId, String> {
    let config = &setup.config;
    let message = probe::compose(config, shop, &setup.keys.probes, Clock::System.now(), random_bytes::<8>());
    let address = |text: &str| EmailAddress::parse(text).map_err(|why| why.to_string());
    let (from, to) = (address(&probe::sender(config))?, address(&config.bcc_address(shop))?);
    let slot = relay.reserve().await.ok_or("the connection was closed")?;
    match slot.send(Some(&from), &to, &message, || async { Ok::<(), Infallible>(()) }).await {
        Outcome::Accepted { reply } => reply
            .text
            .rsplit(' ')
            .next()
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| format!("the answer names no copy, so somebody else listens there: {}", reply.text)),
        Outcome::TryLater { phase, reply } => {
            Err(format!("put off at {phase}: {reply}; the log says why, and invited status what is not well"))
        }
        Outcome::Refused { phase, reply } => {
            let what = "does the daemon have this configuration? See: systemctl reload invited";
            Err(format!("refused at {phase}: {reply}; {what}"))
        }
        Outcome::Unavailable(trouble) => Err(trouble.to_string()),
        Outcome::InDoubt { reason } => Err(format!("no answer to the mail: {reason}")),
        Outcome::NotRecorded(never) => match never {},
    }
}

/// Waits until the copy was read, and says what else than a probe it was taken for.
async fn read(store: &SqlStore, copy: CopyId) -> Result<Result<(), String>, Failure> {
    let began = Instant::now();
    loop {
        let Some((found, _)) = store.copy(copy).await? else {
            let what = "is not in the database of this configuration; does the daemon use another one?";
            return Ok(Err(format!("copy {copy} {what}")));
        };
        if let Some(reading) = &found.reading {
            let is_probe = found.state == CopyState::Ignored && reading.reason.as_deref() == Some(PROBE);
            let other = || format!("copy {copy} was read as a mail of the shop; has the daemon the same master key?");
            return Ok(if is_probe { Ok(()) } else { Err(other()) });
        }
        if began.elapsed() >= READ_WITHIN {
            let what = "the reader hangs or does not keep up; see: invited status";
            return Ok(Err(format!("copy {copy} was not read within {} s; {what}", READ_WITHIN.as_secs())));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn after(began: Instant, note: String) -> String {
    format!("{note} ({:.1} ms)", began.elapsed().as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_interfaces_is_reached_over_loopback() {
        for (listening, reached) in [
            ("0.0.0.0:25", "127.0.0.1:25"),
            ("[::]:25", "[::1]:25"),
            ("192.0.2.7:2525", "192.0.2.7:2525"),
            ("127.0.0.1:2525", "127.0.0.1:2525"),
        ] {
            assert_eq!(reachable(listening.parse().unwrap()).to_string(), reached);
        }
    }
}
