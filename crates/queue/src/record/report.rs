//! The record of a [`Report`], a part of others.

use alloc::format;
use alloc::string::String;
use core::net::SocketAddr;

use postroad_reply::Enhanced;

use super::NotARecord;
use super::field::{FieldReader, FieldWriter, once, text};
use crate::report::{Peer, Report};

/// Tags within a report.
mod tag {
    pub(super) const STATUS: u64 = 1;
    pub(super) const PEER_NAME: u64 = 2;
    /// As text, `192.0.2.1:25` or `[2001:db8::1]:25`.
    pub(super) const PEER_ADDRESS: u64 = 3;
    pub(super) const REPLY: u64 = 4;
    pub(super) const WORDS: u64 = 5;
}

pub(super) fn put(out: &mut FieldWriter, report: &Report) {
    if let Some(status) = report.status() {
        out.octets(tag::STATUS, format!("{status}"));
    }
    if let Some(peer) = report.peer() {
        out.octets(tag::PEER_NAME, peer.name());
        if let Some(address) = peer.address() {
            out.octets(tag::PEER_ADDRESS, format!("{address}"));
        }
    }
    if let Some(reply) = report.reply() {
        out.octets(tag::REPLY, reply);
    }
    if !report.words().is_empty() {
        out.octets(tag::WORDS, report.words());
    }
}

/// What a later version adds to a report is passed over: it changes nothing of what is owed.
pub(super) fn take(value: &[u8]) -> Result<Report, NotARecord> {
    let mut reader = FieldReader::new(value);
    let (mut status, mut name, mut address) = (None, None, None);
    let (mut reply, mut words) = (None, None);
    while let Some((tag, value)) = reader.next()? {
        match tag {
            tag::STATUS => once(&mut status, Enhanced::parse(&text(value)?))?,
            tag::PEER_NAME => once(&mut name, text(value)?)?,
            tag::PEER_ADDRESS => once(&mut address, self::address(value)?)?,
            tag::REPLY => once(&mut reply, text(value)?)?,
            tag::WORDS => once(&mut words, text(value)?)?,
            _ => {}
        }
    }
    let words: String = words.unwrap_or_default();
    let mut report = Report::plain(&words);
    if let Some(status) = status {
        report = report.with_status(status.ok_or(NotARecord::Malformed)?);
    }
    match (name, address) {
        (Some(name), address) => report = report.with_peer(Peer::new(&name, address)),
        (None, Some(_)) => return Err(NotARecord::Malformed),
        (None, None) => {}
    }
    if let Some(reply) = reply {
        report = report.with_reply(&reply);
    }
    Ok(report)
}

fn address(value: &[u8]) -> Result<SocketAddr, NotARecord> {
    text(value)?.parse().map_err(|_| NotARecord::Malformed)
}
