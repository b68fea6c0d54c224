//! SCRAM-SHA-256 (RFC 5802, RFC 7677), as its server, without channel binding.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use postroad_wire::base64;

use super::prepare::prepared;

/// What a credential begins with in a password file (RFC 5803 3).
pub(super) const PREFIX: &str = "SCRAM-SHA-256$";

/// How often a password is hashed, where it is done here. RFC 7677 4 wants 4096 at least; each client
/// has to do it too.
pub const ITERATIONS: u32 = 50_000;

/// The longest nonce of a client's, and the longest salt, so that an answer is no longer than a challenge of
/// SMTP may be.
const LONGEST_NONCE: usize = 128;
const LONGEST_SALT: usize = 32;

/// More iterations would be a burden for clients, and for us.
const MOST_ITERATIONS: u32 = 10_000_000;

type Key = [u8; 32];

/// What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 3). It doesn't suffice to log in elsewhere,
/// nor here.
#[derive(Clone, PartialEq, Eq)]
pub struct Scram {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

/// The client's message is none of SCRAM, or of what this server does of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Scram {
    /// Of a password, prepared. It takes some tens of milliseconds.
    pub fn new(password: &str, salt: &[u8], iterations: u32) -> Scram {
        let salted = salted(password, salt, iterations);
        Scram {
            iterations,
            salt: salt.to_vec(),
            stored_key: hashed(&keyed(&salted, b"Client Key")),
            server_key: keyed(&salted, b"Server Key"),
        }
    }

    /// For a user who doesn't exist: as it would look, and no password fits. `secret` is the server's own
    /// and always the same, so that the same name is shown the same salt.
    pub fn of_nobody(name: &str, secret: &[u8]) -> Scram {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let made = |what: &str| -> Key { tag(&key, &[what.as_bytes(), name.as_bytes()].concat()) };
        Scram {
            iterations: ITERATIONS,
            salt: made("salt of ")[..16].to_vec(),
            stored_key: made("stored key of "),
            server_key: made("server key of "),
        }
    }

    /// Whether it is of this password.
    pub(super) fn is_of(&self, password: &str) -> bool {
        let salted = salted(password, &self.salt, self.iterations);
        let stored = hashed(&keyed(&salted, b"Client Key"));
        constant_time::verify_slices_are_equal(&stored, &self.stored_key).is_ok()
    }

    /// Reads what follows [`PREFIX`]: `iterations:salt$stored-key:server-key`.
    pub(super) fn read(text: &str) -> Option<Scram> {
        let (info, keys) = text.split_once('$')?;
        let (iterations, salt) = info.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let iterations = iterations.parse().ok()?;
        let key = |text: &str| -> Option<Key> { base64::decode(text.as_bytes())?.try_into().ok() };
        let salt = base64::decode(salt.as_bytes())?;
        let is_fit =
            (1..=LONGEST_SALT).contains(&salt.len()) && (1..=MOST_ITERATIONS).contains(&iterations);
        is_fit.then_some(())?;
        Some(Scram {
            iterations,
            salt,
            stored_key: key(stored)?,
            server_key: key(server)?,
        })
    }
}

impl fmt::Display for Scram {
    /// As a password file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored_key, &self.server_key].map(base64::encode);
        write!(f, "{PREFIX}{}:{salt}${stored}:{server}", self.iterations)
    }
}

impl fmt::Debug for Scram {
    /// Says nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scram")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// The client's first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFirst {
    /// Who it wants to be, prepared.
    pub name: String,
    /// What stands before the part that is authenticated.
    header: String,
    bare: String,
    nonce: String,
}

/// What the server has answered, which a final message of the client answers.
pub struct ServerFirst {
    scram: Scram,
    header: String,
    nonce: String,
    /// Both first messages.
    signed: String,
    /// This side's message.
    pub message: String,
}

impl ClientFirst {
    /// Reads it: `n,,n=user,r=nonce`.
    ///
    /// # Errors
    /// It isn't one, asks to act for somebody else, or demands channel binding, which isn't offered.
    pub fn read(message: &[u8]) -> Result<ClientFirst, Malformed> {
        let text = str::from_utf8(message).map_err(|_| Malformed)?;
        let mut parts = text.splitn(3, ',');
        let mut next = || parts.next().ok_or(Malformed);
        let (binding, acting_for, bare) = (next()?, next()?, next()?);
        // "y": the client could bind, and was offered no mechanism that does (RFC 5802 6).
        if !matches!(binding, "n" | "y") {
            return Err(Malformed);
        }
        let mut attributes = bare.split(',');
        let mut next = |name| attribute(attributes.next(), name);
        // An extension that must be understood begins with "m=", which is no name.
        let (name, nonce) = (unescaped(next("n=")?)?, next("r=")?);
        let is_printable = |c: char| c.is_ascii_graphic();
        if nonce.is_empty() || nonce.len() > LONGEST_NONCE || !nonce.chars().all(is_printable) {
            return Err(Malformed);
        }
        let name = prepared(&name).map_err(|_| Malformed)?;
        match acting_for.strip_prefix("a=") {
            Some(other) if prepared(&unescaped(other)?).as_ref() == Ok(&name) => {}
            None if acting_for.is_empty() => {}
            _ => return Err(Malformed),
        }
        Ok(ClientFirst {
            name,
            header: format!("{binding},{acting_for},"),
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
        })
    }

    /// The answer, for a user of whom `scram` is kept. `nonce` is random, and printable.
    pub fn answer(self, scram: Scram, nonce: &str) -> ServerFirst {
        let nonce = format!("{}{nonce}", self.nonce);
        let salt = base64::encode(&scram.salt);
        let message = format!("r={nonce},s={salt},i={}", scram.iterations);
        ServerFirst {
            signed: format!("{},{message}", self.bare),
            header: self.header,
            nonce,
            scram,
            message,
        }
    }
}

impl ServerFirst {
    /// Reads the client's final message, and says the server's if the client knows the password:
    /// `v=signature`.
    ///
    /// # Errors
    /// It doesn't, or the message is none.
    pub fn finish(&self, message: &[u8]) -> Result<String, Malformed> {
        let text = str::from_utf8(message).map_err(|_| Malformed)?;
        let (unproved, proof) = text.rsplit_once(",p=").ok_or(Malformed)?;
        let mut attributes = unproved.split(',');
        let mut next = |name| attribute(attributes.next(), name);
        let (binding, nonce) = (next("c=")?, next("r=")?);
        let header = base64::decode(binding.as_bytes()).ok_or(Malformed)?;
        if header != self.header.as_bytes() || nonce != self.nonce {
            return Err(Malformed);
        }
        let proof: Key = base64::decode(proof.as_bytes())
            .and_then(|proof| proof.try_into().ok())
            .ok_or(Malformed)?;
        let signed = format!("{},{unproved}", self.signed);
        let signature = keyed(&self.scram.stored_key, signed.as_bytes());
        let mut client_key = proof;
        for (octet, mask) in client_key.iter_mut().zip(signature) {
            *octet ^= mask;
        }
        constant_time::verify_slices_are_equal(&hashed(&client_key), &self.scram.stored_key)
            .map_err(|_| Malformed)?;
        let ours = keyed(&self.scram.server_key, signed.as_bytes());
        Ok(format!("v={}", base64::encode(&ours)))
    }
}

impl fmt::Debug for ServerFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerFirst").finish_non_exhaustive()
    }
}

/// The value of the attribute of that name, which must stand here.
fn attribute<'a>(text: Option<&'a str>, name: &str) -> Result<&'a str, Malformed> {
    text.and_then(|text| text.strip_prefix(name))
        .ok_or(Malformed)
}

/// A name with its commas and equals signs (RFC 5802 5.1).
fn unescaped(text: &str) -> Result<String, Malformed> {
    let mut parts = text.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match part.get(..2) {
            Some("2C") => (',', &part[2..]),
            Some("3D") => ('=', &part[2..]),
            _ => return Err(Malformed),
        };
        name.push(sign);
        name.push_str(rest);
    }
    Ok(name)
}

fn salted(password: &str, salt: &[u8], iterations: u32) -> Key {
    #[cfg(test)]
    super::tests::note(0, iterations.into());
    let mut out = [0; 32];
    let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut out);
    out
}

fn keyed(key: &[u8], message: &[u8]) -> Key {
    tag(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
}

fn tag(key: &hmac::Key, message: &[u8]) -> Key {
    let mut out = [0; 32];
    // A tag of SHA-256 has so many octets.
    out.copy_from_slice(hmac::sign(key, message).as_ref());
    out
}

fn hashed(octets: &[u8]) -> Key {
    let mut out = [0; 32];
    // So has its digest.
    out.copy_from_slice(digest::digest(&digest::SHA256, octets).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677 3.
    fn example() -> ServerFirst {
        let salt = base64::decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let first =
            ClientFirst::read(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").expect("a first message");
        assert_eq!(first.name, "user");
        let answered = first.answer(
            Scram::new("pencil", &salt, 4096),
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        );
        assert_eq!(
            answered.message,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        answered
    }

    const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    #[test]
    fn the_example_of_rfc_7677_3() {
        let said = example().finish(FINAL.as_bytes());
        let ours = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(said.as_deref(), Ok(ours));
    }

    #[test]
    fn whatever_is_changed_in_a_final_message_it_proves_nothing() {
        for (from, to) in [
            ("dHzb", "dHzc"),
            ("biws", "eSws"),
            ("rOpr", "rOps"),
            ("$k0,", "$k0,x=y,"),
            (",p=", ",q="),
            ("c=", "C="),
        ] {
            let changed = FINAL.replacen(from, to, 1);
            assert_eq!(
                example().finish(changed.as_bytes()),
                Err(Malformed),
                "{changed}"
            );
        }
        for cut in 0..FINAL.len() {
            assert_eq!(example().finish(&FINAL.as_bytes()[..cut]), Err(Malformed));
        }
    }

    #[test]
    fn first_messages_that_ask_for_what_is_not_done_are_refused() {
        for good in [
            "n,,n=anna,r=x",
            "y,,n=anna,r=x",
            "n,a=anna,n=anna,r=x",
            "n,,n=anna,r=x,ext=1",
        ] {
            let read = ClientFirst::read(good.as_bytes());
            assert_eq!(
                read.map(|first| first.name),
                Ok("anna".to_owned()),
                "{good}"
            );
        }
        let read = ClientFirst::read(b"n,,n=a=2Cb=3Dc,r=x");
        assert_eq!(read.map(|first| first.name), Ok("a,b=c".to_owned()));
        for bad in [
            "",
            "n",
            "n,,",
            "n,,n=anna",
            "n,,n=anna,r=",
            "n,,r=x,n=anna",
            "p=tls-exporter,,n=anna,r=x",
            "n,a=bert,n=anna,r=x",
            "n,bert,n=anna,r=x",
            "n,,m=new,n=anna,r=x",
            "n,,n=a=2,r=x",
            "n,,n=a=2c,r=x",
            "n,,n=a=\u{fc}\u{fc},r=x",
            "n,,n=a\u{7},r=x",
            "n,,n=anna,r=x\u{7f}",
        ] {
            assert_eq!(ClientFirst::read(bad.as_bytes()), Err(Malformed), "{bad}");
        }
        assert_eq!(ClientFirst::read(b"n,,n=\xff,r=x"), Err(Malformed));
    }

    #[test]
    fn nobody_looks_the_same_each_time_and_like_somebody() {
        let secret = [7; 32];
        let once = Scram::of_nobody("bert", &secret);
        assert_eq!(once, Scram::of_nobody("bert", &secret));
        assert_ne!(once.salt, Scram::of_nobody("cora", &secret).salt);
        assert_ne!(once.salt, Scram::of_nobody("bert", &[8; 32]).salt);
        let somebody = Scram::new("secret", &[1; 16], ITERATIONS);
        assert_eq!(once.salt.len(), somebody.salt.len());
        assert_eq!(once.iterations, somebody.iterations);
    }

    #[test]
    fn a_credential_reads_back_as_it_is_written() {
        let scram = Scram::new("secret", b"salt", 4096);
        let written = scram.to_string();
        let rest = written.strip_prefix(PREFIX).expect("its mechanism");
        assert_eq!(Scram::read(rest), Some(scram));
        for broken in [
            "",
            "4096",
            "4096:c2FsdA==",
            "0:c2FsdA==$AA==:AA==",
            "x:y$z:w",
        ] {
            assert_eq!(Scram::read(broken), None, "{broken}");
        }
    }
}
