//! How much of the set one site and one sender may have.

use super::limits::Limits;

/// Messages and their recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Load {
    pub(super) messages: usize,
    pub(super) recipients: usize,
}

/// A part of what a scheduler may hold, from none to [`Share::ALL`]: of messages or of recipients,
/// whichever is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share(u64);

impl Share {
    const ALL: u64 = 1 << 32;

    /// What those who have this, and all together, would have more after a claim that brings them a
    /// tenth of what may be here.
    const CLAIMED: Share = Share(3 * Share::ALL / 10);

    pub(super) fn of(load: Load, limits: &Limits) -> Share {
        let part = |n: usize, most: usize| {
            let whole = (n as u64).saturating_mul(Share::ALL);
            whole.div_ceil(most.max(1) as u64)
        };
        Share(
            part(load.messages, limits.most_messages)
                .max(part(load.recipients, limits.most_recipients)),
        )
    }

    /// Whether those who have this may have more, while `all` is taken by everybody.
    ///
    /// Nobody may have more than is free. So however many want all they can get, there is room
    /// for one who has nothing: of two, each gets a third (Choudhury and Hahne do so with the
    /// memory of a switch, "Dynamic queue length thresholds", 1998).
    pub(super) fn may_grow(self, all: Share) -> bool {
        self.0 < Share::ALL.saturating_sub(all.0)
    }

    /// Whether a claim that brings a site which has this a tenth of what may be here is sure to be
    /// taken, should it be all of one sender.
    pub(super) fn takes_a_claim(self, all: Share) -> bool {
        self.plus(self).plus(Share::CLAIMED).may_grow(all)
    }

    pub(super) fn plus(self, other: Share) -> Share {
        Share(self.0.saturating_add(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_wants_all_leaves_room_for_one_who_has_nothing() {
        let limits = Limits {
            most_messages: 90,
            most_recipients: 900,
            ..Limits::default()
        };
        let of = |messages, recipients| {
            Share::of(
                Load {
                    messages,
                    recipients,
                },
                &limits,
            )
        };
        let (mut one, mut other) = (0, 0);
        while of(one, 0).may_grow(of(one + other, 0)) || of(other, 0).may_grow(of(one + other, 0)) {
            one += usize::from(of(one, 0).may_grow(of(one + other, 0)));
            other += usize::from(of(other, 0).may_grow(of(one + other, 0)));
        }
        assert_eq!((one, other), (30, 30));
        assert!(of(0, 0).may_grow(of(60, 600)));
        assert!(!of(1, 450).may_grow(of(1, 450)));
    }
}
