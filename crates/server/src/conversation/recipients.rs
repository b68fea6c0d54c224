//! RCPT: who is taken, and who isn't.

use std::sync::Arc;

use postroad_clock::Mono;
use postroad_directory::{Reservation, Resolution};
use postroad_policy::access::Step;
use postroad_policy::{Decision, Reason, Relay, Verdict, rule};
use postroad_reply::{Answer, RcptReply, Situated, Text};
use postroad_session::server::{self as session, Quirk, ServerSession};
use postroad_store::QueueStore;
use postroad_wire::address::{ForwardPath, Mailbox};
use postroad_wire::parameter::RcptParameters;

use super::Conversation;
use crate::domains;
use crate::lookup::shown;
use crate::memory::Cost;
use crate::rules::Said;
use crate::transaction::Transaction;

/// Where a recipient leads.
struct Led {
    /// What it was called.
    origin: Mailbox,
    /// Its mailboxes, and addresses elsewhere.
    targets: Vec<Mailbox>,
    /// The places of those that don't exist yet.
    reservation: Reservation,
}

impl<S: QueueStore> Conversation<S> {
    /// Judges recipients that came together.
    pub(super) async fn recipients(
        &mut self,
        run: Vec<session::Recipient>,
        session: &mut ServerSession,
    ) {
        let until = self.now() + domains::RUN;
        for asked in run {
            self.recipient(asked, until, session).await;
        }
    }

    async fn recipient(
        &mut self,
        asked: session::Recipient,
        until: Mono,
        session: &mut ServerSession,
    ) {
        let mut gone_to = None;
        let verdict = self.judge(&asked, until, &mut gone_to).await;
        let is_utf8 = self.transaction.as_ref().is_some_and(Transaction::is_utf8);
        let gone_to = shown(gone_to.filter(|_| self.may_ask()), is_utf8);
        let accepted = match (&verdict, gone_to) {
            (Verdict::Accept, Some(new)) => RcptReply::WillForward(new),
            (Verdict::Permanent(Reason::Moved, None), Some(new)) => {
                let reply = RcptReply::MovedTo(new);
                self.record
                    .recipient(reply.situation(), &asked.forward_path);
                return session.answer(asked.ticket, reply, self.now());
            }
            _ => RcptReply::Accepted,
        };
        if let Some(reply) = self.historic_521(&verdict, &asked.forward_path) {
            let situation = reply.said().situation();
            self.record.recipient(situation, &asked.forward_path);
            return session.answer(asked.ticket, reply, self.now());
        }
        if let Decision::Refuse(refusal) = verdict.clone().on::<RcptReply>() {
            let situation = refusal.said().situation();
            self.record.recipient(situation, &asked.forward_path);
        }
        self.say(session, asked.ticket, verdict, accepted);
    }

    /// What RFC 1846 3 has for a domain that takes no mail, which is named first; none where today's 556 is
    /// said.
    fn historic_521(&self, verdict: &Verdict, path: &ForwardPath) -> Option<Answer<RcptReply>> {
        let is_on = self.session.historic.has(Quirk::Rcpt521);
        match (verdict, path) {
            (Verdict::Permanent(Reason::DomainMailless, None), ForwardPath::Mailbox(to))
                if is_on =>
            {
                let text = Text::new(&format!("{} does not accept mail", to.host));
                Some(Answer::from(RcptReply::DomainMaillessHistoric).text(text))
            }
            _ => None,
        }
    }

    /// Whether a recipient is taken. Where its owner has gone elsewhere and that may be shown, the
    /// new address is in `gone_to`.
    async fn judge(
        &mut self,
        asked: &session::Recipient,
        until: Mono,
        gone_to: &mut Option<Mailbox>,
    ) -> Verdict {
        let path = asked.forward_path.clone();
        let path = self.settings.directory.recognised(path, self.own_address);
        if let ForwardPath::Mailbox(to) = &path
            && self.settings.rules.mailless.contains(&to.host)
        {
            return Verdict::Permanent(Reason::DomainMailless, None);
        }
        match self.access_to(&path) {
            Verdict::Accept => {}
            refused => return refused,
        }
        let led = match self.follow(&path, until, gone_to).await {
            Ok(led) => led,
            Err(refused) => return refused,
        };
        let services = Arc::clone(&self.services);
        let all_fail = services.mailboxes.all_fail(&led.targets, self.now());
        match rule::mailboxes(all_fail) {
            Verdict::Accept => {}
            refused => return refused,
        }
        match self.terminals(&led.targets).await {
            Verdict::Accept => {}
            refused => return refused,
        }
        let declared = self.transaction.as_ref().map(Transaction::declared_size);
        match self.quota(&led.targets, declared.unwrap_or(0)).await {
            Verdict::Accept => {}
            refused => return refused,
        }
        // It was asked at MAIL, and may have got into trouble since. A recipient that is refused
        // for good has been told so: it need not try again.
        match rule::store(services.store.pressure()) {
            Verdict::Accept => {}
            refused => return refused,
        }
        self.join(led, &asked.parameters)
    }

    /// Where a forward-path leads, and whether mail for there is taken from this client.
    async fn follow(
        &mut self,
        path: &ForwardPath,
        until: Mono,
        gone_to: &mut Option<Mailbox>,
    ) -> Result<Led, Verdict> {
        let mailboxes = &self.services.mailboxes;
        let resolution = self.settings.directory.resolve(path, mailboxes);
        let relay = match &resolution {
            Resolution::NotLocal { target, .. } if !self.goes_to_terminals() => {
                self.relay_to(target)
            }
            _ => Relay::Denied,
        };
        match (rule::recipient(&resolution, relay), resolution) {
            (
                Verdict::Accept,
                Resolution::Local {
                    origin,
                    targets,
                    new_address,
                    reservation,
                },
            ) => {
                *gone_to = new_address;
                Ok(Led {
                    origin,
                    targets,
                    reservation,
                })
            }
            (Verdict::Accept, Resolution::NotLocal { target, .. }) => {
                match self.recipient_domain(&target, until).await {
                    Verdict::Accept => Ok(Led {
                        origin: target.clone(),
                        targets: vec![target],
                        reservation: self.services.mailboxes.no_place(),
                    }),
                    refused => Err(refused),
                }
            }
            (refused, Resolution::Moved { new_address, .. }) => {
                *gone_to = new_address;
                Err(refused)
            }
            (refused, _) => Err(refused),
        }
    }

    /// What the site's own rules say of a recipient.
    fn access_to(&mut self, path: &ForwardPath) -> Verdict {
        let ForwardPath::Mailbox(to) = path else {
            // Whoever may come so far reaches the postmaster (RFC 5321 4.5.1).
            return Verdict::Accept;
        };
        let said = Said {
            sender: self.transaction.as_ref().map(Transaction::reverse_path),
            recipients: &[to],
            header: &[],
        };
        let rules = &self.settings.rules;
        rules.access_at(Step::Rcpt, &self.client, said, &mut self.record)
    }

    /// What is said of the domain of a recipient to be relayed to.
    async fn recipient_domain(&mut self, to: &Mailbox, until: Mono) -> Verdict {
        if !self.settings.rules.lookups.recipients {
            return Verdict::Accept;
        }
        let resolver = &self.services.resolver;
        let said = domains::recipient(resolver, &to.host, self.now(), until).await;
        said.unwrap_or_else(|unresolved| self.unresolved(&unresolved))
    }

    /// Whether one of a recipient's mailboxes has room for a message of this size. Where one of several
    /// has, the message is worth taking.
    pub(super) async fn quota(&mut self, targets: &[Mailbox], size: u64) -> Verdict {
        let (services, settings) = (&self.services, &self.settings);
        let mut refused = Verdict::Accept;
        for target in targets {
            let quota = settings.directory.quota(target);
            if quota.is_none() {
                return Verdict::Accept;
            }
            let (mailboxes, clock) = (&services.mailboxes, &services.clock);
            let counter = &services.counter;
            let used = counter.usage(mailboxes, target, (quota, size), clock).await;
            match rule::quota(quota, used, size, settings.rules.full_is_final) {
                Verdict::Accept => return Verdict::Accept,
                why => refused = why,
            }
        }
        refused
    }

    /// Adds what a recipient leads to, as far as there is room for it.
    fn join(&mut self, led: Led, parameters: &RcptParameters) -> Verdict {
        let Led {
            origin,
            targets,
            reservation,
        } = led;
        let Some(transaction) = &mut self.transaction else {
            // The session asks about recipients of an accepted transaction, and of no other.
            return Verdict::Temporary(Reason::DirectoryFailed, None);
        };
        let all = targets;
        let targets = transaction.without_known(all.clone());
        if targets.is_empty() {
            // The RCPT that named them first keeps the places of those that don't exist yet.
            transaction.accepted(&all);
            return Verdict::Accept;
        }
        if !transaction.has_room(targets.len()) {
            let note = "Too many mailboxes for one transaction, send to this one in another";
            return Verdict::Temporary(Reason::StoreFull, Some(Text::new(note)));
        }
        let cost = Cost::of_recipient(&origin, &targets, reservation.names(), parameters);
        match cost.take(&self.services.envelope_budget, self.client.network()) {
            Ok(memory) => {
                transaction.add(&origin, targets, parameters, reservation, memory);
                transaction.accepted(&all);
                Verdict::Accept
            }
            Err(refused) => refused,
        }
    }
}
