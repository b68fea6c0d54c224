//! MAIL, RCPT and DATA, one by one or pipelined.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use postroad_clock::Mono;
use postroad_wire::command::Command;
use postroad_wire::extension::{Extensions, Size};
use postroad_wire::parameter::{BodyType, MailParameters, RcptParameters};
use postroad_wire::peer::Protocol;

use super::event::{Finish, Outgoing, Unsupported};
use super::{Awaited, ClientSession, Stage};

/// How far an envelope is.
#[derive(Debug)]
pub(super) struct Envelope {
    /// What has not been sent yet.
    pub(super) unsent: VecDeque<(Command, Awaited)>,
    /// The places of the recipients that were accepted.
    pub(super) accepted: Vec<usize>,
    /// Why the message can't be sent, where that is known.
    pub(super) failed: Option<Finish>,
}

impl ClientSession {
    /// Begins a message, in a session that has told that it is [`Ready`](super::Event::Ready). At
    /// any other time the message is [`Broken`](Finish::Broken) off at once.
    ///
    /// # Errors
    /// [`Unsupported`] if the server doesn't offer what the message needs. Nothing has been said
    /// then, and another message may be begun.
    pub fn begin(&mut self, message: Outgoing, now: Mono) -> Result<(), Unsupported> {
        if !matches!(self.stage, Stage::Ready) {
            self.events
                .push_back(super::Event::Finished(Finish::Broken));
            return Ok(());
        }
        let parameters = fitting(message.parameters, &self.offered)?;
        let mail = Command::Mail {
            reverse_path: message.reverse_path,
            parameters,
        };
        let dsn = self.offered.dsn;
        let recipients = message.recipients.into_iter().enumerate();
        let recipients = recipients.map(|(index, (forward_path, parameters))| {
            let parameters = if dsn {
                parameters
            } else {
                RcptParameters::default()
            };
            let rcpt = Command::Rcpt {
                forward_path,
                parameters,
            };
            (rcpt, Awaited::Rcpt(index))
        });
        let mut unsent = VecDeque::from([(mail, Awaited::Mail)]);
        unsent.extend(recipients);
        // RFC 3030 2 wants all replies to RCPT before the first chunk.
        if !self.offered.chunking {
            unsent.push_back((Command::Data, Awaited::Data));
        }
        self.stage = Stage::Envelope(Envelope {
            unsent,
            accepted: Vec::new(),
            failed: None,
        });
        self.send_envelope(now);
        Ok(())
    }

    /// Sends what may be sent now: all of it where commands are pipelined (RFC 2920 3.1), else the
    /// next when the one before it was answered. LMTP's DATA waits for the recipients, so that it is
    /// only said where somebody was accepted: then it is clear how many replies the end of data gets.
    pub(super) fn send_envelope(&mut self, now: Mono) {
        while let Stage::Envelope(envelope) = &mut self.stage {
            if !self.offered.pipelining && !self.awaited.is_empty() {
                return;
            }
            let waits = self.protocol == Protocol::Lmtp
                && matches!(envelope.unsent.front(), Some((_, Awaited::Data)));
            if waits && !self.awaited.is_empty() {
                return;
            }
            let Some((command, awaited)) = envelope.unsent.pop_front() else {
                return;
            };
            self.command(&command, awaited, now);
        }
    }
}

/// The parameters as the server takes them.
fn fitting(
    parameters: MailParameters,
    offered: &Extensions,
) -> Result<MailParameters, Unsupported> {
    if parameters.smtputf8 && !offered.smtputf8 {
        return Err(Unsupported::SmtpUtf8);
    }
    match parameters.body {
        BodyType::EightBitMime if !offered.eight_bit_mime => return Err(Unsupported::EightBitMime),
        BodyType::BinaryMime if !(offered.binary_mime && offered.chunking) => {
            return Err(Unsupported::BinaryMime);
        }
        _ => {}
    }
    if let Some(Size::Maximum(maximum)) = offered.size
        && parameters.size > Some(maximum)
    {
        return Err(Unsupported::Size { maximum });
    }
    Ok(MailParameters {
        size: parameters.size.filter(|_| offered.size.is_some()),
        ret: parameters.ret.filter(|_| offered.dsn),
        envid: parameters.envid.filter(|_| offered.dsn),
        auth: parameters.auth.filter(|_| offered.auth.is_some()),
        ..parameters
    })
}
