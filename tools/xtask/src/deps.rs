//! Checks that the crates are what ARCHITECTURE.md says they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::arrows::{May, ROWS, Row};
use crate::metadata::{self, Package};

/// Where each dependency from outside has its line.
const DOCUMENT: &str = "docs/dependencies.md";

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 6] = ["common", "core", "helpers", "misc", "util", "utils"];

/// All that is wrong, each in words that say what to do.
pub(crate) fn problems(root: &Path) -> Vec<String> {
    let packages = match metadata::packages(&root.join("Cargo.toml")) {
        Ok(packages) => packages,
        Err(e) => return vec![e],
    };
    let mut problems = Vec::new();
    for package in &packages {
        problems.extend(name_problems(root, package));
        if package.folder.starts_with(root.join("crates")) {
            problems.extend(crate_problems(package));
        }
    }
    let document = fs::read_to_string(root.join(DOCUMENT)).unwrap_or_default();
    let fuzz = root.join("fuzz/Cargo.toml");
    let fuzz = match fuzz.exists().then(|| metadata::packages(&fuzz)) {
        Some(Ok(fuzz)) => fuzz,
        Some(Err(e)) => return vec![e],
        None => Vec::new(),
    };
    let all: Vec<Package> = packages.into_iter().chain(fuzz).collect();
    problems.extend(document_problems(&all, &document));
    problems
}

/// The last name of a package's path.
fn folder(package: &Package) -> &str {
    let name = package.folder.file_name();
    name.and_then(|name| name.to_str()).unwrap_or_default()
}

fn name_problems(root: &Path, package: &Package) -> Vec<String> {
    let mut problems = Vec::new();
    let folder = folder(package);
    let short = package
        .name
        .strip_prefix("postroad-")
        .unwrap_or(&package.name);
    if short != folder {
        let at = package.folder.strip_prefix(root).unwrap_or(&package.folder);
        problems.push(format!(
            "{}: its folder is {}, and should end with {short}",
            package.name,
            at.display()
        ));
    }
    if EMPTY_NAMES.contains(&folder) {
        problems.push(format!(
            "{}: a crate needs a name that says what is in it",
            package.name
        ));
    }
    problems
}

fn crate_problems(package: &Package) -> Vec<String> {
    let folder = folder(package);
    let Some(row) = ROWS.iter().find(|row| row.folder == folder) else {
        return vec![format!(
            "{}: it has no row in tools/xtask/src/arrows.rs; a new crate needs its sentence and its arrows",
            package.name
        )];
    };
    let mut problems = arrow_problems(package, row);
    if row.pure {
        let lib = fs::read_to_string(package.folder.join("src/lib.rs")).unwrap_or_default();
        if !lib.lines().any(|line| line.trim() == "#![no_std]") {
            problems.push(format!(
                "{}: it is pure, so crates/{folder}/src/lib.rs must say #![no_std]",
                package.name
            ));
        }
    }
    problems
}

fn arrow_problems(package: &Package, row: &Row) -> Vec<String> {
    let May::Use(allowed) = row.may else {
        return Vec::new();
    };
    let used = package.dependencies.iter().filter(|d| d.ours && !d.dev);
    used.map(|d| d.name.strip_prefix("postroad-").unwrap_or(&d.name))
        .filter(|name| !allowed.contains(name))
        .map(|name| {
            format!(
                "{} uses {name}, which it may not: it may use {} (tools/xtask/src/arrows.rs)",
                package.name,
                if allowed.is_empty() {
                    "nothing".to_owned()
                } else {
                    allowed.join(", ")
                }
            )
        })
        .collect()
}

/// Compares what is used with what the document says.
fn document_problems(packages: &[Package], document: &str) -> Vec<String> {
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        for dependency in package.dependencies.iter().filter(|d| !d.ours) {
            used.entry(&dependency.name)
                .or_default()
                .insert(&package.name);
        }
    }
    let mut problems = Vec::new();
    let mut named = BTreeSet::new();
    let mut last = "";
    for line in document.lines().filter(|line| line.starts_with("* ")) {
        let Some((name, _)) = line
            .strip_prefix("* **")
            .and_then(|rest| rest.split_once("**: "))
            .filter(|(_, why)| !why.trim().is_empty())
        else {
            problems.push(format!(
                "{DOCUMENT}: this line is not `* **name**: why it is there`: {line}"
            ));
            continue;
        };
        if name <= last {
            problems.push(format!(
                "{DOCUMENT}: {name} stands after {last}, out of order"
            ));
        }
        if !used.contains_key(name) {
            problems.push(format!("{DOCUMENT}: nobody uses {name}; take its line out"));
        }
        named.insert(name);
        last = name;
    }
    for (name, users) in &used {
        if !named.contains(name) {
            let users: Vec<&str> = users.iter().copied().collect();
            problems.push(format!(
                "{DOCUMENT}: {name}, used by {}, has no line that says why",
                users.join(", ")
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn package(name: &str, folder: &str, uses: &[(&str, bool, bool)]) -> Package {
        Package {
            name: name.to_owned(),
            folder: Path::new("/w").join(folder),
            dependencies: uses
                .iter()
                .map(|(name, ours, dev)| Dependency {
                    name: (*name).to_owned(),
                    ours: *ours,
                    dev: *dev,
                })
                .collect(),
        }
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_a_problem() {
        let queue = |uses| package("postroad-queue", "crates/queue", uses);
        let row = ROWS
            .iter()
            .find(|r| r.folder == "queue")
            .expect("it is there");
        let allowed = queue(&[("postroad-message", true, false), ("bytes", false, false)]);
        assert!(arrow_problems(&allowed, row).is_empty());
        let test_only = queue(&[("postroad-store", true, true)]);
        assert!(arrow_problems(&test_only, row).is_empty());
        let wrong = arrow_problems(&queue(&[("postroad-store", true, false)]), row);
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].contains("postroad-queue uses store"), "{wrong:?}");
    }

    #[test]
    fn a_crate_is_in_its_table_and_its_folder_has_its_name() {
        let stray = package("postroad-stray", "crates/stray", &[]);
        assert!(crate_problems(&stray)[0].contains("no row"));
        let misplaced = package("postroad-wire", "crates/line", &[]);
        assert!(name_problems(Path::new("/w"), &misplaced)[0].contains("crates/line"));
        let utils = package("postroad-utils", "crates/utils", &[]);
        assert_eq!(name_problems(Path::new("/w"), &utils).len(), 1);
        let tool = package("postroad-sim", "tools/sim", &[]);
        assert!(name_problems(Path::new("/w"), &tool).is_empty());
    }

    #[test]
    fn the_document_names_what_is_used_and_nothing_else_in_order() {
        let packages = [package(
            "postroad-wire",
            "crates/wire",
            &[
                ("bytes", false, false),
                ("proptest", false, true),
                ("postroad-reply", true, false),
            ],
        )];
        let problems = |document: &str| document_problems(&packages, document);
        let good = "# Title\n\n* **bytes**: shared octets.\n* **proptest**: properties.\n";
        assert!(problems(good).is_empty(), "{:?}", problems(good));
        assert_eq!(problems("* **bytes**: x\n").len(), 1);
        assert_eq!(problems(&format!("{good}* **zip**: x\n")).len(), 1);
        assert_eq!(problems("* **proptest**: x\n* **bytes**: x\n").len(), 1);
        assert_eq!(problems("* bytes: x\n* **proptest**: x\n").len(), 2);
    }
}
