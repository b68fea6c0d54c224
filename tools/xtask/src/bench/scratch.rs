//! The disk of the measurements: a journaled ext4 of its own where that can be made.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Mebibytes of the image: enough for the longest run of the largest messages, twice.
const FULL: u64 = 3072;
const QUICK: u64 = 1024;

/// Starts this program again where its mounts are its own and go when it ends, as by Ctrl-C; returns only
/// if it runs there already, may not mount, or can't do so.
pub(crate) fn apart() {
    const IS_APART: &str = "POSTROAD_BENCH_APART";
    if !crate::packages::is_root() || std::env::var_os(IS_APART).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut again = Command::new("unshare");
    again.args(["--mount", "--propagation", "private", "--"]);
    again.arg(program).args(std::env::args_os().skip(1));
    let why = again.env(IS_APART, "1").exec();
    eprintln!("unshare: {why}; when this is broken off, unmount its disk by hand");
}

/// A folder, on a file system of its own or not.
pub(crate) struct Scratch {
    folder: PathBuf,
    is_mounted: bool,
    /// What it is, for the reader.
    pub(crate) said: String,
}

impl Scratch {
    /// Makes one below a folder. Who may not mount gets the folder itself.
    pub(crate) fn make(below: &Path, is_quick: bool) -> Result<Scratch, String> {
        let folder = below.join(format!("postroad-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut scratch = Scratch {
            is_mounted: false,
            said: String::new(),
            folder,
        };
        if crate::packages::is_root() {
            let image = scratch.folder.with_extension("img");
            let size = if is_quick { QUICK } else { FULL };
            mount(&image, size, &scratch.folder)?;
            scratch.is_mounted = true;
            // The mount keeps it, and it goes with the mount however this ends.
            let _ = fs::remove_file(&image);
        }
        scratch.said = describe(&scratch.folder);
        if scratch.is_mounted {
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
        if self.is_mounted {
            let unmounted = Command::new("umount").arg(&self.folder).status();
            if !unmounted.is_ok_and(|status| status.success()) {
                eprintln!("{} could not be unmounted", self.folder.display());
                return;
            }
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
