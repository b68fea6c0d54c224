//! What errors of the disk mean for those who asked.

use std::io;

use postroad_store::Trouble;

/// Whether the disk has no room, or the owner of the spool no more of it.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::WriteZero
    )
}

/// What to answer for a failed call.
pub(crate) fn of(error: &io::Error) -> Trouble {
    if is_full(error) {
        Trouble::Full
    } else {
        Trouble::Failed(error.to_string())
    }
}
