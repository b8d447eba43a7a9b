//! From a checked configuration to what the use cases work with. All or nothing: a reload that fails here changes nothing. Only a
//! template with a mistake does not stop a reload, since it has a version that works: the one in force.

use std::collections::HashMap;
use std::sync::Arc;

use super::files::{load_letters, load_pages, load_templates, read_secret, reload_templates};
use super::links::{link_keys, link_routes, place_of};
use crate::config::{Config, Dkim, PasswordHash, StoredPassword};
use crate::document::Problem;
use crate::domain::ShopId;
use crate::link::derive;
use crate::ops::{Keys, Logins, RelayLine, Setup};
use crate::proof::{Prover, ProverError};
use crate::read::{Reader, Templates, lint};
use crate::send::dkim::{Signers, SigningKey};
use crate::send::{Password, Relay};
use base64ct::{Base64, Encoding};

/// Reads and compiles everything that the configuration names.
///
/// # Errors
/// All problems at once.
pub fn build_setup(config: Config) -> Result<Setup, Vec<Problem>> {
    let templates = load_templates(config.templates_dir.as_deref());
    build(config, templates)
}

/// The key of the suppression list, with which its entries are hashed.
///
/// # Errors
/// When the master key cannot be read.
pub fn list_key(config: &Config) -> Result<[u8; 32], Problem> {
    Ok(list_key_of(&read_secret(&config.master_key)?))
}

/// The key of the letters' return addresses.
///
/// # Errors
/// When the master key cannot be read.
pub fn return_key(config: &Config) -> Result<[u8; 32], Problem> {
    Ok(return_key_of(&read_secret(&config.master_key)?))
}

fn return_key_of(master: &str) -> [u8; 32] {
    derive(master.as_bytes(), "return addresses")
}

fn list_key_of(master: &str) -> [u8; 32] {
    derive(master.as_bytes(), "suppression list")
}

/// The same for a daemon that runs with templates in force. With the set-up comes what is wrong with templates that go on as they
/// were.
///
/// # Errors
/// All problems at once; those of templates are none.
pub fn rebuild_setup(config: Config, before: &Templates) -> Result<(Setup, Vec<Problem>), Vec<Problem>> {
    let (templates, passed_over) = reload_templates(config.templates_dir.as_deref(), before.files());
    Ok((build(config, Ok(templates))?, passed_over))
}

fn build(config: Config, templates: Result<Templates, Vec<Problem>>) -> Result<Setup, Vec<Problem>> {
    let mut problems = Vec::new();
    let reader = templates.map(Reader::new).map_err(|more| problems.extend(more)).ok();
    let letters = load_letters(config.letters_dir.as_deref()).map_err(|more| problems.extend(more)).ok();
    let pages_dir = config.pages.as_ref().and_then(|pages| pages.templates.as_deref());
    let pages = load_pages(pages_dir).map_err(|more| problems.extend(more)).ok();
    let hook_secrets = hook_secrets(&config, &mut problems);
    let master = read_secret(&config.master_key).map_err(|problem| problems.push(problem)).ok();
    if let Some(reader) = &reader {
        problems.extend(unknown_templates(&config, reader.templates()));
    }
    let relays = relays(&config, &mut problems);
    let prover = Prover::new(&config.dns_servers).map_err(|error| problems.push(no_resolver(&error))).ok();
    let signers = signers(&config, &mut problems);
    let logins = logins(&config, &mut problems);
    // A master key that cannot be read is told once.
    let links = master.as_ref().and_then(|_| link_keys(&config).map_err(|more| problems.extend(more)).ok());
    let routes = link_routes(&config).map_err(|more| problems.extend(more)).unwrap_or_default();
    match (reader, letters, pages, master, prover, links) {
        (Some(reader), Some(letters), Some(pages), Some(master), Some(prover), Some(links)) if problems.is_empty() => {
            Ok(Setup {
                policies: Arc::new(config.policies().with_list_key(list_key_of(&master))),
                keys: Keys {
                    links,
                    log_ids: derive(master.as_bytes(), "log ids"),
                    message_ids: derive(master.as_bytes(), "message ids"),
                    probes: derive(master.as_bytes(), "probes"),
                    return_addresses: return_key_of(&master),
                    forms: derive(master.as_bytes(), "forms"),
                },
                config,
                reader,
                letters,
                pages,
                hook_secrets,
                prover,
                relays,
                signers,
                logins,
                routes,
            })
        }
        _ => Err(problems),
    }
}

fn no_resolver(error: &ProverError) -> Problem {
    let mut problem = Problem::with_file("configuration", error.to_string(), "see [dns] and /etc/resolv.conf");
    problem.key = "dns".to_owned();
    problem
}

/// What is doubtful in the templates of the shop's own, and in the configuration.
pub(super) fn doubts(setup: &Setup) -> Vec<Problem> {
    let templates = setup.reader.templates().files().iter().flat_map(lint);
    templates.chain(exposed(&setup.config)).collect()
}

/// Figures that others than this machine can read: they say how the business goes.
pub fn exposed(config: &Config) -> Option<Problem> {
    let address = config.metrics.listen.filter(|address| !address.ip().to_canonical().is_loopback())?;
    let what = format!("{address} is no loopback address, so whoever reaches it can read the figures");
    Some(Problem::with_file("metrics.listen", what, "write \"127.0.0.1:9125\", or let a firewall say who may connect"))
}

/// Rules for orders of a template that there is not, and that would never count.
fn unknown_templates(config: &Config, templates: &Templates) -> Vec<Problem> {
    let known = templates.names().collect::<Vec<_>>();
    let mut problems = Vec::new();
    for shop in &config.shops {
        for name in shop.rules.others.iter().filter_map(|(when, _)| when.template.as_deref()) {
            if known.contains(&name) {
                continue;
            }
            let remedy = format!("write one of {}", known.join(", "));
            let mut problem = Problem::with_file("configuration", format!("there is no template {name:?}"), remedy);
            problem.key = format!("policy_for of the shop {}", shop.id);
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems
}

/// The keys of all domains. One whose domain no letter comes from would sign nothing, which is nearly always a slip of the pen.
fn signers(config: &Config, problems: &mut Vec<Problem>) -> Signers {
    let mut signers = Signers::default();
    for dkim in &config.dkim {
        if !config.shops.iter().any(|shop| shop.from.domain() == dkim.domain) {
            let what = format!("no shop's letters come from {}", dkim.domain);
            let mut problem = Problem::with_file("configuration", what, "write the domain of a shop's from address");
            problem.key = format!("the DKIM key {}", dkim.selector);
            problems.push(problem);
        }
        match signing_key(dkim) {
            Ok(key) => signers.add(&dkim.domain, &dkim.selector, key),
            Err(problem) => problems.push(problem),
        }
    }
    signers
}

/// A key that letters are signed with.
///
/// # Errors
/// When it cannot be read, or is no key.
pub fn signing_key(dkim: &Dkim) -> Result<SigningKey, Problem> {
    let pem = read_secret(&dkim.key)?;
    SigningKey::from_pem(&pem).map_err(|error| {
        let remedy = format!(
            "make one with: invited dkim generate --domain {} --selector {} --out FILE",
            dkim.domain, dkim.selector
        );
        Problem::with_file(place_of(&dkim.key), error.to_string(), remedy)
    })
}

fn relays(config: &Config, problems: &mut Vec<Problem>) -> HashMap<String, Arc<RelayLine>> {
    let mut relays = HashMap::new();
    for settings in &config.relays {
        let password = match settings.login.as_ref().map(|login| read_secret(&login.password)).transpose() {
            Ok(password) => password,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        match Relay::new(settings, password.map(Password::from)) {
            Ok(relay) => {
                relays.insert(settings.name.clone(), Arc::new(RelayLine::new(relay)));
            }
            Err(error) => {
                let mut problem = Problem::with_file("configuration", error.to_string(), "see the relay's settings");
                problem.key = format!("the relay {}", settings.name);
                problems.push(problem);
            }
        }
    }
    relays
}

/// Who may log in, with the hashes that stand in files.
fn logins(config: &Config, problems: &mut Vec<Problem>) -> Logins {
    let mut logins = Vec::new();
    for login in &config.logins {
        let hash = match &login.password {
            StoredPassword::Hash(hash) => Ok(hash.clone()),
            StoredPassword::Secret(secret) => read_secret(secret).and_then(|text| {
                PasswordHash::parse(&text).map_err(|what| {
                    let remedy = "put what invited login hash prints into its file";
                    let mut problem = Problem::with_file("configuration", what, remedy);
                    problem.key = format!("the password of the login {:?}", login.user);
                    problem
                })
            }),
        };
        match hash {
            Ok(hash) => logins.push((login.user.clone(), hash)),
            Err(problem) => problems.push(problem),
        }
    }
    Logins::new(logins)
}

/// What those sign with who tell of reviews. As Standard Webhooks writes it: `whsec_` and base64.
fn hook_secrets(config: &Config, problems: &mut Vec<Problem>) -> HashMap<ShopId, Vec<u8>> {
    let mut secrets = HashMap::new();
    for shop in &config.shops {
        let Some(secret) = &shop.hook_secret else { continue };
        let read = read_secret(secret).and_then(|text| {
            let bytes = text.trim().strip_prefix("whsec_").and_then(|text| Base64::decode_vec(text).ok());
            bytes.filter(|bytes| (24..=64).contains(&bytes.len())).ok_or_else(|| {
                let what = "is no secret of a webhook: \"whsec_\" and 24 to 64 bytes in base64";
                let remedy = "draw one with: echo \"whsec_$(openssl rand -base64 32)\"";
                let mut problem = Problem::with_file("configuration", what, remedy);
                problem.key = format!("the hook_secret of the shop {}", shop.id);
                problem
            })
        });
        match read {
            Ok(bytes) => drop(secrets.insert(shop.id.clone(), bytes)),
            Err(problem) => problems.push(problem),
        }
    }
    secrets
}
