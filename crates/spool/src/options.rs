//! What a spool can be told.

use std::path::PathBuf;
use std::time::Duration;

/// How a spool is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// The spool's folder; made if it is missing.
    pub folder: PathBuf,
    /// This node's number, for the names of messages (at most 1023).
    pub node: u16,
    /// How long a segment is, in octets: from 32 KiB to 2 GiB.
    pub segment_octets: u64,
    /// A body longer than this is a file of its own, in octets; at most a quarter of a segment.
    pub body_file_threshold: usize,
    /// How many octets of bodies may be in memory, on their way in or fresh. Beyond it they go to
    /// files, and delivery reads them back.
    pub fresh_memory: usize,
    /// How many free segments are kept for settling and copying forward alone, at least 2.
    pub reserve_segments: usize,
    /// Nothing is accepted while the file system has fewer free octets.
    pub floor_octets: u64,
    /// Nothing is accepted while the file system has fewer free inodes.
    pub floor_inodes: u64,
    /// A checkpoint is written each time the log has grown by so many octets, or by four times
    /// the last checkpoint if that is more.
    pub checkpoint_octets: u64,
    /// How many messages are written into a checkpoint at a time: meanwhile nobody else gets at the
    /// index.
    pub checkpoint_piece: usize,
    /// How long a settle without a notice waits for others to share its flush with.
    pub settle_delay: Duration,
    /// How long until the disk is tried again after trouble, and its room is looked at while nothing
    /// comes.
    pub probe_interval: Duration,
    /// How many requests may wait for the committer.
    pub waiting_requests: usize,
    /// A fault put in on purpose, for the tests that must find it.
    #[cfg(feature = "planted")]
    pub planted: Option<Planted>,
}

impl Options {
    /// The defaults, for a spool in `folder`.
    pub fn new(folder: PathBuf) -> Options {
        Options {
            folder,
            node: 0,
            segment_octets: 64 * 1024 * 1024,
            body_file_threshold: 256 * 1024,
            fresh_memory: 64 * 1024 * 1024,
            reserve_segments: 2,
            floor_octets: 64 * 1024 * 1024,
            floor_inodes: 1000,
            checkpoint_octets: 256 * 1024 * 1024,
            checkpoint_piece: 512,
            settle_delay: Duration::from_millis(10),
            probe_interval: Duration::from_secs(1),
            waiting_requests: 1024,
            #[cfg(feature = "planted")]
            planted: None,
        }
    }

    /// Brings each value within its bounds.
    pub(crate) fn bounded(mut self) -> Options {
        self.segment_octets = self.segment_octets.clamp(32 * 1024, 2 << 30) & !4095;
        // A segment is at most 2 GiB, so a quarter of it fits.
        let quarter = (self.segment_octets / 4) as usize;
        self.body_file_threshold = self.body_file_threshold.min(quarter);
        self.reserve_segments = self.reserve_segments.max(2);
        self.checkpoint_piece = self.checkpoint_piece.max(1);
        self
    }
}

/// Faults that the tests must find. Each is one small place in the code.
#[cfg(feature = "planted")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// Answers a batch before its sync.
    AnswerBeforeSync,
    /// Cuts a damaged middle, and all that follows it, as if the end were torn.
    CutDamageAsTorn,
    /// Doesn't sync the folder of body files.
    SkipDirectorySync,
    /// Uses a segment again with the epoch it had.
    ReuseWithoutNewEpoch,
    /// Writes a notice, but not that it is owed no more.
    NoticeWithoutMarks,
    /// Writes that a notice is owed no more, but not the notice.
    MarksWithoutNotice,
}

#[cfg(feature = "planted")]
impl Options {
    /// Whether this fault is put in.
    pub(crate) fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }
}
