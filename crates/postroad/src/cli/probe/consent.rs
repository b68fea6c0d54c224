//! Nobody is probed without knowing: what will be done is said before, and a server of others is asked only
//! when somebody says so.

use std::io::{self, BufRead};

use postroad_prober::target::is_near;
use postroad_prober::walk::{Plan, Settings};

use super::super::{Failure, say};

/// Says what will be done, and asks where the server is neither this machine's nor in a private network.
pub(super) fn obtain(yes: bool, settings: &Settings, plan: Plan) -> Result<(), Failure> {
    eprintln!("{}", words(settings, plan));
    if yes || is_near(settings.address) {
        return Ok(());
    }
    if !say::is_dialogue() {
        let words = format!(
            "{} is neither on this machine nor in a private network: say --yes if its operator agrees",
            settings.address
        );
        return Err(Failure::Usage(words));
    }
    eprint!(
        "{} is neither on this machine nor in a private network. Does its operator agree? [y/N] ",
        settings.address
    );
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::Cannot(format!("can't read an answer: {error}")))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Usage("nothing was asked".into())),
    }
}

/// What will be done.
fn words(settings: &Settings, plan: Plan) -> String {
    let most = settings.most_connections.min(plan.checks + 1);
    let mail = match plan.messages {
        0 => format!(
            "<{}> is tried as a recipient, and no message is completed.",
            settings.recipient
        ),
        count => format!("<{}> gets {count} messages at most.", settings.recipient),
    };
    format!(
        "{} ({}), by {}: {most} connections at most, {} a second at most, within {} minutes. {mail}",
        settings.target,
        settings.address,
        settings.profile,
        settings.rate,
        settings.most_time.as_secs() / 60
    )
}
