//! Which messages a command means.

use clap::{Args, ValueEnum};
use postroad_control::Filter;
use postroad_control::api::State;

/// Which messages are meant: those to which all that is given applies. An address is
/// `anna@example.com`, `@example.com`, `<>` for the null sender, or a pattern with `*`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which messages")]
pub(super) struct Filters {
    /// From this sender: `anna@example.com`, `@example.com`, `<>` for the null sender, or a
    /// pattern with `*`
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// To this recipient, before or after aliases; in the same forms
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<String>,
    /// With a recipient in this domain
    #[arg(long)]
    domain: Option<String>,
    /// With mail still to go to this next hop, as `postroad sites` and `queue show` name it
    #[arg(long)]
    site: Option<String>,
    /// Which stand so
    #[arg(long)]
    state: Option<StateName>,
    /// Of this age: `'>1h'` or `'<10m'`
    #[arg(long, value_parser = age, conflicts_with_all = ["older", "newer"])]
    age: Option<Age>,
    /// Received at least so long ago: `90s`, `10m`, `2h`, `3d`, `1h30m`
    #[arg(long, value_name = "AGE", value_parser = span)]
    older: Option<u64>,
    /// Received at most so long ago
    #[arg(long, value_name = "AGE", value_parser = span)]
    newer: Option<u64>,
    /// Whose last attempt said these words
    #[arg(long, value_name = "WORDS")]
    reason: Option<String>,
}

impl Filters {
    pub(super) fn filter(self) -> Filter {
        let (over, under) = match self.age {
            Some(Age::Over(seconds)) => (Some(seconds), None),
            Some(Age::Under(seconds)) => (None, Some(seconds)),
            None => (None, None),
        };
        Filter {
            sender: self.sender,
            recipient: self.recipient,
            domain: self.domain,
            site: self.site,
            state: self.state.map(State::from),
            reason: self.reason,
            older: self.older.or(over),
            newer: self.newer.or(under),
        }
    }
}

/// Where a message stands, as it is written on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum StateName {
    /// It is being delivered, or waits for its turn
    Active,
    /// It was not tried yet
    Queued,
    /// It was tried, and is tried again later
    Deferred,
    /// An operator holds it back
    Held,
    /// Nothing is left of it but the notice to its sender
    Notice,
}

impl From<StateName> for State {
    fn from(name: StateName) -> State {
        match name {
            StateName::Active => State::Active,
            StateName::Queued => State::Queued,
            StateName::Deferred => State::Deferred,
            StateName::Held => State::Held,
            StateName::Notice => State::Notice,
        }
    }
}

/// An age with its side, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Over(u64),
    Under(u64),
}

fn age(text: &str) -> Result<Age, String> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('>') {
        span(rest.trim_start_matches('=')).map(Age::Over)
    } else if let Some(rest) = text.strip_prefix('<') {
        span(rest.trim_start_matches('=')).map(Age::Under)
    } else {
        Err("write '>1h' for older than an hour, '<10m' for newer than ten minutes".into())
    }
}

/// A sum of numbers with their units, in seconds.
fn span(text: &str) -> Result<u64, String> {
    let wrong = || "write a time such as 90s, 10m, 2h, 3d or 1h30m".to_owned();
    let mut rest = text.trim();
    let mut sum = 0u64;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let unit = after.chars().next().ok_or_else(wrong)?;
        let worth = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let seconds = number.checked_mul(worth).ok_or_else(wrong)?;
        sum = sum.checked_add(seconds).ok_or_else(wrong)?;
        // The unit is one of the ASCII letters above.
        rest = after[1..].trim_start();
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_units() {
        for (text, expected) in [("90s", 90), ("1h30m", 5400), (" 2d 1w", 777_600), ("0s", 0)] {
            assert_eq!(span(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "5",
            "h",
            "1y",
            "-1s",
            "1.5h",
            "99999999999999999999d",
            "1hö",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
        assert_eq!(age("> 1h"), Ok(Age::Over(3600)));
        assert_eq!(age("<=10m"), Ok(Age::Under(600)));
        assert!(age("1h").is_err());
    }
}
