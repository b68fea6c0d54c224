//! Plays every file of `tests/dialogues/` against the real binary, each on a server of its own.
//!
//! A file is read from the top. `#` begins a comment. Lines before the first `C:` or `S:` are
//! settings of the server's configuration. `C: ` sends a line with its CRLF; `R: ` sends octets as they are, with
//! `\r \n \0 \t \\ \xNN` for what a text file can't hold and `\{N:c}` for N times the character c.
//! `S: ` expects a line, in which `*` stands for anything. `--` closes the connection and opens the
//! next. `END` expects the server to close. `MAILBOX n` waits until n messages are in mailboxes.

// A test from the outside: it has real time, files, sockets and processes, and prints what it did.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod harness;

use std::path::Path;

use harness::{Client, Server};

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
    let failures: Vec<String> = files.iter().filter_map(|file| play(file).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    println!("{} dialogues", files.len());
}

/// Plays one file; the error names the file, the line, and what came instead.
fn play(file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).expect("read the dialogue");
    let is_step = |line: &str| {
        ["C: ", "S: ", "R: "]
            .iter()
            .any(|mark| line.starts_with(mark))
    };
    let settings: String = text
        .lines()
        .take_while(|line| !is_step(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &settings);
    let mut player = Player {
        server: &server,
        client: None,
        reply: Vec::new(),
    };
    for (number, line) in text.lines().enumerate().skip(settings.lines().count()) {
        player
            .step(line)
            .map_err(|what| format!("{}:{}: {line}\n    {what}", file.display(), number + 1))?;
    }
    player
        .step("--")
        .map_err(|what| format!("{}: at the end: {what}", file.display()))
}

/// One connection of a dialogue and what has been read of the current reply.
struct Player<'a> {
    server: &'a Server,
    client: Option<Client>,
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
        } else if let Some(count) = line.strip_prefix("MAILBOX ") {
            let count = count.parse().map_err(|e| format!("{e}"))?;
            self.server.wait_for_messages(count);
            Ok(())
        } else if line == "END" {
            self.nothing_left()?;
            let mut client = self.client.take().ok_or("no connection")?;
            if client.is_closed() {
                Ok(())
            } else {
                Err("the connection is still open".into())
            }
        } else if line == "--" {
            self.nothing_left()?;
            self.client = None;
            Ok(())
        } else {
            Err("not a step of a dialogue".into())
        }
    }

    fn client(&mut self) -> Result<&mut Client, String> {
        if self.client.is_none() {
            let client = Client::open(self.server.address).map_err(|e| e.to_string())?;
            self.client = Some(client);
        }
        self.client.as_mut().ok_or_else(|| "no connection".into())
    }

    fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        self.nothing_left()?;
        self.client()?.raw(octets).map_err(|e| e.to_string())
    }

    fn expect(&mut self, pattern: &str) -> Result<(), String> {
        if self.reply.is_empty() {
            let (code, texts) = self.client()?.reply().map_err(|e| e.to_string())?;
            let last = texts.len() - 1;
            let mark = |at| if at == last { ' ' } else { '-' };
            self.reply = texts
                .iter()
                .enumerate()
                .map(|(at, t)| format!("{code}{}{t}", mark(at)))
                .collect();
            self.reply.reverse();
        }
        let line = self.reply.pop().ok_or("an empty reply")?;
        if matches(pattern, &line) {
            Ok(())
        } else {
            Err(format!("came: {line}"))
        }
    }

    fn nothing_left(&self) -> Result<(), String> {
        match self.reply.last() {
            Some(line) => Err(format!("an unexpected line before it: {line}")),
            None => Ok(()),
        }
    }
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
                let (count, what) = inside.split_once(':').ok_or("`\\{N:c}` without `:`")?;
                let count: usize = count.parse().map_err(|e| format!("{e}"))?;
                out.extend(what.as_bytes().repeat(count));
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
        unescape(r"a\r\n\0\x80\{3:.}").expect("fits"),
        b"a\r\n\0\x80..."
    );
}
