//! The rows a driver is asked about.

use postroad_reply::{
    Answer, Atrn, AtrnReply, Auth, AuthReply, Bdat, BdatReply, Connect, ConnectReply, Data,
    DataReply, Ehlo, EhloReply, EndOfData, EndOfDataReply, Etrn, EtrnReply, Expn, ExpnReply, Helo,
    HeloReply, Help, HelpReply, Lhlo, LhloReply, Mail, MailReply, Rcpt, RcptReply, Row, Saml,
    SamlReply, Send, SendReply, Soml, SomlReply, Starttls, StarttlsReply, Turn, TurnReply, Vrfy,
    VrfyReply,
};

/// A row a driver is asked about: those of the [`Ticket`](super::Ticket)s that
/// [`Event`](super::Event) has.
pub trait Question: Row {
    /// Wraps an answer for the session.
    #[doc(hidden)]
    fn given(answer: Answer<Self::Reply>) -> Given;
}

/// An answer to any question. Only a session can look into it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Given(pub(super) Answered);

macro_rules! questions {
    ($($row:ident: $reply:ident),+ $(,)?) => {
        /// An answer, by its row.
        #[derive(Debug)]
        pub(super) enum Answered {
            $($row(Answer<$reply>)),+
        }

        $(
            impl Question for $row {
                fn given(answer: Answer<$reply>) -> Given {
                    Given(Answered::$row(answer))
                }
            }

            impl From<$reply> for Answered {
                fn from(reply: $reply) -> Answered {
                    Answered::$row(reply.into())
                }
            }
        )+
    };
}

questions! {
    Connect: ConnectReply,
    Helo: HeloReply,
    Ehlo: EhloReply,
    Lhlo: LhloReply,
    Mail: MailReply,
    Send: SendReply,
    Soml: SomlReply,
    Saml: SamlReply,
    Rcpt: RcptReply,
    Data: DataReply,
    Bdat: BdatReply,
    EndOfData: EndOfDataReply,
    Vrfy: VrfyReply,
    Expn: ExpnReply,
    Help: HelpReply,
    Starttls: StarttlsReply,
    Auth: AuthReply,
    Etrn: EtrnReply,
    Atrn: AtrnReply,
    Turn: TurnReply,
}
