use super::*;
use crate::net::{Listener, Stream};
use bytes::BytesMut;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A certificate with its key, as PEM.
struct Pair {
    chain: String,
    key: String,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("an authority")
}

fn pair(names: &[&str], by: &CertifiedIssuer<'static, KeyPair>) -> Pair {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let params = CertificateParams::new(names).expect("names");
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, by).expect("a certificate");
    Pair {
        chain: certificate.pem(),
        key: key.serialize_pem(),
    }
}

fn material<'a>(pair: &'a Pair, authorities: Option<&'a str>) -> Material<'a> {
    Material {
        chain: pair.chain.as_bytes(),
        key: pair.key.as_bytes(),
        authorities: authorities.map(str::as_bytes),
        oldest: Oldest::Tls12,
    }
}

/// A client's side that trusts `by`, and shows a certificate if it has one.
fn connector(by: &str, own: Option<&Pair>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for root in certificates(by.as_bytes()).expect("a root") {
        roots.add(root).expect("a root");
    }
    let builder = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => builder
            .with_client_auth_cert(
                certificates(own.chain.as_bytes()).expect("a chain"),
                private_key(own.key.as_bytes()).expect("a key"),
            )
            .expect("a pair"),
    };
    TlsConnector::from(Arc::new(config))
}

/// A client and a server that have shaken hands.
async fn joined(
    acceptor: &Acceptor,
    connector: TlsConnector,
) -> io::Result<(tokio_rustls::client::TlsStream<TcpStream>, Stream, Secured)> {
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), 4)?;
    let tcp = TcpStream::connect(listener.local_address()?).await?;
    let mut server = listener.accept().await?.0.stream()?;
    let name = ServerName::try_from("mx.test").expect("a name");
    let (client, settled) = tokio::join!(connector.connect(name, tcp), server.secure(acceptor));
    Ok((client?, server, settled?))
}

#[test]
fn octets_go_both_ways_under_tls_and_the_end_is_seen() -> io::Result<()> {
    let authority = authority();
    let own = pair(&["mx.test"], &authority);
    let acceptor = Acceptor::new(material(&own, None)).expect("an acceptor");
    crate::tasks::run(0, async {
        let connector = connector(&authority.pem(), None);
        let (mut client, mut server, settled) = joined(&acceptor, connector).await?;
        assert_eq!(settled.version, "TLSv1.3");
        assert!(settled.cipher.starts_with("TLS_AES_"), "{}", settled.cipher);
        assert_eq!(settled.names, Vec::<String>::new());

        client.write_all(&[b'x'; 40_000]).await?;
        client.flush().await?;
        let mut seen = BytesMut::new();
        while seen.len() < 40_000 {
            server.readable().await?;
            // Less than a record, so that some of it waits deciphered.
            seen.reserve(1000);
            match server.try_read(&mut seen).await {
                Ok(0) => panic!("the end before all was there"),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        let nothing = server.try_read(&mut BytesMut::with_capacity(1)).await;
        assert_eq!(
            nothing.map_err(|e| e.kind()),
            Err(io::ErrorKind::WouldBlock)
        );
        server
            .write(&mut BytesMut::from(&b"220 hello\r\n"[..]))
            .await?;
        server.shutdown().await?;
        let mut said = Vec::new();
        client.read_to_end(&mut said).await?;
        assert_eq!(said, b"220 hello\r\n");
        client.shutdown().await?;
        server.readable().await?;
        assert_eq!(server.try_read(&mut BytesMut::with_capacity(1)).await?, 0);
        Ok(())
    })?
}

#[test]
fn a_client_is_who_its_certificate_says_if_its_authority_is_known() -> io::Result<()> {
    let (known, unknown) = (authority(), authority());
    let own = pair(&["mx.test"], &known);
    let authorities = known.pem();
    let acceptor = Acceptor::new(material(&own, Some(&authorities))).expect("an acceptor");
    crate::tasks::run(0, async {
        let of = |names: &[&str], by| Some(pair(names, by));
        let home = vec!["mx.home.test".to_owned(), "home.test".to_owned()];
        for (shown, names) in [
            (of(&["MX.home.test", "home.test"], &known), home),
            (of(&["*.home.test"], &known), Vec::new()),
            (of(&["mx.home.test"], &unknown), Vec::new()),
            (None, Vec::new()),
        ] {
            let connector = connector(&authorities, shown.as_ref());
            let (_client, _server, settled) = joined(&acceptor, connector).await?;
            assert_eq!(settled.names, names);
        }
        Ok(())
    })?
}

#[test]
fn who_speaks_no_tls_is_not_served() -> io::Result<()> {
    let authority = authority();
    let own = pair(&["mx.test"], &authority);
    let acceptor = Acceptor::new(material(&own, None)).expect("an acceptor");
    crate::tasks::run(0, async {
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), 4)?;
        let mut client = TcpStream::connect(listener.local_address()?).await?;
        let mut server = listener.accept().await?.0.stream()?;
        client.write_all(b"EHLO client.test\r\n").await?;
        assert!(server.secure(&acceptor).await.is_err());
        assert!(server.readable().await.is_err());
        assert!(server.write(&mut BytesMut::from(&b"x"[..])).await.is_err());
        Ok(())
    })?
}

#[test]
fn what_is_wrong_with_which_file_is_said() {
    let authority = authority();
    let (one, other) = (pair(&["a.test"], &authority), pair(&["b.test"], &authority));
    let flaw = |chain: &str, key: &str, authorities: Option<&str>| {
        let made = Acceptor::new(Material {
            chain: chain.as_bytes(),
            key: key.as_bytes(),
            authorities: authorities.map(str::as_bytes),
            oldest: Oldest::Tls13,
        });
        made.map(drop)
    };
    assert_eq!(flaw(&one.chain, &one.key, Some(&authority.pem())), Ok(()));
    let nothing = "has no certificate in PEM form";
    assert_eq!(flaw("", &one.key, None), Err(Flaw::Chain(nothing.into())));
    assert_eq!(
        flaw(&one.chain, &one.key, Some("")),
        Err(Flaw::Authorities(nothing.into()))
    );
    assert!(matches!(flaw(&one.chain, "", None), Err(Flaw::Key(_))));
    assert!(matches!(
        flaw(&one.chain, &one.chain, None),
        Err(Flaw::Key(_))
    ));
    assert_eq!(
        flaw(&one.chain, &other.key, None),
        Err(Flaw::Key("is not the key of the certificate".into()))
    );
    let garbled = one.chain.replace("MII", "AAA");
    assert!(matches!(
        flaw(&garbled, &one.key, None),
        Err(Flaw::Chain(_))
    ));
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let Err(Flaw::Key(words)) = flaw(&one.chain, encrypted, None) else {
        panic!("an encrypted key can't be used");
    };
    assert!(words.contains("encrypted"), "{words}");
}

#[test]
fn the_validity_of_a_certificate_is_known() {
    let mut params = CertificateParams::new(vec!["mx.test".to_owned()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2026, 1, 2);
    let key = KeyPair::generate().expect("a key");
    let chain = params.self_signed(&key).expect("a certificate").pem();
    let own = Pair {
        chain,
        key: key.serialize_pem(),
    };
    let acceptor = Acceptor::new(material(&own, None)).expect("expired is no flaw");
    let day = 86_400_000;
    let Validity { from, until } = acceptor.validity();
    assert_eq!(
        (from.0, until.0),
        (1_767_225_600_000, 1_767_225_600_000 + day)
    );
}
