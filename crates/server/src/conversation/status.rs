//! HELP STATUS: how the system is, for whom may see it (RFC 5321 4.2.2: 211).

use postroad_reply::{Help, HelpReply, Lines, Text};
use postroad_session::server::{ServerSession, Ticket};
use postroad_store::{Pressure, QueueStore};

use super::Conversation;

impl<S: QueueStore> Conversation<S> {
    /// Answers it; to others than may see it there is no such topic.
    pub(super) fn status(&mut self, ticket: Ticket<Help>, session: &mut ServerSession) {
        let reply = if self.settings.rules.inquiries.status_for_all || self.may_ask() {
            HelpReply::Status(self.status_lines())
        } else {
            HelpReply::TopicUnknown
        };
        session.answer(ticket, reply, self.now());
    }

    fn status_lines(&self) -> Lines {
        let taking = match self.services.store.pressure() {
            Pressure::None => "Mail is taken",
            Pressure::Full => "Mail is refused for now: the disk is full",
            Pressure::ReadOnly => "Mail is refused for now: the spool can't be written",
        };
        let connections = format!("Connections when yours came: {}", self.open.total);
        let lines = [taking.to_owned(), connections];
        let lines = lines.into_iter().chain(self.services.delivery.status());
        let title = format!("System status of {}", self.services.host_name);
        Lines::new(Text::new(&title), lines.map(|line| Text::new(&line)))
    }
}
