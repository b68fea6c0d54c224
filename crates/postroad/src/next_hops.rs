//! Where mail goes, as delivery asks at each attempt.

use std::sync::Arc;

use postroad_clock::Mono;
use postroad_delivery::{NextHop, NextHops};
use postroad_directory::{Directory, Mailboxes};
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
        if self.directory.is_local(&target.host) {
            NextHop::Maildir(target.clone())
        } else {
            NextHop::Nowhere {
                why: format!("{} is not a local domain any more", target.host),
            }
        }
    }

    fn delivered(&self, mailbox: &Mailbox) {
        self.mailboxes.delivered(mailbox);
    }

    fn failed(&self, mailbox: &Mailbox, now: Mono) {
        self.mailboxes.failed(mailbox, now);
    }
}
