//! The proof that a message is on disk, without which no final 250 can be said.

use core::fmt;
use core::str::FromStr;

/// One mail transaction of one session, from the accepted MAIL to its end.
///
/// Unique within the process. A [`Receipt`] names the transaction it was minted for, so that
/// the receipt of one message can't acknowledge another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub u64);

/// The name of a stored message: 64 bits, ordered by time of staging, unique among the nodes
/// that share a queue.
///
/// From the top: 42 bits of milliseconds since 1970 (enough until the year 2109), 10 bits of
/// node, 12 bits of sequence. People see 13 characters of Crockford's base 32, which sort as
/// the number does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u64);

/// Crockford's base 32: no I, L, O, U, so that an id read aloud or retyped stays itself.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many base-32 digits hold 64 bits.
const DIGITS: usize = 13;

impl QueueId {
    /// The largest node number that fits.
    pub const MAX_NODE: u16 = (1 << 10) - 1;
    /// The largest sequence number that fits within one millisecond.
    pub const MAX_SEQUENCE: u16 = (1 << 12) - 1;

    /// Puts an id together. Bits of `node` and `sequence` that don't fit are dropped.
    pub const fn from_parts(unix_ms: u64, node: u16, sequence: u16) -> QueueId {
        QueueId(
            (unix_ms << 22)
                | (((node & Self::MAX_NODE) as u64) << 12)
                | (sequence & Self::MAX_SEQUENCE) as u64,
        )
    }

    /// When the message was staged, in milliseconds since 1970.
    pub const fn unix_ms(self) -> u64 {
        self.0 >> 22
    }

    /// Which node staged it.
    pub const fn node(self) -> u16 {
        ((self.0 >> 12) as u16) & Self::MAX_NODE
    }

    /// Which one it was within its millisecond.
    pub const fn sequence(self) -> u16 {
        (self.0 as u16) & Self::MAX_SEQUENCE
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0u8; DIGITS];
        for (place, digit) in digits.iter_mut().rev().enumerate() {
            *digit = ALPHABET[((self.0 >> (5 * place)) & 31) as usize];
        }
        // The alphabet is ASCII, so this can't fail.
        f.pad(core::str::from_utf8(&digits).unwrap_or_default())
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueueId({self})")
    }
}

/// A text that is not a queue id: not 13 digits of Crockford's base 32, or over 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAQueueId;

impl fmt::Display for NotAQueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a queue id is 13 characters of 0-9 and A-Z without I, L, O, U")
    }
}

impl core::error::Error for NotAQueueId {}

impl FromStr for QueueId {
    type Err = NotAQueueId;

    /// Reads what [`Display`](fmt::Display) wrote, in either case.
    fn from_str(text: &str) -> Result<QueueId, NotAQueueId> {
        if text.len() != DIGITS {
            return Err(NotAQueueId);
        }
        text.bytes()
            .try_fold(0u64, |sum, byte| {
                let digit = ALPHABET
                    .iter()
                    .position(|d| *d == byte.to_ascii_uppercase())?;
                sum.checked_mul(32)?.checked_add(digit as u64)
            })
            .map(QueueId)
            .ok_or(NotAQueueId)
    }
}

/// The proof that one transaction's message is durable, bytes and directory entries.
///
/// It can't be copied, and only [`Receipt::mint`] makes one, which lints ban everywhere but in
/// the one function of the `store` crate that has just seen the commit succeed.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a receipt not handed to the session leaves its client without a 250"]
pub struct Receipt {
    transaction: TransactionId,
    queue_id: QueueId,
}

impl Receipt {
    /// Makes a receipt: say this only when the message of `transaction` is on disk.
    pub const fn mint(transaction: TransactionId, queue_id: QueueId) -> Receipt {
        Receipt {
            transaction,
            queue_id,
        }
    }

    /// The transaction whose message this is.
    pub const fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// The name under which it is stored; the 250 tells it to the client.
    pub const fn queue_id(&self) -> QueueId {
        self.queue_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_queue_id_reads_back_and_sorts_as_its_text() {
        let older = QueueId::from_parts(1_790_000_000_000, 7, 4095);
        let newer = QueueId::from_parts(1_790_000_000_001, 3, 0);
        assert_eq!(
            (older.unix_ms(), older.node(), older.sequence()),
            (1_790_000_000_000, 7, 4095)
        );
        assert_eq!(older.to_string().parse(), Ok(older));
        assert_eq!(older.to_string().to_lowercase().parse(), Ok(older));
        assert!(older < newer && older.to_string() < newer.to_string());
        assert_eq!(QueueId(u64::MAX).to_string().parse(), Ok(QueueId(u64::MAX)));
    }

    #[test]
    fn what_is_not_a_queue_id_is_refused() {
        for text in ["", "0", "ZZZZZZZZZZZZZ", "00000000000IL", "00000000000000"] {
            assert_eq!(text.parse::<QueueId>(), Err(NotAQueueId), "{text}");
        }
    }
}
