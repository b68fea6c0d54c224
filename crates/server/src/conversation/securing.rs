//! STARTTLS, and what is known of a client once its connection is under TLS.

use std::fmt::Display;
use std::io;

use postroad_directory::Identity;
use postroad_host::tls::Secured;
use postroad_message::trace::Greeting;
use postroad_reply::StarttlsReply;
use postroad_session::server::ServerSession;
use postroad_store::QueueStore;
use postroad_telemetry::Event;

use super::Conversation;

impl<S: QueueStore> Conversation<S> {
    /// Whether a handshake may begin.
    pub(super) fn start_tls(&mut self) -> StarttlsReply {
        match self.settings.tls {
            Some(_) => StarttlsReply::Ready,
            None => {
                self.record
                    .cause("there is no certificate that can be used");
                StarttlsReply::Unavailable
            }
        }
    }

    /// Takes note that the connection is under TLS. What the client said of itself before is forgotten, for
    /// who said it isn't known (RFC 3207 4.2).
    pub(crate) fn secured(&mut self, secured: Secured, session: &mut ServerSession) {
        let (connection, peer) = self.record.client();
        let names = secured.names.join(" ");
        let named = Some(&names as &dyn Display).filter(|_| !names.is_empty());
        Event::TlsEstablished {
            connection,
            peer,
            version: secured.version,
            cipher: &secured.cipher,
            certificate: named,
        }
        .emit();
        let client = &mut self.client;
        client.greets("", Greeting::Helo);
        let names = secured.names.iter().cloned();
        client.identities = names.map(Identity::Certificate).collect();
        if !client.identities.is_empty() {
            session.identified();
        }
        client.tls = Some(Box::new(secured));
    }

    /// Takes note that a handshake has failed.
    pub(crate) fn unsecured(&self, why: &io::Error) {
        let (connection, peer) = self.record.client();
        Event::TlsFailed {
            connection,
            peer,
            cause: why,
        }
        .emit();
    }
}
