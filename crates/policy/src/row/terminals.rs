//! SEND, SOML and SAML: rows that have a few replies of MAIL's.

use std::convert::Infallible;

use postroad_reply::{SamlReply, SendReply, SomlReply};

use super::Judged;
use crate::verdict::Reason;

macro_rules! as_send {
    ($($reply:ident),+) => {$(
        impl Judged for $reply {
            type Discard = Infallible;

            fn temporary(reason: Reason) -> Option<$reply> {
                use Reason as R;
                Some(match reason {
                    R::StoreFull | R::MailboxLimit | R::NoMemory | R::NoMemoryForParameters => {
                        $reply::StorageShort
                    }
                    R::LookupFailed | R::SenderDomainUnknown => $reply::LookupFailed,
                    R::StoreFailed
                    | R::StoreReadOnly
                    | R::DirectoryFailed
                    | R::AliasBroken
                    | R::MailboxUnknown
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
                    | R::AuthenticationNeeded | R::PolicyRefused => $reply::LocalError,
                })
            }

            /// RFC 821 4.3 has no 550 here: what is refused to this client is not implemented for it.
            fn permanent(reason: Reason) -> Option<$reply> {
                Some(match reason {
                    Reason::SenderAllocation => $reply::SenderAllocation,
                    _ => $reply::Refused,
                })
            }
        }
    )+};
}

as_send!(SendReply, SomlReply, SamlReply);
