//! The operator's commands: on a server that runs, and on the queue of one that doesn't.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
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

/// What an operator does on a bad day: look, understand, hold, mend, let go.
#[test]
fn a_stuck_message_is_seen_understood_held_and_let_go() {
    let stuck = Stuck::start();
    done(&stuck.queue(&["list"]), "the queue is empty\n");
    stuck.send_to("bob@client.test", &["info@example.test"]);
    let ids = stuck.wait_for(&["--state", "deferred"], 1);
    let id = ids[0].as_str();

    let listed = stuck.queue(&["list"]);
    let lines: Vec<&str> = listed.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}", listed.out);
    assert!(lines[0].starts_with("ID "), "{}", listed.out);
    assert!(lines[1].starts_with(id), "{}", listed.out);
    let path = "bob@client.test -> ada@example.test +1";
    assert!(lines[1].ends_with(path), "{}", listed.out);
    assert!(lines[2].contains("Not a directory"), "{}", listed.out);
    assert_eq!(lines[3], "1 message");
    assert!(!listed.out.contains('\x1b'), "{}", listed.out);

    let shown = stuck.queue(&["show", id]);
    for words in [
        "It was received by ESMTP from client.test [127.0.0.1] at ",
        "Its sender is bob@client.test.",
        "Of 2 recipients, 1 delivered.",
        "The mail for ada@example.test was tried once: ",
        "It is tried next in ",
        "ada@example.test (for info@example.test): pending, next hop mailbox, tried once, due ",
        "grace@example.test (for info@example.test): delivered",
        "  received by ESMTP from client.test [127.0.0.1]",
        "  deferred ada@example.test: ",
        "  delivered grace@example.test: ",
    ] {
        assert!(shown.out.contains(words), "{words:?} in:\n{}", shown.out);
    }

    done(&stuck.queue(&["hold", id]), "held 1 message\n");
    assert_eq!(stuck.ids(&["--state", "held"]), ids);
    let shown = stuck.queue(&["show", id]);
    assert!(shown.out.contains("An operator holds it"), "{}", shown.out);
    stuck.mend();
    done(&stuck.queue(&["retry", id]), "made due 1 message\n");
    // Due or not, it is held.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(stuck.ids(&[]), ids);
    done(&stuck.queue(&["release", "--all"]), "released 1 message\n");
    stuck.server.wait_for_messages(2);
    stuck.wait_for(&[], 0);

    let gone = stuck.queue(&["show", id]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains("there is no message"), "{}", gone.err);
    assert!(gone.err.contains("the log"), "{}", gone.err);
}

#[test]
fn a_dry_run_counts_and_a_filter_deletes_no_others() {
    let stuck = Stuck::start();
    // All at once, before ada's mailbox is known to fail.
    let mut clients: Vec<_> = (0..3).map(|_| stuck.server.connect()).collect();
    for (client, sender) in clients
        .iter_mut()
        .zip(["a@one.test", "b@one.test", "c@two.test"])
    {
        client.expect("EHLO client.test", 250);
        client.expect(&format!("MAIL FROM:<{sender}>"), 250);
        client.expect("RCPT TO:<ada@example.test>", 250);
    }
    for client in &mut clients {
        client.expect("DATA", 354);
        client.expect(".", 250);
    }
    stuck.wait_for(&["--state", "deferred"], 3);

    let from_one = ["--sender", "@one.test"];
    let dry = stuck.queue(&[&["delete", "--dry-run"][..], &from_one].concat());
    done(&dry, "2 messages of 3 would be deleted; nothing is done\n");
    assert_eq!(stuck.ids(&[]).len(), 3);
    let json = stuck.queue(&["hold", "--all", "--json", "-n"]);
    assert!(json.out.contains("\"matched\": 3"), "{}", json.out);
    let to = stuck.queue(&[
        "redirect",
        "--to",
        "smtp://192.0.2.1",
        "--sender",
        "c@two.test",
        "-n",
    ]);
    let words = "1 message of 3 would be redirected to smtp://192.0.2.1:25; nothing is done\n";
    done(&to, words);

    // Without a terminal nobody can be asked.
    let deleted = stuck.queue(&[&["delete"][..], &from_one].concat());
    done(&deleted, "deleted 2 messages\n");
    assert_eq!(stuck.ids(&["--sender", "*@two.test"]).len(), 1);
    assert_eq!(stuck.ids(&[]).len(), 1);
    let none = stuck.queue(&[&["delete", "--yes"][..], &from_one].concat());
    assert_eq!(
        (none.code, none.out.as_str()),
        (Some(1), "no message matches\n")
    );
    let unknown = stuck.queue(&["hold", "0000000000001"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.err.contains("no message 0000000000001"),
        "{}",
        unknown.err
    );
}

#[test]
fn what_makes_no_sense_is_2_and_says_what_does() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, words) in [
        (&["hold"][..], "by their ids, by filters"),
        (&["delete", "--all", "--sender", "x"], "don't go together"),
        (&["delete", "--all", "0000000000001"], "don't go together"),
        (&["show"], "<ID>"),
        (&["show", "nonsense"], "a queue id is 13 characters"),
        (
            &["list", "--state", "lost"],
            "active, queued, deferred, held, notice",
        ),
        (&["list", "--age", "1h"], "'>1h' for older"),
        (&["list", "--older", "5"], "90s, 10m, 2h"),
        (&["redirect", "--all"], "--to"),
        (&["redirect", "--all", "--to", "mx.example"], "smtp:"),
        (
            &["redirect", "--all", "--to", "smtp://mx.example", "--back"],
            "cannot be used with",
        ),
    ] {
        let said = postroad(&[&["queue"], arguments].concat(), folder.path());
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.err);
        assert!(said.err.contains(words), "{arguments:?}: {}", said.err);
    }
}

/// All of it on the spool itself, and the next start finds what was done.
#[test]
fn a_queue_without_a_server_is_seen_and_steered() {
    let mut stuck = Stuck::start();
    let mut one = stuck.server.connect();
    one.expect("EHLO client.test", 250);
    for sender in ["first@client.test", "second@client.test"] {
        one.expect(&format!("MAIL FROM:<{sender}>"), 250);
        let (code, _) = one.ask("RCPT TO:<ada@example.test>");
        if code == 450 {
            // Its mailbox is known to fail by now; who sends to both is taken.
            one.expect("RCPT TO:<info@example.test>", 250);
        }
        one.expect("DATA", 354);
        one.expect(".", 250);
    }
    let ids = stuck.wait_for(&["--state", "deferred"], 2);
    assert!(stuck.server.terminate().success());
    assert!(!stuck.server.data.join("control.sock").exists());

    let listed = stuck.queue(&["list"]);
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    assert!(
        listed
            .err
            .starts_with("no server runs; this is the queue in "),
        "{}",
        listed.err
    );
    assert!(listed.out.ends_with("2 messages\n"), "{}", listed.out);
    assert_eq!(stuck.ids(&["--sender", "first@client.test"]), ids[..1]);
    done(&stuck.queue(&["hold", &ids[0]]), "held 1 message\n");
    done(&stuck.queue(&["release", "--all"]), "released 1 message\n");
    done(&stuck.queue(&["delete", &ids[1]]), "deleted 1 message\n");
    done(
        &stuck.queue(&["redirect", "--to", "smtp://192.0.2.1", &ids[0]]),
        "redirected 1 message to smtp://192.0.2.1:25\n",
    );
    let back = "redirected 1 message to their recipients' own next hops\n";
    done(&stuck.queue(&["redirect", "--back", &ids[0]]), back);
    let shown = stuck.queue(&["show", &ids[0]]);
    assert!(
        shown.out.contains("released by an operator"),
        "{}",
        shown.out
    );
    assert_eq!(stuck.ids(&[]), ids[..1]);
    stuck.mend();
    done(&stuck.queue(&["retry", "--all"]), "made due 1 message\n");

    let again = Server::start(stuck.folder.path(), SETTINGS);
    stuck.server = again;
    stuck.wait_for(&[], 0);
    let found = stuck.server.wait_for_messages(1);
    let ada: Vec<_> = found
        .iter()
        .filter(|m| m.path.to_string_lossy().contains("/ada/"))
        .collect();
    assert_eq!(ada.len(), 1, "the second was deleted");
}

/// Looking on changes no file beyond what a start does, and leaves everything to its owner.
#[test]
fn a_look_leaves_no_message_and_no_file_behind() {
    let mut stuck = Stuck::start();
    stuck.send("bob@client.test");
    let ids = stuck.wait_for(&["--state", "deferred"], 1);
    assert!(stuck.server.terminate().success());
    let spool = stuck.server.data.join("spool");
    let count = |folder: &str| std::fs::read_dir(spool.join(folder)).expect(folder).count();
    let segments = count("segments");
    for _ in 0..20 {
        assert_eq!(stuck.ids(&[]), ids);
    }
    assert!(
        count("segments") <= segments + 2,
        "{} were {segments}",
        count("segments")
    );
    assert_eq!(count("damage"), 0);
}

#[test]
fn where_no_server_answers_that_and_the_way_out_are_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let listed = postroad(&["queue", "list"], folder.path());
    assert_eq!(listed.code, Some(1));
    for words in [
        "postroad-data/control.sock",
        "postroad-data/spool",
        "--config FILE",
        "--socket PATH",
    ] {
        assert!(listed.err.contains(words), "{words}: {}", listed.err);
    }
    let made = std::fs::read_dir(folder.path())
        .expect("the folder")
        .count();
    assert_eq!(made, 0, "nothing is made where nothing was");
    for command in ["sites", "health", "ready", "metrics", "reload"] {
        let asked = postroad(&[command, "--socket", "nobody.sock"], folder.path());
        assert_eq!(asked.code, Some(1));
        assert!(
            asked.err.contains("no server answers at nobody.sock"),
            "{}",
            asked.err
        );
    }
}

#[test]
fn a_server_tells_of_itself() {
    let stuck = Stuck::start();
    stuck.send("bob@client.test");
    stuck.wait_for(&["--state", "deferred"], 1);
    let file = stuck.file().display().to_string();
    let ask = |command: &str| postroad(&[command, "--config", &file], stuck.folder.path());
    let health = ask("health");
    assert!(health.out.starts_with("well: postroad "), "{}", health.out);
    assert!(
        health.out.ends_with(", 1 message queued\n"),
        "{}",
        health.out
    );
    done(&ask("ready"), "ready\n");
    let sites = ask("sites");
    assert!(sites.out.starts_with("SITE  "), "{}", sites.out);
    assert!(sites.out.contains("\nmailbox  "), "{}", sites.out);
    assert!(ask("metrics").out.ends_with("# EOF\n"));
    done(
        &ask("reload"),
        "the configuration was read again: nothing has changed\n",
    );
    std::fs::write(
        stuck.file(),
        configuration(&stuck.server.data, "unknown = 1\n"),
    )
    .expect("write");
    // A broken file is in nobody's way who names the socket.
    let socket = stuck.server.data.join("control.sock").display().to_string();
    let reload = postroad(&["reload", "--socket", &socket], stuck.folder.path());
    assert_eq!(reload.code, Some(1));
    assert!(reload.err.contains("unknown"), "{}", reload.err);
    let listed = postroad(&["queue", "list", "--socket", &socket], stuck.folder.path());
    assert!(
        listed.out.ends_with("1 message\n"),
        "{}{}",
        listed.out,
        listed.err
    );
}

#[test]
fn a_server_without_a_socket_keeps_its_queue_to_itself() {
    let settings = format!("control_socket = \"\"\n{SETTINGS}");
    let stuck = Stuck::with(&settings);
    assert!(!stuck.server.data.join("control.sock").exists());
    let listed = stuck.queue(&["list"]);
    assert_eq!(listed.code, Some(1));
    assert!(
        listed.err.contains("another process uses this spool"),
        "{}",
        listed.err
    );
    assert!(listed.err.contains("control_socket"), "{}", listed.err);
    let file = stuck.file().display().to_string();
    let ready = postroad(&["ready", "--config", &file], stuck.folder.path());
    assert!(
        ready.err.contains("control_socket is \"\""),
        "{}",
        ready.err
    );
}

#[test]
fn another_user_may_not_ask() {
    if !geteuid().is_root() {
        println!("left out: another user at the control socket: it takes root");
        return;
    }
    let nobody = User::from_name("nobody").expect("ask for it");
    let nobody = nobody.expect("every system has nobody");
    let stuck = Stuck::start();
    // Even where the folder lets everybody through, and the socket.
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("open it");
    };
    open(stuck.folder.path(), 0o755);
    let binary = stuck.folder.path().join("postroad");
    std::fs::copy(env!("CARGO_BIN_EXE_postroad"), &binary).expect("copy it");
    open(&binary, 0o755);
    let socket = stuck.server.data.join("control.sock");
    let as_nobody = || {
        let mut command = Command::new(&binary);
        command.args(["queue", "list", "--socket"]).arg(&socket);
        command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
        said(command.current_dir("/").output().expect("run it"))
    };
    let refused = as_nobody();
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("only the server's own user and root"),
        "{}",
        refused.err
    );
    open(&stuck.server.data, 0o755);
    open(&socket, 0o666);
    let refused = as_nobody();
    assert_eq!(refused.code, Some(1), "{}", refused.out);
    assert!(
        refused.err.contains("its own user and root alone"),
        "{}",
        refused.err
    );
    // Root may, and so may the server's own user.
    open(&socket, 0o600);
    assert_eq!(stuck.queue(&["list"]).code, Some(0));
}

/// Somebody else's data stays theirs, though root could.
#[test]
fn the_queue_of_another_user_is_not_taken_by_root() {
    if !geteuid().is_root() {
        println!("left out: the queue of another user: it takes root");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("postroad-data");
    std::fs::create_dir_all(data.join("spool")).expect("make it");
    nix::unistd::chown(&data, Some(65_534.into()), None).expect("give it away");
    let listed = postroad(&["queue", "list"], folder.path());
    assert_eq!(listed.code, Some(1));
    assert!(
        listed.err.contains("belongs to another user"),
        "{}",
        listed.err
    );
}

/// Shells and man(1) read what is made for them, as far as they are there.
#[test]
fn completions_and_manual_pages_are_made_for_all_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let made = postroad(&["completions", shell], folder.path());
        assert_eq!(made.code, Some(0), "{}", made.err);
        assert!(made.out.contains("redirect"), "{shell}: {}", made.out);
        let script = folder.path().join(shell);
        std::fs::write(&script, &made.out).expect("write it");
        if !["bash", "zsh", "fish"].contains(&shell) {
            continue;
        }
        match Command::new(shell).arg("-n").arg(&script).output() {
            Ok(read) => assert!(read.status.success(), "{read:?}"),
            Err(error) => println!("left out: {shell} -n: {error}"),
        }
    }
    let page = postroad(&["man"], folder.path());
    assert!(page.out.contains(".TH postroad 1"), "{}", page.out);
    let made = postroad(&["man", "."], folder.path());
    assert_eq!(made.code, Some(0), "{}", made.err);
    let pages: Vec<_> = std::fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "1"))
        .collect();
    let there = |name: &str| pages.iter().any(|page| page.ends_with(name));
    for name in [
        "postroad.1",
        "postroad-serve.1",
        "postroad-queue-list.1",
        "postroad-sites.1",
    ] {
        assert!(there(name), "{pages:?}");
    }
    for page in &pages {
        let mut man = Command::new("man");
        man.env("MANWIDTH", "80")
            .args(["--warnings", "-l"])
            .arg(page);
        match man.output() {
            Ok(read) => assert!(read.status.success() && read.stderr.is_empty(), "{read:?}"),
            Err(error) => {
                println!("left out: man -l: {error}");
                break;
            }
        }
    }
}
