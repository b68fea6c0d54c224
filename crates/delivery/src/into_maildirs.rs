//! The transport into this server's own Maildirs.

use std::fmt;
use std::io;

use bytes::BytesMut;
use postroad_host::clock::Clock;
use postroad_host::disk::Disk;
use postroad_host::tasks;
use postroad_message::trace;
use postroad_queue::scheduler::Feedback;
use postroad_queue::{Handover, RecipientIx, Report};
use postroad_reply::Enhanced;
use postroad_store::QueueStore;
use postroad_telemetry::Event;
use postroad_wire::address::Mailbox;

use crate::content::Content;
use crate::maildir::{Attempt, Begun, Delivery, DeliveryName, Maildirs};
use crate::next_hop::{NextHops, NoMailbox};
use crate::parcel::{Carried, OURS, Parcel, Verdict};

/// Puts a message into the Maildir of each recipient, one after the other.
pub async fn carry<S: QueueStore, D: Disk>(
    maildirs: &Maildirs<D>,
    mailboxes: &impl NextHops,
    clock: &impl Clock,
    parcel: &Parcel<'_, S>,
) -> Carried {
    let mut carried = Carried::nothing();
    // RFC 5321 4.4: the server that makes the final delivery puts the reverse-path on top.
    let mut head = BytesMut::from(&*trace::return_path(&parcel.envelope.reverse_path));
    head.extend_from_slice(&parcel.envelope.trace);
    let content = Content::of(parcel, head.freeze()).await;
    for ix in &parcel.recipients {
        let (content, recipient) = match (&content, parcel.recipient(*ix)) {
            (Ok(content), Some(recipient)) => (content, recipient),
            (Err(why), _) => {
                carried.push_ours(*ix, why);
                continue;
            }
            (_, None) => {
                carried.push_ours(*ix, "the envelope has no such recipient");
                continue;
            }
        };
        let to = &recipient.target;
        let put = match missing(maildirs, to, mailboxes).await {
            None => put(maildirs, to, *ix, parcel, content).await,
            Some(missing) => Err(Failure::Missing(missing)),
        };
        match &put {
            Ok(put) => mailboxes.delivered(to, put.octets),
            Err(Failure::Mailbox(_)) => mailboxes.failed(to, clock.mono()),
            Err(Failure::Content(_) | Failure::Missing(_)) => {}
        }
        let verdict = match put {
            Ok(Put { words, .. }) => {
                carried.feedback = Feedback::Worked;
                Verdict::Delivered {
                    how: Handover::Delivered,
                    report: Report::plain(&words).with_status(DELIVERED),
                }
            }
            Err(failure) => {
                let report = Report::plain(&failure.to_string()).with_status(failure.status());
                match failure {
                    Failure::Missing(NoMailbox::Unknown) => Verdict::Failed(report),
                    _ => Verdict::Deferred(report),
                }
            }
        };
        carried.recipients.push((*ix, verdict));
    }
    carried
}

/// The destination address is valid (RFC 3463 3.2).
const DELIVERED: Enhanced = Enhanced::literal("2.1.5");

/// Why a mailbox is neither there nor may be made, if that is so.
async fn missing<D: Disk>(
    maildirs: &Maildirs<D>,
    to: &Mailbox,
    mailboxes: &impl NextHops,
) -> Option<NoMailbox> {
    let missing = mailboxes.may_be_made(to).err()?;
    let (maildirs, to) = (maildirs.clone(), to.clone());
    let is_there = tasks::blocking(move || maildirs.has(&to)).await;
    (!is_there).then_some(missing)
}

/// Why a recipient doesn't have the message.
enum Failure {
    /// The mailbox can't be written.
    Mailbox(io::Error),
    /// The message can't be read.
    Content(String),
    /// There is no mailbox.
    Missing(NoMailbox),
}

impl Failure {
    fn status(&self) -> Enhanced {
        match self {
            // "Other or undefined mailbox status" (RFC 3463 3.3).
            Failure::Mailbox(_) => const { Enhanced::literal("4.2.0") },
            Failure::Content(_) => OURS,
            // "Bad destination mailbox address" (RFC 3463 3.2).
            Failure::Missing(NoMailbox::Unknown) => const { Enhanced::literal("5.1.1") },
            Failure::Missing(NoMailbox::NotNow) => const { Enhanced::literal("4.2.0") },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Mailbox(error) => write!(f, "the mailbox can't be written: {error}"),
            Failure::Content(why) => f.write_str(why),
            Failure::Missing(NoMailbox::Unknown) => f.write_str("nobody has this mailbox"),
            Failure::Missing(NoMailbox::NotNow) => f.write_str("the mailbox can't be made now"),
        }
    }
}

/// A message that is in a mailbox.
struct Put {
    /// How it came there.
    words: String,
    /// How many octets it has; none if it was there.
    octets: Option<u64>,
}

/// Puts a message into a mailbox, unless it is there.
async fn put<S: QueueStore, D: Disk>(
    maildirs: &Maildirs<D>,
    to: &Mailbox,
    recipient: RecipientIx,
    parcel: &Parcel<'_, S>,
    content: &Content,
) -> Result<Put, Failure> {
    let name = DeliveryName {
        id: parcel.id,
        recipient,
    };
    let attempt = match parcel.fresh {
        Some(_) => Attempt::First,
        None => Attempt::Again(parcel.token),
    };
    let begun = {
        let (maildirs, to) = (maildirs.clone(), to.clone());
        tasks::blocking(move || maildirs.begin(&to, name, attempt)).await
    };
    let delivery = match begun.map_err(Failure::Mailbox)? {
        Begun::New(delivery) => delivery,
        Begun::AlreadyThere => {
            return Ok(Put {
                words: format!("the Maildir of {to}, by an earlier attempt"),
                octets: None,
            });
        }
    };
    if let Some(folder) = delivery.made_mailbox() {
        Event::MailboxCreated {
            queue_id: name.id,
            mailbox: to,
            folder: &folder.display(),
        }
        .emit();
    }
    write(delivery, parcel, content).await?;
    Ok(Put {
        words: format!("the Maildir of {to}"),
        octets: Some(content.size()),
    })
}

async fn write<S: QueueStore, D: Disk>(
    mut delivery: Delivery<D>,
    parcel: &Parcel<'_, S>,
    content: &Content,
) -> Result<(), Failure> {
    let mut written = 0;
    loop {
        let piece = content.piece(parcel, written).await;
        let piece = piece.map_err(Failure::Content)?;
        written += piece.octets.len() as u64;
        // A short message is written and finished in one visit to the threads that may wait.
        let wrote = tasks::blocking(move || {
            delivery.write(&piece.octets)?;
            match piece.last {
                true => delivery.finish().map(|()| None),
                false => Ok(Some(delivery)),
            }
        });
        match wrote.await.map_err(Failure::Mailbox)? {
            Some(next) => delivery = next,
            None => return Ok(()),
        }
    }
}
