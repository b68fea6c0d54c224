//! The client's half against servers that say anything at any time.

use bytes::{Bytes, BytesMut};
use postroad_clock::Mono;
use postroad_reply::Severity;
use postroad_session::client::{ClientSession, Event, Finish, Timeouts};
use postroad_wire::address::{HeloName, Limits};
use postroad_wire::peer::Protocol;
use proptest::prelude::*;

use crate::outgoing;

const RECIPIENTS: usize = 3;

/// What a client was told of one message.
#[derive(Debug, Default)]
struct Told {
    accepted: [bool; RECIPIENTS],
    recipients: [usize; RECIPIENTS],
    deliveries: [usize; RECIPIENTS],
    finished: usize,
    ended: bool,
}

struct World {
    client: ClientSession,
    protocol: Protocol,
    messages: usize,
    begun: usize,
    told: Told,
    closed: usize,
    sent: BytesMut,
}

impl World {
    fn new(protocol: Protocol, messages: usize) -> World {
        let name = HeloName::parse("client.example", &Limits::default()).unwrap();
        World {
            client: ClientSession::new(protocol, name, Timeouts::default(), Mono(0)),
            protocol,
            messages,
            begun: 0,
            told: Told::default(),
            closed: 0,
            sent: BytesMut::new(),
        }
    }

    /// Does what a driver does, and checks what it is told.
    fn drive(&mut self) {
        loop {
            let mut moved = false;
            while let Some(event) = self.client.poll_event() {
                moved = true;
                self.take(event);
            }
            if self.client.wants_body() {
                moved = true;
                self.client.end_body(b"x\r\n", Mono(0));
                self.told.ended = true;
            }
            moved |= self.client.poll_transmit(&mut self.sent);
            if !moved {
                return;
            }
        }
    }

    fn take(&mut self, event: Event) {
        assert_eq!(self.closed, 0, "nothing follows the end: {event:?}");
        match event {
            // What ended the session came with what made it ready.
            Event::Ready(_) if self.client.is_closed() => {}
            Event::Ready(_) if self.begun == self.messages => self.client.quit(Mono(0)),
            Event::Ready(_) => {
                assert!(self.begun == 0 || self.told.finished == 1);
                self.begun += 1;
                self.told = Told::default();
                self.client.begin(outgoing(RECIPIENTS), Mono(0)).unwrap();
            }
            Event::Recipient { index, reply } => {
                self.told.recipients[index] += 1;
                self.told.accepted[index] = reply.severity() == Severity::Completed;
                assert_ne!(reply.severity(), Severity::Intermediate);
            }
            Event::Delivery { index, reply } => {
                assert_eq!(self.protocol, Protocol::Lmtp);
                assert!(self.told.accepted[index] && self.told.ended);
                assert_ne!(reply.severity(), Severity::Intermediate);
                self.told.deliveries[index] += 1;
            }
            Event::WantsBody => assert!(self.told.accepted.contains(&true)),
            Event::Finished(finish) => self.finish(&finish),
            Event::Closed(_) => self.closed += 1,
        }
        let told = &self.told;
        assert!(
            told.recipients
                .iter()
                .chain(&told.deliveries)
                .all(|times| *times <= 1)
        );
    }

    fn finish(&mut self, finish: &Finish) {
        self.told.finished += 1;
        assert_eq!(self.told.finished, 1);
        match finish {
            // All of the message was sent, and somebody was to get it.
            Finish::Answered(reply) => {
                assert!(self.told.ended && self.told.accepted.contains(&true));
                assert_ne!(reply.severity(), Severity::Intermediate);
                assert_eq!(self.protocol, Protocol::Smtp);
            }
            Finish::AnsweredEach => {
                let each = self.told.deliveries.map(|times| times == 1);
                assert_eq!(each, self.told.accepted);
            }
            Finish::Refused { reply, .. } => {
                assert!(matches!(
                    reply.severity(),
                    Severity::Transient | Severity::Permanent
                ));
            }
            Finish::NoRecipients => assert!(!self.told.accepted.contains(&true)),
            Finish::Broken => {}
        }
    }
}

/// Mostly what a server says, sometimes anything.
fn reply() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just("250 ok\r\n".to_owned()),
        2 => Just("354 go\r\n".to_owned()),
        2 => Just("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n".to_owned()),
        2 => Just("250-mx\r\n250 PIPELINING\r\n".to_owned()),
        2 => Just("550 5.1.1 no\r\n".to_owned()),
        1 => Just("421 bye\r\n".to_owned()),
        1 => Just("250-a\r\n550 b\r\n".to_owned()),
        2 => (200u16..600).prop_map(|code| format!("{code} what\r\n")),
        1 => "\\PC{0,9}\r\n",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn whatever_a_server_says_each_message_is_finished_once(
        lmtp: bool,
        messages in 1usize..4,
        replies in proptest::collection::vec(reply(), 0..40),
        at_once: bool,
    ) {
        let protocol = if lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        let mut world = World::new(protocol, messages);
        world.client.handle_input(Bytes::from_static(b"220 mx\r\n"), Mono(0));
        world.drive();
        for reply in replies {
            world.client.handle_input(Bytes::from(reply.into_bytes()), Mono(0));
            if !at_once {
                world.drive();
            }
        }
        world.drive();
        world.client.handle_eof();
        world.drive();
        prop_assert_eq!(world.closed, 1);
        prop_assert_eq!(world.told.finished, usize::from(world.begun > 0));
    }
}
