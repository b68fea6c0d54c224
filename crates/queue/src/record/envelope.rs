//! The record of an [`Envelope`].

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use postroad_clock::UnixMs;
use postroad_message::{Edit, Facts};
use postroad_wire::address::{
    AddressLiteral, Domain, Host, Limits, LocalPart, Mailbox, ReversePath,
};
use postroad_wire::command::DeliveryKind;
use postroad_wire::parameter::{BodyType, EnvId, Notify, OriginalRecipient, Ret};

use super::field::{FieldReader, FieldWriter, flag, must, number, number32, once, text};
use super::{NotARecord, Unknown};
use crate::envelope::{ClientTrace, Envelope, Recipient};

const KIND: u8 = b'E';

/// Tags of the record. A number is never used again for something else.
mod tag {
    pub(super) const RECEIVED_AT: u64 = 1;
    /// Missing: the null sender.
    pub(super) const REVERSE_PATH: u64 = 2;
    pub(super) const BODY_TYPE: u64 = 3;
    pub(super) const SMTPUTF8: u64 = 4;
    pub(super) const RET: u64 = 5;
    pub(super) const ENVID: u64 = 6;
    pub(super) const CLIENT_ADDRESS: u64 = 7;
    pub(super) const CLIENT_HELLO: u64 = 8;
    pub(super) const CLIENT_PROTOCOL: u64 = 9;
    /// Plus 128, so that it isn't below zero.
    pub(super) const PRIORITY: u64 = 10;
    pub(super) const SENDER_KEY: u64 = 11;
    pub(super) const RECIPIENT: u64 = 12;
    pub(super) const TRACE: u64 = 13;
    pub(super) const EDIT: u64 = 14;
    pub(super) const SIZE: u64 = 15;
    pub(super) const EIGHT_BIT_HEADER: u64 = 16;
    pub(super) const EIGHT_BIT_BODY: u64 = 17;
    pub(super) const BINARY: u64 = 18;
    pub(super) const LONGEST_LINE: u64 = 19;
    pub(super) const RECEIVED_COUNT: u64 = 20;
    /// Missing: to the mailbox. 1 by SEND, 2 by SOML, 3 by SAML.
    pub(super) const DELIVERY: u64 = 21;
}

/// Tags within a recipient.
mod recipient_tag {
    pub(super) const TARGET: u64 = 1;
    pub(super) const ORIGIN: u64 = 2;
    pub(super) const ORIGINAL_KIND: u64 = 3;
    pub(super) const ORIGINAL_ADDRESS: u64 = 4;
    /// 0 is NEVER; else 8, and 1 for success, 2 for failure, 4 for delay.
    pub(super) const NOTIFY: u64 = 5;
}

/// Tags within a mailbox.
mod mailbox_tag {
    pub(super) const LOCAL_PART: u64 = 1;
    pub(super) const DOMAIN: u64 = 2;
    pub(super) const ADDRESS: u64 = 3;
}

/// Tags within an edit.
mod edit_tag {
    pub(super) const CHOICE: u64 = 1;
    pub(super) const PLACE: u64 = 2;
    pub(super) const NAME: u64 = 3;
    pub(super) const OCTETS: u64 = 4;
}

/// An address was checked when it was received; the bounds of then need not be those of now.
const ANY_LENGTH: Limits = Limits {
    local_part: usize::MAX,
    domain: usize::MAX,
    path: usize::MAX,
};

pub(super) fn encode(envelope: &Envelope, unknown: &Unknown) -> Vec<u8> {
    let mut out = FieldWriter::roomy();
    out.number(tag::RECEIVED_AT, envelope.received_at.0);
    if let ReversePath::Mailbox(mailbox) = &envelope.reverse_path {
        out.fields(tag::REVERSE_PATH, |out| put_mailbox(out, mailbox));
    }
    let delivery = match envelope.delivery {
        DeliveryKind::Mailbox => None,
        DeliveryKind::Terminal => Some(1),
        DeliveryKind::TerminalElseMailbox => Some(2),
        DeliveryKind::TerminalAndMailbox => Some(3),
    };
    if let Some(delivery) = delivery {
        out.number(tag::DELIVERY, delivery);
    }
    let body_type = match envelope.body_type {
        BodyType::SevenBit => 0,
        BodyType::EightBitMime => 1,
        BodyType::BinaryMime => 2,
    };
    out.number(tag::BODY_TYPE, body_type);
    out.flag(tag::SMTPUTF8, envelope.smtputf8);
    if let Some(ret) = envelope.ret {
        out.number(tag::RET, u64::from(ret == Ret::Headers));
    }
    if let Some(EnvId(envid)) = &envelope.envid {
        out.octets(tag::ENVID, envid.as_bytes());
    }
    put_client(&mut out, &envelope.client);
    // From 0 to 255, so nothing is lost.
    out.number(tag::PRIORITY, (i64::from(envelope.priority) + 128) as u64);
    out.octets(tag::SENDER_KEY, envelope.sender_key.as_bytes());
    for (ix, recipient) in envelope.recipients.iter().enumerate() {
        out.fields(tag::RECIPIENT, |out| {
            put_recipient(out, recipient);
            out.unknown(unknown, Some(ix));
        });
    }
    out.octets(tag::TRACE, &envelope.trace[..]);
    for edit in &envelope.edits {
        out.fields(tag::EDIT, |out| put_edit(out, edit));
    }
    put_facts(&mut out, &envelope.facts);
    out.unknown(unknown, None);
    out.record(KIND)
}

/// The fields read so far.
#[derive(Default)]
struct Parts {
    received_at: Option<UnixMs>,
    reverse_path: Option<Mailbox>,
    delivery: Option<DeliveryKind>,
    body_type: Option<BodyType>,
    smtputf8: Option<bool>,
    ret: Option<Ret>,
    envid: Option<EnvId>,
    client_address: Option<IpAddr>,
    client_hello: Option<String>,
    client_protocol: Option<String>,
    priority: Option<i8>,
    sender_key: Option<String>,
    recipients: Vec<Recipient>,
    trace: Option<Bytes>,
    edits: Vec<Edit>,
    size: Option<u64>,
    eight_bit_header: Option<bool>,
    eight_bit_body: Option<bool>,
    binary: Option<bool>,
    longest_line: Option<u64>,
    received_count: Option<u32>,
    unknown: Unknown,
}

pub(super) fn decode(octets: &[u8]) -> Result<(Envelope, Unknown), NotARecord> {
    let mut reader = FieldReader::of_kind(octets, KIND)?;
    let mut parts = Parts::default();
    while let Some((tag, value)) = reader.next()? {
        parts.take(tag, value)?;
    }
    parts.finish()
}

impl Parts {
    fn take(&mut self, tag: u64, value: &[u8]) -> Result<(), NotARecord> {
        match tag {
            tag::RECEIVED_AT => once(&mut self.received_at, UnixMs(number(value)?)),
            tag::REVERSE_PATH => once(&mut self.reverse_path, take_mailbox(value)?),
            tag::DELIVERY => once(&mut self.delivery, delivery(value)?),
            tag::BODY_TYPE => once(&mut self.body_type, body_type(value)?),
            tag::SMTPUTF8 => once(&mut self.smtputf8, flag(value)?),
            tag::RET => once(&mut self.ret, ret(value)?),
            tag::ENVID => once(&mut self.envid, EnvId(text(value)?)),
            tag::CLIENT_ADDRESS => once(&mut self.client_address, address(value)?),
            tag::CLIENT_HELLO => once(&mut self.client_hello, text(value)?),
            tag::CLIENT_PROTOCOL => once(&mut self.client_protocol, text(value)?),
            tag::PRIORITY => once(&mut self.priority, priority(value)?),
            tag::SENDER_KEY => once(&mut self.sender_key, text(value)?),
            tag::RECIPIENT => {
                let ix = self.recipients.len();
                self.recipients
                    .push(take_recipient(value, ix, &mut self.unknown)?);
                Ok(())
            }
            tag::TRACE => once(&mut self.trace, Bytes::copy_from_slice(value)),
            tag::EDIT => {
                self.edits.push(take_edit(value)?);
                Ok(())
            }
            tag::SIZE => once(&mut self.size, number(value)?),
            tag::EIGHT_BIT_HEADER => once(&mut self.eight_bit_header, flag(value)?),
            tag::EIGHT_BIT_BODY => once(&mut self.eight_bit_body, flag(value)?),
            tag::BINARY => once(&mut self.binary, flag(value)?),
            tag::LONGEST_LINE => once(&mut self.longest_line, number(value)?),
            tag::RECEIVED_COUNT => once(&mut self.received_count, number32(value)?),
            _ => {
                self.unknown.keep(None, tag, value);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<(Envelope, Unknown), NotARecord> {
        let envelope = Envelope {
            received_at: must(self.received_at)?,
            reverse_path: self
                .reverse_path
                .map_or(ReversePath::Null, ReversePath::Mailbox),
            delivery: self.delivery.unwrap_or_default(),
            body_type: must(self.body_type)?,
            smtputf8: self.smtputf8.unwrap_or(false),
            ret: self.ret,
            envid: self.envid,
            client: ClientTrace {
                address: self.client_address,
                hello: must(self.client_hello)?,
                protocol: must(self.client_protocol)?,
            },
            priority: must(self.priority)?,
            sender_key: must(self.sender_key)?,
            recipients: self.recipients,
            trace: must(self.trace)?,
            edits: self.edits,
            facts: Facts {
                size: must(self.size)?,
                eight_bit_header: self.eight_bit_header.unwrap_or(false),
                eight_bit_body: self.eight_bit_body.unwrap_or(false),
                binary: self.binary.unwrap_or(false),
                longest_line: must(self.longest_line)?,
                received_count: must(self.received_count)?,
            },
        };
        Ok((envelope, self.unknown))
    }
}

fn delivery(value: &[u8]) -> Result<DeliveryKind, NotARecord> {
    match number(value)? {
        1 => Ok(DeliveryKind::Terminal),
        2 => Ok(DeliveryKind::TerminalElseMailbox),
        3 => Ok(DeliveryKind::TerminalAndMailbox),
        _ => Err(NotARecord::Newer),
    }
}

fn body_type(value: &[u8]) -> Result<BodyType, NotARecord> {
    match number(value)? {
        0 => Ok(BodyType::SevenBit),
        1 => Ok(BodyType::EightBitMime),
        2 => Ok(BodyType::BinaryMime),
        _ => Err(NotARecord::Newer),
    }
}

fn ret(value: &[u8]) -> Result<Ret, NotARecord> {
    match number(value)? {
        0 => Ok(Ret::Full),
        1 => Ok(Ret::Headers),
        _ => Err(NotARecord::Newer),
    }
}

fn priority(value: &[u8]) -> Result<i8, NotARecord> {
    let shifted = i64::from(number32(value)?);
    i8::try_from(shifted - 128).map_err(|_| NotARecord::Malformed)
}

fn put_client(out: &mut FieldWriter, client: &ClientTrace) {
    match client.address {
        Some(IpAddr::V4(address)) => out.octets(tag::CLIENT_ADDRESS, address.octets()),
        Some(IpAddr::V6(address)) => out.octets(tag::CLIENT_ADDRESS, address.octets()),
        None => {}
    }
    out.octets(tag::CLIENT_HELLO, client.hello.as_bytes());
    out.octets(tag::CLIENT_PROTOCOL, client.protocol.as_bytes());
}

/// An address of four or sixteen octets.
fn address(value: &[u8]) -> Result<IpAddr, NotARecord> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Ok(IpAddr::V4(Ipv4Addr::from(octets)));
    }
    <[u8; 16]>::try_from(value)
        .map(|octets| IpAddr::V6(Ipv6Addr::from(octets)))
        .map_err(|_| NotARecord::Malformed)
}

fn put_facts(out: &mut FieldWriter, facts: &Facts) {
    out.number(tag::SIZE, facts.size);
    out.flag(tag::EIGHT_BIT_HEADER, facts.eight_bit_header);
    out.flag(tag::EIGHT_BIT_BODY, facts.eight_bit_body);
    out.flag(tag::BINARY, facts.binary);
    out.number(tag::LONGEST_LINE, facts.longest_line);
    out.number(tag::RECEIVED_COUNT, u64::from(facts.received_count));
}

fn put_recipient(out: &mut FieldWriter, recipient: &Recipient) {
    out.fields(recipient_tag::TARGET, |out| {
        put_mailbox(out, &recipient.target);
    });
    out.fields(recipient_tag::ORIGIN, |out| {
        put_mailbox(out, &recipient.origin);
    });
    if let Some(original) = &recipient.original {
        out.octets(recipient_tag::ORIGINAL_KIND, original.kind.as_bytes());
        out.octets(recipient_tag::ORIGINAL_ADDRESS, original.address.as_bytes());
    }
    let notify = match recipient.notify {
        None => return,
        Some(Notify::Never) => 0,
        Some(Notify::On {
            success,
            failure,
            delay,
        }) => 8 | u64::from(success) | u64::from(failure) << 1 | u64::from(delay) << 2,
    };
    out.number(recipient_tag::NOTIFY, notify);
}

fn take_recipient(value: &[u8], ix: usize, unknown: &mut Unknown) -> Result<Recipient, NotARecord> {
    let mut reader = FieldReader::new(value);
    let (mut target, mut origin, mut notify) = (None, None, None);
    let (mut original_kind, mut original_address) = (None, None);
    while let Some((tag, value)) = reader.next()? {
        match tag {
            recipient_tag::TARGET => once(&mut target, take_mailbox(value)?)?,
            recipient_tag::ORIGIN => once(&mut origin, take_mailbox(value)?)?,
            recipient_tag::ORIGINAL_KIND => once(&mut original_kind, text(value)?)?,
            recipient_tag::ORIGINAL_ADDRESS => once(&mut original_address, text(value)?)?,
            recipient_tag::NOTIFY => once(&mut notify, take_notify(value)?)?,
            _ => unknown.keep(Some(ix), tag, value),
        }
    }
    Ok(Recipient {
        target: must(target)?,
        origin: must(origin)?,
        original: match (original_kind, original_address) {
            (None, None) => None,
            (Some(kind), Some(address)) => Some(OriginalRecipient { kind, address }),
            _ => return Err(NotARecord::Malformed),
        },
        notify,
    })
}

fn take_notify(value: &[u8]) -> Result<Notify, NotARecord> {
    match number(value)? {
        0 => Ok(Notify::Never),
        bits @ 8..=15 => Ok(Notify::On {
            success: bits & 1 != 0,
            failure: bits & 2 != 0,
            delay: bits & 4 != 0,
        }),
        1..=7 => Err(NotARecord::Malformed),
        _ => Err(NotARecord::Newer),
    }
}

fn put_mailbox(out: &mut FieldWriter, mailbox: &Mailbox) {
    out.octets(mailbox_tag::LOCAL_PART, mailbox.local.as_str().as_bytes());
    match &mailbox.host {
        Host::Domain(domain) => out.octets(mailbox_tag::DOMAIN, domain.as_str().as_bytes()),
        Host::Literal(AddressLiteral::V4(address)) => {
            out.octets(mailbox_tag::ADDRESS, address.octets());
        }
        Host::Literal(AddressLiteral::V6(address)) => {
            out.octets(mailbox_tag::ADDRESS, address.octets());
        }
    }
}

fn take_mailbox(value: &[u8]) -> Result<Mailbox, NotARecord> {
    let mut reader = FieldReader::new(value);
    let (mut local, mut domain, mut literal) = (None, None, None);
    while let Some((tag, value)) = reader.next()? {
        match tag {
            mailbox_tag::LOCAL_PART => once(&mut local, local_part(value)?)?,
            mailbox_tag::DOMAIN => once(&mut domain, domain_name(value)?)?,
            mailbox_tag::ADDRESS => once(&mut literal, address(value)?)?,
            _ => return Err(NotARecord::Newer),
        }
    }
    let host = match (domain, literal) {
        (Some(domain), None) => Host::Domain(domain),
        (None, Some(IpAddr::V4(address))) => Host::Literal(AddressLiteral::V4(address)),
        (None, Some(IpAddr::V6(address))) => Host::Literal(AddressLiteral::V6(address)),
        _ => return Err(NotARecord::Malformed),
    };
    Ok(Mailbox {
        local: must(local)?,
        host,
    })
}

fn local_part(value: &[u8]) -> Result<LocalPart, NotARecord> {
    LocalPart::from_unquoted(&text(value)?, &ANY_LENGTH).map_err(|_| NotARecord::Malformed)
}

fn domain_name(value: &[u8]) -> Result<Domain, NotARecord> {
    Domain::parse(&text(value)?, &ANY_LENGTH).map_err(|_| NotARecord::Malformed)
}

fn put_edit(out: &mut FieldWriter, edit: &Edit) {
    let (choice, place, name, octets) = match edit {
        Edit::AddField { index, name, value } => (0, Some(index), Some(name), Some(value)),
        Edit::ChangeField {
            name,
            occurrence,
            value,
        } => (1, Some(occurrence), Some(name), Some(value)),
        Edit::RemoveField { name, occurrence } => (2, Some(occurrence), Some(name), None),
        Edit::ReplaceBody { body } => (3, None, None, Some(body)),
    };
    out.number(edit_tag::CHOICE, choice);
    if let Some(place) = place {
        out.number(edit_tag::PLACE, u64::from(*place));
    }
    if let Some(name) = name {
        out.octets(edit_tag::NAME, name.as_bytes());
    }
    if let Some(octets) = octets {
        out.octets(edit_tag::OCTETS, &octets[..]);
    }
}

fn take_edit(value: &[u8]) -> Result<Edit, NotARecord> {
    let mut reader = FieldReader::new(value);
    let (mut choice, mut place, mut name, mut octets) = (None, None, None, None);
    while let Some((tag, value)) = reader.next()? {
        match tag {
            edit_tag::CHOICE => once(&mut choice, number(value)?)?,
            edit_tag::PLACE => once(&mut place, number32(value)?)?,
            edit_tag::NAME => once(&mut name, text(value)?)?,
            edit_tag::OCTETS => once(&mut octets, value.to_vec())?,
            _ => return Err(NotARecord::Newer),
        }
    }
    match (must(choice)?, place, name, octets) {
        (0, Some(index), Some(name), Some(value)) => Ok(Edit::AddField { index, name, value }),
        (1, Some(occurrence), Some(name), Some(value)) => Ok(Edit::ChangeField {
            name,
            occurrence,
            value,
        }),
        (2, Some(occurrence), Some(name), None) => Ok(Edit::RemoveField { name, occurrence }),
        (3, None, None, Some(body)) => Ok(Edit::ReplaceBody { body }),
        (0..=3, ..) => Err(NotARecord::Malformed),
        _ => Err(NotARecord::Newer),
    }
}
