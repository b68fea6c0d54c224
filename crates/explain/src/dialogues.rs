//! Which dialogue shows a reply: conversations that the tests hold with the server, for anyone to read.

use postroad_reply::Situation;

/// A line says command, code, enhanced code (`-` for none) and the file. Made by the test `pages`, which also checks that
/// each file is there and has that reply in it.
const INDEX: &str = include_str!("dialogues.txt");

/// A line of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shown<'a> {
    pub(crate) command: &'a str,
    pub(crate) code: &'a str,
    pub(crate) enhanced: &'a str,
    pub(crate) file: &'a str,
}

/// The lines of an index.
pub(crate) fn index(text: &str) -> impl Iterator<Item = Shown<'_>> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            // The names of commands may have spaces in them, all else has none.
            let mut words = line.rsplitn(4, ' ');
            let (file, enhanced) = (words.next()?, words.next()?);
            let (code, command) = (words.next()?, words.next()?);
            Some(Shown {
                command,
                code,
                enhanced,
                file,
            })
        })
}

/// The dialogue that shows a situation: its code with its enhanced code; where none of its row tells enhanced codes apart,
/// its code.
pub(crate) fn of(situation: &Situation) -> Option<String> {
    let enhanced = situation.enhanced.first().map(ToString::to_string);
    let code = situation.code.to_string();
    let of_row: Vec<_> = index(INDEX)
        .filter(|shown| shown.command == situation.command.name() && shown.code == code)
        .collect();
    let exact = |shown: &&Shown<'_>| Some(shown.enhanced) == enhanced.as_deref();
    let tells_apart = of_row.iter().any(|shown| shown.enhanced != "-");
    let shown = match of_row.iter().find(exact) {
        Some(exact) => exact,
        None if tells_apart => return None,
        None => of_row.first()?,
    };
    Some(shown.file.to_owned())
}
