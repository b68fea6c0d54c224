//! Do the links between the project's own pages and files lead somewhere?

use std::path::{Path, PathBuf};

/// Every link of a page that leads nowhere, in words.
pub(crate) fn problems(root: &Path) -> Vec<String> {
    let mut pages = Vec::new();
    collect(root, &mut pages);
    pages.sort();
    pages
        .iter()
        .flat_map(|page| dead_links(root, page))
        .collect()
}

/// The pages below a folder: all Markdown that isn't made by a build.
fn collect(folder: &Path, pages: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, pages);
        } else if name.ends_with(".md") {
            pages.push(path);
        }
    }
}

fn dead_links(root: &Path, page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap_or_default();
    let folder = page.parent().unwrap_or(root);
    let shown = page.strip_prefix(root).unwrap_or(page).display();
    let numbered = text.lines().enumerate();
    numbered
        .flat_map(|(number, line)| targets(line).map(move |target| (number + 1, target)))
        .filter(|(_, target)| !folder.join(target).exists())
        .map(|(line, target)| format!("{shown}:{line}: the link to {target} leads nowhere"))
        .collect()
}

/// What the links of a line lead to, where that is a file of ours; a place within a page is cut off.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let (target, _) = rest.split_once(')')?;
        let file = target.split('#').next().unwrap_or_default();
        (!file.is_empty() && !target.contains("://")).then_some(file)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_are_found_and_others_passed_over() {
        let line = "[a](b.md), [c](d/e.md#f), [g](#h) and [i](https://example.org/j.md)";
        assert_eq!(targets(line).collect::<Vec<_>>(), ["b.md", "d/e.md"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named_with_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(
            folder.path().join("here.md"),
            "x\n[a](here.md) [b](gone.md)\n",
        )
        .expect("write");
        assert_eq!(
            problems(folder.path()),
            ["here.md:2: the link to gone.md leads nowhere"]
        );
    }
}
