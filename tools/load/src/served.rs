//! The server's side of a session, for the sink and the floor: it takes everything.

use memchr::{memchr, memmem};

use crate::letter::Letter;

/// What stands between the data and what comes behind it.
const END: &[u8] = b"\r\n.\r\n";

/// Where a session is.
#[derive(Default)]
pub(crate) struct Served {
    mail: Vec<u8>,
    rcpt: Vec<Vec<u8>>,
    /// While data comes: octets of it that are known to hold no end.
    data: Option<usize>,
}

pub(crate) const GREETING: &[u8] = b"220 load.invalid ESMTP\r\n";
const EHLO: &[u8] =
    b"250-load.invalid\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1073741824\r\n";

impl Served {
    /// Takes what came in and appends the replies to `output`. Each message goes to `take` with its envelope;
    /// its data is as it was sent, with the line that ends it. False after QUIT.
    pub(crate) fn go_on(
        &mut self,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
        mut take: impl FnMut(Letter),
    ) -> bool {
        let mut from = 0;
        let mut open = true;
        while open {
            if let Some(searched) = self.data {
                let rest = &input[from..];
                let Some(end) = end_of_data(rest, searched) else {
                    // The end may have begun.
                    self.data = Some(rest.len().saturating_sub(END.len() - 1));
                    break;
                };
                take(Letter {
                    mail: std::mem::take(&mut self.mail),
                    rcpt: std::mem::take(&mut self.rcpt),
                    data: rest[..end].to_vec(),
                });
                self.data = None;
                output.extend_from_slice(b"250 2.0.0 Ok\r\n");
                from += end;
            } else {
                let Some(end) = memchr(b'\n', &input[from..]) else {
                    break;
                };
                let line = &input[from..=from + end];
                from += end + 1;
                open = self.command(line, output);
            }
        }
        input.drain(..from);
        open
    }

    fn command(&mut self, line: &[u8], output: &mut Vec<u8>) -> bool {
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match verb.as_slice() {
            b"EHLO" => EHLO,
            b"MAIL" => {
                self.mail = line.to_vec();
                b"250 2.1.0 Ok\r\n"
            }
            b"RCPT" => {
                self.rcpt.push(line.to_vec());
                b"250 2.1.5 Ok\r\n"
            }
            b"DATA" => {
                self.data = Some(0);
                b"354 Go on\r\n"
            }
            b"RSET" => {
                self.mail.clear();
                self.rcpt.clear();
                b"250 2.0.0 Ok\r\n"
            }
            b"HELO" | b"NOOP" => b"250 2.0.0 Ok\r\n",
            b"QUIT" => b"221 2.0.0 Bye\r\n",
            _ => b"500 5.5.2 What?\r\n",
        };
        output.extend_from_slice(reply);
        verb != b"QUIT"
    }
}

/// Behind the end of data, if it is there. Data may be empty: then the dot stands first.
fn end_of_data(rest: &[u8], searched: usize) -> Option<usize> {
    if rest.starts_with(&END[2..]) {
        return Some(END.len() - 2);
    }
    memmem::find(&rest[searched..], END).map(|at| searched + at + END.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a session with pieces of a size.
    fn fed(all: &[u8], piece: usize) -> (String, Vec<Letter>, bool) {
        let (mut served, mut output, mut letters) = (Served::default(), Vec::new(), Vec::new());
        let (mut input, mut open) = (Vec::new(), true);
        for piece in all.chunks(piece) {
            input.extend_from_slice(piece);
            open = served.go_on(&mut input, &mut output, |letter| letters.push(letter));
        }
        (String::from_utf8_lossy(&output).into(), letters, open)
    }

    #[test]
    fn a_session_is_the_same_whole_or_in_pieces() {
        let mut all = b"EHLO x\r\n".to_vec();
        for (number, size) in [(1, 200), (2, 5000)] {
            let letter = Letter::numbered(number, size, "a@b");
            all.extend_from_slice(&letter.mail);
            all.extend(letter.rcpt.concat());
            all.extend_from_slice(b"DATA\r\n");
            all.extend_from_slice(&letter.data);
        }
        all.extend_from_slice(b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n.\r\nQUIT\r\n");
        let whole = fed(&all, all.len());
        assert_eq!(whole.1.len(), 3);
        assert_eq!(whole.1[1], Letter::numbered(2, 5000, "a@b"));
        assert_eq!(whole.1[2].data, b".\r\n");
        assert!(!whole.2, "it goes after QUIT");
        assert_eq!(whole.0.matches("354").count(), 3);
        for piece in [1, 2, 3, 5, 4096] {
            assert_eq!(fed(&all, piece), whole, "in pieces of {piece}");
        }
    }
}
