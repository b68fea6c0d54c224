//! Time-outs (RFC 5321 4.5.3.2.7).

use core::time::Duration;

use bytes::Bytes;
use postroad_clock::Mono;
use postroad_reply::Closing;

use super::ServerSession;
use super::state::{Asking, State};

/// How often an open question is looked after, in case its ticket was dropped where the driver
/// didn't notice.
const LOOK_AFTER: Duration = Duration::from_secs(5);

impl ServerSession {
    /// When [`handle_timeout`](ServerSession::handle_timeout) is to be called; `None` once the
    /// session is over. It changes with every other call.
    ///
    /// Sending isn't timed here: a client that doesn't take its replies is the driver's to give up.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let looked_after = self.looked_after + LOOK_AFTER;
        match &self.state {
            State::Ended | State::Reversed => None,
            // It ends as soon as it is answered.
            State::Asking(Asking::EndOfData(asked)) if asked.then.is_some() => Some(looked_after),
            _ => {
                let next = self.silence_ends().unwrap_or(looked_after);
                Some(next.min(self.lifetime_ends()))
            }
        }
    }

    /// Ends the session if its time has come.
    pub fn handle_timeout(&mut self, now: Mono) {
        self.looked_after = now;
        self.run(&mut Bytes::new(), now);
        if now >= self.lifetime_ends() {
            self.disconnect(Closing::LimitPassed, now);
        } else if self.silence_ends().is_some_and(|end| now >= end) {
            self.disconnect(Closing::TimedOut, now);
        }
    }

    /// When the client's silence has been too long. While a question is open the client waits
    /// for us, not we for it.
    fn silence_ends(&self) -> Option<Mono> {
        let timeouts = &self.desk.settings.timeouts;
        let patience = match self.state {
            State::Asking(_) | State::Ended | State::Reversed => return None,
            State::Turned(_)
            | State::Commands(_)
            | State::Collecting(_)
            | State::Exchange(_)
            | State::Handshake => timeouts.command,
            State::Data(_) | State::Chunk(_) | State::Skipping(_) => timeouts.data,
        };
        Some(self.desk.since + patience)
    }

    fn lifetime_ends(&self) -> Mono {
        self.started + self.desk.settings.limits.lifetime
    }
}
