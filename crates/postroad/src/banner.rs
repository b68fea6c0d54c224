//! What a person sees when the server is ready.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;

use postroad_config::Config;

use crate::configuration;
use crate::privileges::Plan;

/// Says where it listens, where the mail goes, and how to send a first message.
pub(crate) fn print(config: &Config, plan: &Plan, addresses: &[SocketAddr]) {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = write(&mut text, config, plan, addresses);
    // It is for people, beside the log: a server whose standard output nobody reads serves all the same.
    let _ = io::stdout().write_all(text.as_bytes());
}

fn write(
    text: &mut String,
    config: &Config,
    plan: &Plan,
    addresses: &[SocketAddr],
) -> std::fmt::Result {
    writeln!(text, "postroad {} is ready", env!("CARGO_PKG_VERSION"))?;
    for address in addresses {
        writeln!(text, "  listening on {address}")?;
    }
    writeln!(
        text,
        "  mail for {} goes to {}",
        configuration::domain_names(config),
        config.server.data_dir.join("mail").display()
    )?;
    if *plan == Plan::StayRoot {
        writeln!(
            text,
            "  running as root, for want of a configuration that names a user"
        )?;
    }
    // Sockets that were handed over need not be as many.
    let mut listeners = addresses.iter().zip(&config.listener);
    let first = listeners.find(|(_, listener)| listener.takes_mail());
    if let (Some((address, _)), Some(recipient)) = (first, configuration::example_recipient(config))
    {
        writeln!(text, "  send a first message:")?;
        writeln!(
            text,
            "    printf 'Subject: hello\\r\\n\\r\\nIt works.\\r\\n' | \
             curl -sS smtp://{address} --mail-from me@localhost --mail-rcpt {recipient} -T -"
        )?;
    }
    Ok(())
}
