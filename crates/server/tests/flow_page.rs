//! The page of what is checked (docs/flow.md) names files, functions and replies that exist.
#![allow(clippy::unwrap_used)] // a test may stop where it stands
#![allow(clippy::disallowed_methods)] // it reads the sources

use std::fs;
use std::path::{Path, PathBuf};

use postroad_reply::Situation;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn page() -> String {
    fs::read_to_string(docs().join("flow.md")).unwrap()
}

#[test]
fn every_file_and_function_it_names_exists() {
    let page = page();
    let mut functions = 0;
    for linked in page.split("](").skip(1) {
        let (target, after) = linked.split_once(')').unwrap();
        let file = docs().join(target);
        if target == "spool.md" && !file.exists() {
            continue; // written beside this page
        }
        assert!(file.exists(), "{target}");
        let source = fs::read_to_string(&file).unwrap();
        // Its functions follow it, up to the next link, or the end of the cell or line.
        let own = after.split(['[', '|', ')', '\n']).next().unwrap();
        for name in own.split('`').skip(1).step_by(2) {
            let is_there = ["(", "<"].map(|next| source.contains(&format!("fn {name}{next}")));
            assert!(is_there.contains(&true), "no `{name}` in {target}");
            functions += 1;
        }
    }
    assert!(
        functions > 50,
        "{functions}: the page is not read as it was written"
    );
}

#[test]
fn every_reply_it_names_is_in_the_table() {
    let page = page();
    let names = page.split('`').skip(1).step_by(2);
    let mut replies = 0;
    for (name, rest) in names.zip(page.split('`').skip(2).step_by(2)) {
        let Some((row, situation)) = name.split_once(": ") else {
            continue;
        };
        let found = Situation::all().find(|known| known.labels() == (row, situation));
        let found = found.unwrap_or_else(|| panic!("no `{name}` in the table"));
        let code = found.code.number();
        let enhanced = found
            .enhanced
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            rest.trim_start()
                .starts_with(format!("{code} {enhanced}").trim_end()),
            "{name}{rest}"
        );
        replies += 1;
    }
    assert!(
        replies > 40,
        "{replies}: the page is not read as it was written"
    );
}
