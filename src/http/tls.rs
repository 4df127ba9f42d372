//! Both ends of TLS: a server with a certificate of the operator's, and a client that knows that certificate.
//!
//! Certificates are short-lived: a server shows the one that it was given last ([`Shown`]), without a connection that
//! goes on being any the worse for it.
//!
//! The client trusts what the system trusts, and besides the very certificate that the swarm's own services show,
//! compared byte for byte: so one that the operator signed himself needs no authority.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A certificate or key that is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {what} {}: {source}", path.display())]
    Read {
        /// A certificate or a key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: pem::Error,
    },
    /// There is nothing of that kind in it.
    #[error("there is no certificate in {}: it must be in PEM form, the server's own first", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// TLS does not take them.
    #[error("cannot use the certificate {}: {source}", path.display())]
    Unfit {
        /// The certificate's file.
        path: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// TLS cannot be set up at all.
    #[error("cannot set up TLS: {0}")]
    SetUp(#[from] rustls::Error),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |source| TlsError::Read { what: "the certificate", path: path.to_owned(), source };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(read)?.collect();
    let chain = chain.map_err(read)?;
    if chain.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(chain) }
}

/// The server's end, with a certificate chain and its key, both in PEM form; none where they are not both set.
///
/// # Errors
/// They cannot be read, or do not belong together.
pub fn acceptor(certificate: Option<&Path>, key: Option<&Path>) -> Result<Option<TlsAcceptor>, TlsError> {
    let (Some(certificate), Some(key)) = (certificate, key) else { return Ok(None) };
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Read {
        what: "the private key",
        path: key.to_owned(),
        source,
    })?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|source| TlsError::Unfit { path: certificate.to_owned(), source })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// What a server shows to whoever connects from now on.
#[derive(Clone)]
pub struct Shown(Arc<RwLock<TlsAcceptor>>);

impl Shown {
    /// This one, until there is another.
    pub fn new(acceptor: TlsAcceptor) -> Self {
        Self(Arc::new(RwLock::new(acceptor)))
    }

    /// Another one. Where there is none any more, the one before stays.
    pub fn renew(&self, acceptor: Option<TlsAcceptor>) {
        if let Some(acceptor) = acceptor {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        }
    }

    /// The one of this moment.
    pub fn now(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The client's end, which takes servers with the first certificate of this file, too.
///
/// # Errors
/// The file cannot be read.
pub fn connector(own: Option<&Path>) -> Result<TlsConnector, TlsError> {
    let own = own.map(certificates).transpose()?.and_then(|chain| chain.into_iter().next());
    let mut roots = RootCertStore::empty();
    // A store without certificates, or with bad ones, leaves what is good; what is missing shows at the handshake.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let known = match roots.is_empty() {
        true => None,
        // It fails only without roots, or for lists of revoked ones that it was not given.
        false => WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().ok(),
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { own, known }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes the one certificate that the operator named, and what the system's authorities signed.
#[derive(Debug)]
struct Verifier {
    own: Option<CertificateDer<'static>>,
    known: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.own.as_ref().is_some_and(|own| own == shown) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.known {
            Some(known) => known.verify_server_cert(shown, between, name, ocsp, now),
            None => Err(rustls::CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
