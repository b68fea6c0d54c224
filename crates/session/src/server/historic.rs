//! The historic mode: what servers of RFC 821 said and did, each quirk by a switch of its own.
//!
//! None of it is on as shipped. RFC 5321 forbids or discourages all of it.

use postroad_reply::{
    Command as Row, EhloGate, LhloGate, NoopGate, RcptReply, Reply, RsetGate, SamlGate, SendGate,
    Situated, Situation, SomlGate, Speaker, TurnGate, VrfyGate,
};
use postroad_wire::command::{DeliveryKind, Verb};
use postroad_wire::peer::Protocol;

use super::settings::{LookupRule, Settings};

macro_rules! quirks {
    ($($(#[doc = $doc:literal])+ $name:ident $word:literal),+ $(,)?) => {
        /// One thing that the historic mode of a listener can have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Quirk {
            $($(#[doc = $doc])+ $name),+
        }

        impl Quirk {
            /// Every quirk.
            pub const ALL: [Quirk; [$(stringify!($name)),+].len()] = [$(Quirk::$name),+];

            /// What settings, the log and metrics call it.
            pub const fn name(self) -> &'static str {
                match self { $(Quirk::$name => $word),+ }
            }
        }
    };
}

quirks! {
    /// SEND: to the terminals of a user (RFC 821 3.4).
    Send "send",
    /// SOML: to the terminals, or to the mailbox (RFC 821 3.4).
    Soml "soml",
    /// SAML: to the terminals and to the mailbox (RFC 821 3.4).
    Saml "saml",
    /// TURN changes the roles (RFC 821 3.8).
    Turn "turn",
    /// RSET is answered with 200 (RFC 876).
    Rset200 "rset-200",
    /// RSET with an argument is answered with 504 (RFC 821 4.3).
    Rset504 "rset-504",
    /// NOOP is answered with 200 (RFC 876).
    Noop200 "noop-200",
    /// VRFY is answered with 502 (RFC 821 4.3).
    Vrfy502 "vrfy-502",
    /// RCPT for a domain that takes no mail is answered with 521 (RFC 1846 3).
    Rcpt521 "rcpt-521",
    /// EHLO is not known: 500 (RFC 821).
    Ehlo500 "ehlo-500",
    /// EHLO is known and not implemented: 502 (RFC 1869 4.5).
    Ehlo502 "ehlo-502",
    /// EHLO is switched off: 550 (RFC 1869 4.4).
    Ehlo550 "ehlo-550",
    /// A listener that takes no mail greets with 220, and says 521 from the first command on (RFC 1846 3).
    Late521 "late-521",
}

impl Quirk {
    /// The quirk whose use a reply shows; none of most.
    pub fn shown_by(situation: &Situation) -> Option<Quirk> {
        let is = |said: &Situation| situation == said;
        let by_a_command = |switched_off: &Situation| {
            // What can't be read, and what was ended, uses nothing.
            let obeyed = matches!(situation.speaker, Speaker::Handler | Speaker::Gate);
            obeyed && situation != switched_off
        };
        let used = |quirk, so| if so { Some(quirk) } else { None };
        match situation.command {
            Row::Send => used(Quirk::Send, by_a_command(SendGate::SwitchedOff.situation())),
            Row::Soml => used(Quirk::Soml, by_a_command(SomlGate::SwitchedOff.situation())),
            Row::Saml => used(Quirk::Saml, by_a_command(SamlGate::SwitchedOff.situation())),
            Row::Turn => used(Quirk::Turn, by_a_command(TurnGate::SwitchedOff.situation())),
            Row::Rset if is(RsetGate::Nonstandard.situation()) => Some(Quirk::Rset200),
            Row::Rset if is(RsetGate::ParameterNotImplemented.situation()) => Some(Quirk::Rset504),
            Row::Noop => used(Quirk::Noop200, is(NoopGate::Nonstandard.situation())),
            Row::Vrfy => used(Quirk::Vrfy502, is(VrfyGate::NotImplemented.situation())),
            Row::Rcpt => {
                let is_521 = is(RcptReply::DomainMaillessHistoric.situation());
                used(Quirk::Rcpt521, is_521)
            }
            Row::Ehlo if is(EhloGate::Unrecognised.situation()) => Some(Quirk::Ehlo500),
            Row::Ehlo if is(EhloGate::NotImplemented.situation()) => Some(Quirk::Ehlo502),
            Row::Ehlo if is(EhloGate::SwitchedOff.situation()) => Some(Quirk::Ehlo550),
            _ => None,
        }
    }
}

/// Which quirks a listener has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Historic(u16);

impl Historic {
    /// These quirks, and no others.
    pub fn of(quirks: impl IntoIterator<Item = Quirk>) -> Historic {
        let bits = quirks.into_iter().map(|quirk| 1 << quirk as u16);
        Historic(bits.fold(0, |all, bit: u16| all | bit))
    }

    /// Whether this is one of them.
    pub fn has(self, quirk: Quirk) -> bool {
        self.0 & (1 << quirk as u16) != 0
    }
}

/// What is said to a greeting that the listener doesn't know.
pub(super) fn greeting(verb: Verb, settings: &Settings) -> Option<Reply> {
    let historic = settings.historic;
    let is_lmtp = settings.protocol == Protocol::Lmtp;
    Some(match verb {
        Verb::Lhlo if !is_lmtp => LhloGate::WrongProtocol.into(),
        // RFC 2033 4.1: LHLO is the only one there.
        Verb::Helo if is_lmtp => postroad_reply::HeloGate::WrongProtocol.into(),
        Verb::Ehlo if is_lmtp => EhloGate::WrongProtocol.into(),
        Verb::Ehlo if historic.has(Quirk::Ehlo500) => EhloGate::Unrecognised.into(),
        Verb::Ehlo if historic.has(Quirk::Ehlo502) => EhloGate::NotImplemented.into(),
        Verb::Ehlo if historic.has(Quirk::Ehlo550) => EhloGate::SwitchedOff.into(),
        _ => return None,
    })
}

/// What is said to the commands of RFC 821 that nobody has any more.
pub(super) fn obsolete(verb: Verb, settings: &Settings) -> Option<Reply> {
    let has = |quirk| settings.historic.has(quirk);
    Some(match verb {
        Verb::Send if !has(Quirk::Send) => SendGate::SwitchedOff.into(),
        Verb::Soml if !has(Quirk::Soml) => SomlGate::SwitchedOff.into(),
        Verb::Saml if !has(Quirk::Saml) => SamlGate::SwitchedOff.into(),
        Verb::Turn if !settings.roles.turn => TurnGate::SwitchedOff.into(),
        Verb::Vrfy if settings.vrfy == LookupRule::NotImplemented || has(Quirk::Vrfy502) => {
            VrfyGate::NotImplemented.into()
        }
        _ => return None,
    })
}

/// To what a message goes whose transaction a command opens.
pub(super) fn delivery(row: Row) -> DeliveryKind {
    match row {
        Row::Send => DeliveryKind::Terminal,
        Row::Soml => DeliveryKind::TerminalElseMailbox,
        Row::Saml => DeliveryKind::TerminalAndMailbox,
        _ => DeliveryKind::Mailbox,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_has_the_quirks_it_was_given() {
        for quirk in Quirk::ALL {
            let only = Historic::of([quirk]);
            let had = Quirk::ALL.into_iter().filter(|other| only.has(*other));
            assert!(had.eq([quirk]));
        }
        let none = Historic::default();
        assert!(!Quirk::ALL.into_iter().any(|quirk| none.has(quirk)));
    }
}
