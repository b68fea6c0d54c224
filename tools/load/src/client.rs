//! The client's side of a session: what it says when, and what it makes of the replies.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use memchr::memchr;

use crate::letter::Letter;
use crate::pipe::Pipe;

/// What a reply will be to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Greeting,
    Ehlo,
    Mail,
    Rcpt,
    Data,
    Final,
    Quit,
}

/// What came of the replies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The greeting came.
    Greeted,
    /// The client can take a letter.
    Ready,
    /// The final 250 of a letter came, so long after its MAIL was sent.
    Accepted(Duration),
    /// The server said something else than it should: the session is of no use any more.
    Refused(String),
    /// It said goodbye.
    Over,
}

/// A session from the greeting to QUIT.
pub(crate) struct Client {
    pipelining: bool,
    expected: VecDeque<Expected>,
    /// The letter whose data is not sent yet.
    letter: Option<Letter>,
    /// RCPT commands of it that are not sent yet.
    rcpt: VecDeque<Vec<u8>>,
    /// When the MAIL of each letter that has no final reply was sent.
    began: VecDeque<Instant>,
}

impl Client {
    /// One that waits for the greeting. With pipelining it sends MAIL, RCPT and DATA together, behind the
    /// data of the letter before if there is one (RFC 2920 3.1).
    pub(crate) fn new(pipelining: bool) -> Client {
        Client {
            pipelining,
            expected: VecDeque::from([Expected::Greeting]),
            letter: None,
            rcpt: VecDeque::new(),
            began: VecDeque::new(),
        }
    }

    /// Letters of which it is not known whether they were accepted.
    pub(crate) fn under_way(&self) -> usize {
        self.began.len()
    }

    /// Takes a letter, after [`Event::Ready`].
    pub(crate) fn give(&mut self, mut letter: Letter, pipe: &mut Pipe) {
        self.began.push_back(Instant::now());
        pipe.output.extend_from_slice(&letter.mail);
        self.expected.push_back(Expected::Mail);
        self.rcpt = std::mem::take(&mut letter.rcpt).into();
        self.letter = Some(letter);
        if self.pipelining {
            while self.say_rcpt_or_data(pipe) != Expected::Data {}
        }
    }

    /// Ends the session. With pipelining, replies may still be due.
    pub(crate) fn quit(&mut self, pipe: &mut Pipe) {
        pipe.output.extend_from_slice(b"QUIT\r\n");
        self.expected.push_back(Expected::Quit);
    }

    /// Takes the next reply, if it is there as a whole, and says what goes out now.
    pub(crate) fn next(&mut self, pipe: &mut Pipe) -> Option<Event> {
        loop {
            let reply = take_reply(&mut pipe.input)?;
            let Some(expected) = self.expected.pop_front() else {
                return Some(Event::Refused(format!("unasked: {reply}")));
            };
            let wanted: &[&str] = match expected {
                Expected::Greeting => &["220"],
                Expected::Data => &["354"],
                Expected::Quit => &["221"],
                Expected::Ehlo | Expected::Mail | Expected::Rcpt | Expected::Final => &["250"],
            };
            if !wanted.iter().any(|code| reply.starts_with(code)) {
                return Some(Event::Refused(format!("{expected:?}: {reply}")));
            }
            if let Some(event) = self.go_on(expected, pipe) {
                return Some(event);
            }
        }
    }

    /// Goes on after a reply as it should be.
    fn go_on(&mut self, replied_to: Expected, pipe: &mut Pipe) -> Option<Event> {
        match replied_to {
            Expected::Greeting => {
                pipe.output.extend_from_slice(b"EHLO load.invalid\r\n");
                self.expected.push_back(Expected::Ehlo);
                Some(Event::Greeted)
            }
            Expected::Ehlo => Some(Event::Ready),
            Expected::Mail | Expected::Rcpt => {
                if !self.pipelining {
                    self.say_rcpt_or_data(pipe);
                }
                None
            }
            Expected::Data => {
                // There is one: `give` put it there before DATA was said.
                let letter = self.letter.take()?;
                pipe.output.extend_from_slice(&letter.data);
                self.expected.push_back(Expected::Final);
                self.pipelining.then_some(Event::Ready)
            }
            Expected::Final => {
                let began = self.began.pop_front()?;
                Some(Event::Accepted(began.elapsed()))
            }
            Expected::Quit => Some(Event::Over),
        }
    }

    /// Whether a client without pipelining can take a letter once one is accepted.
    pub(crate) fn is_ready_when_accepted(&self) -> bool {
        !self.pipelining
    }

    fn say_rcpt_or_data(&mut self, pipe: &mut Pipe) -> Expected {
        let said = match self.rcpt.pop_front() {
            Some(rcpt) => {
                pipe.output.extend_from_slice(&rcpt);
                Expected::Rcpt
            }
            None => {
                pipe.output.extend_from_slice(b"DATA\r\n");
                Expected::Data
            }
        };
        self.expected.push_back(said);
        said
    }
}

/// Takes a whole reply out of the input and gives its last line: one without `-` behind the code
/// (RFC 5321 4.2.1).
fn take_reply(input: &mut Vec<u8>) -> Option<String> {
    let mut from = 0;
    loop {
        let end = from + memchr(b'\n', &input[from..])? + 1;
        if input.get(from + 3) != Some(&b'-') {
            let line = String::from_utf8_lossy(&input[from..end]).trim_end().into();
            input.drain(..end);
            return Some(line);
        }
        from = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_taken_as_a_whole_or_not_at_all() {
        let mut input = b"250-a\r\n250-b\r\n25".to_vec();
        assert_eq!(take_reply(&mut input), None);
        input.extend_from_slice(b"0 c\r\n354 go\r\n");
        assert_eq!(take_reply(&mut input).as_deref(), Some("250 c"));
        assert_eq!(take_reply(&mut input).as_deref(), Some("354 go"));
        assert!(input.is_empty());
    }
}
