//! What VRFY and EXPN tell those who may ask (RFC 5321 3.5).

use std::net::IpAddr;

use postroad_directory::{Directory, Mailboxes, Resolution};
use postroad_reply::{ExpnReply, Lines, Text, VrfyReply};
use postroad_wire::address::{ForwardPath, Mailbox};
use postroad_wire::command::Lookup;

/// Who is here.
pub(crate) struct Names<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) mailboxes: &'a Mailboxes,
    /// The address of ours that the client came to.
    pub(crate) own_address: IpAddr,
}

/// Why a name stands for no one address.
enum NoOne {
    Unknown,
    /// It stands for each of these.
    Ambiguous(Vec<Mailbox>),
}

impl Names<'_> {
    /// Whether a name is a mailbox here.
    pub(crate) fn vrfy(&self, asked: Lookup, smtputf8: bool) -> VrfyReply {
        let path = match self.path(asked) {
            Ok(path) => path,
            Err(NoOne::Unknown) => return VrfyReply::MailboxUnknown,
            // RFC 5321 3.5.1: the possibilities may be listed.
            Err(NoOne::Ambiguous(named)) => {
                return lines(&named, smtputf8)
                    .map_or(VrfyReply::NotVerifiedUtf8, VrfyReply::AmbiguousName);
            }
        };
        match self.directory.resolve(&path, self.mailboxes) {
            Resolution::Local {
                origin,
                new_address,
                ..
            } => match (shown(new_address, smtputf8), lines(&[origin], smtputf8)) {
                (Some(new), _) => VrfyReply::WillForward(new),
                (None, Some(lines)) => VrfyReply::Verified(lines),
                (None, None) => VrfyReply::NotVerifiedUtf8,
            },
            // Without the address to show, there is nobody here (the row has no 5.1.6 for 550).
            Resolution::Moved { new_address, .. } => {
                shown(new_address, smtputf8).map_or(VrfyReply::MailboxUnknown, VrfyReply::MovedTo)
            }
            Resolution::Unknown => VrfyReply::MailboxUnknown,
            Resolution::NotLocal { .. } | Resolution::Broken | Resolution::MailboxLimit => {
                VrfyReply::NotVerified
            }
        }
    }

    /// Who is behind an alias.
    pub(crate) fn expn(&self, asked: Lookup, smtputf8: bool) -> ExpnReply {
        let Ok(path) = self.path(asked) else {
            return ExpnReply::ListUnknown;
        };
        match self.directory.resolve(&path, self.mailboxes) {
            // A mailbox that stands for itself alone is no list.
            Resolution::Local {
                targets, origin, ..
            } if targets.len() == 1 && targets[0].local == origin.local => ExpnReply::ListUnknown,
            Resolution::Local { targets, .. } => match lines(&targets, smtputf8) {
                Some(lines) => ExpnReply::Expanded(lines),
                None => ExpnReply::NotExpandedUtf8,
            },
            Resolution::Unknown | Resolution::Moved { .. } => ExpnReply::ListUnknown,
            Resolution::NotLocal { .. } | Resolution::Broken | Resolution::MailboxLimit => {
                ExpnReply::NotExpanded
            }
        }
    }

    /// The address that is asked about. A name without a domain is that of a local mailbox (RFC
    /// 5321 3.5.1), and `Postmaster` is whoever RCPT would take for it.
    fn path(&self, asked: Lookup) -> Result<ForwardPath, NoOne> {
        let name = match asked {
            Lookup::Mailbox(mailbox) => {
                let path = ForwardPath::Mailbox(mailbox);
                return Ok(self.directory.recognised(path, self.own_address));
            }
            Lookup::Name(name) if name.as_str().eq_ignore_ascii_case("postmaster") => {
                return Ok(ForwardPath::Postmaster);
            }
            Lookup::Name(name) => name,
        };
        let mut named = self.directory.named(&name, self.mailboxes);
        match (named.pop(), named.is_empty()) {
            (None, _) => Err(NoOne::Unknown),
            (Some(mailbox), true) => Ok(ForwardPath::Mailbox(mailbox)),
            (Some(mailbox), false) => {
                named.push(mailbox);
                Err(NoOne::Ambiguous(named))
            }
        }
    }
}

/// A new address as 251 and 551 show it: in brackets; none where it needs UTF-8 and the client can't take
/// it (RFC 6531 3.7.4.1).
pub(crate) fn shown(new_address: Option<Mailbox>, smtputf8: bool) -> Option<Text> {
    let text = Text::with_utf8(&format!("<{}>", new_address?));
    (smtputf8 || !text.needs_utf8()).then_some(text)
}

/// Each address in brackets on a line; none if that needs UTF-8 and the client can't take it (RFC 6531 3.7.4.2).
fn lines(addresses: &[Mailbox], smtputf8: bool) -> Option<Lines> {
    let mut texts = addresses
        .iter()
        .map(|address| Text::with_utf8(&format!("<{address}>")));
    let first = texts.next()?;
    let lines = Lines::new(first, texts);
    (smtputf8 || lines.iter().all(|line| !line.needs_utf8())).then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroad_directory::Routes;
    use postroad_directory::{LocalDomain, Quotas};
    use postroad_wire::address::{Domain, Limits, LocalPart};

    fn directory() -> Directory {
        let local = |text| LocalPart::parse(text, &Limits::LEAST).expect("a local-part");
        let mailbox = |text| Mailbox::parse(text, &Limits::LEAST).expect("a mailbox");
        let domain = LocalDomain {
            name: Domain::parse("example.test", &Limits::LEAST).expect("a domain"),
            mailboxes: vec![local("ada"), local("jörg")],
            aliases: vec![(
                local("info"),
                vec![mailbox("ada@example.test"), mailbox("jörg@example.test")],
            )],
            create_mailboxes: false,
            recipient_delimiter: None,
            moved: Vec::new(),
            quotas: Quotas::default(),
        };
        Directory::new(vec![domain], None, Routes::default()).0
    }

    fn asked(text: &str) -> Lookup {
        Lookup::Mailbox(Mailbox::parse(text, &Limits::LEAST).expect("a mailbox"))
    }

    #[test]
    fn vrfy_tells_who_is_there() {
        let names = Names {
            directory: &directory(),
            mailboxes: &Mailboxes::new(10, []),
            own_address: IpAddr::from([192, 0, 2, 1]),
        };
        let vrfy = |text, smtputf8| names.vrfy(asked(text), smtputf8);
        assert!(matches!(
            vrfy("ada@example.test", false),
            VrfyReply::Verified(_)
        ));
        assert_eq!(vrfy("bob@example.test", false), VrfyReply::MailboxUnknown);
        assert_eq!(vrfy("ada@elsewhere.test", false), VrfyReply::NotVerified);
        assert!(matches!(
            vrfy("ada@[192.0.2.1]", false),
            VrfyReply::Verified(_)
        ));
        assert_eq!(vrfy("ada@[192.0.2.2]", false), VrfyReply::NotVerified);
        assert_eq!(vrfy("jörg@example.test", false), VrfyReply::NotVerifiedUtf8);
        assert!(matches!(
            vrfy("jörg@example.test", true),
            VrfyReply::Verified(_)
        ));
    }

    #[test]
    fn expn_tells_who_is_behind_an_alias_and_of_nobody_else() {
        let names = Names {
            directory: &directory(),
            mailboxes: &Mailboxes::new(10, []),
            own_address: IpAddr::from([192, 0, 2, 1]),
        };
        let expn = |text, smtputf8| names.expn(asked(text), smtputf8);
        let ExpnReply::Expanded(lines) = expn("info@example.test", true) else {
            panic!("not expanded");
        };
        let texts: Vec<_> = lines.iter().map(Text::as_str).collect();
        assert_eq!(texts, ["<ada@example.test>", "<jörg@example.test>"]);
        assert_eq!(expn("info@example.test", false), ExpnReply::NotExpandedUtf8);
        assert_eq!(expn("ada@example.test", true), ExpnReply::ListUnknown);
    }
}
