//! The catalogue of events: each stands here once, with its name, level, fields and meaning.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_reply::{QueueId, TransactionId};

use crate::table::{Entry, Field, FieldEntry, Words};

events! {
    /// The process has begun.
    INFO "server.starting" ServerStarting {
        /// Which version it is.
        version: &'a str,
        /// Its own name.
        hostname: Words<'a>,
        /// Where it keeps its data.
        data_dir: Words<'a>,
    }

    /// The configuration was read, and nothing is wrong with it.
    INFO "config.loaded" ConfigLoaded {
        /// The file; none where the defaults serve.
        file: Option<Words<'a>>,
        /// How many local domains there are.
        domains: usize,
    }

    /// A setting has another value since the configuration was read again.
    INFO "config.changed" ConfigChanged {
        /// Which, as in `limits.recipients`.
        setting: &'a str,
        /// From when: `live` is at once, or for connections opened after it.
        from: Words<'a>,
    }

    /// The configuration was read again, and holds.
    INFO "config.reloaded" ConfigReloaded {
        /// How many settings have another value.
        changed: usize,
    }

    /// Something stands against the configuration that was read again.
    WARN "config.problem" ConfigProblem {
        /// The file.
        file: &'a str,
        /// The line, from 1.
        line: usize,
        /// The character of the line, from 1.
        column: usize,
        /// The setting; empty where the text is not TOML.
        setting: &'a str,
        /// What is wrong with it.
        what: Words<'a>,
        /// What to do.
        advice: Words<'a>,
    }

    /// The configuration could not be read again, or something stands against it, which is told before this.
    /// Nothing of it was taken: the server goes on with what it had.
    WARN "config.refused" ConfigRefused {
        /// Why.
        cause: Words<'a>,
    }

    /// The historic mode of a listener did something that today's RFCs don't have.
    INFO "historic.used" HistoricUsed {
        /// Which connection.
        connection: u64,
        /// Whose.
        peer: SocketAddr,
        /// What: the word that switches it on in `listener.historic`.
        quirk: &'a str,
        /// The reply that showed it.
        code: u16,
    }

    /// The process has given up the rights it began with.
    INFO "privilege.dropped" PrivilegeDropped {
        /// Whom it runs as now.
        user: Words<'a>,
        /// Of which group.
        group: Words<'a>,
    }

    /// A listener is open.
    INFO "server.listening" ServerListening {
        /// Where.
        address: SocketAddr,
    }

    /// Clients are served.
    INFO "server.ready" ServerReady {
        /// How long the start took.
        took: Duration,
    }

    /// The server was told to stop. No new connection is taken.
    INFO "server.draining" ServerDraining {
        /// Connections it waits for.
        connections: usize,
        /// Transactions under way in them.
        transactions: usize,
        /// Deliveries it waits for.
        deliveries: usize,
        /// How long it waits at most.
        at_most: Duration,
    }

    /// The server has stopped.
    INFO "server.stopped" ServerStopped {
        /// Connections that did not end by themselves in time.
        cut: usize,
        /// Deliveries that did not end in time. Their messages go with the next start.
        deliveries: usize,
        /// How long the drain took.
        took: Duration,
    }

    /// The server can't go on.
    ERROR "server.failed" ServerFailed {
        /// Why.
        cause: Words<'a>,
    }

    /// No connection could be taken from a listener. It is tried again.
    WARN "listener.trouble" ListenerTrouble {
        /// Which listener.
        address: SocketAddr,
        /// What the system said.
        cause: Words<'a>,
    }

    /// A client has connected.
    DEBUG "connection.opened" ConnectionOpened {
        /// Its number, which its other events carry too.
        connection: u64,
        /// From where.
        peer: SocketAddr,
        /// To which listener.
        listener: SocketAddr,
    }

    /// A client got 421 or 554 instead of a greeting.
    INFO "connection.refused" ConnectionRefused {
        /// From where it came.
        peer: SocketAddr,
        /// Which limit or trouble stood against it.
        reason: &'a str,
    }

    /// A connection has ended.
    INFO "connection.closed" ConnectionClosed {
        /// Its number.
        connection: u64,
        /// From where it came.
        peer: SocketAddr,
        /// Why it ended.
        reason: Words<'a>,
        /// Messages accepted over it.
        accepted: u64,
        /// Commands that got 4yz or 5yz.
        refused: u64,
        /// How long it was open.
        lasted: Duration,
    }

    /// A connection is under TLS.
    DEBUG "tls.established" TlsEstablished {
        /// The connection.
        connection: u64,
        /// From where it came.
        peer: SocketAddr,
        /// The version.
        version: &'a str,
        /// The cipher suite.
        cipher: &'a str,
        /// The names of the client's certificate, if an authority of `tls.client_authorities` has signed it.
        certificate: Option<Words<'a>>,
    }

    /// A TLS handshake came to nothing, and the connection was closed.
    INFO "tls.failed" TlsFailed {
        /// The connection.
        connection: u64,
        /// From where it came.
        peer: SocketAddr,
        /// What was wrong.
        cause: Words<'a>,
    }

    /// The certificate can't be used: STARTTLS is answered 454, and listeners with implicit TLS close their
    /// connections.
    ERROR "tls.unusable" TlsUnusable {
        /// Which file, and what is wrong with it.
        cause: Words<'a>,
    }

    /// The certificate isn't valid now, or not for much longer.
    WARN "tls.expiry" TlsExpiry {
        /// Its file.
        file: Words<'a>,
        /// From when it is valid.
        from: UnixMs,
        /// Until when.
        until: UnixMs,
    }

    /// A client has logged in.
    INFO "login.accepted" LoginAccepted {
        /// The connection.
        connection: u64,
        /// From where it came.
        peer: SocketAddr,
        /// As whom.
        user: Words<'a>,
        /// By which mechanism.
        mechanism: Words<'a>,
    }

    /// A login failed: which command got which reply is told by `command.refused`.
    INFO "login.failed" LoginFailed {
        /// The connection.
        connection: u64,
        /// From where it came.
        peer: SocketAddr,
        /// As whom.
        user: Words<'a>,
        /// By which mechanism.
        mechanism: Words<'a>,
        /// How long it had to wait, for the failures before it.
        waited: Duration,
    }

    /// The password file can't be read, or a line of it can't.
    ERROR "login.trouble" LoginTrouble {
        /// Which file, and what is wrong.
        cause: Words<'a>,
    }

    /// A command got 4yz or 5yz. `command` and `situation` name the row of the reply table.
    INFO "command.refused" CommandRefused {
        /// The connection.
        connection: u64,
        /// From where it came.
        peer: SocketAddr,
        /// Which command, as the reply table has it.
        command: &'a str,
        /// Which of its situations.
        situation: &'a str,
        /// The reply code.
        code: u16,
        /// The enhanced code, if the reply had one.
        enhanced: Option<Words<'a>>,
        /// The text of the reply.
        text: Words<'a>,
        /// What led to it, where the server knows more than it told the client.
        cause: Option<Words<'a>>,
    }

    /// A client called for mail by ETRN, and the queue was looked through: what waits for the node is due
    /// now.
    INFO "queue.run" QueueRun {
        /// The connection it was called from.
        connection: u64,
        /// Whose mail it is, by the configuration.
        customer: &'a str,
        /// What was called for, as the client said it.
        node: Words<'a>,
        /// How many messages wait for it.
        messages: u64,
        /// How long the look took.
        took: Duration,
        /// What the store said, if that ended the look.
        trouble: Option<Words<'a>>,
    }

    /// A client turned the roles by ATRN or TURN, and what waited for it was sent over its connection.
    INFO "mail.collected" MailCollected {
        /// The connection.
        connection: u64,
        /// From where it came.
        peer: SocketAddr,
        /// Whose mail it is, by the configuration.
        customer: &'a str,
        /// How many messages waited.
        waiting: usize,
        /// How many of them were tried. What became of each is told by itself.
        tried: usize,
        /// How long it took.
        took: Duration,
    }

    /// This server has asked a provider of `[[collect]]` for its mail, and taken what came.
    INFO "collection.done" CollectionDone {
        /// Which one, by the configuration.
        collection: &'a str,
        /// Whom it asked.
        provider: &'a str,
        /// At which address.
        peer: SocketAddr,
        /// How many messages were taken. Each is told by itself.
        messages: u64,
        /// Commands of the provider that got 4yz or 5yz.
        refused: u64,
        /// How long it took.
        took: Duration,
    }

    /// This server could not ask a provider of `[[collect]]` for its mail, or was refused.
    WARN "collection.failed" CollectionFailed {
        /// Which one, by the configuration.
        collection: &'a str,
        /// Whom it asked.
        provider: &'a str,
        /// Why nothing came.
        cause: &'a str,
        /// When it is tried again; none if only when told.
        next: Option<UnixMs>,
    }

    /// The server itself did wrong in a conversation, and the client was answered 451 or not at
    /// all: please report it.
    ERROR "conversation.fault" ConversationFault {
        /// The connection.
        connection: u64,
        /// What was wrong.
        fault: Words<'a>,
    }

    /// A message is safe on disk; its client was told 250.
    INFO "message.accepted" MessageAccepted {
        /// Its name.
        queue_id: QueueId,
        /// The connection.
        connection: u64,
        /// The transaction it came in.
        transaction: TransactionId,
        /// From where it came.
        peer: Option<IpAddr>,
        /// What the client called itself.
        hello: Words<'a>,
        /// Whom to tell if it can't be delivered; empty for nobody.
        reverse_path: Words<'a>,
        /// How many mailboxes it goes to.
        recipients: usize,
        /// Its octets.
        size: u64,
        /// The user who sent it, if its client has authenticated.
        user: Option<Words<'a>>,
        /// The version of TLS it came under.
        tls: Option<Words<'a>>,
    }

    /// A message was refused after its data.
    INFO "message.refused" MessageRefused {
        /// The name it would have had.
        queue_id: Option<QueueId>,
        /// The connection.
        connection: u64,
        /// The transaction.
        transaction: TransactionId,
        /// Which situation of the reply table.
        situation: &'a str,
        /// The reply code.
        code: u16,
        /// What led to it.
        cause: Option<Words<'a>>,
    }

    /// A client left a message unfinished; nothing of it is kept.
    INFO "message.abandoned" MessageAbandoned {
        /// The name it would have had.
        queue_id: Option<QueueId>,
        /// The connection.
        connection: u64,
        /// The transaction.
        transaction: TransactionId,
    }

    /// A recipient's copy is in its mailbox, safe on disk.
    INFO "delivery.delivered" DeliveryDelivered {
        /// Which message.
        queue_id: QueueId,
        /// Which recipient.
        recipient: Words<'a>,
        /// By what, and where.
        by: Words<'a>,
        /// From its acceptance until now.
        delay: Duration,
    }

    /// A delivery failed for now.
    WARN "delivery.deferred" DeliveryDeferred {
        /// Which message.
        queue_id: QueueId,
        /// Which recipient.
        recipient: Words<'a>,
        /// Why.
        reason: Words<'a>,
        /// Which attempt it was, from 1.
        attempt: u32,
        /// When it is tried again.
        next_due: UnixMs,
    }

    /// A recipient was given up. Its sender is told, unless that isn't wanted.
    WARN "delivery.failed" DeliveryFailed {
        /// Which message.
        queue_id: QueueId,
        /// Which recipient.
        recipient: Words<'a>,
        /// Why.
        reason: Words<'a>,
        /// From its acceptance until now.
        delay: Duration,
    }

    /// A notice to a sender is in the queue.
    INFO "notice.queued" NoticeQueued {
        /// The notice.
        queue_id: QueueId,
        /// The message it is about.
        about: QueueId,
    }

    /// The store could not do what a delivery asked of it. It is tried again.
    ERROR "delivery.trouble" DeliveryTrouble {
        /// Which message, if it was about one.
        queue_id: Option<QueueId>,
        /// What went wrong.
        cause: Words<'a>,
    }

    /// A mailbox was made for its first message.
    INFO "mailbox.created" MailboxCreated {
        /// Which message.
        queue_id: QueueId,
        /// Which mailbox.
        mailbox: Words<'a>,
        /// Its folder.
        folder: Words<'a>,
    }

    /// It can't be counted what a mailbox with a quota holds; mail for it is taken.
    WARN "mailbox.uncounted" MailboxUncounted {
        /// Which mailbox.
        mailbox: Words<'a>,
        /// What the disk said.
        cause: Words<'a>,
    }

    /// The spool is open.
    INFO "spool.opened" SpoolOpened {
        /// Messages in the queue.
        messages: u64,
        /// Segments of the log.
        segments: u64,
        /// How long reading it took.
        took: Duration,
    }

    /// The end of the log was being written when the process or the machine stopped. Nothing in it
    /// had been acknowledged; it was cut off.
    WARN "spool.torn" SpoolTorn {
        /// Which file.
        file: Words<'a>,
        /// Where in it.
        offset: u64,
        /// How many octets.
        octets: u64,
        /// Where a copy of them is.
        set_aside: Option<Words<'a>>,
    }

    /// Octets that were safe on disk have changed. What they said is lost unless their copy helps;
    /// their neighbours are not touched.
    ERROR "spool.damage" SpoolDamage {
        /// Which message, where that is known.
        queue_id: Option<QueueId>,
        /// What is damaged.
        what: Words<'a>,
        /// Which file.
        file: Words<'a>,
        /// Where in it.
        offset: u64,
        /// How many octets.
        octets: u64,
        /// Where a copy of them is.
        set_aside: Option<Words<'a>>,
    }

    /// A read, write or sync failed. What was waiting for it was answered 451 or 452.
    ERROR "spool.trouble" SpoolTrouble {
        /// Which message, where it was about one.
        queue_id: Option<QueueId>,
        /// Which file, where that is known.
        file: Option<Words<'a>>,
        /// What the system said.
        cause: Words<'a>,
    }

    /// Nothing can be written: no mail is accepted, and none is delivered.
    ERROR "spool.read_only" SpoolReadOnly {
        /// Why.
        cause: Words<'a>,
    }

    /// The spool can be written to again.
    WARN "spool.recovered" SpoolRecovered {}
}

/// The one event that the log says of itself, past its own queue: lines were dropped, since they
/// came faster than they could be written.
pub(crate) const DROPPED: &str = "log.dropped";
