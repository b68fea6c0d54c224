//! What must hold between settings.
//!
//! What only the directory can know (names given twice, aliases that lead nowhere) is found where
//! it is built, and shown through [`Config::problem`](crate::Config::problem).

mod security;

use std::collections::BTreeSet;

use crate::Config;
use crate::collect;
use crate::read::Reader;
use crate::route::RouteDomain;
use crate::value::{AccessAction, AccessStep, Size};

/// Checks all of it. A setting that was already reported takes no part.
pub(crate) fn all(config: &Config, reader: &mut Reader) {
    let (limits, delivery, spool) = (&config.limits, &config.delivery, &config.spool);
    at_most(
        reader,
        (
            "limits.connections_per_address",
            limits.connections_per_address,
        ),
        (
            "limits.connections_per_network",
            limits.connections_per_network,
        ),
    );
    at_most(
        reader,
        (
            "limits.connections_per_network",
            limits.connections_per_network,
        ),
        ("limits.connections", limits.connections),
    );
    at_most(
        reader,
        ("delivery.retry_first", delivery.retry_first),
        ("delivery.retry_longest", delivery.retry_longest),
    );
    at_most(
        reader,
        ("delivery.retry_longest", delivery.retry_longest),
        ("delivery.give_up_after", delivery.give_up_after),
    );
    let body = ("spool.body_file_threshold", spool.body_file_threshold);
    // What is in the log with its envelope must leave room for other messages in the segment.
    let segment = ("spool.segment_size", spool.segment_size);
    fits(reader, body, segment, 4, "a quarter of ");
    // A client whose message never found room would wait in vain.
    fits(
        reader,
        body,
        ("limits.body_memory", limits.body_memory),
        1,
        "",
    );
    access_too_early(config, reader);
    moved_nowhere(config, reader);
    nothing_to_send(config, reader);
    group_without_user(config, reader);
    no_listener(config, reader);
    listeners_twice(config, reader);
    crate::listener::check(config, reader);
    on_demand(config, reader);
    collect::check(config, reader);
    security::all(config, reader);
}

/// A customer's name is a word, and its own; and nobody calls for the mail of all the world.
fn on_demand(config: &Config, reader: &mut Reader) {
    if reader.has(&format!("on_demand[{}]", config.on_demand.len())) {
        return; // One could not be read, so the others' places in the list are not the file's.
    }
    let mut seen = BTreeSet::new();
    for (index, customer) in config.on_demand.iter().enumerate() {
        let key = |setting: &str| format!("on_demand[{index}].{setting}");
        let is_word = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
        if !is_word(&customer.name) {
            let advice = "write a word of ASCII letters, digits and punctuation";
            reader.wrong_key(&key("name"), "is not one word", advice);
        } else if !seen.insert(customer.name.to_ascii_lowercase()) {
            let what = format!("is {:?} for the second time", customer.name);
            reader.wrong_key(&key("name"), &what, "give each customer a name of its own");
        }
        if customer.domains.contains(&RouteDomain::Others) {
            let advice = "write out which domains, such as \"example.com\" or \"*.example.com\"";
            reader.wrong_key(&key("domains"), "is everybody's mail", advice);
        }
    }
}

/// The first setting must not be over the second, where both are written. A default that is over
/// what was written has no effect, and needs no word.
fn at_most<T: PartialOrd>(reader: &mut Reader, less: (&str, T), more: (&str, T)) {
    let right = |key| reader.has(key) && !reader.is_wrong(key);
    if right(less.0) && right(more.0) && less.1 > more.1 {
        let what = format!("is over `{}`", more.0);
        reader.wrong_key(less.0, &what, "lower it, or raise the other");
    }
}

/// So many of the first, which is a `part` of it, must fit in the second. The defaults do.
fn fits(reader: &mut Reader, less: (&str, Size), more: (&str, Size), times: u64, part: &str) {
    let is_wrong = reader.is_wrong(less.0) || reader.is_wrong(more.0);
    if is_wrong || less.1.0 <= more.1.0 / times {
        return;
    }
    // The defaults fit, so one of the two is written.
    let written = if reader.has(less.0) { less.0 } else { more.0 };
    let what = format!("does not fit: `{}` is over {part}`{}`", less.0, more.0);
    let advice = format!("make the one at most {part}the other");
    reader.wrong_key(written, &what, &advice);
}

/// A rule can't be asked before what it names is known.
fn access_too_early(config: &Config, reader: &mut Reader) {
    if reader.has(&format!("access[{}]", config.access.len())) {
        return; // One could not be read, so the others' places in the list are not the file's.
    }
    for (index, rule) in config.access.iter().enumerate() {
        let key = format!("access[{index}].at");
        if rule.at == Some(AccessStep::Inquiry) {
            if !rule.senders.is_empty() || !rule.header.is_empty() {
                let advice = "leave out what is no matter of an inquiry";
                reader.wrong_key(&key, "knows neither senders nor a header", advice);
            } else if rule.then == AccessAction::Defer {
                let advice = "refuse it, or ask at another step";
                reader.wrong_key(&key, "is where nothing can be put off", advice);
            }
        } else if rule.at.is_some_and(|at| at < rule.known_at()) {
            let advice = "name a later step, or leave it out";
            reader.wrong_key(&key, "is before all that the rule names is known", advice);
        }
    }
}

/// Who may send nothing is refused by a rule, which says why.
fn nothing_to_send(config: &Config, reader: &mut Reader) {
    let sending = &config.sending;
    for (key, most) in [
        ("sending.messages_per_user", sending.messages_per_user),
        ("sending.messages_per_network", sending.messages_per_network),
    ] {
        if most == Some(0) {
            let advice = "write 1 or more, or refuse these clients in [[access]]";
            reader.wrong_key(key, "lets nobody send", advice);
        }
    }
}

/// Mail is sent on only to an address that is known, and only such an address can be shown.
fn moved_nowhere(config: &Config, reader: &mut Reader) {
    if reader.has(&format!("moved[{}]", config.moved.len())) {
        return; // As above.
    }
    for (index, moved) in config.moved.iter().enumerate() {
        let key = format!("moved[{index}].new_address");
        if moved.new_address.is_some() || reader.is_wrong(&key) {
            continue;
        }
        for (wanted, setting) in [(moved.forward, "forward"), (moved.show, "show")] {
            if wanted {
                let key = format!("moved[{index}].{setting}");
                reader.wrong_key(&key, "has no new_address beside it", "name the new address");
            }
        }
    }
}

fn group_without_user(config: &Config, reader: &mut Reader) {
    if config.server.group.is_some() && config.server.user.is_none() && !reader.is_wrong("user") {
        reader.wrong_key(
            "group",
            "has no user beside it",
            "set `user` too, or take it out",
        );
    }
}

fn no_listener(config: &Config, reader: &mut Reader) {
    if reader.has("listener") && config.listener.is_empty() && !reader.has("listener[0]") {
        reader.wrong_key(
            "listener",
            "is empty",
            "add a [[listener]], or take the line out",
        );
    }
}

fn listeners_twice(config: &Config, reader: &mut Reader) {
    if reader.has(&format!("listener[{}]", config.listener.len())) {
        return; // One could not be read, so the others' places in the list are not the file's.
    }
    let mut seen = BTreeSet::new();
    for (index, listener) in config.listener.iter().enumerate() {
        // Port 0 is a port of the system's choice, another one each time.
        if listener.address.port() != 0 && !seen.insert(listener.address) {
            let what = format!("is {} for the second time", listener.address);
            let key = format!("listener[{index}].address");
            reader.wrong_key(&key, &what, "take one of them out");
        }
    }
}
