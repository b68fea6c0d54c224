//! What is about one message.

use super::{Way, by, idle, never};

const NO_CHECK: &str = "Not yet: this check of the sender isn't built.";
const NO_FILTER: &str = "Not yet: no filter looks at messages.";

pub(super) fn mail(name: &str) -> Option<Way> {
    Some(match name {
        "Accepted" => by(
            "A client begins a transaction, and nothing stands against it.",
            &[],
        ),
        "SenderAllocation" => by(
            "The user or the network has sent what it may in an hour, and `sending.when_spent = \"refuse\"`.",
            &[
                "sending.when_spent",
                "sending.messages_per_user",
                "sending.messages_per_network",
            ],
        ),
        "LocalError" => by("The spool can't be written.", &["data_dir"]),
        "LookupFailed" => never("Not: a look-up that fails is 450 here (`ResolverLater`)."),
        "SpfError" | "SpfFailed" | "ReverseDnsFailed" => never(NO_CHECK),
        "StorageShort" => by(
            "The spool's disk is below its floor, or there is no memory for the envelope.",
            &[
                "spool.free_space_floor",
                "spool.free_inode_floor",
                "limits.envelope_memory",
            ],
        ),
        "ParameterLater" => by(
            "There is memory for the envelope, but none for its parameters.",
            &["limits.envelope_memory"],
        ),
        "Deferred" => by(
            "A rule of access that defers, or a user or network that has sent what it may in an hour.",
            &[
                "access.then",
                "sending.messages_per_user",
                "sending.messages_per_network",
            ],
        ),
        "SenderDomainLater" => {
            idle("Not: a domain that isn't there is refused for good (`SenderDomainUnknown`).")
        }
        "ResolverLater" => by(
            "The sender's domain can't be looked up now.",
            &["dns.check_senders", "dns.name_servers"],
        ),
        "Refused" => by(
            "A rule of access that refuses.",
            &["access.then", "access.senders"],
        ),
        "SenderNullMx" => by("The sender's domain has a null MX.", &["dns.check_senders"]),
        "SenderDomainUnknown" => by("The sender's domain isn't there.", &["dns.check_senders"]),
        "SenderNotAscii" => by(
            "A client gives an address that is not ASCII, without SMTPUTF8.",
            &[],
        ),
        "SenderNameNotAllowed" => by(
            "A rule of access that refuses with the reason `name`, or a name that is too long.",
            &["access.reason", "limits.local_part", "limits.domain"],
        ),
        "SenderNotOwned" => by(
            "A user gives a sender's address that isn't its own.",
            &["auth.senders", "sender.addresses"],
        ),
        "BadSequence" => by(
            "A client gives MAIL before it has greeted, or in a transaction.",
            &[],
        ),
        "TooBig" => by(
            "A client declares more with SIZE than a message may have.",
            &["limits.message_size"],
        ),
        "TlsNeeded" => by(
            "The listener has `listener.tls = \"required\"`, and a client goes on without STARTTLS.",
            &["listener.tls"],
        ),
        "AuthenticationNeeded" => by(
            "The listener has `listener.auth = \"required\"`, and the client hasn't authenticated.",
            &["listener.auth"],
        ),
        "BadPath" => by(
            "A client gives a sender that is no address.",
            &["limits.path"],
        ),
        "BadParameter" => by(
            "A client gives a parameter twice, or with a value that makes no sense.",
            &[],
        ),
        "BadShape" => by("A client gives MAIL without `FROM:`.", &[]),
        "UnknownParameter" => by("A client gives a parameter that EHLO didn't offer.", &[]),
        _ => return None,
    })
}

pub(super) fn rcpt(name: &str) -> Option<Way> {
    rcpt_here(name)
        .or_else(|| rcpt_refused(name))
        .or_else(|| rcpt_later(name))
}

fn rcpt_here(name: &str) -> Option<Way> {
    Some(match name {
        "Accepted" => by(
            "The recipient is a mailbox or an alias here, or the client may relay and a route leads there.",
            &[
                "domain.mailboxes",
                "domain.aliases",
                "relay.trusted_networks",
                "route.domain",
            ],
        ),
        "WillForward" => by(
            "The recipient has moved, mail is sent on, and the client may know where to.",
            &["moved.forward", "moved.show"],
        ),
        "BadSequence" => by("A client gives RCPT without MAIL, or after BDAT.", &[]),
        "TooManyRecipients" => by(
            "A client gives one recipient more than a message may have.",
            &["limits.recipients"],
        ),
        "AuthenticationNeeded" => by(
            "The recipient is another server's, and the client could relay if it authenticated.",
            &["listener.auth", "route.domain"],
        ),
        "BadPath" => by(
            "A client gives a recipient that is no address.",
            &["limits.path"],
        ),
        "BadParameter" => by(
            "A client gives a parameter twice, or with a value that makes no sense.",
            &[],
        ),
        "BadShape" => by("A client gives RCPT without `TO:`.", &[]),
        "UnknownParameter" => by("A client gives a parameter that EHLO didn't offer.", &[]),
        _ => return None,
    })
}

fn rcpt_refused(name: &str) -> Option<Way> {
    Some(match name {
        "MailboxUnknown" => by(
            "The recipient's domain is local, and has no such mailbox or alias.",
            &[
                "domain.mailboxes",
                "domain.aliases",
                "domain.create_mailboxes",
            ],
        ),
        "RelayDenied" => by(
            "The recipient's domain isn't local, and the client may not relay, or no route leads there.",
            &["relay.trusted_networks", "route.domain", "domain.name"],
        ),
        "Moved" => by(
            "The recipient has moved, and the client may not know where to.",
            &["moved.address", "moved.show"],
        ),
        "Disabled" => by(
            "A rule of access that refuses with the reason `disabled`.",
            &["access.reason"],
        ),
        "ListClosed" => by(
            "A rule of access that refuses with the reason `closed-list`.",
            &["access.reason"],
        ),
        "PolicyRefused" => by(
            "A rule of access that refuses at RCPT: by network, greeting, sender, recipient or user.",
            &["access.then", "access.at"],
        ),
        "SpfFailed" | "ReverseDnsFailed" => never(NO_CHECK),
        "SenderNullMx" => idle("Not: it is said at MAIL already."),
        "MovedTo" => by(
            "The recipient has moved, mail isn't sent on, and the client may know where to.",
            &["moved.new_address", "moved.show"],
        ),
        "QuotaPassed" => by(
            "The mailbox is full, and `mailboxes.when_full = \"refuse\"`.",
            &[
                "mailboxes.when_full",
                "domain.mailbox_size",
                "domain.mailbox_messages",
                "quota.size",
            ],
        ),
        "TooBigForMailbox" => by(
            "A client declares more with SIZE than this mailbox takes.",
            &["domain.message_size", "quota.message_size"],
        ),
        "NameNotAllowed" => by(
            "An address that is too long, or a rule of access that refuses with the reason `name`.",
            &["limits.local_part", "limits.domain", "access.reason"],
        ),
        "AmbiguousName" => idle("Not: a full address fits one mailbox at most."),
        "NotAscii" => by(
            "A client gives an address that is not ASCII, in a transaction without SMTPUTF8.",
            &[],
        ),
        "DomainMailless" => by(
            "The recipient's domain takes no mail: by a list here, or by a null MX.",
            &["relay.no_mail_domains", "dns.check_recipients"],
        ),
        "DomainMaillessHistoric" => by(
            "The recipient's domain takes no mail, on a listener with `rcpt-521`.",
            &["listener.historic", "relay.no_mail_domains"],
        ),
        _ => return None,
    })
}

fn rcpt_later(name: &str) -> Option<Way> {
    Some(match name {
        "MailboxBusy" => by(
            "A delivery to this mailbox has failed in the last five minutes, or a rule of access defers with the \
             reason `disabled`.",
            &["access.reason"],
        ),
        "ListLater" => by(
            "A rule of access that defers with the reason `closed-list`.",
            &["access.reason"],
        ),
        "Deferred" => by(
            "A rule of access that defers at RCPT.",
            &["access.then", "access.at"],
        ),
        "LookupFailed" => by(
            "The recipient's domain can't be looked up now.",
            &["dns.check_recipients", "dns.name_servers"],
        ),
        "LocalError" => by("The spool can't be written.", &["data_dir"]),
        "AliasBroken" => by(
            "An alias leads in a circle, or to nobody any more.",
            &["domain.aliases"],
        ),
        "DirectoryFailed" => by("The look-up itself failed; the log has the fault.", &[]),
        "StorageShort" => by(
            "The spool's disk is below its floor, there is no memory for another recipient, or no mailbox more may be made.",
            &[
                "spool.free_space_floor",
                "limits.envelope_memory",
                "mailboxes.limit",
            ],
        ),
        "ParameterLater" => by(
            "There is memory for the recipient, but none for its parameters.",
            &["limits.envelope_memory"],
        ),
        "MailboxFull" => by(
            "The mailbox is full.",
            &[
                "domain.mailbox_size",
                "domain.mailbox_messages",
                "quota.size",
                "mailboxes.when_full",
            ],
        ),
        _ => return None,
    })
}

pub(super) fn data(name: &str) -> Option<Way> {
    Some(match name {
        "GoAhead" => by(
            "There is a recipient, and nothing stands against the message.",
            &[],
        ),
        "LocalError" => by(
            "The spool can't be written, or the server stops while the message waits for memory.",
            &["limits.body_memory", "data_dir"],
        ),
        "Misconfigured" => idle("Not: what is wrong with an alias is said at RCPT."),
        "TransactionRefused" => {
            idle("Not: a rule of access that refuses at `data` is 550 (`Refused`).")
        }
        "Deferred" => by(
            "A rule of access that defers at `data`.",
            &["access.at", "access.then"],
        ),
        "Refused" => by(
            "A rule of access that refuses at `data`.",
            &["access.at", "access.then"],
        ),
        "BadSequence" => by(
            "A client gives DATA without a recipient, after BDAT, or for a message that was declared BINARYMIME.",
            &["smtp.binary_mime"],
        ),
        "NoValidRecipients" => by(
            "A client gives DATA though every RCPT was refused, as one that pipelines does.",
            &[],
        ),
        "HasArgument" => by("A client gives DATA with an argument.", &[]),
        _ => return None,
    })
}

pub(super) fn end_of_data(name: &str) -> Option<Way> {
    Some(match name {
        "Accepted" => by("The message is on disk, with its envelope.", &["data_dir"]),
        "Discarded" => idle("Not yet: no rule discards messages."),
        "QuotaPassed" => by(
            "A recipient's mailbox has no room for the message, on an LMTP listener; elsewhere quotas are asked at RCPT.",
            &["listener.protocol", "mailboxes.when_full"],
        ),
        "TooBigForMailbox" => by(
            "The message, whose size wasn't declared, is bigger than each of its mailboxes takes.",
            &["domain.message_size", "quota.message_size"],
        ),
        "MailLoop" => by(
            "The message has more Received fields than it may have.",
            &["limits.hops"],
        ),
        "Malformed" => idle(
            "Not: what isn't well formed is taken as it is, but for bare line ends (`BareLineEnd`).",
        ),
        "NotConvertible" | "HeaderNotAscii" => {
            never("Not: what a next hop can't take comes back as a notice.")
        }
        "ContentRefused" | "DmarcRejected" | "SpfError" | "AuthenticationFailed" => {
            never(NO_FILTER)
        }
        "TlsNotKept" => never("Not yet: REQUIRETLS isn't offered."),
        "LocalError" => by("The spool can't be written.", &["data_dir"]),
        "LookupFailed" => idle("Not yet: nothing is looked up at the end of the data."),
        "StorageShort" => by(
            "The disk filled up while the message came in.",
            &["spool.free_space_floor"],
        ),
        "Deferred" => by(
            "A rule of access that defers at `message`.",
            &["access.header", "access.at", "access.then"],
        ),
        "PolicyRefused" => by(
            "A rule of access that refuses at `message`.",
            &["access.header", "access.at", "access.then"],
        ),
        "TooBig" => by(
            "The message is bigger than it may be.",
            &["limits.message_size"],
        ),
        "BareLineEnd" => by(
            "The message has a CR or LF that is no line end.",
            &["smtp.bare_line_ends"],
        ),
        _ => return None,
    })
}

pub(super) fn bdat(name: &str) -> Option<Way> {
    Some(match name {
        "ChunkTaken" => by("A client sends a chunk that isn't the last.", &[]),
        "Accepted" => by(
            "The last chunk has come, and the message is on disk, with its envelope.",
            &["data_dir"],
        ),
        "Discarded" => idle("Not yet: no rule discards messages."),
        "LocalError" => by(
            "The spool can't be written, or a rule of access defers.",
            &["data_dir", "access.then"],
        ),
        "StorageShort" => by(
            "The disk filled up while the message came in.",
            &["spool.free_space_floor"],
        ),
        "AllocationPassed" => by(
            "The message is bigger than each of its mailboxes takes.",
            &["domain.message_size", "quota.message_size"],
        ),
        "Malformed" => by("The message goes in a circle.", &["limits.hops"]),
        "Refused" => by(
            "A rule of access that refuses at `data` or `message`.",
            &["access.at", "access.then"],
        ),
        "BadSequence" => by(
            "A client gives BDAT without a recipient, or after DATA.",
            &[],
        ),
        "NoValidRecipients" => by("A client gives BDAT though every RCPT was refused.", &[]),
        "TooBig" => by(
            "The chunks together are more than a message may have.",
            &["limits.message_size"],
        ),
        "BareLineEnd" => by(
            "The message has a CR or LF that is no line end.",
            &["smtp.bare_line_ends"],
        ),
        "BadSize" => by(
            "A client gives BDAT without a size, or with one that is no number.",
            &[],
        ),
        _ => return None,
    })
}
