//! The start: the first one without any configuration, as whom, and why it may not happen.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::{Gid, User, geteuid};

use crate::harness::{self, Server};

const DOMAIN: &str = "
[[domain]]
name = \"example.test\"
mailboxes = [\"ada\"]
";

fn postroad() -> Command {
    Command::new(env!("CARGO_BIN_EXE_postroad"))
}

/// A start that must end by itself, without success.
fn fails_to_start(folder: &Path, configuration: &str) -> String {
    let file = folder.join("fails.toml");
    std::fs::write(&file, configuration).expect("write the configuration");
    let mut command = postroad();
    command.args(["serve", "--config"]).arg(&file);
    let Output { status, stderr, .. } = ended(command.current_dir(folder));
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(1), "{said}");
    said
}

/// The output of a command that must not run for ever.
fn ended(command: &mut Command) -> Output {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("start it");
    let end = Instant::now() + harness::PATIENCE;
    while child.try_wait().expect("ask for its end").is_none() {
        if Instant::now() > end {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("its output")
}

/// Whether this test can do what only root can; says what is left out if not.
fn is_root(what: &str) -> bool {
    let root = geteuid().is_root();
    if !root {
        println!("left out: {what}: it takes root");
    }
    root
}

/// What a newcomer does: one command, and the line it prints.
#[test]
fn the_first_start_needs_nothing_and_its_line_sends_a_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = SocketAddr::from((Ipv4Addr::LOCALHOST, 2525));
    let end = Instant::now() + Duration::from_secs(20);
    while let Err(error) = TcpListener::bind(port) {
        if Instant::now() > end {
            println!("left out: the start without a configuration: {port}: {error}");
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut command = postroad();
    command.arg("serve").current_dir(folder.path());
    let server = Server::spawn(command, folder.path().join("postroad-data"));
    server.wait_for_line(|line| line.ends_with(" is ready"));
    server.wait_for_line(|line| line == "  listening on 127.0.0.1:2525");
    server.wait_for_line(|l| l.contains("localhost") && l.ends_with("goes to postroad-data/mail"));
    let line = server.wait_for_line(|line| line.contains("curl"));

    if Command::new("curl").arg("--version").output().is_err() {
        println!("left out: the line that sends a first message: there is no curl");
        return;
    }
    let sent = ended(Command::new("sh").args(["-c", &line]).current_dir("/"));
    assert!(sent.status.success(), "{line}: {sent:?}");
    let found = server.wait_for_messages(1);
    assert_eq!(found[0].received(), b"Subject: hello\r\n\r\nIt works.\r\n");
    let mailbox = folder.path().join("postroad-data/mail/localhost/you/new");
    assert_eq!(found[0].path.parent(), Some(mailbox.as_path()));
    let made: Vec<_> = std::fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(made, ["postroad-data"]);
}

/// As in `postroad serve | head`: what it says to people is not what it is for.
#[test]
fn a_server_whose_words_nobody_reads_serves_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = harness::next_hop::free_address();
    let settings = format!("[[listener]]\naddress = \"{address}\"\n{DOMAIN}");
    let settings = harness::configuration(&folder.path().join("data"), &settings);
    let file = folder.path().join("postroad.toml");
    std::fs::write(&file, settings).expect("write the configuration");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = postroad();
    command.args(["serve", "--config"]).arg(&file);
    command.stdin(Stdio::null()).stdout(writer);
    let mut server = command.stderr(Stdio::null()).spawn().expect("start it");
    let end = Instant::now() + harness::PATIENCE;
    let greeted = loop {
        match TcpStream::connect(address) {
            Ok(mut stream) => break stream.read(&mut [0; 4]).is_ok_and(|read| read > 0),
            Err(_) if Instant::now() > end => break false,
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    // The words come last: a moment later it is still there.
    std::thread::sleep(Duration::from_millis(200));
    let still = server.try_wait().expect("ask for its end").is_none();
    let _ = server.kill();
    let _ = server.wait();
    assert!(greeted && still, "greeted: {greeted}, still there: {still}");
}

#[test]
fn a_second_server_on_the_same_folder_says_so_and_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), DOMAIN);
    let said = fails_to_start(folder.path(), &harness::configuration(&server.data, DOMAIN));
    assert!(said.contains("another process uses this spool"), "{said}");
    assert!(said.contains("data/spool"), "{said}");
    server.send("ada@example.test", b"the first goes on\r\n");
    assert_eq!(server.wait_for_messages(1).len(), 1);
}

#[test]
fn a_port_that_is_taken_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let settings = format!("[[listener]]\naddress = \"{address}\"\n{DOMAIN}");
    let said = fails_to_start(
        folder.path(),
        &harness::configuration(&folder.path().join("data"), &settings),
    );
    assert!(
        said.contains(&format!("can't listen on {address}")),
        "{said}"
    );
    assert!(said.contains("another listener.address"), "{said}");
}

#[test]
fn root_must_say_whom_to_become() {
    if !is_root("refusing to run as root") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let said = fails_to_start(folder.path(), "data_dir = \"data\"\n");
    assert!(said.contains("user = "), "{said}");
    assert!(
        !folder.path().join("data").exists(),
        "it made its folder as root"
    );
}

#[test]
fn a_user_who_does_not_exist_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = fails_to_start(folder.path(), "user = \"no-such-user\"\n");
    assert!(said.contains("no-such-user"), "{said}");
}

#[test]
fn it_binds_its_port_as_root_and_does_everything_else_as_the_user() {
    if !is_root("becoming another user") {
        return;
    }
    let nobody = User::from_name("nobody").expect("ask for it");
    let nobody = nobody.expect("every system has nobody");
    let folder = tempfile::tempdir().expect("a folder");
    // The user needs a way to the data folder.
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("open the folder");
    let port = (600..1024)
        .rev()
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port that only root may bind");
    let settings =
        format!("user = \"nobody\"\n[[listener]]\naddress = \"127.0.0.1:{port}\"\n{DOMAIN}");
    // Groups of root's that it must not keep.
    nix::unistd::setgroups(&[Gid::from_raw(0), Gid::from_raw(1)]).expect("take groups");
    let server = Server::start(folder.path(), &settings);
    assert_eq!(server.address.port(), port);

    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("the state of the process");
    let ids = |name: &str| -> Vec<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let ids = line.expect("the line").split_whitespace();
        ids.map(|id| id.parse().expect("a number")).collect()
    };
    assert_eq!(ids("Uid:"), [nobody.uid.as_raw(); 4]);
    assert_eq!(ids("Gid:"), [nobody.gid.as_raw(); 4]);
    let groups = ids("Groups:");
    assert!(!groups.contains(&0) && !groups.contains(&1), "{groups:?}");
    let told = server.wait_for_line(|line| line.contains("privilege.dropped"));
    assert!(told.contains(r#""user":"nobody""#), "{told}");

    server.send("ada@example.test", b"whose is it?\r\n");
    server.wait_for_messages(1);
    all_belong_to(&server.data, nobody.uid.as_raw());
}

/// What systemd does: it listens, and hands the socket over as the third descriptor (sd_listen_fds(3)).
#[test]
fn a_socket_that_is_handed_over_is_used_instead_of_the_listeners() {
    const HAND_OVER: &str = "
import os, socket, sys
listener = socket.create_server(('127.0.0.1', 0))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
print('handed over', listener.getsockname()[1], flush=True)
os.execv(sys.argv[1], sys.argv[1:])
";
    if Command::new("python3").arg("--version").output().is_err() {
        println!("left out: a socket that is handed over: there is no python3");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let file = folder.path().join("postroad.toml");
    std::fs::write(&file, harness::configuration(&data, DOMAIN)).expect("write it");
    let mut command = Command::new("python3");
    command.args(["-c", HAND_OVER, env!("CARGO_BIN_EXE_postroad")]);
    command.args(["serve", "--config"]).arg(&file);
    let server = Server::spawn(command, data);
    let handed = server.wait_for_line(|line| line.starts_with("handed over "));
    assert_eq!(handed, format!("handed over {}", server.address.port()));
    server.send("ada@example.test", b"through it\r\n");
    assert_eq!(server.wait_for_messages(1).len(), 1);
}

/// Everything in the folder is this user's, and nobody else can look at it.
pub(crate) fn all_belong_to(folder: &Path, uid: u32) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        // A file may be moved on while this looks.
        let Ok(about) = path.symlink_metadata() else {
            continue;
        };
        assert_eq!(about.uid(), uid, "{}", path.display());
        assert_eq!(about.mode() & 0o077, 0, "{}", path.display());
        if about.is_dir() {
            all_belong_to(&path, uid);
        }
    }
}
