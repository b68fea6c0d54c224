//! The record of an [`Event`] of a history, a part of others.

use alloc::vec::Vec;

use postroad_clock::UnixMs;

use super::field::{
    FieldReader, FieldWriter, must, number, number32, once, put_number, take_number, text,
};
use super::{NotARecord, report};
use crate::envelope::RouteKey;
use crate::history::{Attempted, End, Event, What};
use crate::life::{Handover, RecipientIx};
use crate::report::Report;
use crate::state::Amendment;

/// Tags within an event.
mod tag {
    pub(super) const AT: u64 = 1;
    pub(super) const CHOICE: u64 = 2;
    /// Numbers without lengths.
    pub(super) const RECIPIENTS: u64 = 3;
    pub(super) const OTHERS: u64 = 4;
    pub(super) const REPORT: u64 = 5;
    pub(super) const ROUTE: u64 = 6;
}

pub(super) fn put(out: &mut FieldWriter, event: &Event) {
    out.number(tag::AT, event.at.0);
    let choice = match &event.what {
        What::Attempted(attempted) => {
            put_attempted(out, attempted);
            match attempted.end() {
                End::Delivered(Handover::Delivered) => 0,
                End::Delivered(Handover::Relayed) => 1,
                End::Delivered(Handover::PassedOn) => 2,
                End::Deferred => 3,
                End::Failed => 4,
                End::Discarded => 5,
            }
        }
        What::Amended(Amendment::Hold) => 6,
        What::Amended(Amendment::Release) => 7,
        What::Amended(Amendment::RetryNow) => 8,
        What::Amended(Amendment::Delete) => 9,
        What::Amended(Amendment::Redirect(to)) => {
            out.octets(tag::ROUTE, to.0.as_bytes());
            10
        }
        What::Noticed => 11,
    };
    out.number(tag::CHOICE, choice);
}

fn put_attempted(out: &mut FieldWriter, attempted: &Attempted) {
    let mut recipients = Vec::new();
    for ix in attempted.recipients() {
        put_number(&mut recipients, u64::from(ix.0));
    }
    out.octets(tag::RECIPIENTS, recipients);
    if attempted.others() > 0 {
        out.number(tag::OTHERS, u64::from(attempted.others()));
    }
    if *attempted.report() != Report::default() {
        out.fields(tag::REPORT, |out| report::put(out, attempted.report()));
    }
}

/// None is an event of a later version. It, or what such a version adds to one, can be passed over:
/// it changes nothing of what is owed.
pub(super) fn take(value: &[u8]) -> Result<Option<Event>, NotARecord> {
    let mut reader = FieldReader::new(value);
    let (mut at, mut choice, mut recipients) = (None, None, None);
    let (mut others, mut said, mut route) = (None, None, None);
    while let Some((tag, value)) = reader.next()? {
        match tag {
            tag::AT => once(&mut at, UnixMs(number(value)?))?,
            tag::CHOICE => once(&mut choice, number(value)?)?,
            tag::RECIPIENTS => once(&mut recipients, self::recipients(value)?)?,
            tag::OTHERS => once(&mut others, number32(value)?)?,
            tag::REPORT => once(&mut said, report::take(value)?)?,
            tag::ROUTE => once(&mut route, RouteKey(text(value)?.into()))?,
            _ => {}
        }
    }
    let end = |end| {
        let recipients = recipients.unwrap_or_default();
        let said = said.unwrap_or_default();
        What::Attempted(Attempted::new(recipients, others.unwrap_or(0), end, &said))
    };
    let what = match must(choice)? {
        0 => end(End::Delivered(Handover::Delivered)),
        1 => end(End::Delivered(Handover::Relayed)),
        2 => end(End::Delivered(Handover::PassedOn)),
        3 => end(End::Deferred),
        4 => end(End::Failed),
        5 => end(End::Discarded),
        6 => What::Amended(Amendment::Hold),
        7 => What::Amended(Amendment::Release),
        8 => What::Amended(Amendment::RetryNow),
        9 => What::Amended(Amendment::Delete),
        10 => What::Amended(Amendment::Redirect(must(route)?)),
        11 => What::Noticed,
        _ => return Ok(None),
    };
    Ok(Some(Event {
        at: must(at)?,
        what,
    }))
}

fn recipients(mut value: &[u8]) -> Result<Vec<RecipientIx>, NotARecord> {
    let mut recipients = Vec::new();
    while !value.is_empty() {
        let ix = take_number(&mut value).map_err(|_| NotARecord::Malformed)?;
        let ix = u32::try_from(ix).map_err(|_| NotARecord::Malformed)?;
        recipients.push(RecipientIx(ix));
    }
    Ok(recipients)
}
