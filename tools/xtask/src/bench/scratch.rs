//! The disk of the measurements: a journaled ext4 of its own where that can be made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Mebibytes of the image: enough for the longest run of the largest messages, twice.
const FULL: u64 = 3072;
const QUICK: u64 = 1024;

/// A folder, on a file system of its own or not.
pub(crate) struct Scratch {
    folder: PathBuf,
    image: Option<PathBuf>,
    /// What it is, for the reader.
    pub(crate) said: String,
}

impl Scratch {
    /// Makes one below a folder. Who may not mount gets the folder itself.
    pub(crate) fn make(below: &Path, is_quick: bool) -> Result<Scratch, String> {
        let folder = below.join(format!("postroad-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut scratch = Scratch {
            image: None,
            said: String::new(),
            folder,
        };
        if crate::packages::is_root() {
            let image = scratch.folder.with_extension("img");
            scratch.image = Some(image.clone());
            let size = if is_quick { QUICK } else { FULL };
            mount(&image, size, &scratch.folder)?;
        }
        scratch.said = describe(&scratch.folder);
        if scratch.image.is_some() {
            scratch.said += &format!(", an image on {}", describe(below));
        }
        Ok(scratch)
    }

    /// An empty folder for a run.
    pub(crate) fn fresh(&self) -> Result<PathBuf, String> {
        let folder = self.folder.join("run");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        // What the peer before left to be written must not fall to the next one.
        let _ = Command::new("sync").status();
        Ok(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.folder.join("run"));
        if let Some(image) = &self.image {
            let unmounted = Command::new("umount").arg(&self.folder).status();
            if !unmounted.is_ok_and(|status| status.success()) {
                eprintln!("{} could not be unmounted", self.folder.display());
                return;
            }
            let _ = fs::remove_file(image);
        }
        let _ = fs::remove_dir(&self.folder);
    }
}

fn mount(image: &Path, mebibytes: u64, at: &Path) -> Result<(), String> {
    // Written once over, so that no run pays for the first write of a block of the image.
    let of = format!("of={}", image.display());
    let count = format!("count={mebibytes}");
    run(Command::new("dd").args([
        "if=/dev/zero",
        &of,
        "bs=1M",
        &count,
        "conv=fsync",
        "status=none",
    ]))?;
    let options = "lazy_itable_init=0,lazy_journal_init=0";
    let mut make = Command::new("mkfs.ext4");
    run(make
        .args(["-q", "-F", "-O", "has_journal", "-E", options])
        .arg(image))?;
    run(Command::new("mount")
        .args(["-o", "loop"])
        .arg(image)
        .arg(at))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// File system and mount options of a folder.
fn describe(folder: &Path) -> String {
    let mut find = Command::new("findmnt");
    find.args(["-n", "-o", "FSTYPE,OPTIONS", "-T"]).arg(folder);
    match find.output() {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            said.split_whitespace().collect::<Vec<_>>().join(" ")
        }
        _ => "a file system that findmnt doesn't know".to_owned(),
    }
}
