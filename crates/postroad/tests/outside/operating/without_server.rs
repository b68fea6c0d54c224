//! The queue where no server runs.

use super::*;

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

/// Killed, a server leaves its socket behind: nobody answers there, and the next start replaces it.
#[test]
fn the_socket_of_a_killed_server_is_in_nobodys_way() {
    let mut stuck = Stuck::start();
    stuck.send("bob@client.test");
    let ids = stuck.wait_for(&["--state", "deferred"], 1);
    stuck.server.signal(nix::sys::signal::Signal::SIGKILL);
    stuck.server.wait();
    assert!(stuck.server.data.join("control.sock").exists());
    let listed = stuck.queue(&["list"]);
    assert!(listed.err.starts_with("no server runs"), "{}", listed.err);
    assert!(listed.out.contains(&ids[0]), "{}", listed.out);
    stuck.server = Server::start(stuck.folder.path(), SETTINGS);
    let listed = stuck.queue(&["list"]);
    assert_eq!((listed.code, listed.err.as_str()), (Some(0), ""));
    assert!(listed.out.contains(&ids[0]), "{}", listed.out);
}

/// Root works on the queue as the user whose it is, so that the server finds no file it can't open.
#[test]
fn root_leaves_every_file_to_the_servers_user() {
    if !geteuid().is_root() {
        println!("left out: the queue of a server's own user: it takes root");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("open the folder");
    let settings = format!("user = \"nobody\"\n{SETTINGS}");
    let mut server = Server::start(folder.path(), &settings);
    assert!(server.terminate().success());
    let file = folder.path().join("postroad.toml").display().to_string();
    for what in [
        &["list"][..],
        &["hold", "--all"],
        &["list", "--state", "held"],
    ] {
        let arguments = [&["queue"], what, &["--config", &file]].concat();
        let said = postroad(&arguments, folder.path());
        assert!(said.err.starts_with("no server runs"), "{}", said.err);
    }
    let nobody = User::from_name("nobody").expect("ask for it");
    let nobody = nobody.expect("every system has nobody").uid.as_raw();
    crate::starting::all_belong_to(&server.data, nobody);
    let again = Server::start(folder.path(), &settings);
    again.send("grace@example.test", b"hello\r\n");
    again.wait_for_messages(1);
}
