//! The operator's commands: on a server that runs, and on the queue of one that doesn't.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::{User, geteuid};
use tempfile::TempDir;

use crate::harness::{PATIENCE, Server, configuration};

const SETTINGS: &str = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\", \"grace\"]

[domain.aliases]
info = [\"ada\", \"grace\"]

[delivery]
retry_first = \"1h\"
";

mod asking;
mod pages;
mod steering;
mod without_server;

/// A server whose mailbox ada can't be written.
struct Stuck {
    folder: TempDir,
    server: Server,
}

impl Stuck {
    fn start() -> Stuck {
        Stuck::with(SETTINGS)
    }

    fn with(settings: &str) -> Stuck {
        let folder = tempfile::tempdir().expect("a folder");
        let domain = folder.path().join("data/mail/example.test");
        std::fs::create_dir_all(&domain).expect("its folder");
        std::fs::write(domain.join("ada"), "in the way").expect("write it");
        let server = Server::start(folder.path(), settings);
        Stuck { folder, server }
    }

    /// Sends a message from `sender` to ada.
    fn send(&self, sender: &str) {
        self.send_to(sender, &["ada@example.test"]);
    }

    fn send_to(&self, sender: &str, recipients: &[&str]) {
        let mut client = self.server.connect();
        client.expect("EHLO client.test", 250);
        client.expect(&format!("MAIL FROM:<{sender}>"), 250);
        for recipient in recipients {
            let (code, texts) = client.ask(&format!("RCPT TO:<{recipient}>"));
            // Once ada's mailbox is known to fail, who sends there hears it.
            assert_eq!(code, 250, "{texts:?}");
        }
        client.expect("DATA", 354);
        client
            .send_data(b"Subject: hello\r\n\r\n")
            .expect("send the data");
        assert_eq!(client.reply().expect("a final reply").0, 250);
        client.expect("QUIT", 221);
    }

    /// What is in ada's way goes out of it.
    fn mend(&self) {
        let way = self.server.data.join("mail/example.test/ada");
        std::fs::remove_file(way).expect("remove it");
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("postroad.toml")
    }

    /// Runs `postroad queue ...`.
    fn queue(&self, arguments: &[&str]) -> Said {
        let file = self.file().display().to_string();
        let mut all = vec!["queue"];
        all.extend(arguments);
        all.extend(["--config", &file]);
        postroad(&all, self.folder.path())
    }

    /// The ids of the messages that `queue list` finds.
    fn ids(&self, filters: &[&str]) -> Vec<String> {
        let mut arguments = vec!["list", "--json"];
        arguments.extend(filters);
        let said = self.queue(&arguments);
        let line = |line: &str| {
            let (_, rest) = line.split_once("\"id\":\"").expect("an id");
            rest.split('"').next().expect("its end").to_owned()
        };
        said.out.lines().map(line).collect()
    }

    /// Waits until so many messages match.
    fn wait_for(&self, filters: &[&str], count: usize) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let ids = self.ids(filters);
            if ids.len() == count {
                return ids;
            }
            let said = || self.server.lines().join("\n");
            assert!(Instant::now() < end, "{filters:?}: {ids:?}\n{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What a command said.
struct Said {
    out: String,
    err: String,
    code: Option<i32>,
}

fn said(output: Output) -> Said {
    let text = |octets| String::from_utf8(octets).expect("UTF-8");
    Said {
        out: text(output.stdout),
        err: text(output.stderr),
        code: output.status.code(),
    }
}

fn postroad(arguments: &[&str], folder: &Path) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postroad"));
    command.args(arguments).current_dir(folder);
    said(command.output().expect("run the binary"))
}

#[track_caller]
fn done(said: &Said, out: &str) {
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert_eq!(said.out, out);
}
