//! Completions and manual pages.

use super::*;

/// Shells and man(1) read what is made for them, as far as they are there.
#[test]
fn completions_and_manual_pages_are_made_for_all_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let made = postroad(&["completions", shell], folder.path());
        assert_eq!(made.code, Some(0), "{}", made.err);
        assert!(made.out.contains("redirect"), "{shell}: {}", made.out);
        let script = folder.path().join(shell);
        std::fs::write(&script, &made.out).expect("write it");
        if !["bash", "zsh", "fish"].contains(&shell) {
            continue;
        }
        match Command::new(shell).arg("-n").arg(&script).output() {
            Ok(read) => assert!(read.status.success(), "{read:?}"),
            Err(error) => println!("left out: {shell} -n: {error}"),
        }
    }
    let page = postroad(&["man"], folder.path());
    assert!(page.out.contains(".TH postroad 1"), "{}", page.out);
    let made = postroad(&["man", "."], folder.path());
    assert_eq!(made.code, Some(0), "{}", made.err);
    let pages: Vec<_> = std::fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "1"))
        .collect();
    let there = |name: &str| pages.iter().any(|page| page.ends_with(name));
    for name in [
        "postroad.1",
        "postroad-serve.1",
        "postroad-queue-list.1",
        "postroad-sites.1",
    ] {
        assert!(there(name), "{pages:?}");
    }
    for page in &pages {
        let mut man = Command::new("man");
        man.env("MANWIDTH", "80")
            .args(["--warnings", "-l"])
            .arg(page);
        match man.output() {
            Ok(read) => assert!(read.status.success() && read.stderr.is_empty(), "{read:?}"),
            Err(error) => {
                println!("left out: man -l: {error}");
                break;
            }
        }
    }
}
