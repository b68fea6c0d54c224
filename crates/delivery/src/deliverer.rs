//! What an attempt needs, and its parts: carry, judge, settle.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_host::chance::Chance;
use postroad_host::clock::Clock;
use postroad_host::disk::Disk;
use postroad_queue::scheduler::Feedback;
use postroad_queue::{Envelope, Life, Outcome, RecipientIx, RouteKey};
use postroad_reply::QueueId;
use postroad_store::{Lease, QueueStore, Settled, Trouble};
use postroad_telemetry::Event;
use postroad_wire::address::ReversePath;
use postroad_wire::command::DeliveryKind;

use crate::into_maildirs;
use crate::into_terminals;
use crate::maildir::Maildirs;
use crate::next_hop::{NextHop, NextHops};
use crate::notice::{About, Notices};
use crate::on_demand::OnDemand;
use crate::outcome::{Again, Attempted, Patience};
use crate::parcel::{Carried, Parcel, Verdict};
use crate::peer::Peers;

/// All that a delivery needs.
#[derive(Debug)]
pub struct Deliverer<S, D: Disk, H, C> {
    /// Where the messages are.
    pub store: Arc<S>,
    /// The mailboxes here.
    pub maildirs: Maildirs<D>,
    /// The other servers.
    pub peers: Peers<C>,
    /// Those that come for their mail.
    pub on_demand: OnDemand<C>,
    /// Which of these mail goes to.
    pub next_hops: H,
    /// What time it is.
    pub clock: C,
    /// Spreads what was deferred together.
    pub chance: Chance,
    /// How long to wait for what. Who stores another here changes it from then on.
    pub patience: Arc<ArcSwap<Patience>>,
    /// How notices are made.
    pub notices: Notices,
}

impl<S, D, H, C> Deliverer<S, D, H, C>
where
    S: QueueStore,
    D: Disk,
    H: NextHops,
    C: Clock + Clone,
{
    /// Takes a message to a next hop for some of its recipients. Nothing is lost if this future is
    /// dropped; what was delivered is then delivered again, as far as a mailbox doesn't know it.
    pub async fn carry(&self, to: &NextHop, parcel: &Parcel<'_, S>) -> Carried {
        match to {
            NextHop::Terminals { domain } => self.to_terminals(domain, parcel).await,
            to => self.carry_further(to, parcel).await,
        }
    }

    /// To terminals, to mailboxes behind them, or to both, by the command that the message came by (RFC
    /// 821 3.4).
    async fn to_terminals(&self, domain: &Arc<str>, parcel: &Parcel<'_, S>) -> Carried {
        let behind = || self.next_hops.next_hop(&RouteKey(Arc::clone(domain)));
        let mut carried = match parcel.envelope.delivery {
            DeliveryKind::Terminal => {
                into_terminals::carry(&self.next_hops, &self.clock, parcel).await
            }
            DeliveryKind::TerminalElseMailbox => {
                let mut carried = into_terminals::carry(&self.next_hops, &self.clock, parcel).await;
                let left = into_terminals::unshown(&mut carried);
                if !left.is_empty() {
                    let others = parcel.for_some(left);
                    let more = self.carry_further(&behind(), &others).await;
                    carried.recipients.extend(more.recipients);
                }
                carried
            }
            DeliveryKind::TerminalAndMailbox => {
                let mut carried = self.carry_further(&behind(), parcel).await;
                into_terminals::show_as_well(&self.next_hops, &self.clock, parcel, &mut carried)
                    .await;
                carried
            }
            DeliveryKind::Mailbox => self.carry_further(&behind(), parcel).await,
        };
        // What is to be thought of where the mailboxes are says nothing of terminals.
        let worked = |(_, verdict): &(_, Verdict)| matches!(verdict, Verdict::Delivered { .. });
        carried.feedback = match carried.recipients.iter().any(worked) {
            true => Feedback::Worked,
            false => Feedback::Neutral,
        };
        carried
    }

    async fn carry_further(&self, to: &NextHop, parcel: &Parcel<'_, S>) -> Carried {
        match to {
            NextHop::Terminals { domain } => {
                let mut carried = Carried::nothing();
                for ix in &parcel.recipients {
                    carried.push_ours(*ix, &format!("{domain} is no domain"));
                }
                carried
            }
            NextHop::Maildirs => {
                into_maildirs::carry(&self.maildirs, &self.next_hops, &self.clock, parcel).await
            }
            NextHop::Peer(peer) => self.peers.carry(peer, parcel).await,
            NextHop::OnDemand { domain } => self.on_demand.carry(domain, parcel).await,
            NextHop::Nowhere { why } => {
                let mut carried = Carried::nothing();
                for ix in &parcel.recipients {
                    carried.push_ours(*ix, why);
                }
                carried
            }
        }
    }

    /// What is recorded of a recipient's verdict, and of when to try again.
    pub fn outcome(
        &self,
        id: QueueId,
        envelope: &Envelope,
        (ix, life): (RecipientIx, &Life),
        verdict: Verdict,
        again: Again,
    ) -> Outcome {
        let now = self.clock.unix();
        let attempted = Attempted {
            id,
            envelope,
            ix,
            life,
            now,
        };
        attempted.outcome(verdict, &self.patience.load(), again)
    }

    /// Records outcomes, and with them the notice about all that the message owes one for, where
    /// `told` says so. `about` is where it stands after the outcomes.
    pub async fn settle(
        &self,
        lease: &Lease,
        outcomes: &[(RecipientIx, Outcome)],
        told: Option<&About>,
    ) -> Result<Settled, Trouble> {
        let now = self.clock.unix();
        let notice = match told {
            Some(about) => self.notice(about, now).await,
            None => None,
        };
        let settled = self.store.settle(lease, outcomes, notice, now).await?;
        if let Some(notice) = settled.notice {
            Event::NoticeQueued {
                queue_id: notice,
                about: lease.id,
            }
            .emit();
        }
        Ok(settled)
    }

    async fn notice(&self, about: &About, now: UnixMs) -> Option<postroad_store::Notice> {
        let ReversePath::Mailbox(sender) = &about.envelope.reverse_path else {
            return None;
        };
        let to = self.next_hops.notice_to(sender);
        let plan = self.patience.load().retry;
        self.notices.make(about, to, &plan, &*self.store, now).await
    }

    /// Ends a lease, so that the message is anybody's when it is due.
    pub async fn hand_back(&self, lease: Lease) {
        let id = lease.id;
        if let Err(trouble) = self.store.release(lease).await {
            trouble_with(Some(id), &trouble);
        }
    }

    /// What a dispatch is made of.
    pub(crate) fn parcel<'a>(
        &'a self,
        id: QueueId,
        token: u64,
        envelope: &'a Arc<Envelope>,
        fresh: Option<Bytes>,
        recipients: Vec<RecipientIx>,
    ) -> Parcel<'a, S> {
        Parcel {
            id,
            token,
            envelope,
            fresh,
            store: &self.store,
            recipients,
        }
    }
}

pub(crate) fn trouble_with(queue_id: Option<QueueId>, trouble: &Trouble) {
    Event::DeliveryTrouble {
        queue_id,
        cause: trouble,
    }
    .emit();
}
