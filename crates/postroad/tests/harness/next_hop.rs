//! A server that mail is relayed to. It takes everything and counts it, unless its manner says
//! otherwise.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Delivered, PATIENCE};

/// A running next hop.
pub struct NextHop {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

/// When it says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// A client has connected.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// A whole message has come.
    Message,
    /// RSET, NOOP and the like.
    Other,
    /// QUIT.
    Quit,
}

/// What it says.
#[derive(Debug, Clone)]
pub enum Say {
    /// What a server says that has nothing against it.
    Usual,
    /// This; more than one line where it has a CRLF in it.
    Words(String),
    /// This, and it closes.
    Last(String),
    /// Nothing, and it closes.
    Close,
    /// What is usual, after a while.
    Late(Duration),
    /// Nothing; it keeps the connection until the client has closed it.
    Never,
}

impl Say {
    /// These words.
    pub fn words(words: &str) -> Say {
        Say::Words(words.to_owned())
    }

    /// These words, after which it closes.
    pub fn last(words: &str) -> Say {
        Say::Last(words.to_owned())
    }
}

/// A moment at which it has something to say.
pub struct Moment<'a> {
    /// After what.
    pub at: At,
    /// How many such moments there were before, over all connections.
    pub before: usize,
    /// The command, or the message.
    pub heard: &'a str,
}

/// How it behaves.
type Manner = Box<dyn Fn(&Moment<'_>) -> Say + Send + Sync>;

/// A message that came whole.
#[derive(Debug, Clone)]
pub struct Come {
    /// From whom and for whom it was said to be, without the brackets.
    pub reverse_path: String,
    /// Those of its recipients that were not refused.
    pub recipients: Vec<String>,
    /// It, unstuffed.
    pub octets: Vec<u8>,
    /// The answer was a 250.
    pub taken: bool,
}

struct Shared {
    manner: Manner,
    moments: Mutex<Vec<At>>,
    come: Mutex<Vec<Come>>,
}

impl NextHop {
    /// One that takes everything.
    pub fn start() -> NextHop {
        NextHop::with_manner(|_| Say::Usual)
    }

    /// One that takes everything, at this address.
    pub fn start_at(address: SocketAddr) -> NextHop {
        NextHop::listen(address, |_| Say::Usual)
    }

    /// One that behaves as it is told to.
    pub fn with_manner(manner: impl Fn(&Moment<'_>) -> Say + Send + Sync + 'static) -> NextHop {
        NextHop::listen(SocketAddr::from(([127, 0, 0, 1], 0)), manner)
    }

    fn listen(
        address: SocketAddr,
        manner: impl Fn(&Moment<'_>) -> Say + Send + Sync + 'static,
    ) -> NextHop {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            manner: Box::new(manner),
            moments: Mutex::default(),
            come: Mutex::default(),
        });
        let of_threads = Arc::clone(&shared);
        // It ends with the test, as a process of its own would be ended by it.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&of_threads);
                thread::spawn(move || Conversation::new(stream, shared).play());
            }
        });
        NextHop { address, shared }
    }

    /// The part of a configuration that sends a domain's mail here.
    pub fn route(&self, domain: &str) -> String {
        route(domain, &format!("smtp://{}", self.address))
    }

    /// All that came whole, whatever it said to it.
    pub fn come(&self) -> Vec<Come> {
        locked(&self.shared.come).clone()
    }

    /// What it took, as a mailbox would have it (RFC 5321 4.4).
    pub fn taken(&self) -> Vec<Delivered> {
        let come = self.come().into_iter().filter(|come| come.taken);
        come.map(|come| Delivered {
            path: format!("next hop {}", self.address).into(),
            octets: [
                format!("Return-Path: <{}>\r\n", come.reverse_path).into_bytes(),
                come.octets,
            ]
            .concat(),
        })
        .collect()
    }

    /// How often there was such a moment.
    pub fn count(&self, at: At) -> usize {
        let moments = locked(&self.shared.moments);
        moments.iter().filter(|moment| **moment == at).count()
    }
}

/// An address at which nobody listens yet.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address")
}

/// The part of a configuration that sends a domain's mail to a next hop.
pub fn route(domain: &str, next_hop: &str) -> String {
    format!("\n[[route]]\ndomain = {domain:?}\nnext_hop = {next_hop:?}\n")
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection.
struct Conversation {
    stream: BufReader<TcpStream>,
    shared: Arc<Shared>,
    reverse_path: String,
    recipients: Vec<String>,
}

/// The connection is over.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Over {
        Over
    }
}

impl Conversation {
    fn new(stream: TcpStream, shared: Arc<Shared>) -> Conversation {
        // A client that says nothing for so long has forgotten it.
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let _ = stream.set_nodelay(true);
        Conversation {
            stream: BufReader::new(stream),
            shared,
            reverse_path: String::new(),
            recipients: Vec::new(),
        }
    }

    fn play(mut self) {
        if self.say(At::Greeting, "", "220 sink.test ready").is_err() {
            return;
        }
        while self.command().is_ok() {}
    }

    fn command(&mut self) -> Result<(), Over> {
        let line = self.line()?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let verb = line.split([' ', ':']).next().unwrap_or_default();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => {
                let offer = "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
                             250-ENHANCEDSTATUSCODES\r\n250 SIZE 0";
                self.say(At::Hello, &line, offer)?;
            }
            "MAIL" => {
                self.reverse_path = path(&line);
                self.recipients.clear();
                self.say(At::Mail, &line, "250 2.1.0 fine")?;
            }
            "RCPT" => {
                if self
                    .say(At::Rcpt, &line, "250 2.1.5 fine")?
                    .starts_with('2')
                {
                    self.recipients.push(path(&line));
                }
            }
            "DATA" if self.recipients.is_empty() => {
                self.say(At::Data, &line, "554 5.5.1 no recipients")?;
            }
            "DATA" => {
                if self.say(At::Data, &line, "354 go on")?.starts_with('3') {
                    self.message()?;
                }
            }
            "QUIT" => {
                self.say(At::Quit, &line, "221 2.0.0 bye")?;
                return Err(Over);
            }
            "RSET" | "NOOP" => {
                self.recipients.clear();
                self.say(At::Other, &line, "250 2.0.0 fine")?;
            }
            _ => {
                self.say(At::Other, &line, "500 5.5.2 what?")?;
            }
        }
        Ok(())
    }

    fn message(&mut self) -> Result<(), Over> {
        let mut octets = Vec::new();
        loop {
            let line = self.line()?;
            match line.strip_prefix(b".") {
                Some(b"\r\n") => break,
                Some(rest) => octets.extend_from_slice(rest),
                None => octets.extend_from_slice(&line),
            }
        }
        let heard = String::from_utf8_lossy(&octets).into_owned();
        // It counts before it is answered: whoever hears the answer finds it counted.
        let place = {
            let mut come = locked(&self.shared.come);
            come.push(Come {
                reverse_path: std::mem::take(&mut self.reverse_path),
                recipients: std::mem::take(&mut self.recipients),
                octets,
                taken: false,
            });
            come.len() - 1
        };
        let said = self.decide(At::Message, &heard);
        let is_taken = match &said {
            Say::Usual | Say::Late(_) => true,
            Say::Words(words) | Say::Last(words) => words.starts_with("250 "),
            Say::Close | Say::Never => false,
        };
        if let Say::Late(pause) = said {
            thread::sleep(pause);
        }
        if let Some(come) = locked(&self.shared.come).get_mut(place) {
            come.taken = is_taken;
        }
        let said = match said {
            Say::Late(_) => Say::Usual,
            said => said,
        };
        self.carry_out(said, "250 2.0.0 taken").map(|_| ())
    }

    /// Says what its manner wants, which it gives.
    fn say(&mut self, at: At, heard: &str, usual: &str) -> Result<String, Over> {
        let said = self.decide(at, heard);
        self.carry_out(said, usual)
    }

    fn decide(&self, at: At, heard: &str) -> Say {
        let before = {
            let mut moments = locked(&self.shared.moments);
            let before = moments.iter().filter(|moment| **moment == at).count();
            moments.push(at);
            before
        };
        (self.shared.manner)(&Moment { at, before, heard })
    }

    fn carry_out(&mut self, said: Say, usual: &str) -> Result<String, Over> {
        let words = match said {
            Say::Usual => usual.to_owned(),
            Say::Words(words) => words,
            Say::Late(pause) => {
                thread::sleep(pause);
                usual.to_owned()
            }
            Say::Last(words) => {
                self.write(&words)?;
                return Err(Over);
            }
            Say::Close => return Err(Over),
            Say::Never => {
                while !self.line()?.is_empty() {}
                return Err(Over);
            }
        };
        self.write(&words)?;
        Ok(words)
    }

    fn write(&mut self, words: &str) -> Result<(), Over> {
        let line = format!("{words}\r\n");
        Ok(self.stream.get_mut().write_all(line.as_bytes())?)
    }

    fn line(&mut self) -> Result<Vec<u8>, Over> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line)? {
            0 => Err(Over),
            _ => Ok(line),
        }
    }
}

/// What stands between the brackets.
fn path(line: &str) -> String {
    let after = line.split_once('<').map_or("", |(_, after)| after);
    after.split('>').next().unwrap_or_default().to_owned()
}
