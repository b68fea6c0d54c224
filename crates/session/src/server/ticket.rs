//! The right, and the duty, to answer one question of one session.

use alloc::sync::Arc;
use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};

/// The right to answer one question, once, with a reply of row `R`.
///
/// It can't be copied. Dropped without an answer it is lost, and the session says the row's
/// 451 when it is next looked after, so that no client waits for ever.
#[must_use = "a ticket dropped unanswered makes its client hear 451"]
pub struct Ticket<R> {
    place: u8,
    /// Where to leave word of a loss: of the one question this ticket is of. `None` once the
    /// ticket is redeemed.
    lost: Option<Arc<AtomicU64>>,
    row: PhantomData<fn() -> R>,
}

impl<R> Drop for Ticket<R> {
    fn drop(&mut self) {
        if let Some(lost) = &self.lost {
            lost.fetch_or(1 << self.place, Ordering::Release);
        }
    }
}

impl<R> fmt::Debug for Ticket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({})", self.place)
    }
}

/// Issues the tickets of the question that is open, and takes them back.
///
/// A batch asks several things at once, each in its place.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    /// One bit for each place whose ticket was dropped. Each question has its own, so that
    /// tickets of another question or session can neither answer it nor lose it.
    lost: Arc<AtomicU64>,
}

impl Tickets {
    /// How many places a question has.
    pub(super) const PLACES: usize = 64;

    /// Opens the next question. Tickets of earlier ones are worthless from now on.
    pub(super) fn open_question(&mut self) {
        self.lost = Arc::default();
    }

    /// The ticket for one place, below [`Tickets::PLACES`], of the open question.
    pub(super) fn issue<R>(&self, place: usize) -> Ticket<R> {
        Ticket {
            place: place as u8,
            lost: Some(self.lost.clone()),
            row: PhantomData,
        }
    }

    /// The place a ticket of the open question stands for; `None` if it is of another session
    /// or question, where it then is lost.
    pub(super) fn redeem<R>(&self, mut ticket: Ticket<R>) -> Option<usize> {
        let lost = ticket.lost.take()?;
        if Arc::ptr_eq(&lost, &self.lost) {
            return Some(usize::from(ticket.place));
        }
        ticket.lost = Some(lost);
        None
    }

    /// Which places' tickets were dropped since the last look, a bit for each.
    pub(super) fn lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Acquire)
    }
}
