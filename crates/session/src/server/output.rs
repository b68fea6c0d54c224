//! Replies on their way to the client.

use bytes::BytesMut;
use postroad_reply::Reply;
use postroad_wire::address::Domain;
use postroad_wire::reply::ReplyWriter;

/// From how many octets on no further command is answered before some have been sent.
const FULL: usize = 16 * 1024;

/// Octets of a usual reply.
const REPLY: usize = 128;

/// Replies on their way to the client.
#[derive(Debug, Default)]
pub(super) struct Output {
    waiting: BytesMut,
    /// The session was opened with EHLO, so that replies carry enhanced codes (RFC 2034 3).
    pub(super) extended: bool,
}

impl Output {
    /// Whether enough waits to be sent.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= FULL
    }

    /// Whether nothing waits to be sent.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Moves all that waits to `out`.
    pub(super) fn take(&mut self, out: &mut BytesMut) {
        // An idle session holds no buffer.
        let waiting = core::mem::take(&mut self.waiting);
        if out.is_empty() {
            *out = waiting;
        } else {
            out.extend_from_slice(&waiting);
        }
    }

    /// Writes a reply.
    pub(super) fn write(&mut self, reply: &Reply, host_name: &Domain) {
        let writer = ReplyWriter {
            domain: host_name.as_str(),
            enhanced: self.extended,
        };
        // Most replies are shorter.
        self.waiting.reserve(REPLY);
        writer.write(reply, &mut self.waiting);
    }
}
