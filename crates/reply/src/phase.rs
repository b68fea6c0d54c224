//! How far a conversation has come, as far as it decides which commands are legal.

/// The phase of a session, between two commands.
///
/// There is none for a session that has said 421: it reads no further command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The greeting was 220; no HELO, EHLO or LHLO was accepted yet.
    Connected,
    /// Greeted; no transaction is open.
    Ready,
    /// A transaction is open; no RCPT was tried.
    Mail,
    /// A transaction is open; RCPTs were tried, and all were refused. An LMTP session stays in
    /// [`Phase::Mail`] instead, for there DATA must get 503 (RFC 2033 4.2).
    RecipientsRefused,
    /// A transaction is open, with one accepted recipient at least.
    Rcpt,
    /// A BDAT chunk was taken, and it was not the last (RFC 3030 2).
    Chunking,
    /// A BDAT chunk failed: the client has to reset before it goes on (RFC 3030 2).
    ChunkFailed,
    /// The greeting was 521: this host takes no mail (RFC 7504 3).
    Mailless,
    /// The greeting was 554: no service to this client (RFC 5321 3.1).
    NoService,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Phase; 9] = [
        Phase::Connected,
        Phase::Ready,
        Phase::Mail,
        Phase::RecipientsRefused,
        Phase::Rcpt,
        Phase::Chunking,
        Phase::ChunkFailed,
        Phase::Mailless,
        Phase::NoService,
    ];
}
