//! TLS: what a server shows its clients, and what it learns of them in a handshake; and a client's side of it.
//!
//! Connections are in [`net`](crate::net): a [`Stream`](crate::net::Stream) becomes a secured one by
//! [`secure`](crate::net::Stream::secure). Sessions are not resumed: a mail connection is long, and a client
//! whose certificate counts shows it each time.

mod client;
mod connector;

use std::fmt;
use std::sync::{Arc, LazyLock};

use postroad_clock::UnixMs;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CommonState, InconsistentKeys, RootCertStore, ServerConfig, ServerConnection};
use x509_parser::parse_x509_certificate;

use client::Lenient;
pub use connector::Connector;

/// The cryptographic code, which is the same for all.
static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

/// The oldest version of TLS that is spoken. There is none older (RFC 9325 3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oldest {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// What a server's side of TLS is made of: the contents of PEM files (RFC 7468).
#[derive(Clone, Copy)]
pub struct Material<'a> {
    /// The certificate, and those that lead from it to its authority.
    pub chain: &'a [u8],
    /// The certificate's private key.
    pub key: &'a [u8],
    /// The authorities whose certificates clients may show to say who they are; none if clients
    /// aren't asked for any.
    pub authorities: Option<&'a [u8]>,
    /// The oldest version.
    pub oldest: Oldest,
}

/// Why TLS can't be had of some material, each with words that say what is wrong with that file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The certificate, or its chain.
    Chain(String),
    /// The key.
    Key(String),
    /// The authorities of clients.
    Authorities(String),
}

/// The server's side of TLS. Clones are the same.
#[derive(Clone)]
pub struct Acceptor {
    pub(crate) config: Arc<ServerConfig>,
    clients: Option<Arc<Lenient>>,
    validity: Validity,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From when.
    pub from: UnixMs,
    /// Until when.
    pub until: UnixMs,
}

/// What a handshake has settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secured {
    /// The version, as in `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its registered name, as in `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The domain names of the client's certificate, in lower case, if one of the authorities has signed
    /// it and it is valid now; else none.
    pub names: Vec<String>,
}

impl Acceptor {
    /// Makes it of what files say.
    ///
    /// # Errors
    /// Which file is wrong, and what with it.
    pub fn new(material: Material<'_>) -> Result<Acceptor, Flaw> {
        let chain = certificates(material.chain).map_err(Flaw::Chain)?;
        let validity = chain.first().and_then(validity);
        let validity =
            validity.ok_or_else(|| Flaw::Chain("has a certificate that can't be read".into()))?;
        let key = private_key(material.key).map_err(Flaw::Key)?;
        let certified = CertifiedKey::from_der(chain, key, &PROVIDER).map_err(unfit)?;
        let clients = match material.authorities {
            None => None,
            Some(pem) => Some(Arc::new(clients(pem).map_err(Flaw::Authorities)?)),
        };
        let versions: &[_] = match material.oldest {
            Oldest::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            Oldest::Tls13 => &[&rustls::version::TLS13],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(versions)
            // The provider has suites of both versions.
            .map_err(|error| Flaw::Chain(error.to_string()))?;
        let builder = match &clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients) as _),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Acceptor {
            config: Arc::new(config),
            clients,
            validity,
        })
    }

    /// When its certificate is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// What a handshake that is done has settled.
    pub(crate) fn settled(&self, connection: &ServerConnection) -> Secured {
        let shown = connection.peer_certificates();
        let names = self.clients.as_ref().zip(shown);
        Secured {
            names: names.map_or_else(Vec::new, |(clients, shown)| clients.names(shown)),
            ..settled(connection)
        }
    }
}

/// What a handshake that is done has settled, but for names of the peer.
pub(crate) fn settled(connection: &CommonState) -> Secured {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let suite = connection.negotiated_cipher_suite();
    let cipher = suite.map(|suite| format!("{:?}", suite.suite()));
    Secured {
        version,
        // The library tells the suites of TLS 1.3 apart by their names, which the registry doesn't.
        cipher: cipher.unwrap_or_default().replacen("TLS13_", "TLS_", 1),
        names: Vec::new(),
    }
}

impl fmt::Debug for Acceptor {
    /// Says nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("validity", &self.validity)
            .field("asks_for_certificates", &self.clients.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Material<'_> {
    /// Says nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Material")
    }
}

/// The certificates of a PEM file, one at least.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if found.is_empty() => Err("has no certificate in PEM form".into()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("is not PEM: {error}")),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    const ENCRYPTED: &[u8] = b"ENCRYPTED";
    if pem.windows(ENCRYPTED.len()).any(|words| words == ENCRYPTED) {
        return Err("is encrypted, and nobody is there to type its password".into());
    }
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| "has no private key in PEM form (PKCS #8, PKCS #1 or SEC 1)".into())
}

/// What doesn't fit in a certificate with its key.
fn unfit(error: rustls::Error) -> Flaw {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            Flaw::Key("is not the key of the certificate".into())
        }
        rustls::Error::InvalidCertificate(_) => {
            Flaw::Chain("has a certificate that can't be read".into())
        }
        error => Flaw::Key(format!("can't be used: {error}")),
    }
}

/// What checks the certificates of clients against these authorities.
fn clients(pem: &[u8]) -> Result<Lenient, String> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(pem)? {
        roots
            .add(authority)
            .map_err(|_| "has a certificate that is none of an authority".to_owned())?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&PROVIDER))
            .build()
            .map_err(|error| error.to_string())?;
    Ok(Lenient::new(verifier))
}

/// When a certificate is valid; none if that can't be read.
fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let (_, read) = parse_x509_certificate(certificate).ok()?;
    // Before 1970 is as good as 1970.
    let at = |seconds: i64| UnixMs(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
    Some(Validity {
        from: at(read.validity().not_before.timestamp()),
        until: at(read.validity().not_after.timestamp()),
    })
}

#[cfg(test)]
mod tests;
