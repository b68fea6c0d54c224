//! A peer's replies: whatever the pieces a stream comes in, the same replies, safe to show.

use bytes::Bytes;
use postroad_wire::extension::Extensions;
use postroad_wire::reply::{PeerReply, ReplyReader, UnreadableReply};

/// The first octet says how long the pieces are, the others are the stream.
///
/// # Panics
/// If what is promised isn't kept.
pub(crate) fn run(input: &[u8]) {
    let Some((piece, stream)) = input.split_first() else {
        return;
    };
    let replies = read([stream]);
    let in_pieces = read(stream.chunks(usize::from(*piece).max(1)));
    assert_eq!(replies, in_pieces, "pieces of {piece} octets");
    for reply in replies.iter().flatten() {
        assert!((1..=ReplyReader::LINES).contains(&reply.lines.len()));
        assert!((200..600).contains(&reply.code.number()));
        assert!(
            reply
                .enhanced
                .is_none_or(|enhanced| enhanced.fits(reply.code))
        );
        for line in &reply.lines {
            assert!(!line.contains(char::is_control), "{line:?}");
            // A character not UTF-8 takes three octets where it took one.
            assert!(line.len() <= 3 * ReplyReader::LINE);
        }
        let offered = Extensions::read(reply.lines.iter().map(String::as_str));
        let again = offered.keywords();
        assert_eq!(
            Extensions::read(again.iter().map(String::as_str)).size,
            offered.size
        );
    }
}

/// Up to the first that can't be read: there is no going on after it.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Result<PeerReply, UnreadableReply>> {
    let mut reader = ReplyReader::new();
    let mut replies = Vec::new();
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(reply) = reader.read(&mut input) {
            let failed = reply.is_err();
            replies.push(reply);
            if failed {
                return replies;
            }
        }
        assert!(input.is_empty());
    }
    replies
}
