//! What is wrong with the domains as they are listed.

use std::fmt;

use postroad_wire::address::Mailbox;

use crate::walk::MAX_TARGETS;

/// One thing that is wrong, and where: for people to mend before the server starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryProblem {
    /// Which entry it is.
    pub place: Place,
    /// What is wrong with it.
    pub fault: Fault,
}

/// An entry, by its places in the lists the directory was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The postmaster of all domains.
    Postmaster,
    /// A domain.
    Domain(usize),
    /// One of the mailboxes of a domain.
    Mailbox {
        /// Which domain.
        domain: usize,
        /// Which of its mailboxes.
        mailbox: usize,
    },
    /// One who has left a domain.
    Moved {
        /// Which domain.
        domain: usize,
        /// Which of those who left it.
        moved: usize,
    },
    /// One of the aliases of a domain.
    Alias {
        /// Which domain.
        domain: usize,
        /// Which of its aliases.
        alias: usize,
    },
    /// One of the targets of an alias.
    Target {
        /// Which domain.
        domain: usize,
        /// Which of its aliases.
        alias: usize,
        /// Which of its targets.
        target: usize,
    },
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is listed a second time.
    Duplicate,
    /// It comes back to itself, through these.
    Loop(Vec<Mailbox>),
    /// It names a mailbox that a local domain does not have.
    NoSuchMailbox(Mailbox),
    /// It names an address that is not local, where this server has no way to send mail.
    NotLocal(Mailbox),
    /// It stands for more than [`MAX_TARGETS`] mailboxes.
    TooMany,
    /// It stands for no address at all.
    NoTargets,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Duplicate => f.write_str("is listed twice"),
            Fault::Loop(through) => {
                f.write_str("leads back to itself")?;
                let mut word = ", through";
                for mailbox in through {
                    write!(f, "{word} {mailbox}")?;
                    word = ",";
                }
                Ok(())
            }
            Fault::NoSuchMailbox(mailbox) => write!(f, "leads to {mailbox}, which does not exist"),
            Fault::NotLocal(mailbox) => {
                write!(
                    f,
                    "leads to {mailbox}, which is not in a local domain, and no route leads there"
                )
            }
            Fault::TooMany => write!(f, "stands for more than {MAX_TARGETS} mailboxes"),
            Fault::NoTargets => f.write_str("leads to nobody"),
        }
    }
}

impl Fault {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Fault::Duplicate => "take one of them out",
            Fault::Loop(_) => {
                "take one of them out of another's targets; an alias that keeps a copy under its \
                 own name must be listed among the mailboxes too"
            }
            Fault::NoSuchMailbox(_) => {
                "list it among the mailboxes of its domain, or name another target"
            }
            Fault::NotLocal(_) => "name a mailbox of a local domain, or set a route for its domain",
            Fault::TooMany => "name fewer targets",
            Fault::NoTargets => "name a target, or take it out",
        }
    }
}

impl fmt::Display for DirectoryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Postmaster => f.write_str("the postmaster")?,
            Place::Domain(domain) => write!(f, "domain {domain}")?,
            Place::Mailbox { domain, mailbox } => write!(f, "domain {domain}, mailbox {mailbox}")?,
            Place::Moved { domain, moved } => write!(f, "domain {domain}, moved {moved}")?,
            Place::Alias { domain, alias } => write!(f, "domain {domain}, alias {alias}")?,
            Place::Target {
                domain,
                alias,
                target,
            } => {
                write!(f, "domain {domain}, alias {alias}, target {target}")?;
            }
        }
        write!(f, " {}", self.fault)
    }
}

impl std::error::Error for DirectoryProblem {}
