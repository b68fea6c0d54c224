//! What mailboxes hold, as far as it has to be known.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use postroad_clock::Mono;
use postroad_directory::{Mailboxes, Quota, Usage};
use postroad_host::clock::Clock;
use postroad_host::tasks;
use postroad_telemetry::Event;
use postroad_wire::address::Mailbox;
use tokio::sync::Semaphore;

/// For how long a count holds, with what came since: readers delete without a word.
const HOLDS: Duration = Duration::from_secs(300);
/// For how long it holds where the mailbox is full: who has made room wants mail.
const HOLDS_FULL: Duration = Duration::from_secs(5);
/// How long a client waits for a count. After it its mail is taken, and the count goes on.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many mailboxes are counted at once.
const AT_ONCE: usize = 2;

/// Counts what a mailbox holds. It may block.
pub trait Counts: fmt::Debug + Send + Sync {
    /// What a mailbox holds; nothing where it isn't there.
    ///
    /// # Errors
    /// What the disk said.
    fn held(&self, mailbox: &Mailbox) -> io::Result<Usage>;
}

/// Finds out what mailboxes hold, when that is asked and no oftener than it has to.
#[derive(Debug, Clone)]
pub struct Counter {
    counts: Arc<dyn Counts>,
    turns: Arc<Semaphore>,
}

impl Counter {
    /// One that counts so.
    pub fn new(counts: impl Counts + 'static) -> Counter {
        Counter {
            counts: Arc::new(counts),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// What a mailbox holds, by a count that is recent enough to say whether a message of this size has
    /// room; none where it can't be counted in time.
    pub(crate) async fn usage(
        &self,
        mailboxes: &Mailboxes,
        mailbox: &Mailbox,
        (quota, size): (Quota, u64),
        clock: &Arc<dyn Clock>,
    ) -> Option<Usage> {
        let known = || {
            let (usage, at) = mailboxes.usage(mailbox)?;
            still_holds(quota.is_passed(usage, size), at, clock.mono()).then_some(usage)
        };
        let counted_now = || mailboxes.usage(mailbox).map(|(usage, _)| usage);
        if let Some(usage) = known() {
            return Some(usage);
        }
        let counted = tasks::timeout(PATIENCE, async {
            let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
            // Another may have counted it in the meantime.
            if let Some(usage) = known() {
                return Some(usage);
            }
            let (counts, clock) = (Arc::clone(&self.counts), Arc::clone(clock));
            let (to_note, mailbox) = (mailboxes.clone(), mailbox.clone());
            tasks::blocking(move || {
                let _turn = turn;
                match counts.held(&mailbox) {
                    Ok(usage) => to_note.counted(&mailbox, usage, clock.mono()),
                    Err(error) => Event::MailboxUncounted {
                        mailbox: &mailbox,
                        cause: &error,
                    }
                    .emit(),
                }
            })
            .await;
            counted_now()
        });
        counted.await.ok().flatten()
    }
}

fn still_holds(is_full: bool, counted: Mono, now: Mono) -> bool {
    let for_how_long = if is_full { HOLDS_FULL } else { HOLDS };
    now.since(counted) < for_how_long
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_mailbox_is_soon_looked_at_again() {
        let at = |seconds| Mono::ZERO + Duration::from_secs(seconds);
        assert!(still_holds(false, at(0), at(299)) && !still_holds(false, at(0), at(300)));
        assert!(still_holds(true, at(0), at(4)) && !still_holds(true, at(0), at(5)));
    }
}
