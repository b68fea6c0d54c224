//! VRFY, EXPN and HELP.

use super::{Way, by, never};

pub(super) fn vrfy(name: &str) -> Option<Way> {
    Some(match name {
        "Verified" => by(
            "A client that may ask names one mailbox of this server.",
            &["smtp.vrfy", "smtp.inquiry_networks"],
        ),
        "WillForward" => by(
            "A trusted client asks about somebody who has moved, whose mail is sent on and whose new address is shown.",
            &["smtp.vrfy", "moved.forward", "moved.show"],
        ),
        "NotVerified" => by(
            "A client that may ask names somebody about whom nothing is known here.",
            &["smtp.vrfy"],
        ),
        "NotVerifiedUtf8" => by(
            "The answer would need UTF-8, and the client gave no SMTPUTF8.",
            &["smtp.vrfy"],
        ),
        "MailboxUnknown" => by(
            "A client that may ask names nobody of this server.",
            &["smtp.vrfy"],
        ),
        "Refused" => by(
            "A rule of access that refuses at `inquiry`.",
            &["access.at", "access.then"],
        ),
        "NeedsUtf8" => never(
            "Not: 252 2.6.8 is said instead (`NotVerifiedUtf8`), which RFC 6531 3.7.4.2 allows as well.",
        ),
        "MovedTo" => by(
            "A trusted client asks about somebody who has moved, whose mail isn't sent on and whose new address is shown.",
            &["smtp.vrfy", "moved.show"],
        ),
        "AmbiguousName" => by(
            "A client that may ask gives a name without a domain that fits mailboxes of several.",
            &["smtp.vrfy", "domain.mailboxes"],
        ),
        "NameNotAllowed" => {
            never("Not: a name that isn't allowed is one that nobody has (`MailboxUnknown`).")
        }
        "FormNotImplemented" => never("Not: a name without a domain is looked up in each."),
        "SwitchedOff" => by(
            "VRFY is closed to this client, whatever it asks.",
            &["smtp.vrfy", "smtp.inquiry_networks"],
        ),
        "NotImplemented" => by(
            "VRFY on a listener with `vrfy-502`.",
            &["listener.historic"],
        ),
        "ParameterNotImplemented" => by(
            "Something stands behind the string that is no parameter of VRFY.",
            &["smtp.vrfy"],
        ),
        "BadArgument" => by("VRFY without a string.", &[]),
        _ => return None,
    })
}

pub(super) fn expn(name: &str) -> Option<Way> {
    Some(match name {
        "Expanded" => by(
            "A client that may ask names an alias.",
            &["smtp.expn", "smtp.inquiry_networks", "domain.aliases"],
        ),
        "NotExpanded" => by(
            "A client that may ask names an alias that can't be shown.",
            &["smtp.expn"],
        ),
        "NotExpandedUtf8" => by(
            "The answer would need UTF-8, and the client gave no SMTPUTF8.",
            &["smtp.expn"],
        ),
        "ListUnknown" => by(
            "A client that may ask names something that is no alias.",
            &["smtp.expn", "domain.aliases"],
        ),
        "ListClosed" => by(
            "A rule of access that refuses at `inquiry` with the reason `closed-list`.",
            &["access.at", "access.reason"],
        ),
        "Refused" => by(
            "A rule of access that refuses at `inquiry`.",
            &["access.at", "access.then"],
        ),
        "NeedsUtf8" => never(
            "Not: 252 2.6.8 is said instead (`NotExpandedUtf8`), which RFC 6531 3.7.4.2 allows as well.",
        ),
        "KindNotImplemented" => never("Not: every alias can be expanded."),
        "SwitchedOff" => by(
            "EXPN is closed to this client, whatever it asks.",
            &["smtp.expn", "smtp.inquiry_networks"],
        ),
        "NotImplemented" => by("`smtp.expn = \"not-implemented\"`.", &["smtp.expn"]),
        "ParameterNotImplemented" => by(
            "Something stands behind the string that is no parameter of EXPN.",
            &["smtp.expn"],
        ),
        "BadArgument" => by("EXPN without a string.", &[]),
        _ => return None,
    })
}

pub(super) fn help(name: &str) -> Option<Way> {
    Some(match name {
        "Status" => by(
            "A client that may see it asks `HELP STATUS`.",
            &["smtp.status", "smtp.inquiry_networks"],
        ),
        "Help" => by("A client asks for help.", &["smtp.help"]),
        "TopicUnknown" => by(
            "A client asks for help on something that is no command here.",
            &["smtp.help"],
        ),
        "SwitchedOff" => by("`smtp.help = false`.", &["smtp.help"]),
        "BadArgument" => by("A client asks with an argument that is no string.", &[]),
        _ => return None,
    })
}
