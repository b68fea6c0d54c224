//! What each row of the reply table answers to each reason.
//!
//! Every match is total and names every reason: a new one doesn't compile until each row has said
//! what it answers. A reason that can hardly arise at a row gets that row's nearest situation of
//! the same class.

use std::convert::Infallible;
use std::fmt::Debug;

use postroad_reply::{
    ConnectReply, DataReply, EhloReply, EndOfDataReply, ExpnReply, HeloReply, LhloReply, MailReply,
    RcptReply, Rule, Situated, VrfyReply,
};

use crate::verdict::Reason;

mod terminals;

/// A row that verdicts can be put to.
pub trait Judged: Situated {
    /// What names the rule that discards a message: [`Rule`] at the end of the data. At any other
    /// row nothing can be discarded, and there is no such value.
    type Discard: Debug + Clone + Eq + From<Infallible>;

    /// The 4yz for a reason; none where the row has no 4yz but its life cycle's 421.
    fn temporary(reason: Reason) -> Option<Self>;

    /// The 5yz for a reason; none where the row has no 5yz for a refusal.
    fn permanent(reason: Reason) -> Option<Self>;
}

impl Judged for ConnectReply {
    type Discard = Infallible;

    /// At the greeting 421 is the one way to say "later" (RFC 5321 3.8).
    fn temporary(reason: Reason) -> Option<ConnectReply> {
        use Reason as R;
        Some(match reason {
            R::ConnectionLimit | R::RateLimit => ConnectReply::LimitReached,
            R::StoreFull
            | R::StoreFailed
            | R::StoreReadOnly
            | R::NoMemory
            | R::NoMemoryForParameters
            | R::DirectoryFailed
            | R::AliasBroken
            | R::MailboxLimit
            | R::MailboxBusy => ConnectReply::Unavailable,
            R::MailboxUnknown
            | R::RelayDenied
            | R::AmbiguousName
            | R::MailLoop
            | R::Malformed
            | R::NameNotAllowed
            | R::SenderNotOwned
            | R::SenderNullMx
            | R::SenderDomainUnknown
            | R::SenderAllocation
            | R::Moved
            | R::MailboxDisabled
            | R::MailboxFull
            | R::TooBigForMailbox
            | R::ListClosed
            | R::DomainMailless
            | R::LookupFailed
            | R::AuthenticationNeeded
            | R::PolicyRefused => ConnectReply::Deferred,
        })
    }

    fn permanent(_: Reason) -> Option<ConnectReply> {
        Some(ConnectReply::Refused)
    }
}

impl Judged for HeloReply {
    type Discard = Infallible;

    fn temporary(_: Reason) -> Option<HeloReply> {
        None
    }

    fn permanent(_: Reason) -> Option<HeloReply> {
        Some(HeloReply::Refused)
    }
}

impl Judged for EhloReply {
    type Discard = Infallible;

    fn temporary(_: Reason) -> Option<EhloReply> {
        None
    }

    fn permanent(_: Reason) -> Option<EhloReply> {
        Some(EhloReply::Refused)
    }
}

impl Judged for LhloReply {
    type Discard = Infallible;

    fn temporary(_: Reason) -> Option<LhloReply> {
        None
    }

    /// The row has only syntax errors (RFC 2033 4.1): such a client is disconnected.
    fn permanent(_: Reason) -> Option<LhloReply> {
        None
    }
}

/// VRFY has no 4yz but its life cycle's 421.
impl Judged for VrfyReply {
    type Discard = Infallible;

    fn temporary(_: Reason) -> Option<VrfyReply> {
        None
    }

    fn permanent(_: Reason) -> Option<VrfyReply> {
        Some(VrfyReply::Refused)
    }
}

/// Nor has EXPN.
impl Judged for ExpnReply {
    type Discard = Infallible;

    fn temporary(_: Reason) -> Option<ExpnReply> {
        None
    }

    fn permanent(reason: Reason) -> Option<ExpnReply> {
        Some(match reason {
            Reason::ListClosed => ExpnReply::ListClosed,
            _ => ExpnReply::Refused,
        })
    }
}

impl Judged for MailReply {
    type Discard = Infallible;

    fn temporary(reason: Reason) -> Option<MailReply> {
        use Reason as R;
        Some(match reason {
            R::SenderDomainUnknown => MailReply::SenderDomainLater,
            R::LookupFailed => MailReply::ResolverLater,
            R::StoreFull | R::MailboxLimit | R::NoMemory => MailReply::StorageShort,
            R::NoMemoryForParameters => MailReply::ParameterLater,
            R::StoreFailed | R::StoreReadOnly | R::DirectoryFailed | R::AliasBroken => {
                MailReply::LocalError
            }
            R::MailboxUnknown
            | R::RelayDenied
            | R::AmbiguousName
            | R::MailboxBusy
            | R::MailLoop
            | R::Malformed
            | R::ConnectionLimit
            | R::RateLimit
            | R::NameNotAllowed
            | R::SenderNotOwned
            | R::SenderNullMx
            | R::SenderAllocation
            | R::Moved
            | R::MailboxDisabled
            | R::MailboxFull
            | R::TooBigForMailbox
            | R::ListClosed
            | R::DomainMailless
            | R::AuthenticationNeeded
            | R::PolicyRefused => MailReply::Deferred,
        })
    }

    fn permanent(reason: Reason) -> Option<MailReply> {
        use Reason as R;
        Some(match reason {
            R::NameNotAllowed => MailReply::SenderNameNotAllowed,
            R::SenderNotOwned => MailReply::SenderNotOwned,
            R::SenderNullMx => MailReply::SenderNullMx,
            R::SenderDomainUnknown => MailReply::SenderDomainUnknown,
            R::SenderAllocation => MailReply::SenderAllocation,
            R::AmbiguousName | R::MailboxUnknown => MailReply::SenderNameNotAllowed,
            R::RelayDenied
            | R::AliasBroken
            | R::DirectoryFailed
            | R::MailboxLimit
            | R::MailboxBusy
            | R::MailLoop
            | R::Malformed
            | R::StoreFull
            | R::StoreFailed
            | R::StoreReadOnly
            | R::NoMemory
            | R::NoMemoryForParameters
            | R::ConnectionLimit
            | R::RateLimit
            | R::Moved
            | R::MailboxDisabled
            | R::MailboxFull
            | R::TooBigForMailbox
            | R::ListClosed
            | R::DomainMailless
            | R::LookupFailed
            | R::AuthenticationNeeded
            | R::PolicyRefused => MailReply::Refused,
        })
    }
}

impl Judged for RcptReply {
    type Discard = Infallible;

    fn temporary(reason: Reason) -> Option<RcptReply> {
        use Reason as R;
        Some(match reason {
            R::MailboxDisabled | R::Moved => RcptReply::MailboxBusy,
            R::MailboxFull | R::TooBigForMailbox => RcptReply::MailboxFull,
            R::ListClosed => RcptReply::ListLater,
            R::LookupFailed | R::DomainMailless => RcptReply::LookupFailed,
            R::MailboxBusy | R::MailboxUnknown | R::AmbiguousName => RcptReply::MailboxBusy,
            R::AliasBroken => RcptReply::AliasBroken,
            R::DirectoryFailed => RcptReply::DirectoryFailed,
            R::StoreFull | R::MailboxLimit | R::NoMemory => RcptReply::StorageShort,
            R::NoMemoryForParameters => RcptReply::ParameterLater,
            R::StoreFailed | R::StoreReadOnly => RcptReply::LocalError,
            R::RelayDenied
            | R::MailLoop
            | R::Malformed
            | R::ConnectionLimit
            | R::RateLimit
            | R::NameNotAllowed
            | R::SenderNotOwned
            | R::SenderNullMx
            | R::SenderDomainUnknown
            | R::SenderAllocation
            | R::AuthenticationNeeded
            | R::PolicyRefused => RcptReply::Deferred,
        })
    }

    fn permanent(reason: Reason) -> Option<RcptReply> {
        use Reason as R;
        Some(match reason {
            R::AuthenticationNeeded => RcptReply::AuthenticationNeeded,
            R::NameNotAllowed => RcptReply::NameNotAllowed,
            R::SenderNullMx => RcptReply::SenderNullMx,
            R::Moved => RcptReply::Moved,
            R::MailboxDisabled => RcptReply::Disabled,
            R::MailboxFull => RcptReply::QuotaPassed,
            R::TooBigForMailbox => RcptReply::TooBigForMailbox,
            R::ListClosed => RcptReply::ListClosed,
            R::DomainMailless => RcptReply::DomainMailless,
            R::MailboxUnknown | R::AliasBroken | R::MailboxLimit | R::MailboxBusy => {
                RcptReply::MailboxUnknown
            }
            R::RelayDenied => RcptReply::RelayDenied,
            R::AmbiguousName => RcptReply::AmbiguousName,
            R::DirectoryFailed
            | R::MailLoop
            | R::Malformed
            | R::StoreFull
            | R::StoreFailed
            | R::StoreReadOnly
            | R::NoMemory
            | R::NoMemoryForParameters
            | R::ConnectionLimit
            | R::RateLimit
            | R::SenderNotOwned
            | R::SenderDomainUnknown
            | R::SenderAllocation
            | R::LookupFailed
            | R::PolicyRefused => RcptReply::PolicyRefused,
        })
    }
}

impl Judged for DataReply {
    type Discard = Infallible;

    fn temporary(reason: Reason) -> Option<DataReply> {
        use Reason as R;
        Some(match reason {
            R::LookupFailed => DataReply::LocalError,
            // The row has no 452.
            R::StoreFull
            | R::StoreFailed
            | R::StoreReadOnly
            | R::NoMemory
            | R::NoMemoryForParameters
            | R::DirectoryFailed
            | R::MailboxLimit => DataReply::LocalError,
            R::AliasBroken => DataReply::Misconfigured,
            R::MailboxUnknown
            | R::RelayDenied
            | R::AmbiguousName
            | R::MailboxBusy
            | R::MailLoop
            | R::Malformed
            | R::ConnectionLimit
            | R::RateLimit
            | R::NameNotAllowed
            | R::SenderNotOwned
            | R::SenderNullMx
            | R::SenderDomainUnknown
            | R::SenderAllocation
            | R::Moved
            | R::MailboxDisabled
            | R::MailboxFull
            | R::TooBigForMailbox
            | R::ListClosed
            | R::DomainMailless
            | R::AuthenticationNeeded
            | R::PolicyRefused => DataReply::Deferred,
        })
    }

    fn permanent(reason: Reason) -> Option<DataReply> {
        use Reason as R;
        Some(match reason {
            R::MailLoop | R::Malformed => DataReply::TransactionRefused,
            R::MailboxUnknown
            | R::RelayDenied
            | R::AmbiguousName
            | R::AliasBroken
            | R::DirectoryFailed
            | R::MailboxLimit
            | R::MailboxBusy
            | R::StoreFull
            | R::StoreFailed
            | R::StoreReadOnly
            | R::NoMemory
            | R::NoMemoryForParameters
            | R::ConnectionLimit
            | R::RateLimit
            | R::NameNotAllowed
            | R::SenderNotOwned
            | R::SenderNullMx
            | R::SenderDomainUnknown
            | R::SenderAllocation
            | R::Moved
            | R::MailboxDisabled
            | R::MailboxFull
            | R::TooBigForMailbox
            | R::ListClosed
            | R::DomainMailless
            | R::LookupFailed
            | R::AuthenticationNeeded
            | R::PolicyRefused => DataReply::Refused,
        })
    }
}

impl Judged for EndOfDataReply {
    type Discard = Rule;

    fn temporary(reason: Reason) -> Option<EndOfDataReply> {
        use Reason as R;
        Some(match reason {
            R::LookupFailed => EndOfDataReply::LookupFailed,
            R::MailboxFull => EndOfDataReply::StorageShort,
            R::StoreFull | R::MailboxLimit | R::NoMemory | R::NoMemoryForParameters => {
                EndOfDataReply::StorageShort
            }
            R::StoreFailed | R::StoreReadOnly | R::DirectoryFailed | R::AliasBroken => {
                EndOfDataReply::LocalError
            }
            R::MailboxUnknown
            | R::RelayDenied
            | R::AmbiguousName
            | R::MailboxBusy
            | R::MailLoop
            | R::Malformed
            | R::ConnectionLimit
            | R::RateLimit
            | R::NameNotAllowed
            | R::SenderNotOwned
            | R::SenderNullMx
            | R::SenderDomainUnknown
            | R::SenderAllocation
            | R::Moved
            | R::MailboxDisabled
            | R::TooBigForMailbox
            | R::ListClosed
            | R::DomainMailless
            | R::AuthenticationNeeded
            | R::PolicyRefused => EndOfDataReply::Deferred,
        })
    }

    fn permanent(reason: Reason) -> Option<EndOfDataReply> {
        use Reason as R;
        Some(match reason {
            R::MailboxFull | R::SenderAllocation => EndOfDataReply::QuotaPassed,
            R::TooBigForMailbox => EndOfDataReply::TooBigForMailbox,
            R::MailLoop => EndOfDataReply::MailLoop,
            R::Malformed => EndOfDataReply::Malformed,
            R::MailboxUnknown
            | R::RelayDenied
            | R::AmbiguousName
            | R::AliasBroken
            | R::DirectoryFailed
            | R::MailboxLimit
            | R::MailboxBusy
            | R::StoreFull
            | R::StoreFailed
            | R::StoreReadOnly
            | R::NoMemory
            | R::NoMemoryForParameters
            | R::ConnectionLimit
            | R::RateLimit
            | R::NameNotAllowed
            | R::SenderNotOwned
            | R::SenderNullMx
            | R::SenderDomainUnknown
            | R::Moved
            | R::MailboxDisabled
            | R::ListClosed
            | R::DomainMailless
            | R::LookupFailed
            | R::AuthenticationNeeded
            | R::PolicyRefused => EndOfDataReply::PolicyRefused,
        })
    }
}
