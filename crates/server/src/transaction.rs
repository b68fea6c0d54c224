//! What is kept of an open transaction, and the envelope it becomes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use postroad_clock::UnixMs;
use postroad_directory::{Identity, MAX_TARGETS, Reservation};
use postroad_host::tls::Secured;
use postroad_message::trace::{self, Greeting, Protocol, Received};
use postroad_queue::{ClientTrace, Envelope, Recipient};
use postroad_reply::{Receipt, TransactionId};
use postroad_store::{Leased, QueueStore, Trouble};
use postroad_wire::address::{Domain, Mailbox, ReversePath};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::{MailParameters, RcptParameters};

use crate::admission;
use crate::budget::Share;
use crate::intake::{Complete, Intake};
use crate::record::Message;

/// How many mailboxes a transaction may have at most: those of a hundred recipients, each the
/// longest of aliases, for fewer recipients must not be too many (RFC 5321 4.5.3.1.8).
const MOST_TARGETS: usize = 100 * MAX_TARGETS;

/// The client, as far as it is known.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    /// What it says after EHLO or HELO; empty before.
    pub(crate) name: String,
    /// By which command it said so.
    pub(crate) greeting: Greeting,
    /// Who it has proved to be: all the names that are its own.
    pub(crate) identities: Vec<Identity>,
    /// What its TLS handshake has settled.
    pub(crate) tls: Option<Box<Secured>>,
}

/// A transaction whose MAIL was accepted.
#[derive(Debug)]
pub(crate) struct Transaction<S: QueueStore> {
    pub(crate) id: TransactionId,
    reverse_path: ReversePath,
    delivery: DeliveryKind,
    parameters: MailParameters,
    recipients: Vec<Recipient>,
    /// The targets of the recipients and their places, to find one among thousands.
    known: BTreeMap<Mailbox, usize>,
    /// In LMTP: the places of what each accepted RCPT leads to, in their order.
    parts: Vec<Vec<usize>>,
    /// Places for mailboxes that don't exist yet, free again when this is dropped.
    reservations: Vec<Reservation>,
    /// Its share of the memory for envelopes, free again when this is dropped.
    memory: Share,
    /// The message, once it has begun to come in.
    pub(crate) intake: Option<Intake<S>>,
}

/// A complete message that is not in the queue yet.
#[derive(Debug)]
pub(crate) struct Pending<S: QueueStore> {
    transaction: TransactionId,
    complete: Complete<S>,
    /// In LMTP: the places of what each accepted RCPT leads to.
    parts: Vec<Vec<usize>>,
    reservations: Vec<Reservation>,
    /// Held until the message is in the queue.
    _memory: Share,
}

impl Client {
    /// Whose connections and memory count together with this one's.
    pub(crate) fn network(&self) -> IpNet {
        admission::network(self.address)
    }

    pub(crate) fn greets(&mut self, name: &str, greeting: Greeting) {
        self.name = name.to_owned();
        self.greeting = greeting;
    }

    /// The user it logged in as.
    pub(crate) fn user(&self) -> Option<&str> {
        self.identities.iter().find_map(Identity::user)
    }
}

impl<S: QueueStore> Transaction<S> {
    pub(crate) fn new(
        id: TransactionId,
        reverse_path: ReversePath,
        delivery: DeliveryKind,
        parameters: MailParameters,
        memory: Share,
    ) -> Transaction<S> {
        let (recipients, known, parts, reservations) = Default::default();
        Transaction {
            id,
            reverse_path,
            delivery,
            parameters,
            recipients,
            known,
            parts,
            reservations,
            memory,
            intake: None,
        }
    }

    /// The message, once it has begun to come in, as the log names it.
    pub(crate) fn message(&self) -> Option<Message> {
        let intake = self.intake.as_ref()?;
        Some(Message {
            transaction: self.id,
            queue_id: intake.queue_id(),
        })
    }

    /// To what its message goes.
    pub(crate) fn delivery(&self) -> DeliveryKind {
        self.delivery
    }

    /// Notes what an accepted RCPT leads to, all of which has been added.
    pub(crate) fn accepted(&mut self, targets: &[Mailbox]) {
        let places = targets.iter().filter_map(|target| self.known.get(target));
        self.parts.push(places.copied().collect());
    }

    /// Whom it is from.
    pub(crate) fn reverse_path(&self) -> &ReversePath {
        &self.reverse_path
    }

    /// How many octets its message is to have; 0 where the client hasn't said.
    pub(crate) fn declared_size(&self) -> u64 {
        self.parameters.size.unwrap_or(0)
    }

    /// Whether it is one of RFC 6531, so that its client takes UTF-8 in replies.
    pub(crate) fn is_utf8(&self) -> bool {
        self.parameters.smtputf8
    }

    /// What its accepted recipients were called, each as often as it has targets.
    pub(crate) fn origins(&self) -> Vec<&Mailbox> {
        let origins = self.recipients.iter().map(|recipient| &recipient.origin);
        origins.collect()
    }

    /// Whether so many more targets are within bounds.
    pub(crate) fn has_room(&self, more: usize) -> bool {
        self.recipients.len() + more <= MOST_TARGETS
    }

    /// Leaves those that aren't its targets yet. A mailbox that is one stays the target of the RCPT
    /// that named it first, so that nobody gets a message twice.
    pub(crate) fn without_known(&self, mut targets: Vec<Mailbox>) -> Vec<Mailbox> {
        targets.retain(|target| !self.known.contains_key(target));
        targets
    }

    /// Adds what an accepted RCPT brings that isn't there yet, with the places it keeps and the
    /// memory it takes.
    pub(crate) fn add(
        &mut self,
        origin: &Mailbox,
        targets: Vec<Mailbox>,
        parameters: &RcptParameters,
        reservation: Reservation,
        memory: Share,
    ) {
        let places = self.recipients.len()..;
        self.known.extend(targets.iter().cloned().zip(places));
        self.recipients
            .extend(targets.into_iter().map(|target| Recipient {
                target,
                origin: origin.clone(),
                original: parameters.original.clone(),
                notify: parameters.notify,
            }));
        if !reservation.names().is_empty() {
            self.reservations.push(reservation);
        }
        self.memory.merge(memory);
    }

    /// The message is there to its end: its envelope, and what remains to be done.
    pub(crate) fn complete(
        self,
        host_name: &Domain,
        client: &Client,
        now: UnixMs,
    ) -> Result<(Pending<S>, Envelope), Trouble> {
        let Some(intake) = self.intake else {
            // The session ends no data that it didn't begin.
            return Err(Trouble::Failed(
                "the end of a message that had not begun".into(),
            ));
        };
        let queue_id = intake.queue_id();
        let (facts, complete) = intake.complete()?;
        // The envelope may wait for days; a list that grows has room for four from the start.
        let mut recipients = self.recipients;
        recipients.shrink_to_fit();
        let with = Protocol {
            greeting: client.greeting,
            smtputf8: self.parameters.smtputf8,
            tls: client.tls.is_some(),
            authenticated: client.user().is_some(),
        };
        // With more than one, the field would tell each of the others (RFC 5321 7.2).
        let only_recipient = match recipients.as_slice() {
            [only] => Some(&only.origin),
            _ => None,
        };
        let trace = trace::received(&Received {
            hello: &client.name,
            address: Some(client.address),
            by: host_name.as_str(),
            with,
            tls: client.tls.as_ref().map(|tls| tls.cipher.as_str()),
            id: queue_id,
            only_recipient,
            at: now,
        });
        let envelope = Envelope {
            received_at: now,
            reverse_path: self.reverse_path,
            body_type: self.parameters.body,
            smtputf8: self.parameters.smtputf8,
            ret: self.parameters.ret,
            envid: self.parameters.envid,
            client: ClientTrace {
                address: Some(client.address),
                hello: client.name.clone(),
                protocol: with.keyword().into(),
            },
            priority: 0,
            delivery: self.delivery,
            sender_key: client.address.to_string(),
            recipients,
            trace,
            edits: Vec::new(),
            facts,
        };
        let pending = Pending {
            transaction: self.id,
            complete,
            parts: self.parts,
            reservations: self.reservations,
            _memory: self.memory,
        };
        Ok((pending, envelope))
    }
}

impl<S: QueueStore> Pending<S> {
    /// The first octets of the message, as many as were to be kept.
    pub(crate) fn header(&self) -> &[u8] {
        self.complete.header()
    }

    /// In LMTP: the places of what each accepted RCPT leads to, in their order.
    pub(crate) fn parts(&mut self) -> Vec<Vec<usize>> {
        std::mem::take(&mut self.parts)
    }

    /// Makes it durable. When this returns a receipt, the message is on disk and is ours.
    pub(crate) async fn commit(
        self,
        envelope: Arc<Envelope>,
        leased_until: UnixMs,
    ) -> Result<(Receipt, Leased), Trouble> {
        let committed = self
            .complete
            .commit(self.transaction, Arc::clone(&envelope), leased_until)
            .await?;
        // Its mailboxes will be made, so their places are taken for good.
        let is_target = |name: &Mailbox| envelope.recipients.iter().any(|to| to.target == *name);
        for reservation in self.reservations {
            if reservation.names().iter().any(is_target) {
                reservation.keep();
            }
        }
        Ok(committed)
    }
}
