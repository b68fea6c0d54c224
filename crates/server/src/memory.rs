//! What an envelope takes of the memory for envelopes, from MAIL until its message is in the queue.

use ipnet::IpNet;
use postroad_policy::{Verdict, rule};
use postroad_queue::{Envelope, Recipient};
use postroad_wire::address::{Host, Mailbox, ReversePath};
use postroad_wire::parameter::{MailParameters, RcptParameters};

use crate::Budget;
use crate::budget::Share;

/// What an envelope counts as beside its recipients and its texts, in octets.
const ENVELOPE: usize = 512;
/// What a recipient counts as beside its texts. A list that grows has room for up to twice what is
/// in it, the target is in a set too, and the allocator adds something to each text.
const RECIPIENT: usize = 512;
/// What a place kept for a mailbox counts as beside the mailbox's name, which is there twice.
const PLACE: usize = 256;

const _: () = assert!(
    size_of::<Envelope>() <= ENVELOPE
        && 2 * (size_of::<Recipient>() + size_of::<Mailbox>()) <= RECIPIENT
        && 4 * size_of::<Mailbox>() <= PLACE,
    "they count as no less than they are"
);

/// What a command would add to an envelope, in octets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Without its parameters.
    plain: usize,
    /// What its parameters add.
    parameters: usize,
}

impl Cost {
    /// What MAIL adds.
    pub(crate) fn of_sender(reverse_path: &ReversePath, parameters: &MailParameters) -> Cost {
        Cost {
            plain: ENVELOPE + reverse_path.mailbox().map_or(0, text),
            parameters: parameters.envid.as_ref().map_or(0, |envid| envid.0.len()),
        }
    }

    /// What a RCPT adds: `targets` that the envelope doesn't have yet, and `places` for those that
    /// have to be made. What it was written with is kept for each target.
    pub(crate) fn of_recipient(
        origin: &Mailbox,
        targets: &[Mailbox],
        places: &[Mailbox],
        parameters: &RcptParameters,
    ) -> Cost {
        let each_target = |target| RECIPIENT + 2 * text(target) + text(origin);
        let each_place = |place| PLACE + 2 * text(place);
        let original = parameters.original.as_ref();
        let original = original.map_or(0, |original| original.kind.len() + original.address.len());
        Cost {
            plain: targets.iter().map(each_target).sum::<usize>()
                + places.iter().map(each_place).sum::<usize>(),
            parameters: targets.len() * original,
        }
    }

    /// Takes so much of the budget for a client of this network, or says why not. It never waits:
    /// other commands of the client may be what frees memory.
    pub(crate) fn take(self, budget: &Budget, network: IpNet) -> Result<Share, Verdict> {
        let share = budget.try_take(network, self.plain + self.parameters);
        share.ok_or_else(|| rule::no_memory(budget.free_for(network), self.plain, self.parameters))
    }
}

/// The octets of an address that lie outside its own size.
fn text(mailbox: &Mailbox) -> usize {
    let domain = match &mailbox.host {
        Host::Domain(domain) => domain.as_str().len(),
        Host::Literal(_) => 0,
    };
    mailbox.local.as_str().len() + domain
}
