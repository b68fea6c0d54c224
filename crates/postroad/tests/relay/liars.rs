//! Next hops that do what no real server does. Each is a site of one and the same server, so what
//! one does to its own mail it must not do to that of the others.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::next_hop::{At, Moment, NextHop, Say};
use crate::harness::{Server, count_by, messages};

/// A next hop that is odd once, and does as it should from then on.
struct Liar {
    what: &'static str,
    at: At,
    says: Say,
    /// What it comes to at first.
    then: Then,
}

impl Liar {
    /// What comes of it where the connection is a kept one, and the next one is a new one.
    fn over_kept(self) -> Liar {
        let closes = matches!(self.says, Say::Close | Say::Last(_));
        let then = match self.at {
            // It has no occasion.
            At::Greeting | At::Hello => Then::Taken,
            // A kept connection may have been closed before anything was said; so it is said again at once.
            At::Mail if closes => Then::Taken,
            At::Rcpt if matches!(self.says, Say::Close) => Then::Taken,
            _ => self.then,
        };
        Liar { then, ..self }
    }
}

/// What an oddity comes to.
enum Then {
    /// The message is taken.
    Taken,
    /// It is tried again, as the next hop can't have it. The log says this.
    Again(&'static str),
    /// It is tried again although the next hop may have it, as it didn't say so.
    Doubted(&'static str),
    /// It goes back to its sender with this.
    Back(&'static str),
}

fn liars() -> Vec<Liar> {
    let liar = |what, at, says, then| Liar {
        what,
        at,
        says,
        then,
    };
    let endless = format!("{}250 end", "250-and so on\r\n".repeat(100_000));
    let lost = "the connection was lost";
    vec![
        liar(
            "takes it and closes before QUIT",
            At::Message,
            Say::last("250 2.0.0 taken"),
            Then::Taken,
        ),
        liar(
            "refuses QUIT",
            At::Quit,
            Say::last("500 5.5.1 never heard of it"),
            Then::Taken,
        ),
        liar(
            "closes after the final dot",
            At::Message,
            Say::Close,
            Then::Doubted(lost),
        ),
        liar(
            "is silent after the final dot",
            At::Message,
            Say::Never,
            Then::Doubted("no reply in time to the message"),
        ),
        liar(
            "says 421 after the final dot",
            At::Message,
            Say::last("421 4.3.2 going down"),
            Then::Again("421 4.3.2 going down"),
        ),
        liar(
            "says 354 after the final dot",
            At::Message,
            Say::words("354 and on"),
            Then::Doubted("354 and on"),
        ),
        liar(
            "says 250 and 550 after the final dot",
            At::Message,
            Say::words("250-2.0.0 taken\r\n550 5.7.1 refused"),
            Then::Doubted("code"),
        ),
        liar(
            "closes in the greeting",
            At::Greeting,
            Say::Close,
            Then::Again(lost),
        ),
        liar("closes at EHLO", At::Hello, Say::Close, Then::Again(lost)),
        liar("closes at MAIL", At::Mail, Say::Close, Then::Again(lost)),
        liar("closes at RCPT", At::Rcpt, Say::Close, Then::Again(lost)),
        liar("closes at DATA", At::Data, Say::Close, Then::Again(lost)),
        liar(
            "says 421 in the greeting",
            At::Greeting,
            Say::last("421 later"),
            Then::Again("421 later"),
        ),
        liar(
            "says 421 at EHLO",
            At::Hello,
            Say::last("421 later"),
            Then::Again("421 later"),
        ),
        liar(
            "says 421 at MAIL",
            At::Mail,
            Say::last("421 later"),
            Then::Again("421 later"),
        ),
        liar(
            "says 421 at RCPT",
            At::Rcpt,
            Say::last("421 later"),
            Then::Again("421 later"),
        ),
        liar(
            "says 421 at DATA",
            At::Data,
            Say::last("421 later"),
            Then::Again("421 later"),
        ),
        liar(
            "is silent in the greeting",
            At::Greeting,
            Say::Never,
            Then::Again("no greeting in time"),
        ),
        liar(
            "is silent at MAIL",
            At::Mail,
            Say::Never,
            Then::Again("no reply in time to MAIL"),
        ),
        liar(
            "is silent at DATA",
            At::Data,
            Say::Never,
            Then::Again("no reply in time to DATA"),
        ),
        liar(
            "greets with two codes",
            At::Greeting,
            Say::words("220-hello\r\n554 no"),
            Then::Again("code"),
        ),
        liar(
            "answers MAIL with two codes",
            At::Mail,
            Say::words("250-fine\r\n550 or not"),
            Then::Again("code"),
        ),
        liar(
            "answers RCPT with two codes",
            At::Rcpt,
            Say::words("250-fine\r\n550 or not"),
            Then::Again("code"),
        ),
        liar(
            "says 250 to DATA",
            At::Data,
            Say::words("250 I have it already"),
            Then::Again("250 I have it already"),
        ),
        liar(
            "says 354 twice",
            At::Data,
            Say::words("354 go on\r\n354 go on, I said"),
            Then::Again("354 go on, I said"),
        ),
        liar(
            "says no code",
            At::Mail,
            Say::words("fine"),
            Then::Again(""),
        ),
        liar(
            "says more than anybody reads",
            At::Hello,
            Say::Words(endless),
            Then::Again(""),
        ),
        liar(
            "refuses for good",
            At::Message,
            Say::words("554 5.6.0 not this one"),
            Then::Back("554 5.6.0 not this one"),
        ),
    ]
}

const SETTINGS: &str = "
[relay]
trusted_networks = [\"127.0.0.0/8\"]

[delivery]
retry_first = \"1s\"
retry_growth = 1
reply_timeout = \"1s\"
final_reply_timeout = \"1s\"
connection_idle = \"10s\"

[[domain]]
name = \"example.test\"
create_mailboxes = true
";

#[test]
fn what_a_liar_says_is_believed_only_where_it_is_sure() {
    lie(false);
}

/// The same where it had a message before, over the same connection.
#[test]
fn over_a_kept_connection_a_liar_fares_the_same() {
    lie(true);
}

/// Has each of them lie once, to its second message where the connection is to be a kept one.
fn lie(kept: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let liars: Vec<Liar> = liars()
        .into_iter()
        .map(|liar| if kept { liar.over_kept() } else { liar })
        .collect();
    let now = Arc::new(AtomicBool::new(false));
    let mut settings = SETTINGS.to_owned();
    let hops: Vec<NextHop> = liars
        .iter()
        .enumerate()
        .map(|(number, liar)| {
            let (at, says) = (liar.at, liar.says.clone());
            let (now, has_lied) = (Arc::clone(&now), AtomicBool::new(false));
            let hop = NextHop::with_manner(move |moment: &Moment<'_>| {
                let lies = moment.at == at
                    && now.load(Ordering::SeqCst)
                    && !has_lied.swap(true, Ordering::SeqCst);
                match lies {
                    true => says.clone(),
                    false => Say::Usual,
                }
            });
            settings.push_str(&hop.route(&format!("hop{number}.test")));
            hop
        })
        .collect();
    let mut server = Server::start(folder.path(), &settings);
    if kept {
        for number in 0..liars.len() {
            server.send(&format!("z@hop{number}.test"), b"X-Number: before\r\n\r\n");
        }
        server.wait_until("an empty queue", || server.queue().is_empty());
    }
    now.store(true, Ordering::SeqCst);
    let began = Instant::now();
    for number in 0..liars.len() {
        // Two of the same message there, and one that stays here.
        let recipients = [
            "ada@example.test".to_owned(),
            format!("x@hop{number}.test"),
            format!("y@hop{number}.test"),
        ];
        let octets = format!("X-Number: {number}\r\nSubject: {number}\r\n\r\nhello\r\n");
        server.send_from(
            &format!("sender{number}@example.test"),
            &recipients.each_ref().map(String::as_str),
            octets.as_bytes(),
        );
    }
    server.wait_until("an empty queue", || server.queue().is_empty());
    println!(
        "{} liars were done with after {:?}",
        liars.len(),
        began.elapsed()
    );

    let log = server.lines();
    let mut wrong = String::new();
    for (number, (liar, hop)) in liars.iter().zip(&hops).enumerate() {
        if let Err(why) = judge(liar, hop, number, &server, &log) {
            let come: Vec<_> = hop
                .come()
                .into_iter()
                .map(|come| (come.recipients, come.taken))
                .collect();
            let of_it: Vec<_> = log
                .iter()
                .filter(|line| line.contains(&format!("@hop{number}.test")))
                .collect();
            let _ = writeln!(
                wrong,
                "{}: {why}\n  it has {come:?}\n  {of_it:#?}",
                liar.what
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // Whatever became of the others, what stays here came once.
    let local = messages(&server.data);
    let of_ada = local
        .into_iter()
        .filter(|message| {
            message
                .line_after("Delivered-To:")
                .is_none_or(|to| to.starts_with("ada@"))
        })
        .filter(|message| message.path.display().to_string().contains("ada"));
    let counts = count_by(&of_ada.collect::<Vec<_>>(), "X-Number:");
    let once: BTreeMap<String, usize> = (0..liars.len())
        .map(|number| (number.to_string(), 1))
        .collect();
    assert_eq!(counts, once);
    // At the end each is told so, and nobody has to like it.
    let began = Instant::now();
    assert!(server.terminate().success());
    assert!(began.elapsed() < Duration::from_secs(5));
    let told = hops.iter().filter(|hop| hop.count(At::Quit) > 0).count();
    assert!(told > liars.len() / 2, "{told}");
}

fn judge(
    liar: &Liar,
    hop: &NextHop,
    number: usize,
    server: &Server,
    log: &[String],
) -> Result<(), String> {
    let (come, taken) = match liar.then {
        Then::Taken => (1, 1),
        Then::Again(_) if liar.at == At::Message => (2, 1),
        Then::Again(_) => (1, 1),
        Then::Doubted(_) => (2, 1),
        Then::Back(_) => (1, 0),
    };
    let mut all = hop.come();
    all.retain(|come| come.recipients != [format!("z@hop{number}.test")]);
    let of_these = all.iter().filter(|come| come.taken).count();
    if (all.len(), of_these) != (come, taken) {
        return Err(format!("{come} were to come and {taken} to be taken"));
    }
    let both = [format!("x@hop{number}.test"), format!("y@hop{number}.test")];
    if let Some(other) = all.iter().find(|come| come.recipients != both) {
        return Err(format!("it was for {:?}", other.recipients));
    }
    let said = |event: &str, words: &str| {
        let event = format!("\"event\":\"{event}\"");
        let of_it = log
            .iter()
            .filter(|line| line.contains(&event))
            .filter(|line| both.iter().any(|recipient| line.contains(recipient)));
        (
            of_it.clone().count(),
            of_it.filter(|line| line.contains(words)).count(),
        )
    };
    let (deferred, failed) = match liar.then {
        Then::Taken => ((0, 0), (0, 0)),
        Then::Again(words) | Then::Doubted(words) => (said("delivery.deferred", words), (0, 0)),
        Then::Back(words) => ((0, 0), said("delivery.failed", words)),
    };
    let expected = match liar.then {
        Then::Taken => [(0, 0), (0, 0)],
        Then::Again(_) | Then::Doubted(_) => [(2, 2), (0, 0)],
        Then::Back(_) => [(0, 0), (2, 2)],
    };
    if [deferred, failed] != expected
        || said("delivery.deferred", "").0 != expected[0].0
        || said("delivery.failed", "").0 != expected[1].0
    {
        return Err("the log says something else".into());
    }
    let notices = messages(&server.data)
        .into_iter()
        .filter(|message| {
            message
                .path
                .display()
                .to_string()
                .contains(&format!("sender{number}/"))
        })
        .map(|message| String::from_utf8_lossy(&message.octets).into_owned());
    let notices: Vec<String> = notices.collect();
    match (&liar.then, notices.as_slice()) {
        (Then::Back(words), [one]) if both.iter().all(|to| one.contains(to)) => {
            match one.contains(words) {
                true => Ok(()),
                false => Err(format!("the notice is {one}")),
            }
        }
        (Then::Back(_), other) => Err(format!("{} notices: {other:?}", other.len())),
        (_, []) => Ok(()),
        (_, _) => Err("there is a notice".into()),
    }
}

/// A peer that is slow, but within the time-outs, costs the others nothing.
#[test]
fn a_slow_next_hop_holds_up_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = NextHop::with_manner(|moment| match moment.at {
        At::Message => Say::Late(Duration::from_millis(800)),
        _ => Say::Usual,
    });
    let quick = NextHop::start();
    let settings = format!(
        "{SETTINGS}{}{}",
        slow.route("slow.test"),
        quick.route("quick.test")
    )
    .replace(
        "connection_idle",
        "connections_per_site = 2\nconnection_idle",
    );
    let server = Server::start(folder.path(), &settings);
    for number in 0..8 {
        server.send_from(
            "",
            &["a@slow.test", "a@quick.test", "b@quick.test"],
            format!("X-Number: {number}\r\n\r\n").as_bytes(),
        );
    }
    server.wait_until("the quick one's mail", || quick.come().len() == 8);
    assert!(slow.taken().len() < 8, "it was not slow enough to tell");
    server.wait_until("the slow one's mail", || slow.taken().len() == 8);
    server.wait_until("an empty queue", || server.queue().is_empty());
    for hop in [&slow, &quick] {
        let counts = count_by(&hop.taken(), "X-Number:");
        assert!(counts.len() == 8 && counts.values().all(|n| *n == 1));
    }
    assert!(
        !server
            .lines()
            .iter()
            .any(|l| l.contains("delivery.deferred"))
    );
}
