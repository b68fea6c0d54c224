//! One attempt: as many transactions as it takes, over kept connections and new ones.

use postroad_host::clock::Clock;
use postroad_queue::scheduler::Feedback;
use postroad_queue::{Recipient, RecipientIx, Report};
use postroad_store::QueueStore;
use postroad_wire::peer::Peer;

use super::content::Content;
use super::open::NoConnection;
use super::transaction::{self, Done, Errand, Named, Verdicts};
use super::{Carried, Parcel, Peers, Verdict, open, words};

pub(super) async fn carry<C: Clock + Clone, S: QueueStore>(
    peers: &Peers<C>,
    peer: &Peer,
    parcel: &Parcel<'_, S>,
) -> Carried {
    let mut carried = Carried {
        recipients: Vec::new(),
        feedback: Feedback::Neutral,
    };
    let mut left = Vec::new();
    for ix in &parcel.recipients {
        match recipient(parcel, *ix) {
            Some(_) => left.push(*ix),
            None => carried.push_ours(*ix, "the envelope has no such recipient"),
        }
    }
    let content = match Content::of(parcel).await {
        Ok(content) => content,
        Err(why) => {
            for ix in left {
                carried.push_ours(ix, &why);
            }
            return carried;
        }
    };
    let errand = Errand {
        parcel,
        content: &content,
        protocol: peer.protocol,
    };
    // Each round settles somebody, or is the last over a kept connection.
    while !left.is_empty() {
        match round(peers, peer, &errand, &left).await {
            Ok(done) => {
                carried.take(done.verdicts, done.feedback);
                left = done.again;
            }
            Err(NoConnection { verdict, feedback }) => {
                let verdicts = left.drain(..).map(|ix| (ix, verdict.clone())).collect();
                carried.take(verdicts, feedback);
            }
        }
    }
    carried
}

/// One transaction. Over a kept connection that turns out closed before it answered anything, it is begun anew over
/// a new one, once.
async fn round<C: Clock + Clone, S: QueueStore>(
    peers: &Peers<C>,
    peer: &Peer,
    errand: &Errand<'_, '_, S>,
    left: &[RecipientIx],
) -> Result<Done, NoConnection> {
    let named = || -> Named<'_> {
        left.iter()
            .filter_map(|ix| Some((*ix, recipient(errand.parcel, *ix)?)))
            .collect()
    };
    if let Some(mut kept) = peers.kept.take(peer).await {
        let done = transaction::send(&mut kept, errand, named(), &peers.clock).await;
        if !done.unheard {
            peers.kept.put(peer, kept);
            return Ok(done);
        }
    }
    let mut new = open::open(peer, &peers.settings, &peers.clock).await?;
    let done = transaction::send(&mut new, errand, named(), &peers.clock).await;
    peers.kept.put(peer, new);
    Ok(done)
}

fn recipient<'a, S>(parcel: &'a Parcel<'_, S>, ix: RecipientIx) -> Option<&'a Recipient> {
    parcel.envelope.recipients.get(usize::try_from(ix.0).ok()?)
}

impl Carried {
    /// Something of ours is wrong, which says nothing of the peer.
    fn push_ours(&mut self, ix: RecipientIx, why: &str) {
        let report = Report::plain(why).with_status(words::OURS);
        self.recipients.push((ix, Verdict::Deferred(report)));
    }

    /// Adds what a round came to. Once something worked, it did.
    fn take(&mut self, verdicts: Verdicts, feedback: Feedback) {
        self.recipients.extend(verdicts);
        if self.feedback != Feedback::Worked {
            self.feedback = feedback;
        }
    }
}
