//! The command line of `sendmail`, as programs have used it for forty years: letters with a value
//! behind them or in the next word, several in a word, and many that mean nothing any more.

use std::ffi::OsString;
use std::path::PathBuf;

use postroad_wire::parameter::{EnvId, Notify, Ret};

use super::{Failure, Status};

/// What `--help` says.
pub(super) const HELP: &str = "\
Hands a message to the server, as sendmail does. It is read from standard input.

Usage: postroad sendmail [OPTIONS] [RECIPIENT]...

  -t              take recipients from the fields To, Cc and Bcc too, and remove Bcc
  -i, -oi         a line with a dot alone doesn't end the message
  -f, -r ADDRESS  whom to tell if it fails; \"\" or <> for nobody
  -F NAME         the sender's full name, for a From field that is added
  -N WHEN         when to tell: never, or some of success,failure,delay
  -R full|hdrs    how much of the message a notice returns
  -V ID           the sender's own name for it, in notices
  -bs             speak SMTP with the server on standard input and output
  -bp             list the queue, as mailq does
      --server ADDRESS:PORT  the server [env: POSTROAD_SERVER]
      --config FILE          its configuration, which names its address [env: POSTROAD_CONFIG]
                             [default: /etc/postroad/postroad.toml; without one, 127.0.0.1:2525]

Other options of sendmail are taken and mean nothing. The exit status is one of sysexits.h: 0 if
the server has the message for all recipients, 75 if it may work later.
";

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Hand over the message on standard input.
    Deliver,
    /// SMTP on standard input and output.
    Speak,
    /// List the queue.
    Queue,
    /// What is done without being asked for: running the queue, reading aliases.
    Nothing,
    /// Say what it takes.
    Help,
}

/// What it was called with.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) mode: Mode,
    pub(super) from_fields: bool,
    pub(super) ignore_dots: bool,
    pub(super) sender: Option<String>,
    pub(super) full_name: Option<String>,
    pub(super) notify: Option<Notify>,
    pub(super) ret: Option<Ret>,
    pub(super) envid: Option<EnvId>,
    pub(super) server: Option<String>,
    pub(super) config: Option<PathBuf>,
    pub(super) recipients: Vec<String>,
}

/// Letters whose value may stand in the next word.
const WITH_VALUE: &str = "BCDFLNORVXfhopr";
/// Letters whose value, if there is one, is the rest of their word.
const WITH_REST: &str = "Abdeq";
/// Letters that mean nothing any more, or never did here.
const WITHOUT_VALUE: &str = "EGImnsUvx";

impl Arguments {
    /// Reads them. `mode` holds until they say another.
    pub(super) fn parse(
        mode: Mode,
        words: impl Iterator<Item = OsString>,
    ) -> Result<Arguments, Failure> {
        let mut arguments = Arguments {
            mode,
            from_fields: false,
            ignore_dots: false,
            sender: None,
            full_name: None,
            notify: None,
            ret: None,
            envid: None,
            server: None,
            config: None,
            recipients: Vec::new(),
        };
        let mut words = words.map(|word| word.to_string_lossy().into_owned());
        let mut only_recipients = false;
        while let Some(word) = words.next() {
            match word.strip_prefix('-') {
                Some("-") if !only_recipients => only_recipients = true,
                Some(long) if !only_recipients && long.starts_with('-') => {
                    arguments.long(&long[1..], &mut words)?;
                }
                Some(letters) if !only_recipients && !letters.is_empty() => {
                    arguments.letters(letters, &mut words)?;
                }
                _ => arguments.recipients.push(word),
            }
        }
        Ok(arguments)
    }

    /// This server's own options.
    fn long(
        &mut self,
        option: &str,
        words: &mut impl Iterator<Item = String>,
    ) -> Result<(), Failure> {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (option, None),
        };
        match name {
            "help" => self.mode = Mode::Help,
            "server" | "config" => {
                let value = value.or_else(|| words.next());
                let value = value.ok_or_else(|| usage(&format!("--{name} wants a value")))?;
                match name {
                    "server" => self.server = Some(value),
                    _ => self.config = Some(value.into()),
                }
            }
            _ => return Err(usage(&format!("there is no option --{name}"))),
        }
        Ok(())
    }

    /// One word of letters: `-ti`, `-oi`, `-fanna@example.org`.
    fn letters(
        &mut self,
        letters: &str,
        words: &mut impl Iterator<Item = String>,
    ) -> Result<(), Failure> {
        for (at, letter) in letters.char_indices() {
            let rest = &letters[at + letter.len_utf8()..];
            match letter {
                't' => self.from_fields = true,
                'i' => self.ignore_dots = true,
                letter if WITHOUT_VALUE.contains(letter) => {}
                letter if WITH_REST.contains(letter) => return self.set(letter, rest),
                letter if WITH_VALUE.contains(letter) => {
                    let value = match rest {
                        "" => words.next(),
                        rest => Some(rest.to_owned()),
                    };
                    let value = value.ok_or_else(|| usage(&format!("-{letter} wants a value")))?;
                    return self.set(letter, &value);
                }
                letter => return Err(usage(&format!("there is no option -{letter}"))),
            }
        }
        Ok(())
    }

    fn set(&mut self, letter: char, value: &str) -> Result<(), Failure> {
        match (letter, value) {
            ('f' | 'r', sender) => self.sender = Some(sender.to_owned()),
            ('F', name) => self.full_name = Some(name.to_owned()),
            ('o', "i") => self.ignore_dots = true,
            ('O', option) if option.eq_ignore_ascii_case("IgnoreDots=true") => {
                self.ignore_dots = true;
            }
            ('b', "m") => self.mode = Mode::Deliver,
            ('b', "s") => self.mode = Mode::Speak,
            ('b', "p") => self.mode = Mode::Queue,
            ('b', "i") | ('q', _) => self.mode = Mode::Nothing,
            ('b', other) => {
                let words = format!("-b{other} is not for this server: `postroad serve` is it");
                return Err(usage(&words));
            }
            ('N', when) => self.notify = Some(notify(when)?),
            ('R', how) if how.eq_ignore_ascii_case("full") => self.ret = Some(Ret::Full),
            ('R', how) if how.eq_ignore_ascii_case("hdrs") => self.ret = Some(Ret::Headers),
            ('R', _) => return Err(usage("-R is full or hdrs")),
            // RFC 3461 4.4: printable ASCII of a hundred characters at most.
            ('V', id)
                if id.len() <= 100 && id.chars().all(|c| c == ' ' || c.is_ascii_graphic()) =>
            {
                self.envid = Some(EnvId(id.to_owned()));
            }
            ('V', _) => return Err(usage("-V wants up to a hundred printable characters")),
            _ => {}
        }
        Ok(())
    }
}

/// RFC 3461 4.1.
fn notify(when: &str) -> Result<Notify, Failure> {
    if when.eq_ignore_ascii_case("never") {
        return Ok(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (false, false, false);
    for word in when.split(',') {
        match word.trim().to_ascii_lowercase().as_str() {
            "success" => success = true,
            "failure" => failure = true,
            "delay" => delay = true,
            _ => return Err(usage("-N is never, or some of success,failure,delay")),
        }
    }
    Ok(Notify::On {
        success,
        failure,
        delay,
    })
}

fn usage(words: &str) -> Failure {
    Failure::new(Status::Usage, format!("{words}; see sendmail --help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, Failure> {
        Arguments::parse(Mode::Deliver, line.split_whitespace().map(Into::into))
    }

    #[test]
    fn letters_come_alone_or_together_with_values_behind_them_or_after() {
        for line in [
            "-t -i -f anna@example.org bob",
            "-ti -fanna@example.org bob",
            "-it -ranna@example.org -- bob",
            "-oi -odb -oem -t -Am -v -r anna@example.org -O DeliveryMode=b -h 3 bob",
        ] {
            let arguments = parse(line).expect(line);
            assert!(arguments.from_fields && arguments.ignore_dots, "{line}");
            assert_eq!(arguments.sender.as_deref(), Some("anna@example.org"));
            assert_eq!(arguments.recipients, ["bob"], "{line}");
            assert_eq!(arguments.mode, Mode::Deliver);
        }
        let arguments = parse("-i -- -t").expect("after -- all are recipients");
        assert_eq!(arguments.recipients, ["-t"]);
        assert!(!arguments.from_fields);
    }

    #[test]
    fn modes_and_notices_are_read() {
        assert_eq!(parse("-bs").expect("a mode").mode, Mode::Speak);
        assert_eq!(parse("-bp").expect("a mode").mode, Mode::Queue);
        assert_eq!(parse("-q15m").expect("a mode").mode, Mode::Nothing);
        let told = parse("-N success,DELAY -Rhdrs -V abc").expect("notices");
        assert_eq!(
            told.notify,
            Some(Notify::On {
                success: true,
                failure: false,
                delay: true
            })
        );
        assert_eq!(told.ret, Some(Ret::Headers));
        assert_eq!(told.envid, Some(EnvId("abc".into())));
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        for line in [
            "-f",
            "-bd",
            "-N sometimes",
            "-R all",
            "-Z",
            "--verbose",
            "--config",
        ] {
            let refused = parse(line).expect_err(line);
            assert_eq!(refused.status, Status::Usage, "{line}");
        }
    }
}
