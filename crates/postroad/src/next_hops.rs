//! Where mail goes, as delivery asks at each attempt.

use std::sync::Arc;

use postroad_delivery::{NextHop, NextHops};
use postroad_directory::Directory;
use postroad_queue::RouteKey;
use postroad_wire::address::Mailbox;

/// Every local mailbox is a Maildir.
#[derive(Debug)]
pub(crate) struct LocalMaildirs {
    pub(crate) directory: Arc<Directory>,
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
}
