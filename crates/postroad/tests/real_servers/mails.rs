//! Messages that the tests send, and how they are found again behind other servers.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::harness::Client;
use crate::program::wait_until;

/// The field that begins each message; what comes before it is of the servers on the way.
const BEGIN: &str = "X-Mail: ";

/// One message.
pub struct Mail {
    /// What it is about; it stands in its first field.
    pub name: String,
    /// With CRLF line ends, as it must arrive.
    pub octets: Vec<u8>,
    /// Whether it needs SMTPUTF8.
    pub utf8: bool,
}

impl Mail {
    /// A message with this behind its first field.
    pub fn new(name: &str, rest: &[u8]) -> Mail {
        let fields = "From: <sender@here.test>\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n";
        let octets = format!("{BEGIN}{name}\r\nMessage-ID: <{name}@here.test>\r\n{fields}");
        Mail {
            name: name.to_owned(),
            octets: [octets.as_bytes(), rest].concat(),
            utf8: false,
        }
    }

    /// A short text.
    pub fn short(name: &str) -> Mail {
        Mail::new(name, b"Subject: short\r\n\r\nshort\r\n")
    }
}

/// One of each kind that a server with 8BITMIME can take.
pub fn kinds() -> Vec<Mail> {
    let mut eight_bit = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdfe, all octets: "
        .to_vec();
    eight_bit.extend((1..=255u8).filter(|b| !matches!(b, b'\r' | b'\n')));
    eight_bit.extend_from_slice(b"\r\n");
    let long = format!("\r\n{}\r\n.{}\r\nend\r\n", "x".repeat(998), "y".repeat(997));
    let line = format!("{}\r\n", "0123456789abcdef".repeat(4));
    let big = format!("\r\n{}", line.repeat(10 * 1024 * 1024 / line.len()));
    vec![
        Mail::short("short"),
        Mail::new("empty-body", b"\r\n"),
        Mail::new(
            "dots",
            b"\r\n.\r\n..\r\n...\r\n.a\r\na.\r\n\r\n.\r\nQUIT\r\n.\r\n",
        ),
        Mail::new("8-bit", &eight_bit),
        Mail::new("longest-lines", long.as_bytes()),
        Mail::new("10-MiB", big.as_bytes()),
    ]
}

/// A message with header fields in UTF-8.
pub fn utf8(name: &str) -> Mail {
    let rest = "To: jörg@there.test\r\nSubject: Grüße\r\n\r\nschön\r\n";
    Mail {
        utf8: true,
        ..Mail::new(name, rest.as_bytes())
    }
}

/// Hands a message over by SMTP from `sender@here.test`; each recipient may have parameters behind it.
pub fn submit(to: SocketAddr, recipients: &[&str], mail: &Mail) {
    submit_with(to, "", recipients, mail);
}

/// The same with parameters of MAIL.
pub fn submit_with(to: SocketAddr, parameters: &str, recipients: &[&str], mail: &Mail) {
    let mut client = open(to);
    let replies = transaction(&mut client, parameters, recipients, mail);
    assert_eq!(replies.expect("a reply"), 250, "{}", mail.name);
    client.expect("QUIT", 221);
}

/// A client that has said EHLO.
pub fn open(to: SocketAddr) -> Client {
    let mut client = Client::open(to).expect("connect");
    assert_eq!(client.reply().expect("a greeting").0, 220);
    client.expect("EHLO client.test", 250);
    client
}

/// One transaction, whose recipients must all be taken; the final reply.
pub fn transaction(
    client: &mut Client,
    parameters: &str,
    recipients: &[&str],
    mail: &Mail,
) -> std::io::Result<u16> {
    let mut line = format!("MAIL FROM:<sender@here.test> BODY=8BITMIME {parameters}");
    if mail.utf8 {
        line.push_str(" SMTPUTF8");
    }
    client.expect(line.trim_end(), 250);
    for recipient in recipients {
        let (address, parameters) = recipient.split_once(' ').unwrap_or((recipient, ""));
        client.expect(format!("RCPT TO:<{address}> {parameters}").trim_end(), 250);
    }
    client.expect("DATA", 354);
    client.send_data(&mail.octets)?;
    Ok(client.reply()?.0)
}

/// A message that arrived, with CRLF line ends.
pub struct Arrived {
    /// The fields of the servers on the way.
    pub trace: String,
    /// What was sent.
    pub octets: Vec<u8>,
}

impl Arrived {
    /// What stands in the first field.
    pub fn name(&self) -> String {
        let end = self.octets.iter().position(|b| *b == b'\r').unwrap_or(0);
        String::from_utf8_lossy(&self.octets[BEGIN.len().min(end)..end]).into_owned()
    }
}

/// All messages of ours in a Maildir of another server.
pub fn in_maildir(folder: &Path) -> Vec<Arrived> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.join("new"))
        .into_iter()
        .flatten()
        .flatten()
    {
        // It may be moved by its server in between.
        if let Ok(octets) = fs::read(entry.path()) {
            found.push(arrived(&octets));
        }
    }
    found
}

/// Takes a message apart into what was put before it and what was sent.
pub fn arrived(octets: &[u8]) -> Arrived {
    let octets = with_crlf(octets);
    let begin = format!("\r\n{BEGIN}");
    let at = octets
        .windows(begin.len())
        .position(|window| window == begin.as_bytes());
    let at = at.map_or(octets.len(), |at| at + 2);
    Arrived {
        trace: String::from_utf8_lossy(&octets[..at]).into_owned(),
        octets: octets[at..].to_vec(),
    }
}

/// Waits until a Maildir has so many messages of ours, and gives them.
pub fn wait_for(folder: &Path, count: usize) -> Vec<Arrived> {
    let mut found = Vec::new();
    wait_until(&format!("{count} messages in {}", folder.display()), || {
        found = in_maildir(folder);
        found.len() >= count
    });
    assert_eq!(found.len(), count, "more came than were sent");
    found
}

/// The message of this name must be among those that arrived, once and whole.
pub fn assert_arrived(found: &[Arrived], mail: &Mail) {
    let mut same = found.iter().filter(|arrived| arrived.name() == mail.name);
    let one = same
        .next()
        .unwrap_or_else(|| panic!("{} is lost", mail.name));
    assert!(same.next().is_none(), "{} came twice", mail.name);
    assert!(
        one.octets == mail.octets,
        "{}: {} octets came of {}, different from {} on",
        mail.name,
        one.octets.len(),
        mail.octets.len(),
        common(&one.octets, &mail.octets)
    );
}

fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Files of mail servers have LF line ends.
fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 20);
    for octet in octets {
        if *octet == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*octet);
    }
    out
}
