//! What a person sees when the server is ready.

// It is printed for people, beside the log.
#![allow(clippy::print_stdout)]

use std::net::SocketAddr;

use postroad_config::Config;

use crate::configuration;
use crate::privileges::Plan;

/// Says where it listens, where the mail goes, and how to send a first message.
pub(crate) fn print(config: &Config, plan: &Plan, addresses: &[SocketAddr]) {
    println!("postroad {} is ready", env!("CARGO_PKG_VERSION"));
    for address in addresses {
        println!("  listening on {address}");
    }
    println!(
        "  mail for {} goes to {}",
        configuration::domain_names(config),
        config.server.data_dir.join("mail").display()
    );
    if *plan == Plan::StayRoot {
        println!("  running as root, for want of a configuration that names a user");
    }
    // Sockets that were handed over need not be as many.
    let mut listeners = addresses.iter().zip(&config.listener);
    let first = listeners.find(|(_, listener)| listener.takes_mail());
    if let (Some((address, _)), Some(recipient)) = (first, configuration::example_recipient(config))
    {
        println!("  send a first message:");
        println!(
            "    printf 'Subject: hello\\r\\n\\r\\nIt works.\\r\\n' | \
             curl -sS smtp://{address} --mail-from me@localhost --mail-rcpt {recipient} -T -"
        );
    }
}
