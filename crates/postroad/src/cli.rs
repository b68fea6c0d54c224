//! What can be asked of the binary.

// This is the one place that talks to people on the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{configuration, serve};

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
}

#[derive(Debug, Subcommand)]
enum AboutConfig {
    /// Print every setting with its type, default and documentation, as Markdown
    Reference,
}

/// Does what the command line asks.
pub(crate) fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve { config } => serve(config),
        Command::Check { config } => check(&config),
        Command::Config {
            what: AboutConfig::Reference,
        } => {
            print!("{}", postroad_config::reference());
            ExitCode::SUCCESS
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
    match configuration::load(Some(file)) {
        Ok(_) => {
            println!("{}: nothing wrong", file.display());
            ExitCode::SUCCESS
        }
        Err(problems) => {
            eprint!("{problems}");
            ExitCode::FAILURE
        }
    }
}
