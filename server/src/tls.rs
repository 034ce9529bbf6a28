//! TLS of the server: certificate and key are read from PEM files, and again when these change.

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{config::Tls, file_watch};

/// The certificate and key in use.
#[derive(Debug)]
struct Certificate {
    certificate_file: PathBuf,
    key_file: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
}

/// Returns the TLS settings of connections (TLS 1.2 and 1.3); None without TLS. From then on,
/// changed files are read again; if they are wrong, the certificate in use stays.
///
/// # Errors
/// The settings or files are wrong; the message names the setting and the file.
pub fn server_config(tls: &Tls) -> Result<Option<ServerConfig>, String> {
    let Some((certificate_file, key_file)) = tls.files()? else {
        return Ok(None);
    };
    let (certificate_file, key_file) = (certificate_file.to_owned(), key_file.to_owned());
    let provider = Arc::new(ring::default_provider());
    let current = read(&certificate_file, &key_file, &provider)?;
    let certificate = Arc::new(Certificate {
        certificate_file: certificate_file.clone(),
        key_file: key_file.clone(),
        provider: provider.clone(),
        current: ArcSwap::from_pointee(current),
    });
    let files = vec![certificate_file, key_file];
    file_watch::watch("certificate", files, &certificate, Certificate::reload)
        .map_err(|e| format!("cannot watch the certificate: {e}"))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("tls: {e}"))?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    Ok(Some(config))
}

impl Certificate {
    fn reload(&self) {
        match read(&self.certificate_file, &self.key_file, &self.provider) {
            Ok(read) => {
                tracing::info!(file = %self.certificate_file.display(), "certificate read again");
                self.current.store(Arc::new(read));
            }
            Err(e) => tracing::error!("the certificate in use stays as it is: {e}"),
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// Reads both files and checks that they belong together.
fn read(
    certificate_file: &PathBuf,
    key_file: &PathBuf,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    let error = |setting: &str, file: &PathBuf, e: &dyn std::fmt::Display| {
        format!("tls.{setting}: {}: {e}", file.display())
    };
    let chain = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| error("certificate_file", certificate_file, &e))?;
    if chain.is_empty() {
        let expected = "expected a certificate in PEM form, got none";
        return Err(error("certificate_file", certificate_file, &expected));
    }
    let key =
        PrivateKeyDer::from_pem_file(key_file).map_err(|e| error("key_file", key_file, &e))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|e| error("key_file", key_file, &e))
}
