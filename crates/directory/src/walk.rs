//! Follows aliases to their mailboxes, with an end to the work whatever the tables say.

use std::collections::BTreeSet;

use postroad_wire::address::Mailbox;

use crate::directory::{Directory, Meaning};
use crate::problem::Fault;

/// How many mailboxes one address may stand for.
pub const MAX_TARGETS: usize = 100;

/// How many aliases may follow one another.
const MAX_DEPTH: usize = 50;
/// How many addresses are looked at for one.
const MAX_STEPS: usize = 1000;

/// What one address leads to.
#[derive(Default)]
pub(crate) struct Walk {
    /// The mailboxes, and addresses elsewhere, in the order they were found.
    pub(crate) mailboxes: Vec<Mailbox>,
    /// Those of them that are made for their first message.
    pub(crate) made: Vec<Mailbox>,
    /// What went wrong on the way, each with the name of the alias it comes back to or breaks.
    pub(crate) faults: Vec<(Option<Mailbox>, Fault)>,
    /// The aliases we are in, outermost first.
    path: Vec<Mailbox>,
    /// The mailboxes that were found.
    seen: BTreeSet<Mailbox>,
    /// The aliases that were followed.
    done: BTreeSet<Mailbox>,
    steps: usize,
    root: Option<Mailbox>,
}

impl Walk {
    pub(crate) fn from(directory: &Directory, address: &Mailbox) -> Walk {
        let mut walk = Walk::default();
        walk.visit(directory, address);
        walk
    }

    /// The faults that are the first alias's own, and not those of one it leads to.
    pub(crate) fn own_faults(self) -> impl Iterator<Item = Fault> {
        let root = self.root;
        self.faults
            .into_iter()
            .filter(move |(of, _)| of.is_some() && *of == root)
            .map(|(_, fault)| fault)
    }

    /// Goes no deeper than [`MAX_DEPTH`], and no further than [`MAX_STEPS`].
    fn visit(&mut self, directory: &Directory, address: &Mailbox) {
        self.steps += 1;
        if self.steps > MAX_STEPS || self.path.len() > MAX_DEPTH {
            return self.too_many();
        }
        match directory.meaning(address) {
            Meaning::Listed(mailbox) => self.found(mailbox),
            Meaning::Made(mailbox) => {
                if self.seen.contains(&mailbox) {
                    return;
                }
                self.made.push(mailbox.clone());
                self.found(mailbox);
            }
            Meaning::Alias {
                name,
                mailbox,
                targets,
                ..
            } => {
                self.alias(directory, name, mailbox, targets);
            }
            Meaning::NotLocal if directory.next_hop(&address.host).is_some() => {
                self.found(address.clone());
            }
            Meaning::NotLocal => self.broken(Fault::NotLocal(address.clone())),
            Meaning::Unknown | Meaning::Moved(_) => {
                self.broken(Fault::NoSuchMailbox(address.clone()))
            }
        }
    }

    fn alias(&mut self, directory: &Directory, name: Mailbox, mailbox: bool, targets: &[Mailbox]) {
        if let Some(at) = self.path.iter().position(|outer| *outer == name) {
            // An alias that is a mailbox too, and comes back to itself, keeps a copy.
            return match mailbox {
                true => self.found(name),
                false => {
                    let through = self.path[at + 1..].to_vec();
                    self.faults.push((Some(name), Fault::Loop(through)));
                }
            };
        }
        if self.root.is_none() {
            self.root = Some(name.clone());
        }
        // Followed once, it has nothing more to give.
        if !self.done.insert(name.clone()) {
            return;
        }
        // Mail for it would be accepted and reach nobody.
        if targets.is_empty() {
            self.faults.push((Some(name), Fault::NoTargets));
            return;
        }
        self.path.push(name);
        for target in targets {
            self.visit(directory, target);
        }
        self.path.pop();
    }

    fn found(&mut self, mailbox: Mailbox) {
        if self.mailboxes.len() >= MAX_TARGETS && !self.seen.contains(&mailbox) {
            return self.too_many();
        }
        if self.seen.insert(mailbox.clone()) {
            self.mailboxes.push(mailbox);
        }
    }

    fn too_many(&mut self) {
        let fault = (self.root.clone(), Fault::TooMany);
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// A dead end; it is told of where it is named, so it is nobody's here.
    fn broken(&mut self, fault: Fault) {
        self.faults.push((None, fault));
    }
}
