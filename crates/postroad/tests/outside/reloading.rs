//! SIGHUP: what a changed file changes, and when it is refused.

use std::net::TcpListener;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::{Client, Server, configuration};

const BEFORE: &str = "
[limits]
hops = 50
message_size = \"1 MiB\"

[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
";

/// Writes another configuration over that of a server, sends SIGHUP, and waits for what the log
/// says to it.
fn reload(server: &Server, folder: &Path, settings: &str, said: &str) -> String {
    let text = configuration(&server.data, settings);
    std::fs::write(folder.join("postroad.toml"), text).expect("write the configuration");
    let before = server.lines().len();
    server.signal(Signal::SIGHUP);
    server.wait_for_line_after(before, |line| line.contains(said))
}

#[test]
fn a_reload_changes_what_it_can_and_keeps_a_transaction_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), BEFORE);
    let mut open = server.connect();
    open.expect("EHLO client.test", 250);
    open.expect("MAIL FROM:<>", 250);
    let after = BEFORE
        .replace("example.test", "other.test")
        .replace("1 MiB", "2 MiB")
        .replace(
            "[limits]",
            "[limits]\nbody_memory = \"32 MiB\"\nconnections = 2",
        )
        + "\n[delivery]\nretry_first = \"2m\"\n[mailboxes]\nlimit = 7\n";
    let told = reload(&server, folder.path(), &after, "config.reloaded");
    assert!(told.contains(r#""changed":6"#), "{told}");
    for (setting, from) in [
        ("limits.connections", "live"),
        ("limits.message_size", "next connection"),
        ("limits.body_memory", "live"),
        ("domain[0].name", "live"),
        ("mailboxes.limit", "live"),
        ("delivery.retry_first", "live"),
    ] {
        let event = format!(r#""event":"config.changed","setting":"{setting}","from":"{from}""#);
        server.wait_for_line(|line| line.contains(&event));
    }

    open.expect("RCPT TO:<ada@example.test>", 250);
    open.expect("RCPT TO:<ada@other.test>", 550);
    open.expect("DATA", 354);
    open.send_data(b"Subject: kept\r\n\r\n").expect("send it");
    assert_eq!(open.reply().expect("a reply").0, 250);
    open.expect("MAIL FROM:<>", 250);
    open.expect("RCPT TO:<ada@example.test>", 550);
    open.expect("RCPT TO:<ada@other.test>", 250);

    let mut next = server.connect();
    let offered = next.expect("EHLO client.test", 250);
    assert!(offered.contains(&"SIZE 2097152".to_owned()), "{offered:?}");
    let mut third = Client::open(server.address).expect("connect");
    assert_eq!(third.reply().expect("a greeting").0, 421);
}

#[test]
fn a_setting_that_needs_a_restart_is_refused_by_name_and_so_is_all_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path(), BEFORE);
    let after = BEFORE.replace("example.test", "other.test");
    let after = format!("hostname = \"new.test\"\n{after}[log]\nlevel = \"debug\"\n");
    let told = reload(&server, folder.path(), &after, "config.refused");
    assert!(
        told.contains("hostname, log.level need a restart; nothing was changed"),
        "{told}"
    );
    server.wait_for_line(|line| {
        line.contains("config.problem")
            && line.contains(r#""setting":"hostname""#)
            && line.contains("needs a restart")
    });
    let mut client = Client::open(server.address).expect("connect");
    let (_, greeting) = client.reply().expect("a greeting");
    assert!(greeting[0].starts_with("mx.test "), "{greeting:?}");
    client.expect("EHLO client.test", 250);
    client.expect("MAIL FROM:<>", 250);
    client.expect("RCPT TO:<ada@example.test>", 250);
    client.expect("RCPT TO:<ada@other.test>", 550);

    // What was refused counts as never read: the same change without the hostname is taken.
    let after = BEFORE.replace("example.test", "other.test");
    reload(&server, folder.path(), &after, "config.reloaded");
    assert!(server.terminate().success());
}

#[test]
fn a_file_with_faults_is_refused_with_all_of_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), BEFORE);
    let after = format!("{BEFORE}\naliases = {{ info = [\"nobody\"] }}\n[smtp]\nvrfi = true\n");
    let after = after.replace("hops = 50", "hops = 5");
    let told = reload(&server, folder.path(), &after, "config.refused");
    assert!(told.contains("3 problems; nothing was changed"), "{told}");
    for setting in ["limits.hops", "domain[0].aliases", "smtp.vrfi"] {
        server.wait_for_line(|l| l.contains("config.problem") && l.contains(setting));
    }
    std::fs::remove_file(folder.path().join("postroad.toml")).expect("remove it");
    let before = server.lines().len();
    server.signal(Signal::SIGHUP);
    server.wait_for_line_after(before, |line| {
        line.contains("config.refused") && line.contains("No such file")
    });
    server.send("ada@example.test", b"it goes on\r\n");
    assert_eq!(server.wait_for_messages(1).len(), 1);
}

#[test]
fn the_control_socket_reloads_too_and_answers_what_came_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), BEFORE);
    let file = folder.path().join("postroad.toml");
    let write = |settings: &str| {
        std::fs::write(&file, configuration(&server.data, settings)).expect("write it");
        server.control("POST", "/v1/reload")
    };
    let answer = write(&BEFORE.replace("hops = 50", "hops = 60"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.ends_with(r#"{"changed":["limits.hops"]}"#),
        "{answer}"
    );
    let answer = write(&format!(
        "[[listener]]\naddress = \"127.0.0.1:1\"\n{BEFORE}"
    ));
    assert!(answer.starts_with("HTTP/1.1 409 "), "{answer}");
    assert!(
        answer.contains("listener[0].address needs a restart; nothing was changed"),
        "{answer}"
    );
    let answer = write(&BEFORE.replace("hops = 50", "hops = 5\nhopps = 6"));
    assert!(
        answer.contains("2 problems; nothing was changed"),
        "{answer}"
    );
    assert!(
        answer.contains("`limits.hops` is 5") && answer.contains("limits.hopps"),
        "{answer}"
    );
}

/// Next hops are looked up at each attempt, so a route that is mended frees what waits.
#[test]
fn a_changed_route_frees_the_mail_that_waits_for_it() {
    let there = tempfile::tempdir().expect("a folder");
    let next_hop = Server::start(there.path(), BEFORE);
    let here = tempfile::tempdir().expect("a folder");
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = nobody.local_addr().expect("its address");
    drop(nobody);
    let settings = format!(
        "[[domain]]\nname = \"here.test\"\n[delivery]\nretry_first = \"1s\"\nretry_longest = \"1s\"\n\
         [relay]\ntrusted_networks = [\"127.0.0.0/8\"]\n\
         [[route]]\ndomain = \"*\"\nnext_hop = \"smtp://{dead}\"\n"
    );
    let server = Server::start(here.path(), &settings);
    server.send("ada@example.test", b"Subject: it waits\r\n\r\n");
    server.wait_for_line(|line| line.contains("delivery.deferred"));
    let mended = settings.replace(&dead.to_string(), &next_hop.address.to_string());
    reload(&server, here.path(), &mended, "config.reloaded");
    assert_eq!(next_hop.wait_for_messages(1).len(), 1);
}

#[test]
fn a_changed_table_holds_for_sessions_that_are_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), BEFORE);
    let mut client = server.connect();
    client.expect("EHLO client.test", 250);
    client.expect("MAIL FROM:<eve@spam.test>", 250);
    client.expect("RSET", 250);
    let after = BEFORE.replace(
        "[limits]",
        "[smtp]\ninquiry_networks = [\"127.0.0.0/8\"]\n[limits]",
    ) + "message_size = \"1 KiB\"\n[sending]\nmessages_per_network = 1\n\
           [[access]]\nsenders = [\"*@spam.test\"]\nthen = \"refuse\"\n\
           [[moved]]\naddress = \"bob@example.test\"\nnew_address = \"bob@new.test\"\nshow = true\n";
    reload(&server, folder.path(), &after, "config.reloaded");
    client.expect("MAIL FROM:<eve@spam.test>", 550);
    client.expect("MAIL FROM:<> SIZE=2000", 250);
    client.expect("RCPT TO:<ada@example.test>", 552);
    client.expect("RCPT TO:<bob@example.test>", 551);
    client.expect("RSET", 250);
    server.send("ada@example.test", b"the only one\r\n");
    client.expect("MAIL FROM:<>", 450);
}
