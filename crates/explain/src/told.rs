//! All there is to say of one situation.

use postroad_reply::Situation;
use serde::Serialize;

use crate::advice::{self, Advice};
use crate::specification::{plain, specification};
use crate::ways::{self, Said};
use crate::{dialogues, names};

/// One situation of the table, told for people and for programs.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// The command it answers, as the table names it.
    pub command: &'static str,
    /// Its name, as it stands in the log.
    pub situation: &'static str,
    /// The reply code.
    pub code: u16,
    /// The enhanced codes that fit; the first is the one that is sent unless another fits better.
    pub enhanced: Vec<String>,
    /// Whether they are sent. Else they are for the log alone (RFC 2034 4).
    pub enhanced_is_sent: bool,
    /// The text this server sends.
    pub text: String,
    /// When it arises.
    pub when: &'static str,
    /// When any server says this row, from the specification.
    pub cause: String,
    /// What is to be known of the row besides.
    pub note: Option<String>,
    /// Who decides it: `wire`, `gate`, `handler` or `life`.
    pub speaker: &'static str,
    /// The same in plain words.
    pub who: &'static str,
    /// What the sending side should do.
    pub advice: Advice,
    /// Where it comes from.
    pub rfc: &'static str,
    /// Whether a row of the classic table or an addition: `classic`, `addition`.
    pub source: &'static str,
    /// What it takes to see it: `default`, `config`, `fault`, `historic`.
    pub reach: &'static str,
    /// Whether the connection is closed after it.
    pub closes: bool,
    /// How this server is brought to say it.
    pub here: Here,
}

/// How this server is brought to say something.
#[derive(Debug, Clone, Serialize)]
pub struct Here {
    /// Whether it says it at all.
    pub says: bool,
    /// What brings it, or why nothing does.
    pub how: &'static str,
    /// The settings that have a part in it.
    pub settings: &'static [&'static str],
    /// The conversation of the tests that shows this reply, a file in `crates/postroad/tests/dialogues`.
    pub dialogue: Option<String>,
}

impl Told {
    /// What there is to say of a situation.
    pub fn of(situation: &Situation) -> Told {
        let row = specification().row(situation);
        let domain = if situation.domain_first {
            "<domain> "
        } else {
            ""
        };
        let advice = advice::after(situation.code, situation.enhanced.first().copied());
        Told {
            command: situation.command.name(),
            situation: situation.name,
            code: situation.code.number(),
            enhanced: situation.enhanced.iter().map(ToString::to_string).collect(),
            enhanced_is_sent: situation.command.enhanced_on_wire(),
            text: format!("{domain}{}", situation.text),
            when: situation.about,
            cause: row.map_or_else(String::new, |row| plain(&row.cause)),
            note: row.and_then(|row| row.note.as_deref()).map(plain),
            speaker: names::speaker(situation.speaker),
            who: names::who(situation.speaker),
            advice,
            rfc: situation.rfc,
            source: names::source(situation.source),
            reach: names::reach(situation.reach),
            closes: situation.closes,
            here: Here::of(situation),
        }
    }

    /// Code, enhanced code as far as it is sent, and text: the reply as it is written.
    pub fn reply(&self) -> String {
        match self.enhanced.first() {
            Some(enhanced) if self.enhanced_is_sent => {
                format!("{} {enhanced} {}", self.code, self.text)
            }
            _ => format!("{} {}", self.code, self.text),
        }
    }
}

impl Here {
    fn of(situation: &Situation) -> Here {
        let way = ways::way(situation);
        Here {
            says: way.is_some_and(|way| way.said == Said::Yes),
            how: way.map_or("", |way| way.how),
            settings: way.map_or(&[], |way| way.settings),
            dialogue: way
                .filter(|way| way.said == Said::Yes)
                .and_then(|_| dialogues::of(situation)),
        }
    }
}
