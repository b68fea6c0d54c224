//! SEND, SOML and SAML: rows that have a few replies of MAIL's, and answer a new reason as that does.

use std::convert::Infallible;

use postroad_reply::{MailReply, SamlReply, SendReply, SomlReply};

use super::Judged;
use crate::verdict::Reason;

macro_rules! as_send {
    ($($reply:ident),+) => {$(
        impl Judged for $reply {
            type Discard = Infallible;

            /// What MAIL answers, in the codes that RFC 821 4.3 has here: neither 450 nor 455.
            fn temporary(reason: Reason) -> Option<$reply> {
                Some(match MailReply::temporary(reason)? {
                    MailReply::StorageShort | MailReply::ParameterLater => $reply::StorageShort,
                    MailReply::SenderDomainLater | MailReply::ResolverLater => {
                        $reply::LookupFailed
                    }
                    _ => $reply::LocalError,
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
