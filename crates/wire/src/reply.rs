//! Replies on the wire: written as a server, read as a client (RFC 5321 4.2, RFC 2034).

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{PeerReply, ReplyReader, UnreadableReply};
pub use write::ReplyWriter;
