//! Answers one session's questions: asks the directory, policy and the store, and turns what they
//! say into a reply of the row.

mod inquiries;
mod lmtp;
mod logging_in;
mod recipients;
mod securing;
mod senders;
mod status;
mod terminals;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use postroad_clock::Mono;
use postroad_directory::is_same_domain;
use postroad_host::dns::Unresolved;
use postroad_host::tasks;
use postroad_host::tls::Secured;
use postroad_message::trace::Greeting;
use postroad_policy::access::Step;
use postroad_policy::{Connections, Decision, Judged, Reason, Relay, Verdict, rule};
use postroad_queue::Envelope;
use postroad_reply::{
    Answer, Bdat, BdatReply, Closing, ConnectReply, DataReply, EhloReply, EndOfData,
    EndOfDataReply, EtrnReply, HeloReply, LhloReply, MailReply, Receipt, Text, TransactionId,
    TurnReply,
};
use postroad_session::server::{
    self as session, AuthRule, Event, Question, Quirk, ServerSession, SessionId, Ticket,
};
use postroad_store::{Leased, QueueStore, Trouble};
use postroad_wire::address::{Domain, Host, Mailbox, ReversePath};
use postroad_wire::command::{DeliveryKind, Node};
use postroad_wire::parameter::MailParameters;
use postroad_wire::peer::Protocol;
use tokio::sync::watch;

use crate::budget::Share;
use crate::collect::{self, Collection, Nothing};
use crate::customer::AskedFor;
use crate::domains;
use crate::intake::Intake;
use crate::listen::{Running, reached};
use crate::login::Exchange;
use crate::memory::Cost;
use crate::record::{Message, Record};
use crate::rules::Said;
use crate::transaction::{Client, Pending, Transaction};
use crate::{Services, Settings, queue_run};

/// The server stops.
struct Stopping;

/// A complete message that nothing stands against as a whole.
struct Ready<S: QueueStore> {
    pending: Pending<S>,
    envelope: Envelope,
    /// In LMTP: the places in the envelope of what each accepted RCPT leads to.
    parts: Vec<Vec<usize>>,
    message: Option<Message>,
}

/// The driver's side of one session.
#[derive(Debug)]
pub(crate) struct Conversation<S: QueueStore> {
    services: Arc<Services<S>>,
    /// What holds: what the open transaction began with, or else what is set.
    settings: Arc<Settings>,
    /// How many connections were open when this one came.
    open: Connections,
    /// It was not greeted.
    turned_away: bool,
    /// What its session may do.
    session: Arc<session::Settings>,
    client: Client,
    /// The address of ours that the client came to.
    own_address: IpAddr,
    transaction: Option<Transaction<S>>,
    /// The domains whose mail was asked for, where the connection was made from here to collect it.
    asked_for: Option<AskedFor>,
    /// Its attempt to log in, while that goes on.
    login: Option<Box<Exchange>>,
    /// What the client may collect, if that was the last that it asked for.
    collection: Option<Collection>,
    record: Record,
    running: watch::Receiver<Running>,
}

impl<S: QueueStore> Conversation<S> {
    pub(crate) fn new(
        services: Arc<Services<S>>,
        (session, settings): (SessionId, Arc<session::Settings>),
        peer: SocketAddr,
        listener: SocketAddr,
        open: Connections,
        running: watch::Receiver<Running>,
    ) -> Conversation<S> {
        let client = Client {
            address: peer.ip().to_canonical(),
            name: String::new(),
            greeting: Greeting::Helo,
            identities: Vec::new(),
            tls: None,
        };
        let record = Record::new(session, peer, listener, services.clock.mono());
        if settings.historic.has(Quirk::Late521) && !settings.accepts_mail {
            record.used(Quirk::Late521, 220);
        }
        Conversation {
            session: settings,
            settings: services.settings.load_full(),
            services,
            open,
            turned_away: false,
            client,
            own_address: listener.ip(),
            transaction: None,
            asked_for: None,
            login: None,
            collection: None,
            record,
            running,
        }
    }

    /// The same over a connection that was made from here, to collect the mail of these domains, and that is
    /// secured so.
    pub(crate) fn collecting(mut self, domains: AskedFor, secured: Option<Secured>) -> Self {
        self.asked_for = Some(domains);
        self.client.tls = secured.map(Box::new);
        self
    }

    /// How many messages were accepted, and how many commands refused.
    pub(crate) fn counts(&self) -> (u64, u64) {
        self.record.counts()
    }

    /// Whether a message has begun to come in.
    pub(crate) fn is_receiving(&self) -> bool {
        self.transaction
            .as_ref()
            .is_some_and(|transaction| transaction.intake.is_some())
    }

    /// The number of the connection, and where it comes from.
    pub(crate) fn client(&self) -> (u64, SocketAddr) {
        self.record.client()
    }

    /// Whether the client was refused at the greeting.
    pub(crate) fn was_turned_away(&self) -> bool {
        self.turned_away
    }

    /// Whether this event is a message that there is no room in memory for at the moment.
    pub(crate) fn has_to_wait_for_room(&self, event: &Event) -> bool {
        let room = self.settings.limits.body_in_memory as usize;
        matches!(event, Event::DataBegin { .. })
            && self.services.body_budget.free_for(self.client.network()) < room
    }

    /// Acts on one event. A question is answered before this returns. The steps that wait for something
    /// have room of their own: all sessions would have to keep it otherwise, and most of them are idle.
    pub(crate) async fn handle(&mut self, event: Event, session: &mut ServerSession) {
        if self.transaction.is_none() {
            self.settings = self.services.settings.load_full();
        }
        match event {
            Event::Connected { ticket } => {
                let verdict = self.admit();
                self.turned_away = verdict != Verdict::Accept;
                self.say(session, ticket, verdict, ConnectReply::Ready);
            }
            Event::Helo { ticket, name } => {
                let verdict = self.greet(name.as_str(), Greeting::Helo);
                self.say(session, ticket, verdict, HeloReply::Greeted);
            }
            Event::Ehlo { ticket, name } => {
                let verdict = self.greet(name.as_str(), Greeting::Ehlo);
                self.say(session, ticket, verdict, EhloReply::Greeted);
            }
            Event::Lhlo { ticket, name } => {
                let verdict = self.greet(name.as_str(), Greeting::Lhlo);
                self.say(session, ticket, verdict, LhloReply::Greeted);
            }
            Event::Mail {
                ticket,
                transaction,
                reverse_path,
                parameters,
            } => {
                let kind = DeliveryKind::Mailbox;
                let begin = self.begin(transaction, reverse_path, parameters, kind);
                let verdict = Box::pin(begin).await;
                self.say(session, ticket, verdict, MailReply::Accepted);
            }
            sent @ (Event::Send { .. } | Event::Soml { .. } | Event::Saml { .. }) => {
                Box::pin(self.by_terminals(sent, session)).await;
            }
            Event::Recipients(run) => Box::pin(self.recipients(run, session)).await,
            Event::DataBegin { ticket, .. } => {
                let verdict = Box::pin(self.begin_message()).await;
                self.say(session, ticket, verdict, DataReply::GoAhead);
            }
            Event::Octets(octets) => {
                if let Some(intake) = self.intake() {
                    intake.append(octets).await;
                }
            }
            Event::ChunkEnd { ticket } => self.chunk_end(ticket, session),
            Event::EndOfData { ticket, .. } => Box::pin(self.end_of_data(ticket, session)).await,
            Event::Abandoned(transaction) => self.abandoned(transaction),
            Event::Vrfy {
                ticket,
                string,
                smtputf8,
            } => self.verify(ticket, string, smtputf8, session),
            Event::Expn {
                ticket,
                string,
                smtputf8,
            } => self.expand(ticket, string, smtputf8, session),
            Event::Status { ticket } => self.status(ticket, session),
            Event::StartTls { ticket } => {
                let reply = self.start_tls();
                session.answer(ticket, reply, self.now());
            }
            Event::Auth { ticket, step } => {
                let reply = Box::pin(self.log_in(step)).await;
                session.answer(ticket, reply, self.now());
            }
            Event::Etrn { ticket, node } => {
                let reply = Box::pin(self.run_queue(node)).await;
                session.answer(ticket, reply, self.now());
            }
            Event::Atrn { ticket, domains } => {
                let found = Box::pin(self.collect(&domains)).await;
                session.answer(ticket, collect::atrn(found), self.now());
            }
            Event::Turn { ticket } => match Box::pin(self.collect(&[])).await {
                Ok(_) => session.answer(ticket, TurnReply::RolesChanged, self.now()),
                Err(Nothing::NotListed) => {
                    session.answer(ticket, TurnReply::Refused, self.now());
                }
                // Its row has no temporary reply but 421.
                Err(Nothing::TooOften) => session.disconnect(Closing::LimitPassed, self.now()),
                Err(Nothing::NotNow) => session.disconnect(Closing::Stopping, self.now()),
            },
            Event::Replied {
                situation,
                enhanced,
                stands_for,
            } => {
                self.record.instead_of(stands_for);
                self.record.replied(situation, enhanced);
            }
            Event::Fault(fault) => self.record.fault(fault),
            Event::Closed(closed) => self.record.closed(closed, self.now()),
        }
    }

    /// Starts the queue for a node (RFC 1985 5.1).
    async fn run_queue(&mut self, node: Node) -> Answer<EtrnReply> {
        let client = &self.client;
        let customers = &self.settings.customers;
        match customers.node(&node, client.address, &client.identities) {
            Some(called) => {
                queue_run::start(&self.services, self.record.client().0, node, called).await
            }
            None => {
                let text = format!("Node {node} not allowed: it is not listed for this client");
                Answer::from(EtrnReply::NotAllowed).text(Text::new(&text))
            }
        }
    }

    /// Finds out what the client may collect over this connection, and keeps it until the roles have
    /// changed.
    async fn collect(&mut self, domains: &[Domain]) -> Result<&Collection, Nothing> {
        let (customers, client) = (&self.settings.customers, &self.client.identities);
        let found = tokio::select! {
            biased;
            found = collect::find(&self.services, customers, domains, client) => found,
            () = reached(&mut self.running, Running::Draining) => Err(Nothing::NotNow),
        };
        Ok(self.collection.insert(found?))
    }

    /// What is sent now that the roles have changed, to whom that calls itself so.
    pub(crate) fn collection(&mut self) -> Option<(Collection, String)> {
        let collection = self.collection.take()?;
        Some((collection, std::mem::take(&mut self.client.name)))
    }

    /// The message that comes in.
    fn intake(&mut self) -> Option<&mut Intake<S>> {
        self.transaction.as_mut()?.intake.as_mut()
    }

    /// Whether to greet: the store has to be usable, the client within its limits, and none of the
    /// site's rules against it.
    fn admit(&mut self) -> Verdict {
        match rule::store(self.services.store.pressure()) {
            Verdict::Accept => {}
            refused => return refused,
        }
        match rule::connection(self.open, self.settings.limits.connections) {
            Verdict::Accept => self.access(Step::Connect, Said::default()),
            refused => refused,
        }
    }

    /// What is said to a client that says its name. One that is refused stays what it was (RFC 5321
    /// 4.1.4).
    fn greet(&mut self, name: &str, greeting: Greeting) -> Verdict {
        let before = std::mem::take(&mut self.client.name);
        let greeting_before = self.client.greeting;
        self.client.greets(name, greeting);
        let verdict = self.access(Step::Hello, Said::default());
        if verdict != Verdict::Accept {
            self.client.greets(&before, greeting_before);
        }
        verdict
    }

    /// What the site's own rules say at a step, given what the client has said of its message.
    fn access(&mut self, at: Step, said: Said<'_>) -> Verdict {
        self.settings
            .rules
            .access_at(at, &self.client, said, &mut self.record)
    }

    async fn begin(
        &mut self,
        id: TransactionId,
        reverse_path: ReversePath,
        parameters: MailParameters,
        delivery: DeliveryKind,
    ) -> Verdict {
        match rule::store(self.services.store.pressure()) {
            Verdict::Accept => {}
            refused => return refused,
        }
        let said = Said {
            sender: Some(&reverse_path),
            ..Said::default()
        };
        match self.access(Step::Mail, said) {
            Verdict::Accept => {}
            refused => return refused,
        }
        match self.owned(&reverse_path) {
            Verdict::Accept => {}
            refused => return refused,
        }
        let (sent, limits) = (&self.services.sent, self.settings.rules.sending);
        match sent.judge(limits, &self.client, self.now()) {
            Verdict::Accept => {}
            refused => return refused,
        }
        match self.sender_domain(&reverse_path).await {
            Verdict::Accept => {}
            refused => return refused,
        }
        let budget = &self.services.envelope_budget;
        match Cost::of_sender(&reverse_path, &parameters).take(budget, self.client.network()) {
            Ok(memory) => {
                let open = Transaction::new(id, reverse_path, delivery, parameters, memory);
                self.transaction = Some(open);
                Verdict::Accept
            }
            Err(refused) => {
                self.record.cause("there is no memory for the envelope");
                refused
            }
        }
    }

    /// What is said of the sender's domain.
    async fn sender_domain(&mut self, path: &ReversePath) -> Verdict {
        let ReversePath::Mailbox(Mailbox { host, .. }) = path else {
            return Verdict::Accept;
        };
        // Who collects its mail has others who took it, and who would have to tell the sender.
        let is_asked = self.settings.rules.lookups.senders && self.asked_for.is_none();
        if !is_asked || self.relay() == Relay::Allowed || self.settings.directory.is_local(host) {
            return Verdict::Accept;
        }
        let said = domains::sender(&self.services.resolver, host, self.now()).await;
        said.unwrap_or_else(|unresolved| self.unresolved(&unresolved))
    }

    fn unresolved(&mut self, why: &Unresolved) -> Verdict {
        self.record.cause(&why.to_string());
        domains::unresolved()
    }

    /// Whether a message that is there is bigger than any of its mailboxes takes: its client said no
    /// size at MAIL, or a smaller one.
    fn fits_a_mailbox(&self, envelope: &Envelope) -> Verdict {
        let directory = &self.settings.directory;
        let excludes = |target| directory.quota(target).excludes(envelope.facts.size);
        let mut targets = envelope.recipients.iter().map(|to| &to.target);
        if targets.all(excludes) {
            return Verdict::Permanent(Reason::TooBigForMailbox, None);
        }
        Verdict::Accept
    }

    /// Whether this client may send mail to this address, if it is none of a local domain. A provider may for
    /// the domains whose mail was asked of it, wherever it is.
    fn relay_to(&self, target: &Mailbox) -> Relay {
        let Some(domains) = &self.asked_for else {
            return self.relay();
        };
        let is_asked_for =
            |host: &Domain| domains.iter().any(|domain| is_same_domain(domain, host));
        match &target.host {
            Host::Domain(host) if is_asked_for(host) => Relay::Allowed,
            _ => Relay::Denied,
        }
    }

    /// Whether this client may send mail to other servers' domains.
    pub(crate) fn relay(&self) -> Relay {
        let trusted = &self.settings.trusted_networks;
        let address = self.client.address;
        if self.client.user().is_some() || trusted.iter().any(|network| network.contains(&address))
        {
            return Relay::Allowed;
        }
        match self.session.auth != AuthRule::Off {
            true => Relay::AfterLogin,
            false => Relay::Denied,
        }
    }

    /// Makes a place for the message's octets, before the client is told to send them.
    async fn begin_message(&mut self) -> Verdict {
        match self.access_to_data() {
            Verdict::Accept => {}
            refused => return refused,
        }
        let Ok(room) = self.room().await else {
            self.record.cause("the server stops");
            return Verdict::Temporary(Reason::StoreFailed, None);
        };
        let services = Arc::clone(&self.services);
        let Some(transaction) = &mut self.transaction else {
            return Verdict::Temporary(Reason::StoreFailed, None);
        };
        let header = self.settings.rules.header_octets();
        match Intake::begin(&*services.store, room, header, services.clock.unix()).await {
            Ok(intake) => {
                transaction.intake = Some(intake);
                Verdict::Accept
            }
            Err(trouble) => self.failed(&trouble, None),
        }
    }

    /// What the site's own rules say before a message comes.
    fn access_to_data(&mut self) -> Verdict {
        let is_asked = self.settings.rules.access.are_asked(Step::Data);
        let Some(transaction) = self.transaction.as_ref().filter(|_| is_asked) else {
            return Verdict::Accept; // Where there is none, its intake finds that.
        };
        let said = Said {
            sender: Some(transaction.reverse_path()),
            recipients: &transaction.origins(),
            header: &[],
        };
        let rules = &self.settings.rules;
        rules.access_at(Step::Data, &self.client, said, &mut self.record)
    }

    /// Waits for a message's share of the memory: here, and nowhere later, for a client that has
    /// sent part of a message never waits. Without a share after the wait it goes on none the
    /// less: the store keeps in a file what doesn't fit in memory, and others are held back by
    /// the wait.
    async fn room(&mut self) -> Result<Option<Share>, Stopping> {
        let limits = self.settings.limits;
        let network = self.client.network();
        let room = limits.body_in_memory as usize;
        let room = self.services.body_budget.take(network, room);
        tokio::select! {
            biased;
            room = tasks::timeout(limits.room, room) => Ok(room.ok().flatten()),
            () = reached(&mut self.running, Running::Draining) => Err(Stopping),
        }
    }

    /// A chunk that isn't the last is there. What has gone wrong is said at once: what follows of
    /// the message would be sent in vain.
    fn chunk_end(&mut self, ticket: Ticket<Bdat>, session: &mut ServerSession) {
        let intake = self
            .transaction
            .as_ref()
            .and_then(|open| open.intake.as_ref());
        let verdict = match intake.map(Intake::trouble) {
            Some(None) => return session.answer(ticket, BdatReply::ChunkTaken, self.now()),
            Some(Some(trouble)) => {
                let message = self.transaction.as_ref().and_then(Transaction::message);
                self.record.trouble(trouble, message);
                rule::trouble(trouble)
            }
            // The session ends no chunk of a message that was not begun.
            None => Verdict::Temporary(Reason::StoreFailed, None),
        };
        // BDAT's row is that of the end of data, as far as a refusal goes.
        match verdict.on::<EndOfDataReply>() {
            Decision::Refuse(refusal) => session.answer(ticket, refusal, self.now()),
            Decision::Disconnect(why) => self.disconnect(&why, session),
            // The verdict is a refusal.
            Decision::Pass | Decision::Discard(_) => {
                session.answer(ticket, BdatReply::LocalError, self.now());
            }
        }
    }

    /// The message is complete: judges it, makes it durable, and only then says 250.
    async fn end_of_data(&mut self, ticket: Ticket<EndOfData>, session: &mut ServerSession) {
        let Some(transaction) = self.transaction.take() else {
            let lost = Verdict::Temporary(Reason::StoreFailed, None);
            return self.refuse_message(lost, ticket, session);
        };
        self.record.judged(transaction.message());
        if self.session.protocol == Protocol::Lmtp {
            return self.end_of_lmtp_data(transaction, ticket, session).await;
        }
        match self.take(transaction).await {
            Ok((receipt, leased)) => {
                session.answer(ticket, EndOfDataReply::Accepted(receipt), self.now());
                self.services.hand_over(leased).await;
            }
            Err(verdict) => self.refuse_message(verdict, ticket, session),
        }
    }

    /// Refuses a whole message.
    fn refuse_message(
        &mut self,
        verdict: Verdict,
        ticket: Ticket<EndOfData>,
        session: &mut ServerSession,
    ) {
        match verdict.on::<EndOfDataReply>() {
            Decision::Refuse(refusal) => session.answer(ticket, refusal, self.now()),
            Decision::Discard(rule) => {
                session.answer(ticket, EndOfDataReply::Discarded(rule), self.now());
            }
            Decision::Disconnect(why) => {
                self.disconnect(&why, session);
                // The session ends once the message has been answered for.
                session.answer(ticket, EndOfDataReply::LocalError, self.now());
            }
            // The verdict is a refusal.
            Decision::Pass => session.answer(ticket, EndOfDataReply::LocalError, self.now()),
        }
    }

    /// Takes responsibility for a complete message, or says why not.
    async fn take(&mut self, transaction: Transaction<S>) -> Result<(Receipt, Leased), Verdict> {
        let ready = self.prepare(transaction)?;
        match self.fits_a_mailbox(&ready.envelope) {
            Verdict::Accept => {}
            refused => return Err(refused),
        }
        self.commit(ready).await
    }

    /// Judges a complete message as a whole.
    fn prepare(&mut self, transaction: Transaction<S>) -> Result<Ready<S>, Verdict> {
        let services = Arc::clone(&self.services);
        let limits = self.settings.limits;
        let accepted_at = services.clock.unix();
        let message = transaction.message();
        let complete = transaction.complete(&services.host_name, &self.client, accepted_at);
        let (mut pending, envelope) = complete.map_err(|trouble| self.failed(&trouble, message))?;
        match rule::mail_loop(envelope.facts.received_count, limits.hops) {
            Verdict::Accept => {}
            refused => return Err(refused),
        }
        if self.settings.rules.access.are_asked(Step::Message) {
            let recipients = envelope.recipients.iter().map(|to| &to.origin);
            let said = Said {
                sender: Some(&envelope.reverse_path),
                recipients: &recipients.collect::<Vec<_>>(),
                header: pending.header(),
            };
            match self.access(Step::Message, said) {
                Verdict::Accept => {}
                refused => return Err(refused),
            }
        }
        Ok(Ready {
            parts: pending.parts(),
            pending,
            envelope,
            message,
        })
    }

    /// Makes a message durable that nothing stands against.
    async fn commit(&mut self, ready: Ready<S>) -> Result<(Receipt, Leased), Verdict> {
        let services = Arc::clone(&self.services);
        let message = ready.message;
        let envelope = Arc::new(ready.envelope);
        let leased_until = envelope.received_at + self.settings.limits.lease;
        let committed = ready
            .pending
            .commit(Arc::clone(&envelope), leased_until)
            .await;
        let (receipt, leased) = committed.map_err(|trouble| self.failed(&trouble, message))?;
        let (sent, limits) = (&services.sent, self.settings.rules.sending);
        sent.note(limits, &self.client, self.now());
        self.record.accepted(&receipt, &envelope, &self.client);
        Ok((receipt, leased))
    }

    /// Notes trouble with the store, and says what it comes to.
    fn failed(&mut self, trouble: &Trouble, message: Option<Message>) -> Verdict {
        self.record.trouble(trouble, message);
        rule::trouble(trouble)
    }

    fn abandoned(&mut self, transaction: TransactionId) {
        // Dropping it rolls back what was staged, and frees the places for new mailboxes.
        let open = self.transaction.take_if(|open| open.id == transaction);
        if let Some(message) = open.and_then(|open| open.message()) {
            self.record.dropped(message);
        }
    }

    /// Says what a verdict comes to: `accepted` where nothing stands against it.
    fn say<R>(
        &mut self,
        session: &mut ServerSession,
        ticket: Ticket<R>,
        verdict: Verdict,
        accepted: R::Reply,
    ) where
        R: Question,
        R::Reply: Judged<Discard = Infallible>,
    {
        match verdict.on::<R::Reply>() {
            Decision::Pass => session.answer(ticket, accepted, self.now()),
            Decision::Refuse(refusal) => session.answer(ticket, refusal, self.now()),
            Decision::Disconnect(why) => self.disconnect(&why, session),
        }
    }

    /// Ends the session because a policy wants it ended. Why is for the log.
    fn disconnect(&mut self, why: &Text, session: &mut ServerSession) {
        self.record.cause(why.as_str());
        session.disconnect(Closing::LimitPassed, self.now());
    }

    fn now(&self) -> Mono {
        self.services.clock.mono()
    }
}
