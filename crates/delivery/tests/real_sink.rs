//! Postfix's smtp-sink as the next hop, with each of its ways to fail.
//!
//! Ignored by default because they need a program that not every machine has; `cargo xtask test`
//! installs it and runs these tests.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs,
    reason = "a test starts servers and looks at what they took"
)]

#[path = "peer/harness.rs"]
mod harness;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harness::{OCTETS, carry, carry_to, client, envelope, impatient, outcomes, run, thought};

/// A running sink that keeps what it takes.
struct Sink {
    child: Child,
    folder: tempfile::TempDir,
    /// How it is reached.
    to: String,
}

impl Sink {
    /// Starts one on a TCP port of loopback, or on a Unix socket.
    async fn start(unix: bool, options: &[&str]) -> Sink {
        let folder = tempfile::tempdir().unwrap();
        let lmtp = options.contains(&"-L");
        let scheme = if lmtp { "lmtp" } else { "smtp" };
        let socket = folder.path().join("socket");
        let (listens, to) = match unix {
            true => (
                format!("unix:{}", socket.display()),
                format!("{scheme}:{}", socket.display()),
            ),
            false => {
                let address = free_port();
                (address.to_string(), format!("{scheme}://{address}"))
            }
        };
        let mut command = Command::new("smtp-sink");
        command
            .args(options)
            .arg("-d")
            .arg(folder.path().join("message."));
        // A privileged user has to say who to be.
        if is_root() {
            command.args(["-u", "root"]);
        }
        let child = command
            .args([&listens, "64"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let sink = Sink { child, folder, to };
        sink.wait(unix.then_some(&socket)).await;
        sink
    }

    /// Waits until it listens. A connection that is made for that is one of its sessions.
    async fn wait(&self, socket: Option<&PathBuf>) {
        for _ in 0..500 {
            let there = match socket {
                Some(path) => listens_on(path),
                None => listens_at(self.to.rsplit(':').next().unwrap()),
            };
            if there {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("smtp-sink does not listen");
    }

    /// The messages that came whole, whatever it said of them. It begins the file of a message with MAIL.
    fn copies(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files
            .map(|file| file.unwrap().path())
            .filter(|path| path.display().to_string().contains("message."))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .filter(|copy| copy.contains("\n.one\ntwo\n"))
            .collect()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Whether something listens at a port, by the system's table: connecting would be a session.
fn listens_at(port: &str) -> bool {
    let port = format!(":{:04X} ", port.parse::<u16>().unwrap());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table
        .lines()
        .any(|line| line.contains(&port) && line.contains(" 0A "))
}

/// The same of a Unix socket, whose file is there before.
fn listens_on(path: &Path) -> bool {
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let path = path.display().to_string();
    table
        .lines()
        .any(|line| line.ends_with(&path) && line.contains(" 00010000 "))
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// What comes of a message for two recipients, and how many copies the sink has in the end.
async fn outcome(unix: bool, options: &[&str]) -> (Vec<String>, &'static str, usize) {
    let sink = Sink::start(unix, options).await;
    let peers = client(impatient());
    let carried = carry_to(&peers, &sink.to, 2).await;
    peers.drain().await;
    (outcomes(&carried), thought(&carried), sink.copies().len())
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_takes_mail_over_every_kind_of_connection() {
    run(async {
        for (unix, options, how) in [
            (false, &[][..], "PassedOn"),
            (false, &["-N"], "Relayed"),
            (false, &["-p"], "PassedOn"),
            (false, &["-e"], "Relayed"),
            (false, &["-8"], "PassedOn"),
            (false, &["-E"], "PassedOn"),
            (false, &["-P"], "Relayed"),
            (true, &[], "PassedOn"),
            (false, &["-L"], "PassedOn"),
            (true, &["-L", "-N"], "Delivered"),
        ] {
            let sink = Sink::start(unix, options).await;
            let peers = client(impatient());
            for round in 1..=3 {
                let carried = carry_to(&peers, &sink.to, 2).await;
                let outcomes = outcomes(&carried);
                assert!(
                    outcomes.iter().all(|o| o.starts_with(how)),
                    "{options:?} {outcomes:?}"
                );
                assert_eq!(thought(&carried), "worked");
                let copies = sink.copies();
                assert_eq!(copies.len(), round, "{options:?}");
                let body = OCTETS.replace("\r\n", "\n");
                assert!(copies.iter().all(|copy| copy.contains(&body)), "{copies:?}");
                assert!(
                    copies
                        .iter()
                        .all(|copy| copy.matches("X-Rcpt-Args").count() == 2)
                );
            }
            assert_eq!(peers.idle(), 1, "{options:?}");
            peers.drain().await;
        }
    });
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_refuses_and_that_is_failed_or_deferred_and_not_taken() {
    run(async {
        // -f: for good; -r: for now. Who refuses QUIT or RSET has taken the message all the same.
        for (command, hard, soft, copies) in [
            ("CONNECT", "trouble", "busy", 0),
            ("HELO,EHLO", "trouble", "busy", 0),
            ("MAIL", "neutral", "neutral", 0),
            ("RCPT", "neutral", "neutral", 0),
            ("DATA", "neutral", "neutral", 0),
            (".", "neutral", "neutral", 1),
            ("QUIT", "worked", "worked", 1),
            ("RSET", "worked", "worked", 1),
        ] {
            for (option, kind, feedback) in [
                ("-f", "failed 5.3.0 500", hard),
                ("-r", "deferred 4.3.0 450", soft),
            ] {
                let (outcomes, thought, taken) = outcome(false, &[option, command]).await;
                let expected = if hard == "worked" { "PassedOn" } else { kind };
                assert!(
                    outcomes.iter().all(|o| o.starts_with(expected)),
                    "{option} {command}: {outcomes:?}"
                );
                assert_eq!(thought, feedback, "{option} {command}");
                assert_eq!(taken, copies, "{option} {command}");
            }
        }
    });
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_s_own_words_are_believed() {
    run(async {
        for (options, expected) in [
            (
                ["-r", "MAIL", "-b", "451 4.4.5 congested"],
                "deferred 4.4.5 451",
            ),
            (["-f", "RCPT", "-B", "552 too many"], "deferred 4.5.3 552"),
            (["-f", "RCPT", "-B", "550 5.1.1 nobody"], "failed 5.1.1 550"),
            (["-f", ".", "-B", "554 5.7.1 spam"], "failed 5.7.1 554"),
            (["-f", "CONNECT", "-B", "521 no mail"], "failed - 521"),
        ] {
            let (outcomes, _, copies) = outcome(false, &options).await;
            assert_eq!(outcomes, [expected, expected], "{options:?}");
            assert_eq!(copies, usize::from(options[1] == "."), "{options:?}");
        }
    });
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_hangs_up_and_the_message_is_deferred_unless_it_was_taken() {
    run(async {
        // -q: without a word; -Q: with 421.
        for command in ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."] {
            for (option, expected, feedback) in [
                ("-q", "deferred 4.4.2 the connection was lost", "trouble"),
                ("-Q", "deferred", "busy"),
            ] {
                let (outcomes, thought, copies) = outcome(false, &[option, command]).await;
                assert!(
                    outcomes.iter().all(|o| o.starts_with(expected)),
                    "{option} {command}: {outcomes:?}"
                );
                assert_eq!(thought, feedback, "{option} {command}");
                assert_eq!(copies, usize::from(command == "."), "{option} {command}");
            }
        }
        for option in ["-q", "-Q"] {
            let (outcomes, _, copies) = outcome(false, &[option, "QUIT"]).await;
            assert!(
                outcomes.iter().all(|o| o.starts_with("PassedOn")),
                "{outcomes:?}"
            );
            assert_eq!(copies, 1);
        }
    });
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_by_lmtp_fares_the_same() {
    run(async {
        for (options, expected, copies) in [
            (["-L", "-f", "LHLO"], "failed", 0),
            (["-L", "-r", "LHLO"], "deferred", 0),
            (["-L", "-f", "RCPT"], "failed", 0),
            (["-L", "-f", "."], "failed", 1),
            (["-L", "-r", "."], "deferred", 1),
            (["-L", "-q", "."], "deferred", 1),
            (["-L", "-Q", "DATA"], "deferred", 0),
            (["-L", "-q", "QUIT"], "PassedOn", 1),
        ] {
            let (outcomes, _, taken) = outcome(true, &options).await;
            assert!(
                outcomes.iter().all(|o| o.starts_with(expected)),
                "{options:?}: {outcomes:?}"
            );
            assert_eq!(taken, copies, "{options:?}");
        }
    });
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_is_slow_and_is_waited_for_and_given_up() {
    run(async {
        let slow = [
            // Longer than the time-out: for the 354, before it reads, for a command. Where commands are pipelined
            // it answers them together.
            (
                &["-p", "-w", "5"][..],
                "deferred 4.4.2 no reply in time to DATA",
            ),
            (
                &["-H", "5"],
                "deferred 4.4.2 no reply in time to the message",
            ),
            (
                &["-p", "-W", "MAIL:5"],
                "deferred 4.4.2 no reply in time to MAIL",
            ),
            (
                &["-p", "-W", ".:5"],
                "deferred 4.4.2 no reply in time to the message",
            ),
        ];
        for (options, expected) in slow {
            let (outcomes, thought, _) = outcome(false, options).await;
            assert_eq!(outcomes, [expected, expected], "{options:?}");
            assert_eq!(thought, "trouble");
        }
        // Shorter.
        let sink = Sink::start(false, &["-p", "-w", "1"]).await;
        let mut settings = impatient();
        settings.timeouts.session.data_begin = Duration::from_secs(10);
        let carried = carry_to(&client(settings), &sink.to, 1).await;
        assert_eq!(thought(&carried), "worked");
        assert_eq!(sink.copies().len(), 1);
    });
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_ends_in_the_middle_and_nothing_counts_and_nothing_is_said_twice() {
    run(async {
        // After DATA it says 550 and hears no more.
        let (outcomes, feedback, copies) = outcome(false, &["-A", "0"]).await;
        assert!(
            outcomes
                .iter()
                .all(|o| o.starts_with("failed") || o.starts_with("deferred")),
            "{outcomes:?}"
        );
        assert_ne!(feedback, "worked");
        assert_eq!(copies, 0);

        // A large message and a small window, over which it is read slowly.
        let octets = format!("{OCTETS}{}", "a line of a large message\r\n".repeat(40_000));
        let sink = Sink::start(false, &["-H", "1", "-T", "4096"]).await;
        let mut settings = impatient();
        settings.timeouts.session.data_block = Duration::from_secs(20);
        settings.timeouts.session.data_end = Duration::from_secs(20);
        let envelope = envelope(octets.as_bytes(), &["r0@mx.example"]);
        let carried = carry(&client(settings), &sink.to, envelope, octets.as_bytes()).await;
        assert_eq!(thought(&carried), "worked");
        assert_eq!(sink.copies().len(), 1);
    });
}

#[test]
#[ignore = "needs smtp-sink"]
fn smtp_sink_ends_itself_and_the_kept_connection_is_found_closed() {
    run(async {
        // It times out idle clients after a second; and it ends with its first message.
        let sink = Sink::start(false, &["-t", "1"]).await;
        let peers = client(impatient());
        for _ in 0..2 {
            let carried = carry_to(&peers, &sink.to, 1).await;
            assert_eq!(thought(&carried), "worked");
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
        assert_eq!(sink.copies().len(), 2);

        // After one message, which it has without having said so.
        let mut sink = Sink::start(false, &["-M", "1"]).await;
        let peers = client(impatient());
        let first = carry_to(&peers, &sink.to, 1).await;
        let lost = "deferred 4.4.2 the connection was lost";
        assert_eq!(outcomes(&first), [lost]);
        while sink.child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let second = carry_to(&peers, &sink.to, 1).await;
        let second_outcomes = outcomes(&second);
        assert!(
            second_outcomes[0].starts_with("deferred 4.4.1"),
            "{second_outcomes:?}"
        );
        assert_eq!((thought(&first), thought(&second)), ("trouble", "trouble"));
        assert_eq!(sink.copies().len(), 1);
    });
}
