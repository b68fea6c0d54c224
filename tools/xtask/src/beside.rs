//! A Debian package taken apart without being installed: a machine has one mail server, and the tests
//! want several.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages::{apt, succeed};

/// The user that Exim of Debian's packages runs as; without it Exim doesn't start.
const USER: &str = "Debian-exim";

/// Where its programs are.
pub(crate) fn programs() -> PathBuf {
    folder().join("usr/sbin")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debian")
}

/// Unpacks a package below target, installs the libraries it needs, and makes the user.
pub(crate) fn unpack(package: &str) -> Result<(), String> {
    let folder = folder();
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let download = || {
        let mut command = apt("download");
        succeed(command.arg("-qq").arg(package).current_dir(&folder))
    };
    download().or_else(|_| {
        succeed(apt("update").arg("-qq"))?;
        download()
    })?;
    let file = downloaded(&folder, package)?;
    succeed(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&folder))?;
    let mut install = apt("install");
    install.args(["--no-install-recommends", "--no-upgrade", "-y", "-qq"]);
    succeed(install.args(libraries(&file)?))?;
    let there = Command::new("id").arg(USER).output();
    if there.is_ok_and(|id| id.status.success()) {
        return Ok(());
    }
    let mut user = Command::new("useradd");
    user.args(["--system", "--no-create-home"]);
    succeed(user.args(["--shell", "/usr/sbin/nologin", USER]))
}

/// The file that a package was downloaded as.
fn downloaded(folder: &Path, package: &str) -> Result<PathBuf, String> {
    let files = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let begins = format!("{package}_");
    files
        .flatten()
        .find(|file| file.file_name().to_string_lossy().starts_with(&begins))
        .map(|file| file.path())
        .ok_or_else(|| format!("{package} was not downloaded"))
}

/// The libraries among what a package depends on.
fn libraries(file: &Path) -> Result<Vec<String>, String> {
    let mut ask = Command::new("dpkg-deb");
    ask.arg("-f").arg(file).arg("Depends");
    let answer = ask.output().map_err(|e| format!("{ask:?}: {e}"))?;
    Ok(libraries_in(&String::from_utf8_lossy(&answer.stdout)))
}

/// The same in the text of the field: commas between packages, each with a version behind (deb-control(5)).
fn libraries_in(depends: &str) -> Vec<String> {
    let names = depends
        .split(',')
        .filter_map(|one| one.split_whitespace().next());
    let libraries = names.filter(|name| name.starts_with("lib"));
    libraries.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_told_from_other_packages() {
        let depends =
            "exim4-base (>= 4.96), debconf (>= 0.5) | debconf-2.0, libc6 (>= 2.34), libdb5.3\n";
        assert_eq!(libraries_in(depends), ["libc6", "libdb5.3"]);
    }
}
