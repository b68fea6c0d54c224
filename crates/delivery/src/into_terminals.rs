//! The transport to the terminals of users (RFC 821 3.4), and to their mailboxes behind them.
//!
//! * SEND is delivered when a terminal has shown all of it;
//! * SOML too, or else by the mailbox;
//! * SAML goes to the mailbox, and once it is there it is shown as well, where a terminal takes it. So a
//!   retry shows nothing twice.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use postroad_host::clock::Clock;
use postroad_host::tasks;
use postroad_host::terminal::{Terminals, UserName};
use postroad_message::trace;
use postroad_queue::{Handover, RecipientIx, Report};
use postroad_reply::Enhanced;
use postroad_store::QueueStore;
use postroad_wire::address::Mailbox;

use crate::content::Content;
use crate::next_hop::NextHops;
use crate::parcel::{Carried, Parcel, Verdict};
use crate::terminal_text::{self, MOST_OCTETS};

/// How long one terminal may take to take a message (somebody may have pressed ^S).
const PATIENCE: Duration = Duration::from_secs(3);
/// How many terminals of a user are waited for so.
const MOST_STUCK: usize = 3;

/// A message, as far as a terminal shows it.
struct Message {
    heading: Heading,
    octets: Bytes,
}

/// Who writes, and when.
struct Heading {
    from: String,
    at: String,
}

/// Why no terminal has shown a message.
enum Unshown {
    /// The user isn't logged in, takes no messages, or no terminal took it.
    NotNow(String),
    /// It is more than a terminal shows.
    TooLong,
    /// The message, or who is logged in, can't be read.
    Ours(String),
}

/// Shows a message to its recipients on their terminals, and on nothing else.
pub(crate) async fn carry<S: QueueStore>(
    next_hops: &impl NextHops,
    clock: &impl Clock,
    parcel: &Parcel<'_, S>,
) -> Carried {
    let mut carried = Carried::nothing();
    let message = Message::of(parcel, clock).await;
    for ix in &parcel.recipients {
        let shown = match (&message, parcel.recipient(*ix)) {
            (Ok(message), Some(to)) => message.show(next_hops, &to.target, true).await,
            (Err(why), _) => Err(Unshown::Ours(why.clone())),
            (_, None) => Err(Unshown::Ours("the envelope has no such recipient".into())),
        };
        carried.recipients.push((*ix, verdict(shown)));
    }
    carried
}

/// Shows a message that is in its recipient's mailbox, if a terminal takes it: what is recorded of it then.
pub(crate) async fn show_as_well<S: QueueStore>(
    next_hops: &impl NextHops,
    clock: &impl Clock,
    parcel: &Parcel<'_, S>,
    carried: &mut Carried,
) {
    let Ok(message) = Message::of(parcel, clock).await else {
        return; // It is in the mailbox, which is enough.
    };
    for (ix, verdict) in &mut carried.recipients {
        let (Verdict::Delivered { report, .. }, Some(to)) = (verdict, parcel.recipient(*ix)) else {
            continue;
        };
        if let Ok(where_to) = message.show(next_hops, &to.target, false).await {
            let words = format!("{}; shown on {where_to}", report.words());
            let mut with = Report::plain(&words);
            if let Some(status) = report.status() {
                with = with.with_status(status);
            }
            if let Some(peer) = report.peer() {
                with = with.with_peer(peer.clone());
            }
            if let Some(reply) = report.reply() {
                with = with.with_reply(reply);
            }
            *report = with;
        }
    }
}

/// The recipients to whom nothing was shown, taken out: they are to have it in their mailboxes.
pub(crate) fn unshown(carried: &mut Carried) -> Vec<RecipientIx> {
    let is_shown = |verdict: &Verdict| matches!(verdict, Verdict::Delivered { .. });
    let left: BTreeSet<RecipientIx> = carried
        .recipients
        .iter()
        .filter_map(|(ix, verdict)| (!is_shown(verdict)).then_some(*ix))
        .collect();
    carried.recipients.retain(|(ix, _)| !left.contains(ix));
    left.into_iter().collect()
}

fn verdict(shown: Result<String, Unshown>) -> Verdict {
    // "Destination address valid", "mailbox disabled, not accepting messages", "message length exceeds
    // administrative limit", "other or undefined mail system status" (RFC 3463 3.2 to 3.4).
    match shown {
        Ok(where_to) => Verdict::Delivered {
            how: Handover::Delivered,
            report: Report::plain(&format!("shown on {where_to}"))
                .with_status(const { Enhanced::literal("2.1.5") }),
        },
        Err(Unshown::NotNow(why)) => {
            Verdict::Deferred(Report::plain(&why).with_status(const { Enhanced::literal("4.2.1") }))
        }
        Err(Unshown::TooLong) => Verdict::Failed(
            Report::plain("the message is more than a terminal shows")
                .with_status(const { Enhanced::literal("5.2.3") }),
        ),
        Err(Unshown::Ours(why)) => {
            Verdict::Deferred(Report::plain(&why).with_status(const { Enhanced::literal("4.3.0") }))
        }
    }
}

impl Message {
    async fn of<S: QueueStore>(
        parcel: &Parcel<'_, S>,
        clock: &impl Clock,
    ) -> Result<Message, String> {
        let content = Content::of(parcel, Bytes::new()).await?;
        let mut octets = BytesMut::new();
        loop {
            let piece = content.piece(parcel, octets.len() as u64).await?;
            octets.extend_from_slice(&piece.octets);
            // One more than is shown tells that there is more.
            if piece.last || octets.len() > MOST_OCTETS {
                break;
            }
        }
        let heading = Heading {
            from: parcel.envelope.reverse_path.to_string(),
            at: trace::date(clock.unix()),
        };
        Ok(Message {
            heading,
            octets: octets.freeze(),
        })
    }

    /// Shows it on the terminals of one recipient, whole or, if need be, cut: where it was shown.
    async fn show(
        &self,
        next_hops: &impl NextHops,
        to: &Mailbox,
        whole: bool,
    ) -> Result<String, Unshown> {
        let Some((terminals, user)) = next_hops.terminals_of(to) else {
            return Err(Unshown::NotNow(format!("{to} has no terminals here")));
        };
        let Heading { from, at } = &self.heading;
        let heading = format!("Message from {from} to {to}, {at}:");
        // Its length doesn't depend on the terminal.
        if whole && !terminal_text::text(&heading, &self.octets, true).is_whole {
            return Err(Unshown::TooLong);
        }
        let octets = self.octets.clone();
        tasks::blocking(move || write(&terminals, &user, &heading, &octets)).await
    }
}

/// Writes to all terminals of a user that take messages; where it was shown. It may block.
fn write(
    terminals: &Arc<Terminals>,
    user: &UserName,
    heading: &str,
    message: &[u8],
) -> Result<String, Unshown> {
    let found = terminals
        .of(user)
        .map_err(|error| Unshown::Ours(format!("who is logged in can't be read: {error}")))?;
    let (mut shown, mut trouble, mut stuck) = (Vec::new(), None, 0);
    for line in &found.taking {
        if stuck >= MOST_STUCK {
            break;
        }
        let written = line.open().and_then(|terminal| {
            let text = terminal_text::text(heading, message, terminal.takes_utf8());
            terminal.write_all(&text.octets, PATIENCE)
        });
        match written {
            Ok(()) => shown.push(line.to_string()),
            Err(error) => {
                stuck += usize::from(error.kind() == io::ErrorKind::TimedOut);
                trouble = Some(format!("{line}: {error}"));
            }
        }
    }
    if !shown.is_empty() {
        return Ok(shown.join(" and "));
    }
    let why = match (trouble, found.unusable.first()) {
        (Some(trouble), _) => trouble,
        (None, _) if found.refusing > 0 => format!("{user} takes no messages (mesg n)"),
        (None, Some((line, why))) => format!("{line}: {why}"),
        (None, None) => format!("{user} is not logged in"),
    };
    Err(Unshown::NotNow(why))
}
