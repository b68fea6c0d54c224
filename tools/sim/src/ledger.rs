//! What was promised to whom, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_queue::RecipientIx;
use postroad_reply::QueueId;
use postroad_store::Lease;
use postroad_wire::address::Mailbox;
use postroad_wire::parameter::Notify;

use crate::letter;

/// The number of a message: each is sent once.
pub(crate) type Number = u64;

/// All that was sent, answered and delivered in one run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    sent: BTreeMap<Number, Sent>,
    by_id: BTreeMap<QueueId, Number>,
    /// Messages the store said are gone from it for good.
    finished: BTreeSet<QueueId>,
    /// Until when each message is leased.
    leased: BTreeMap<QueueId, UnixMs>,
    /// What was delivered since the node started.
    delivered_since_start: BTreeSet<(QueueId, RecipientIx)>,
    starts: u64,
    /// How many octets of the log have rotted: each may cost one message, and no neighbour of it.
    rotten: usize,
    /// Messages that something is wrong with.
    suffered: BTreeSet<Number>,
    /// What must not have happened.
    pub(crate) wrong: Vec<String>,
    /// What happened, a line each, for the people who read a failing run.
    pub(crate) story: Vec<String>,
}

/// One message, as its client knows it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) octets: Bytes,
    pub(crate) sender: Mailbox,
    pub(crate) recipients: Vec<Mailbox>,
    /// What was asked for each of them.
    pub(crate) notify: Option<Notify>,
    /// They are what one alias stands for.
    pub(crate) alias: bool,
    pub(crate) answer: Answer,
    /// An operator deleted it, or tried to.
    pub(crate) deleted: bool,
}

/// How often a sender is told something.
enum Told {
    Never,
    Once,
    /// Once at most: a delay may be over before it is told.
    Perhaps,
}

impl Sent {
    /// What its sender is to be told of a recipient.
    fn owed(&self, ix: u32, mailbox: &Mailbox) -> [(&'static str, Told); 5] {
        let (success, failure, delay) = match self.notify {
            None => (false, true, true),
            Some(Notify::Never) => (false, false, false),
            Some(Notify::On {
                success,
                failure,
                delay,
            }) => (success, failure, delay),
        };
        let once = |owed: bool| if owed { Told::Once } else { Told::Never };
        let fails = will_fail(mailbox);
        let expanded = self.alias && self.recipients.len() > 1;
        let delivered = success && !fails && !expanded;
        [
            ("Failed", once(failure && fails)),
            ("Delayed", if delay { Told::Perhaps } else { Told::Never }),
            ("Delivered", once(delivered && !is_relayed(mailbox))),
            ("Relayed", once(delivered && is_relayed(mailbox))),
            ("Expanded", once(success && expanded && ix == 0)),
        ]
    }
}

/// What the client of a message was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing: it may be there whole or not at all.
    None,
    /// 250: it must be there.
    Accepted,
    /// 4yz, or the client took it back: it must not be there.
    Refused,
}

/// How many messages had which answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answers {
    /// 250.
    pub accepted: u64,
    /// 4yz, or taken back by the client.
    pub refused: u64,
    /// None before the power went.
    pub in_doubt: u64,
}

impl Ledger {
    pub(crate) fn tell(&mut self, what: String) {
        self.story.push(what);
    }

    pub(crate) fn complain(&mut self, what: String) {
        self.story.push(format!("WRONG: {what}"));
        self.wrong.push(what);
    }

    /// Something is wrong with one message.
    fn complain_of(&mut self, number: Option<Number>, what: String) {
        match number {
            Some(number) if self.rotten > 0 => {
                self.tell(format!("after rot: {what}"));
                self.suffered.insert(number);
            }
            _ => self.complain(what),
        }
    }

    /// Something is wrong with the message of that name. A notice has none of its own number.
    pub(crate) fn complain_of_id(&mut self, id: QueueId, what: String) {
        match self.number_of(id) {
            None if self.rotten > 0 => self.tell(format!("after rot: {what}")),
            number => self.complain_of(number, what),
        }
    }

    /// An operator deletes a message: what was not delivered of it will not be.
    pub(crate) fn delete(&mut self, id: QueueId) {
        let number = self.number_of(id);
        if let Some(sent) = number.and_then(|number| self.sent.get_mut(&number)) {
            sent.deleted = true;
        }
    }

    pub(crate) fn is_deleted(&self, id: QueueId) -> bool {
        let sent = self.number_of(id).and_then(|number| self.sent.get(&number));
        sent.is_some_and(|sent| sent.deleted)
    }

    /// A bit of the log was turned over.
    pub(crate) fn rot(&mut self, place: String) {
        self.tell(place);
        self.rotten += 1;
    }

    /// A node starts: it knows no leases, and what was delivered before may be delivered again.
    pub(crate) fn start(&mut self) {
        self.starts += 1;
        self.leased.clear();
        self.delivered_since_start.clear();
        self.tell(format!("start {}", self.starts));
    }

    /// A number for a message to come.
    pub(crate) fn next_number(&self) -> Number {
        self.sent.len() as Number
    }

    pub(crate) fn send(&mut self, number: Number, sent: Sent) {
        self.sent.insert(number, sent);
    }

    /// Which of the sent messages has that name; none for a notice.
    pub(crate) fn number_of(&self, id: QueueId) -> Option<Number> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn name(&mut self, number: Number, id: QueueId) {
        self.tell(format!("message {number} is {id}"));
        if let Some(other) = self.by_id.insert(id, number) {
            self.complain(format!("message {number} has the queue id {id} of {other}"));
        }
    }

    pub(crate) fn answer(&mut self, number: Number, answer: Answer, why: &str) {
        self.tell(format!("message {number}: {answer:?} {why}"));
        if let Some(sent) = self.sent.get_mut(&number) {
            sent.answer = answer;
        }
    }

    /// The store gave a message to somebody to deliver.
    pub(crate) fn lease(&mut self, lease: &Lease, now: UnixMs) {
        let id = lease.id;
        self.tell(format!("lease {id}"));
        if self
            .leased
            .insert(id, lease.until)
            .is_some_and(|until| until > now)
        {
            self.complain_of_id(id, format!("{id} was leased to two at once"));
        }
        if self.finished.contains(&id) {
            self.complain_of_id(id, format!("{id} came back after it was finished"));
        }
    }

    pub(crate) fn release(&mut self, id: QueueId) {
        self.leased.remove(&id);
    }

    pub(crate) fn finish(&mut self, id: QueueId) {
        self.tell(format!("finished {id}"));
        self.finished.insert(id);
    }

    /// The octets that a store gives for a message.
    pub(crate) fn check_octets(&mut self, id: QueueId, octets: &[u8]) {
        let expected = match self.by_id.get(&id) {
            Some(number) => self.sent.get(number).map(|sent| sent.octets.clone()),
            None => return,
        };
        if expected.as_deref() != Some(octets) {
            self.complain_of_id(id, format!("{id} is given by the store with other octets"));
        }
    }

    pub(crate) fn deliver(&mut self, id: QueueId, recipient: RecipientIx) {
        self.tell(format!("delivered {id} to {}", recipient.0));
        if !self.delivered_since_start.insert((id, recipient)) {
            self.complain_of_id(
                id,
                format!(
                    "{id} was delivered twice to {} without a crash",
                    recipient.0
                ),
            );
        }
    }

    pub(crate) fn answers(&self) -> Answers {
        let mut answers = Answers::default();
        for sent in self.sent.values() {
            match sent.answer {
                Answer::Accepted => answers.accepted += 1,
                Answer::Refused => answers.refused += 1,
                Answer::None => answers.in_doubt += 1,
            }
        }
        answers
    }

    /// Holds what is in the mailboxes against what was promised.
    pub(crate) fn settle_accounts(&mut self, found: &[Found]) {
        let mut copies: BTreeMap<(Number, bool, Mailbox), u64> = BTreeMap::new();
        for found in found {
            let known = self.sent.get(&found.number).cloned();
            let Some(sent) = known else {
                self.complain(format!("a message {} that was never sent", found.number));
                continue;
            };
            *copies
                .entry((found.number, found.notice, found.mailbox.clone()))
                .or_default() += 1;
            if !found.notice && found.octets != sent.octets {
                self.complain_of(
                    Some(found.number),
                    format!("message {} has other octets", found.number),
                );
            }
        }
        for (number, sent) in self.sent.clone() {
            for mailbox in &sent.recipients {
                let fails = will_fail(mailbox);
                let count = copies
                    .remove(&(number, false, mailbox.clone()))
                    .unwrap_or(0);
                let most = u64::from(!fails);
                self.check_count(number, &sent, count, most, &format!("in {mailbox}"));
            }
            copies.remove(&(number, true, sent.sender.clone()));
            self.check_told(number, &sent, found);
        }
        for ((number, _, mailbox), _) in copies {
            self.complain(format!(
                "message {number} is in {mailbox}, to whom it was not sent"
            ));
        }
        if self.suffered.len() > self.rotten {
            let (suffered, rotten) = (self.suffered.len(), self.rotten);
            self.complain(format!("{rotten} rotten octets cost {suffered} messages"));
        }
    }

    /// All its notices together tell what is owed, and once.
    fn check_told(&mut self, number: Number, sent: &Sent, found: &[Found]) {
        let notices = found.iter().filter(|f| f.notice && f.number == number);
        let told: Vec<_> = notices
            .flat_map(|notice| letter::told(&notice.octets))
            .collect();
        let mut counted = 0;
        for (ix, mailbox) in (0u32..).zip(&sent.recipients) {
            for (action, owed) in sent.owed(ix, mailbox) {
                let count = told.iter().filter(|(i, a)| *i == ix && a == action).count() as u64;
                counted += count;
                let what = format!("of {action} told of {mailbox}");
                match owed {
                    Told::Once => self.check_count(number, sent, count, 1, &what),
                    Told::Never => self.check_count(number, sent, count, 0, &what),
                    Told::Perhaps => self.check_at_most(number, sent, count, 1, &what),
                }
            }
        }
        if counted != told.len() as u64 {
            self.complain_of(
                Some(number),
                format!("the notices of message {number} say {told:?}"),
            );
        }
    }

    fn check_count(&mut self, number: Number, sent: &Sent, count: u64, most: u64, what: &str) {
        let least = match sent.answer {
            Answer::Accepted if !sent.deleted => most,
            Answer::Accepted | Answer::None | Answer::Refused => 0,
        };
        self.check_within(number, sent, count, least, most, what);
    }

    fn check_at_most(&mut self, number: Number, sent: &Sent, count: u64, most: u64, what: &str) {
        self.check_within(number, sent, count, 0, most, what);
    }

    fn check_within(
        &mut self,
        number: Number,
        sent: &Sent,
        count: u64,
        least: u64,
        most: u64,
        what: &str,
    ) {
        let most = match sent.answer {
            Answer::Accepted | Answer::None => most,
            Answer::Refused => 0,
        };
        if !(least..=most).contains(&count) {
            let answer = sent.answer;
            self.complain_of(
                Some(number),
                format!("{count} copies {what} of message {number}, which was {answer:?}"),
            );
        }
    }
}

/// What is in a mailbox at the end.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) mailbox: Mailbox,
    pub(crate) number: Number,
    /// It is the notice about that message.
    pub(crate) notice: bool,
    /// As they were received, without what a delivery puts before them.
    pub(crate) octets: Bytes,
}

/// Whether a mailbox is said to be behind a next hop that sends no notices.
pub(crate) fn is_relayed(mailbox: &Mailbox) -> bool {
    mailbox.local.as_str() == "open-0"
}

/// Whether a mailbox is one that takes no mail, so that its sender is owed a notice.
pub(crate) fn will_fail(mailbox: &Mailbox) -> bool {
    mailbox.local.as_str().starts_with("closed")
}
