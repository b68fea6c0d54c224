//! A browser opens the page of all replies, and its search finds them.
//!
//! Ignored by default because it needs a program that not every machine has; `cargo xtask test`
//! installs it and runs this test.

// A test may stop, and has files and time.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What the page is once the browser has run it, with what stands behind `#`.
fn opened(fragment: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/replies.html");
    let folder =
        std::env::temp_dir().join(format!("replies-{}-{}", std::process::id(), fragment.len()));
    let out = folder.with_extension("html");
    let mut browser = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--dump-dom",
        ])
        // It shall work without a network.
        .args([
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--disable-background-networking",
        ])
        .arg(format!("--user-data-dir={}", folder.display()))
        .arg(format!("file://{page}{fragment}"))
        .stdout(std::fs::File::create(&out).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(90);
    while browser.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            browser.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let dom = std::fs::read_to_string(&out).unwrap();
    let _ = std::fs::remove_dir_all(&folder);
    let _ = std::fs::remove_file(&out);
    assert!(
        dom.contains("</html>"),
        "the browser has shown nothing: {dom}"
    );
    dom
}

/// The ids of the rows that are seen.
fn seen(dom: &str) -> Vec<&str> {
    let tags = dom
        .split("<article ")
        .skip(1)
        .map(|rest| &rest[..rest.find('>').unwrap()]);
    tags.filter(|tag| !tag.contains("hidden"))
        .map(|tag| {
            let id = tag.split("id=\"").nth(1).unwrap();
            &id[..id.find('"').unwrap()]
        })
        .collect()
}

fn count(dom: &str) -> &str {
    let told = dom.split("id=\"count\"").nth(1).unwrap();
    let told = &told[told.find('>').unwrap() + 1..];
    &told[..told.find('<').unwrap()]
}

#[test]
#[ignore = "needs chromium"]
fn chromium_shows_all_rows_and_its_search_finds_those_that_are_meant() {
    let all = opened("");
    let rows = seen(&all).len();
    assert!(rows > 200, "{rows}");
    assert_eq!(count(&all), format!("{rows} of {rows}"));

    let found = opened("#q=too%20many%20recipients%20452");
    let found_rows = seen(&found);
    assert!(found_rows.contains(&"rcpt-452"), "{found_rows:?}");
    assert!(found_rows.len() < 5, "{found_rows:?}");
    assert_eq!(count(&found), format!("{} of {rows}", found_rows.len()));

    let found = opened("#q=LIMITS.recipients");
    assert_eq!(seen(&found), ["rcpt-452"]);

    let nothing = opened("#q=no-such-words");
    assert!(seen(&nothing).is_empty());
    assert!(
        !nothing.contains("id=\"none\" hidden"),
        "it says that there is nothing"
    );
}
