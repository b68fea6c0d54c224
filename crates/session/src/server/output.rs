//! Replies on their way to the client.

use alloc::string::ToString;

use bytes::BytesMut;
use postroad_reply::Reply;
use postroad_wire::address::Domain;

/// From how many octets on no further command is answered before some have been sent.
const FULL: usize = 16 * 1024;

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
        out.extend_from_slice(&self.waiting);
        // An idle session holds no buffer.
        self.waiting = BytesMut::new();
    }

    /// Writes a reply (RFC 5321 4.2).
    pub(super) fn write(&mut self, reply: &Reply, host_name: &Domain) {
        let enhanced = reply.enhanced_on_wire().filter(|_| self.extended);
        let mut lines = reply.lines().peekable();
        let mut is_first = true;
        while let Some(line) = lines.next() {
            let put = &mut self.waiting;
            put.extend_from_slice(reply.code().to_string().as_bytes());
            put.extend_from_slice(if lines.peek().is_some() { b"-" } else { b" " });
            if let Some(enhanced) = enhanced {
                // On every line of a reply (RFC 2034 4).
                put.extend_from_slice(enhanced.to_string().as_bytes());
                put.extend_from_slice(b" ");
            }
            if is_first && reply.domain_first() {
                put.extend_from_slice(host_name.as_str().as_bytes());
                put.extend_from_slice(b" ");
            }
            put.extend_from_slice(line.as_bytes());
            put.extend_from_slice(b"\r\n");
            is_first = false;
        }
    }
}
