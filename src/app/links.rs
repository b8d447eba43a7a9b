//! Where links lead and what they are signed with, from what the configuration names.

use std::collections::HashMap;

use super::files::read_secret;
use crate::config::{Config, LinkKey, LinkTo, Secret};
use crate::document::Problem;
use crate::domain::ShopId;
use crate::link::{
    BusinessGenerated, LinkKeys, NoTrustpilotKey, Route, Routes, Target, TrustpilotPage, UniqueLink, derive,
};

/// A secret of fewer characters than this can be guessed, whatever it is written in.
const SHORTEST_SECRET: usize = 32;

/// The keys of our own links.
///
/// # Errors
/// All problems with their secrets, and with the master key where one of them is derived from it.
pub fn link_keys(config: &Config) -> Result<LinkKeys, Vec<Problem>> {
    let mut keys = Vec::new();
    let mut problems = Vec::new();
    for key in &config.link_keys {
        match link_key(config, key) {
            Ok(key) => keys.push(key),
            Err(problem) => problems.push(problem),
        }
    }
    let mut keys = keys.into_iter();
    match keys.next() {
        Some(signs) if problems.is_empty() => Ok(LinkKeys::new(signs, keys)),
        _ => Err(problems),
    }
}

fn link_key(config: &Config, key: &LinkKey) -> Result<(u8, [u8; 32]), Problem> {
    let text = read_secret(key.secret.as_ref().unwrap_or(&config.master_key))?;
    if let Some(place) = key.secret.as_ref().filter(|_| text.chars().count() < SHORTEST_SECRET) {
        let what = format!("is a secret of fewer than {SHORTEST_SECRET} characters");
        return Err(Problem::with_file(place_of(place), what, "make one with: openssl rand -hex 32"));
    }
    Ok((key.id, derive(text.as_bytes(), &format!("links {}", key.id))))
}

/// Where each shop's links lead.
///
/// # Errors
/// All problems with their secrets.
pub fn link_routes(config: &Config) -> Result<HashMap<ShopId, Routes>, Vec<Problem>> {
    let mut all = HashMap::new();
    let mut problems = Vec::new();
    for shop in &config.shops {
        let mut read = |to: &LinkTo| target(to).map_err(|problem| problems.push(problem)).ok();
        let otherwise = read(&shop.link);
        let routes = shop
            .links
            .iter()
            .filter_map(|link| Some(Route { locale: link.locale.clone(), share: link.share, target: read(&link.to)? }));
        let routes = routes.collect();
        all.extend(otherwise.map(|otherwise| (shop.id.clone(), Routes::new(routes, otherwise))));
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

fn target(to: &LinkTo) -> Result<Target, Problem> {
    Ok(match to {
        LinkTo::Own => Target::Own,
        LinkTo::Pattern(pattern) => Target::Pattern(pattern.clone()),
        LinkTo::BusinessGenerated { domain, locale, tags, encrypt_key, auth_key } => {
            let page = TrustpilotPage { domain: domain.clone(), locale: locale.clone() };
            let (encrypt, auth) = (read_secret(encrypt_key)?, read_secret(auth_key)?);
            let maker = BusinessGenerated::new(page, tags.clone(), &encrypt, &auth).map_err(|error| {
                let place = match error {
                    NoTrustpilotKey::Encrypt => encrypt_key,
                    NoTrustpilotKey::Authenticate => auth_key,
                };
                Problem::with_file(place_of(place), error.to_string(), "copy it again from Trustpilot Business")
            })?;
            Target::BusinessGenerated(maker)
        }
        LinkTo::Unique { domain, locale, secret } => {
            let page = TrustpilotPage { domain: domain.clone(), locale: locale.clone() };
            Target::Unique(UniqueLink::new(page, read_secret(secret)?))
        }
    })
}

/// Where a secret stands, for people.
pub(super) fn place_of(secret: &Secret) -> String {
    match secret {
        Secret::File(path) => path.display().to_string(),
        Secret::Credential(name) => name.clone(),
    }
}
