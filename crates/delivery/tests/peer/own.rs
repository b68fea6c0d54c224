//! Against this project's own server half, with each set of extensions.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use postroad_host::clock::{Clock, RealClock};
use postroad_queue::Envelope;
use postroad_reply::{
    BdatReply, ConnectReply, DataReply, EhloReply, EndOfDataReply, HeloReply, MailReply, QueueId,
    RcptReply, Receipt,
};
use postroad_session::server::{Event, Offered, ServerSession, SessionId, Settings};
use postroad_wire::address::{Domain, Limits};
use postroad_wire::parameter::{BodyType, MailParameters};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{TRACE, carry, client, envelope, impatient, outcomes, run, thought};

/// What the server took.
#[derive(Debug, Default, Clone)]
struct Taken {
    connections: usize,
    messages: Vec<Message>,
}

#[derive(Debug, Default, Clone)]
struct Message {
    parameters: MailParameters,
    recipients: Vec<String>,
    octets: Vec<u8>,
}

/// A server that knows nobody whose name begins with `no`, and takes everything else.
async fn serve(offered: Offered) -> (SocketAddr, Arc<Mutex<Taken>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Arc::new(Mutex::new(Taken::default()));
    let mut settings = Settings::new(Domain::parse("mx.example", &Limits::default()).unwrap());
    settings.offered = offered;
    let (settings, log) = (Arc::new(settings), Arc::clone(&taken));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            log.lock().unwrap().connections += 1;
            let server = ServerSession::new(Arc::clone(&settings), SessionId(1), RealClock.mono());
            tokio::spawn(converse(stream, server, Arc::clone(&log)));
        }
    });
    (address, taken)
}

async fn converse(mut stream: TcpStream, mut server: ServerSession, log: Arc<Mutex<Taken>>) {
    let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
    let mut message = Message::default();
    loop {
        while let Some(event) = server.poll_event() {
            if let Event::Closed(_) = event {
                server.poll_transmit(&mut out);
                let _ = stream.write_all(&out).await;
                return;
            }
            answer(&mut server, event, &mut message, &log);
        }
        server.poll_transmit(&mut out);
        if !out.is_empty() && stream.write_all(&out.split()).await.is_err() {
            return;
        }
        let octets = Bytes::copy_from_slice(&input);
        let progress = server.handle_input(octets, RealClock.mono());
        let _ = input.split_to(progress.consumed);
        if progress.consumed == 0 && stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
            server.handle_eof(RealClock.mono());
        }
    }
}

fn answer(server: &mut ServerSession, event: Event, message: &mut Message, log: &Mutex<Taken>) {
    let now = RealClock.mono();
    match event {
        Event::Connected { ticket } => server.answer(ticket, ConnectReply::Ready, now),
        Event::Ehlo { ticket, .. } => server.answer(ticket, EhloReply::Greeted, now),
        Event::Helo { ticket, .. } => server.answer(ticket, HeloReply::Greeted, now),
        Event::Mail {
            ticket, parameters, ..
        } => {
            *message = Message {
                parameters,
                ..Message::default()
            };
            server.answer(ticket, MailReply::Accepted, now);
        }
        Event::Recipients(recipients) => {
            for recipient in recipients {
                let written = format!("{}{}", recipient.forward_path, recipient.parameters);
                let reply = match written.starts_with("<no") {
                    true => RcptReply::MailboxUnknown,
                    false => {
                        message.recipients.push(written);
                        RcptReply::Accepted
                    }
                };
                server.answer(recipient.ticket, reply, now);
            }
        }
        Event::DataBegin { ticket, .. } => server.answer(ticket, DataReply::GoAhead, now),
        Event::Octets(octets) => message.octets.extend_from_slice(&octets),
        Event::ChunkEnd { ticket } => server.answer(ticket, BdatReply::ChunkTaken, now),
        Event::EndOfData {
            ticket,
            transaction,
            ..
        } => {
            log.lock().unwrap().messages.push(std::mem::take(message));
            let receipt = Receipt::mint(transaction, QueueId(9));
            server.answer(ticket, EndOfDataReply::Accepted(receipt), now);
        }
        Event::Replied { .. } | Event::Abandoned(_) => {}
        other => panic!("not asked by this client: {other:?}"),
    }
}

fn every_offer() -> impl Iterator<Item = Offered> {
    (0..64u8).map(|bits| Offered {
        pipelining: bits & 1 != 0,
        chunking: bits & 2 != 0,
        eight_bit_mime: bits & 4 != 0,
        smtputf8: bits & 8 != 0,
        dsn: bits & 16 != 0,
        binary_mime: bits & 32 != 0,
    })
}

#[test]
fn whatever_is_offered_the_message_arrives_once_and_whole() {
    run(async {
        let small = "Subject: x\r\n\r\n.one\r\n..two\r\n".to_owned();
        let large = format!("{small}{}", ".a line of a large message\r\n".repeat(6_000));
        for offered in every_offer() {
            let (address, taken) = serve(offered).await;
            let (peers, to) = (client(impatient()), format!("smtp://{address}"));
            for octets in [&small, &large, &small] {
                let recipients = ["b@mx.example", "no@mx.example", "c@mx.example"];
                let envelope = envelope(octets.as_bytes(), &recipients);
                let carried = carry(&peers, &to, envelope, octets.as_bytes()).await;
                let ours = if offered.dsn { "PassedOn" } else { "Relayed" };
                let expected = [
                    format!("{ours} 2.0.0 250"),
                    "failed 5.1.1 550".to_owned(),
                    format!("{ours} 2.0.0 250"),
                ];
                assert_eq!(outcomes(&carried), expected, "{offered:?}");
                assert_eq!(thought(&carried), "worked");
            }
            peers.drain().await;
            let taken = taken.lock().unwrap().clone();
            assert_eq!(taken.connections, 1);
            assert_eq!(taken.messages.len(), 3);
            for (message, octets) in taken.messages.iter().zip([&small, &large, &small]) {
                assert!(
                    message.octets == format!("{TRACE}{octets}").into_bytes(),
                    "{offered:?}"
                );
                assert_eq!(message.recipients, ["<b@mx.example>", "<c@mx.example>"]);
                let size = u64::try_from(message.octets.len()).unwrap();
                assert_eq!(message.parameters.size, Some(size));
                assert!(!message.parameters.smtputf8);
            }
        }
    });
}

#[test]
fn what_is_binary_arrives_as_it_is_or_not_at_all() {
    run(async {
        let octets: &[u8] = b"A: b\r\n\r\n\n.\n\r\n.\r\n..\r\0\xff\r";
        let large = [octets, &[0, b'\r', b'\n', b'\n', b'.'].repeat(60_000)].concat();
        for offered in every_offer() {
            let (address, taken) = serve(offered).await;
            let (peers, to) = (client(impatient()), format!("smtp://{address}"));
            let declared = |octets: &[u8]| Envelope {
                body_type: BodyType::BinaryMime,
                ..envelope(octets, &["b@mx.example"])
            };
            let can = offered.binary_mime && offered.chunking;
            // The last could go as text, but was declared to be binary.
            let all = [octets, &large, b"A: b\r\n\r\ntext\r\n"];
            for octets in all {
                let carried = carry(&peers, &to, declared(octets), octets).await;
                let [outcome] = outcomes(&carried).try_into().expect("one recipient");
                match can {
                    true => assert!(outcome.ends_with(" 2.0.0 250"), "{outcome}, {offered:?}"),
                    false => assert!(
                        outcome.starts_with("failed 5.6.3 "),
                        "{outcome}, {offered:?}"
                    ),
                }
            }
            peers.drain().await;
            let messages = taken.lock().unwrap().messages.clone();
            let expected: &[&[u8]] = if can { &all } else { &[] };
            assert_eq!(messages.len(), expected.len(), "{offered:?}");
            for (message, octets) in messages.iter().zip(expected) {
                assert!(message.octets == [TRACE.as_bytes(), octets].concat());
                assert_eq!(message.parameters.body, BodyType::BinaryMime);
            }
        }
    });
}

#[test]
fn many_messages_at_a_time_arrive_once_each() {
    run(async {
        let (address, taken) = serve(Offered {
            pipelining: true,
            ..Offered::default()
        })
        .await;
        let peers = client(impatient());
        let to = format!("smtp://{address}");
        let one = |n: usize| {
            let (peers, to) = (&peers, &to);
            async move {
                let octets = format!("Subject: {n}\r\n\r\n{n}\r\n");
                let envelope = envelope(octets.as_bytes(), &["b@mx.example"]);
                let carried = carry(peers, to, envelope, octets.as_bytes()).await;
                assert_eq!(outcomes(&carried), ["PassedOn 2.0.0 250"]);
            }
        };
        for round in 0..10 {
            futures_util::future::join_all((0..20).map(|n| one(round * 20 + n))).await;
        }
        peers.drain().await;
        let taken = taken.lock().unwrap().clone();
        let mut messages: Vec<_> = taken.messages.into_iter().map(|m| m.octets).collect();
        messages.sort();
        messages.dedup();
        assert_eq!(messages.len(), 200);
        assert!(
            taken.connections <= 20,
            "they were used again: {}",
            taken.connections
        );
    });
}
