//! A small disk of a test's own, in memory.

// A test from the outside says what it leaves out, and uses real files.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory, unmounted in the end.
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts one at this folder, which is made; none where that isn't allowed, said as a test says
    /// what it leaves out.
    pub fn mount(at: &Path, size: &str) -> Option<Tmpfs> {
        std::fs::create_dir_all(at).expect("make the folder");
        let mut mount = Command::new("mount");
        mount.args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={size},mode=0700"),
            "tmpfs",
        ]);
        match mount.arg(at).output() {
            Ok(output) if output.status.success() => Some(Tmpfs(at.into())),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr);
                println!(
                    "left out: a full disk: {}",
                    why.lines().next().unwrap_or_default()
                );
                None
            }
            Err(error) => {
                println!("left out: a full disk: mount: {error}");
                None
            }
        }
    }

    /// Writes a file until nothing more fits.
    pub fn fill(&self) {
        let full = std::fs::write(self.filler(), vec![0; 80 << 20]);
        assert!(full.is_err(), "80 MiB fit");
    }

    /// Takes away what [`fill`](Tmpfs::fill) wrote.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).expect("remove the filler");
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily, for the server may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
