//! What is said to a provider, from the settings and the files that they name.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use postroad_config::settings::Collect;
use postroad_config::{CollectTls, Config};
use postroad_host::disk::real::RealDisk;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_host::tls::{self, Connector};
use postroad_server::{Calling, Security};
use postroad_session::collector::{Errand, Login};
use postroad_session::server::{AuthRule, LookupRule, Roles, Settings, TlsRule};
use postroad_wire::address::{Domain, HeloName};

use crate::wiring;

/// A longer file is neither a password nor a certificate, nor all authorities that a system trusts.
const LARGEST: u64 = 4 << 20;

/// Why a provider can't even be called at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unready(String);

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a session may do over a connection that was made here: what any may, and nothing of what a client
/// is offered.
pub(crate) fn session(config: &Config, collect: &Collect) -> Settings {
    Settings {
        tls: match collect.tls {
            CollectTls::None => TlsRule::Off,
            // By the time the session begins, that is done.
            CollectTls::StartTls | CollectTls::Implicit => TlsRule::Implicit,
        },
        auth: AuthRule::Off,
        vrfy: LookupRule::Undisclosed,
        expn: LookupRule::Undisclosed,
        roles: Roles::default(),
        ..wiring::session(config)
    }
}

/// Reads what is to be read. It may wait for the disk.
pub(crate) fn make(
    collect: &Collect,
    session: Arc<Settings>,
    host_name: Domain,
) -> Result<Calling, Unready> {
    let login = match (&collect.user, &collect.password_file) {
        (Some(user), Some(file)) => Some(Login {
            user: user.clone(),
            password: password(file)?,
        }),
        _ => None,
    };
    Ok(Calling {
        host: collect.provider.host.clone(),
        port: collect.provider.port,
        security: match collect.tls {
            CollectTls::None => Security::None,
            CollectTls::StartTls => Security::StartTls(connector(collect)?),
            CollectTls::Implicit => Security::Implicit(connector(collect)?),
        },
        errand: Errand {
            name: HeloName::from(host_name),
            start_tls: collect.tls == CollectTls::StartTls,
            login,
            domains: collect.domains.clone(),
        },
        session,
    })
}

/// The first line of a file.
fn password(file: &Path) -> Result<String, Unready> {
    let octets = read(file)?;
    let line = octets
        .split(|octet| *octet == b'\n')
        .next()
        .unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err(unready(
            file,
            "its first line, which is the password, is empty",
        )),
        Ok(password) => Ok(password.to_owned()),
        Err(_) => Err(unready(
            file,
            "its first line, which is the password, is not UTF-8",
        )),
    }
}

fn connector(collect: &Collect) -> Result<Connector, Unready> {
    let (authorities, from) = match &collect.ca_file {
        Some(file) => (read(file)?, file.as_path()),
        None => trusted_by_the_system()?,
    };
    let own = match (&collect.certificate, &collect.key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        _ => None,
    };
    let (chain, key) = match own {
        Some((chain, key)) => (read(chain)?, read(key)?),
        None => Default::default(),
    };
    let shown = own.map(|_| (chain.as_slice(), key.as_slice()));
    Connector::new(&authorities, shown).map_err(|flaw| match (flaw, own) {
        (tls::Flaw::Chain(what), Some((file, _))) => unready(file, &what),
        (tls::Flaw::Key(what), Some((_, file))) => unready(file, &what),
        (tls::Flaw::Chain(what) | tls::Flaw::Key(what) | tls::Flaw::Authorities(what), _) => {
            unready(from, &what)
        }
    })
}

/// Where systems keep the authorities that they trust: Debian and its like, Fedora and its like, SUSE, Alpine.
const TRUSTED: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

fn trusted_by_the_system() -> Result<(Vec<u8>, &'static Path), Unready> {
    let files = TRUSTED.iter().map(Path::new);
    let mut read = files.filter_map(|file| Some((read(file).ok()?, file)));
    read.next().ok_or_else(|| {
        let words = format!(
            "the authorities that this system trusts are in none of {}; install them (ca-certificates), or \
             name a file in ca_file",
            TRUSTED.join(", ")
        );
        Unready(words)
    })
}

fn read(file: &Path) -> Result<Vec<u8>, Unready> {
    let words = |error: std::io::Error| unready(file, &format!("can't be read: {error}"));
    let open = RealDisk.open(file, Open::Read).map_err(words)?;
    let length = open.len().map_err(words)?;
    if length > LARGEST {
        return Err(unready(file, "is too long"));
    }
    // The bound above fits every usize.
    let mut octets = vec![0; length as usize];
    open.read_exact_at(&mut octets, 0).map_err(words)?;
    Ok(octets)
}

fn unready(file: &Path, what: &str) -> Unready {
    Unready(format!("{}: {what}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test writes files")]
    fn a_password_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("password");
        for (octets, expected) in [
            (&b"secret"[..], Ok("secret")),
            (b"secret\n", Ok("secret")),
            (b"a secret \r\nfor the provider\n", Ok("a secret ")),
            ("gehe\u{ed}m\n".as_bytes(), Ok("gehe\u{ed}m")),
            (b"", Err("is empty")),
            (b"\nsecret\n", Err("is empty")),
            (b"\xff\n", Err("is not UTF-8")),
        ] {
            std::fs::write(&file, octets).expect("write it");
            let read = password(&file).map_err(|Unready(words)| words);
            match expected {
                Ok(expected) => assert_eq!(read.as_deref(), Ok(expected)),
                Err(words) => assert!(read.expect_err("no password").ends_with(words)),
            }
        }
        let Unready(words) = password(&folder.path().join("none")).expect_err("no file");
        assert!(words.contains("none: can't be read: "), "{words}");
    }
}
