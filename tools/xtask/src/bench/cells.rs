//! What is measured: the cells of the table.

use super::peers::Peer;

/// A load that every peer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) kind: Kind,
    pub(crate) sessions: u64,
    /// Octets of a message.
    pub(crate) size: u64,
    /// Messages of a run, and of a quick one. Of sessions that are only held there are so many.
    pub(crate) full: u64,
    pub(crate) quick: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Mail is accepted and stays in the queue.
    Accept,
    /// The same, with one message a connection.
    OneEach,
    /// The same, with MAIL, RCPT and DATA sent together.
    Pipelined,
    /// Mail is accepted and passed on to the sink.
    Relay,
    /// Sessions stay open after EHLO.
    Idle,
    /// Mail waits for a next hop that refuses connections, and other mail is relayed beside it.
    Deferred,
}

/// Messages that are relayed without and with the deferred ones.
pub(crate) const BESIDE: u64 = 60_000;

/// Octets of a message that waits.
pub(crate) const WAITING_SIZE: u64 = 512;

const fn accept(name: &'static str, what: &'static str, sessions: u64) -> Cell {
    Cell {
        name,
        what,
        kind: Kind::Accept,
        sessions,
        size: 4096,
        full: 20_000,
        quick: 3_000,
    }
}

pub(crate) const CELLS: &[Cell] = &[
    Cell {
        full: 4_000,
        quick: 800,
        ..accept("accept-1", "accept 4 KiB, 1 session", 1)
    },
    accept("accept-50", "accept 4 KiB, 50 sessions", 50),
    accept("accept-100", "accept 4 KiB, 100 sessions", 100),
    Cell {
        kind: Kind::OneEach,
        full: 10_000,
        ..accept(
            "one-each",
            "one message a connection, 4 KiB, 50 sessions",
            50,
        )
    },
    Cell {
        kind: Kind::Pipelined,
        ..accept("pipelined", "pipelined, 4 KiB, 50 sessions", 50)
    },
    Cell {
        size: 64 * 1024,
        full: 8_000,
        quick: 1_500,
        ..accept("64k", "accept 64 KiB, 20 sessions", 20)
    },
    Cell {
        size: 1024 * 1024,
        full: 600,
        quick: 150,
        ..accept("1m", "accept 1 MiB, 20 sessions", 20)
    },
    Cell {
        kind: Kind::Relay,
        full: 10_000,
        quick: 2_000,
        ..accept("relay", "relay 4 KiB end to end, 50 sessions in", 50)
    },
    Cell {
        kind: Kind::Idle,
        full: 10_000,
        quick: 2_000,
        ..accept("idle", "sessions held after EHLO", 0)
    },
    Cell {
        kind: Kind::Deferred,
        full: 1_000_000,
        quick: 50_000,
        ..accept(
            "deferred",
            "messages that wait for a dead next hop; fresh mail is relayed beside them by 50 sessions",
            50,
        )
    },
];

impl Cell {
    pub(crate) fn messages(&self, is_quick: bool) -> u64 {
        if is_quick { self.quick } else { self.full }
    }

    /// Whether a peer is measured in it. A million files of Postfix's are beyond what a run can wait
    /// for, and the floor keeps no mail.
    pub(crate) fn has(&self, peer: Peer) -> bool {
        self.kind != Kind::Deferred || peer == Peer::Postroad
    }

    /// Messages that a server gets before it is measured, so that its processes are there.
    pub(crate) fn warm_up(&self) -> u64 {
        self.sessions * 4
    }

    /// Messages during which calls are counted: a run of its own, as counting takes time.
    pub(crate) fn counted(&self, is_quick: bool) -> u64 {
        (self.messages(is_quick) / 4).max(self.sessions * 2)
    }

    /// The options of `load generate`.
    pub(crate) fn options(&self, first: u64, messages: u64) -> Vec<String> {
        let mut options: Vec<String> = [
            ("--sessions", self.sessions),
            ("--size", self.size),
            ("--first", first),
            ("--messages", messages),
        ]
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
        match self.kind {
            Kind::OneEach => options.push("--one-each".to_owned()),
            Kind::Pipelined => options.push("--pipeline".to_owned()),
            Kind::Accept | Kind::Relay | Kind::Idle | Kind::Deferred => {}
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_has_a_name_of_its_own_and_a_quick_run_that_is_shorter() {
        for (at, cell) in CELLS.iter().enumerate() {
            assert!(CELLS[..at].iter().all(|other| other.name != cell.name));
            assert!(cell.quick < cell.full, "{}", cell.name);
            assert!(cell.messages(true) >= cell.sessions, "{}", cell.name);
        }
    }
}
