//! `invited dkim`: keys that letters are signed with, and the DNS records that publish them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::init::write_private;
use super::{ConfigArg, Failure, JsonArg, Output};
use crate::app::{load_config, signing_key};
use crate::config::{self, Secret};
use crate::domain::host_name;
use crate::send::dkim::{Algorithm, SigningKey};

/// Makes keys that letters are signed with (DKIM), and prints the DNS records that publish them
#[derive(Debug, Subcommand)]
pub(super) enum Dkim {
    /// Makes a key, and says what to publish and what to write into the configuration
    Generate(Generate),
    /// Prints the DNS records of the keys that the configuration names
    Record(Record),
}

/// Makes a private key for DKIM, and says what to publish and what to write into the configuration.
///
/// Receivers know RSA, all of them. An Ed25519 key has a short record, but some receivers pass over it: have one beside an RSA key,
/// never alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A key for letters from reviews@myshop.example:
    invited dkim generate --domain myshop.example --selector 2026a --out dkim.key
  A second one of the other kind, so that each letter has two signatures:
    invited dkim generate --ed25519 --domain myshop.example --selector 2026e --out dkim-e.key")]
pub(super) struct Generate {
    /// The domain of the letters' From address
    #[arg(long)]
    domain: String,
    /// The name under which the key will be published: a-z, 0-9 and hyphens. Take another for each key
    #[arg(long)]
    selector: String,
    /// The file to write the private key into; it must not be there
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// An RSA key of 2048 bits; this is what is made unless told
    #[arg(long, conflicts_with = "ed25519")]
    rsa: bool,
    /// An Ed25519 key (RFC 8463)
    #[arg(long)]
    ed25519: bool,
}

/// Prints the DNS records of the keys that the configuration names.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Lines for a zone file:
    invited dkim record
  The bare texts, for a form that asks for them:
    invited dkim record --json")]
pub(super) struct Record {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Only this domain's
    #[arg(long)]
    domain: Option<String>,
}

impl Dkim {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Generate(generate) => generate.run(),
            Self::Record(record) => record.run(),
        }
    }
}

impl Generate {
    fn run(self) -> Result<(), Failure> {
        let domain =
            host_name(&self.domain).ok_or_else(|| Failure::Usage(format!("{:?} is no full host name", self.domain)))?;
        let selector = config::Dkim::selector(&self.selector).map_err(Failure::Usage)?;
        let algorithm = if self.ed25519 { Algorithm::Ed25519 } else { Algorithm::Rsa };
        let (key, pem) = SigningKey::generate(algorithm).map_err(|error| Failure::Undone(error.to_string()))?;
        if self.out.exists() {
            let why = "is there already, and nothing was changed; letters may be signed with it";
            return Err(Failure::Undone(format!("{} {why}", self.out.display())));
        }
        write_private(&self.out, &pem, false)?;
        let file = std::path::absolute(&self.out).unwrap_or_else(|_| self.out.clone());
        let dkim = config::Dkim { domain, selector, key: Secret::File(file.clone()) };
        let mut out = Output::new();
        out.line(format!("Wrote {} (keep it secret: who has it signs as {})", self.out.display(), dkim.domain))?;
        out.line("")?;
        out.line("Publish this record; one line of a zone file:")?;
        out.line(format!("  {}. IN TXT {}", dkim.record_name(), key.record_in_strings()))?;
        out.line("The same for a form that asks for the bare text:")?;
        out.line(format!("  {}", key.record()))?;
        out.line("")?;
        out.line("When it is published, write this into the configuration, and reload:")?;
        out.line("  [[dkim]]")?;
        out.line(format!("  domain = {:?}", dkim.domain))?;
        out.line(format!("  selector = {:?}", dkim.selector))?;
        out.line(format!("  key = {{ file = {:?} }}", file.display().to_string()))?;
        out.line("")?;
        out.line("The service's user must own the file. \"invited check\" looks whether the record is there.")?;
        Ok(())
    }
}

impl Record {
    fn run(self) -> Result<(), Failure> {
        let config = load_config(&self.config.config).map_err(Failure::Config)?;
        let mut out = Output::new();
        let is_asked = |dkim: &&config::Dkim| self.domain.as_ref().is_none_or(|domain| *domain == dkim.domain);
        let asked = config.dkim.iter().filter(is_asked).collect::<Vec<_>>();
        if asked.is_empty() {
            let of = self.domain.as_ref().map(|domain| format!(" of {domain}")).unwrap_or_default();
            return Err(Failure::Undone(format!(
                "the configuration names no DKIM key{of}; make one with: invited dkim generate"
            )));
        }
        for dkim in asked {
            let key = signing_key(dkim).map_err(|problem| Failure::Config(vec![problem]))?;
            if self.json.json {
                out.json(&serde_json::json!({
                    "domain": dkim.domain,
                    "selector": dkim.selector,
                    "name": dkim.record_name(),
                    "type": "TXT",
                    "value": key.record(),
                }))?;
            } else {
                out.line(format!("{}. IN TXT {}", dkim.record_name(), key.record_in_strings()))?;
            }
        }
        Ok(())
    }
}
