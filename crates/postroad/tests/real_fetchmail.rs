//! fetchmail as the customer of the real binary: it calls for mail by ODMR (ATRN, RFC 2645) and by ETRN (RFC 1985).
//!
//! Ignored by default because it needs a program that not every machine has; `cargo xtask test`
//! installs it and runs these tests.

// A test from the outside: it has real time, files, sockets and processes, and prints what it did.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

mod harness;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use harness::next_hop::free_address;
use harness::{PATIENCE, Server, folders, tls};

const SETTINGS: &str = "
[relay]
trusted_networks = [\"127.0.0.0/8\"]

[[domain]]
name = \"mx.test\"
mailboxes = [\"ada\"]

[[route]]
domain = \"home.test\"
next_hop = \"on-demand\"

[[on_demand]]
name = \"home\"
domains = [\"home.test\"]
users = [\"home\"]
networks = [\"127.0.0.0/8\"]

[auth]
passwords = \"passwords\"

[[listener]]
address = \"127.0.0.1:0\"
auth = \"offered\"
clear_passwords = true
";

/// Runs fetchmail with this configuration; whether it went well, and what it said.
fn fetchmail(folder: &Path, settings: &str) -> (bool, String) {
    use std::os::unix::fs::PermissionsExt;
    let file = folder.join("fetchmailrc");
    std::fs::write(&file, settings).expect("write its configuration");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&file, mode).expect("set its mode");
    let mut command = Command::new("timeout");
    command
        .args([
            "60",
            "fetchmail",
            "--verbose",
            "--nosyslog",
            "--nodetach",
            "-f",
        ])
        .arg(&file)
        .arg("--pidfile")
        .arg(folder.join("fetchmail.pid"))
        .env("HOME", folder)
        .env("FETCHMAILHOME", folder);
    let output = command.output().expect("run fetchmail");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// fetchmail knows no mechanism but CRAM-MD5, for which a server would have to keep passwords that can be read.
/// This stands between and logs in by PLAIN instead; all else goes through it as it is.
fn logs_in_for_it(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        // As often as a test asks.
        for client in listener.incoming().take(3).flatten() {
            // What ends early is told by fetchmail.
            let _ = between(client, to);
        }
    });
    address
}

fn between(client: TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let server = TcpStream::connect(to)?;
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(PATIENCE))?;
    }
    let (mut to_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let mut replies = BufReader::new(server.try_clone()?);
    let mut lines = BufReader::new(client.try_clone()?);
    let mut reply = |offers: bool| -> std::io::Result<String> {
        let mut whole = String::new();
        loop {
            let mut line = String::new();
            replies.read_line(&mut line)?;
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            // What it can do, it does instead of the server.
            if offers && line[4..].starts_with("AUTH ") {
                line.replace_range(4.., "AUTH CRAM-MD5\r\n");
            }
            whole += &line;
            if is_last {
                return Ok(whole);
            }
        }
    };
    to_client.write_all(reply(false)?.as_bytes())?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.starts_with("AUTH CRAM-MD5") {
            to_client.write_all(b"334 PDEuMkBteC50ZXN0Pg==\r\n")?;
            lines.read_line(&mut String::new())?;
            to_server.write_all(b"AUTH PLAIN AGhvbWUAc2VjcmV0\r\n")?;
        } else {
            to_server.write_all(line.as_bytes())?;
        }
        let answer = reply(line.starts_with("EHLO"))?;
        to_client.write_all(answer.as_bytes())?;
        if line.starts_with("ATRN") && answer.starts_with("250") {
            break;
        }
    }
    let back = thread::spawn(move || std::io::copy(&mut lines, &mut to_server));
    std::io::copy(&mut replies, &mut to_client)?;
    let _ = client.shutdown(std::net::Shutdown::Both);
    let _ = server.shutdown(std::net::Shutdown::Both);
    let _ = back.join();
    Ok(())
}

#[test]
#[ignore = "needs fetchmail"]
fn fetchmail_collects_by_odmr() {
    let (there, here) = folders();
    tls::users(there.path(), ["home secret"]);
    let provider = Server::start(there.path(), SETTINGS);
    // fetchmail only carries octets between the provider and this server.
    let home = Server::start(
        here.path(),
        "[[domain]]\nname = \"home.test\"\ncreate_mailboxes = true\n",
    );
    for number in 0..3 {
        provider.send(
            &format!("box{number}@home.test"),
            format!("Subject: {number}\r\n\r\n.\r\n..dots\r\n").as_bytes(),
        );
    }
    provider.wait_until("mail that is held", || {
        provider
            .queue()
            .iter()
            .all(|message| message["state"] != "active")
    });
    let at = logs_in_for_it(provider.address);
    let settings = format!(
        "poll 127.0.0.1 protocol ODMR service {} auth cram-md5\n  user \"home\" password \"secret\"\n  \
         fetchdomains home.test\n  smtphost 127.0.0.1/{}\n  sslproto ''\n",
        at.port(),
        home.address.port()
    );
    let (_, said) = fetchmail(here.path(), &settings);
    println!("{said}");
    let found = home.wait_for_messages(3);
    for message in &found {
        assert!(message.octets.ends_with(b"\r\n\r\n.\r\n..dots\r\n"));
    }
    provider.wait_until("an empty queue", || provider.queue().is_empty());
    // And then there is none, which is no failure to it.
    let (_, said) = fetchmail(here.path(), &settings);
    assert!(said.contains("453 4.3.2 You have no mail"), "{said}");
}

#[test]
#[ignore = "needs fetchmail"]
fn fetchmail_starts_the_queue_by_etrn() {
    let (there, here) = folders();
    // Nobody is at home when the mail comes.
    let at = free_address();
    let route = format!("next_hop = \"smtp://{at}\"");
    let settings = SETTINGS.replace("next_hop = \"on-demand\"", &route);
    tls::users(there.path(), ["home secret"]);
    let provider = Server::start(there.path(), &settings);
    provider.send("ben@home.test", b"Subject: late\r\n\r\nlate\r\n");
    provider.wait_for_line(|line| line.contains("delivery.deferred"));
    let listener = format!("[[listener]]\naddress = \"{at}\"\n");
    let domain = "[[domain]]\nname = \"home.test\"\ncreate_mailboxes = true\n";
    let home = Server::start(here.path(), &format!("{domain}{listener}"));
    let fetch = format!(
        "poll 127.0.0.1 protocol ETRN service {}\n  fetchdomains home.test\n  smtphost home.test\n  sslproto ''\n",
        provider.address.port()
    );
    let (_, said) = fetchmail(here.path(), &fetch);
    println!("{said}");
    assert!(said.contains("ETRN home.test"), "{said}");
    home.wait_for_messages(1);
    provider.wait_until("an empty queue", || provider.queue().is_empty());
    provider.wait_for_line(|line| line.contains("queue.run") && line.contains("home.test"));
}
