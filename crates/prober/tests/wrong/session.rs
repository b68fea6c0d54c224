//! The conversation of the server under test.

use std::sync::Arc;

use rustls::ServerConfig;

use crate::server::{Connection, Fault};

/// The biggest message.
const SIZE: usize = 1_000_000;

/// No command line is longer.
const LONGEST: usize = 2048;

#[derive(Default)]
struct Transaction {
    mail: bool,
    tried: bool,
    recipients: usize,
    chunks: bool,
}

/// One conversation.
pub struct Session {
    connection: Connection,
    fault: Fault,
    tls: Arc<ServerConfig>,
    secured: bool,
    /// After EHLO.
    extended: bool,
    /// After HELO or EHLO.
    greeted: bool,
    transaction: Transaction,
    /// A reply that is late.
    late: Option<String>,
}

/// Whether to go on.
#[derive(PartialEq)]
enum Go {
    On,
    Close,
}

impl Session {
    pub fn new(connection: Connection, fault: Fault, tls: Arc<ServerConfig>) -> Session {
        Session {
            connection,
            fault,
            tls,
            secured: false,
            extended: false,
            greeted: false,
            transaction: Transaction::default(),
            late: None,
        }
    }

    pub fn talk(mut self) {
        let greeting: &[u8] = match self.fault {
            Fault::Greets250 => b"250 mx.test ready\r\n",
            Fault::NoDomain => b"220 !! ready\r\n",
            Fault::EnhancedGreeting => b"220 2.0.0 mx.test ready\r\n",
            _ => b"220 mx.test ESMTP\r\n",
        };
        self.connection.write(greeting);
        while let Some(line) = self.line() {
            if self.obey(&line) == Go::Close {
                break;
            }
        }
    }

    /// The next command line.
    fn line(&mut self) -> Option<Vec<u8>> {
        match self.fault {
            Fault::BareLf => self.connection.take_until(&[b"\r\n", b"\n"]),
            Fault::ReadIsCommand => {
                while self.connection.buffer.is_empty() {
                    if !self.connection.fill() {
                        return None;
                    }
                }
                let read = std::mem::take(&mut self.connection.buffer);
                Some(read.strip_suffix(b"\r\n").unwrap_or(&read).to_vec())
            }
            Fault::LongIsMany => {
                while self.connection.buffer.len() < LONGEST
                    && !self.connection.buffer.windows(2).any(|end| end == b"\r\n")
                {
                    if !self.connection.fill() {
                        return None;
                    }
                }
                let ends = self
                    .connection
                    .buffer
                    .windows(2)
                    .position(|end| end == b"\r\n");
                match ends {
                    Some(at) if at <= LONGEST => self.connection.take_until(&[b"\r\n"]),
                    _ => self.connection.take(LONGEST),
                }
            }
            _ => self.connection.take_until(&[b"\r\n"]),
        }
    }

    fn obey(&mut self, line: &[u8]) -> Go {
        let longest = if self.fault == Fault::ShortLines {
            100
        } else {
            LONGEST
        };
        if line.len() > longest {
            return self.say(500, "5.5.2", "line too long");
        }
        let mut line = line.to_vec();
        if self.fault == Fault::DropsNul {
            line.retain(|octet| *octet != 0);
        }
        let readable = |octet: &u8| matches!(octet, b'\t' | b' '..=b'~');
        if !line.iter().all(readable) {
            return self.say(500, "5.5.2", "unreadable");
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let text = text.trim_end();
        let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
        let verb = match self.fault {
            Fault::CaseSensitive => verb.to_owned(),
            _ => verb.to_ascii_uppercase(),
        };
        let go = self.command(&verb, argument);
        if let Some(late) = self.late.take_if(|_| verb != "NOOP") {
            self.connection.write(late.as_bytes());
        }
        go
    }

    fn command(&mut self, verb: &str, argument: &str) -> Go {
        match verb {
            "HELO" | "EHLO" => self.hello(verb, argument),
            "MAIL" => self.mail(argument),
            "RCPT" => self.rcpt(argument),
            "DATA" => self.data(argument),
            "BDAT" => self.bdat(argument),
            "RSET" if !argument.is_empty() && self.fault != Fault::RsetArgument => self.malformed(),
            "RSET" => {
                if self.fault != Fault::RsetKeeps {
                    self.transaction = Transaction::default();
                }
                self.say(250, "2.0.0", "reset")
            }
            "NOOP" => self.noop(),
            "VRFY" | "EXPN" if argument.is_empty() => self.malformed(),
            "VRFY" | "EXPN" => self.say(252, "2.5.0", "cannot say"),
            "HELP" => self.help(),
            "QUIT" if !argument.is_empty() => self.malformed(),
            "QUIT" => {
                self.say(221, "2.0.0", "mx.test bye");
                match self.fault {
                    Fault::QuitStays => Go::On,
                    _ => Go::Close,
                }
            }
            "SEND" | "SOML" | "SAML" | "TURN" => self.say(502, "5.5.1", "not implemented"),
            "STARTTLS" => self.starttls(argument),
            _ => match self.fault {
                Fault::UnknownCloses => Go::Close,
                Fault::UnknownIsFine => self.say(250, "2.0.0", "whatever"),
                _ => self.say(500, "5.5.1", "unknown"),
            },
        }
    }

    fn hello(&mut self, verb: &str, argument: &str) -> Go {
        let longest = if self.fault == Fault::ShortDomains {
            100
        } else {
            255
        };
        if argument.is_empty() || argument.contains(' ') || argument.len() > longest {
            return self.malformed();
        }
        self.extended = verb == "EHLO";
        self.greeted = true;
        if !(self.fault == Fault::EhloKeeps && verb == "EHLO") {
            self.transaction = Transaction::default();
        }
        if !self.extended {
            self.connection.write(b"250 mx.test\r\n");
            return Go::On;
        }
        let mut reply = format!(
            "250-mx.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-SIZE {SIZE}\r\n"
        );
        if !self.secured || self.fault == Fault::OffersTlsAgain {
            reply.push_str("250-STARTTLS\r\n");
        }
        reply.push_str("250 ENHANCEDSTATUSCODES\r\n");
        self.connection.write(reply.as_bytes());
        Go::On
    }

    fn noop(&mut self) -> Go {
        match self.fault {
            Fault::NoopRefused => return self.say(550, "5.0.0", "no"),
            Fault::UnlistedCode => return self.say(299, "2.0.0", "ok"),
            Fault::NoopDrops => self.transaction = Transaction::default(),
            Fault::LateNoop if self.late.is_none() => {
                self.late = Some("250 2.0.0 late\r\n".into());
                return Go::On;
            }
            Fault::LfReply => self.connection.write(b"250 2.0.0 ok\n"),
            Fault::CrInReply => self.connection.write(b"250 2.0.0 o\rk\r\n"),
            Fault::EscapeInReply => self.connection.write(b"250 2.0.0 \x1b[2J\r\n"),
            Fault::BareCode => self.connection.write(b"250\r\n"),
            Fault::NoCode => self.connection.write(b"ok then\r\n"),
            Fault::LongReply => {
                let long = format!("250 2.0.0 {}\r\n", "x".repeat(600));
                self.connection.write(long.as_bytes());
            }
            Fault::WrongEnhanced => return self.say(250, "5.0.0", "ok"),
            _ => return self.say(250, "2.0.0", "ok"),
        }
        match self.fault {
            Fault::NoopDrops => self.say(250, "2.0.0", "ok"),
            _ => Go::On,
        }
    }

    fn help(&mut self) -> Go {
        let (first, last) = match self.extended {
            true => ("2.0.0 read", "2.0.0 the RFC"),
            false => ("read", "the RFC"),
        };
        let code = if self.fault == Fault::MixedCodes {
            211
        } else {
            214
        };
        let reply = format!("214-{first}\r\n{code} {last}\r\n");
        self.connection.write(reply.as_bytes());
        Go::On
    }

    fn mail(&mut self, argument: &str) -> Go {
        if !self.greeted || (self.transaction.mail && self.fault != Fault::MailNests) {
            return self.out_of_sequence();
        }
        let Some((path, parameters)) = self.path(argument, "FROM:") else {
            return self.malformed();
        };
        if let Some(refusal) = self.refuse_parameters(&parameters) {
            return refusal;
        }
        if !path.is_empty() && !is_address(&path) {
            return self.malformed();
        }
        self.transaction = Transaction {
            mail: true,
            ..Transaction::default()
        };
        self.say(250, "2.1.0", "ok")
    }

    fn rcpt(&mut self, argument: &str) -> Go {
        let chunks = self.transaction.chunks && self.fault != Fault::RcptAfterBdat;
        if (!self.transaction.mail && self.fault != Fault::RcptAnytime) || chunks {
            return self.out_of_sequence();
        }
        self.transaction.tried = true;
        let Some((path, parameters)) = self.path(argument, "TO:") else {
            return self.malformed();
        };
        if !parameters.is_empty() && self.fault != Fault::AnyParameter {
            return self.say(555, "5.5.4", "parameter");
        }
        let local = path.split('@').next().unwrap_or_default();
        let longest = if self.fault == Fault::ShortNames {
            32
        } else {
            64
        };
        let postmaster = match self.fault {
            Fault::PostmasterCase => local == "postmaster" || local == "Postmaster",
            _ => local.eq_ignore_ascii_case("postmaster"),
        };
        if path.is_empty() || local.len() > longest || (path.contains('@') && !is_address(&path)) {
            return self.malformed();
        }
        if !postmaster && path != "probe@mx.test" {
            return self.say(550, "5.1.1", "nobody");
        }
        let most = if self.fault == Fault::FewRecipients {
            10
        } else {
            1000
        };
        if self.transaction.recipients >= most {
            return self.say(452, "4.5.3", "too many");
        }
        self.transaction.recipients += 1;
        self.say(250, "2.1.5", "ok")
    }

    /// The path of MAIL or RCPT, and what follows it.
    fn path(&self, argument: &str, word: &str) -> Option<(String, Vec<String>)> {
        let head = argument.get(..word.len())?;
        if !head.eq_ignore_ascii_case(word) {
            return None;
        }
        let rest = &argument[word.len()..];
        if self.fault == Fault::NoBrackets && !rest.starts_with('<') {
            return Some((rest.to_owned(), Vec::new()));
        }
        let (path, rest) = rest.strip_prefix('<')?.split_once('>')?;
        let parameters = rest.split_whitespace().map(str::to_owned);
        let path = path.rsplit(':').next().unwrap_or_default();
        (!path.contains(' ') || path.starts_with('"'))
            .then(|| (path.to_owned(), parameters.collect()))
    }

    fn refuse_parameters(&mut self, parameters: &[String]) -> Option<Go> {
        for parameter in parameters {
            let (keyword, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let known = match keyword.to_ascii_uppercase().as_str() {
                "SIZE" if !self.extended => false,
                "SIZE" if self.fault == Fault::AnyDeclaredSize => true,
                "SIZE" => match value.parse::<usize>() {
                    Ok(size) if size > SIZE => {
                        return Some(self.say(552, "5.3.4", "too big"));
                    }
                    Ok(_) => true,
                    Err(_) => return Some(self.malformed()),
                },
                "BODY" if ["7BIT", "8BITMIME"].contains(&value) => true,
                "BODY" => return Some(self.malformed()),
                _ => self.fault == Fault::AnyParameter,
            };
            if !known {
                return Some(self.say(555, "5.5.4", "parameter"));
            }
        }
        None
    }

    fn data(&mut self, argument: &str) -> Go {
        if !argument.is_empty() {
            return self.malformed();
        }
        let anytime = match self.fault {
            Fault::DataAnytime => !self.transaction.mail,
            Fault::DataAfterBdat => self.transaction.chunks,
            _ => false,
        };
        if !anytime && (self.transaction.recipients == 0 || self.transaction.chunks) {
            return match self.transaction.tried && !self.transaction.chunks {
                true => self.say(554, "5.5.1", "no valid recipients"),
                false => self.out_of_sequence(),
            };
        }
        self.connection.write(b"354 go on\r\n");
        if self.fault == Fault::TalksInData {
            return Go::On;
        }
        let ends: Vec<&[u8]> = match self.fault {
            Fault::EndsData(end) => vec![b"\r\n.\r\n", end],
            _ => vec![b"\r\n.\r\n"],
        };
        let Some(message) = self.connection.take_until(&ends) else {
            return Go::Close;
        };
        if self.fault != Fault::MessageKeeps {
            self.transaction = Transaction::default();
        }
        self.judge(&message)
    }

    fn judge(&mut self, message: &[u8]) -> Go {
        let longest = message
            .split(|octet| *octet == b'\n')
            .map(<[u8]>::len)
            .max();
        if self.fault == Fault::ShortText && longest > Some(500) {
            return self.say(500, "5.5.2", "line too long");
        }
        if self.fault == Fault::SmallMessages && message.len() > 10_000 {
            return self.say(552, "5.3.4", "too big");
        }
        self.say(250, "2.0.0", "taken")
    }

    fn bdat(&mut self, argument: &str) -> Go {
        let (size, last) = argument.split_once(' ').unwrap_or((argument, ""));
        let known = last.is_empty() || last.eq_ignore_ascii_case("LAST");
        let Some(size) = size.parse::<usize>().ok().filter(|_| known) else {
            return match self.fault {
                Fault::AnySize => self.say(250, "2.0.0", "taken"),
                _ => {
                    self.malformed();
                    Go::Close
                }
            };
        };
        if size > SIZE {
            self.say(552, "5.3.4", "too big");
            return Go::Close;
        }
        if self.transaction.recipients == 0 {
            if self.fault != Fault::NotSwallowed && self.connection.take(size).is_none() {
                return Go::Close;
            }
            return self.out_of_sequence();
        }
        let taken = match self.fault {
            Fault::DotEndsChunk if size > 20 => self.connection.take_until(&[b"\r\n.\r\n"]),
            _ => self.connection.take(size),
        };
        if taken.is_none() {
            return Go::Close;
        }
        self.transaction.chunks = true;
        if !last.is_empty() {
            self.transaction = Transaction::default();
        }
        self.say(250, "2.0.0", "taken")
    }

    fn starttls(&mut self, argument: &str) -> Go {
        if !argument.is_empty() {
            return self.malformed();
        }
        if self.secured {
            return self.out_of_sequence();
        }
        self.say(220, "2.0.0", "go on");
        if self.fault == Fault::NoTls {
            return Go::On;
        }
        let clear = std::mem::take(&mut self.connection.buffer);
        if !self.connection.secure(&self.tls) {
            return Go::Close;
        }
        self.secured = true;
        if self.fault == Fault::Injectable {
            self.connection.buffer = clear;
        }
        if self.fault != Fault::TlsKeeps {
            self.transaction = Transaction::default();
        }
        (self.greeted, self.extended) = (self.fault == Fault::TlsKeeps, false);
        Go::On
    }

    fn malformed(&mut self) -> Go {
        if self.fault == Fault::Flushes {
            self.connection.buffer.clear();
        }
        if self.fault == Fault::Twice {
            self.say(501, "5.5.4", "malformed");
        }
        self.say(501, "5.5.4", "malformed")
    }

    fn out_of_sequence(&mut self) -> Go {
        self.say(503, "5.5.1", "out of sequence")
    }

    fn say(&mut self, code: u16, enhanced: &str, text: &str) -> Go {
        let reply = match self.extended && self.fault != Fault::NoEnhanced {
            true => format!("{code} {enhanced} {text}\r\n"),
            false => format!("{code} {text}\r\n"),
        };
        self.connection.write(reply.as_bytes());
        Go::On
    }
}

/// Whether a text is an address, roughly.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let plain = !local.is_empty() && (local.starts_with('"') || !local.contains('@'));
    plain && text.len() <= 254 && !domain.is_empty() && !domain.contains("..")
}
