//! Postfix's smtp-sink as the next hop of the real binary, with each of its ways to fail. Each sink is a site
//! of one and the same server, and each gets a message that is for a mailbox here, too.
//!
//! Ignored by default because they need a program that not every machine has; `cargo xtask test`
//! installs it and runs these tests.

// A test from the outside: it has real time, files, sockets and processes, and prints what it did.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod harness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::next_hop::{free_address, route};
use harness::{PATIENCE, Server, count_by, messages};
use serde_json::Value;

const SETTINGS: &str = "
[relay]
trusted_networks = [\"127.0.0.0/8\"]

[delivery]
reply_timeout = \"2s\"
final_reply_timeout = \"2s\"
connection_idle = \"1s\"

[[domain]]
name = \"example.test\"
create_mailboxes = true
";

/// A running sink that keeps what it takes.
struct Sink {
    child: Child,
    folder: tempfile::TempDir,
    /// How a route names it.
    next_hop: String,
}

impl Sink {
    /// Starts one, on a port of loopback.
    fn start(options: &[&str]) -> Sink {
        Sink::start_at(free_address(), options)
    }

    fn start_at(address: SocketAddr, options: &[&str]) -> Sink {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("smtp-sink");
        command
            .args(options)
            .arg("-d")
            .arg(folder.path().join("message."));
        // A privileged user has to say who to be.
        if nix::unistd::geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        let child = command
            .args([&address.to_string(), "64"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start smtp-sink");
        let scheme = if options.contains(&"-L") {
            "lmtp"
        } else {
            "smtp"
        };
        let sink = Sink {
            child,
            folder,
            next_hop: format!("{scheme}://{address}"),
        };
        let end = Instant::now() + PATIENCE;
        while !listens_at(address) {
            assert!(Instant::now() < end, "smtp-sink does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        sink
    }

    /// The messages that came whole, whatever it said of them. It begins a file with MAIL.
    fn copies(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).expect("list the folder");
        let paths = files.map(|file| file.expect("an entry").path());
        paths
            .map(|path: PathBuf| {
                String::from_utf8_lossy(&std::fs::read(path).expect("read a copy")).into_owned()
            })
            .filter(|copy| copy.contains("\n.the end\n"))
            .collect()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether something listens there, by the system's table: connecting would be a session.
fn listens_at(address: SocketAddr) -> bool {
    let port = format!(":{:04X} ", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the system's table");
    table
        .lines()
        .any(|line| line.contains(&port) && line.contains(" 0A "))
}

/// What a message for such a sink comes to, and how many copies that has then.
#[derive(Clone, Copy)]
enum Comes {
    /// To the sink.
    There,
    /// To a later attempt, and why.
    Later(&'static str, usize),
    /// Back to its sender, and why.
    Back(&'static str, usize),
}

use Comes::{Back, Later, There};

const LOST: &str = "the connection was lost";

/// Its options, and what they come to.
const SINKS: [(&[&str], Comes); 49] = [
    // What it offers, or does not.
    (&[], There),
    (&["-N"], There),
    (&["-p"], There),
    (&["-e"], There),
    (&["-E"], There),
    (&["-P"], There),
    (&["-8"], There),
    (&["-L"], There),
    (&["-L", "-N", "-p"], There),
    // For now.
    (&["-r", "CONNECT"], Later("450 4.3.0", 0)),
    (&["-r", "HELO,EHLO"], Later("450 4.3.0", 0)),
    (&["-r", "MAIL"], Later("450 4.3.0", 0)),
    (&["-r", "RCPT"], Later("450 4.3.0", 0)),
    (&["-r", "DATA"], Later("450 4.3.0", 0)),
    (&["-r", "."], Later("450 4.3.0", 1)),
    (&["-r", "RSET"], There),
    (&["-r", "QUIT"], There),
    (&["-L", "-r", "LHLO"], Later("450 4.3.0", 0)),
    (&["-L", "-r", "."], Later("450 4.3.0", 1)),
    (
        &["-r", "RCPT", "-b", "451 4.7.1 greylisted"],
        Later("451 4.7.1 greylisted", 0),
    ),
    // For good.
    (&["-f", "CONNECT"], Back("500 5.3.0", 0)),
    (&["-f", "HELO,EHLO"], Back("500 5.3.0", 0)),
    (&["-f", "MAIL"], Back("500 5.3.0", 0)),
    (&["-f", "RCPT"], Back("500 5.3.0", 0)),
    (&["-f", "DATA"], Back("500 5.3.0", 0)),
    (&["-f", "."], Back("500 5.3.0", 1)),
    (&["-f", "QUIT"], There),
    (&["-L", "-f", "LHLO"], Back("500 5.3.0", 0)),
    (&["-L", "-f", "."], Back("500 5.3.0", 1)),
    (
        &["-f", "RCPT", "-B", "550 5.1.1 nobody of that name"],
        Back("550 5.1.1 nobody of that name", 0),
    ),
    (
        &["-f", ".", "-B", "554 5.7.1 not this"],
        Back("554 5.7.1 not this", 1),
    ),
    // Without a word.
    (&["-q", "CONNECT"], Later(LOST, 0)),
    (&["-q", "EHLO"], Later(LOST, 0)),
    (&["-q", "MAIL"], Later(LOST, 0)),
    (&["-q", "RCPT"], Later(LOST, 0)),
    (&["-q", "DATA"], Later(LOST, 0)),
    (&["-q", "."], Later(LOST, 1)),
    (&["-q", "QUIT"], There),
    (&["-L", "-q", "."], Later(LOST, 1)),
    // With 421.
    (&["-Q", "CONNECT"], Later("421", 0)),
    (&["-Q", "EHLO"], Later("421", 0)),
    (&["-Q", "MAIL"], Later("421", 0)),
    (&["-Q", "RCPT"], Later("421", 0)),
    (&["-Q", "DATA"], Later("421", 0)),
    (&["-Q", "."], Later("421", 1)),
    // Slow, and too slow.
    (&["-p", "-w", "1"], There),
    (&["-p", "-w", "4"], Later("no reply in time to DATA", 0)),
    (
        &["-p", "-W", "MAIL:4"],
        Later("no reply in time to MAIL", 0),
    ),
    (
        &["-p", "-W", ".:4"],
        Later("no reply in time to the message", 1),
    ),
];

fn sender(number: usize) -> String {
    format!("sender{number}@example.test")
}

/// Two recipients at each sink.
fn recipients(number: usize) -> [String; 2] {
    ["x", "y"].map(|who| format!("{who}@sink{number}.test"))
}

fn octets(number: usize) -> String {
    format!("X-Number: {number}\r\nSubject: {number}\r\n\r\n..hello\r\n.the end\r\n")
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_takes_mail_puts_it_off_or_sends_it_back_and_each_recipient_fares_rightly() {
    let sinks: Vec<Sink> = SINKS
        .iter()
        .map(|(options, _)| Sink::start(options))
        .collect();
    let mut settings = SETTINGS.to_owned();
    for (number, sink) in sinks.iter().enumerate() {
        settings.push_str(&route(&format!("sink{number}.test"), &sink.next_hop));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &settings);
    let began = Instant::now();
    for number in 0..SINKS.len() {
        let [x, y] = recipients(number);
        server.send_from(
            &sender(number),
            &[&x, "ada@example.test", &y],
            octets(number).as_bytes(),
        );
    }
    let waiting = SINKS
        .iter()
        .filter(|(_, comes)| matches!(comes, Later(..)))
        .count();
    server.wait_until("all attempts", || {
        let queue = server.queue();
        queue.len() == waiting && queue.iter().all(|message| message["state"] == "deferred")
    });
    println!(
        "{} sinks, {waiting} put it off, {:?}",
        SINKS.len(),
        began.elapsed()
    );

    let wrong: Vec<String> = SINKS
        .iter()
        .zip(&sinks)
        .enumerate()
        .filter_map(|(number, ((options, comes), sink))| {
            let judged = judge(*comes, number, sink, &server);
            judged
                .err()
                .map(|why| format!("{}: {why}", options.join(" ")))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let of_ada: Vec<_> = messages(&server.data)
        .into_iter()
        .filter(|message| message.path.display().to_string().contains("/ada/"))
        .collect();
    let counts = count_by(&of_ada, "X-Number:");
    assert!(counts.len() == SINKS.len() && counts.values().all(|times| *times == 1));
}

/// What is wrong with what came of a message.
fn judge(comes: Comes, number: usize, sink: &Sink, server: &Server) -> Result<(), String> {
    let expected = match comes {
        There => 1,
        Later(_, copies) | Back(_, copies) => copies,
    };
    let copies = sink.copies();
    if copies.len() != expected {
        return Err(format!("{} copies, not {expected}", copies.len()));
    }
    let body = octets(number).replace("\r\n", "\n");
    if !copies.iter().all(|copy| copy.contains(&body)) {
        return Err(format!("another message came: {copies:?}"));
    }
    let waits = server
        .queue()
        .into_iter()
        .find(|message| message["sender"] == sender(number).as_str());
    let notices: Vec<String> = messages(&server.data)
        .into_iter()
        .filter(|message| {
            message
                .path
                .display()
                .to_string()
                .contains(&format!("/sender{number}/"))
        })
        .map(|message| String::from_utf8_lossy(&message.octets).into_owned())
        .collect();
    match (comes, waits, notices.as_slice()) {
        (There, None, []) => Ok(()),
        (Later(why, _), Some(message), []) => {
            let id = message["id"].as_str().unwrap_or_default();
            judge_history(why, number, &server.look(&format!("/v1/queue/{id}")))
        }
        (Back(why, _), None, [notice]) => judge_notice(why, number, notice),
        (_, waits, notices) => Err(format!("in the queue {waits:?}, notices {notices:?}")),
    }
}

/// A message whose attempt failed for now, and each recipient of it.
fn judge_history(why: &str, number: usize, message: &Value) -> Result<(), String> {
    let [x, y] = recipients(number);
    let events = message["history"].as_array().ok_or("no history")?;
    let of = |what: &str| {
        events
            .iter()
            .filter(|event| event["what"] == what)
            .collect::<Vec<_>>()
    };
    let (deferred, delivered) = (of("deferred"), of("delivered"));
    // Where the connection ended at the first of them, the second has other words for it.
    let of_whom: Vec<_> = deferred
        .iter()
        .flat_map(|event| event["recipients"].as_array().into_iter().flatten())
        .collect();
    let is_so = of_whom == [x.as_str(), y.as_str()]
        && deferred.iter().all(|event| {
            event["said"]
                .as_str()
                .is_some_and(|said| said.contains(why))
                && event["peer"]
                    .as_str()
                    .is_some_and(|peer| peer.contains("127.0.0.1"))
        })
        && delivered.len() == 1
        && delivered[0]["recipients"] == serde_json::json!(["ada@example.test"]);
    let states: Vec<_> = message["recipients"]
        .as_array()
        .ok_or("no recipients")?
        .iter()
        .map(|recipient| (recipient["state"].as_str(), recipient["attempts"].as_u64()))
        .collect();
    let pending = (Some("pending"), Some(1));
    match is_so && states == [pending, (Some("delivered"), Some(0)), pending] {
        true => Ok(()),
        false => Err(format!("its history is {message:#}")),
    }
}

/// One notice for both recipients, with the peer's words, and the message.
fn judge_notice(why: &str, number: usize, notice: &str) -> Result<(), String> {
    let both = recipients(number);
    let groups = both
        .iter()
        .all(|to| notice.contains(&format!("Final-Recipient: rfc822; {to}\r\n")));
    let is_so = groups
        && notice.matches("Action: failed").count() == 2
        && notice.contains(&format!("Diagnostic-Code: smtp; {why}"))
        && notice.contains(&format!("X-Number: {number}\r\n"))
        && !notice.contains("Final-Recipient: rfc822; ada@");
    match is_so {
        true => Ok(()),
        false => Err(format!("the notice is {notice}")),
    }
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_that_can_t_take_it_gets_nothing_and_one_that_can_gets_it_as_it_is() {
    let (seven, eight) = (Sink::start(&["-8"]), Sink::start(&[]));
    let settings = [
        SETTINGS,
        &route("seven.test", &seven.next_hop),
        &route("eight.test", &eight.next_hop),
    ]
    .concat();
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &settings);
    let text = "X-Number: 1\r\nSubject: 8\r\n\r\nGr\u{fc}\u{df}e\r\n.the end\r\n";
    server.send_from(
        "s@example.test",
        &["r@seven.test", "ada@example.test", "r@eight.test"],
        text.as_bytes(),
    );
    server.wait_until("an empty queue", || server.queue().is_empty());
    assert_eq!(seven.copies().len(), 0);
    let copies = eight.copies();
    assert_eq!(copies.len(), 1);
    assert!(
        copies[0].contains(&text.replace("\r\n", "\n")),
        "{copies:?}"
    );
    let notices: Vec<_> = messages(&server.data)
        .into_iter()
        .filter(|message| message.path.display().to_string().contains("/s/"))
        .collect();
    assert_eq!(notices.len(), 1);
    let notice = String::from_utf8_lossy(&notices[0].octets);
    assert!(notice.contains("Status: 5.6.3\r\n"), "{notice}");
    assert!(
        notice.contains("Final-Recipient: rfc822; r@seven.test\r\n"),
        "{notice}"
    );
    assert!(
        !notice.contains("Final-Recipient: rfc822; r@eight.test\r\n"),
        "{notice}"
    );
}

/// One message for those of a sink that takes it, one that puts it off, one that refuses, and here.
#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_by_smtp_sink_one_message_fares_differently() {
    let sinks = [
        &[][..],
        &["-r", "RCPT"],
        &["-f", "DATA"],
        &["-q", "."],
        &["-L"],
    ]
    .map(Sink::start);
    let mut settings = SETTINGS.to_owned();
    for (number, sink) in sinks.iter().enumerate() {
        settings.push_str(&route(&format!("sink{number}.test"), &sink.next_hop));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &settings);
    let all: Vec<String> = (0..sinks.len()).flat_map(recipients).collect();
    let mut to: Vec<&str> = all.iter().map(String::as_str).collect();
    to.push("ada@example.test");
    server.send_from("s@example.test", &to, octets(0).as_bytes());
    let there = |folder: &str| {
        let found = messages(&server.data).into_iter();
        found
            .filter(|message| message.path.display().to_string().contains(folder))
            .count()
    };
    server.wait_until("the notice", || {
        there("/s/") == 1 && server.queue().len() == 1
    });
    let copies = sinks.each_ref().map(|sink| sink.copies().len());
    assert_eq!(copies, [1, 0, 0, 1, 1]);
    assert_eq!((there("/ada/"), there("/s/")), (1, 1));
    let queue = server.queue();
    let states = queue[0]["recipients"].as_array().expect("recipients");
    let states: Vec<_> = states.iter().filter_map(|r| r["state"].as_str()).collect();
    let twice = |state| [state; 2];
    let expected = ["delivered", "pending", "failed", "pending", "delivered"].map(twice);
    let mut expected = expected.concat();
    expected.push("delivered");
    assert_eq!(states, expected);
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_that_is_down_busy_down_and_up_has_each_message_once() {
    const MESSAGES: usize = 60;
    let address = free_address();
    let settings = [
        &SETTINGS.replace(
            "[delivery]",
            "[delivery]\nretry_first = \"1s\"\nretry_longest = \"2s\"",
        ),
        &route("*", &format!("smtp://{address}"))[..],
    ]
    .concat();
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &settings);
    // Nobody, then one that has no time, then nobody, then one that takes it.
    let send = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            server.send(&format!("r{number}@far.test"), octets(number).as_bytes());
        }
    };
    send(0..MESSAGES / 3);
    std::thread::sleep(Duration::from_millis(300));
    let busy = Sink::start_at(address, &["-r", "MAIL"]);
    send(MESSAGES / 3..2 * MESSAGES / 3);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(busy.copies().len(), 0);
    drop(busy);
    send(2 * MESSAGES / 3..MESSAGES);
    let sink = Sink::start_at(address, &[]);
    server.wait_until("an empty queue", || server.queue().is_empty());
    let mut numbers: Vec<usize> = sink
        .copies()
        .iter()
        .filter_map(|copy| {
            copy.lines()
                .find_map(|line| line.strip_prefix("X-Number: "))
        })
        .filter_map(|number| number.parse().ok())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>());
}
