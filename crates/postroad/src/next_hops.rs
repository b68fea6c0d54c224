//! Where mail goes, as delivery asks at each attempt.

use std::sync::Arc;

use arc_swap::ArcSwap;
use postroad_clock::Mono;
use postroad_delivery::{NextHop, NextHops};
use postroad_directory::{Mailboxes, NextHop as Hop};
use postroad_queue::RouteKey;
use postroad_server::Settings;
use postroad_wire::address::Mailbox;

/// Every local mailbox is a Maildir. Which of them fails is noted where RCPT asks for it.
#[derive(Debug)]
pub(crate) struct LocalMaildirs {
    pub(crate) settings: Arc<ArcSwap<Settings>>,
    pub(crate) mailboxes: Mailboxes,
}

impl NextHops for LocalMaildirs {
    fn next_hop(&self, target: &Mailbox, redirect: Option<&RouteKey>) -> NextHop {
        if let Some(RouteKey(route)) = redirect {
            return NextHop::Nowhere {
                why: format!("there is no way to {route}: relaying is not there yet"),
            };
        }
        match self.settings.load().directory.next_hop(&target.host) {
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
