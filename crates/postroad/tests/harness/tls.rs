//! Certificates for a server and a client, and the client's side of TLS.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Settings that use what [`certificates`] makes.
pub const SETTINGS: &str = "\n[tls]\ncertificate = \"mx.pem\"\nkey = \"mx.key\"\n";

/// Makes in a folder `authority.pem`, with `mx.pem` and `mx.key` for `mx.test`, localhost and 127.0.0.1,
/// and `client.pem` and `client.key` for `home.test`.
pub fn certificates(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params
        .distinguished_name
        .push(DnType::CommonName, "authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    write(folder, "authority.pem", &authority.pem());
    let own = ["mx.test", "localhost", "127.0.0.1"];
    for (name, names) in [("mx", &own[..]), ("client", &["home.test"])] {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &authority).expect("a certificate");
        write(folder, &format!("{name}.pem"), &signed.pem());
        write(folder, &format!("{name}.key"), &key.serialize_pem());
    }
}

fn write(folder: &Path, name: &str, pem: &str) {
    std::fs::write(folder.join(name), pem).expect("write a PEM file");
}

/// What carries a client's octets.
pub enum Carrier {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Carrier {
    /// Does the client's part of a handshake with `mx.test`, and shows a certificate if told to.
    pub fn secured(self, folder: &Path, shows_certificate: bool) -> io::Result<Carrier> {
        let Carrier::Clear(mut tcp) = self else {
            return Err(io::Error::other("it is under TLS already"));
        };
        let config = config(folder, shows_certificate);
        let name = ServerName::try_from("mx.test").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut connection = connection;
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp)?;
        }
        Ok(Carrier::Tls(Box::new(StreamOwned::new(connection, tcp))))
    }
}

fn config(folder: &Path, shows_certificate: bool) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for root in chain(&folder.join("authority.pem")) {
        roots.add(root).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    match shows_certificate {
        false => builder.with_no_client_auth(),
        true => builder
            .with_client_auth_cert(
                chain(&folder.join("client.pem")),
                PrivateKeyDer::from_pem_file(folder.join("client.key")).expect("a key"),
            )
            .expect("a pair"),
    }
}

fn chain(file: &Path) -> Vec<CertificateDer<'static>> {
    let read = CertificateDer::pem_file_iter(file).expect("a PEM file");
    read.collect::<Result<_, _>>().expect("certificates")
}

impl Read for Carrier {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Carrier::Clear(tcp) => tcp.read(into),
            Carrier::Tls(tls) => tls.read(into),
        }
    }
}

impl Write for Carrier {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Carrier::Clear(tcp) => tcp.write(octets),
            Carrier::Tls(tls) => tls.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Carrier::Clear(tcp) => tcp.flush(),
            Carrier::Tls(tls) => tls.flush(),
        }
    }
}

/// Gives users their passwords with the command for that; they stand in `passwords` then. Each is a name, a
/// password, and options of the command.
pub fn users<'a>(folder: &Path, users: impl IntoIterator<Item = &'a str>) {
    for user in users {
        let mut words = user.split(' ');
        let (name, password) = (
            words.next().expect("a name"),
            words.next().expect("a password"),
        );
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_postroad"));
        command
            .args(["user", "set", name, "--stdin", "--file", "passwords"])
            .args(words);
        let mut child = command
            .current_dir(folder)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("run the binary");
        let mut stdin = child.stdin.take().expect("it is piped");
        writeln!(stdin, "{password}").expect("say the password");
        drop(stdin);
        assert!(child.wait().expect("its end").success(), "{user}");
    }
}

/// The messages of a client of SCRAM-SHA-256: its last one, for what the server said to its first, and what the
/// server must say to that.
pub fn scram(name: &str, password: &str, nonce: &str, said: &str) -> Option<(String, String)> {
    use aws_lc_rs::{digest, hmac, pbkdf2};
    use postroad_wire::base64;
    let mut parts = said.split(',');
    let mut part = |name| parts.next()?.strip_prefix(name);
    let (both, salt, iterations) = (part("r=")?, part("s=")?, part("i=")?);
    let salt = base64::decode(salt.as_bytes())?;
    let mut salted = [0; 32];
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(
        algorithm,
        iterations.parse().ok()?,
        &salt,
        password.as_bytes(),
        &mut salted,
    );
    let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    let client_key = sign(&salted, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
    let mut last = format!("c=biws,r={both}");
    let signed = format!("n={name},r={nonce},{said},{last}");
    let signature = sign(stored_key.as_ref(), signed.as_bytes());
    let pairs = client_key.as_ref().iter().zip(signature.as_ref());
    let proof: Vec<u8> = pairs.map(|(one, other)| one ^ other).collect();
    let _ = write!(last, ",p={}", base64::encode(&proof));
    let server_key = sign(&salted, b"Server Key");
    let ours = sign(server_key.as_ref(), signed.as_bytes());
    Some((last, format!("v={}", base64::encode(ours.as_ref()))))
}
