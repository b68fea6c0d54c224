//! What a hostile peer can send to the running binary: it gets an answer or its end, no more, and
//! the next client is served.

// A test from the outside: it has real time, files, sockets and processes.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod harness;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{PATIENCE, Server, messages};
use socket2::{Domain, Socket, Type};

/// One server for one kind of attack; what has to hold after every attack is checked at its end.
struct Attacked {
    server: Server,
    folder: tempfile::TempDir,
}

impl Attacked {
    fn new(settings: &str) -> Attacked {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(folder.path(), settings);
        Attacked { server, folder }
    }

    /// A connection of which nothing has been read.
    fn peer(&self) -> TcpStream {
        let peer = TcpStream::connect(self.server.address).expect("connect");
        peer.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        peer.set_nodelay(true).expect("no delay");
        peer
    }

    /// Sends these octets and no more, and gives all that was answered.
    fn says(&self, octets: &[u8]) -> String {
        let mut peer = self.peer();
        // A server that has closed already has also answered.
        let _ = peer.write_all(octets);
        let _ = peer.shutdown(Shutdown::Write);
        rest(&mut peer)
    }

    /// The codes of the replies to a transaction with these octets after MAIL and RCPT.
    fn codes(&self, after_rcpt: &[u8]) -> Vec<String> {
        let mut octets = b"EHLO peer.test\r\nMAIL FROM:<>\r\nRCPT TO:<box@mx.test>\r\n".to_vec();
        octets.extend_from_slice(after_rcpt);
        let replies = self.says(&octets);
        let last_lines = replies.lines().filter(|line| line.get(3..4) == Some(" "));
        let codes = last_lines.map(|line| line[..3].to_owned());
        // The greeting, and the replies to EHLO, MAIL and RCPT.
        codes.skip(4).collect()
    }

    /// The next client is served at once, nothing has panicked, and nothing was written beside the
    /// data folder.
    fn is_unharmed(&self) {
        let began = Instant::now();
        self.server
            .send("next@mx.test", b"Subject: next\r\n\r\nserved\r\n");
        assert!(began.elapsed() < Duration::from_secs(5));
        let lines = self.server.lines();
        let panicked = lines.iter().find(|line| line.contains("panicked"));
        assert_eq!(panicked, None);
        let mut names: Vec<_> = std::fs::read_dir(self.folder.path())
            .expect("list the folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["data", "postroad.toml"]);
    }
}

/// What a peer still hears, until the server closes.
fn rest(peer: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    match peer.read_to_end(&mut heard) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8(heard).expect("replies are UTF-8"),
    }
}

/// Octets that some server or other takes for the end of data, or for part of it.
const FALSE_ENDS: [&[u8]; 24] = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\n.\r",
    b"\r.\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\rx",
    b"\r\n\x00.\r\n",
    b"\r\n.\x00\r\n",
    b"\r\n.\r\x00\n",
    b"\r\x00\n.\r\n",
    b"\x0b\n.\x0b\n",
    b"\r\n..\r\n",
    b"\r\n .\r\n",
    b"\r\n. \r\n",
    b"\r\n.\t\r\n",
    b"\x85.\x85",
    b"\n\n.\r\n",
    b"\r\n\r.\r\n",
    b"\r\n.\n\r\n",
    b"\r\n.\r.\r\n",
];

#[test]
fn no_false_end_of_data_lets_a_second_message_in() {
    for settings in ["", "[smtp]\nbare_line_ends = \"normalise\"\n"] {
        let attacked = Attacked::new(settings);
        for end in FALSE_ENDS {
            let smuggled = b"MAIL FROM:<>\r\nRCPT TO:<victim@mx.test>\r\nDATA\r\nx";
            let message = [b"body", end, smuggled, b"\r\n.\r\nNOOP\r\nQUIT\r\n"].concat();
            let whole = attacked.codes(&[b"DATA\r\n", &message[..]].concat());
            assert_eq!(whole.len(), 4, "{end:?}: {whole:?}");
            assert_eq!(whole[2..], ["250", "221"], "{end:?}");
            // The same however it comes in packets.
            let mut peer = attacked.peer();
            peer.write_all(b"HELO p\r\nMAIL FROM:<>\r\nRCPT TO:<box@mx.test>\r\nDATA\r\n")
                .expect("send");
            for octet in &message[..4 + end.len() + 1] {
                peer.write_all(&[*octet]).expect("send");
            }
            peer.write_all(&message[4 + end.len() + 1..]).expect("send");
            let replies = rest(&mut peer);
            let after_354 = replies.lines().skip(5).map(|line| &line[..3]);
            assert_eq!(after_354.collect::<Vec<_>>(), whole[1..], "{end:?}");
        }
        attacked.is_unharmed();
        assert!(!attacked.server.data.join("mail/mx.test/victim").exists());
    }
}

#[test]
fn other_protocols_get_nowhere() {
    let attacked = Attacked::new("");
    for (protocol, octets) in [
        (
            "telnet",
            &b"\xff\xfb\x18\xff\xfd\x03\xff\xf4\xff\xfd\x06\r\n"[..],
        ),
        ("NULs", &[0; 4000]),
        ("8-bit", b"\x80\x81\xfe\xff\r\n"),
        ("one long line", &[b'A'; 1 << 20]),
    ] {
        let replies = attacked.says(octets);
        let mut lines = replies.lines();
        assert!(lines.next().is_some_and(|line| line.starts_with("220 ")));
        assert!(lines.all(|line| line.starts_with("500 ")), "{protocol}");
        attacked.is_unharmed();
    }
}

#[test]
fn what_another_protocol_carries_is_not_obeyed() {
    let attacked = Attacked::new("");
    let carried =
        "HELO p\r\nMAIL FROM:<>\r\nRCPT TO:<victim@mx.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n";
    let long = "x".repeat(10_000);
    for (protocol, before, refused) in [
        ("HTTP", "POST / HTTP/1.1\r\n", 0),
        // Of a line that is too long nothing is known, but the next is a field.
        (
            "HTTP",
            &format!("POST /{long} HTTP/1.1\r\nHost: mx.test\r\n"),
            1,
        ),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0),
        ("a header", "Subject: hello\r\n\r\n", 0),
        ("TLS", "\x16\x03\x01\x02\x00\r\n", 0),
        ("TLS", "\x16\x03", 0),
    ] {
        let replies = attacked.says(format!("{before}{carried}").as_bytes());
        let codes: Vec<_> = replies.lines().map(|line| &line[..4]).collect();
        let expected = [&["220 "][..], &["500 "][..refused], &["421 "]].concat();
        assert_eq!(codes, expected, "{protocol}");
        attacked.is_unharmed();
    }
    assert!(!attacked.server.data.join("mail/mx.test/victim").exists());
}

#[test]
fn sizes_of_chunks_are_digits_or_the_end() {
    let attacked = Attacked::new("");
    let in_step = ["250", "250", "221"];
    let out_of_step = ["501", "421"];
    for (size, codes) in [
        ("3", &in_step[..]),
        ("03", &in_step),
        ("00000000000000000000000000000000000000003", &in_step),
        ("", &out_of_step),
        ("+3", &out_of_step),
        ("-1", &out_of_step),
        ("0x3", &out_of_step),
        ("3.0", &out_of_step),
        ("3LAST", &out_of_step),
        ("3 LAST x", &out_of_step),
        ("\u{663}", &out_of_step),
        ("18446744073709551616", &out_of_step),
        ("99999999999999999999999999999999", &out_of_step),
        // It never comes to its end, and hears nothing.
        ("18446744073709551615", &[]),
    ] {
        let sent = format!("BDAT {size}\r\na\r\nNOOP\r\nQUIT\r\n");
        assert_eq!(attacked.codes(sent.as_bytes()), codes, "{size:?}");
    }
    // Whatever comes between chunks, their octets are never taken for commands.
    let mixed = b"BDAT 6\r\nRSET\r\nRCPT TO:<b@mx.test>\r\nBDAT 6\r\nQUIT\r\nRSET\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\nQUIT\r\n";
    assert_eq!(
        attacked.codes(mixed),
        ["250", "503", "250", "250", "503", "250", "221"]
    );
    attacked.is_unharmed();
}

#[test]
fn a_message_may_have_the_maximum_and_no_octet_more() {
    let attacked = Attacked::new("[limits]\nmessage_size = \"64 KiB\"\n");
    for (more, code) in [(0, "250"), (1, "552")] {
        // Stuffed dots don't count (RFC 1870 3).
        let lines = b"..34567890123456789012345678901\r\n".repeat(2047);
        let last = vec![b'x'; 32 - 2 + more];
        let data = [b"DATA\r\n", &lines[..], &last, b"\r\n.\r\nQUIT\r\n"].concat();
        assert_eq!(attacked.codes(&data), ["354", code, "221"]);
        let size = (64 << 10) + more;
        let chunk = [
            format!("BDAT {size} LAST\r\n").as_bytes(),
            &vec![b'x'; size],
        ]
        .concat();
        let codes = attacked.codes(&[&chunk[..], b"NOOP\r\nQUIT\r\n"].concat());
        assert_eq!(codes, [code, "250", "221"]);
    }
    attacked.is_unharmed();
}

#[test]
fn a_peer_that_closes_its_half_hears_all_that_it_asked() {
    let attacked = Attacked::new("");
    assert_eq!(
        attacked.codes(b"DATA\r\nhalf\r\n.\r\nNOOP\r\nVRFY x\r\nFOO\r\n"),
        ["354", "250", "250", "252", "500"]
    );
    attacked.is_unharmed();
}

#[test]
fn a_peer_that_is_gone_at_any_step_leaves_nothing() {
    let attacked = Attacked::new("");
    let steps: [&[u8]; 6] = [
        b"EHLO peer.test\r\n",
        b"MAIL FROM:<>\r\n",
        b"RCPT TO:<gone@mx.test>\r\n",
        b"DATA\r\n",
        b"a line\r\n",
        b"half a line",
    ];
    for count in 0..=steps.len() {
        let mut peer = attacked.peer();
        for step in &steps[..count] {
            peer.write_all(step).expect("send");
        }
        // Closed over unread replies, it is reset.
        drop(peer);
        attacked.is_unharmed();
    }
    assert!(!attacked.server.data.join("mail/mx.test/gone").exists());
}

#[test]
fn a_peer_that_never_reads_is_not_read_either() {
    let attacked = Attacked::new("[limits]\njunk_commands = 1000000\n");
    attacked.is_unharmed();
    let before = resident(attacked.server.pid());
    let mut peers = Vec::new();
    for command in [&b"NOOP\r\n"[..], b"HELP\r\n", b"EHLO peer.test\r\n"] {
        let mut peer = attacked.peer();
        peer.set_write_timeout(Some(Duration::from_millis(500)))
            .expect("a time-out");
        let million = command.repeat(1000);
        let stuck = (0..1000).find_map(|_| peer.write_all(&million).err());
        assert!(stuck.is_some(), "a million commands were read");
        peers.push(peer);
    }
    attacked.is_unharmed();
    // What waits is in the sockets, which the system bounds; here there are some replies only.
    let grown = resident(attacked.server.pid()).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB");
}

#[test]
fn envelopes_take_no_more_memory_than_they_may() {
    const MAY_TAKE: usize = 16 << 20;
    let settings = format!("[limits]\nenvelope_memory = {MAY_TAKE}\nerrors = 1000\n");
    let attacked = Attacked::new(&settings);
    attacked.is_unharmed();
    let before = resident(attacked.server.pid());
    let original = "x".repeat(400);
    let recipients: String = (0..900)
        .map(|n| format!("RCPT TO:<m{n}@mx.test> ORCPT=rfc822;{original}\r\n"))
        .collect();
    let sent = format!("EHLO peer.test\r\nMAIL FROM:<>\r\n{recipients}NOOP\r\n");
    let mut refused = 0;
    let mut peers = Vec::new();
    for _ in 0..40 {
        let mut peer = BufReader::new(attacked.peer());
        peer.get_mut().write_all(sent.as_bytes()).expect("send");
        let mut reply = String::new();
        // Up to the answer to NOOP.
        while !reply.starts_with("250 2.0.0 ") {
            reply.clear();
            assert_ne!(peer.read_line(&mut reply).expect("a reply"), 0);
            refused += usize::from(reply.starts_with("452 4.3.1 "));
        }
        peers.push(peer);
    }
    assert_ne!(refused, 0);
    let grown = resident(attacked.server.pid()).saturating_sub(before);
    // The rest is for the sessions themselves.
    assert!(grown < (MAY_TAKE + (8 << 20)) >> 10, "{grown} KiB");
    for peer in &mut peers {
        peer.get_mut().write_all(b"QUIT\r\n").expect("send");
        rest(peer.get_mut());
    }
    attacked.is_unharmed();
}

/// A peer of another network, that no limit counts together with those of [`Attacked::peer`].
fn of_another_network(server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let from = SocketAddr::from(([127, 1, 0, 1], 0));
    socket.bind(&from.into()).expect("an address of loopback");
    socket.connect(&server.into()).expect("connect");
    let peer = TcpStream::from(socket);
    peer.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    peer
}

#[test]
fn a_network_that_takes_all_the_memory_it_can_keeps_no_other_out() {
    let attacked = Attacked::new(
        "[limits]\nenvelope_memory = '2 MiB'\nbody_memory = '2 MiB'\nerrors = 1000\n\
         [mailboxes]\nlimit = 10000\n",
    );
    let recipients: String = (0..999)
        .map(|n| format!("RCPT TO:<m{n}@mx.test>\r\n"))
        .collect();
    let envelope = format!("EHLO peer.test\r\nMAIL FROM:<>\r\n{recipients}NOOP\r\n");
    let data = "EHLO peer.test\r\nMAIL FROM:<>\r\nRCPT TO:<box@mx.test>\r\nDATA\r\n";
    // As many in DATA as there is room for, if it were theirs, and then envelopes.
    let mut held: Vec<_> = (0..8)
        .map(|_| {
            let mut peer = attacked.peer();
            peer.write_all(data.as_bytes()).expect("send");
            peer
        })
        .collect();
    let mut is_refused = false;
    for _ in 0..8 {
        let mut peer = BufReader::new(attacked.peer());
        peer.get_mut().write_all(envelope.as_bytes()).expect("send");
        let mut reply = String::new();
        while !reply.starts_with("250 2.0.0 ") {
            reply.clear();
            assert_ne!(peer.read_line(&mut reply).expect("a reply"), 0);
            is_refused |= reply.starts_with("452 4.3.1 ");
        }
        held.push(peer.into_inner());
    }
    assert!(is_refused);

    let recipients: String = (0..100)
        .map(|n| format!("RCPT TO:<other{n}@mx.test>\r\n"))
        .collect();
    let sent =
        format!("EHLO other.test\r\nMAIL FROM:<>\r\n{recipients}DATA\r\nhello\r\n.\r\nQUIT\r\n");
    let began = Instant::now();
    let mut other = of_another_network(attacked.server.address);
    other.write_all(sent.as_bytes()).expect("send");
    let replies = rest(&mut other);
    assert_eq!(replies.matches("\r\n250 2.1.5 ").count(), 100, "{replies}");
    assert!(replies.contains("\r\n250 2.0.0 "), "{replies}");
    // Who finds no room for its data waits ten seconds.
    assert!(began.elapsed() < Duration::from_secs(8));
}

/// Memory of a process, in KiB.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).expect("a number")
}

#[test]
fn names_made_to_escape_stay_in_the_data_folder() {
    let attacked = Attacked::new("");
    let long = |what: &str, octets: usize| format!("\"{}\"", what.repeat(octets / what.len()));
    let mut locals: Vec<String> = [
        "\"../../../../escaped\"",
        "\"..%2f..%2fescaped\"",
        "\"/tmp/escaped\"",
        "\".\"",
        "\"..\"",
        "\"\"",
        "\" \"",
        "\"trailing \"",
        "\".hidden\"",
        "-rf",
        "~root",
        "CON",
        "new",
        "%00",
        "\"a\\\\b\"",
        "\"$(escaped)\"",
        "*",
    ]
    .map(str::to_owned)
    .into();
    locals.extend([long("/", 200), long("../", 240), long("\u{e9}", 254)]);
    locals.extend((b' '..=b'~').map(|octet| format!("\"\\{}\"", char::from(octet))));
    for local in &locals {
        let sent = format!(
            "EHLO p\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<{local}@mx.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
        );
        let replies = attacked.says(sent.as_bytes());
        assert!(replies.contains("queued as"), "{local}: {replies}");
    }
    attacked.is_unharmed();
    attacked.server.wait_for_messages(locals.len() + 1);
    let mail = attacked.server.data.join("mail");
    for message in messages(&attacked.server.data) {
        let folder = message.path.strip_prefix(&mail).expect("it is below mail");
        let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "%.-_+".contains(c);
        let mailbox = folder.parent().and_then(Path::parent).expect("a mailbox");
        for name in mailbox {
            let name = name.to_str().expect("it is ASCII");
            assert!(
                name.chars().all(safe) && !name.starts_with(['.', '-']),
                "{name}"
            );
        }
    }
}

#[test]
fn what_is_no_utf8_is_no_address() {
    let attacked = Attacked::new("");
    for octets in [
        &b"\xc0\xaf"[..],    // an overlong slash
        b"\xc0\x80",         // an overlong NUL
        b"\xed\xa0\x80",     // a surrogate
        b"\xf4\x90\x80\x80", // beyond Unicode
        b"\xc3",             // cut
        b"\xff",
        b"\xc2\x85", // a control character
    ] {
        for (before, after) in [("RCPT TO:<", "@mx.test>"), ("RCPT TO:<\"", "\"@mx.test>")] {
            let line = [before.as_bytes(), octets, after.as_bytes(), b"\r\nQUIT\r\n"].concat();
            let sent = [b"EHLO p\r\nMAIL FROM:<> SMTPUTF8\r\n", &line[..]].concat();
            let replies = attacked.says(&sent);
            assert!(replies.contains("\r\n501 5.1.3 "), "{octets:?}: {replies}");
        }
    }
    attacked.is_unharmed();
}

#[test]
fn a_thousand_recipients_in_one_packet_are_taken_and_the_next_is_452() {
    let attacked = Attacked::new("");
    let recipients: String = (0..1001)
        .map(|n| format!("RCPT TO:<box+{n}@mx.test>\r\n"))
        .collect();
    let sent = format!("RSET\r\nMAIL FROM:<>\r\n{recipients}DATA\r\nx\r\n.\r\nQUIT\r\n");
    let codes = attacked.codes(sent.as_bytes());
    let (last, taken) = codes[2..].split_at(1000);
    assert!(last.iter().all(|code| code == "250"));
    assert_eq!(taken, ["452", "354", "250", "221"]);
    attacked.is_unharmed();
}

#[test]
fn messages_of_any_shape_arrive_to_the_octet() {
    let attacked = Attacked::new("");
    let fields: String = (0..100_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let shapes: [&[u8]; 10] = [
        b"",
        b"\r\n",
        b"Subject: no body\r\n",
        b"\r\nno header\r\n",
        b"neither\r\n",
        b"no end of line",
        b"\0\x01\x7f\x80\xff\r\n",
        &[b"X: ", &[b'x'; 1 << 20][..], b"\r\n\r\n"].concat(),
        fields.as_bytes(),
        &b".\r\n".repeat(10_000),
    ];
    for (n, shape) in shapes.iter().enumerate() {
        let head = format!("BDAT {} LAST\r\n", shape.len());
        let to = format!("HELO p\r\nMAIL FROM:<>\r\nRCPT TO:<shape{n}@mx.test>\r\n{head}");
        let replies = attacked.says(&[to.as_bytes(), shape].concat());
        assert!(replies.contains("queued as"), "{n}: {replies}");
    }
    attacked.is_unharmed();
    for message in attacked.server.wait_for_messages(shapes.len() + 1) {
        let path = message.path.to_str().expect("it is ASCII");
        let number = path
            .split("shape")
            .nth(1)
            .and_then(|end| end.split('/').next());
        if let Some(number) = number {
            let number: usize = number.parse().expect("its number");
            assert!(message.received() == shapes[number], "message {number}");
        }
    }
}

#[test]
fn many_connections_need_no_more_descriptors_than_the_system_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let file = folder.path().join("postroad.toml");
    std::fs::write(&file, harness::configuration(&data, "")).expect("write the configuration");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -n 64 && exec \"$0\" serve --config \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_postroad")).arg(&file);
    let server = Server::spawn(command, data);
    let attacked = Attacked { server, folder };
    let _peers: Vec<_> = (0..150).map(|_| attacked.server.connect()).collect();
    attacked.is_unharmed();
}
