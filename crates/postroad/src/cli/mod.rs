//! What can be asked of the binary.
//!
//! * `queue`: the queue, and which messages of it are meant (`filters`);
//! * `running`: the server that runs;
//! * `door`: how a command reaches the queue: through the server, or the spool itself (`spool`);
//! * `table`, `message`: one line a message, and one message with all there is to say;
//! * `explain`: what a reply means;
//! * `user`: the lines of the password file;
//! * `probe`: any SMTP server is asked everything;
//! * `say`: text for people; `pages`: completions and manual pages.

// This is the one place that talks to people on the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod door;
mod explain;
mod filters;
mod message;
mod pages;
mod probe;
mod queue;
mod running;
mod say;
mod spool;
mod table;
mod user;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use postroad_host::clock::{Clock, RealClock};

use crate::configuration::Unusable;
use crate::sendmail::{self, Called};
use crate::{configuration, secrets, serve};
use running::Running;

/// An SMTP server: receives mail, keeps it safe, and gets it to where it belongs.
#[derive(Debug, Parser)]
#[command(name = "postroad", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive and deliver mail until told to stop (SIGTERM, or Ctrl-C)
    Serve {
        /// The configuration file; without one, mail for this machine on 127.0.0.1:2525, kept in
        /// ./postroad-data
        #[arg(long, short, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Say all that is wrong with a configuration file, and start nothing
    Check {
        /// The configuration file
        #[arg(long, short, value_name = "FILE", default_value = "postroad.toml")]
        config: PathBuf,
    },
    /// About the configuration
    Config {
        #[command(subcommand)]
        what: AboutConfig,
    },
    /// Hand a message to the server, as sendmail does; see `postroad sendmail --help`. A link to this
    /// program by the name sendmail, mailq or newaliases is that command
    #[command(disable_help_flag = true)]
    Sendmail {
        /// What sendmail takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    Queue(Box<queue::Queue>),
    Explain(explain::Explain),
    /// The users who can log in
    User(user::User),
    Probe(Box<probe::Probe>),
    #[command(flatten)]
    Running(Running),
    /// Print what makes a shell complete this command: for bash, into
    /// /etc/bash_completion.d/postroad
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all commands into a folder
    Man {
        /// The folder, such as /usr/local/share/man/man1
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum AboutConfig {
    /// Print every setting with its type, default and documentation, as Markdown
    Reference,
}

/// How a command ended that did what it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// All of it is done: exit status 0.
    Done,
    /// Nothing matched, some of it could not be done, or the answer is no: 1.
    NotAll,
}

/// Why a command did nothing, or no more.
#[derive(Debug)]
enum Failure {
    /// It can't be: 1.
    Cannot(String),
    /// It makes no sense as it was written: 2, as clap does.
    Usage(String),
    /// Who read its output has gone, which is no failure: 0.
    NobodyReads,
}

/// Does what the command line asks.
pub(crate) fn run() -> ExitCode {
    let arguments = match sendmail::called(std::env::args_os().collect()) {
        Called::Done(status) => return status,
        Called::For(arguments) => arguments,
    };
    let ended = match Cli::parse_from(arguments).command {
        Command::Serve { config } => return serve(config),
        Command::Check { config } => return check(&config),
        Command::Config {
            what: AboutConfig::Reference,
        } => say::print(&postroad_config::reference()).map(|()| Ended::Done),
        // It was done before clap saw it, since its options are none that clap knows.
        Command::Sendmail { .. } => Ok(Ended::Done),
        Command::User(user) => user::run(user),
        Command::Queue(queue) => queue::run(*queue),
        Command::Explain(asked) => explain::run(&asked),
        Command::Probe(probe) => probe::run(&probe),
        Command::Running(what) => running::run(what),
        Command::Completions { shell } => pages::completions(shell, Cli::command()),
        Command::Man { folder } => pages::man(folder.as_deref(), Cli::command()),
    };
    match ended {
        Ok(Ended::Done) | Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Ok(Ended::NotAll) => ExitCode::FAILURE,
        Err(Failure::Cannot(words)) => {
            eprintln!("postroad: {words}");
            ExitCode::FAILURE
        }
        Err(Failure::Usage(words)) => {
            eprintln!("postroad: {words}");
            ExitCode::from(2)
        }
    }
}

fn serve(config: Option<PathBuf>) -> ExitCode {
    let ended = configuration::load(config.as_deref())
        .map_err(|problems| eprint!("{problems}"))
        .and_then(|loaded| {
            serve::run(loaded, config.as_deref()).map_err(|error| eprintln!("postroad: {error}"))
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(()) => ExitCode::FAILURE,
    }
}

fn check(file: &std::path::Path) -> ExitCode {
    let checked = configuration::load(Some(file)).and_then(|loaded| {
        match secrets::read(&loaded.config, None) {
            (files, problems) if problems.is_empty() => Ok((loaded, files)),
            (_, problems) => Err(Unusable::Wrong(problems)),
        }
    });
    match checked {
        Ok((loaded, files)) => {
            if let (Some(words), Some(certificate)) = (
                secrets::about_expiry(&files, RealClock.unix()),
                &loaded.config.tls.certificate,
            ) {
                eprintln!("warning: {} {words}", certificate.display());
            }
            println!("{}: nothing wrong", file.display());
            ExitCode::SUCCESS
        }
        Err(problems) => {
            eprint!("{problems}");
            ExitCode::FAILURE
        }
    }
}
