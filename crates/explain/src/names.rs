//! The names of commands and of who decides, for people.

use postroad_reply::{Command, Reach, Source, Speaker};

/// The command that people mean by a name: `RCPT`, `rcpt to`, `MAIL FROM:`, `.`, `end of data`, `greeting`.
pub fn command(name: &str) -> Option<Command> {
    let name = name.trim().trim_end_matches(':').to_ascii_uppercase();
    let words: Vec<&str> = name
        .split([' ', '-', '_'])
        .filter(|w| !w.is_empty())
        .collect();
    let name = words.join(" ");
    let other = match name.as_str() {
        "." | "DOT" | "FINAL DOT" | "EOM" | "EOD" | "END OF DATA" | "END OF MESSAGE" | "BODY"
        | "MESSAGE" | "<CRLF>.<CRLF>" | "ENDOFDATA" => Some(Command::EndOfData),
        "CONNECTION" | "GREETING" | "BANNER" | "INITIAL CONNECTION" | "INITIAL SERVER GREETING" => {
            Some(Command::Connect)
        }
        "MAIL FROM" => Some(Command::Mail),
        "RCPT TO" => Some(Command::Rcpt),
        "BDAT LAST" => Some(Command::Bdat),
        "START TLS" => Some(Command::Starttls),
        _ => None,
    };
    let mut all = Command::ALL.into_iter();
    other.or_else(|| all.find(|command| command.name().eq_ignore_ascii_case(&name)))
}

/// What a command is for, in a sentence.
pub fn about(command: Command) -> &'static str {
    match command {
        Command::Connect => "The connection itself, which the greeting answers.",
        Command::Helo => "A client without extensions says its name.",
        Command::Ehlo => "A client that knows extensions says its name.",
        Command::Lhlo => "The EHLO of LMTP.",
        Command::Mail => "Opens a transaction, and says to whom notices go.",
        Command::Rcpt => "Adds one recipient to the transaction.",
        Command::Data => "Asks to send the message.",
        Command::EndOfData => "The end of the message, after which it is answered for.",
        Command::Bdat => "Sends a piece of the message, counted in octets.",
        Command::Rset => "Drops the transaction.",
        Command::Send => "Opens a transaction to the terminals of users (obsolete).",
        Command::Soml => "Opens a transaction to terminals, or else to mailboxes (obsolete).",
        Command::Saml => "Opens a transaction to terminals and to mailboxes (obsolete).",
        Command::Vrfy => "Asks whether somebody is a mailbox here.",
        Command::Expn => "Asks who is on a list.",
        Command::Help => "Asks for help.",
        Command::Noop => "Does nothing.",
        Command::Quit => "Ends the session.",
        Command::Turn => "The two sides change roles (obsolete).",
        Command::Starttls => "The connection changes to TLS.",
        Command::Auth => "The client says who it is.",
        Command::Etrn => "Asks for a queue run for a node.",
        Command::Atrn => {
            "The two sides change roles, for the domains of a user who has authenticated."
        }
        Command::Any => "What may be said to any command, the unknown verb included.",
    }
}

/// What is asked, as it stands in a sentence.
pub fn in_words(command: Command) -> &'static str {
    match command {
        Command::Connect => "the connection",
        Command::EndOfData => "the end of the data",
        Command::Any => "any command",
        named => named.name(),
    }
}

/// Who decides, in one word.
pub fn speaker(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Handler => "handler",
        Speaker::Gate => "gate",
        Speaker::Wire => "wire",
        Speaker::Life => "life",
    }
}

/// Who decides, in plain words.
pub fn who(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Handler => "A handler: the directory, the store or a rule of the site was asked.",
        Speaker::Gate => {
            "The session, before anybody is asked: order of commands, what is switched on, its limits."
        }
        Speaker::Wire => "The parser, by the octets of the line alone.",
        Speaker::Life => {
            "The life of the connection: a time-out, a limit, the end of the service, or a listener that takes no mail."
        }
    }
}

/// What it takes, in one word.
pub fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Default => "default",
        Reach::Config => "config",
        Reach::Fault => "fault",
        Reach::Historic => "historic",
    }
}

/// What it takes, in plain words.
pub fn reach_in_words(reach: Reach) -> &'static str {
    match reach {
        Reach::Default => "with the configuration as shipped, by what the client sends",
        Reach::Config => "only with a limit, table or rule that the administrator has set",
        Reach::Fault => "when something fails, a limit is passed, or the service stops",
        Reach::Historic => "only in the historic mode of a listener",
    }
}

/// Whether the classic table has it.
pub fn source(source: Source) -> &'static str {
    match source {
        Source::Row => "classic",
        Source::Addition => "addition",
    }
}
