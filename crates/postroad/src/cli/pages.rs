//! Completions and manual pages, made from the description of the command line.

use std::path::Path;

use clap::Command;
use clap_complete::Shell;

use super::{Ended, Failure, say};

/// Prints a shell's completions.
pub(super) fn completions(shell: Shell, mut command: Command) -> Result<Ended, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "postroad", &mut script);
    say::print(&String::from_utf8_lossy(&script))?;
    Ok(Ended::Done)
}

/// Prints the manual page, or writes those of all commands into `folder`, which must be there.
pub(super) fn man(folder: Option<&Path>, command: Command) -> Result<Ended, Failure> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        let made = clap_mangen::Man::new(command).render(&mut page);
        made.map_err(|error| Failure::Cannot(error.to_string()))?;
        say::print(&String::from_utf8_lossy(&page))?;
        return Ok(Ended::Done);
    };
    let written = clap_mangen::generate_to(command, folder);
    written.map_err(|error| Failure::Cannot(format!("{}: {error}", folder.display())))?;
    Ok(Ended::Done)
}
