//! The record of a [`MessageState`].

use alloc::string::String;
use alloc::vec::Vec;

use postroad_clock::UnixMs;

use super::field::{FieldReader, FieldWriter, flag, must, number, number32, once, text};
use super::{NotARecord, Unknown, history, report};
use crate::envelope::RouteKey;
use crate::history::History;
use crate::life::{Handover, Life};
use crate::notice::{Mark, NoticeState};
use crate::report::Report;
use crate::state::{Amendment, MessageState, Waiting};

const KIND: u8 = b'S';

/// Tags of the record. A number is never used again for something else.
mod tag {
    pub(super) const LIFE: u64 = 1;
    pub(super) const HELD: u64 = 2;
    pub(super) const REDIRECT: u64 = 3;
    pub(super) const WAITING: u64 = 4;
    pub(super) const EXPANDED: u64 = 5;
    pub(super) const HISTORY: u64 = 6;
    pub(super) const LEFT_OUT: u64 = 7;
}

/// Tags within a life.
mod life_tag {
    pub(super) const CHOICE: u64 = 1;
    pub(super) const AT: u64 = 2;
    pub(super) const WORDS: u64 = 3;
    pub(super) const ATTEMPTS: u64 = 4;
    pub(super) const NOTICE: u64 = 5;
    /// A report of more than words.
    pub(super) const REPORT: u64 = 6;
    pub(super) const HOW: u64 = 7;
    pub(super) const DELAY: u64 = 8;
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
    put_mark(&mut out, tag::EXPANDED, state.expanded);
    out.flag(tag::HELD, state.held);
    if let Some(route) = &state.redirect {
        out.octets(tag::REDIRECT, route.0.as_bytes());
    }
    for waiting in &state.waiting {
        out.fields(tag::WAITING, |out| put_waiting(out, waiting));
    }
    for event in state.history.events() {
        out.fields(tag::HISTORY, |out| history::put(out, event));
    }
    if state.history.left_out() > 0 {
        out.number(tag::LEFT_OUT, u64::from(state.history.left_out()));
    }
    out.unknown(&state.unknown, None);
    out.record(KIND)
}

pub(super) fn decode(octets: &[u8]) -> Result<MessageState, NotARecord> {
    let mut reader = FieldReader::of_kind(octets, KIND)?;
    let (mut lives, mut waiting) = (Vec::new(), Vec::new());
    let (mut held, mut redirect, mut expanded) = (None, None, None);
    let mut history = History::default();
    let mut left_out = None;
    let mut unknown = Unknown::default();
    while let Some((tag, value)) = reader.next()? {
        match tag {
            tag::LIFE => lives.push(take_life(value, lives.len(), &mut unknown)?),
            tag::HELD => once(&mut held, flag(value)?)?,
            tag::REDIRECT => once(&mut redirect, route(value)?)?,
            tag::WAITING => waiting.push(take_waiting(value)?),
            tag::HISTORY => match history::take(value)? {
                Some(event) => history.push(event),
                None => history.leave_out(1),
            },
            tag::LEFT_OUT => once(&mut left_out, number32(value)?)?,
            tag::EXPANDED => once(&mut expanded, take_mark(value)?)?,
            _ => unknown.keep(None, tag, value),
        }
    }
    history.leave_out(left_out.unwrap_or(0));
    Ok(MessageState {
        lives,
        expanded: expanded.unwrap_or_default(),
        held: held.unwrap_or(false),
        redirect,
        waiting,
        history,
        unknown,
    })
}

fn put_life(out: &mut FieldWriter, life: &Life) {
    let (choice, at) = match life {
        Life::Pending { due, .. } => (0, due),
        Life::Delivered { at, .. } => (1, at),
        Life::Failed { at, .. } => (2, at),
        Life::Discarded { at, .. } => (3, at),
    };
    out.number(life_tag::CHOICE, choice);
    out.number(life_tag::AT, at.0);
    match life {
        Life::Pending {
            attempts,
            last,
            delay,
            ..
        } => {
            if let Some(last) = last {
                put_words(out, last, true);
            }
            out.number(life_tag::ATTEMPTS, u64::from(*attempts));
            put_mark(out, life_tag::DELAY, *delay);
        }
        Life::Delivered {
            how,
            report,
            notice,
            ..
        } => {
            put_words(out, report, false);
            if *how != Handover::Delivered {
                out.number(life_tag::HOW, u64::from(*how == Handover::PassedOn) + 1);
            }
            if *notice != NoticeState::Unwanted {
                put_notice(out, *notice);
            }
        }
        Life::Failed { report, notice, .. } => {
            put_words(out, report, false);
            put_notice(out, *notice);
        }
        Life::Discarded { rule, .. } => {
            if !rule.is_empty() {
                out.octets(life_tag::WORDS, rule.as_bytes());
            }
        }
    }
}

/// A report: in the short form where it is words alone, and not at all, unless `even_empty`, where
/// it says nothing.
fn put_words(out: &mut FieldWriter, report: &Report, even_empty: bool) {
    if *report != Report::plain(report.words()) {
        out.fields(life_tag::REPORT, |out| report::put(out, report));
    } else if even_empty || !report.words().is_empty() {
        out.octets(life_tag::WORDS, report.words().as_bytes());
    }
}

fn put_notice(out: &mut FieldWriter, notice: NoticeState) {
    let notice = match notice {
        NoticeState::Owed => 0,
        NoticeState::Sent => 1,
        NoticeState::Unwanted => 2,
    };
    out.number(life_tag::NOTICE, notice);
}

/// Since when it is owed; no octets if it is sent.
fn put_mark(out: &mut FieldWriter, tag: u64, mark: Mark) {
    match mark {
        Mark::None => {}
        Mark::Owed(since) => out.number(tag, since.0),
        Mark::Sent => out.flag(tag, true),
    }
}

fn take_mark(value: &[u8]) -> Result<Mark, NotARecord> {
    match value {
        [] => Ok(Mark::Sent),
        value => Ok(Mark::Owed(UnixMs(number(value)?))),
    }
}

/// The fields of a life read so far.
#[derive(Default)]
struct LifeParts {
    choice: Option<u64>,
    at: Option<UnixMs>,
    words: Option<String>,
    attempts: Option<u32>,
    notice: Option<NoticeState>,
    report: Option<Report>,
    how: Option<Handover>,
    delay: Option<Mark>,
}

fn take_life(value: &[u8], ix: usize, unknown: &mut Unknown) -> Result<Life, NotARecord> {
    let mut reader = FieldReader::new(value);
    let mut parts = LifeParts::default();
    while let Some((tag, value)) = reader.next()? {
        match tag {
            life_tag::CHOICE => once(&mut parts.choice, number(value)?)?,
            life_tag::AT => once(&mut parts.at, UnixMs(number(value)?))?,
            life_tag::WORDS => once(&mut parts.words, text(value)?)?,
            life_tag::ATTEMPTS => once(&mut parts.attempts, number32(value)?)?,
            life_tag::NOTICE => once(&mut parts.notice, notice_state(value)?)?,
            life_tag::REPORT => once(&mut parts.report, report::take(value)?)?,
            life_tag::HOW => once(&mut parts.how, handover(value)?)?,
            life_tag::DELAY => once(&mut parts.delay, take_mark(value)?)?,
            _ => unknown.keep(Some(ix), tag, value),
        }
    }
    parts.finish()
}

impl LifeParts {
    fn finish(mut self) -> Result<Life, NotARecord> {
        let at = must(self.at)?;
        let life = match must(self.choice)? {
            0 => Life::Pending {
                attempts: must(self.attempts.take())?,
                due: at,
                last: self.report()?,
                delay: self.delay.take().unwrap_or_default(),
            },
            1 => Life::Delivered {
                at,
                how: self.how.take().unwrap_or(Handover::Delivered),
                report: self.report()?.unwrap_or_default(),
                notice: self.notice.take().unwrap_or(NoticeState::Unwanted),
            },
            2 => Life::Failed {
                at,
                report: self.report()?.unwrap_or_default(),
                notice: must(self.notice.take())?,
            },
            3 => Life::Discarded {
                at,
                rule: self.words.take().unwrap_or_default(),
            },
            _ => return Err(NotARecord::Newer),
        };
        // What belongs to another choice has no business here.
        let rest = (
            self.attempts,
            self.notice,
            self.report,
            self.how,
            self.delay,
        );
        match rest {
            (None, None, None, None, None) => Ok(life),
            _ => Err(NotARecord::Malformed),
        }
    }

    /// The report in either form.
    fn report(&mut self) -> Result<Option<Report>, NotARecord> {
        match (self.words.take(), self.report.take()) {
            (Some(_), Some(_)) => Err(NotARecord::Malformed),
            (Some(words), None) => Ok(Some(Report::plain(&words))),
            (None, report) => Ok(report),
        }
    }
}

fn handover(value: &[u8]) -> Result<Handover, NotARecord> {
    match number(value)? {
        0 => Ok(Handover::Delivered),
        1 => Ok(Handover::Relayed),
        2 => Ok(Handover::PassedOn),
        _ => Err(NotARecord::Newer),
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
