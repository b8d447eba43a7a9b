//! How relays are trusted: the system's certificate authorities, a file of our own, or, where encryption is taken only as it
//! comes, any certificate.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::outcome::{Phase, Trouble};
use crate::config::{self, Tls};

/// Why a relay cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The host is neither a host name nor an address.
    #[error("relay {relay}: \"{host}\" is neither a host name nor an IP address")]
    Host {
        /// The relay's name.
        relay: String,
        /// What stands there.
        host: String,
    },
    /// The file of authorities cannot be used.
    #[error("relay {relay}: tls_ca {}: {reason}; give a PEM file with the certificates of authorities to trust", path.display())]
    Authorities {
        /// The relay's name.
        relay: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system has none.
    #[error("relay {relay}: no certificate authorities found on this system; install ca-certificates or set tls_ca")]
    NoAuthorities {
        /// The relay's name.
        relay: String,
    },
    /// A login without its password.
    #[error("relay {relay}: a user name is configured, but no password was given")]
    NoPassword {
        /// The relay's name.
        relay: String,
    },
    /// The TLS library refuses our settings; not met in practice.
    #[error("relay {relay}: TLS cannot be set up: {source}")]
    Setup {
        /// The relay's name.
        relay: String,
        /// Why.
        source: rustls::Error,
    },
}

/// All that a TLS handshake with one relay needs.
pub(super) struct Handshake {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Handshake {
    /// Reads the authorities that the relay's settings ask for; `None` when it is spoken to in the clear.
    pub(super) fn new(relay: &config::Relay) -> Result<Option<Self>, RelayError> {
        if relay.tls == Tls::None {
            return Ok(None);
        }
        let name = ServerName::try_from(bare(&relay.host).to_owned())
            .map_err(|_| RelayError::Host { relay: relay.name.clone(), host: relay.host.clone() })?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|source| RelayError::Setup { relay: relay.name.clone(), source })?;
        let config = if relay.tls == Tls::Opportunistic {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            builder.with_root_certificates(authorities(relay)?)
        };
        Ok(Some(Self { connector: TlsConnector::from(Arc::new(config.with_no_client_auth())), name }))
    }

    /// Runs the handshake. The caller keeps the time.
    pub(super) async fn run(&self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, Trouble> {
        self.connector.connect(self.name.clone(), tcp).await.map_err(|error| {
            let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            let remedy = match cause {
                Some(rustls::Error::InvalidCertificate(
                    CertificateError::UnknownIssuer | CertificateError::BadSignature,
                )) => "; it is signed by no authority that is trusted here: name the authority's file in tls_ca",
                Some(rustls::Error::InvalidCertificate(
                    CertificateError::Expired | CertificateError::ExpiredContext { .. },
                )) => "; the relay's administrator must renew it",
                Some(rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )) => "; set the relay's host to the name its certificate is for",
                _ => "",
            };
            Trouble { phase: Phase::Tls, reason: format!("no TLS: {error}{remedy}"), alarm: cause.is_some() }
        })
    }
}

/// A host without the brackets of an IPv6 address.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

fn authorities(relay: &config::Relay) -> Result<RootCertStore, RelayError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &relay.tls_ca else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if roots.is_empty() { Err(RelayError::NoAuthorities { relay: relay.name.clone() }) } else { Ok(roots) };
    };
    let fault = |reason: String| RelayError::Authorities { relay: relay.name.clone(), path: path.clone(), reason };
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))? {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        roots.add(certificate).map_err(|error| fault(error.to_string()))?;
    }
    if roots.is_empty() { Err(fault("no certificate in it".to_owned())) } else { Ok(roots) }
}

/// Takes any certificate whose key the relay can prove to have: opportunistic encryption (RFC 7435) keeps listeners out, not
/// impostors.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
