//! The octets of a message as a peer gets them.

use bytes::{Bytes, BytesMut};
use postroad_message::{Facts, Scanner, edit};
use postroad_store::QueueStore;

use crate::parcel::Parcel;

/// How much is handed to a session at once: a chunk, where the peer takes chunks.
const PIECE: usize = 64 * 1024;

/// Trace fields, and the received octets with the edits made.
#[derive(Debug)]
pub(crate) struct Content {
    head: Bytes,
    body: Body,
    /// What the octets after the trace fields are like.
    pub(crate) facts: Facts,
}

#[derive(Debug)]
enum Body {
    Memory(Bytes),
    /// In the store.
    Stored,
}

/// The next octets of a message.
pub(crate) struct Piece {
    pub(crate) octets: Bytes,
    /// Nothing follows.
    pub(crate) last: bool,
}

impl Content {
    /// What is to be sent of a parcel, after `head`, which is its trace fields and what the
    /// transport puts before them.
    ///
    /// # Errors
    /// Why it can't be read, in words.
    pub(crate) async fn of<S: QueueStore>(
        parcel: &Parcel<'_, S>,
        head: Bytes,
    ) -> Result<Content, String> {
        let envelope = parcel.envelope;
        let facts = envelope.facts;
        let received = match &parcel.fresh {
            Some(fresh) => fresh.clone(),
            None if envelope.edits.is_empty() => {
                let body = Body::Stored;
                return Ok(Content { head, body, facts });
            }
            // Edits are rare, and a message they apply to is bounded by what was accepted.
            None => whole(parcel).await?,
        };
        length(received.len() as u64, facts.size)?;
        let edited = edit::apply(&envelope.edits, received);
        let facts = match envelope.edits.is_empty() {
            true => facts,
            false => scanned(&edited),
        };
        let body = Body::Memory(edited);
        Ok(Content { head, body, facts })
    }

    /// How many octets there are in all.
    pub(crate) fn size(&self) -> u64 {
        self.facts.size.saturating_add(self.head.len() as u64)
    }

    /// The header section has octets above 127, the trace fields included.
    pub(crate) fn eight_bit_header(&self) -> bool {
        self.facts.eight_bit_header || !self.head.is_ascii()
    }

    /// The octets that follow the first `from`, of which some have been sent.
    ///
    /// # Errors
    /// Why they can't be read, in words: then the message must not be ended.
    pub(crate) async fn piece<S: QueueStore>(
        &self,
        parcel: &Parcel<'_, S>,
        from: u64,
    ) -> Result<Piece, String> {
        let head = self.head.len() as u64;
        let Some(at) = from.checked_sub(head) else {
            // The beginning: trace fields are few, and go with the first of the body.
            let mut octets = BytesMut::from(&self.head[..]);
            let body = self.body(parcel, 0).await?;
            octets.extend_from_slice(&body);
            return self.ended(octets.freeze(), body.len() as u64);
        };
        let octets = self.body(parcel, at).await?;
        let end = at + octets.len() as u64;
        self.ended(octets, end)
    }

    async fn body<S: QueueStore>(&self, parcel: &Parcel<'_, S>, at: u64) -> Result<Bytes, String> {
        match &self.body {
            Body::Memory(octets) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX).min(octets.len());
                Ok(octets.slice(at..octets.len().min(at + PIECE)))
            }
            Body::Stored if at >= self.facts.size => Ok(Bytes::new()),
            Body::Stored => {
                let read = parcel.store.body(parcel.id, at, PIECE).await;
                read.map_err(|trouble| trouble.to_string())
            }
        }
    }

    /// A piece whose last octet is the body's `end`-th.
    fn ended(&self, octets: Bytes, end: u64) -> Result<Piece, String> {
        let size = self.facts.size;
        if end > size || (octets.is_empty() && end < size) {
            length(end, size)?;
        }
        let last = end == size;
        Ok(Piece { octets, last })
    }
}

async fn whole<S: QueueStore>(parcel: &Parcel<'_, S>) -> Result<Bytes, String> {
    let mut body = BytesMut::new();
    loop {
        let read = parcel.store.body(parcel.id, body.len() as u64, PIECE).await;
        let piece = read.map_err(|trouble| trouble.to_string())?;
        if piece.is_empty() {
            return Ok(body.freeze());
        }
        body.extend_from_slice(&piece);
    }
}

fn scanned(octets: &[u8]) -> Facts {
    let mut scanner = Scanner::new();
    scanner.push(octets);
    scanner.finish()
}

/// Better none than half a message.
fn length(stored: u64, received: u64) -> Result<(), String> {
    match stored == received {
        true => Ok(()),
        false => Err(format!(
            "the store has {stored} octets of a message of {received}"
        )),
    }
}
