//! The client's side of TLS: whom it trusts, and what it shows of itself.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};

use super::{Flaw, PROVIDER, certificates, private_key, unfit};

/// The client's side of TLS. Clones are the same.
#[derive(Clone)]
pub struct Connector {
    pub(crate) config: Arc<ClientConfig>,
}

impl Connector {
    /// Trusts servers whose certificates one of `authorities` has signed, and shows a chain with its key to
    /// those that ask for one, if there is one: the contents of PEM files.
    ///
    /// # Errors
    /// Which of them is wrong, and what with it.
    pub fn new(authorities: &[u8], shown: Option<(&[u8], &[u8])>) -> Result<Connector, Flaw> {
        let mut roots = RootCertStore::empty();
        // What a system trusts has certificates of all ages, and some can't be used.
        let found = certificates(authorities).map_err(Flaw::Authorities)?;
        let (usable, _) = roots.add_parsable_certificates(found);
        if usable == 0 {
            let words = "has no certificate of an authority that can be used";
            return Err(Flaw::Authorities(words.into()));
        }
        let builder = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_safe_default_protocol_versions()
            // The provider has suites of both versions.
            .map_err(|error| Flaw::Authorities(error.to_string()))?
            .with_root_certificates(roots);
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain).map_err(Flaw::Chain)?;
                let key = private_key(key).map_err(Flaw::Key)?;
                builder.with_client_auth_cert(chain, key).map_err(unfit)?
            }
        };
        config.resumption = Resumption::disabled();
        Ok(Connector {
            config: Arc::new(config),
        })
    }
}

impl fmt::Debug for Connector {
    /// Says nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field(
                "shows_a_certificate",
                &self.config.client_auth_cert_resolver.has_certs(),
            )
            .finish_non_exhaustive()
    }
}
