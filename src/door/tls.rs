//! The certificate for STARTTLS, read from PEM files.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem};

use crate::config::TlsFiles;

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
    #[error("{} with {}: {source}; renew both together", .certificate.display(), .key.display())]
    Pair {
        /// The chain's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What was wrong.
        source: rustls::Error,
    },
}

/// Reads a chain and its key. Blocks on the disk, so call it at the start and on a reload only.
pub fn load_tls(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |source| TlsError::Certificate { file: files.certificate.clone(), source };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(files.certificate.clone()));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsError::Key { file: files.key.clone(), source })?;
    // The provider is named, since rustls panics when several are compiled in and none is installed.
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map(Arc::new)
        .map_err(|source| TlsError::Pair { certificate: files.certificate.clone(), key: files.key.clone(), source })
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
            (&certificate, &strange, "strange.pem", "renew both"),
        ] {
            let files = TlsFiles { certificate: certificate.clone(), key: key.clone() };
            let message = load_tls(&files).expect_err(words).to_string();
            assert!(message.contains(file) && message.contains(words), "{message}");
        }
    }
}
