//! Mail that is collected (RFC 2645): a provider holds it, and a server that nobody can connect to gets it over a
//! connection of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::harness::next_hop::free_address;
use crate::harness::{PATIENCE, Server, count_by, folders, messages, tls};

/// A provider of two customers, which the settings of a listener complete.
fn provider(folder: &Path, listener: &str) -> Server {
    tls::certificates(folder);
    tls::users(folder, ["home secret", "office secret"]);
    let customer = |name: &str| {
        format!(
            "
            [[route]]
            domain = \"{name}.test\"
            next_hop = \"on-demand\"

            [[on_demand]]
            name = \"{name}\"
            domains = [\"{name}.test\"]
            users = [\"{name}\", \"certificate:{name}.test\"]
            "
        )
    };
    let settings = format!(
        "
        [relay]
        trusted_networks = [\"127.0.0.0/8\"]

        [[domain]]
        name = \"mx.test\"
        mailboxes = [\"ada\"]

        [auth]
        passwords = \"passwords\"

        [tls]
        certificate = \"mx.pem\"
        key = \"mx.key\"
        client_authorities = \"authority.pem\"

        {}{}

        [[listener]]
        auth = \"offered\"
        {listener}
        ",
        customer("home"),
        customer("office"),
    );
    Server::start(folder, &settings)
}

/// A listener of a provider: in clear, at a port of the system's choice.
const CLEAR: &str = "address = \"127.0.0.1:0\"\nclear_passwords = true";

/// A server that collects from `provider` as `user`, when it is told to.
fn customer(folder: &Path, provider: &str, user: &str, more: &str) -> Server {
    std::fs::write(folder.join("password"), "secret\n").expect("write the password");
    let settings = format!(
        "user = \"{user}\"
        password_file = \"password\"
        interval = \"0s\"
        {more}"
    );
    collector(folder, provider, &settings)
}

/// A server that collects from `provider`, which these settings complete.
fn collector(folder: &Path, provider: &str, settings: &str) -> Server {
    let settings = format!(
        "
        hostname = \"mail.home.test\"

        [[domain]]
        name = \"home.test\"
        create_mailboxes = true

        [[collect]]
        name = \"provider\"
        provider = \"{provider}\"
        {settings}
        "
    );
    Server::start(folder, &settings)
}

/// `postroad collect provider`: whether it went well, and what it said.
fn collect(server: &Server) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_postroad"))
        .args(["collect", "provider", "--socket"])
        .arg(server.data.join("control.sock"))
        .output()
        .expect("run the binary");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    (output.status.success(), format!("{said}{complained}"))
}

/// Sends a message to a customer's domain through its provider.
fn send(provider: &Server, recipient: &str, number: usize, octets: usize) {
    let text = "0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(octets / 50);
    let message = format!("X-Number: {number}\r\nSubject: held\r\n\r\n{text}");
    provider.send(recipient, message.as_bytes());
}

/// Waits until so much mail is held.
fn held(provider: &Server, count: usize) {
    provider.wait_until("mail that is held", || {
        let queue = provider.queue();
        let waits = |message: &&serde_json::Value| message["state"] != "active";
        queue.iter().filter(waits).count() == count
    });
}

#[test]
fn a_server_behind_a_router_collects_its_own_mail_and_nobody_elses() {
    let (there, here) = folders();
    let provider = provider(there.path(), CLEAR);
    for number in 1..=3 {
        send(&provider, "ben@home.test", number, 200);
    }
    send(&provider, "cy@office.test", 4, 200);
    held(&provider, 4);
    let at = provider.address.to_string();
    let home = customer(
        here.path(),
        &at,
        "home",
        "tls = \"none\"\ndomains = [\"home.test\"]",
    );
    assert_eq!(collect(&home), (true, "provider: 3 messages\n".into()));
    let found = home.wait_for_messages(3);
    let expected: BTreeMap<_, _> = (1..=3).map(|n| (n.to_string(), 1)).collect();
    assert_eq!(count_by(&found, "X-Number:"), expected);
    for message in &found {
        let text = String::from_utf8_lossy(&message.octets);
        assert!(text.contains("by mail.home.test with ESMTP\r\n"), "{text}");
        assert!(text.contains("by mx.test with ESMTP\r\n"), "{text}");
    }
    provider.wait_until("one message that is left", || provider.queue().len() == 1);
    provider.wait_for_line(|line| line.contains("mail.collected"));
    home.wait_for_line(|line| line.contains("collection.done"));

    // Nothing waits any more, which is no failure.
    assert_eq!(
        collect(&home),
        (true, "provider: there is no mail\n".into())
    );
    let shown = &home.look("/v1/collections")[0];
    assert_eq!(
        (&shown["messages"], &shown["failures"]),
        (&3.into(), &0.into())
    );
    assert_eq!(shown.get("last_error"), None);
    let table = home.command(&["collections"]);
    assert!(
        table.contains("provider  ") && table.contains("all that it had"),
        "{table}"
    );

    // A name that isn't there is a mistake.
    let output = Command::new(env!("CARGO_BIN_EXE_postroad"))
        .args(["collect", "nobody", "--socket"])
        .arg(home.data.join("control.sock"))
        .output()
        .expect("run the binary");
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(
        words.contains("no [[collect]] of the name \"nobody\""),
        "{words}"
    );
}

#[test]
fn who_is_not_the_customer_gets_nothing_and_all_of_it_stays() {
    let (there, here) = folders();
    let provider = provider(there.path(), CLEAR);
    send(&provider, "ben@home.test", 1, 200);
    held(&provider, 1);
    let at = provider.address.to_string();
    let more = "tls = \"none\"\ndomains = [\"home.test\"]";
    // Another customer asks for it.
    let other = customer(here.path(), &at, "office", more);
    let (ok, said) = collect(&other);
    assert!(!ok);
    assert!(said.contains("ATRN was refused: 450 "), "{said}");
    // And then with a password that isn't the one.
    std::fs::write(here.path().join("password"), "wrong\n").expect("write it");
    let (ok, said) = collect(&other);
    assert!(!ok);
    assert!(said.contains("AUTH was refused: 535 "), "{said}");
    std::fs::remove_file(here.path().join("password")).expect("take it away");
    let (ok, said) = collect(&other);
    assert!(!ok);
    assert!(said.contains("password: can't be read: "), "{said}");
    let shown = &other.look("/v1/collections")[0];
    assert_eq!(shown["failures"], 3);
    other.wait_for_line(|line| line.contains("collection.failed") && line.contains("535"));
    assert_eq!(
        (messages(&other.data).len(), provider.queue().len()),
        (0, 1)
    );
}

#[test]
fn under_tls_the_provider_has_to_be_who_it_should_be() {
    for (listener, tls) in [("offered", "starttls"), ("implicit", "implicit")] {
        let (there, here) = folders();
        let listener = format!("address = \"127.0.0.1:0\"\ntls = \"{listener}\"");
        let provider = provider(there.path(), &listener);
        if listener.contains("implicit") {
            // The harness speaks no TLS when it sends: there is nothing to collect.
        } else {
            send(&provider, "ben@home.test", 1, 200);
            held(&provider, 1);
        }
        let port = provider.address.port();
        let authority = there.path().join("authority.pem");
        let settings = |ca_file: &Path| format!("tls = \"{tls}\"\nca_file = {ca_file:?}");
        // Its certificate isn't signed by an authority that is trusted here.
        let strange = tempfile::tempdir().expect("a folder");
        tls::certificates(strange.path());
        let unknown = settings(&strange.path().join("authority.pem"));
        let home = customer(here.path(), &format!("127.0.0.1:{port}"), "home", &unknown);
        let (ok, said) = collect(&home);
        assert!(!ok);
        assert!(
            said.contains("no TLS with it: invalid peer certificate"),
            "{said}"
        );
        drop(home);
        // It is for another name.
        let here = tempfile::tempdir().expect("a folder");
        let known = settings(&authority);
        let home = customer(here.path(), &format!("127.0.0.2:{port}"), "home", &known);
        let (ok, said) = collect(&home);
        assert!(!ok);
        // Nobody listens at that address, or somebody whose certificate is for another.
        assert!(
            said.contains("no connection: ") || said.contains("invalid peer"),
            "{said}"
        );
        drop(home);
        // It is the one.
        let here = tempfile::tempdir().expect("a folder");
        let home = customer(here.path(), &format!("localhost:{port}"), "home", &known);
        let (ok, said) = collect(&home);
        assert!(ok, "{said}");
        if tls == "starttls" {
            assert_eq!(said, "provider: 1 message\n");
            let text = String::from_utf8_lossy(&home.wait_for_messages(1)[0].octets).into_owned();
            assert!(text.contains("by mail.home.test with ESMTPS"), "{text}");
        }
    }
}

#[test]
fn a_certificate_says_who_the_customer_is() {
    let (there, here) = folders();
    let provider = provider(there.path(), "address = \"127.0.0.1:0\"\ntls = \"offered\"");
    send(&provider, "ben@home.test", 1, 200);
    held(&provider, 1);
    let file = |name: &str| there.path().join(name);
    let settings = format!(
        "ca_file = {:?}
        certificate = {:?}
        key = {:?}
        interval = \"0s\"",
        file("authority.pem"),
        file("client.pem"),
        file("client.key"),
    );
    let at = format!("localhost:{}", provider.address.port());
    let home = collector(here.path(), &at, &settings);
    assert_eq!(collect(&home), (true, "provider: 1 message\n".into()));
    home.wait_for_messages(1);
}

#[test]
fn it_collects_by_itself_again_and_again() {
    let (there, here) = folders();
    let provider = provider(there.path(), CLEAR);
    send(&provider, "ben@home.test", 1, 200);
    held(&provider, 1);
    let settings = "tls = \"none\"
        user = \"home\"
        password_file = \"password\"
        interval = \"7s\"";
    std::fs::write(here.path().join("password"), "secret").expect("write the password");
    let home = collector(here.path(), &provider.address.to_string(), settings);
    home.wait_for_messages(1);
    send(&provider, "ben@home.test", 2, 200);
    home.wait_for_messages(2);
}

/// Kills one of both in the midst of it, until all has come: nothing is lost.
fn killed_in_the_midst(kills_provider: bool) {
    const MESSAGES: usize = 24;
    let (there, here) = folders();
    let at = free_address();
    let listener = format!("address = \"{at}\"\nclear_passwords = true");
    let mut provider_of_all = provider(there.path(), &listener);
    for number in 1..=MESSAGES {
        // So long that few have come while the record of one waits for others to share its flush with, for
        // these come twice.
        send(&provider_of_all, "ben@home.test", number, 400_000);
    }
    held(&provider_of_all, MESSAGES);
    let more = "tls = \"none\"";
    let mut home = customer(here.path(), &at.to_string(), "home", more);
    for kill in 1..=3 {
        let before = messages(&home.data).len();
        let told = home.data.join("control.sock");
        let collecting = thread::spawn(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_postroad"));
            command.args(["collect", "provider", "--socket"]).arg(told);
            command.output().expect("run the binary")
        });
        home.wait_until("some of it", || messages(&home.data).len() > before);
        if kills_provider {
            provider_of_all.kill();
            provider_of_all = provider(there.path(), &listener);
        } else {
            home.kill();
            home = customer(here.path(), &at.to_string(), "home", more);
        }
        collecting.join().expect("the command ends");
        println!(
            "kill {kill}: {} messages have come",
            messages(&home.data).len()
        );
    }
    let end = std::time::Instant::now() + PATIENCE;
    while !provider_of_all.queue().is_empty() {
        assert!(std::time::Instant::now() < end, "it never ends");
        let (_, said) = collect(&home);
        println!("{said}");
        thread::sleep(Duration::from_millis(500));
    }
    home.wait_until("an empty queue", || home.queue().is_empty());
    let counts = count_by(&messages(&home.data), "X-Number:");
    assert_eq!(counts.len(), MESSAGES, "some were lost");
    // What was under way at a kill may have come twice.
    let twice = counts.values().map(|count| count - 1).sum::<usize>();
    assert!(twice <= 6, "{twice} came twice");
}

#[test]
fn nothing_is_lost_when_the_provider_is_killed_in_the_midst() {
    killed_in_the_midst(true);
}

#[test]
fn nothing_is_lost_when_the_customer_is_killed_in_the_midst() {
    killed_in_the_midst(false);
}

/// A provider that says what it is told, in one connection: each word that it says is for one line that it
/// heard, and the first for none. Gives what it heard.
fn scripted(says: &'static [&'static str]) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let played = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a customer");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        play(&stream, says).unwrap_or_else(|(heard, error)| panic!("{error} after {heard:?}"))
    });
    (address, played)
}

fn play(stream: &TcpStream, says: &[&str]) -> Result<Vec<String>, (Vec<String>, std::io::Error)> {
    let mut heard = Vec::new();
    let mut lines = BufReader::new(stream).lines();
    for (nth, words) in says.iter().enumerate() {
        if nth > 0 {
            match lines.next() {
                Some(Ok(line)) => heard.push(line),
                Some(Err(error)) => return Err((heard, error)),
                None => return Ok(heard),
            }
        }
        let mut writer = stream;
        if let Err(error) = writer.write_all(words.as_bytes()) {
            return Err((heard, error));
        }
    }
    while let Some(Ok(line)) = lines.next() {
        heard.push(line);
    }
    Ok(heard)
}

const LOGIN: [&str; 3] = [
    "220 odmr.test\r\n",
    "250-odmr.test\r\n250-AUTH PLAIN\r\n250 ATRN\r\n",
    "235 welcome\r\n",
];

#[test]
fn what_providers_say_is_told() {
    let cases: [(&'static [&'static str], bool, &str); 7] = [
        (
            &[
                LOGIN[0],
                LOGIN[1],
                LOGIN[2],
                "453 nothing\r\n",
                "221 bye\r\n",
            ],
            true,
            "there is no mail",
        ),
        (
            &[LOGIN[0], LOGIN[1], LOGIN[2], "451 later\r\n", "221 bye\r\n"],
            false,
            "ATRN was refused: 451 later",
        ),
        (
            &[
                LOGIN[0],
                LOGIN[1],
                LOGIN[2],
                "502 no such command\r\n",
                "221 bye\r\n",
            ],
            false,
            "ATRN was refused: 502",
        ),
        (
            &[
                LOGIN[0],
                LOGIN[1],
                LOGIN[2],
                "530 who are you\r\n",
                "221 bye\r\n",
            ],
            false,
            "ATRN was refused: 530",
        ),
        (
            &[LOGIN[0], "250 odmr.test\r\n", "221 bye\r\n"],
            false,
            "it offers neither AUTH PLAIN nor AUTH LOGIN",
        ),
        (
            &["421 not today\r\n", "221 bye\r\n"],
            false,
            "421 not today",
        ),
        (&["SSH-2.0-OpenSSH_9.2\r\n"], false, "provider: "),
    ];
    for (script, ok, words) in cases {
        let here = tempfile::tempdir().expect("a folder");
        let (address, played) = scripted(script);
        let home = customer(here.path(), &address.to_string(), "home", "tls = \"none\"");
        let (went_well, said) = collect(&home);
        assert_eq!(went_well, ok, "{said}");
        assert!(said.contains(words), "{said}");
        played.join().expect("it was played");
    }
    // Nobody is there.
    let here = tempfile::tempdir().expect("a folder");
    let home = customer(here.path(), "127.0.0.1:1", "home", "tls = \"none\"");
    let (ok, said) = collect(&home);
    assert!(!ok && said.contains("no connection: "), "{said}");
}

#[test]
fn a_provider_has_no_relay_in_its_customer() {
    let here = tempfile::tempdir().expect("a folder");
    let (address, played) = scripted(&[
        LOGIN[0],
        LOGIN[1],
        LOGIN[2],
        // It is the client now: what follows is its part.
        "250 reversing\r\n",
        "EHLO odmr.test\r\nMAIL FROM:<me@client.test>\r\nRCPT TO:<ben@home.test>\r\n\
         RCPT TO:<x@elsewhere.test>\r\nRCPT TO:<x@branch.test>\r\nRCPT TO:<x@nowhere.test>\r\n\
         VRFY ben\r\nETRN home.test\r\nATRN\r\nSTARTTLS\r\nQUIT\r\n",
    ]);
    let more = "tls = \"none\"
        domains = [\"home.test\", \"branch.test\", \"nowhere.test\"]

        [[route]]
        domain = \"*\"
        next_hop = \"smtp://127.0.0.1:9\"

        [[route]]
        domain = \"branch.test\"
        next_hop = \"smtp://127.0.0.1:9\"

        # Whatever is trusted when it connects is not when it is connected to.
        [relay]
        trusted_networks = [\"127.0.0.0/8\"]";
    let home = customer(here.path(), &address.to_string(), "home", more);
    let (ok, said) = collect(&home);
    assert!(ok, "{said}");
    let heard = played.join().expect("it was played");
    let codes: Vec<&str> = heard
        .iter()
        .skip_while(|line| !line.starts_with("220 "))
        .filter(|line| line.as_bytes().get(3) == Some(&b' '))
        .map(|line| &line[..3])
        .collect();
    // nowhere.test was asked for, and the route for all leads there.
    let expected = [
        "220", "250", "250", "250", "550", "250", "250", "252", "500", "502", "500", "221",
    ];
    assert_eq!(codes, expected, "{heard:#?}");
    let extensions: Vec<_> = heard
        .iter()
        .filter(|line| line.starts_with("250-"))
        .collect();
    for hidden in ["STARTTLS", "AUTH", "ATRN", "ETRN"] {
        assert!(
            !extensions.iter().any(|line| line.contains(hidden)),
            "{extensions:?}"
        );
    }
}
