//! What must hold between the settings of TLS and AUTH.

use crate::Config;
use crate::read::Reader;
use crate::settings::Listener;
use crate::value::{AuthMechanism, ListenerAuth, ListenerTls};

/// Checks all of it.
pub(super) fn all(config: &Config, reader: &mut Reader) {
    certificate_with_key(config, reader);
    if reader.has("auth.mechanisms") && config.auth.mechanisms.is_empty() {
        let advice = "name one, or switch AUTH off on the listeners";
        reader.wrong_key(
            "auth.mechanisms",
            "is empty, so that nobody could log in",
            advice,
        );
    }
    if reader.has(&format!("listener[{}]", config.listener.len())) {
        return; // One could not be read, so the others' places in the list are not the file's.
    }
    for (index, listener) in config.listener.iter().enumerate() {
        let key = |setting: &str| format!("listener[{index}].{setting}");
        if listener.tls.is_some_and(|tls| tls != ListenerTls::Off)
            && config.tls.certificate.is_none()
            && !reader.is_wrong("tls.certificate")
        {
            let advice =
                "set `certificate` and `key` in [tls]; docs/submission.md says how to get them";
            reader.wrong_key(
                &key("tls"),
                "needs a certificate, and there is none",
                advice,
            );
        }
        if listener.auth != ListenerAuth::Off
            && config.auth.passwords.is_none()
            && !reader.is_wrong("auth.passwords")
        {
            let advice = "set `passwords` in [auth], and put users there with `postroad user set`";
            reader.wrong_key(&key("auth"), "needs users, and there are none", advice);
        }
        if listener.clear_passwords && !listener.address.ip().to_canonical().is_loopback() {
            let what = "is for loopback addresses: everybody between could read the passwords";
            reader.wrong_key(&key("clear_passwords"), what, "set `tls`, or take it out");
        }
        if nobody_could_log_in(config, listener) {
            let what = "has no mechanism: all that are offered send the password, which takes TLS";
            let advice = "set `tls` beside it, or offer SCRAM-SHA-256 in auth.mechanisms";
            reader.wrong_key(&key("auth"), what, advice);
        }
    }
}

fn certificate_with_key(config: &Config, reader: &mut Reader) {
    let tls = &config.tls;
    let is_wrong = reader.is_wrong("tls.certificate") || reader.is_wrong("tls.key");
    let (there, missing) = match (&tls.certificate, &tls.key) {
        (Some(_), None) => ("tls.certificate", "`key`, the file of its private key"),
        (None, Some(_)) => ("tls.key", "`certificate`, the file of its certificate"),
        _ if tls.client_authorities.is_some() && tls.certificate.is_none() => {
            ("tls.client_authorities", "`certificate` and `key`")
        }
        _ => return,
    };
    if !is_wrong {
        let advice = format!("set {missing}, beside it");
        reader.wrong_key(there, "stands alone", &advice);
    }
}

fn nobody_could_log_in(config: &Config, listener: &Listener) -> bool {
    let has_tls = match listener.tls {
        Some(tls) => tls != ListenerTls::Off,
        None => config.tls.certificate.is_some(),
    };
    let scram = config.auth.mechanisms.contains(&AuthMechanism::ScramSha256);
    let by_something = has_tls || listener.clear_passwords || scram;
    listener.auth != ListenerAuth::Off && !by_something && !config.auth.mechanisms.is_empty()
}
