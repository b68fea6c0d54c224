//! A next hop that nobody answers at for a while.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::next_hop::{NextHop, free_address, route};
use crate::harness::{PATIENCE, Server, count_by};

const SETTINGS: &str = "
[relay]
trusted_networks = [\"127.0.0.0/8\"]

[delivery]
retry_first = \"1s\"
retry_longest = \"2s\"
";

/// How a site does, by its name.
fn site(server: &Server, name: &str) -> Option<Value> {
    let sites = server.look("/v1/sites");
    let mut sites = sites.as_array().expect("a list").iter();
    sites.find(|site| site["site"] == name).cloned()
}

#[test]
fn it_is_left_alone_and_found_again_and_the_others_wait_for_nothing() {
    const DOWN: usize = 12;
    let folder = tempfile::tempdir().expect("a folder");
    let up = NextHop::start();
    let address = free_address();
    let name = format!("smtp://{address}");
    let settings = [
        SETTINGS,
        &up.route("up.test"),
        &route("down.test", &name),
        &route("*.down.test", &name),
    ]
    .concat();
    let server = Server::start(folder.path(), &settings);
    for number in 0..DOWN {
        let octets = format!("X-Number: {number}\r\n\r\nhello\r\n");
        // Two routes, one site.
        server.send(
            &format!("r@{}down.test", ["", "a."][number % 2]),
            octets.as_bytes(),
        );
    }
    let is_paused = || site(&server, &name).is_some_and(|site| site["paused_until"].is_string());
    server.wait_until("a pause", is_paused);
    let error = site(&server, &name).expect("it was there")["last_error"].clone();
    assert!(
        error
            .as_str()
            .is_some_and(|error| error.contains("refused")),
        "{error}"
    );
    // Those whose turn never came wait, too, and know why.
    server.wait_for_line(|line| line.contains("is left alone for a while after trouble"));

    let mut slowest = Duration::ZERO;
    for number in 0..40 {
        let began = Instant::now();
        let octets = format!("X-Number: {number}\r\n\r\nhello\r\n");
        server.send("r@up.test", octets.as_bytes());
        let taken = || up.taken().len() == number + 1;
        server.wait_until("mail elsewhere", taken);
        slowest = slowest.max(began.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("the slowest elsewhere took {slowest:?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert_eq!(server.queue().len(), DOWN);

    let down = NextHop::start_at(address);
    let began = Instant::now();
    server.wait_until("an empty queue", || server.queue().is_empty());
    println!("up again, it had its mail after {:?}", began.elapsed());
    assert!(began.elapsed() < PATIENCE / 2);
    let counts = count_by(&down.taken(), "X-Number:");
    assert_eq!(counts.len(), DOWN);
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");
    let site = site(&server, &name).expect("it was there");
    assert!(site["paused_until"].is_null(), "{site}");
}

/// With pauses of minutes, so that nothing but the operator moves anything.
#[test]
fn an_operator_sends_its_mail_elsewhere_or_says_that_it_is_up_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let elsewhere = NextHop::start();
    let address = free_address();
    let name = format!("smtp://{address}");
    let settings = format!(
        "[relay]\ntrusted_networks = [\"127.0.0.0/8\"]\n{}",
        route("*", &name)
    );
    let server = Server::start(folder.path(), &settings);
    for number in 0..12 {
        let octets = format!("X-Number: {number}\r\n\r\nhello\r\n");
        server.send(&format!("r{number}@down.test"), octets.as_bytes());
    }
    let is_paused = || site(&server, &name).is_some_and(|site| site["paused_until"].is_string());
    server.wait_until("a pause", is_paused);
    server.wait_until("all of it put off", || {
        server
            .queue()
            .iter()
            .all(|message| message["state"] != "active")
    });

    let began = Instant::now();
    let to = format!("smtp://{}", elsewhere.address);
    let some = ["--recipient", "r1*@down.test"];
    server.command(&["queue", "redirect", "--to", &to, some[0], some[1]]);
    server.command(&["queue", "retry", some[0], some[1]]);
    // 1, 10 and 11.
    server.wait_until("the mail of some elsewhere", || server.queue().len() == 9);
    assert_eq!(elsewhere.taken().len(), 3);

    let down = NextHop::start_at(address);
    server.command(&["queue", "retry", "--all"]);
    server.wait_until("an empty queue", || server.queue().is_empty());
    println!("after {:?}", began.elapsed());
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    let counts = count_by(&down.taken(), "X-Number:");
    assert!(counts.len() == 9 && counts.values().all(|times| *times == 1));
}
