//! The resolver: short waits, one retry, a bounded memory of answers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use mail_auth::MessageAuthenticator;
use mail_auth::hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use mail_auth::hickory_resolver::net::NetError;
use mail_auth::hickory_resolver::system_conf::read_system_conf;

/// How long one answer is waited for.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

/// How often a question is asked again.
const RETRIES: usize = 1;

/// Most servers that are asked, as resolv.conf(5) has it.
const SERVERS: usize = 3;

/// How many answers are remembered.
const ANSWERS: u64 = 1024;

/// How long an answer is remembered at most: a key that was withdrawn must not count for days.
const REMEMBER: Duration = Duration::from_secs(3600);

/// How long it is remembered that there is nothing: somebody who publishes a key tries it out at once.
const REMEMBER_NOTHING: Duration = Duration::from_secs(60);

pub(super) fn authenticator(servers: &[SocketAddr]) -> Result<MessageAuthenticator, NetError> {
    let servers = if servers.is_empty() { of_system() } else { servers.iter().map(server).collect() };
    let mut options = ResolverOpts::default();
    options.timeout = ANSWER;
    options.attempts = RETRIES;
    options.cache_size = ANSWERS;
    options.positive_max_ttl = Some(REMEMBER);
    options.negative_max_ttl = Some(REMEMBER_NOTHING);
    // What proves a sender stands in the DNS, not in a file of this machine.
    options.use_hosts_file = ResolveHosts::Never;
    MessageAuthenticator::new(ResolverConfig::from_name_servers(servers), options)
}

fn of_system() -> Vec<NameServerConfig> {
    let mut servers = match read_system_conf() {
        Ok((config, _)) => config.name_servers().to_vec(),
        Err(error) => {
            tracing::debug!(%error, "/etc/resolv.conf names no servers");
            Vec::new()
        }
    };
    servers.truncate(SERVERS);
    if servers.is_empty() {
        servers.push(server(&SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53)));
    }
    servers
}

/// UDP, and TCP for answers that do not fit.
fn server(address: &SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}
