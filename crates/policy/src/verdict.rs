//! What a rule says, and what becomes of it at one row of the reply table.

use std::convert::Infallible;

use postroad_reply::{Answer, Text};

use crate::row::Judged;

/// What a rule says about a session, a recipient or a message.
///
/// `D` names the rule that discards: [`Rule`](postroad_reply::Rule) where it speaks of a whole
/// message. Nothing else can be discarded, so elsewhere there is no such value, and a rule that
/// discards can't be asked before the end of the data:
///
/// ```compile_fail,E0277
/// use postroad_policy::Verdict;
/// use postroad_reply::{MailReply, Rule, Text};
///
/// let _ = Verdict::Discard(Rule(Text::new("no-newsletters"))).on::<MailReply>();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict<D = Infallible> {
    /// Nothing stands against it.
    Accept,
    /// Not now: a 4yz. The note is told to the client in place of the table's words.
    Temporary(Reason, Option<Text>),
    /// Not at all: a 5yz. The note is told to the client in place of the table's words.
    Permanent(Reason, Option<Text>),
    /// The session is to be ended. Why is for the log; the client gets the 421 of the session's
    /// life cycle.
    Disconnect(Text),
    /// Go on as if accepted, and keep nothing of the message: the rule of this name says so.
    Discard(D),
}

/// Why something is refused. Adding one makes every row say what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A local domain has no such mailbox.
    MailboxUnknown,
    /// The domain isn't served here, and this client may not relay to it.
    RelayDenied,
    /// The name fits several mailboxes.
    AmbiguousName,
    /// An alias of ours leads nowhere or back to itself.
    AliasBroken,
    /// The directory can't answer.
    DirectoryFailed,
    /// The mailbox would have to be made, and no more may be.
    MailboxLimit,
    /// The mailbox takes no mail at the moment.
    MailboxBusy,
    /// The message has passed too many servers.
    MailLoop,
    /// The message is malformed past what is tolerated.
    Malformed,
    /// The store has no room.
    StoreFull,
    /// The store failed to write.
    StoreFailed,
    /// The store takes no writes until it is looked after.
    StoreReadOnly,
    /// There is no memory for what the command would add to the envelope.
    NoMemory,
    /// There is memory for what the command would add to the envelope, but none for what its
    /// parameters would add.
    NoMemoryForParameters,
    /// Too many connections are open.
    ConnectionLimit,
    /// Too much was asked in too short a time.
    RateLimit,
    /// The mailbox's name isn't allowed.
    NameNotAllowed,
    /// The sender's address isn't that of the user who authenticated.
    SenderNotOwned,
    /// The sender's domain takes no mail, so no reply could reach it.
    SenderNullMx,
    /// The sender's domain does not exist.
    SenderDomainUnknown,
    /// The sender has used up what it may send.
    SenderAllocation,
    /// The owner of the mailbox has gone elsewhere.
    Moved,
    /// The mailbox is disabled.
    MailboxDisabled,
    /// The mailbox is full.
    MailboxFull,
    /// The message is bigger than the mailbox takes.
    TooBigForMailbox,
    /// The list takes no mail from this sender.
    ListClosed,
    /// The domain takes no mail.
    DomainMailless,
    /// A domain can't be looked up now.
    LookupFailed,
    /// The client would have to authenticate first.
    AuthenticationNeeded,
    /// A rule of the site's own.
    PolicyRefused,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 30] = [
        Reason::MailboxUnknown,
        Reason::RelayDenied,
        Reason::AmbiguousName,
        Reason::AliasBroken,
        Reason::DirectoryFailed,
        Reason::MailboxLimit,
        Reason::MailboxBusy,
        Reason::MailLoop,
        Reason::Malformed,
        Reason::StoreFull,
        Reason::StoreFailed,
        Reason::StoreReadOnly,
        Reason::NoMemory,
        Reason::NoMemoryForParameters,
        Reason::ConnectionLimit,
        Reason::RateLimit,
        Reason::NameNotAllowed,
        Reason::SenderNotOwned,
        Reason::SenderNullMx,
        Reason::SenderDomainUnknown,
        Reason::SenderAllocation,
        Reason::Moved,
        Reason::MailboxDisabled,
        Reason::MailboxFull,
        Reason::TooBigForMailbox,
        Reason::ListClosed,
        Reason::DomainMailless,
        Reason::LookupFailed,
        Reason::AuthenticationNeeded,
        Reason::PolicyRefused,
    ];
}

/// A verdict as one row of the reply table sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Decision<S: Judged> {
    /// Go on.
    Pass,
    /// Refuse with this reply.
    Refuse(Answer<S>),
    /// End the session with its life cycle's 421. Why is for the log.
    Disconnect(Text),
    /// Answer the end of the data with
    /// [`EndOfDataReply::Discarded`](postroad_reply::EndOfDataReply::Discarded).
    Discard(S::Discard),
}

impl<D> Verdict<D> {
    /// What it comes to at the row of `S`.
    ///
    /// Where the row has no reply of the class (a temporary refusal of EHLO), the session is
    /// ended: 421 is the only way to say it.
    pub fn on<S: Judged>(self) -> Decision<S>
    where
        D: Into<S::Discard>,
    {
        let (said, reason, note) = match self {
            Verdict::Accept => return Decision::Pass,
            Verdict::Disconnect(why) => return Decision::Disconnect(why),
            Verdict::Discard(rule) => return Decision::Discard(rule.into()),
            Verdict::Temporary(reason, note) => (S::temporary(reason), reason, note),
            Verdict::Permanent(reason, note) => (S::permanent(reason), reason, note),
        };
        match (said, note) {
            (Some(said), None) => Decision::Refuse(said.into()),
            (Some(said), Some(note)) => Decision::Refuse(Answer::from(said).text(note)),
            (None, note) => {
                Decision::Disconnect(note.unwrap_or_else(|| Text::new(&format!("{reason:?}"))))
            }
        }
    }
}

impl<S: Judged> Decision<S> {
    /// This decision, or what `next` says where nothing stood against it. The next rule isn't
    /// asked in vain.
    pub fn or_else(self, next: impl FnOnce() -> Decision<S>) -> Decision<S> {
        match self {
            Decision::Pass => next(),
            decided => decided,
        }
    }
}
