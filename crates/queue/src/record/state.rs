//! The record of a [`MessageState`].

use alloc::string::String;
use alloc::vec::Vec;

use postroad_clock::UnixMs;

use super::field::{FieldReader, FieldWriter, flag, must, number, number32, once, text};
use super::{NotARecord, Unknown};
use crate::envelope::RouteKey;
use crate::life::{Life, NoticeState};
use crate::state::{Amendment, MessageState, Waiting};

const KIND: u8 = b'S';

/// Tags of the record. A number is never used again for something else.
mod tag {
    pub(super) const LIFE: u64 = 1;
    pub(super) const HELD: u64 = 2;
    pub(super) const REDIRECT: u64 = 3;
    pub(super) const WAITING: u64 = 4;
}

/// Tags within a life.
mod life_tag {
    pub(super) const CHOICE: u64 = 1;
    pub(super) const AT: u64 = 2;
    pub(super) const WORDS: u64 = 3;
    pub(super) const ATTEMPTS: u64 = 4;
    pub(super) const NOTICE: u64 = 5;
}

/// Tags within a waiting amendment.
mod waiting_tag {
    pub(super) const CHOICE: u64 = 1;
    pub(super) const AT: u64 = 2;
    pub(super) const ROUTE: u64 = 3;
}

pub(super) fn encode(state: &MessageState) -> Vec<u8> {
    let mut out = FieldWriter::default();
    for (ix, life) in state.lives.iter().enumerate() {
        out.fields(tag::LIFE, |out| {
            put_life(out, life);
            out.unknown(&state.unknown, Some(ix));
        });
    }
    out.flag(tag::HELD, state.held);
    if let Some(route) = &state.redirect {
        out.octets(tag::REDIRECT, route.0.as_bytes());
    }
    for waiting in &state.waiting {
        out.fields(tag::WAITING, |out| put_waiting(out, waiting));
    }
    out.unknown(&state.unknown, None);
    out.finish(alloc::vec![KIND])
}

pub(super) fn decode(octets: &[u8]) -> Result<MessageState, NotARecord> {
    let mut reader = FieldReader::of_kind(octets, KIND)?;
    let (mut lives, mut waiting) = (Vec::new(), Vec::new());
    let (mut held, mut redirect) = (None, None);
    let mut unknown = Unknown::default();
    while let Some((tag, value)) = reader.next()? {
        match tag {
            tag::LIFE => lives.push(take_life(value, lives.len(), &mut unknown)?),
            tag::HELD => once(&mut held, flag(value)?)?,
            tag::REDIRECT => once(&mut redirect, route(value)?)?,
            tag::WAITING => waiting.push(take_waiting(value)?),
            _ => unknown.keep(None, tag, value),
        }
    }
    Ok(MessageState {
        lives,
        held: held.unwrap_or(false),
        redirect,
        waiting,
        unknown,
    })
}

fn put_life(out: &mut FieldWriter, life: &Life) {
    let (choice, at, words) = match life {
        Life::Pending { due, last, .. } => (0, due, last),
        Life::Delivered { at, by } => (1, at, by),
        Life::Failed { at, why, .. } => (2, at, why),
        Life::Discarded { at, rule } => (3, at, rule),
    };
    out.number(life_tag::CHOICE, choice);
    out.number(life_tag::AT, at.0);
    if !words.is_empty() {
        out.octets(life_tag::WORDS, words.as_bytes());
    }
    if let Life::Pending { attempts, .. } = life {
        out.number(life_tag::ATTEMPTS, u64::from(*attempts));
    }
    if let Life::Failed { notice, .. } = life {
        let notice = match notice {
            NoticeState::Owed => 0,
            NoticeState::Sent => 1,
            NoticeState::Unwanted => 2,
        };
        out.number(life_tag::NOTICE, notice);
    }
}

fn take_life(value: &[u8], ix: usize, unknown: &mut Unknown) -> Result<Life, NotARecord> {
    let mut reader = FieldReader::new(value);
    let (mut choice, mut at, mut words) = (None, None, None);
    let (mut attempts, mut notice) = (None, None);
    while let Some((tag, value)) = reader.next()? {
        match tag {
            life_tag::CHOICE => once(&mut choice, number(value)?)?,
            life_tag::AT => once(&mut at, UnixMs(number(value)?))?,
            life_tag::WORDS => once(&mut words, text(value)?)?,
            life_tag::ATTEMPTS => once(&mut attempts, number32(value)?)?,
            life_tag::NOTICE => once(&mut notice, notice_state(value)?)?,
            _ => unknown.keep(Some(ix), tag, value),
        }
    }
    let at = must(at)?;
    let words: String = words.unwrap_or_default();
    let (life, attempts, notice) = match must(choice)? {
        0 => (
            Life::Pending {
                attempts: must(attempts.take())?,
                due: at,
                last: words,
            },
            attempts,
            notice,
        ),
        1 => (Life::Delivered { at, by: words }, attempts, notice),
        2 => (
            Life::Failed {
                at,
                why: words,
                notice: must(notice.take())?,
            },
            attempts,
            notice,
        ),
        3 => (Life::Discarded { at, rule: words }, attempts, notice),
        _ => return Err(NotARecord::Newer),
    };
    // What belongs to another choice has no business here.
    match (attempts, notice) {
        (None, None) => Ok(life),
        _ => Err(NotARecord::Malformed),
    }
}

fn notice_state(value: &[u8]) -> Result<NoticeState, NotARecord> {
    match number(value)? {
        0 => Ok(NoticeState::Owed),
        1 => Ok(NoticeState::Sent),
        2 => Ok(NoticeState::Unwanted),
        _ => Err(NotARecord::Newer),
    }
}

fn put_waiting(out: &mut FieldWriter, waiting: &Waiting) {
    let choice = match &waiting.amendment {
        Amendment::Hold => 0,
        Amendment::Release => 1,
        Amendment::RetryNow => 2,
        Amendment::Delete => 3,
        Amendment::Redirect(route) => {
            out.octets(waiting_tag::ROUTE, route.0.as_bytes());
            4
        }
    };
    out.number(waiting_tag::CHOICE, choice);
    out.number(waiting_tag::AT, waiting.at.0);
}

fn take_waiting(value: &[u8]) -> Result<Waiting, NotARecord> {
    let mut reader = FieldReader::new(value);
    let (mut choice, mut at, mut to) = (None, None, None);
    while let Some((tag, value)) = reader.next()? {
        match tag {
            waiting_tag::CHOICE => once(&mut choice, number(value)?)?,
            waiting_tag::AT => once(&mut at, UnixMs(number(value)?))?,
            waiting_tag::ROUTE => once(&mut to, route(value)?)?,
            _ => return Err(NotARecord::Newer),
        }
    }
    let amendment = match (must(choice)?, to) {
        (0, None) => Amendment::Hold,
        (1, None) => Amendment::Release,
        (2, None) => Amendment::RetryNow,
        (3, None) => Amendment::Delete,
        (4, Some(to)) => Amendment::Redirect(to),
        (0..=4, _) => return Err(NotARecord::Malformed),
        _ => return Err(NotARecord::Newer),
    };
    Ok(Waiting {
        amendment,
        at: must(at)?,
    })
}

fn route(value: &[u8]) -> Result<RouteKey, NotARecord> {
    Ok(RouteKey(text(value)?.into()))
}
