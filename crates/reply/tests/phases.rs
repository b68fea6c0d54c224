//! Which commands are legal in which phase, and what answers them otherwise. A reviewer reads
//! the whole matrix here; precedence among the other checks is the session's.

use postroad_reply::{Command, Phase};

/// A dot: legal. A number: the code that answers.
const MATRIX: &str = "
            Connected Ready Mail RecipientsRefused Rcpt Chunking ChunkFailed Mailless NoService
HELO        .         .     .    .                 .    .        .           521      503
EHLO        .         .     .    .                 .    .        .           521      503
LHLO        .         .     .    .                 .    .        .           521      503
MAIL        503       .     503  503               503  503      503         521      503
RCPT        503       503   .    .                 .    503      503         521      503
DATA        503       503   503  554               .    503      503         521      503
BDAT        503       503   503  554               .    .        503         521      503
RSET        .         .     .    .                 .    .        .           521      503
SEND        503       .     503  503               503  503      503         521      503
SOML        503       .     503  503               503  503      503         521      503
SAML        503       .     503  503               503  503      503         521      503
VRFY        .         .     .    .                 .    .        503         521      503
EXPN        .         .     .    .                 .    .        503         521      503
HELP        .         .     .    .                 .    .        503         521      503
NOOP        .         .     .    .                 .    .        .           521      503
QUIT        .         .     .    .                 .    .        .           .        .
TURN        503       .     503  503               503  503      503         521      503
STARTTLS    .         .     503  503               503  503      503         521      503
AUTH        503       .     503  503               503  503      503         521      503
ETRN        503       .     503  503               503  503      503         521      503
ATRN        503       .     503  503               503  503      503         521      503
any         .         .     .    .                 .    .        503         521      503
";

#[test]
fn the_matrix_of_phases_and_commands_is_as_written() {
    let mut lines = MATRIX.trim_matches('\n').lines();
    let phases: Vec<&str> = lines.next().unwrap_or("").split_whitespace().collect();
    let own: Vec<String> = Phase::ALL.iter().map(|p| format!("{p:?}")).collect();
    assert_eq!(phases, own);
    let mut seen = Vec::new();
    for line in lines {
        let mut cells = line.split_whitespace();
        let name = cells.next().unwrap_or("");
        let Some(command) = Command::ALL.into_iter().find(|c| c.name() == name) else {
            panic!("no command {name}");
        };
        seen.push(command);
        for (phase, wanted) in Phase::ALL.into_iter().zip(cells) {
            let reply = command.gate(phase);
            let held = reply
                .as_ref()
                .map_or(".".to_owned(), |r| r.code().to_string());
            assert_eq!(held, wanted, "{name} in {phase:?}");
            let situation = reply.map(|r| r.situation().command);
            assert!(matches!(situation, None | Some(Command::Any)) || situation == Some(command));
        }
    }
    let wanted: Vec<Command> = Command::ALL
        .into_iter()
        .filter(|c| !matches!(c, Command::Connect | Command::EndOfData))
        .collect();
    assert_eq!(seen, wanted, "each command a client can send has its line");
}
