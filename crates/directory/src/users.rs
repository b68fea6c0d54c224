//! Users who can log in, and what is kept of their passwords.
//!
//! A password file has a line for each: the name, a colon, and one credential or two, with blanks
//! between them:
//!
//! ```text
//! anna:$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaA SCRAM-SHA-256$50000:c2FsdA==$c3RvcmVk:c2VydmVy
//! ```
//!
//! `$argon2id$`, `$argon2i$` and `$argon2d$` are hashes of the password (RFC 9106) as PHC strings; by them
//! the mechanisms that send the password are checked. `SCRAM-SHA-256$` is what that mechanism needs (RFC 5803
//! 3, RFC 7677). A user who has only this may use no mechanism that sends the password.

mod file;
mod prepare;
mod scram;

use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};

pub use file::{PasswordFile, Unusable, octets_of};
pub use prepare::{Unprepared, prepared};
pub use scram::{ClientFirst, ITERATIONS, Malformed, Scram, ServerFirst};

/// How long a name may be, in octets, as it is prepared.
pub const LONGEST_NAME: usize = 255;

/// More memory for one login than this, in KiB, is a slip of whoever wrote the hash.
const MOST_MEMORY: u32 = 1 << 20;
/// More passes over it than this, likewise.
const MOST_PASSES: u32 = 64;

/// Users, and what is kept of their passwords: a snapshot of a password file.
#[derive(Debug, Default)]
pub struct Users {
    users: BTreeMap<String, Credentials>,
    /// As much work as the dearest of their hashes: what a login costs as a user who doesn't exist.
    dearest: Params,
    /// Somebody has no hash, so that what SCRAM keeps is looked at for a password.
    some_without_hash: bool,
}

/// What is kept of one user's password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Its argon2 hash, as a PHC string.
    hash: Option<String>,
    /// What SCRAM-SHA-256 needs.
    scram: Option<Scram>,
}

/// What is wrong with a line of a password file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// Which, from 1.
    pub line: usize,
    /// What.
    pub what: String,
}

/// What came of a password that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It is the user's.
    Right,
    /// It is the user's, who may not send it, having SCRAM alone.
    TooWeak,
    /// It isn't, or there is no such user.
    Wrong,
}

impl Users {
    /// Reads the lines of a password file. What is wrong with lines is told; the others hold.
    pub fn read(text: &str) -> (Users, Vec<LineFault>) {
        let (mut users, mut faults) = (Users::default(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(what) = users.add(line) {
                let line = index + 1;
                faults.push(LineFault { line, what });
            }
        }
        (users, faults)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let (name, credentials) = entry(line)?;
        if let Some(hash) = &credentials.hash {
            let params = params(hash)?;
            if cost(&params) > cost(&self.dearest) || self.hashes() == 0 {
                self.dearest = params;
            }
        }
        self.some_without_hash |= credentials.hash.is_none();
        match self.users.insert(name.clone(), credentials) {
            None => Ok(()),
            Some(first) => {
                self.users.insert(name, first);
                Err("is about the same user as a line before it".into())
            }
        }
    }

    fn hashes(&self) -> usize {
        let mut all = self.users.values();
        all.by_ref().filter(|of| of.hash.is_some()).count()
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Credentials)> {
        self.users.iter().map(|(name, of)| (name.as_str(), of))
    }

    /// What is kept of a user's password.
    pub fn of(&self, name: &str) -> Option<&Credentials> {
        self.users.get(name)
    }

    /// Whether a password, prepared, is the user's. It takes as long for a user who doesn't exist, some tens
    /// of milliseconds, and some megabytes: bound how many are checked at once.
    pub fn check(&self, name: &str, password: &str) -> Checked {
        let of = self.users.get(name);
        let hash = of.and_then(|of| of.hash.as_deref());
        let by_hash = match hash {
            Some(hash) => verified(hash, password),
            None => {
                black_box(self.waste(password));
                false
            }
        };
        // Only where somebody has nothing else; and then for everybody, so that it tells nobody apart.
        let by_scram = self.some_without_hash
            && match of.and_then(|of| of.scram.as_ref()) {
                Some(scram) => scram.is_of(password),
                None => {
                    black_box(Scram::new(password, &[0; 16], ITERATIONS));
                    false
                }
            };
        match (hash, by_hash, by_scram) {
            (Some(_), true, _) => Checked::Right,
            (None, _, true) => Checked::TooWeak,
            _ => Checked::Wrong,
        }
    }

    /// Does the work of a check without a hash to check.
    fn waste(&self, password: &str) -> [u8; 32] {
        #[cfg(test)]
        tests::note(cost(&self.dearest), 0);
        let mut out = [0; 32];
        let argon2 = Argon2::new(
            argon2::Algorithm::Argon2id,
            argon2::Version::V0x13,
            self.dearest.clone(),
        );
        // It fails for outputs and salts of other lengths.
        let _ = argon2.hash_password_into(password.as_bytes(), &[0; 16], &mut out);
        out
    }
}

impl Credentials {
    /// What is kept of a password, prepared. `salts` are random. Either kind can be left out.
    ///
    /// It takes some tens of milliseconds.
    pub fn new(password: &str, salts: [[u8; 16]; 2], kinds: Kinds) -> Credentials {
        let [hash_salt, scram_salt] = salts;
        let hash = (kinds != Kinds::ScramOnly).then(|| hash(password, &hash_salt));
        let scram =
            (kinds != Kinds::HashOnly).then(|| Scram::new(password, &scram_salt, ITERATIONS));
        Credentials { hash, scram }
    }

    /// Whether there is a hash, so that the password may be sent.
    pub fn has_hash(&self) -> bool {
        self.hash.is_some()
    }

    /// What SCRAM needs, if it is there.
    pub fn scram(&self) -> Option<&Scram> {
        self.scram.as_ref()
    }
}

/// Which kinds of credentials are made of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// Both.
    Both,
    /// The hash.
    HashOnly,
    /// What SCRAM needs: the password may not be sent then.
    ScramOnly,
}

impl fmt::Display for Credentials {
    /// As a password file has it after the name and its colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.hash, &self.scram) {
            (Some(hash), Some(scram)) => write!(f, "{hash} {scram}"),
            (Some(hash), None) => f.write_str(hash),
            (None, Some(scram)) => scram.fmt(f),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Debug for Credentials {
    /// Says which there are, and nothing of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("hash", &self.hash.is_some())
            .field("scram", &self.scram.is_some())
            .finish()
    }
}

/// The name that a line of a password file is about, prepared; none of what isn't such a line.
pub fn name_of(line: &str) -> Option<String> {
    let (name, _) = line.trim().split_once(':')?;
    prepared(name).ok()
}

/// A line of a password file.
fn entry(line: &str) -> Result<(String, Credentials), String> {
    let advice = "write NAME:HASH, or let `postroad user set` write it";
    let (name, rest) = line
        .split_once(':')
        .ok_or_else(|| format!("has no colon: {advice}"))?;
    let name = prepared(name).map_err(|why| format!("has a name that {why}"))?;
    if name.is_empty() || name.contains(char::is_whitespace) || name.len() > LONGEST_NAME {
        return Err("has a name that is empty, too long or has a blank in it".into());
    }
    let mut credentials = Credentials::default();
    for word in rest.split_whitespace() {
        // Dovecot's tools write the scheme before the hash.
        let plain = ["{ARGON2ID}", "{ARGON2I}"].iter();
        let word = plain.fold(word, |word, scheme| {
            word.strip_prefix(scheme).unwrap_or(word)
        });
        let twice = if let Some(rest) = word.strip_prefix(scram::PREFIX) {
            let scram = Scram::read(rest).ok_or("has a SCRAM-SHA-256 credential that is broken")?;
            credentials.scram.replace(scram).is_some()
        } else if word.starts_with("$argon2") {
            params(word)?;
            credentials.hash.replace(word.to_owned()).is_some()
        } else {
            return Err(format!(
                "has neither an argon2 hash nor a SCRAM-SHA-256 credential: {advice}"
            ));
        };
        if twice {
            return Err("has two credentials of one kind".into());
        }
    }
    if credentials == Credentials::default() {
        return Err(format!("has no credential: {advice}"));
    }
    Ok((name, credentials))
}

/// How dear a hash is.
fn params(hash: &str) -> Result<Params, String> {
    let broken = || "has an argon2 hash that is broken".to_owned();
    let hash = PasswordHash::new(hash).map_err(|_| broken())?;
    if hash.hash.is_none() || hash.salt.is_none() {
        return Err(broken());
    }
    let params = Params::try_from(&hash).map_err(|_| broken())?;
    if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_PASSES {
        return Err("has an argon2 hash that takes too much memory or time".into());
    }
    Ok(params)
}

fn cost(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

/// Whether a hash is of this password. It compares in constant time.
fn verified(hash: &str, password: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        return false; // It was read when the file was.
    };
    #[cfg(test)]
    tests::note(Params::try_from(&hash).map_or(0, |params| cost(&params)), 0);
    Argon2::default()
        .verify_password(password.as_bytes(), &hash)
        .is_ok()
}

/// The hash of a password, with the library's own parameters: 19 MiB, two passes.
fn hash(password: &str, salt: &[u8; 16]) -> String {
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), salt)
        .expect("the salt's length is within what the algorithm takes, and so is any password's")
        .to_string()
}

#[cfg(test)]
mod tests;
