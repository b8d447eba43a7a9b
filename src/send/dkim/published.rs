//! Whether the DNS publishes a key as it must.

use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use mail_auth::{DnsError, Error, MessageAuthenticator};

use super::key::SigningKey;

/// How long the DNS is waited for.
const PATIENCE: Duration = Duration::from_secs(8);

/// What the DNS says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The key.
    Same,
    /// The key, but receivers are told that it is only being tried out (`t=y`), and to take no notice of it.
    Testing,
    /// Nothing.
    Missing,
    /// No key any more: the record revokes it (an empty `p=`).
    Revoked,
    /// Another key, or something else: receivers cannot check our signatures.
    Other,
    /// It could not be asked, and why.
    Unknown(String),
}

impl Published {
    /// What a record's text (its strings put together) says of a key.
    pub fn of(record: &str, key: &SigningKey) -> Self {
        let tag = |name: &str| {
            let tags = record.split(';').filter_map(|tag| tag.split_once('='));
            let found = tags.map(|(tag, value)| (tag.trim(), value)).find(|(tag, _)| *tag == name);
            found.map(|(_, value)| value.split_whitespace().collect::<String>())
        };
        let same_version = tag("v").is_none_or(|version| version == "DKIM1");
        let same_kind = tag("k").unwrap_or_else(|| "rsa".to_owned()) == key.algorithm().name();
        let Some(public) = tag("p").filter(|_| same_version) else { return Self::Other };
        if public.is_empty() {
            return Self::Revoked;
        }
        let is_ours = Base64::decode_vec(&public).is_ok_and(|public| key.is_published_as(&public));
        match tag("t") {
            _ if !is_ours || !same_kind => Self::Other,
            Some(flags) if flags.split(':').any(|flag| flag == "y") => Self::Testing,
            _ => Self::Same,
        }
    }
}

/// Asks the DNS, by the resolver of this system, what it says of a key at `name`.
pub async fn look_up(name: &str, key: &SigningKey) -> Published {
    let authenticator = match MessageAuthenticator::new_system_conf() {
        Ok(authenticator) => authenticator,
        Err(error) => return Published::Unknown(error.to_string()),
    };
    match tokio::time::timeout(PATIENCE, authenticator.txt_raw_lookup(format!("{name}."))).await {
        Err(_) => Published::Unknown(format!("no answer within {} seconds", PATIENCE.as_secs())),
        Ok(Err(Error::Dns(DnsError::RecordNotFound(_)))) => Published::Missing,
        Ok(Err(error)) => Published::Unknown(error.to_string()),
        Ok(Ok(record)) if record.is_empty() => Published::Missing,
        Ok(Ok(record)) => Published::of(&String::from_utf8_lossy(&record), key),
    }
}
