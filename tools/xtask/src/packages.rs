//! The programs that tests with real clients and servers need, and how they come onto the machine.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::beside;

/// A program that tests use: a client, a server to be a client of, or a reader of what is written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program {
    /// Its file's; of a library, the one that scripts load.
    pub(crate) name: &'static str,
    /// The package that has it, of Debian or of PyPI.
    pub(crate) package: &'static str,
    /// What stands in the names of the tests that need it.
    pub(crate) in_test_names: &'static str,
}

/// Those that Debian has.
const PROGRAMS: [Program; 19] = [
    Program {
        name: "postfix",
        package: "postfix",
        in_test_names: "postfix",
    },
    // What Postfix logs in with.
    Program {
        name: "libscram.so",
        package: "libsasl2-modules",
        in_test_names: "postfix_logs_in",
    },
    Program {
        name: "dovecot",
        package: "dovecot-lmtpd",
        in_test_names: "dovecot",
    },
    Program {
        name: "smtp-source",
        package: "postfix",
        in_test_names: "smtp_source",
    },
    Program {
        name: "smtp-sink",
        package: "postfix",
        in_test_names: "smtp_sink",
    },
    // What swaks does TLS with.
    Program {
        name: "Net/SSLeay.pm",
        package: "libnet-ssleay-perl",
        in_test_names: "swaks_logs_in",
    },
    Program {
        name: "swaks",
        package: "swaks",
        in_test_names: "swaks",
    },
    Program {
        name: "fetchmail",
        package: "fetchmail",
        in_test_names: "fetchmail",
    },
    Program {
        name: "msmtp",
        package: "msmtp",
        in_test_names: "msmtp",
    },
    Program {
        name: "curl",
        package: "curl",
        in_test_names: "curl",
    },
    Program {
        name: "python3",
        package: "python3",
        in_test_names: "smtplib",
    },
    Program {
        name: "Sisimai.pm",
        package: "libsisimai-perl",
        in_test_names: "sisimai",
    },
    Program {
        name: "gsasl",
        package: "gsasl",
        in_test_names: "gsasl",
    },
    Program {
        name: "openssl",
        package: "openssl",
        in_test_names: "openssl",
    },
    Program {
        name: "php",
        package: "php-cli",
        in_test_names: "php_",
    },
    Program {
        name: "bsd-mailx",
        package: "bsd-mailx",
        in_test_names: "bsd_mailx",
    },
    Program {
        name: "systemd-analyze",
        package: "systemd",
        in_test_names: "systemd_",
    },
    Program {
        name: "valgrind",
        package: "valgrind",
        in_test_names: "valgrind_",
    },
    Program {
        name: "chromium",
        package: "chromium",
        in_test_names: "chromium",
    },
];

/// Those that Debian has, but not on a machine with the others: each is its mail server.
const BESIDE: [Program; 2] = [
    Program {
        name: "exim4",
        package: "exim4-daemon-light",
        in_test_names: "exim",
    },
    Program {
        name: "smtpctl",
        package: "opensmtpd",
        in_test_names: "opensmtpd",
    },
];

/// Those that Debian doesn't have, and PyPI has.
const OF_PYPI: [Program; 4] = [
    Program {
        name: "aiosmtpd/__init__.py",
        package: "aiosmtpd",
        in_test_names: "aiosmtpd",
    },
    Program {
        name: "openapi-spec-validator",
        package: "openapi-spec-validator",
        in_test_names: "openapi_spec_validator",
    },
    Program {
        name: "flufl/bounce/__init__.py",
        package: "flufl.bounce",
        in_test_names: "flufl_bounce",
    },
    Program {
        name: "prometheus_client/openmetrics/parser.py",
        package: "prometheus-client",
        in_test_names: "prometheus_client",
    },
];

/// All of them, wherever they come from.
pub(crate) fn programs() -> impl Iterator<Item = &'static Program> {
    PROGRAMS.iter().chain(&BESIDE).chain(&OF_PYPI)
}

impl Program {
    pub(crate) fn is_there(&self) -> bool {
        find(self.name).is_some()
    }
}

/// Where a program or a library is. Administrators' programs are not always in the path.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(more_folders())
        .chain([PathBuf::from("/usr/share/perl5")])
        .chain(libraries_of_the_machine())
        .chain(libraries_of_python())
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Where Debian has the libraries that are of one kind of machine: those of SASL, and those of Perl.
fn libraries_of_the_machine() -> impl Iterator<Item = PathBuf> {
    let below = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let kinds = below(Path::new("/usr/lib"));
    kinds.into_iter().flat_map(move |kind| {
        let mut folders = below(&kind.join("perl5"));
        folders.push(kind.join("sasl2"));
        folders
    })
}

/// Installs what is missing, where that can be done, and says what it couldn't.
pub(crate) fn install_missing(allowed: bool) {
    let missing =
        |of: &'static [Program]| -> Vec<&Program> { of.iter().filter(|p| !p.is_there()).collect() };
    install_of_debian(missing(&PROGRAMS), allowed);
    unpack_of_debian(missing(&BESIDE), allowed);
    let of_pypi = missing(&OF_PYPI);
    let packages: Vec<&str> = of_pypi.iter().map(|p| p.package).collect();
    if !packages.is_empty()
        && allowed
        && let Err(e) = pip_install(&packages)
    {
        println!("{e}");
    }
    if programs().all(Program::is_there) {
        println!("all clients are there");
    }
}

fn install_of_debian(missing: Vec<&Program>, allowed: bool) {
    if missing.is_empty() {
        return;
    }
    let packages = packages_of(&missing);
    if allowed && is_root() && find("apt-get").is_some() {
        println!("installing {}", packages.join(" "));
        if let Err(e) = apt_install(&packages) {
            println!("{e}");
        }
    }
    let left: Vec<&Program> = missing.into_iter().filter(|p| !p.is_there()).collect();
    if !left.is_empty() {
        println!(
            "to run all tests: apt-get install {}",
            packages_of(&left).join(" ")
        );
    }
}

/// Their packages, each once.
fn packages_of(programs: &[&Program]) -> Vec<&'static str> {
    let mut packages: Vec<&str> = programs.iter().map(|p| p.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn unpack_of_debian(missing: Vec<&Program>, allowed: bool) {
    for program in missing {
        if allowed && is_root() && find("apt-get").is_some() {
            println!("unpacking {}", program.package);
            if let Err(e) = beside::unpack(program.package) {
                println!("{e}");
            }
        }
        if !program.is_there() {
            println!(
                "to run all tests: {} of {} in the path",
                program.name, program.package
            );
        }
    }
}

pub(crate) fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .and_then(|ids| ids.split_whitespace().nth(1));
    effective == Some("0")
}

fn apt_install(packages: &[&str]) -> Result<(), String> {
    // Tests start the mail servers themselves, in folders of their own: none may start now.
    let _no_services = NoServices::begin();
    if packages.contains(&"postfix") {
        preset("postfix postfix/main_mailer_type select Local only");
    }
    let install = || {
        let mut command = apt("install");
        command.args(["--no-install-recommends", "-y", "-qq"]);
        succeed(command.args(packages))
    };
    // The lists may be missing or old; only then are they fetched.
    install().or_else(|_| {
        succeed(apt("update").arg("-qq"))?;
        install()
    })
}

/// The folder of Python's programs, apart from those of the machine.
fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python")
}

/// The folder of Python's libraries there, whichever version it is.
pub(crate) fn libraries_of_python() -> Option<PathBuf> {
    let versions = fs::read_dir(python().join("lib")).ok()?;
    let folder = |version: fs::DirEntry| version.path().join("site-packages");
    versions
        .flatten()
        .map(folder)
        .find(|folder| folder.is_dir())
}

fn pip_install(packages: &[&str]) -> Result<(), String> {
    println!("installing {} for Python", packages.join(" "));
    succeed(Command::new("python3").args(["-m", "venv"]).arg(python()))?;
    let pip = python().join("bin/pip");
    let mut install = Command::new(pip);
    install.args(["install", "--quiet", "--disable-pip-version-check"]);
    succeed(install.args(packages))
}

pub(crate) fn apt(what: &str) -> Command {
    let mut command = Command::new("apt-get");
    command
        .arg(what)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(std::process::Stdio::null());
    command
}

pub(crate) fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(e) => Err(format!("{command:?}: {e}")),
    }
}

/// Answers a package's question before it asks. Without it, it takes its own default.
fn preset(answer: &str) {
    use std::io::Write;
    let child = Command::new("debconf-set-selections")
        .stdin(std::process::Stdio::piped())
        .spawn();
    if let Ok(mut child) = child {
        if let Some(mut stdin) = child.stdin.take() {
            let _ = writeln!(stdin, "{answer}");
        }
        let _ = child.wait();
    }
}

/// While it lives, packages that are installed may not start services (invoke-rc.d(8)).
struct NoServices(Option<&'static Path>);

impl NoServices {
    fn begin() -> NoServices {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        // One that is there is the machine's own, and stays.
        if policy.exists() {
            return NoServices(None);
        }
        let written = fs::write(policy, "#!/bin/sh\nexit 101\n")
            .and_then(|()| fs::set_permissions(policy, fs::Permissions::from_mode(0o755)));
        if let Err(e) = written {
            println!("{}: {e}; a service may start", policy.display());
        }
        NoServices(Some(policy))
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = self.0 {
            let _ = fs::remove_file(policy);
        }
    }
}

/// Where programs are besides the path: those of administrators, and those apart from the machine's.
fn more_folders() -> [PathBuf; 3] {
    [
        PathBuf::from("/usr/sbin"),
        python().join("bin"),
        beside::programs(),
    ]
}

/// The path for tests, with these folders.
pub(crate) fn path() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(more_folders()).collect();
    std::env::join_paths(folders).unwrap_or_else(|_| OsStr::new(&path).to_owned())
}
