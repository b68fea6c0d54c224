//! One attempt: as many transactions as it takes, over kept connections and new ones.

use postroad_host::clock::Clock;
use postroad_queue::RecipientIx;
use postroad_queue::scheduler::Feedback;
use postroad_store::QueueStore;
use postroad_wire::peer::{Peer, Protocol};

use super::connection::Connection;
use super::open::NoConnection;
use super::transaction::{self, Done, Errand, Named, Verdicts};
use super::{Peers, open, words};
use crate::content::Content;
use crate::parcel::{Carried, Parcel, Verdict};

pub(super) async fn carry<C: Clock + Clone, S: QueueStore>(
    peers: &Peers<C>,
    peer: &Peer,
    parcel: &Parcel<'_, S>,
) -> Carried {
    let (mut carried, mut left, content) = match begin(parcel).await {
        Ok(begun) => begun,
        Err(carried) => return carried,
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

/// An attempt over one connection that was handed in, and is ready.
pub(crate) async fn over<C: Clock, S: QueueStore>(
    connection: &mut Connection,
    parcel: &Parcel<'_, S>,
    clock: &C,
) -> Carried {
    let (mut carried, mut left, content) = match begin(parcel).await {
        Ok(begun) => begun,
        Err(carried) => return carried,
    };
    let errand = Errand {
        parcel,
        content: &content,
        protocol: Protocol::Smtp,
    };
    while !left.is_empty() {
        if let Err(closed) = connection.until_ready(clock).await {
            let verdict = Verdict::Deferred(words::ending(&connection.peer, &closed));
            let verdicts = left.drain(..).map(|ix| (ix, verdict.clone())).collect();
            carried.take(verdicts, Feedback::Neutral);
            break;
        }
        let done = transaction::send(connection, &errand, errand.named(&left), clock).await;
        carried.take(done.verdicts, Feedback::Neutral);
        left = done.again;
    }
    carried
}

/// Whom a parcel is for, and what is sent; where that can't be had, what becomes of it.
async fn begin<S: QueueStore>(
    parcel: &Parcel<'_, S>,
) -> Result<(Carried, Vec<RecipientIx>, Content), Carried> {
    let mut carried = Carried::nothing();
    let mut left = Vec::new();
    for ix in &parcel.recipients {
        match parcel.recipient(*ix) {
            Some(_) => left.push(*ix),
            None => carried.push_ours(*ix, "the envelope has no such recipient"),
        }
    }
    match Content::of(parcel, parcel.envelope.trace.clone()).await {
        Ok(content) => Ok((carried, left, content)),
        Err(why) => {
            for ix in left {
                carried.push_ours(ix, &why);
            }
            Err(carried)
        }
    }
}

impl<S> Errand<'_, '_, S> {
    fn named(&self, left: &[RecipientIx]) -> Named<'_> {
        left.iter()
            .filter_map(|ix| Some((*ix, self.parcel.recipient(*ix)?)))
            .collect()
    }
}

/// One transaction. Over a kept connection that turns out closed before it answered anything, it is begun anew over
/// a new one, once.
async fn round<C: Clock + Clone, S: QueueStore>(
    peers: &Peers<C>,
    peer: &Peer,
    errand: &Errand<'_, '_, S>,
    left: &[RecipientIx],
) -> Result<Done, NoConnection> {
    if let Some(mut kept) = peers.kept.take(peer).await {
        let done = transaction::send(&mut kept, errand, errand.named(left), &peers.clock).await;
        if !done.unheard {
            peers.kept.put(peer, kept);
            return Ok(done);
        }
    }
    let mut new = open::open(peer, &peers.settings, &peers.clock).await?;
    let done = transaction::send(&mut new, errand, errand.named(left), &peers.clock).await;
    peers.kept.put(peer, new);
    Ok(done)
}

impl Carried {
    /// Adds what a round came to. Once something worked, it did.
    fn take(&mut self, verdicts: Verdicts, feedback: Feedback) {
        self.recipients.extend(verdicts);
        if self.feedback != Feedback::Worked {
            self.feedback = feedback;
        }
    }
}
