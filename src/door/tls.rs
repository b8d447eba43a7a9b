//! The certificate of the door, read from PEM files: what TLS needs of it, until when it holds, and whether its files have changed
//! since.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem};
use sha2::{Digest, Sha256};

use crate::config::TlsFiles;
use crate::domain::{Timestamp, hex};

/// Why there is no TLS: which file, what is wrong with it, what helps.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain cannot be read.
    #[error("{}: cannot read the certificate chain: {source}; it must be a PEM file that this user may read", .file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What was wrong.
        source: pem::Error,
    },
    /// There is no certificate in the file.
    #[error("{}: no certificate in this file; it must hold \"BEGIN CERTIFICATE\", the server's own first", .0.display())]
    NoCertificate(PathBuf),
    /// The key cannot be read.
    #[error("{}: cannot read the private key: {source}; it must be a PEM file with \"BEGIN PRIVATE KEY\", not encrypted, that this user may read", .file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What was wrong.
        source: pem::Error,
    },
    /// The two do not belong together, or TLS cannot use them.
    #[error("{} with {}: {}; renew both together", .certificate.display(), .key.display(), of_pair(.source))]
    Pair {
        /// The chain's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What was wrong.
        source: rustls::Error,
    },
    /// The certificate does not say until when it holds.
    #[error("{}: the first certificate cannot be understood; it must be an X.509 certificate", .0.display())]
    Strange(PathBuf),
}

/// What is wrong with a pair, in words where rustls has a name only.
fn of_pair(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch) => {
            "the key does not belong to the certificate".to_owned()
        }
        other => other.to_string(),
    }
}

/// A certificate with its key, ready for use.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    /// What the files were like before they were read.
    stamps: Stamps,
    ends: Timestamp,
    plain: Arc<ServerConfig>,
    asking: Arc<ServerConfig>,
    web: Arc<ServerConfig>,
}

impl Certificate {
    /// The files that it came from.
    pub fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// What the files were like before they were read.
    pub(crate) fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// For a handshake in which the client may be asked for a certificate of its own.
    pub(crate) fn for_handshake(&self, ask_client: bool) -> Arc<ServerConfig> {
        Arc::clone(if ask_client { &self.asking } else { &self.plain })
    }

    /// For a handshake after which HTTP/1.1 is spoken.
    pub fn for_web(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.web)
    }
}

/// Until when a certificate holds: `notAfter` of the server's own.
pub fn certificate_ends(certificate: &Certificate) -> Timestamp {
    certificate.ends
}

/// Reads a chain and its key. Blocks on the disk, so call it seldom.
///
/// # Errors
/// When one cannot be read, or the two do not belong together.
pub fn load_tls(files: &TlsFiles) -> Result<Arc<Certificate>, TlsError> {
    let stamps = Stamps::of(files);
    let unreadable = |source| TlsError::Certificate { file: files.certificate.clone(), source };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable)?;
    let first = chain.first().ok_or_else(|| TlsError::NoCertificate(files.certificate.clone()))?;
    let ends = end_of(first).ok_or_else(|| TlsError::Strange(files.certificate.clone()))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsError::Key { file: files.key.clone(), source })?;
    let mismatch = |source| TlsError::Pair { certificate: files.certificate.clone(), key: files.key.clone(), source };
    // The provider is named, since rustls panics when several are compiled in and none is installed.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = || ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let plain = builder()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain.clone(), key.clone_key()))
        .map_err(mismatch)?;
    let any = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let asking = builder()
        .and_then(|builder| builder.with_client_cert_verifier(any).with_single_cert(chain, key))
        .map_err(mismatch)?;
    let mut web = plain.clone();
    web.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (plain, asking, web) = (Arc::new(plain), Arc::new(asking), Arc::new(web));
    Ok(Arc::new(Certificate { files: files.clone(), stamps, ends, plain, asking, web }))
}

fn end_of(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(Timestamp::from_seconds(certificate.validity().not_after.timestamp()))
}

/// The SHA-256 of a certificate, lower-case hexadecimal: what `openssl x509 -fingerprint -sha256` shows, without the colons.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    hex(&Sha256::digest(certificate))
}

/// What the files of a certificate are like; another stamp means that they should be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamps([Option<(u64, u64, i64, i64)>; 2]);

impl Stamps {
    /// Of the files as they are now. A file that is not there has a stamp, too: that it comes is a change.
    pub(crate) fn of(files: &TlsFiles) -> Self {
        let stamp = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
        };
        Self([stamp(&files.certificate), stamp(&files.key)])
    }
}

/// Takes any certificate of a client that proves to have its key. Which one means what is not for the handshake to say: a shop names
/// the fingerprints that it trusts.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_pair_is_loaded_and_what_is_wrong_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let one = rcgen::generate_simple_self_signed(vec!["mail.example.com".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(vec!["mail.example.com".to_owned()]).unwrap();
        let certificate = write("cert.pem", &one.cert.pem());
        let key = write("key.pem", &one.signing_key.serialize_pem());
        let strange = write("strange.pem", &other.signing_key.serialize_pem());
        let empty = write("empty.pem", "nothing\n");
        let missing = folder.path().join("missing.pem");

        assert!(load_tls(&TlsFiles { certificate: certificate.clone(), key: key.clone() }).is_ok());
        for (certificate, key, file, words) in [
            (&missing, &key, "missing.pem", "cannot read the certificate chain"),
            (&empty, &key, "empty.pem", "no certificate"),
            (&certificate, &missing, "missing.pem", "cannot read the private key"),
            (&certificate, &empty, "empty.pem", "cannot read the private key"),
            (&certificate, &strange, "strange.pem", "the key does not belong to the certificate; renew both"),
        ] {
            let files = TlsFiles { certificate: certificate.clone(), key: key.clone() };
            let message = load_tls(&files).expect_err(words).to_string();
            assert!(message.contains(file) && message.contains(words), "{message}");
        }
    }
}
