//! Hands the message to the server by SMTP.

use std::time::Duration;

use postroad_delivery::peer::connection::Connection;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::{net, tasks};
use postroad_queue::Peer;
use postroad_reply::{Command, Severity};
use postroad_session::client::{
    ClientSession, Closed, Event, Finish, Outgoing, Timeouts, Unsupported,
};
use postroad_wire::address::{HeloName, Limits};
use postroad_wire::peer::Protocol;
use postroad_wire::reply::PeerReply;

use super::server::Server;
use super::{Failure, Status};

/// How long connecting may take, and looking the name up.
const CONNECT: Duration = Duration::from_secs(30);

/// How long all of it may take: longer than a busy server keeps a client waiting.
const ALL: Duration = Duration::from_secs(15 * 60);

/// How much of the message is given to the session at once.
const PIECE: usize = 64 * 1024;

/// Connects to the server.
pub(super) async fn connect(server: &Server) -> Result<net::Connection, Failure> {
    let address = &server.address;
    let unreachable = |error: &std::io::Error| {
        let words = format!(
            "no server answers at {address}: {error}; is `postroad serve` running? Another address is named \
             with --server or POSTROAD_SERVER"
        );
        Failure::new(Status::Later, words)
    };
    let parts = address.rsplit_once(':');
    let named = parts.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    let Some((host, port)) = named else {
        let words =
            format!("{address:?} is no server: an address or a name, a colon and a port are");
        return Err(Failure::new(Status::Usage, words));
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = net::addresses(host, port, CONNECT).await;
    let mut failure = None;
    for at in found.map_err(|error| unreachable(&error))? {
        match net::connect_tcp(at, None, CONNECT).await {
            Ok(connection) => return Ok(connection),
            Err(error) => failure = Some(error),
        }
    }
    // The list is never empty.
    let failure = failure.unwrap_or_else(|| std::io::ErrorKind::NotFound.into());
    Err(unreachable(&failure))
}

/// Hands the message over for all recipients, or for none.
pub(super) async fn hand_over(
    server: &Server,
    outgoing: Outgoing,
    octets: &[u8],
) -> Result<(), Failure> {
    let talk = async {
        let io = connect(server).await?;
        let name = HeloName::parse(&server.origin, &Limits::NONE).map_err(|_| {
            let words = format!("{} is no name to greet a server with", server.origin);
            Failure::new(Status::Config, words)
        })?;
        let session =
            ClientSession::new(Protocol::Smtp, name, Timeouts::default(), RealClock.mono());
        let mut connection = Connection::new(io, session, Peer::new(&server.address, None));
        let opened = connection.until_ready(&RealClock).await;
        opened.map_err(|why| over(&why))?;
        let handed = converse(&mut connection, outgoing, octets).await;
        if handed.is_ok() {
            connection.quit(&RealClock).await;
        }
        handed
    };
    let late = || Failure::new(Status::Later, "the server took too long");
    tasks::timeout(ALL, talk)
        .await
        .unwrap_or_else(|_| Err(late()))
}

async fn converse(
    connection: &mut Connection,
    outgoing: Outgoing,
    octets: &[u8],
) -> Result<(), Failure> {
    let named: Vec<_> = outgoing
        .recipients
        .iter()
        .map(|(path, _)| path.to_string())
        .collect();
    let begun = connection.session.begin(outgoing, RealClock.mono());
    begun.map_err(unsupported)?;
    let mut pieces = octets.chunks(PIECE).peekable();
    let mut finished = None;
    loop {
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Recipient { index, reply } if reply.severity() != Severity::Completed => {
                    // Dropped here, the connection ends before the message does, which tells the server that
                    // it isn't whole: nobody gets it.
                    let who = named.get(index).map_or("a recipient", String::as_str);
                    return Err(refused(Command::Rcpt, &reply, &format!("{who}: ")));
                }
                Event::Finished(finish) => finished = Some(finish),
                Event::Closed(why) if !matches!(finished, Some(Finish::Answered(_))) => {
                    return Err(over(&why));
                }
                _ => {}
            }
        }
        match finished {
            Some(Finish::Answered(reply)) if reply.severity() == Severity::Completed => {
                return Ok(());
            }
            Some(Finish::Answered(reply)) => return Err(refused(Command::EndOfData, &reply, "")),
            Some(Finish::Refused { command, reply }) => return Err(refused(command, &reply, "")),
            // What closed the session is told by the event that follows.
            Some(_) | None => {}
        }
        while connection.session.wants_body() {
            let piece = pieces.next().unwrap_or_default();
            match pieces.peek() {
                Some(_) => connection.session.body(piece, RealClock.mono()),
                None => connection.session.end_body(piece, RealClock.mono()),
            }
        }
        connection.step(&RealClock).await;
    }
}

/// What a refusal comes to for the caller.
fn refused(command: Command, reply: &PeerReply, before: &str) -> Failure {
    let class = |subject| {
        let its = reply.enhanced.map(|enhanced| enhanced.subject());
        its == Some(subject)
    };
    let status = match (reply.severity(), command) {
        (Severity::Permanent, Command::Rcpt) if class(1) => Status::NoUser,
        (Severity::Permanent, Command::EndOfData | Command::Bdat) if class(6) => Status::Data,
        (Severity::Permanent, _) => Status::Unavailable,
        _ => Status::Later,
    };
    let (code, text) = (reply.code.number(), reply.lines.join(" "));
    let enhanced = reply.enhanced.map(|enhanced| format!(" {enhanced}"));
    let words = format!(
        "{before}the server says: {code}{} {text}; nothing was sent",
        enhanced.unwrap_or_default()
    );
    Failure::new(status, words)
}

fn over(why: &Closed) -> Failure {
    match why {
        Closed::Unwelcome { command, reply } => refused(*command, reply, ""),
        Closed::Ended(reply) => refused(Command::Connect, reply, ""),
        other => {
            let words = format!("the conversation with the server broke off: {other:?}");
            Failure::new(Status::Later, words)
        }
    }
}

fn unsupported(what: Unsupported) -> Failure {
    match what {
        Unsupported::Size { maximum } => Failure::new(
            Status::Data,
            format!("the message is over the {maximum} octets that the server takes"),
        ),
        Unsupported::SmtpUtf8 => Failure::new(
            Status::Unavailable,
            "an address is not ASCII, and the server doesn't offer SMTPUTF8",
        ),
        Unsupported::EightBitMime | Unsupported::BinaryMime => Failure::new(
            Status::Unavailable,
            "the message is not ASCII, and the server doesn't offer 8BITMIME",
        ),
    }
}
