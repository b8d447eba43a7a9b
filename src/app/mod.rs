//! Puts the house together from a configuration, keeps it running, and takes it down in order.

mod daemon;
mod files;
mod samples;
mod setup;

pub use daemon::{Broke, Daemon, Reloaded, StartError, Tracing};
pub use files::{
    database_password, load_config, load_letters, load_templates, read_config_file, read_secret, template_files,
};
pub use samples::{Sample, load_samples};
pub use setup::{build_setup, list_key, rebuild_setup, return_key, signing_key};
