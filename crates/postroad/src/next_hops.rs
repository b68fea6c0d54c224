//! Where mail goes, as delivery asks at each attempt.

use std::sync::Arc;

use postroad_clock::Mono;
use postroad_delivery::{NextHop, NextHops};
use postroad_directory::{Directory, Mailboxes, NextHop as Hop};
use postroad_queue::RouteKey;
use postroad_wire::address::Mailbox;

/// Every local mailbox is a Maildir. Which of them fails is noted where RCPT asks for it.
#[derive(Debug)]
pub(crate) struct LocalMaildirs {
    pub(crate) directory: Arc<Directory>,
    pub(crate) mailboxes: Mailboxes,
}

impl NextHops for LocalMaildirs {
    fn next_hop(&self, target: &Mailbox, redirect: Option<&RouteKey>) -> NextHop {
        if let Some(RouteKey(route)) = redirect {
            return NextHop::Nowhere {
                why: format!("there is no way to {route}: relaying is not there yet"),
            };
        }
        match self.directory.next_hop(&target.host) {
            Some(Hop::Mailbox) => NextHop::Maildir(target.clone()),
            Some(Hop::Peer(peer)) => NextHop::Nowhere {
                why: format!("there is no way to {peer}: relaying is not there yet"),
            },
            None => NextHop::Nowhere {
                why: format!("{} is not a local domain, and has no route", target.host),
            },
        }
    }

    fn delivered(&self, mailbox: &Mailbox) {
        self.mailboxes.delivered(mailbox);
    }

    fn failed(&self, mailbox: &Mailbox, now: Mono) {
        self.mailboxes.failed(mailbox, now);
    }
}
