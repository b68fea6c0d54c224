//! What every state of a session works with: what goes out, what was asked, what was counted.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use bytes::Bytes;
use postroad_clock::Mono;
use postroad_reply::{Closing, Command, Reply, TransactionId};
use postroad_wire::extension::Extensions;
use postroad_wire::line::{LineReader, Unreadable};
use postroad_wire::sasl::Mechanisms;

use super::SessionId;
use super::event::{Closed, Event, Fault};
use super::output::Output;
use super::security::Security;
use super::settings::{Settings, TlsRule};
use super::ticket::{Ticket, Tickets};

/// A command line as it came, without its CRLF.
pub(super) type Line = Result<Bytes, Unreadable>;

/// How many events may wait. With the octets of one input they bound what a session holds.
const MOST_EVENTS: usize = 64;

/// The parts of a session that outlive its states.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) settings: Arc<Settings>,
    pub(super) output: Output,
    pub(super) events: VecDeque<Event>,
    pub(super) tickets: Tickets,
    pub(super) lines: LineReader,
    /// A line that came while a run of RCPTs was being collected, and has to wait for it.
    pub(super) held: Option<Line>,
    pub(super) tally: Tally,
    /// How far the connection is secured.
    pub(super) security: Security,
    /// Set when the session is to end; the state is left at once.
    pub(super) ending: Option<Closed>,
    /// The client has proved who it is by other means than AUTH.
    pub(super) is_identified: bool,
    /// The client is of a network that the site trusts.
    pub(super) is_trusted: bool,
    /// Since when the client has been waited for.
    pub(super) since: Mono,
    session: SessionId,
}

/// What was counted in a session.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// MAIL commands that were asked about.
    pub(super) transactions: u32,
    /// Commands refused by the session itself.
    pub(super) errors: u32,
    /// Commands that got no mail on its way since the last accepted message.
    pub(super) junk: u32,
    /// Logins that failed for what the client sent.
    pub(super) failed_logins: u32,
    /// Recipients refused for good.
    pub(super) refused_recipients: u32,
}

impl Desk {
    pub(super) fn new(settings: Arc<Settings>, session: SessionId, now: Mono) -> Desk {
        let security = Security {
            tls: settings.tls == TlsRule::Implicit,
            authenticated: false,
        };
        Desk {
            lines: LineReader::new(settings.line_limits()),
            settings,
            output: Output::default(),
            events: VecDeque::new(),
            tickets: Tickets::default(),
            held: None,
            tally: Tally::default(),
            ending: None,
            security,
            is_identified: false,
            is_trusted: false,
            since: now,
            session,
        }
    }

    /// Whether the driver has to take something before the session goes on.
    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= MOST_EVENTS || self.output.is_full()
    }

    /// The next line, if there is a whole one.
    pub(super) fn next_line(&mut self, input: &mut Bytes, now: Mono) -> Option<Line> {
        let line = self.held.take().or_else(|| self.lines.read(input))?;
        self.since = now;
        Some(line)
    }

    /// The mechanisms that AUTH takes now.
    pub(super) fn mechanisms(&self) -> Mechanisms {
        let may_show = self.security.tls || self.settings.clear_passwords;
        let offered = self.settings.mechanisms;
        Mechanisms::those(|mechanism| {
            offered.has(mechanism) && (may_show || !mechanism.shows_password())
        })
    }

    /// What EHLO lists now.
    pub(super) fn extensions(&self) -> Extensions {
        let offered = self.settings.extensions();
        Extensions {
            // RFC 3207 4.2.
            starttls: offered.starttls && !self.security.tls,
            // Without a mechanism it would be no offer.
            auth: offered
                .auth
                .map(|_| self.mechanisms())
                .filter(|mechanisms| !mechanisms.is_empty()),
            ..offered
        }
    }

    /// Opens a question and asks it.
    pub(super) fn ask<R>(&mut self, event: impl FnOnce(Ticket<R>) -> Event) {
        self.tickets.open_question();
        self.events.push_back(event(self.tickets.issue(0)));
    }

    /// Sends a reply.
    pub(super) fn say(&mut self, reply: impl Into<Reply>) {
        let reply = reply.into();
        let stands_for = reply.situation();
        let reply = match self.settings.strict_classic {
            true => reply.classic(),
            false => reply,
        };
        let situation = reply.situation();
        self.events.push_back(Event::Replied {
            situation,
            enhanced: reply.enhanced(),
            stands_for: (situation != stands_for).then_some(stands_for),
        });
        self.output.write(&reply, &self.settings.host_name);
        if situation.closes && !stands_for.closes && self.ending.is_none() {
            self.ending = Some(Closed::Ended(Closing::LimitPassed));
        }
    }

    /// Sends a reply so many times: for each recipient of an LMTP transaction.
    pub(super) fn say_times(&mut self, reply: impl Into<Reply>, times: u32) {
        let reply = reply.into();
        for _ in 0..times {
            self.say(reply.clone());
        }
    }

    /// Refuses a command the client should not have sent so; too many of them end the session.
    pub(super) fn refuse(&mut self, command: Command, reply: impl Into<Reply>) {
        self.tally.errors += 1;
        if self.tally.errors > self.settings.limits.errors {
            return self.end(command, Closing::LimitPassed);
        }
        self.say(reply);
    }

    /// Counts a command that gets no mail on its way; true if it was one too many, and the
    /// session is ending.
    pub(super) fn is_too_much_junk(&mut self, command: Command) -> bool {
        self.tally.junk += 1;
        let too_much = self.tally.junk > self.settings.limits.junk_commands;
        if too_much {
            self.end(command, Closing::LimitPassed);
        }
        too_much
    }

    /// Answers `command` with 421 and ends the session (RFC 5321 3.8).
    pub(super) fn end(&mut self, command: Command, why: Closing) {
        self.say(why.reply(command));
        self.ending = Some(Closed::Ended(why));
    }

    /// The name of the next transaction, unique in the process as the session's is; `None` if
    /// the session has had as many as it may.
    pub(super) fn next_transaction(&mut self) -> Option<TransactionId> {
        const MOST: u32 = (1 << SessionId::TRANSACTION_BITS) - 1;
        if self.tally.transactions >= self.settings.limits.transactions.min(MOST) {
            return None;
        }
        self.tally.transactions += 1;
        let name =
            (self.session.0 << SessionId::TRANSACTION_BITS) | u64::from(self.tally.transactions);
        Some(TransactionId(name))
    }

    /// Tells that a transaction came to nothing.
    pub(super) fn abandon(&mut self, transaction: TransactionId) {
        self.events.push_back(Event::Abandoned(transaction));
    }

    /// Tells that the driver did wrong.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.events.push_back(Event::Fault(fault));
    }
}
