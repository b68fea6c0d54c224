//! How long commands, message data and replies take on the wire (docs/benchmarks.md, The parts).

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use postroad_reply::{MailReply, Reply};
use postroad_wire::address::Limits;
use postroad_wire::command::{Grammar, Verb};
use postroad_wire::data::{BareLineEnds, DataReader, DataWriter};
use postroad_wire::extension::Extensions;
use postroad_wire::line::{LineLimits, LineReader};
use postroad_wire::reply::ReplyWriter;

fn commands(criterion: &mut Criterion) {
    let extensions = Extensions {
        eight_bit_mime: true,
        dsn: true,
        ..Extensions::default()
    };
    let limits = LineLimits::new(1024, &extensions);
    let grammar = Grammar {
        limits: Limits::default(),
        extensions,
    };
    let lines = [
        (
            "MAIL",
            "MAIL FROM:<sender@client.example> BODY=8BITMIME\r\n",
        ),
        ("RCPT", "RCPT TO:<ada@mx.example> NOTIFY=FAILURE,DELAY\r\n"),
        ("DATA", "DATA\r\n"),
    ];
    let mut group = criterion.benchmark_group("command");
    for (name, line) in lines {
        let line = Bytes::from_static(line.as_bytes());
        group.bench_function(name, |bencher| {
            let mut reader = LineReader::new(limits);
            bencher.iter(|| {
                let mut input = black_box(line.clone());
                let line = reader.read(&mut input).and_then(Result::ok);
                let line = line.unwrap_or_default();
                Verb::of(&line).map(|(verb, rest)| verb.parse(rest, &grammar).is_ok())
            });
        });
    }
}

/// A message in lines of 72 octets, as it is sent: with its dots doubled and the end of data behind it.
fn sent(size: usize) -> Bytes {
    let line = "A line as long as those of most letters are, and nobody will read it.\r\n";
    let message = line.repeat(size / line.len());
    let (mut writer, mut out) = (DataWriter::new(), BytesMut::new());
    writer.write(message.as_bytes(), &mut out);
    writer.finish(&mut out);
    out.freeze()
}

fn data(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("data");
    for (name, size) in [("4 KiB", 4 << 10), ("64 KiB", 64 << 10)] {
        let octets = sent(size);
        group.throughput(Throughput::Bytes(octets.len() as u64));
        group.bench_function(format!("read {name}"), |bencher| {
            bencher.iter(|| {
                let mut reader = DataReader::new(u64::MAX, BareLineEnds::Keep);
                let mut input = black_box(octets.clone());
                let mut pieces = 0;
                while reader.read(&mut input).is_some() && !input.is_empty() {
                    pieces += 1;
                }
                pieces
            });
        });
        group.bench_function(format!("write {name}"), |bencher| {
            let mut out = BytesMut::with_capacity(2 * size);
            bencher.iter(|| {
                out.clear();
                let mut writer = DataWriter::new();
                writer.write(black_box(&octets), &mut out);
                writer.finish(&mut out);
                out.len()
            });
        });
    }
}

fn replies(criterion: &mut Criterion) {
    let writer = ReplyWriter {
        domain: "mx.example",
        enhanced: true,
    };
    let reply = Reply::from(MailReply::Accepted);
    criterion.bench_function("reply/250 2.1.0", |bencher| {
        let mut out = BytesMut::with_capacity(512);
        bencher.iter(|| {
            out.clear();
            writer.write(black_box(&reply), &mut out);
            out.len()
        });
    });
}

criterion_group!(parts, commands, data, replies);
criterion_main!(parts);
