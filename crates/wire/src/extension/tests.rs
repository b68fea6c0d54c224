use proptest::prelude::*;

use super::*;
use crate::sasl::Mechanism;

#[test]
fn what_is_offered_is_listed_a_keyword_a_line() {
    let offered = Extensions {
        pipelining: true,
        size: Some(Size::Maximum(26_214_400)),
        eight_bit_mime: true,
        chunking: true,
        smtputf8: true,
        enhanced_status_codes: true,
        help: true,
        limits: Some(TransactionLimits {
            mail_max: Some(100),
            rcpt_max: Some(1000),
            rcpt_domain_max: None,
        }),
        ..Extensions::default()
    };
    assert_eq!(
        offered.keywords(),
        [
            "PIPELINING",
            "8BITMIME",
            "CHUNKING",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
            "HELP",
            "SIZE 26214400",
            "LIMITS MAILMAX=100 RCPTMAX=1000",
        ]
    );
    assert_eq!(Extensions::default().keywords(), [""; 0]);
}

#[test]
fn a_limit_that_six_digits_cannot_say_is_not_told() {
    let limits = |rcpt_max| {
        Extensions {
            limits: Some(TransactionLimits {
                rcpt_max: Some(rcpt_max),
                ..TransactionLimits::default()
            }),
            ..Extensions::default()
        }
        .keywords()
    };
    assert_eq!(limits(999_999), ["LIMITS RCPTMAX=999999"]);
    assert_eq!(limits(1_000_000), [""; 0]);
    assert_eq!(limits(0), [""; 0]);
}

#[test]
fn a_client_takes_what_it_knows_in_any_case() {
    let read = Extensions::read([
        "size",
        "Pipelining",
        "XCLIENT NAME ADDR",
        "AUTH plain CRAM-MD5",
        "",
        "8bitmime ",
        "limits RCPTMAX=10 NEWMAX=1 BARE mailmax=x RCPTDOMAINMAX=0",
    ]);
    assert_eq!(
        read,
        Extensions {
            pipelining: true,
            size: Some(Size::Untold),
            eight_bit_mime: true,
            auth: Some(Mechanisms::those(|m| m == Mechanism::Plain)),
            limits: Some(TransactionLimits {
                rcpt_max: Some(10),
                ..TransactionLimits::default()
            }),
            ..Extensions::default()
        }
    );
    let size = |line| Extensions::read([line]).size;
    assert_eq!(size("SIZE 0"), Some(Size::Untold));
    assert_eq!(size("SIZE 1000"), Some(Size::Maximum(1000)));
    assert_eq!(size("SIZE lots"), Some(Size::Untold));
}

proptest! {
    #[test]
    fn any_list_reads_back(
        on in any::<[bool; 13]>(),
        [send, soml, saml] in any::<[bool; 3]>(),
        size in prop::option::of(prop_oneof![
            Just(Size::Untold),
            (1..u64::MAX).prop_map(Size::Maximum),
        ]),
        rcpt_max in prop::option::of(1..1_000_000u32),
        auth in prop::option::of(any::<[bool; 3]>()),
    ) {
        let [pipelining, eight_bit_mime, chunking, binary_mime, smtputf8, codes, dsn, starttls, etrn, atrn, help, vrfy, expn] = on;
        let offered = Extensions {
            pipelining,
            size,
            eight_bit_mime,
            chunking,
            binary_mime,
            smtputf8,
            enhanced_status_codes: codes,
            dsn,
            starttls,
            auth: auth.map(|on| Mechanisms::those(|mechanism| on[mechanism as usize])),
            etrn,
            atrn,
            help,
            vrfy,
            expn,
            send,
            soml,
            saml,
            limits: rcpt_max.map(|rcpt_max| TransactionLimits {
                rcpt_max: Some(rcpt_max),
                ..TransactionLimits::default()
            }),
        };
        let lines = offered.keywords();
        prop_assert_eq!(Extensions::read(lines.iter().map(String::as_str)), offered);
    }
}
