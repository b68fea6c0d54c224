//! Which crate may use which: the arrows of ARCHITECTURE.md, in one table.

use std::fmt::Write;

/// What a crate may use of the others.
pub(crate) enum May {
    /// These.
    Use(&'static [&'static str]),
    /// All: the binary and the tools wire things together.
    UseAll,
}

/// A row: the folder's name, whether the crate is pure (`no_std`: no clock, no socket, no file), and
/// what it may use in what it builds. Its tests may use more.
pub(crate) struct Row {
    pub(crate) folder: &'static str,
    pub(crate) pure: bool,
    pub(crate) may: May,
}

const fn pure(folder: &'static str, may: &'static [&'static str]) -> Row {
    Row {
        folder,
        pure: true,
        may: May::Use(may),
    }
}

const fn row(folder: &'static str, may: &'static [&'static str]) -> Row {
    Row {
        folder,
        pure: false,
        may: May::Use(may),
    }
}

/// Lower crates first. A crate that isn't here may not exist.
pub(crate) const ROWS: &[Row] = &[
    pure("clock", &[]),
    pure("reply", &[]),
    pure("wire", &["reply"]),
    pure("session", &["clock", "reply", "wire"]),
    pure("message", &["clock", "reply", "wire"]),
    pure("queue", &["clock", "reply", "wire", "message"]),
    row("host", &["clock"]),
    row("store", &["clock", "reply", "wire", "message", "queue"]),
    row(
        "spool",
        &[
            "clock", "reply", "wire", "message", "queue", "store", "host",
        ],
    ),
    row("explain", &["reply"]),
    row("config", &["clock", "wire"]),
    row("telemetry", &["clock", "reply", "wire"]),
    row("directory", &["clock", "reply", "wire", "host"]),
    row(
        "policy",
        &[
            "clock",
            "reply",
            "wire",
            "message",
            "queue",
            "store",
            "host",
            "directory",
        ],
    ),
    row(
        "delivery",
        &[
            "clock",
            "reply",
            "wire",
            "session",
            "message",
            "queue",
            "store",
            "host",
            "directory",
            "telemetry",
        ],
    ),
    row(
        "server",
        &[
            "clock",
            "reply",
            "wire",
            "session",
            "message",
            "queue",
            "store",
            "host",
            "directory",
            "policy",
            "telemetry",
        ],
    ),
    row(
        "control",
        &[
            "clock", "reply", "wire", "message", "queue", "store", "host",
        ],
    ),
    row("prober", &["clock", "reply", "wire", "host"]),
    Row {
        folder: "postroad",
        pure: false,
        may: May::UseAll,
    },
];

/// The table for people.
pub(crate) fn table() -> String {
    let mut table = String::new();
    for row in ROWS {
        let may = match row.may {
            May::UseAll => "everything".to_owned(),
            May::Use([]) => "nothing".to_owned(),
            May::Use(folders) => folders.join(" "),
        };
        let pure = if row.pure { "pure" } else { "" };
        // Writing to a String can't fail.
        let _ = writeln!(table, "{:<10} {pure:<5} may use {may}", row.folder);
    }
    table.push_str("tools/*          may use everything\n");
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arrow_points_to_an_earlier_row_so_there_are_no_circles() {
        for (place, row) in ROWS.iter().enumerate() {
            if let May::Use(folders) = row.may {
                for folder in folders {
                    let earlier = ROWS[..place].iter().any(|r| r.folder == *folder);
                    assert!(earlier, "{} -> {folder}", row.folder);
                }
            }
        }
    }

    #[test]
    fn pure_crates_use_pure_crates_only() {
        let is_pure = |folder: &str| ROWS.iter().any(|r| r.folder == folder && r.pure);
        for row in ROWS.iter().filter(|row| row.pure) {
            if let May::Use(folders) = row.may {
                assert!(folders.iter().all(|f| is_pure(f)), "{}", row.folder);
            }
        }
    }
}
