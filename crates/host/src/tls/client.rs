//! The certificates of clients: who shows none, or one that nobody here knows, is a stranger, and is served
//! as one. Mail servers show certificates of all kinds without being asked twice, and their mail must not
//! be lost for that.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// Lets every certificate pass in the handshake, once the client has shown that it has its key, and says
/// afterwards whose it is.
#[derive(Debug)]
pub(super) struct Lenient(Arc<dyn ClientCertVerifier>);

impl Lenient {
    pub(super) fn new(verifier: Arc<dyn ClientCertVerifier>) -> Lenient {
        Lenient(verifier)
    }

    /// The domain names of the certificate that a client has shown, the first of `shown`; none if no
    /// authority leads to it, or it isn't valid now, or not for clients.
    pub(super) fn names(&self, shown: &[CertificateDer<'_>]) -> Vec<String> {
        let Some((own, others)) = shown.split_first() else {
            return Vec::new();
        };
        match self.0.verify_client_cert(own, others, UnixTime::now()) {
            Ok(_) => domain_names(own),
            Err(_) => Vec::new(),
        }
    }
}

/// The domain names that a certificate is for (RFC 9525 2): its alternative names, and nothing else.
/// A wildcard is no name of anybody's.
fn domain_names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, read)) = parse_x509_certificate(certificate) else {
        return Vec::new();
    };
    let Ok(Some(names)) = read.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names.value.general_names.iter();
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) if !name.contains('*') => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    names.collect()
}

impl ClientCertVerifier for Lenient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // `names` says what it is worth.
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
