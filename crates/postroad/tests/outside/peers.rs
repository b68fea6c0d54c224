//! docs/peers.md: what the servers say that were probed, made of the records in `tests/peers`.

use std::fs;
use std::path::{Path, PathBuf};

use postroad_prober::report::peers::{Peer, table};

/// The servers, in the order of the columns.
const PEERS: [&str; 5] = ["postroad", "postfix", "exim", "opensmtpd", "aiosmtpd"];

const HEAD: &str = "# What other servers say

Made by `postroad probe` ([probe.md](probe.md)) from the records of its walks against these servers, as the
tests configure them, with a domain, two mailboxes and a certificate (OpenSMTPD without one); the profile is `rfc5321`. To make it again:
[CONTRIBUTING.md](../CONTRIBUTING.md).

A cell has the verdict and the codes that came: `ok` is conformant, `~` tolerated, **no** a violation of the RFC; an empty one was
not asked, mostly because the server doesn't offer the extension. `end` is the end of the connection, `mute` that no reply came. What each finding asks and where that
is written: `postroad probe --list`.

A violation is told by what RFC 5321 and its extensions say, to the letter. It says nothing of how good a server is at bringing mail to its
recipients, which all of these are; and newer versions may do better.

";

fn page(folder: &Path) -> String {
    let records: Vec<String> = PEERS
        .iter()
        .map(|name| fs::read_to_string(folder.join(format!("{name}.txt"))).expect("its record"))
        .collect();
    let peers: Vec<Peer<'_>> = records
        .iter()
        .map(|record| {
            let (first, record) = record.split_once('\n').expect("a first line");
            let name = first.strip_prefix("# ").expect("name and version");
            Peer { name, record }
        })
        .collect();
    format!("{HEAD}{}", table(&peers))
}

/// `UPDATE_GOLDEN=1` writes the page anew.
#[test]
fn the_page_of_peers_is_made_of_their_records() {
    let root: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect();
    let file = root.join("docs/peers.md");
    let made = page(&root.join("crates/postroad/tests/peers"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, made).expect("write the page");
        return;
    }
    let page = fs::read_to_string(&file).expect("the page");
    assert!(
        page == made,
        "docs/peers.md is stale: UPDATE_GOLDEN=1 cargo test -p postroad --test outside peers"
    );
}
