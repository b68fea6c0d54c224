use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use crate::{
    AnyGate, AnyLife, AnySyntax, Closing, Command, MailReply, MailSyntax, Phase, QuitSyntax,
    RcptReply, Reply, Situation, Source, VrfyGate,
};

/// Every reply that can be: each situation as the answer to its own command, and what answers any
/// command as the answer to each.
fn every_reply() -> Vec<(Command, Reply)> {
    let own = Situation::all().map(|situation| (situation.command, Reply::of(situation)));
    let any = || {
        [
            Reply::from(AnyGate::TlsNeeded),
            AnyGate::ChunkFailed.into(),
            AnySyntax::UnknownVerb.into(),
            AnySyntax::Unreadable.into(),
            AnyLife::Stopping.into(),
            AnyLife::TimedOut.into(),
            AnyLife::LimitPassed.into(),
            AnyLife::NoService.into(),
            AnyLife::Mailless.into(),
        ]
    };
    let of_all = Command::ALL
        .into_iter()
        .flat_map(|command| any().map(|reply| (command, reply.answering(command))));
    let gates = Command::ALL.into_iter().flat_map(|command| {
        let phases = Phase::ALL.into_iter();
        phases.filter_map(move |phase| Some((command, command.gate(phase)?)))
    });
    let endings = [Closing::Stopping, Closing::TimedOut, Closing::LimitPassed];
    let endings = Command::ALL
        .into_iter()
        .flat_map(|command| endings.map(|why| (command, why.reply(command))));
    own.chain(of_all).chain(gates).chain(endings).collect()
}

fn is_classic(command: Command) -> bool {
    let mut situations = command.situations();
    situations.any(|situation| situation.source == Source::Row)
}

#[test]
fn whatever_is_said_comes_to_a_classic_row_of_its_command() {
    for (command, reply) in every_reply() {
        let was = reply.situation();
        let said = reply.clone().classic();
        let row = said.situation();
        assert_eq!(row.source, Source::Row, "{was:?}");
        assert_eq!(said.answers(), command, "{was:?}");
        if row.command == command {
            continue;
        }
        // What no classic row answers is answered as any of them does, or by the connection.
        assert!(!is_classic(command), "{command:?}: {was:?} became {row:?}");
        let (of, code) = (row.command, row.code.number());
        let is_any = (of, code) == (Command::Noop, 500) || (of, code) == (Command::Connect, 421);
        assert!(is_any, "{was:?} became {row:?}");
    }
}

#[test]
fn a_classic_row_stays_as_it_is() {
    for situation in Situation::all().filter(|s| s.source == Source::Row) {
        let said = Reply::of(situation);
        assert_eq!(said.clone().classic(), said);
    }
}

#[test]
fn nothing_that_was_refused_for_good_is_put_off_and_nothing_is_granted() {
    for (command, reply) in every_reply() {
        let (was, is) = (
            reply.code().number(),
            reply.clone().classic().code().number(),
        );
        let is_greeting = command == Command::Connect;
        let is_quit = command == Command::Quit && (was, is) == (421, 221);
        if is_greeting || is_quit || was == is {
            continue;
        }
        match was / 100 {
            5 => assert_eq!(is / 100, 5, "{command:?} {was} became {is}"),
            // TURN has no 4yz, and what isn't a command here is unknown.
            4 if command == Command::Turn => assert_eq!(is, 502),
            4 if !is_classic(command) => assert!(matches!(is, 421 | 500), "{was} became {is}"),
            4 => assert_eq!(is / 100, 4, "{command:?} {was} became {is}"),
            _ => assert_eq!(is / 100, 5, "{command:?} {was} became {is}"),
        }
    }
}

#[test]
fn what_clients_meet_most_has_the_row_a_reader_of_rfc_821_expects() {
    let code = |reply: Reply| reply.classic().code().number();
    assert_eq!(code(MailSyntax::UnknownParameter.into()), 501);
    assert_eq!(code(MailReply::Refused.into()), 501);
    assert_eq!(code(MailReply::Deferred.into()), 451);
    assert_eq!(code(RcptReply::DomainMailless.into()), 550);
    assert_eq!(code(VrfyGate::SwitchedOff.into()), 502);
    assert_eq!(code(QuitSyntax::HasArgument.into()), 500);
    assert_eq!(code(Closing::TimedOut.reply(Command::EndOfData)), 451);
    assert_eq!(code(Closing::TimedOut.reply(Command::Quit)), 221);
    let words: Vec<_> = Reply::from(RcptReply::DomainMailless)
        .classic()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(words, ["Domain does not accept mail"]);
}
