//! VRFY and EXPN: who may ask, and about whom.

use std::convert::Infallible;

use postroad_policy::access::Step;
use postroad_policy::{Judged, Verdict};
use postroad_reply::{Expn, ExpnReply, Vrfy, VrfyReply};
use postroad_session::server::{Question, ServerSession, Ticket};
use postroad_store::QueueStore;
use postroad_wire::address::{ForwardPath, Mailbox};
use postroad_wire::command::Lookup;

use super::Conversation;
use crate::lookup::Names;
use crate::rules::Said;

impl<S: QueueStore> Conversation<S> {
    /// Answers VRFY.
    pub(super) fn verify(
        &mut self,
        ticket: Ticket<Vrfy>,
        asked: Lookup,
        smtputf8: bool,
        session: &mut ServerSession,
    ) {
        // Nothing is looked up for who may not ask, so that the time it takes tells nothing either.
        if !self.settings.rules.inquiries.vrfy_for_all && !self.may_ask() {
            return session.answer(ticket, VrfyReply::NotVerified, self.now());
        }
        let find = |names: Names<'_>, asked| names.vrfy(asked, smtputf8);
        self.inquire(ticket, asked, find, session);
    }

    /// Answers EXPN.
    pub(super) fn expand(
        &mut self,
        ticket: Ticket<Expn>,
        asked: Lookup,
        smtputf8: bool,
        session: &mut ServerSession,
    ) {
        // As above.
        if !self.settings.rules.inquiries.expn_for_all && !self.may_ask() {
            return session.answer(ticket, ExpnReply::NotExpanded, self.now());
        }
        let find = |names: Names<'_>, asked| names.expn(asked, smtputf8);
        self.inquire(ticket, asked, find, session);
    }

    /// Whether the client is trusted to ask who is here, and to hear where somebody has gone.
    pub(super) fn may_ask(&self) -> bool {
        let has_proved = !self.client.identities.is_empty();
        let inquiries = &self.settings.rules.inquiries;
        inquiries.trust(self.client.address, has_proved)
    }

    /// Says what is found, unless the site's own rules are against it.
    fn inquire<R>(
        &mut self,
        ticket: Ticket<R>,
        asked: Lookup,
        find: impl FnOnce(Names<'_>, Lookup) -> R::Reply,
        session: &mut ServerSession,
    ) where
        R: Question,
        R::Reply: Judged<Discard = Infallible>,
    {
        let verdict = self.access_to_inquiry(&asked);
        let found = find(self.names(), asked);
        self.say(session, ticket, verdict, found);
    }

    fn access_to_inquiry(&mut self, asked: &Lookup) -> Verdict {
        let rules = &self.settings.rules;
        if !rules.access.are_asked(Step::Inquiry) {
            return Verdict::Accept;
        }
        let directory = &self.settings.directory;
        let about: Vec<Mailbox> = match asked {
            Lookup::Name(name) => directory.named(name, &self.services.mailboxes),
            Lookup::Mailbox(mailbox) => {
                let path = ForwardPath::Mailbox(mailbox.clone());
                match directory.recognised(path, self.own_address) {
                    ForwardPath::Mailbox(mailbox) => vec![mailbox],
                    ForwardPath::Postmaster => Vec::new(),
                }
            }
        };
        let said = Said {
            recipients: &about.iter().collect::<Vec<_>>(),
            ..Said::default()
        };
        rules.access_at(Step::Inquiry, &self.client, said, &mut self.record)
    }

    fn names(&self) -> Names<'_> {
        Names {
            directory: &self.settings.directory,
            mailboxes: &self.services.mailboxes,
            own_address: self.own_address,
        }
    }
}
