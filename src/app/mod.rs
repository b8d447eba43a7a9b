//! Puts the house together from a configuration, keeps it running, and takes it down in order.

mod daemon;
mod edit;
mod files;
mod journal;
mod links;
mod log;
mod samples;
mod setup;
mod web;

pub use daemon::{Broke, Daemon, Reloaded, StartError};
pub use edit::{NotEdited, SecretsEdit, edit_secrets};
pub use files::{
    database_password, letter_files, load_config, load_letters, load_pages, load_templates, read_config_file,
    read_secret, template_files,
};
pub use links::{link_keys, link_routes};
pub use log::Tracing;
pub use samples::{Sample, load_samples};
pub use setup::{build_setup, exposed, list_key, rebuild_setup, return_key, signing_key};
