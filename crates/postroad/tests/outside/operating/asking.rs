//! What a server says of itself, and to whom.

use super::*;

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

/// While it drains it still answers; a client at the control socket that says nothing doesn't keep it.
#[test]
fn a_server_that_ends_says_so_and_ends() {
    let mut stuck = Stuck::start();
    let mut sending = stuck.server.connect();
    sending.expect("EHLO client.test", 250);
    sending.expect("MAIL FROM:<>", 250);
    sending.expect("RCPT TO:<grace@example.test>", 250);
    sending.expect("DATA", 354);
    let socket = stuck.server.data.join("control.sock");
    let silent = std::os::unix::net::UnixStream::connect(&socket).expect("connect");
    stuck.server.tell_to_end();
    stuck
        .server
        .wait_for_line(|line| line.contains("server.draining"));
    let file = stuck.file().display().to_string();
    let ready = postroad(&["ready", "--config", &file], stuck.folder.path());
    let words = "not ready: the server was told to stop\n";
    assert_eq!(
        (ready.code, ready.out.as_str()),
        (Some(1), words),
        "{}",
        ready.err
    );
    sending.send_data(b"").expect("send the data");
    assert_eq!(sending.reply().expect("a final reply").0, 250);
    assert!(stuck.server.wait().success());
    assert!(!socket.exists());
    drop(silent);
}
