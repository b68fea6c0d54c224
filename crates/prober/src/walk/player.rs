//! Brings the server into a state, and plays a check from there.

use std::sync::Arc;

use postroad_reply::{Code, Command, Severity};

use super::connection::{Came, Wire};
use super::pace::Pace;
use super::talk::{Ear, Go, Talk};
use super::{Settings, finding, handshake, skipped};
use crate::check::{Check, Need, State, Step};
use crate::checks::Names;
use crate::finding::Finding;
use crate::hygiene::Hygiene;
use crate::reply::Heard;

/// After so many connections in a row that failed, no more are tried.
const MOST_FAILURES: usize = 3;

/// Why the walk goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stopped(pub(super) String);

/// Why a check isn't made, though the walk goes on.
struct Unready(String);

/// What the server said when it was met.
pub(super) struct Met {
    pub(super) greeting: String,
    /// What it said if it takes nothing from here.
    pub(super) refusal: Option<String>,
}

/// Plays checks.
pub(super) struct Player<'a> {
    settings: &'a Settings,
    names: Names,
    pace: Pace,
    tls: Option<Arc<rustls::ClientConfig>>,
    failures: usize,
    pub(super) hygiene: Hygiene,
}

impl<'a> Player<'a> {
    pub(super) fn new(settings: &'a Settings, pace: Pace) -> Player<'a> {
        Player {
            settings,
            names: settings.names_before(),
            pace,
            tls: handshake::settings(),
            failures: 0,
            hygiene: Hygiene::default(),
        }
    }

    /// What is said to this server.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> usize {
        self.pace.made()
    }

    /// The first conversation: who it is, and what it offers.
    pub(super) async fn meet(&mut self) -> Result<Met, String> {
        self.pace.step().await?;
        let settings = self.settings;
        let opened = Wire::open(settings.address, settings.patience).await;
        let wire =
            opened.map_err(|error| format!("can't connect to {}: {error}", settings.target))?;
        let mut hygiene = Hygiene::default();
        let mut talk = Talk::new(wire, self.ear(), &mut hygiene);
        let greeting = match talk.prepare(Command::Connect, b"").await {
            Came::Heard(heard) => heard,
            Came::Silence => {
                let seconds = settings.patience.as_secs();
                return Err(format!(
                    "{} said nothing for {seconds} seconds",
                    settings.target
                ));
            }
            Came::End => return Err(format!("{} closed without a greeting", settings.target)),
        };
        let refusal = match greeting.code() {
            Some(code) if code.severity() == Severity::Completed => None,
            _ => Some(format!("the server greets with: {}", greeting.shown())),
        };
        let own = own_name(&greeting);
        if refusal.is_none() {
            let ehlo = format!("{}\r\n", self.names.ehlo());
            if let Came::Heard(heard) = talk.prepare(Command::Ehlo, ehlo.as_bytes()).await
                && heard.code() == Code::new(250)
            {
                (self.names.offers, self.names.size) = offers(&heard);
            }
            talk.quit("", true).await;
        }
        self.names.domain = settings.domain(own.as_deref().unwrap_or("localhost"));
        Ok(Met {
            greeting: greeting.shown(),
            refusal,
        })
    }

    /// Plays one check.
    pub(super) async fn play(&mut self, check: &Check) -> Result<Finding, Stopped> {
        if let Some(why) = self.unmet(check) {
            return Ok(skipped(check, &why));
        }
        self.pace.step().await.map_err(Stopped)?;
        let wire = match Wire::open(self.settings.address, self.settings.patience).await {
            Ok(wire) => wire,
            Err(error) => {
                self.failures += 1;
                let why = format!("can't connect: {error}");
                return match self.failures < MOST_FAILURES {
                    true => Ok(skipped(check, &why)),
                    false => Err(Stopped(why)),
                };
            }
        };
        self.failures = 0;
        let ear = self.ear();
        let mut talk = Talk::new(wire, ear, &mut self.hygiene);
        if let Err(Unready(why)) = bring(&mut talk, check.state, &self.names).await {
            return Ok(skipped(check, &why));
        }
        talk.looks_hostile = check.looks_hostile;
        let go = perform(&mut talk, check, self.tls.as_ref()).await;
        if go == Go::On && check.quits {
            talk.quit(check.surplus, check.surplus_is_borne).await;
        }
        Ok(finding(check, talk.verdict, talk.why, talk.exchanges))
    }

    /// Why a check can't be made with this server.
    fn unmet(&self, check: &Check) -> Option<String> {
        let unmet = check.needs.iter().find_map(|need| match need {
            Need::Delivery if !self.settings.delivers => {
                Some("no message is completed without --deliver-to".to_owned())
            }
            Need::Offer(keyword) if !self.names.offers(keyword) => {
                Some(format!("the server doesn't offer {keyword}"))
            }
            _ => None,
        });
        let needs_tls = check.steps.contains(&Step::Handshake);
        let no_tls =
            || (needs_tls && self.tls.is_none()).then(|| "there is no TLS here".to_owned());
        unmet.or_else(no_tls)
    }

    fn ear(&self) -> Ear {
        Ear {
            profile: self.settings.profile,
            patience: self.settings.patience,
            quiet: self.settings.quiet,
            enhanced: self.names.offers("ENHANCEDSTATUSCODES"),
        }
    }
}

/// Does what the check says.
async fn perform(
    talk: &mut Talk<'_>,
    check: &Check,
    tls: Option<&Arc<rustls::ClientConfig>>,
) -> Go {
    for step in &check.steps {
        let go = match step {
            Step::Say { pieces, expects } => talk.say(pieces, expects).await,
            Step::Closes => talk.closes().await,
            Step::Only(codes) => talk.was(codes),
            Step::MayClose => talk.may_close().await,
            Step::Unanswered(octets) => talk.unanswered(octets).await,
            Step::Handshake => match tls {
                Some(tls) => talk.handshake(tls).await,
                None => Go::Stop,
            },
            Step::NotOffered(keyword) => {
                talk.not_offered(keyword);
                Go::On
            }
        };
        if go == Go::Stop {
            return Go::Stop;
        }
    }
    Go::On
}

/// Brings the server into a state.
async fn bring(talk: &mut Talk<'_>, state: State, names: &Names) -> Result<(), Unready> {
    use State as S;
    if state == S::Dialled {
        return Ok(());
    }
    demand(talk, Command::Connect, "", "2yz").await?;
    match state {
        S::Dialled | S::Connected => return Ok(()),
        S::Helo => return demand(talk, Command::Helo, &names.helo(), "2yz").await,
        _ => demand(talk, Command::Ehlo, &names.ehlo(), "2yz").await?,
    }
    if state == S::Ehlo {
        return Ok(());
    }
    demand(talk, Command::Mail, &names.mail(), "2yz").await?;
    match state {
        S::Mail => return Ok(()),
        S::Refused => return demand(talk, Command::Rcpt, &names.refused(), "5yz 4yz").await,
        _ => demand(talk, Command::Rcpt, &names.rcpt(), "2yz").await?,
    }
    match state {
        S::Data => demand(talk, Command::Data, "DATA", "354").await,
        S::Chunking => demand(talk, Command::Bdat, "BDAT 6\r\nX: y", "2yz").await,
        // A server that takes a bare LF takes this.
        S::ChunkFailed => demand(talk, Command::Bdat, "BDAT 5\r\na\nb", "5yz 4yz").await,
        _ => Ok(()),
    }
}

/// Says what has to be answered so for the state to be reached.
async fn demand(
    talk: &mut Talk<'_>,
    command: Command,
    line: &str,
    wanted: &str,
) -> Result<(), Unready> {
    let octets = match line.is_empty() {
        true => Vec::new(),
        false => format!("{line}\r\n").into_bytes(),
    };
    let shown = octets.escape_ascii();
    let unready = |came: &str| {
        Unready(format!(
            "the state isn't reached: `{shown}` was answered: {came}"
        ))
    };
    match talk.prepare(command, &octets).await {
        Came::Heard(heard) => {
            // One of the constants above.
            let wanted = crate::Codes::of(wanted);
            match heard.code().is_some_and(|code| wanted.has(code)) {
                true => Ok(()),
                false => Err(unready(&heard.shown())),
            }
        }
        Came::Silence => Err(unready("(nothing)")),
        Came::End => Err(unready("(end of the connection)")),
    }
}

/// The name that the greeting begins with.
fn own_name(greeting: &Heard) -> Option<String> {
    let text = std::str::from_utf8(greeting.lines.first()?.text()).ok()?;
    let word = text.split_whitespace().next()?;
    let named = word
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    (named && word.contains('.')).then(|| word.to_owned())
}

/// What a reply to EHLO offers, and the biggest message if it says so.
fn offers(heard: &Heard) -> (Vec<String>, Option<u64>) {
    let mut size = None;
    let lines = heard.lines.iter().skip(1);
    let offers = lines.filter_map(|line| {
        let text = String::from_utf8_lossy(line.text()).to_ascii_uppercase();
        // Some old servers say AUTH=PLAIN for AUTH PLAIN.
        let mut words = text.split([' ', '=']);
        let keyword = words.next().filter(|word| !word.is_empty())?;
        if keyword == "SIZE" {
            size = words.next().and_then(|most| most.parse().ok());
        }
        Some(keyword.to_owned())
    });
    let mut offers: Vec<String> = offers.collect();
    offers.dedup();
    (offers, size)
}
