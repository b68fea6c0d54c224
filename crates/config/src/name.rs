//! Domains, mailboxes and aliases as values of settings.

use postroad_wire::address::{Domain, Host, Limits, LocalPart, Mailbox};

use crate::read::{Found, Reader, join};
use crate::value::{Value, parsed, quoted};

/// The character between a mailbox and a detail, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(pub Option<char>);

/// The aliases of a domain, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aliases(pub Vec<Alias>);

/// A local-part that stands for other addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The local-part.
    pub name: LocalPart,
    /// What it stands for; at least one.
    pub targets: Vec<AliasTarget>,
}

/// One address that an alias stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AliasTarget {
    /// A local-part of the alias's own domain.
    Here(LocalPart),
    /// A whole address.
    Mailbox(Mailbox),
}

impl AliasTarget {
    /// The whole address, for an alias of `domain`.
    pub fn in_domain(&self, domain: &Domain) -> Mailbox {
        match self {
            AliasTarget::Here(local) => Mailbox {
                local: local.clone(),
                host: Host::Domain(domain.clone()),
            },
            AliasTarget::Mailbox(mailbox) => mailbox.clone(),
        }
    }
}

/// The machine's name as a domain, or `localhost` where it isn't one.
pub(crate) fn machine_name(text: &str) -> Domain {
    Domain::parse(text, &Limits::default()).unwrap_or_else(|_| localhost())
}

pub(crate) fn localhost() -> Domain {
    // It is one label of letters, and so a domain name (RFC 5321 4.1.2).
    Domain::parse("localhost", &Limits::default()).expect("a domain name")
}

impl Value for Domain {
    fn kind() -> String {
        "domain name".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<Domain> {
        let parse = |text: &str| {
            Domain::parse(text, &Limits::default())
                .map_err(|error| format!("is not a domain name: {error}"))
        };
        parsed(
            found,
            reader,
            parse,
            "write a name such as \"mail.example.org\"",
        )
    }

    fn show(&self) -> Option<String> {
        quoted(self.as_str())
    }
}

impl Value for LocalPart {
    fn kind() -> String {
        "local-part".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<LocalPart> {
        let advice = "write what stands before the @ of the address, without SMTP's own quoting";
        parsed(found, reader, local_part, advice)
    }

    fn show(&self) -> Option<String> {
        quoted(self.as_str())
    }
}

fn local_part(text: &str) -> Result<LocalPart, String> {
    if text.is_empty() {
        return Err("is empty".into());
    }
    if text.contains('@') {
        return Err("has an @ in it, so it is not a local-part alone".into());
    }
    LocalPart::from_unquoted(text, &Limits::default())
        .map_err(|error| format!("is not a local-part: {error}"))
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    Mailbox::parse(text, &Limits::default()).map_err(|error| format!("is not an address: {error}"))
}

impl Value for Mailbox {
    fn kind() -> String {
        "address".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<Mailbox> {
        parsed(
            found,
            reader,
            mailbox,
            "write an address such as \"anna@example.org\"",
        )
    }

    fn show(&self) -> Option<String> {
        quoted(&self.to_string())
    }
}

impl Value for AliasTarget {
    fn kind() -> String {
        "local-part or address".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<AliasTarget> {
        let parse = |text: &str| match text.contains('@') {
            true => mailbox(text).map(AliasTarget::Mailbox),
            false => local_part(text).map(AliasTarget::Here),
        };
        parsed(
            found,
            reader,
            parse,
            "write a mailbox or alias such as \"anna\" or \"anna@example.org\"",
        )
    }

    fn show(&self) -> Option<String> {
        match self {
            AliasTarget::Here(local) => local.show(),
            AliasTarget::Mailbox(mailbox) => mailbox.show(),
        }
    }
}

impl Value for Delimiter {
    fn kind() -> String {
        "string of one character or none".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<Delimiter> {
        let parse = |text: &str| {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(c), None) if !c.is_ascii_punctuation() || c == '@' || c == '"' => {
                    Err("would split names at letters, or can't stand in one".into())
                }
                (delimiter, None) => Ok(Delimiter(delimiter)),
                _ => Err("is more than one character".into()),
            }
        };
        parsed(
            found,
            reader,
            parse,
            "write a character such as \"+\" or \"-\", or \"\" for none",
        )
    }

    fn show(&self) -> Option<String> {
        quoted(&self.0.map(String::from).unwrap_or_default())
    }
}

impl Value for Aliases {
    fn kind() -> String {
        "table of lists of local-parts or addresses".into()
    }

    fn read(found: &Found<'_>, reader: &mut Reader) -> Option<Aliases> {
        let Some(table) = found.value.as_table() else {
            let advice = "write a table such as { info = [\"anna\", \"bob@example.org\"] }";
            reader.wrong(found, "is not a table", advice);
            return None;
        };
        let mut aliases = Vec::new();
        for (key, value) in table {
            let found = Found::new(value, join(&found.path, key.get_ref()));
            reader.place(&found);
            let name = local_part(key.get_ref())
                .map_err(|what| reader.wrong_at(key.span(), &found.path, &what, "rename it"));
            let targets = <Vec<AliasTarget> as Value>::read(&found, reader);
            if targets.as_ref().is_some_and(Vec::is_empty)
                && value
                    .get_ref()
                    .as_array()
                    .is_some_and(|array| array.is_empty())
            {
                reader.wrong(
                    &found,
                    "stands for nobody",
                    "name a target, or take the alias out",
                );
            }
            if let (Ok(name), Some(targets)) = (name, targets) {
                aliases.push(Alias { name, targets });
            }
        }
        Some(Aliases(aliases))
    }

    fn show(&self) -> Option<String> {
        let show = |alias: &Alias| {
            Some(format!(
                "{} = {}",
                alias.name.as_str(),
                alias.targets.show()?
            ))
        };
        let aliases: Vec<String> = self.0.iter().filter_map(show).collect();
        Some(format!("{{{}}}", aliases.join(", ")))
    }
}
