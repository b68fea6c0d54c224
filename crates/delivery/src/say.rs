//! Tells the store what a message has come to, until it has taken it.

use std::time::Duration;

use postroad_host::clock::Clock;
use postroad_host::disk::Disk;
use postroad_host::tasks;
use postroad_queue::{Outcome, RecipientIx};
use postroad_store::{Lease, QueueStore, Trouble};

use crate::active::Saying;
use crate::deliverer::{Deliverer, trouble_with};
use crate::next_hop::NextHops;
use crate::notice::About;

/// How long to wait before what the store could not take is said again, at first and at most.
const SAY_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How long to wait before a message is given back whose notice the store could not take.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// What the store said to what was said to it.
pub(crate) enum Said {
    /// It is recorded.
    Taken {
        /// Still ours.
        lease: Lease,
        /// What a notice was made of, if one was to be.
        told: Option<About>,
        /// The message is gone, whatever of it is still here: nothing is owed any more, because an
        /// operator deleted it maybe.
        gone: bool,
    },
    /// It is recorded, and the lease has ended.
    Last,
    /// The lease is another's, or the message is gone; this is not recorded.
    NotOurs(Vec<(RecipientIx, Outcome)>),
}

/// Tells the store, until it has taken it: what was delivered must not be delivered again. It is given up
/// only where the message isn't ours any more.
pub(crate) async fn say<S, D, H, C>(deliverer: &Deliverer<S, D, H, C>, saying: Saying) -> Said
where
    S: QueueStore,
    D: Disk,
    H: NextHops,
    C: Clock + Clone,
{
    let Saying {
        mut lease,
        mut outcomes,
        told,
        last,
    } = saying;
    let mut pause = SAY_AGAIN.0;
    let mut gone = false;
    while !outcomes.is_empty() || told.is_some() {
        let trouble = match deliverer.settle(&lease, &outcomes, told.as_ref()).await {
            Ok(settled) => {
                gone = settled.finished;
                break;
            }
            Err(trouble) => trouble,
        };
        // Once, not each time, however long it lasts.
        if pause == SAY_AGAIN.0 {
            trouble_with(Some(lease.id), &trouble);
        }
        match trouble {
            Trouble::LeaseLost | Trouble::Unknown(_) | Trouble::Damaged(_) => {
                return Said::NotOurs(outcomes);
            }
            Trouble::Full | Trouble::Failed(_) | Trouble::ReadOnly => {}
        }
        // A full store has no room for a notice, but for outcomes, which give it room.
        if told.is_some() && !outcomes.is_empty() {
            match deliverer.settle(&lease, &outcomes, None).await {
                Ok(_) => outcomes.clear(),
                Err(Trouble::LeaseLost) => return Said::NotOurs(outcomes),
                Err(_) => {}
            }
        }
        // Nobody else is to have it meanwhile. If it can't be renewed, the settle will tell.
        let until = deliverer.clock.unix() + deliverer.patience.load().lease;
        let _ = deliverer.store.renew(&mut lease, until).await;
        if outcomes.is_empty() && last {
            // The notice stays owed, and the message due for it. It doesn't stay here, where it
            // would take the room of one that can be delivered.
            tasks::sleep(TELL_AGAIN).await;
            break;
        }
        tasks::sleep(pause).await;
        pause = (pause * 2).min(SAY_AGAIN.1);
    }
    if last {
        deliverer.hand_back(lease).await;
        return Said::Last;
    }
    Said::Taken { lease, told, gone }
}
