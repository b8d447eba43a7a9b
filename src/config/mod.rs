//! The configuration: from TOML to checked [`Config`], or all problems at once.

mod settings;

pub use settings::{
    Brand, Config, DEFAULT_LISTEN, Door, Limits, LogFormat, Login, Relay, RelayTimeouts, Secret, Shop, Tls, TlsFiles,
};
