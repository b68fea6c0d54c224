//! Hands mail of this machine's programs to the server, as `sendmail` does: for cron, PHP and all who call
//! `/usr/sbin/sendmail`.
//!
//! The message goes to the server's own listener by SMTP, so any user may call it, and the server
//! treats it as any other client's. It is handed over for all recipients or not at all, so the exit
//! status (that of sysexits.h) is the truth about it.
//!
//! * `arguments`: what it was called with;
//! * `server`: to whom the message goes, and in which domain names without one are;
//! * `message`: the message, with what a submission adds; `addresses`: who is named in its fields;
//! * `handover`: the conversation with the server; `speak`: that of the caller with it (`-bs`).

// Its caller is told on standard error, and speaks with the server on standard output.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod addresses;
mod arguments;
mod handover;
mod message;
mod server;
mod speak;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::{User, getuid};
use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::tasks;
use postroad_session::client::Outgoing;
use postroad_wire::address::{ForwardPath, Limits, Mailbox, ReversePath};
use postroad_wire::parameter::{BodyType, MailParameters, RcptParameters};

use arguments::{Arguments, Mode};
use message::{Added, Message};
use server::Server;

/// What the exit status says (sysexits.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// The server has the message.
    Done = 0,
    /// The command line makes no sense.
    Usage = 64,
    /// The message makes no sense, or is too long.
    Data = 65,
    /// A recipient doesn't exist.
    NoUser = 67,
    /// The server refuses it for good.
    Unavailable = 69,
    /// The system has failed.
    System = 71,
    /// It may work later.
    Later = 75,
    /// The configuration makes no sense.
    Config = 78,
}

/// Why the server doesn't have the message.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    words: String,
}

impl Failure {
    fn new(status: Status, words: impl Into<String>) -> Failure {
        let words = words.into();
        Failure { status, words }
    }
}

/// What the process was called for.
pub(crate) enum Called {
    /// This one's work is done.
    Done(ExitCode),
    /// Another command's work, with these arguments.
    For(Vec<OsString>),
}

/// Does the work of `sendmail`, if the process was called for that: as `postroad sendmail`, or by
/// one of the names under which programs call it.
pub(crate) fn called(all: Vec<OsString>) -> Called {
    let name = all
        .first()
        .and_then(|name| Path::new(name).file_name()?.to_str())
        .unwrap_or_default();
    let (mode, skip) = match name {
        "sendmail" => (Mode::Deliver, 1),
        "mailq" => (Mode::Queue, 1),
        "newaliases" => (Mode::Nothing, 1),
        _ if all.get(1).is_some_and(|first| first == "sendmail") => (Mode::Deliver, 2),
        _ => return Called::For(all),
    };
    let arguments = match Arguments::parse(mode, all.into_iter().skip(skip)) {
        Ok(arguments) => arguments,
        Err(failure) => return Called::Done(ended(Err(failure))),
    };
    match arguments.mode {
        Mode::Deliver => Called::Done(ended(deliver(&arguments))),
        Mode::Speak => Called::Done(ended(speak(&arguments))),
        Mode::Queue => Called::For(queue_list(arguments.config)),
        Mode::Nothing => Called::Done(ExitCode::SUCCESS),
        Mode::Help => {
            print!("{}", arguments::HELP);
            Called::Done(ExitCode::SUCCESS)
        }
    }
}

/// `-bp` is what `postroad queue list` is.
fn queue_list(config: Option<PathBuf>) -> Vec<OsString> {
    let mut list: Vec<OsString> = ["postroad", "queue", "list"].map(Into::into).into();
    if let Some(config) = server::configuration_file(config) {
        list.extend(["--config".into(), config.into()]);
    }
    list
}

fn ended(result: Result<(), Failure>) -> ExitCode {
    let status = match result {
        Ok(()) => Status::Done,
        Err(Failure { status, words }) => {
            eprintln!("sendmail: {words}");
            status
        }
    };
    ExitCode::from(status as u8)
}

fn deliver(arguments: &Arguments) -> Result<(), Failure> {
    let server = Server::find(arguments)?;
    let input = io::stdin().lock();
    let mut message = Message::read(input, !arguments.ignore_dots, server.largest)?;
    let recipients = recipients(arguments, &mut message, &server)?;
    let caller = Caller::ask();
    let sender = sender(arguments, &caller, &server)?;
    message.complete(&Added {
        from: from(arguments, &caller, &sender, &server),
        date: postroad_message::trace::date(RealClock.unix()),
        message_id: message_id(&server)?,
    });
    let octets = message.octets();
    let is_ascii = |mailbox: &Mailbox| mailbox.is_ascii();
    let outgoing = Outgoing {
        parameters: MailParameters {
            size: Some(octets.len() as u64),
            body: match octets.is_ascii() {
                true => BodyType::SevenBit,
                false => BodyType::EightBitMime,
            },
            smtputf8: !sender.is_ascii() || !recipients.iter().all(is_ascii),
            ret: arguments.ret,
            envid: arguments.envid.clone(),
            auth: None,
        },
        reverse_path: sender,
        recipients: recipients
            .into_iter()
            .map(|mailbox| {
                let notify = arguments.notify;
                let original = None;
                let parameters = RcptParameters { notify, original };
                (ForwardPath::Mailbox(mailbox), parameters)
            })
            .collect(),
    };
    in_runtime(handover::hand_over(&server, outgoing, &octets))
}

fn speak(arguments: &Arguments) -> Result<(), Failure> {
    let server = Server::find(arguments)?;
    in_runtime(speak::speak(&server))
}

fn in_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tasks::run(0, work)
        .unwrap_or_else(|error| Err(Failure::new(Status::System, format!("no runtime: {error}"))))
}

/// Everybody it is for, once: who is named by the arguments, and with `-t` by the message.
fn recipients(
    arguments: &Arguments,
    message: &mut Message,
    server: &Server,
) -> Result<Vec<Mailbox>, Failure> {
    let mut named = Vec::new();
    for argument in &arguments.recipients {
        named.extend(addresses::listed(argument).map_err(|bad| no_address(&bad))?);
    }
    if arguments.from_fields {
        for field in message.take_recipients() {
            named.extend(addresses::listed(&field).map_err(|bad| no_address(&bad))?);
        }
    }
    let mut seen = BTreeSet::new();
    let mut recipients = Vec::new();
    for name in named {
        let mailbox = mailbox(&name, server)?;
        if seen.insert(mailbox.clone()) {
            recipients.push(mailbox);
        }
    }
    match recipients.is_empty() {
        false => Ok(recipients),
        true if arguments.from_fields => Err(Failure::new(
            Status::Data,
            "nobody to send it to: the message has no To, Cc or Bcc with an address",
        )),
        true => Err(Failure::new(
            Status::Usage,
            "nobody to send it to: name recipients, or have them read from the message with -t",
        )),
    }
}

fn no_address(text: &str) -> Failure {
    let words = format!("{:?} is no address", text.escape_debug().to_string());
    Failure::new(Status::Data, words)
}

/// An address; a name alone is one of the server's own domain (RFC 6409 6.3, 8.4).
fn mailbox(name: &str, server: &Server) -> Result<Mailbox, Failure> {
    let whole = match addresses::has_domain(name) {
        true => name.to_owned(),
        false => format!("{name}@{}", server.origin),
    };
    Mailbox::parse(&whole, &Limits::NONE).map_err(|_| no_address(name))
}

/// Whom to tell if it fails: who was named with `-f`, or whoever calls.
fn sender(arguments: &Arguments, caller: &Caller, server: &Server) -> Result<ReversePath, Failure> {
    let Some(named) = &arguments.sender else {
        return Ok(ReversePath::Mailbox(mailbox(&caller.login, server)?));
    };
    let one = match addresses::listed(named).as_deref() {
        Ok([]) => return Ok(ReversePath::Null),
        Ok([one]) => one.clone(),
        _ => return Err(no_address(named)),
    };
    mailbox(&one, server).map(ReversePath::Mailbox)
}

/// The From field of a message that has none.
fn from(arguments: &Arguments, caller: &Caller, sender: &ReversePath, server: &Server) -> String {
    let address = match sender {
        ReversePath::Mailbox(mailbox) => mailbox.to_string(),
        ReversePath::Null => format!("{}@{}", caller.login, server.origin),
    };
    match arguments.full_name.as_deref().unwrap_or(&caller.full_name) {
        "" => address,
        name => format!("{} <{address}>", message::phrase(name)),
    }
}

/// What no other message is called (RFC 5322 3.6.4).
fn message_id(server: &Server) -> Result<String, Failure> {
    let chance = Chance::from_os()
        .map_err(|error| Failure::new(Status::System, format!("no random numbers: {error}")))?;
    let now = RealClock.unix().0;
    Ok(format!("<{now:x}.{:016x}@{}>", chance.u64(), server.origin))
}

/// Whoever calls.
struct Caller {
    login: String,
    full_name: String,
}

impl Caller {
    fn ask() -> Caller {
        let user = User::from_uid(getuid()).ok().flatten();
        let Some(user) = user else {
            // Containers run as users that have no name.
            return Caller {
                login: format!("uid{}", getuid()),
                full_name: String::new(),
            };
        };
        let gecos = user.gecos.to_string_lossy();
        let full_name = gecos.split(',').next().unwrap_or_default().trim();
        Caller {
            // passwd(5) of old: an ampersand is the login name.
            full_name: full_name.replace('&', &user.name),
            login: user.name,
        }
    }
}
