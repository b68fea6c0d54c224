//! The queue of a server that runs: seen, and steered.

use super::*;

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

/// A next hop that is dead, and another that is not.
#[test]
fn a_message_for_a_dead_next_hop_is_sent_to_another() {
    let hop = tempfile::tempdir().expect("a folder");
    let elsewhere = "[[domain]]\nname = \"elsewhere.test\"\nmailboxes = [\"eve\"]\n";
    let hop = Server::start(hop.path(), elsewhere);
    // Bound and let go, so that nobody listens there.
    let bound = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = bound.local_addr().expect("its address");
    drop(bound);
    let stuck = Stuck::with(&format!(
        "[relay]\ntrusted_networks = [\"127.0.0.0/8\"]\n\
         [[route]]\ndomain = \"elsewhere.test\"\nnext_hop = \"smtp://{dead}\"\n{SETTINGS}"
    ));
    stuck.send_to(
        "bob@client.test",
        &["eve@elsewhere.test", "ada@example.test"],
    );
    let site = format!("smtp://{dead}");
    let ids = stuck.wait_for(&["--state", "deferred", "--site", &site], 1);
    let id = ids[0].as_str();
    assert_eq!(stuck.ids(&["--reason", "connection refused"]), ids);
    assert_eq!(stuck.ids(&["--domain", "elsewhere.test"]), ids);
    let file = stuck.file().display().to_string();
    let sites = postroad(&["sites", "--config", &file], stuck.folder.path());
    let row = sites.out.lines().find(|line| line.starts_with(&site));
    assert!(
        row.is_some_and(|row| row.contains("refused")),
        "{}",
        sites.out
    );

    let to = format!("smtp://{}", hop.address);
    let words = format!("redirected 1 message to {to}\n");
    done(
        &stuck.queue(&["redirect", "--to", &to, "--site", &site]),
        &words,
    );
    assert!(stuck.ids(&["--site", &site]).is_empty());
    // Both recipients go there, and only one of them is taken.
    let redirected = stuck.queue(&["show", id]);
    assert!(
        redirected.out.contains(&format!("sends it to {to} ")),
        "{}",
        redirected.out
    );
    done(&stuck.queue(&["retry", id]), "made due 1 message\n");
    let found = hop.wait_for_messages(1);
    assert!(
        found[0]
            .path
            .to_string_lossy()
            .contains("elsewhere.test/eve")
    );
}

#[test]
fn on_a_terminal_delete_asks() {
    let stuck = Stuck::start();
    stuck.send("bob@client.test");
    let ids = stuck.wait_for(&["--state", "deferred"], 1);
    let binary = env!("CARGO_BIN_EXE_postroad");
    let command = format!(
        "{binary} queue delete --all --config {}",
        stuck.file().display()
    );
    let answered = |answer: &str| {
        let mut script = Command::new("script");
        script
            .args(["-qec", &command, "/dev/null"])
            .stdin(Stdio::piped());
        let mut child = script.stdout(Stdio::piped()).spawn().ok()?;
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(answer.as_bytes()).expect("answer");
        let output = child.wait_with_output().expect("its output");
        drop(stdin);
        Some(said(output))
    };
    let Some(no) = answered("n\n") else {
        println!("left out: delete on a terminal: there is no script(1)");
        return;
    };
    let question = "Delete 1 message for good? Nobody is told of it. [y/N]";
    assert!(
        no.out.contains(question) && no.out.contains("nothing is deleted"),
        "{}",
        no.out
    );
    assert_eq!((no.code, stuck.ids(&[])), (Some(1), ids));
    let yes = answered("y\n").expect("it was there");
    assert!(yes.out.contains("deleted 1 message"), "{}", yes.out);
    assert!(stuck.ids(&[]).is_empty());
}
