//! Which mailbox a message comes to, and where that is on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::harness::{Client, Server, messages};

/// How many messages each mailbox has, by its folder below `mail`.
fn by_mailbox(server: &Server) -> BTreeMap<String, usize> {
    let mail = server.data.join("mail");
    let mut counts = BTreeMap::new();
    for message in messages(&server.data) {
        let mailbox = message.path.ancestors().nth(2).expect("mailbox/new/file");
        let mailbox = mailbox.strip_prefix(&mail).expect("below mail");
        *counts.entry(mailbox.display().to_string()).or_default() += 1;
    }
    counts
}

fn start(folder: &tempfile::TempDir, settings: &str) -> Server {
    Server::start(folder.path(), settings)
}

fn pairs(counts: &BTreeMap<String, usize>) -> Vec<(&str, usize)> {
    counts.iter().map(|(name, n)| (name.as_str(), *n)).collect()
}

#[test]
fn a_detail_goes_to_its_mailbox_unless_it_has_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(
        &folder,
        "[[domain]]\nname = \"example.test\"\nmailboxes = [\"ada\", \"ada+lists\"]\n",
    );
    for recipient in ["ada+shop", "ADA+Shop+More", "ada+lists", "ada"] {
        server.send(&format!("{recipient}@example.test"), b"x\r\n");
    }
    server.wait_for_messages(4);
    let expected = [("example.test/ada", 3), ("example.test/ada+lists", 1)];
    assert_eq!(pairs(&by_mailbox(&server)), expected);
}

#[test]
fn postmaster_is_always_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let domains = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
[[domain]]
name = \"other.test\"
mailboxes = [\"bob\"]
";
    let mut server = start(&folder, domains);
    server.send("Postmaster", b"without a domain\r\n");
    server.send("POSTMASTER@other.test", b"of a domain\r\n");
    server.wait_for_messages(2);
    let expected = [("example.test/postmaster", 1), ("other.test/postmaster", 1)];
    assert_eq!(pairs(&by_mailbox(&server)), expected);
    assert!(server.terminate().success());

    // The same with somebody named for it.
    let named = format!("[mailboxes]\npostmaster = \"ada@example.test\"\n{domains}");
    let server = start(&folder, &named);
    server.send("Postmaster", b"without a domain\r\n");
    server.send("postmaster@other.test", b"of a domain\r\n");
    server.wait_for_messages(4);
    assert_eq!(by_mailbox(&server).get("example.test/ada"), Some(&2));
}

/// Nobody can make more folders than the limit, whose default is 1000; who has one keeps it.
#[test]
fn mailboxes_made_for_a_first_message_are_limited() {
    let folder = in_memory();
    let settings = "
[[domain]]
name = \"example.test\"
create_mailboxes = true
";
    let mut server = start(&folder, settings);
    let first = |client: &mut Client, numbers: std::ops::Range<usize>| {
        client.expect("MAIL FROM:<>", 250);
        let count = numbers.len();
        let all: String = numbers
            .map(|number| format!("RCPT TO:<box{number}@example.test>\r\n"))
            .collect();
        client.raw(all.as_bytes()).expect("send");
        for _ in 0..count {
            assert_eq!(client.reply().expect("a reply").0, 250);
        }
        client.expect("DATA", 354);
        client.expect(".", 250);
    };
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    first(&mut client, 0..999);
    client.expect("MAIL FROM:<>", 250);
    client.expect("RCPT TO:<last@example.test>", 250);
    // Its place is taken although no message has come yet.
    client.expect("RCPT TO:<toomany@example.test>", 452);
    client.expect("RCPT TO:<box7@example.test>", 250);
    client.expect("DATA", 354);
    client.expect(".", 250);
    client.expect("MAIL FROM:<>", 250);
    client.expect("RCPT TO:<toomany@example.test>", 452);
    server.wait_for_messages(1001);
    assert!(server.terminate().success());

    // A new start counts what is there.
    let server = start(&folder, settings);
    let mut client = server.connect();
    client.expect("HELO client.test", 250);
    client.expect("MAIL FROM:<>", 250);
    client.expect("RCPT TO:<toomany@example.test>", 452);
    client.expect("RCPT TO:<last@example.test>", 250);
    assert_eq!(by_mailbox(&server).len(), 1000);
}

/// A folder where a sync costs nothing, if there is one: a thousand mailboxes need thousands.
fn in_memory() -> tempfile::TempDir {
    let shared_memory = Path::new("/dev/shm");
    tempfile::tempdir_in(shared_memory)
        .or_else(|_| tempfile::tempdir())
        .expect("a folder")
}

/// Names that would lead elsewhere, or that other programs would read as something else.
const HOSTILE: [(&str, &str); 12] = [
    (
        "\"../../../../../../tmp/x\"",
        "%2e.%2f..%2f..%2f..%2f..%2f..%2ftmp%2fx",
    ),
    ("\"/etc/passwd\"", "%2fetc%2fpasswd"),
    ("\".\"", "%2e"),
    ("\"..\"", "%2e."),
    ("\"new/../cur\"", "new%2f..%2fcur"),
    ("-rf", "%2drf"),
    ("\"a b\"", "a%20b"),
    ("\"say \\\"hi\\\"\"", "say%20%22hi%22"),
    ("$(reboot)`x`|y;z", "%24%28reboot%29%60x%60%7cy%3bz"),
    ("%2e%2e", "%252e%252e"),
    ("j\u{f6}rg", "j%c3%b6rg"),
    ("\u{202e}txt", "%e2%80%aetxt"),
];

#[test]
fn any_local_part_gets_a_folder_below_mail_and_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = "
[limits]
local_part = 1000

[[domain]]
name = \"example.test\"
create_mailboxes = true
recipient_delimiter = \"\"
";
    let server = start(&folder, settings);
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    client.expect("MAIL FROM:<> SMTPUTF8", 250);
    let mut expected = BTreeSet::new();
    for (local, name) in HOSTILE {
        // An atom may not hold all of these; quoted it may.
        let quoted = if local.contains(['(', ';']) {
            format!("\"{local}\"")
        } else {
            local.to_owned()
        };
        client.expect(&format!("RCPT TO:<{quoted}@example.test>"), 250);
        expected.insert(format!("example.test/{name}"));
    }
    // Longer than any file system's names.
    let long = "x".repeat(900);
    client.expect(&format!("RCPT TO:<{long}@example.test>"), 250);
    client.expect("DATA", 354);
    client.expect(".", 250);
    server.wait_for_messages(HOSTILE.len() + 1);

    let mut found = by_mailbox(&server);
    found.retain(|name, _| !name.contains("xxxxxxxx"));
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), expected);
    // Beside the data there is the configuration, and nothing else; no name in it is strange.
    let mut all = Vec::new();
    walk(folder.path(), &mut all);
    let mail = server.data.join("mail");
    for path in all {
        let below = path.strip_prefix(&mail).unwrap_or(Path::new(""));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "%.+_-/".contains(c);
        let folders = if path.is_dir() {
            Some(below)
        } else {
            below.parent()
        };
        let folders = folders.unwrap_or(below).display().to_string();
        assert!(folders.chars().all(plain), "{folders}");
    }
    let beside: BTreeSet<_> = std::fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(
        beside,
        BTreeSet::from(["data".into(), "postroad.toml".into()])
    );
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("spool") {
            walk(&path, found);
        }
        found.push(path);
    }
}

#[test]
fn a_mailbox_that_is_emptied_takes_mail_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings =
        "[[domain]]\nname = \"example.test\"\nmailboxes = [\"ada\"]\nmailbox_messages = 2\n";
    let server = Server::start(folder.path(), settings);
    server.send("ada@example.test", b"one\r\n");
    server.send("ada@example.test", b"two\r\n");
    let found = server.wait_for_messages(2);
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    client.expect("MAIL FROM:<>", 250);
    // A message can be seen a moment before it is counted.
    server.wait_until("a full mailbox", || {
        client.ask("RCPT TO:<ada@example.test>").0 == 452
    });
    // A reader deletes, and says nothing to the server.
    std::fs::remove_file(&found[0].path).expect("delete a message");
    let mut asked = 0;
    server.wait_until("room", || {
        asked += 1;
        std::thread::sleep(std::time::Duration::from_millis(500));
        client.ask("RCPT TO:<ada@example.test>").0 == 250
    });
    assert!(asked > 1, "what it holds is not counted for each RCPT");
    // After a start nothing is known, and it is counted again.
    drop(server);
    let server = Server::start(folder.path(), settings);
    server.send("ada@example.test", b"three\r\n");
    server.wait_for_messages(2);
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    client.expect("MAIL FROM:<>", 250);
    server.wait_until("a full mailbox", || {
        client.ask("RCPT TO:<ada@example.test>").0 == 452
    });
}
