//! Plays every file of `tests/dialogues/` against the real binary, each on a server of its own.
//!
//! A file is read from the top. `#` begins a comment. Lines before the first step are settings of the
//! server's configuration. The steps:
//!
//! * `C: ` sends a line with its CRLF;
//! * `R: ` sends octets as they are, with `\r \n \0 \t \\ \xNN` for what a text file can't hold
//!   and `\{N:text}` for N times the text;
//! * `S: ` expects a line, in which `*` stands for anything;
//! * `S* CODE` expects a whole reply by its code, and `S* CODE N` so many of them;
//! * `H: ` expects a line that the server says as a client, once the roles have changed, likewise;
//! * `--` closes the connection, and the next step opens another;
//! * `END` expects the server to close;
//! * `MAILBOX N` waits until there are N messages in mailboxes, and no more, and the server knows it;
//! * `SPOIL PATH` puts a file into the data folder, where the server would make a folder, and
//!   `MEND PATH` takes it away;
//! * `MOVE FROM TO` gives something in the data folder another name;
//! * `FILL` writes into the data folder until its disk is full, and `FREE` takes that away;
//! * `TLS` does the client's part of a TLS handshake, and `TLS CERTIFICATE` shows a certificate for `home.test` in it;
//! * `SCRAM NAME PASSWORD` goes through an exchange of SCRAM-SHA-256, up to its last reply;
//! * `RELOAD` tells the server to read its configuration again;
//! * `STOP` tells the server to stop;
//! * `LOG TEXT` waits until the server has written a line to its log that has this text in it;
//! * `AS NAME` goes on as the client of this name, each with a connection of its own;
//! * `UNTIL CODE COMMAND` gives the command until that is its reply, with RSET after each other one.
//!
//! * `LOGIN` opens a terminal and logs the user of the test in there, `LOGOUT` logs it out everywhere;
//!   `MESG y` and `MESG n` let that terminal take messages or none, `HOLD` and `GO ON` are ^S and ^Q;
//! * `SHOWN TEXT` waits until that terminal shows this text, and `NOTHING SHOWN` insists that it is blank.
//!
//! `@USER@` stands for the name of the user of the test, `@LOGINS@` in a setting for the list of who is
//! logged in, `@PORT@` for a port that is free.
//!
//! Lines `DNS NAME ...` among the settings give a name server what it says of a domain (as
//! `harness/name_server.rs` says), and `@DNS@` in a setting stands for its address.
//!
//! A line `CERTIFICATES` among the settings makes the files that `harness/tls.rs` says; a line `USER NAME PASSWORD` gives
//! a user a password in the file `passwords`.
//!
//! A line `DISK SIZE` among the settings gives the data folder a disk of that size. Where the machine
//! lets nobody mount one, the dialogue is left out, which is said.
//!
//! With `POSTROAD_DIALOGUE=NAME` only those are played whose name has that in it.
//!
//! In the end it is known which rows of the reply table have been seen, each being a command and a
//! code that answered it. Those that no dialogue has shown stand in `dialogues/not-seen.txt`; once there are
//! none it goes, and from then on each row of the table needs its dialogue.

// A test from the outside: it has real time, files, sockets and processes, and prints what it did.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use harness::asked::Asked;
use harness::name_server::NameServer;
use harness::terminal::{self, Terminal};
use harness::tmpfs::Tmpfs;
use harness::{Client, PATIENCE, Server, tls};
use nix::sys::signal::Signal;
use postroad_reply::{Command, Situation, Source};
use postroad_wire::base64;

/// Rows of the reply table: a command and a code that answered it.
type Rows = BTreeSet<(Command, u16)>;

/// How many dialogues are played at once; they mostly wait.
const AT_ONCE: usize = 4;

#[test]
fn every_dialogue_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of dialogues")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "smtp"))
        .collect();
    files.sort();
    assert!(files.len() > 10, "only {} dialogues", files.len());
    let only = std::env::var("POSTROAD_DIALOGUE").ok();
    if let Some(name) = &only {
        files.retain(|file| file.to_string_lossy().contains(name));
    }
    let seen = Mutex::new(Rows::new());
    let failures = Mutex::new(Vec::new());
    let left_out = Mutex::new(0);
    let left = Mutex::new(files.iter());
    let next = || left.lock().expect("no player panics").next();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(file) = next() {
                    match play(file) {
                        Ok(Some(rows)) => seen.lock().expect("no player panics").extend(rows),
                        Ok(None) => *left_out.lock().expect("no player panics") += 1,
                        Err(what) => failures.lock().expect("no player panics").push(what),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no player panicked");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let seen = seen.into_inner().expect("no player panicked");
    println!("{} dialogues, {} rows seen", files.len(), seen.len());
    let left_out = left_out.into_inner().expect("no player panicked");
    if only.is_some() {
        return;
    }
    if left_out > 0 {
        println!("{left_out} dialogues left out: what they show is not looked for");
        return;
    }
    compare_with_the_list(&folder.join("not-seen.txt"), &seen);
}

/// The list has exactly what was not seen: a row seen for the first time has to leave it. Where there is no
/// list, every row of the table has to be seen.
fn compare_with_the_list(file: &PathBuf, seen: &Rows) {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => panic!("{}: {error}", file.display()),
    };
    let listed: BTreeSet<String> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(':').map_or(line, |(row, _)| row).to_owned())
        .collect();
    let unseen: BTreeMap<String, String> = rows()
        .into_iter()
        .filter(|(row, _)| !seen.contains(row))
        .map(|((command, code), about)| (format!("{} {code}", command.name()), about))
        .collect();
    let is_empty = !text.is_empty() && listed.is_empty();
    assert!(
        !is_empty,
        "{}: every row is shown, so it can go",
        file.display()
    );
    let missing: Vec<String> = unseen
        .iter()
        .filter(|(row, _)| !listed.contains(*row))
        .map(|(row, about)| format!("{row}: no dialogue shows it, nor is it listed: {about}"))
        .collect();
    let stale = listed.iter().filter(|row| !unseen.contains_key(*row));
    let stale = stale.map(|row| format!("{row}: listed, and seen or not in the table"));
    let wrong: Vec<String> = missing.into_iter().chain(stale).collect();
    assert!(
        wrong.is_empty(),
        "{}:\n{}",
        file.display(),
        wrong.join("\n")
    );
}

/// All rows and additions of the table, with what they are about.
fn rows() -> BTreeMap<(Command, u16), String> {
    Situation::all()
        .map(|s| ((s.command, s.code.number()), s.about.to_owned()))
        .collect()
}

/// Plays one file, and gives the rows it saw; none if the machine can't have its fault. The error
/// names the file, the line, and what came instead.
fn play(file: &Path) -> Result<Option<Rows>, String> {
    let text = std::fs::read_to_string(file).expect("read the dialogue");
    let is_step = |line: &str| {
        ["C: ", "S: ", "S* ", "R: ", "AS "]
            .iter()
            .any(|mark| line.starts_with(mark))
            || line == "TLS"
    };
    let settings: String = text
        .lines()
        .take_while(|line| !is_step(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let steps_from = settings.lines().count();
    let (disks, settings): (Vec<&str>, Vec<&str>) =
        settings.lines().partition(|line| line.starts_with("DISK "));
    let (zone, settings): (Vec<&str>, Vec<&str>) = settings
        .into_iter()
        .partition(|line| line.starts_with("DNS "));
    let name_server = NameServer::start(zone.iter().map(|line| &line["DNS ".len()..]));
    let (certificates, settings): (Vec<&str>, Vec<&str>) = settings
        .into_iter()
        .partition(|line| *line == "CERTIFICATES");
    if !certificates.is_empty() {
        tls::certificates(folder.path());
    }
    let (users, settings): (Vec<&str>, Vec<&str>) = settings
        .into_iter()
        .partition(|line| line.starts_with("USER "));
    tls::users(
        folder.path(),
        users.iter().map(|line| &line["USER ".len()..]),
    );
    let settings = settings.join("\n") + "\n";
    let settings = settings.replace("@DNS@", &name_server.address.to_string());
    let logins = folder.path().join("utmp");
    terminal::write_logins(&logins, &[]);
    let user = terminal::user();
    let settings = settings.replace("@LOGINS@", &logins.display().to_string());
    let settings = settings.replace("@USER@", &user);
    let mut disk = None;
    if let Some(size) = disks.first().and_then(|line| line.strip_prefix("DISK ")) {
        disk = Tmpfs::mount(&folder.path().join("data"), size);
        if disk.is_none() {
            println!("left out: {}", file.display());
            return Ok(None);
        }
    }
    let server = Server::start(folder.path(), &settings);
    let mut player = Player {
        server: &server,
        disk,
        talk: Talk::default(),
        name: String::new(),
        others: BTreeMap::new(),
        seen: Rows::new(),
        is_classic: settings.contains("strict_classic = true"),
        terminals: Vec::new(),
        logins,
    };
    let text = text.replace("@USER@", &user);
    for (number, line) in text.lines().enumerate().skip(steps_from) {
        player
            .step(line)
            .map_err(|what| format!("{}:{}: {line}\n    {what}", file.display(), number + 1))?;
    }
    player
        .step("--")
        .map_err(|what| format!("{}: at the end: {what}", file.display()))?;
    Ok(Some(player.seen))
}

/// Who plays a dialogue.
struct Player<'a> {
    server: &'a Server,
    /// The data folder's own, where it has one.
    disk: Option<Tmpfs>,
    talk: Talk,
    /// Whose talk that is.
    name: String,
    /// What others have said.
    others: BTreeMap<String, Talk>,
    seen: Rows,
    /// The listener is held to the classic table.
    is_classic: bool,
    /// Where the user of the test is logged in, and where that stands.
    terminals: Vec<Terminal>,
    logins: PathBuf,
}

/// One connection of a dialogue and what has been read of the current reply.
#[derive(Default)]
struct Talk {
    client: Option<Client>,
    asked: Asked,
    /// Lines of the reply that are not yet expected, the next one last.
    reply: Vec<String>,
}

impl Player<'_> {
    fn step(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(text) = line.strip_prefix("C: ") {
            self.send(format!("{text}\r\n").as_bytes())
        } else if let Some(text) = line.strip_prefix("R: ") {
            self.send(&unescape(text)?)
        } else if let Some(pattern) = line.strip_prefix("S: ") {
            self.expect(pattern)
        } else if line == "H:" || line.starts_with("H: ") {
            self.hear(line.strip_prefix("H: ").unwrap_or_default())
        } else if let Some(count) = line.strip_prefix("MAILBOX ") {
            let count = count.parse().map_err(|e| format!("{e}"))?;
            let found = self.server.wait_for_messages(count).len();
            // What it counts in mailboxes it has counted by the time it says so.
            self.server.wait_for_lines(count, "delivery.delivered");
            match found {
                found if found == count => Ok(()),
                more => Err(format!("{more} messages")),
            }
        } else if let Some(path) = line.strip_prefix("SPOIL ") {
            let path = self.server.data.join(path);
            let above = path.parent().ok_or("nothing above it")?;
            let spoilt = std::fs::create_dir_all(above).and_then(|()| std::fs::write(&path, ""));
            spoilt.map_err(|e| e.to_string())
        } else if let Some(path) = line.strip_prefix("MEND ") {
            std::fs::remove_file(self.server.data.join(path)).map_err(|e| e.to_string())
        } else if let Some(names) = line.strip_prefix("MOVE ") {
            let (from, to) = names.split_once(' ').ok_or("two names")?;
            let path = |name| self.server.data.join(name);
            std::fs::rename(path(from), path(to)).map_err(|e| e.to_string())
        } else if line == "TLS" || line == "TLS CERTIFICATE" {
            self.secure(line != "TLS")
        } else if let Some(who) = line.strip_prefix("SCRAM ") {
            self.scram(who)
        } else if line == "RELOAD" {
            self.server.signal(Signal::SIGHUP);
            Ok(())
        } else if line == "STOP" {
            self.server.signal(Signal::SIGTERM);
            Ok(())
        } else if line == "FILL" {
            self.disk.as_ref().ok_or("no disk")?.fill();
            Ok(())
        } else if line == "FREE" {
            self.disk.as_ref().ok_or("no disk")?.free();
            Ok(())
        } else if self.terminal_step(line)? {
            Ok(())
        } else if let Some(text) = line.strip_prefix("LOG ") {
            self.server.wait_for_line(|line| line.contains(text));
            Ok(())
        } else if let Some(name) = line.strip_prefix("AS ") {
            self.nothing_left()?;
            let talk = self.others.remove(name).unwrap_or_default();
            let last = std::mem::replace(&mut self.talk, talk);
            let last_name = std::mem::replace(&mut self.name, name.to_owned());
            self.others.insert(last_name, last);
            Ok(())
        } else if let Some(what) = line.strip_prefix("UNTIL ") {
            self.until(what)
        } else if let Some(replies) = line.strip_prefix("S* ") {
            self.expect_whole(replies)
        } else if line == "END" {
            self.nothing_left()?;
            self.talk.asked = Asked::default();
            let mut client = self.talk.client.take().ok_or("no connection")?;
            if client.is_closed() {
                Ok(())
            } else {
                Err("the connection is still open".into())
            }
        } else if line == "--" {
            self.nothing_left()?;
            self.talk.client = None;
            self.talk.asked = Asked::default();
            Ok(())
        } else {
            Err("not a step of a dialogue".into())
        }
    }

    /// A step about terminals; false if it is none.
    fn terminal_step(&mut self, line: &str) -> Result<bool, String> {
        if line == "LOGOUT" {
            terminal::write_logins(&self.logins, &[]);
            self.terminals.clear();
            return Ok(true);
        }
        if line == "LOGIN" {
            self.terminals.push(Terminal::open());
            terminal::write_logins(&self.logins, &self.terminals);
            return Ok(true);
        }
        let last = self.terminals.last().ok_or("nobody is logged in");
        if let Some(text) = line.strip_prefix("SHOWN ") {
            last?.wait_for(text)?;
        } else if line == "NOTHING SHOWN" {
            match last?.seen() {
                seen if seen.is_empty() => {}
                seen => return Err(format!("the terminal shows {seen:?}")),
            }
        } else if let Some(to) = line.strip_prefix("MESG ") {
            last?.mesg(to == "y");
        } else if line == "HOLD" || line == "GO ON" {
            last?.hold(line == "HOLD");
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn client(&mut self) -> Result<&mut Client, String> {
        if self.talk.client.is_none() {
            let client = Client::open(self.server.address).map_err(|e| e.to_string())?;
            self.talk.client = Some(client);
        }
        self.talk
            .client
            .as_mut()
            .ok_or_else(|| "no connection".into())
    }

    /// Does the client's part of a handshake.
    fn secure(&mut self, shows_certificate: bool) -> Result<(), String> {
        self.nothing_left()?;
        self.client()?;
        let client = self.talk.client.take().ok_or("no connection")?;
        let folder = self.server.data.parent().ok_or("no folder")?;
        let secured = client.secured(folder, shows_certificate);
        self.talk.client = Some(secured.map_err(|e| e.to_string())?);
        self.talk.asked.secured();
        Ok(())
    }

    /// Goes through an exchange of SCRAM-SHA-256, as far as the server does, and leaves its last reply.
    fn scram(&mut self, who: &str) -> Result<(), String> {
        let (name, password) = who.split_once(' ').ok_or("a name and a password")?;
        let nonce = "rOprNGfwEbeRWgbNEkqO";
        let first = base64::encode(format!("n,,n={name},r={nonce}").as_bytes());
        self.send(format!("AUTH SCRAM-SHA-256 {first}\r\n").as_bytes())?;
        let said = match self.read()? {
            (334, texts) => base64::decode(texts[0].as_bytes()).ok_or("no base64")?,
            reply => return self.leave(reply),
        };
        let said = String::from_utf8(said).map_err(|e| e.to_string())?;
        let (last, proof) = tls::scram(name, password, nonce, &said).ok_or("no SCRAM")?;
        self.send(format!("{}\r\n", base64::encode(last.as_bytes())).as_bytes())?;
        match self.read()? {
            (334, texts) if texts[0] == base64::encode(proof.as_bytes()) => self.send(b"\r\n"),
            (334, _) => Err("the server doesn't know the password".into()),
            reply => self.leave(reply),
        }
    }

    /// Leaves a reply that was read to the steps that follow.
    fn leave(&mut self, (code, texts): (u16, Vec<String>)) -> Result<(), String> {
        self.talk.reply = lines(code, &texts);
        Ok(())
    }

    fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        self.nothing_left()?;
        self.talk.asked.sent(octets);
        self.client()?.raw(octets).map_err(|e| e.to_string())
    }

    fn expect(&mut self, pattern: &str) -> Result<(), String> {
        if self.talk.reply.is_empty() {
            let (code, texts) = self.read()?;
            self.talk.reply = lines(code, &texts);
        }
        let line = self.talk.reply.pop().ok_or("an empty reply")?;
        if matches(pattern, &line) {
            Ok(())
        } else {
            Err(format!("came: {line}"))
        }
    }

    /// Expects a line that is no reply.
    fn hear(&mut self, pattern: &str) -> Result<(), String> {
        self.nothing_left()?;
        let line = self.client()?.hear().map_err(|e| e.to_string())?;
        match matches(pattern, &line) {
            true => Ok(()),
            false => Err(format!("came: {line}")),
        }
    }

    /// Gives a command until it gets the code, which must be soon.
    fn until(&mut self, what: &str) -> Result<(), String> {
        let (code, command) = what.split_once(' ').ok_or("a code and a command")?;
        let end = Instant::now() + PATIENCE;
        loop {
            self.send(format!("{command}\r\n").as_bytes())?;
            let (came, texts) = self.read()?;
            if came.to_string() == code {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("still {came} {}", texts.join(" / ")));
            }
            self.send(b"RSET\r\n")?;
            self.read()?;
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn expect_whole(&mut self, replies: &str) -> Result<(), String> {
        self.nothing_left()?;
        let (code, count) = replies.split_once(' ').unwrap_or((replies, "1"));
        let count: usize = count.parse().map_err(|e| format!("{e}"))?;
        for _ in 0..count {
            let (came, texts) = self.read()?;
            if came.to_string() != code {
                return Err(format!("came: {came} {}", texts.join(" / ")));
            }
        }
        Ok(())
    }

    /// Reads a reply and notes what it answers.
    fn read(&mut self) -> Result<(u16, Vec<String>), String> {
        let (code, texts) = self.client()?.reply().map_err(|e| e.to_string())?;
        let asked = self.talk.asked.answered_by(code);
        // What the row of the command doesn't have, the row of any command must.
        let row = [asked, Command::Any].into_iter().find(|command| {
            let mut situations = command.situations();
            situations.any(|situation| situation.code.number() == code)
        });
        let is_classic = |command: Command| {
            let mut rows = command.situations().filter(|s| s.source == Source::Row);
            rows.any(|situation| situation.code.number() == code)
        };
        // What answers no command of the classic table is as any of its commands has it.
        let by_another = [Command::Connect, Command::Noop].map(is_classic);
        if self.is_classic && !is_classic(asked) && by_another == [false; 2] {
            return Err(format!("{code} is no classic reply to {}", asked.name()));
        }
        match row {
            Some(command) => {
                self.seen.insert((command, code));
                Ok((code, texts))
            }
            None => Err(format!(
                "{code} is no reply to {} by the table",
                asked.name()
            )),
        }
    }

    fn nothing_left(&self) -> Result<(), String> {
        match self.talk.reply.last() {
            Some(line) => Err(format!("an unexpected line before it: {line}")),
            None => Ok(()),
        }
    }
}

/// The lines of a reply, the last one first.
fn lines(code: u16, texts: &[String]) -> Vec<String> {
    let last = texts.len() - 1;
    let mark = |at| if at == last { ' ' } else { '-' };
    let lines = texts.iter().enumerate();
    let lines = lines.map(|(at, text)| format!("{code}{}{text}", mark(at)));
    lines.rev().collect()
}

/// Whether a line fits a pattern in which `*` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == line,
        Some((before, after)) => line.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(after, &rest[at..]))
        }),
    }
}

/// Octets written with `\` for what a text file can't hold.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let kind = rest[at + 1..].chars().next().ok_or("a `\\` at the end")?;
        rest = &rest[at + 1 + kind.len_utf8()..];
        match kind {
            'r' => out.push(b'\r'),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            '0' => out.push(0),
            '\\' => out.push(b'\\'),
            'x' => {
                let digits = rest.get(..2).ok_or("`\\x` without two digits")?;
                out.push(u8::from_str_radix(digits, 16).map_err(|e| e.to_string())?);
                rest = &rest[2..];
            }
            '{' => {
                let (inside, after) = rest.split_once('}').ok_or("`\\{` without `}`")?;
                let (count, what) = inside.split_once(':').ok_or("`\\{N:text}` without `:`")?;
                let count: usize = count.parse().map_err(|e| format!("{e}"))?;
                out.extend(unescape(what)?.repeat(count));
                rest = after;
            }
            other => return Err(format!("`\\{other}` means nothing here")),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

#[test]
fn patterns_and_escapes_mean_what_they_say() {
    assert!(matches("250 2.0.0 *", "250 2.0.0 stored as X"));
    assert!(matches("*", ""));
    assert!(!matches("250 *x", "250 y"));
    assert_eq!(
        unescape(r"a\r\n\0\x80\{3:.\t}").expect("fits"),
        b"a\r\n\0\x80.\t.\t.\t"
    );
}
