//! The files beside the configuration that few may read: the certificate with its key, and the passwords.
//!
//! They are read as the user that the server runs as, at its start, after it has given up being root, and at
//! each reload; the passwords at each login too. What that user can't read would be lost at the next reload.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postroad_clock::UnixMs;
use postroad_config::{Config, Problem, TlsVersion};
use postroad_directory::users::PasswordFile;
use postroad_host::chance::Chance;
use postroad_host::disk::real::RealDisk;
use postroad_host::disk::{Disk, DiskFile, Open};
use postroad_host::tls::{Acceptor, Flaw, Material, Oldest, Validity};
use postroad_message::trace::date;
use postroad_telemetry::Event;

/// More than this is no certificate and no key.
const LARGEST: u64 = 4 << 20;

/// A certificate that is valid for less than this is worth a word.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    /// The server's side of TLS, if there is a certificate, and it can be used.
    pub(crate) tls: Option<Acceptor>,
    /// Who can log in, if there are any.
    pub(crate) passwords: Option<Arc<PasswordFile>>,
}

/// Reads them, and says what is wrong with them, each at the setting that names it. The password file
/// stays the one that is `held` where it has the same name: it knows what was learnt.
pub(crate) fn read(config: &Config, held: Option<&Arc<PasswordFile>>) -> (Files, Vec<Problem>) {
    let mut problems = Vec::new();
    let tls = acceptor(config).unwrap_or_else(|problem| {
        problems.push(*problem);
        None
    });
    let passwords = passwords(config, held).unwrap_or_else(|problem| {
        problems.push(*problem);
        None
    });
    if let Some(passwords) = &passwords {
        problems.extend(faults(config, passwords));
    }
    (Files { tls, passwords }, problems)
}

fn acceptor(config: &Config) -> Result<Option<Acceptor>, Box<Problem>> {
    let tls = &config.tls;
    // One without the other was reported.
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else {
        return Ok(None);
    };
    let chain = octets(config, "tls.certificate", certificate)?;
    let key = octets(config, "tls.key", key)?;
    let authorities = tls.client_authorities.as_ref();
    let authorities = authorities.map(|file| octets(config, "tls.client_authorities", file));
    let authorities = authorities.transpose()?;
    let material = Material {
        chain: &chain,
        key: &key,
        authorities: authorities.as_deref(),
        oldest: match tls.oldest_version {
            TlsVersion::Tls12 => Oldest::Tls12,
            TlsVersion::Tls13 => Oldest::Tls13,
        },
    };
    Acceptor::new(material).map(Some).map_err(|flaw| {
        let (setting, what, advice) = match flaw {
            Flaw::Chain(what) => (
                "tls.certificate",
                what,
                "name the PEM file with the certificate first and those of its authorities after it",
            ),
            Flaw::Key(what) => (
                "tls.key",
                what,
                "name the PEM file with the private key that the certificate was made for, without a password",
            ),
            Flaw::Authorities(what) => (
                "tls.client_authorities",
                what,
                "name the PEM file with the certificates of the authorities",
            ),
        };
        Box::new(config.problem(setting, &format!("names a file that {what}"), advice))
    })
}

fn passwords(
    config: &Config,
    held: Option<&Arc<PasswordFile>>,
) -> Result<Option<Arc<PasswordFile>>, Box<Problem>> {
    let Some(path) = &config.auth.passwords else {
        return Ok(None);
    };
    let learns = config.auth.learn_scram;
    let is_same = |held: &&Arc<PasswordFile>| held.path() == path && held.learns() == learns;
    if let Some(held) = held.filter(is_same) {
        return Ok(Some(Arc::clone(held)));
    }
    let learnt = learns.then(|| config.server.data_dir.join("learnt-scram"));
    match PasswordFile::new(path.clone(), learnt) {
        Ok(file) => Ok(Some(Arc::new(file))),
        Err(error) => {
            let problem =
                config.problem("auth.learn_scram", &error.to_string(), "remove that file");
            Err(Box::new(problem))
        }
    }
}

/// What is wrong with the password file.
fn faults(config: &Config, passwords: &PasswordFile) -> Vec<Problem> {
    let octets = match octets(config, "auth.passwords", passwords.path()) {
        Ok(octets) => octets,
        Err(problem) => return vec![*problem],
    };
    let text = String::from_utf8_lossy(&octets);
    let (_, faults) = postroad_directory::users::Users::read(&text);
    let problem = |fault: postroad_directory::users::LineFault| {
        let file = passwords.path().display();
        let what = format!("names {file}, of which line {} {}", fault.line, fault.what);
        config.problem("auth.passwords", &what, "mend the line, or take it out")
    };
    faults.into_iter().map(problem).collect()
}

/// What is in a file; or why it can't be read, at the setting that names it.
fn octets(config: &Config, setting: &str, file: &Path) -> Result<Vec<u8>, Box<Problem>> {
    whole(file).map_err(|error| {
        let name = file.display();
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "let the user read it that the server runs as: chgrp its group and chmod 640, for it is read \
                 at each reload"
            }
            io::ErrorKind::NotFound => "make it first, or name another",
            _ => "name a file that can be read",
        };
        let what = format!("names {name}, which can't be read: {error}");
        Box::new(config.problem(setting, &what, advice))
    })
}

fn whole(file: &Path) -> io::Result<Vec<u8>> {
    let open = RealDisk.open(file, Open::Read)?;
    let length = open.len()?;
    if length > LARGEST {
        return Err(io::Error::other("it is too long"));
    }
    // The bound above fits every usize.
    let mut octets = vec![0; length as usize];
    open.read_exact_at(&mut octets, 0)?;
    Ok(octets)
}

/// What is to be said of a certificate that isn't valid now, or not for much longer.
pub(crate) fn about_expiry(files: &Files, now: UnixMs) -> Option<String> {
    let Validity { from, until } = files.tls.as_ref()?.validity();
    if now < from {
        Some(format!("is valid only from {} on", date(from)))
    } else if now > until {
        Some(format!("has expired: it was valid until {}", date(until)))
    } else if now + SOON > until {
        Some(format!("expires soon: it is valid until {}", date(until)))
    } else {
        None
    }
}

/// Tells the log if a certificate isn't valid now, or not for much longer.
pub(crate) fn tell_expiry(files: &Files, config: &Config, now: UnixMs) {
    if about_expiry(files, now).is_none() {
        return;
    }
    if let (Some(acceptor), Some(file)) = (&files.tls, &config.tls.certificate) {
        let Validity { from, until } = acceptor.validity();
        let file = &file.display();
        Event::TlsExpiry { file, from, until }.emit();
    }
}

/// This server's own secret, made when it is first asked for, so that it is the same after a restart.
pub(crate) fn own(data_dir: &Path, chance: &Chance) -> io::Result<[u8; 32]> {
    let path: PathBuf = data_dir.join("secret");
    let mut secret = [0; 32];
    match RealDisk.open(&path, Open::Read) {
        Ok(file) => file.read_exact_at(&mut secret, 0)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            chance.fill(&mut secret);
            let new = path.with_extension("new");
            // One that a crash has left.
            match RealDisk.remove(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let file = RealDisk.open(&new, Open::CreateNew)?;
            file.write_all_at(&secret, 0)?;
            file.sync_data()?;
            RealDisk.rename(&new, &path)?;
            RealDisk.sync_dir(data_dir)?;
        }
        Err(error) => return Err(error),
    }
    Ok(secret)
}
