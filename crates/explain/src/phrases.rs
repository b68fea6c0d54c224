//! What the words of replies mean that servers say in their own way.

use serde::Serialize;

/// A thing that servers say in many words, and what is behind it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Phrase {
    /// What it is called.
    pub name: &'static str,
    /// What is behind it.
    pub meaning: &'static str,
    /// What helps.
    pub help: &'static str,
    /// One of these stands in the words, in small letters.
    #[serde(skip)]
    signs: &'static [&'static str],
    /// The situations of the table that it speaks for, the likeliest first.
    #[serde(skip)]
    situations: &'static [&'static str],
}

impl Phrase {
    /// Whether it speaks for a situation of this name.
    pub(crate) fn speaks_for(&self, situation: &str) -> bool {
        self.place_of(situation).is_some()
    }

    /// How far down the list of those that it speaks for a situation stands: the likeliest first.
    pub(crate) fn place_of(&self, situation: &str) -> Option<usize> {
        self.situations.iter().position(|name| *name == situation)
    }
}

/// What the words of a reply say; the clearest first.
pub(crate) fn said_in(words: &str) -> Option<&'static Phrase> {
    let words = words.to_lowercase();
    let mut all = PHRASES.iter();
    all.find(|phrase| phrase.signs.iter().any(|sign| words.contains(sign)))
}

const fn phrase(
    name: &'static str,
    signs: &'static [&'static str],
    situations: &'static [&'static str],
    meaning: &'static str,
    help: &'static str,
) -> Phrase {
    Phrase {
        name,
        meaning,
        help,
        signs,
        situations,
    }
}

/// The narrower stand before the wider.
#[rustfmt::skip]
static PHRASES: &[Phrase] = &[
    phrase("greylisting", &["greylist", "graylist", "grey-list", "grey list", "gray-list"], &["Deferred"],
        "The server takes mail from senders that it doesn't know only at a later try (RFC 6647). Nothing is wrong with the message.",
        "Let the sending server try again after some minutes, from the same address and with the same sender and recipient. A program that sends mail by itself, without a queue, loses it here."),
    phrase("block list", &["spamhaus", "blocklist", "block list", "block-list", "blacklist", "black list", "dnsbl", "rbl", "barracuda", "spamcop", "sorbs", "blocked using", "listed at", "listed by", "poor reputation", "low reputation"], &["PolicyRefused", "Refused", "Deferred"],
        "The address of the sending server stands on a list of addresses from which unwanted mail came.",
        "Look the address up at the list that the reply names, find out what it sent, mend that, and ask for its removal there."),
    phrase("SPF", &["spf"], &["SpfFailed", "SpfError", "PolicyRefused", "AuthenticationFailed"],
        "The SPF record of the sender's domain doesn't allow this server to send its mail.",
        "Put the sending server into the SPF record of the domain in MAIL; a forwarder should rewrite the sender (SRS)."),
    phrase("DMARC", &["dmarc"], &["DmarcRejected", "AuthenticationFailed", "PolicyRefused"],
        "The domain in From wants mail refused that neither SPF nor DKIM shows to be its own.",
        "Sign with DKIM for the domain in From, or send by its own servers; mailing lists should put their own address there."),
    phrase("DKIM", &["dkim"], &["AuthenticationFailed", "PolicyRefused"],
        "The message has no DKIM signature that holds.",
        "Have the sending server sign, and look for what changes the message behind it."),
    phrase("reverse DNS", &["reverse dns", "reverse hostname", "rdns", "ptr record", "no ptr", "cannot find your hostname", "cannot find your reverse", "fcrdns", "reverse lookup"], &["ReverseDnsFailed", "PolicyRefused"],
        "The address of the sending server has no name in DNS that leads back to it.",
        "Have whoever gave out the address set a PTR record, whose name has that address."),
    phrase("greeting name", &["helo command rejected", "invalid helo", "helo name", "ehlo name", "invalid ehlo", "helo/ehlo"], &["NameNotQualified", "Refused", "BadArgument", "PolicyRefused"],
        "The name that the client said after EHLO or HELO isn't one that the server takes.",
        "Set the sending server's own name to a fully-qualified one that has its address."),
    phrase("null MX", &["null mx", "nullmx", "does not accept mail", "doesn't accept mail"], &["DomainMailless", "SenderNullMx", "Mailless"],
        "The domain says in its DNS that it takes no mail.",
        "Check what stands after the @."),
    phrase("relaying", &["relay access denied", "relaying denied", "relay not permitted", "relaying not", "unable to relay", "not permitted to relay", "relay denied", "relay operation rejected", "relaying is", "isn't allowed to relay", "relaying prohibited", "we do not relay", "not in my list of allowed rcpthosts"], &["RelayDenied"],
        "The server is neither at home for the recipient's domain, nor may this client send mail elsewhere by it.",
        "A user: authenticate, at the port for that (587 or 465). A server: check the MX records of the recipient's domain. On a server of one's own: list the domain, or the client's network as trusted."),
    phrase("unknown recipient", &["user unknown", "unknown user", "no such user", "no such recipient", "no such mailbox", "no such address", "does not exist", "doesn't exist", "unknown in virtual", "unknown in local", "recipient not found", "invalid recipient", "unrouteable", "unknown recipient", "unknown local", "not a known user", "no mailbox here", "mailbox not found", "recipient address rejected: user", "address unknown", "recipientnotfound"], &["MailboxUnknown"],
        "There is no such mailbox at that domain.",
        "Check what stands before the @, and take the address off lists if it is gone."),
    phrase("size", &["too large", "too big", "size limit", "exceeds size", "size exceeds", "exceeds fixed", "exceeds the maximum", "maximum message size", "message size"], &["TooBig", "TooBigForMailbox", "AllocationPassed"],
        "The message is bigger than may be.",
        "Send less at once, or a link."),
    phrase("full mailbox", &["quota", "mailbox full", "mailbox is full", "inbox is full", "over its storage", "exceeded storage", "out of storage"], &["MailboxFull", "QuotaPassed", "SenderAllocation"],
        "The recipient's mailbox has no room.",
        "The recipient has to make room; a sender can only wait, or ask in another way."),
    phrase("disabled mailbox", &["mailbox disabled", "account disabled", "account has been disabled", "is disabled", "suspended", "inactive", "not active"], &["Disabled", "MailboxBusy"],
        "The mailbox is there, and takes no mail.",
        "Ask the recipient in another way."),
    phrase("too many recipients", &["too many recipients"], &["TooManyRecipients"],
        "A transaction had more recipients than it may have.",
        "Send to those that were accepted, and to the others in further transactions."),
    phrase("rate limit", &["rate limit", "ratelimit", "too many messages", "too many connections", "throttl", "sending limit", "too much mail", "connection limit", "too many concurrent", "unusual rate", "slow down"], &["LimitReached", "Deferred", "LimitPassed", "SenderAllocation"],
        "This client sends more, or more at once, than the server takes from it.",
        "Fewer connections and fewer messages at a time; what was put off goes later by itself."),
    phrase("mail loop", &["loop", "too many hops", "hop count", "too many received"], &["MailLoop", "AliasBroken"],
        "The message goes in a circle.",
        "Look at its Received fields for the servers that send it to each other, and mend a forward or a route."),
    phrase("TLS first", &["starttls", "tls required", "encryption required", "must use tls", "requires tls", "encryption needed"], &["TlsNeeded", "TlsNotKept"],
        "The server wants an encrypted connection first.",
        "Turn TLS on in the client: STARTTLS at 587, or TLS from the start at 465."),
    phrase("wrong password", &["authentication failed", "credentials invalid", "username and password not accepted", "password", "invalid login", "bad credentials", "authentication unsuccessful"], &["Invalid"],
        "The name or the password isn't right, or the account wants a password of its own for programs.",
        "Ask the user; don't try the same again and again, for that locks accounts and addresses."),
    phrase("authentication first", &["authentication required", "authentication is required", "authenticate first", "auth required", "must authenticate", "not authenticated", "sender not authenticated", "authentication needed"], &["AuthenticationNeeded"],
        "The server takes mail from users that have said who they are.",
        "Set a name and password in the client."),
    phrase("bare line ends", &["bare lf", "bare cr", "bare newline", "bare <lf>", "bare <cr>", "bare line feed", "bare carriage"], &["BareLineEnd"],
        "The message has a line end that isn't CRLF; such messages can smuggle others in (RFC 5321 2.3.8).",
        "The sending program has to write CRLF at the end of each line."),
    phrase("talking out of turn", &["improper command pipelining", "synchronization error", "before greeting", "pregreet", "data sent before", "early talker"], &["LimitPassed", "BadSequence", "Refused"],
        "The client sent commands before the server had answered, where it may not.",
        "The sending program is at fault: it has to wait for the greeting, and pipeline only after EHLO offers that."),
    phrase("spam or virus", &["virus", "malware", "phish", "spam", "content rejected", "message content", "unsolicited", "suspicious"], &["ContentRefused", "PolicyRefused", "Refused"],
        "A filter takes the message for unwanted or harmful.",
        "Look at links and attachments, and at what else this server sends; the postmaster of the other side can tell more."),
    phrase("sender's domain", &["sender address rejected: domain", "domain of sender", "sender domain", "sender verify", "sender's domain", "domain not found", "callout"], &["SenderDomainUnknown", "SenderDomainLater", "ResolverLater", "SenderNullMx"],
        "The domain of the sender's address can't be found, or doesn't take mail, so that no notice could reach it.",
        "Use a sender whose domain has MX or address records; check its name servers."),
    phrase("full disk", &["insufficient system storage", "insufficient storage", "disk full", "no space", "not enough space", "insufficient disk"], &["StorageShort"],
        "The receiving server has no room.",
        "Nothing is wrong with the message; the other side's operator has to make room."),
    phrase("closed list", &["not a member", "members only", "only members", "list is closed", "moderated", "not authorized to post", "not subscribed"], &["ListClosed", "ListLater"],
        "The list takes no mail from this sender.",
        "Become a member of the list, or write to its owner."),
    phrase("time-out", &["timeout", "timed out", "time-out", "idle"], &["TimedOut"],
        "One side waited for the other for too long.",
        "If it lasts, look for what holds up or breaks the connection: a firewall, path MTU, too few workers."),
    phrase("a refusal by policy", &["policy", "access denied", "rejected by", "administrative", "not allowed to send", "banned", "blocked"], &["PolicyRefused", "Refused", "TransactionRefused"],
        "A rule of the site is against it; it doesn't say which.",
        "Ask the site's postmaster, with the words of the reply and the time."),
    phrase("a fault for now", &["temporarily", "temporary", "try again", "try later", "service unavailable", "not available", "overloaded", "busy"], &["Deferred", "Unavailable", "LocalError", "MailboxBusy", "Stopping"],
        "The server can't do it now.",
        "The sending server tries again by itself; look at it when it lasts for hours."),
];
