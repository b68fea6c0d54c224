//! Addresses in a list, as To, Cc and Bcc have them (RFC 5322 3.4, 4.4).

/// The addresses in a list, without names, comments and groups.
///
/// # Errors
/// The text that is none of these.
pub(super) fn listed(list: &str) -> Result<Vec<String>, String> {
    let mut reader = Reader {
        rest: list.chars().collect::<Vec<_>>().into_iter().peekable(),
        plain: String::new(),
        angle: None,
        found: Vec::new(),
    };
    match reader.read() {
        true => Ok(reader.found),
        false => Err(list.trim().to_owned()),
    }
}

/// Whether an address has an `@` outside of quotes.
pub(super) fn has_domain(address: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for c in address.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '@' if !quoted => return true,
            _ => {}
        }
    }
    false
}

struct Reader {
    rest: std::iter::Peekable<std::vec::IntoIter<char>>,
    /// What stands outside of angle brackets: an address, or the name before one.
    plain: String,
    /// What stood in angle brackets.
    angle: Option<String>,
    found: Vec<String>,
}

impl Reader {
    /// Reads all of it; whether it is a list of addresses.
    fn read(&mut self) -> bool {
        while let Some(c) = self.rest.next() {
            let good = match c {
                '(' => self.comment(),
                '"' => self.until('"', c).is_some_and(|text| self.add(&text)),
                '[' => self.until(']', c).is_some_and(|text| self.add(&text)),
                '<' => self.angle(),
                ',' | ';' => self.finish(),
                ':' => {
                    // It was the name of a group.
                    self.plain.clear();
                    true
                }
                c if c.is_whitespace() => self.space(),
                c => self.add(c.encode_utf8(&mut [0; 4])),
            };
            if !good {
                return false;
            }
        }
        self.finish()
    }

    /// What follows an address in angle brackets is no part of it, nor a name.
    fn add(&mut self, text: &str) -> bool {
        self.plain.push_str(text);
        self.angle.is_none()
    }

    /// Words of a name are apart; around a dot or an `@` a space says nothing (RFC 5322 4.4).
    fn space(&mut self) -> bool {
        let before = self.plain.ends_with(['@', '.', ' ']);
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        let after = matches!(self.rest.peek(), None | Some('@' | '.' | ',' | ';'));
        if !self.plain.is_empty() && self.angle.is_none() && !before && !after {
            self.plain.push(' ');
        }
        true
    }

    /// Comments nest.
    fn comment(&mut self) -> bool {
        let mut depth = 1;
        while depth > 0 {
            match self.rest.next() {
                Some('\\') => drop(self.rest.next()),
                Some('(') => depth += 1,
                Some(')') => depth -= 1,
                Some(_) => {}
                None => return false,
            }
        }
        true
    }

    /// What comes up to `end`, with it and with `start` before it.
    fn until(&mut self, end: char, start: char) -> Option<String> {
        let mut text = String::from(start);
        loop {
            let c = self.rest.next()?;
            text.push(c);
            match c {
                '\\' => text.push(self.rest.next()?),
                c if c == end => return Some(text),
                _ => {}
            }
        }
    }

    fn angle(&mut self) -> bool {
        if self.angle.is_some() {
            return false;
        }
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some('>') => break,
                Some('"') => match self.until('"', '"') {
                    Some(quoted) => text.push_str(&quoted),
                    None => return false,
                },
                Some('(') if self.comment() => {}
                Some('(') | None => return false,
                Some(c) if c.is_whitespace() => {}
                Some(c) => text.push(c),
            }
        }
        // A source route says nothing any more (RFC 5321 C).
        if let Some((route, address)) = text.split_once(':')
            && route.starts_with('@')
        {
            text = address.to_owned();
        }
        self.plain.clear();
        self.angle = Some(text);
        true
    }

    /// An entry of the list has ended.
    fn finish(&mut self) -> bool {
        let plain = std::mem::take(&mut self.plain);
        let address = self.angle.take().unwrap_or(plain);
        let address = address.trim();
        if !address.is_empty() {
            self.found.push(address.to_owned());
        }
        // Words that are apart are no address, but `"quoted words"@example.org` is one.
        address.starts_with('"') || !address.contains(' ')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_as_people_write_them() {
        for (list, expected) in [
            ("anna@example.org", vec!["anna@example.org"]),
            ("root", vec!["root"]),
            ("<>", vec![]),
            ("", vec![]),
            (
                "Anna B. <anna@example.org>, bob@example.org (Bob, the other), \"C, D\" <c@example.org>",
                vec!["anna@example.org", "bob@example.org", "c@example.org"],
            ),
            (
                "Friends: a@example.org, B <b@example.org>;, c@example.org",
                vec!["a@example.org", "b@example.org", "c@example.org"],
            ),
            ("undisclosed-recipients:;", vec![]),
            ("\"a b\"@example.org", vec!["\"a b\"@example.org"]),
            ("\"Q\\\"<x>\" <q@example.org>", vec!["q@example.org"]),
            ("a @ example . org", vec!["a@example.org"]),
            (
                "x@[IPv6:2001:db8::1], y@[192.0.2.1]",
                vec!["x@[IPv6:2001:db8::1]", "y@[192.0.2.1]"],
            ),
            (
                "<@a.example,@b.example:anna@example.org>",
                vec!["anna@example.org"],
            ),
            ("Jörg <jörg@bücher.example>", vec!["jörg@bücher.example"]),
            ("a(one (two) three)@example.org", vec!["a@example.org"]),
        ] {
            let expected = expected.into_iter().map(String::from).collect();
            assert_eq!(listed(list), Ok(expected), "{list}");
        }
        for bad in [
            "anna bob",
            "<a@example.org",
            "(a",
            "\"a",
            "<a@b> <c@d>",
            "<a@b> c",
        ] {
            assert!(listed(bad).is_err(), "{bad}: {:?}", listed(bad));
        }
    }

    #[test]
    fn a_domain_is_what_follows_an_at_outside_of_quotes() {
        assert!(has_domain("a@b") && has_domain("\"a@b\"@c"));
        assert!(!has_domain("a") && !has_domain("\"a@b\""));
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[a@b<>(),;:\\\\\" .\\[\\]ü]{0,40}") {
            for address in listed(&text).unwrap_or_default() {
                prop_assert!(!address.is_empty());
            }
        }
    }
}
