//! Starts the real binary in a folder of its own, talks to it, and reads its mailboxes.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its part of the harness"
)]

pub mod asked;
pub mod hop;
pub mod name_server;
pub mod next_hop;
pub mod terminal;
pub mod tls;
pub mod tmpfs;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

/// No step of a test waits longer than this.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    child: Child,
    lines: Arc<Lines>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its data folder.
    pub data: PathBuf,
}

/// What the server has printed, on both streams.
#[derive(Default)]
struct Lines {
    seen: Mutex<Vec<String>>,
    more: Condvar,
}

impl Server {
    /// Starts `postroad serve` with this configuration beside the data folder; `hostname`,
    /// `data_dir`, `user` and a listener on a free port are added.
    pub fn start(folder: &Path, settings: &str) -> Server {
        let file = folder.join("postroad.toml");
        let data = folder.join("data");
        std::fs::write(&file, configuration(&data, settings)).expect("write the configuration");
        let mut command = Command::new(env!("CARGO_BIN_EXE_postroad"));
        command
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .current_dir(folder);
        Server::spawn(command, data)
    }

    /// Starts a command that serves, and waits until it says where it listens.
    pub fn spawn(mut command: Command, data: PathBuf) -> Server {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the binary");
        let lines = Arc::new(Lines::default());
        collect(child.stdout.take().expect("stdout is piped"), &lines);
        collect(child.stderr.take().expect("stderr is piped"), &lines);
        let end = Instant::now() + PATIENCE;
        let said = loop {
            let ended = child
                .try_wait()
                .expect("ask for the server's end")
                .is_some();
            let step = Duration::from_millis(100);
            let said = lines.wait_for(|line| listening(line).is_some(), step);
            if said.is_some() || ended || Instant::now() > end {
                break said;
            }
        };
        let Some(line) = said else {
            let _ = child.kill();
            panic!(
                "the server didn't say where it listens; it said:\n{}",
                lines.all().join("\n")
            );
        };
        let address = listening(&line).expect("the line was found by its address");
        Server {
            child,
            lines,
            address,
            data,
        }
    }

    /// Everything printed so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.all()
    }

    /// Waits until a line satisfies the test, and gives it.
    pub fn wait_for_line(&self, test: impl Fn(&str) -> bool) -> String {
        self.lines
            .wait_for(test, PATIENCE)
            .unwrap_or_else(|| panic!("no such line in:\n{}", self.lines().join("\n")))
    }

    /// Asks at the control socket; the answer with its header.
    pub fn control(&self, method: &str, path: &str) -> String {
        let mut socket = UnixStream::connect(self.data.join("control.sock")).expect("connect");
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).expect("ask");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// What the control socket answers to a GET.
    pub fn look(&self, path: &str) -> serde_json::Value {
        let answer = self.control("GET", path);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a header and a body");
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    /// The messages in the queue, oldest first.
    pub fn queue(&self) -> Vec<serde_json::Value> {
        let page = self.look("/v1/queue?most=10000");
        page["messages"].as_array().expect("a list").clone()
    }

    /// Waits until something is so.
    pub fn wait_until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !so() {
            assert!(
                Instant::now() < end,
                "{what} never came; the server said:\n{}",
                self.lines().join("\n")
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a command of the binary against this server, and gives what it printed.
    pub fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_postroad"))
            .args(arguments)
            .arg("--socket")
            .arg(self.data.join("control.sock"))
            .output()
            .expect("run the binary");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{arguments:?}: {printed}{complained}"
        );
        printed
    }

    /// Waits until there are so many lines with this text.
    pub fn wait_for_lines(&self, count: usize, text: &str) {
        let end = Instant::now() + PATIENCE;
        while self
            .lines()
            .iter()
            .filter(|line| line.contains(text))
            .count()
            < count
        {
            assert!(
                Instant::now() < end,
                "not {count} lines with {text} in:\n{}",
                self.lines().join("\n")
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a line after the first `before` satisfies the test, and gives it.
    pub fn wait_for_line_after(&self, before: usize, test: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines();
            if let Some(line) = lines.iter().skip(before).find(|line| test(line)) {
                return line.clone();
            }
            assert!(
                Instant::now() < end,
                "no such line in:\n{}",
                lines.join("\n")
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGKILL, as a crash of the process would end it.
    pub fn kill(mut self) {
        self.child.kill().expect("kill the server");
        self.child.wait().expect("wait for the server");
    }

    /// Sends SIGTERM and waits for the end of the drain.
    pub fn terminate(&mut self) -> ExitStatus {
        self.tell_to_end();
        self.wait()
    }

    /// Sends SIGTERM.
    pub fn tell_to_end(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("send it");
    }

    /// Waits until the process has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("ask for the server's end") {
                return status;
            }
            assert!(
                Instant::now() < end,
                "the server didn't end; it said:\n{}",
                self.lines().join("\n")
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A client connected to it, the greeting read.
    pub fn connect(&self) -> Client {
        let mut client = Client::open(self.address).expect("connect");
        assert_eq!(client.reply().expect("a greeting").0, 220);
        client
    }

    /// Sends one message to one recipient and insists on the 250.
    pub fn send(&self, recipient: &str, octets: &[u8]) {
        self.send_from("sender@client.test", &[recipient], octets);
    }

    /// Sends one message and insists on the 250.
    pub fn send_from(&self, reverse_path: &str, recipients: &[&str], octets: &[u8]) {
        let mut client = self.connect();
        client.expect("EHLO client.test", 250);
        let body = match octets.is_ascii() {
            true => "",
            false => " BODY=8BITMIME",
        };
        client.expect(&format!("MAIL FROM:<{reverse_path}>{body}"), 250);
        for recipient in recipients {
            client.expect(&format!("RCPT TO:<{recipient}>"), 250);
        }
        client.expect("DATA", 354);
        client.send_data(octets).expect("send the data");
        assert_eq!(client.reply().expect("a final reply").0, 250);
        client.expect("QUIT", 221);
    }

    /// Waits until all mailboxes together hold `count` messages, and gives them.
    pub fn wait_for_messages(&self, count: usize) -> Vec<Delivered> {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = messages(&self.data);
            if found.len() >= count {
                return found;
            }
            assert!(
                Instant::now() < end,
                "{} of {count} messages; the server said:\n{}",
                found.len(),
                self.lines().join("\n")
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder for each of two servers.
pub fn folders() -> (tempfile::TempDir, tempfile::TempDir) {
    let folder = || tempfile::tempdir().expect("a folder");
    (folder(), folder())
}

/// The settings of a test, and before them what every test needs.
pub fn configuration(data: &Path, settings: &str) -> String {
    let mut text = format!("data_dir = {:?}\n", data);
    if !settings.contains("hostname =") {
        text.push_str("hostname = \"mx.test\"\n");
    }
    let mut top = settings.lines().take_while(|line| !line.starts_with('['));
    if nix::unistd::geteuid().is_root() && !top.any(|line| line.starts_with("user =")) {
        // The binary refuses to run as root unless it is told whom to become.
        text.push_str("user = \"root\"\n");
    }
    text.push_str(settings);
    if !settings.contains("[[listener]]") {
        text.push_str("\n[[listener]]\naddress = \"127.0.0.1:0\"\n");
    }
    if !settings.contains("[spool]") {
        // Segments are written full of zeros before use; small ones let hundreds of servers start.
        text.push_str("\n[spool]\nsegment_size = \"1 MiB\"\n");
    }
    text
}

/// The address in the line by which the server says where it listens.
fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    rest.split([' ', ',', '"']).next()?.parse().ok()
}

fn collect(stream: impl Read + Send + 'static, lines: &Arc<Lines>) {
    let lines = Arc::clone(lines);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.seen.lock().expect("no reader panics").push(line);
            lines.more.notify_all();
        }
    });
}

impl Lines {
    fn all(&self) -> Vec<String> {
        self.seen.lock().expect("no reader panics").clone()
    }

    fn wait_for(&self, test: impl Fn(&str) -> bool, patience: Duration) -> Option<String> {
        let end = Instant::now() + patience;
        let mut seen = self.seen.lock().expect("no reader panics");
        loop {
            if let Some(line) = seen.iter().find(|line| test(line)) {
                return Some(line.clone());
            }
            let left = end.checked_duration_since(Instant::now())?;
            seen = self
                .more
                .wait_timeout(seen, left)
                .expect("no reader panics")
                .0;
        }
    }
}

/// A client that says exactly what it is told.
pub struct Client {
    stream: BufReader<tls::Carrier>,
}

impl Client {
    /// Connects, and no more.
    pub fn open(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client {
            stream: BufReader::new(tls::Carrier::Clear(stream)),
        })
    }

    /// The same client, once it has done its part of a TLS handshake; it shows a certificate if it is told to.
    pub fn secured(self, folder: &Path, shows_certificate: bool) -> std::io::Result<Client> {
        let carrier = self.stream.into_inner();
        let stream = BufReader::new(carrier.secured(folder, shows_certificate)?);
        Ok(Client { stream })
    }

    /// Sends octets as they are.
    pub fn raw(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(octets)
    }

    /// Sends a line.
    pub fn line(&mut self, line: &str) -> std::io::Result<()> {
        self.raw(format!("{line}\r\n").as_bytes())
    }

    /// Reads a line, whatever it is, without its CRLF.
    pub fn hear(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.strip_suffix("\r\n");
        Ok(line.ok_or(std::io::ErrorKind::InvalidData)?.to_owned())
    }

    /// Reads one reply: its code, and its lines without code and line end.
    pub fn reply(&mut self) -> std::io::Result<(u16, Vec<String>)> {
        let mut texts = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line
                .strip_suffix("\r\n")
                .unwrap_or_else(|| panic!("no CRLF: {line:?}"));
            let code = line.get(..3).and_then(|c| c.parse().ok());
            let code = code.unwrap_or_else(|| panic!("no code: {line:?}"));
            texts.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok((code, texts));
            }
        }
    }

    /// Sends a line and gives the reply.
    pub fn ask(&mut self, line: &str) -> (u16, Vec<String>) {
        self.line(line)
            .unwrap_or_else(|e| panic!("sending {line:?}: {e}"));
        self.reply()
            .unwrap_or_else(|e| panic!("the reply to {line:?}: {e}"))
    }

    /// Sends a line and insists on the reply's code.
    pub fn expect(&mut self, line: &str, code: u16) -> Vec<String> {
        let (got, texts) = self.ask(line);
        assert_eq!(got, code, "the reply to {line:?} was {got} {texts:?}");
        texts
    }

    /// Sends a message's octets, dot-stuffed, and the end of data.
    pub fn send_data(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.raw(&stuffed(octets))
    }

    /// Whether the server has closed the connection, after anything still to be read.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).is_ok()
    }
}

/// Octets as DATA wants them (RFC 5321 4.5.2), with the end of data.
pub fn stuffed(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 8);
    for line in octets.split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

/// A message in a mailbox.
pub struct Delivered {
    /// Its file.
    pub path: PathBuf,
    /// All of it, the fields of this server included.
    pub octets: Vec<u8>,
}

impl Delivered {
    /// What was received, without the Return-Path and the Received field that this server put
    /// before it.
    pub fn received(&self) -> &[u8] {
        let after_return_path = after_field(&self.octets, b"Return-Path:");
        after_field(after_return_path, b"Received:")
    }

    /// The first line that begins with `name`, without it.
    pub fn line_after(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.octets);
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|rest| rest.trim().to_owned())
    }
}

/// What follows the first field, which must have this name.
fn after_field<'a>(octets: &'a [u8], name: &[u8]) -> &'a [u8] {
    assert!(
        octets.starts_with(name),
        "{:?}",
        String::from_utf8_lossy(&octets[..octets.len().min(200)])
    );
    let mut at = 0;
    loop {
        let end = octets[at..]
            .windows(2)
            .position(|w| w == b"\r\n")
            .expect("a field ends")
            + at
            + 2;
        match octets.get(end) {
            Some(b' ' | b'\t') => at = end,
            _ => return &octets[end..],
        }
    }
}

/// Every message in every mailbox below the data folder.
pub fn messages(data: &Path) -> Vec<Delivered> {
    let mut found = Vec::new();
    walk(&data.join("mail"), &mut found);
    found
}

fn walk(folder: &Path, found: &mut Vec<Delivered>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found);
        } else if folder.ends_with("new") || folder.ends_with("cur") {
            let octets = std::fs::read(&path).expect("read a delivered message");
            found.push(Delivered { path, octets });
        }
    }
}

/// How many messages each name has, a name being what follows `field` in it.
pub fn count_by(found: &[Delivered], field: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in found {
        let name = message
            .line_after(field)
            .unwrap_or_else(|| panic!("no {field} in {:?}", message.path));
        *counts.entry(name).or_default() += 1;
    }
    counts
}
