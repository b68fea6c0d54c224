//! Which command of the reply table each reply answers, seen from the client's side.

use postroad_reply::Command;

/// What was sent and has no reply yet.
#[derive(Default)]
pub struct Asked {
    octets: Vec<u8>,
    greeted: bool,
    /// DATA was answered by 354, so that message data comes next.
    in_data: bool,
    /// AUTH was answered by 334, so that a line of its exchange comes next.
    in_exchange: bool,
    last: Option<Command>,
}

impl Asked {
    /// Notes what is sent.
    pub fn sent(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// What was sent and not answered is forgotten: the connection is under TLS from now on.
    pub fn secured(&mut self) {
        self.octets.clear();
    }

    /// The command that a reply with this code answers; replies come in the order of what was
    /// sent. One that comes unasked is about the command before it.
    pub fn answered_by(&mut self, code: u16) -> Command {
        if !self.greeted {
            self.greeted = true;
            return Command::Connect;
        }
        if std::mem::take(&mut self.in_data) {
            self.take_data();
            // In LMTP more of them follow.
            self.last = Some(Command::EndOfData);
            return Command::EndOfData;
        }
        if self.octets.is_empty() {
            return self.last.unwrap_or(Command::Any);
        }
        let line = self.take_line();
        let command = match std::mem::take(&mut self.in_exchange) {
            true => Command::Auth,
            false => command_of(&line),
        };
        self.in_exchange = command == Command::Auth && code == 334;
        if command == Command::Bdat {
            let size = line.split(u8::is_ascii_whitespace).nth(1);
            let size = size.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            let chunk = size.unwrap_or(0).min(self.octets.len());
            self.octets.drain(..chunk);
        }
        self.in_data = command == Command::Data && code == 354;
        self.last = Some(command);
        command
    }

    fn take_line(&mut self) -> Vec<u8> {
        let end = self.octets.windows(2).position(|w| w == b"\r\n");
        let end = end.map_or(self.octets.len(), |at| at + 2);
        self.octets.drain(..end).collect()
    }

    fn take_data(&mut self) {
        let end = if self.octets.starts_with(b".\r\n") {
            3
        } else {
            let end = self.octets.windows(5).position(|w| w == b"\r\n.\r\n");
            end.map_or(self.octets.len(), |at| at + 5)
        };
        self.octets.drain(..end);
    }
}

/// The command of a line, by the letters it begins with.
fn command_of(line: &[u8]) -> Command {
    let end = line.iter().position(|octet| !octet.is_ascii_alphabetic());
    let verb = &line[..end.unwrap_or(line.len())];
    Command::ALL
        .into_iter()
        .find(|c| !c.verb().is_empty() && c.verb().as_bytes().eq_ignore_ascii_case(verb))
        .unwrap_or(Command::Any)
}
