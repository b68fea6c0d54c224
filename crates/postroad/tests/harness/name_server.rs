//! A name server of a test's own: it answers MX questions from a few lines.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// What it says of one domain.
#[derive(Clone)]
enum Said {
    /// These are its mail exchangers, with their preferences.
    Exchangers(Vec<(u16, String)>),
    /// The domain is there, and has none.
    Nothing,
    /// It can't tell (SERVFAIL).
    Failure,
    /// Nothing at all: the client waits in vain.
    Silence,
}

/// A name server at a port of its own, until it is dropped.
pub struct NameServer {
    /// Where it is asked, by UDP.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl NameServer {
    /// One that says what these lines do: `a.test MX 10 mx.a.test`, `b.test MX 0 .`, `c.test NOTHING`,
    /// `d.test FAIL`, `e.test SILENT`. Of other domains it says that there is none.
    pub fn start<'a>(lines: impl IntoIterator<Item = &'a str>) -> NameServer {
        let zone: BTreeMap<String, Said> = lines.into_iter().map(said).collect();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = socket.local_addr().expect("an address");
        let step = Some(Duration::from_millis(50));
        socket.set_read_timeout(step).expect("a time-out");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            let mut question = [0; 1500];
            while !stopped.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut question)
                    && let Some(answer) = answer(&question[..length], &zone)
                {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        NameServer { address, stop }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn said(line: &str) -> (String, Said) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let said = match &words[1..] {
        ["MX", exchangers @ ..] => Said::Exchangers(
            exchangers
                .chunks(2)
                .map(|pair| (pair[0].parse().expect("a preference"), pair[1].to_owned()))
                .collect(),
        ),
        ["NOTHING"] => Said::Nothing,
        ["FAIL"] => Said::Failure,
        ["SILENT"] => Said::Silence,
        _ => panic!("not a line of a zone: {line}"),
    };
    (words[0].to_owned(), said)
}

/// RFC 1035 4.1: a header, the question again, and the answers.
fn answer(question: &[u8], zone: &BTreeMap<String, Said>) -> Option<Vec<u8>> {
    let (name, end) = name(question, 12)?;
    let end = end + 4; // Type and class.
    let said = zone.get(&name.to_ascii_lowercase());
    let (code, exchangers) = match said {
        Some(Said::Silence) => return None,
        Some(Said::Failure) => (2, &[][..]),
        Some(Said::Nothing) => (0, &[][..]),
        Some(Said::Exchangers(exchangers)) => (0, exchangers.as_slice()),
        None => (3, &[][..]),
    };
    let mut answer = question[..2].to_vec();
    answer.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        exchangers.len() as u8,
        0,
        0,
        0,
        0,
    ]);
    answer.extend(question.get(12..end)?);
    for (preference, host) in exchangers {
        // The question's name, MX, IN, a minute.
        answer.extend([0xC0, 12, 0, 15, 0, 1, 0, 0, 0, 60]);
        let mut data = preference.to_be_bytes().to_vec();
        for label in host.split('.').filter(|label| !label.is_empty()) {
            data.push(label.len() as u8);
            data.extend(label.as_bytes());
        }
        data.push(0);
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

/// The name at a place, and the place behind it.
fn name(octets: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*octets.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(octets.get(at..at + length)?).into_owned());
        at += length;
    }
}
