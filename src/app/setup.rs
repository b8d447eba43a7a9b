//! From a checked configuration to what the use cases work with. All or nothing: a reload that fails here changes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::files::{load_letters, load_templates, read_secret};
use crate::config::Config;
use crate::document::Problem;
use crate::link::derive;
use crate::ops::{Keys, RelayLine, Setup};
use crate::send::{Password, Relay};

/// Reads and compiles everything that the configuration names.
///
/// # Errors
/// All problems at once.
pub fn build_setup(config: Config) -> Result<Setup, Vec<Problem>> {
    let mut problems = Vec::new();
    let reader = match load_templates(config.templates_dir.as_deref()) {
        Ok(templates) => Some(crate::read::Reader::new(templates)),
        Err(more) => {
            problems.extend(more);
            None
        }
    };
    let letters = load_letters(config.letters_dir.as_deref()).map_err(|more| problems.extend(more)).ok();
    let master = read_secret(&config.master_key).map_err(|problem| problems.push(problem)).ok();
    let relays = relays(&config, &mut problems);
    match (reader, letters, master) {
        (Some(reader), Some(letters), Some(master)) if problems.is_empty() => Ok(Setup {
            policies: Arc::new(config.policies()),
            keys: Keys {
                tokens: derive(master.as_bytes(), "tokens"),
                log_ids: derive(master.as_bytes(), "log ids"),
                message_ids: derive(master.as_bytes(), "message ids"),
            },
            config,
            reader,
            letters,
            relays,
        }),
        _ => Err(problems),
    }
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
