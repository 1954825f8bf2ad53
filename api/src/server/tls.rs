//! TLS from a certificate chain and a key in PEM files.

use std::path::Path;
use std::sync::Arc;

use headwater_engine::{Error, Result};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Reads `tls.cert` and `tls.key`: TLS 1.2 or later, HTTP/1.1 and, where it is wanted, HTTP/2.
pub fn load_tls(cert: &Path, key: &Path, with_http2: bool) -> Result<TlsAcceptor> {
    let wrong = |path: &Path, what: &str| {
        Error::invalid("invalid_tls", format!("{}: {what}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(cert, &error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(cert, "holds no certificate"));
    }
    let secret =
        PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error.to_string()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(format!("set up TLS: {error}")))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| wrong(cert, &error.to_string()))?;
    let http2 = with_http2.then(|| b"h2".to_vec());
    config.alpn_protocols = http2.into_iter().chain([b"http/1.1".to_vec()]).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}
