//! One message over one connection, and what became of each recipient.

use bytes::Bytes;
use postroad_host::clock::Clock;
use postroad_queue::scheduler::Feedback;
use postroad_queue::{Recipient, RecipientIx, Report};
use postroad_session::client::{Outgoing, Unsupported};
use postroad_store::QueueStore;
use postroad_wire::address::ForwardPath;
use postroad_wire::parameter::{BodyType, MailParameters, RcptParameters};
use postroad_wire::peer::Protocol;

use super::connection::Connection;
use super::told::Told;
use super::words;
use crate::content::{Content, Piece};
use crate::parcel::{Parcel, Verdict};

/// The longest line that every server takes, without its CRLF (RFC 5321 4.5.3.1.6).
const LONGEST_LINE: u64 = 998;

/// What is carried where.
pub(super) struct Errand<'a, 'b, S> {
    pub(super) parcel: &'a Parcel<'b, S>,
    pub(super) content: &'a Content,
    pub(super) protocol: Protocol,
}

/// What became of whom.
pub(super) type Verdicts = Vec<(RecipientIx, Verdict)>;

/// Whom a transaction is for.
pub(super) type Named<'r> = Vec<(RecipientIx, &'r Recipient)>;

/// What one transaction came to.
pub(super) struct Done {
    pub(super) verdicts: Verdicts,
    /// Who has to wait for another transaction, because the peer takes only so many in one; nobody if it took
    /// the message for nobody.
    pub(super) again: Vec<RecipientIx>,
    pub(super) feedback: Feedback,
    /// The connection was closed before the peer answered anything: it may have been before we
    /// spoke.
    pub(super) unheard: bool,
}

/// Sends the message to those of `recipients` that the peer can take.
pub(super) async fn send<C: Clock, S: QueueStore>(
    connection: &mut Connection,
    errand: &Errand<'_, '_, S>,
    recipients: Named<'_>,
    clock: &C,
) -> Done {
    let (mut verdicts, recipients) = without_unmailable(connection, recipients);
    let most = rcpt_max(connection).min(recipients.len());
    let (named, rest) = recipients.split_at(most);
    let mut again: Vec<_> = rest.iter().map(|(ix, _)| *ix).collect();
    let done = |verdicts, again| Done {
        verdicts,
        again,
        feedback: Feedback::Neutral,
        unheard: false,
    };
    if named.is_empty() {
        return done(verdicts, again);
    }
    let outgoing = outgoing(connection, errand, named);
    if let Err(unsupported) = connection.session.begin(outgoing, clock.mono()) {
        let verdict = Verdict::Failed(cannot_take(connection, errand, unsupported));
        verdicts.extend(recipients.iter().map(|(ix, _)| (*ix, verdict.clone())));
        return done(verdicts, Vec::new());
    }
    connection.is_taken();
    let told = converse(connection, errand, named.len(), clock).await;
    for (place, (ix, _)) in named.iter().enumerate() {
        verdicts.push((*ix, told.verdict(connection, errand.protocol, place)));
    }
    let delivered = |(_, verdict): &(_, _)| matches!(verdict, Verdict::Delivered { .. });
    if verdicts.iter().any(delivered) {
        // RFC 5321 4.5.3.1.10: those over the peer's limit go in a further transaction.
        for (place, (ix, _)) in named.iter().enumerate() {
            if told.is_one_too_many(place) {
                verdicts.retain(|(of, _)| of != ix);
                again.push(*ix);
            }
        }
        return Done {
            feedback: Feedback::Worked,
            ..done(verdicts, again)
        };
    }
    let why = words::of_peer(
        &connection.peer,
        words::TOO_MANY,
        "it takes no more recipients at once",
    );
    verdicts.extend(
        again
            .drain(..)
            .map(|ix| (ix, Verdict::Deferred(why.clone()))),
    );
    Done {
        feedback: told.feedback(connection),
        unheard: told.is_unheard(),
        ..done(verdicts, again)
    }
}

/// Those whose address needs SMTPUTF8 (RFC 6531 3.2) can't be named to a peer that doesn't offer it.
fn without_unmailable<'r>(connection: &Connection, recipients: Named<'r>) -> (Verdicts, Named<'r>) {
    let (fine, other): (Named<'_>, Named<'_>) = recipients
        .into_iter()
        .partition(|(_, recipient)| connection.offered.smtputf8 || recipient.target.is_ascii());
    let report = words::of_peer(
        &connection.peer,
        words::NEEDS_SMTPUTF8,
        "the address isn't ASCII, and the next hop doesn't offer SMTPUTF8",
    );
    let failed = other
        .into_iter()
        .map(|(ix, _)| (ix, Verdict::Failed(report.clone())))
        .collect();
    (failed, fine)
}

/// How many recipients the peer takes in a transaction, where it says so (RFC 9422).
fn rcpt_max(connection: &Connection) -> usize {
    let limits = connection.offered.limits.unwrap_or_default();
    limits.rcpt_max.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    })
}

fn outgoing<S>(
    connection: &Connection,
    errand: &Errand<'_, '_, S>,
    named: &[(RecipientIx, &Recipient)],
) -> Outgoing {
    let (envelope, content) = (errand.parcel.envelope, errand.content);
    let facts = &content.facts;
    let body = if why_binary(errand).is_some() {
        BodyType::BinaryMime
    } else if facts.eight_bit_body || content.eight_bit_header() {
        BodyType::EightBitMime
    } else {
        BodyType::SevenBit
    };
    let needs_smtputf8 = !envelope.reverse_path.is_ascii()
        || (envelope.smtputf8 && content.eight_bit_header())
        || named
            .iter()
            .any(|(_, recipient)| !recipient.target.is_ascii());
    // The fields of a part of the body may be in UTF-8, too (RFC 6532 3): where there is anything not ASCII it is said
    // to a peer that knows it, and where there is nothing, to none.
    let may_need_it = envelope.smtputf8 && facts.eight_bit_body && connection.offered.smtputf8;
    let rcpt = |recipient: &Recipient| {
        let parameters = RcptParameters {
            notify: recipient.notify,
            original: recipient.original.clone(),
        };
        (ForwardPath::Mailbox(recipient.target.clone()), parameters)
    };
    Outgoing {
        reverse_path: envelope.reverse_path.clone(),
        parameters: MailParameters {
            size: Some(content.size()),
            body,
            smtputf8: needs_smtputf8 || may_need_it,
            ret: envelope.ret,
            envid: envelope.envid.clone(),
            // We say who we are to no peer, so none has to be told who submitted it (RFC 4954 5).
            auth: None,
        },
        recipients: named.iter().map(|(_, recipient)| rcpt(recipient)).collect(),
    }
}

/// Why only BINARYMIME may carry a message (RFC 3030 3): it has no lines, or not such as every server takes; or
/// its client said that it is binary, for then what it is made of may say so, too. None where that isn't so.
fn why_binary<S>(errand: &Errand<'_, '_, S>) -> Option<String> {
    let facts = &errand.content.facts;
    if facts.binary {
        Some("has octets that are no text lines".into())
    } else if facts.longest_line > LONGEST_LINE {
        Some(format!("has a line over {LONGEST_LINE} octets"))
    } else if errand.parcel.envelope.body_type == BodyType::BinaryMime {
        Some("came as BODY=BINARYMIME".into())
    } else {
        None
    }
}

/// Why a message can't go by this peer at all.
fn cannot_take<S>(
    connection: &Connection,
    errand: &Errand<'_, '_, S>,
    unsupported: Unsupported,
) -> Report {
    let size = errand.content.size();
    let (status, why) = match unsupported {
        Unsupported::SmtpUtf8 => (
            words::NEEDS_SMTPUTF8,
            "an address or header field isn't ASCII, and the next hop doesn't offer SMTPUTF8"
                .to_owned(),
        ),
        Unsupported::EightBitMime => (
            words::NEEDS_CONVERSION,
            "the message isn't ASCII, and the next hop doesn't offer 8BITMIME".to_owned(),
        ),
        Unsupported::BinaryMime => (
            words::NEEDS_CONVERSION,
            format!(
                "the message {}, and the next hop doesn't offer BINARYMIME",
                why_binary(errand).unwrap_or_default()
            ),
        ),
        Unsupported::Size { maximum } => (
            words::TOO_BIG,
            format!("the message has {size} octets, and the next hop takes {maximum}"),
        ),
    };
    words::of_peer(&connection.peer, status, &why)
}

/// Lets the session go on until the message is over.
async fn converse<C: Clock, S: QueueStore>(
    connection: &mut Connection,
    errand: &Errand<'_, '_, S>,
    recipients: usize,
    clock: &C,
) -> Told {
    let mut told = Told::nothing(recipients);
    let mut sent = 0;
    loop {
        if told.take_events(connection) {
            // RSET, if there is one, goes out now; its reply can wait for the next message.
            connection.look(clock);
            told.take_events(connection);
            return told;
        }
        if !connection.session.wants_body() {
            connection.step(clock).await;
            continue;
        }
        match errand.content.piece(errand.parcel, sent).await {
            Ok(Piece { octets, last }) => supply(connection, &octets, last, &mut sent, clock),
            Err(why) => {
                connection.session.abandon();
                told.ours = Some(why);
            }
        }
    }
}

fn supply<C: Clock>(
    connection: &mut Connection,
    octets: &Bytes,
    last: bool,
    sent: &mut u64,
    clock: &C,
) {
    *sent += octets.len() as u64;
    match last {
        true => connection.session.end_body(octets, clock.mono()),
        false => connection.session.body(octets, clock.mono()),
    }
}
