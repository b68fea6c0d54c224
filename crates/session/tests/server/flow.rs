//! Conversations as they should go.

use crate::driver::{Driver, settings};

#[test]
fn a_message_is_taken() {
    let mut driver = Driver::connected(settings());
    let greeting = driver.say("EHLO client.example\r\n");
    assert_eq!(
        greeting.lines().collect::<Vec<_>>(),
        [
            "250-mx.example Requested mail action okay, completed",
            "250-PIPELINING",
            "250-8BITMIME",
            "250-CHUNKING",
            "250-SMTPUTF8",
            "250-ENHANCEDSTATUSCODES",
            "250-HELP",
            "250-SIZE 52428800",
            "250 LIMITS MAILMAX=1000 RCPTMAX=1000",
        ]
    );
    assert_eq!(
        driver.say("MAIL FROM:<a@client.example>\r\n"),
        "250 2.1.0 Requested mail action okay, completed\r\n"
    );
    assert_eq!(
        driver.say("RCPT TO:<b@mx.example>\r\n"),
        "250 2.1.5 Requested mail action okay, completed\r\n"
    );
    assert_eq!(
        driver.say("DATA\r\n"),
        "354 Start mail input; end with <CRLF>.<CRLF>\r\n"
    );
    assert_eq!(driver.say("Subject: x\r\n\r\n..dot\r\n"), "");
    assert_eq!(
        driver.say(".\r\n"),
        "250 2.0.0 Requested mail action okay, completed, queued as 000000000001A\r\n"
    );
    assert_eq!(
        driver.say("QUIT\r\n"),
        "221 2.0.0 mx.example Service closing transmission channel\r\n"
    );
    assert_eq!(driver.log.accepted, [b"Subject: x\r\n\r\n.dot\r\n"]);
    assert!(driver.is_closed());
}
