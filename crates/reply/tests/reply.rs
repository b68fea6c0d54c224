//! What the types of the table keep, whatever values they are given.
// A test may fail, and makes the receipts it answers with.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;

use postroad_reply::*;
use proptest::prelude::*;

#[test]
fn situations_have_names_of_their_own_and_a_text_that_can_be_sent() {
    let mut names = BTreeSet::new();
    for s in Situation::all() {
        assert!(
            names.insert((s.command, s.speaker as u8, s.name)),
            "{:?} twice",
            s.labels()
        );
        assert_eq!(Text::new(s.text).as_str(), s.text, "{:?}", s.labels());
        assert!(!s.about.is_empty() && !s.rfc.is_empty(), "{:?}", s.labels());
        assert!(!s.text.contains("<domain>"), "{:?}", s.labels());
    }
}

#[test]
fn each_command_can_be_closed() {
    for command in Command::ALL {
        for closing in [Closing::Stopping, Closing::TimedOut, Closing::LimitPassed] {
            let reply = closing.reply(command);
            assert_eq!(
                (reply.code().number(), reply.closes()),
                (421, true),
                "{command:?}"
            );
            assert!(reply.domain_first());
        }
    }
    let timed_out = Closing::TimedOut.reply(Command::Rcpt);
    assert_eq!(timed_out.enhanced(), Enhanced::parse("4.4.2"));
    assert_eq!(timed_out.situation().command, Command::Rcpt);
    assert_eq!(
        Closing::LimitPassed.reply(Command::Quit).enhanced(),
        Enhanced::parse("4.3.2"),
        "the row of QUIT knows no other"
    );
}

/// Handlers hold neither what the session's gate says nor what its life cycle does: the
/// connection's own 421 is the one refusal its row has for "later".
#[test]
fn no_handler_says_503_or_421() {
    for s in Situation::all().filter(|s| s.speaker == Speaker::Handler) {
        let code = s.code.number();
        assert_ne!(code, 503, "{:?}", s.labels());
        assert!(
            code != 421 || s.command == Command::Connect,
            "{:?}",
            s.labels()
        );
        assert!(!matches!(code, 500 | 501 | 555), "{:?}", s.labels());
    }
}

/// What `Accepted` and `Discarded` carry is the proof; nothing else at the end of the data is a
/// 250. BDAT's only other one is for a chunk that isn't the last: the session asks about the last
/// one with the end of the data's ticket, whose type can't say it.
#[test]
fn only_a_receipt_or_a_rule_makes_a_250_after_data() {
    let positive = |command: Command| -> Vec<(Speaker, &str)> {
        command
            .situations()
            .filter(|s| s.code.severity() == Severity::Completed)
            .map(|s| (s.speaker, s.name))
            .collect()
    };
    use Speaker::Handler;
    assert_eq!(
        positive(Command::EndOfData),
        [(Handler, "Accepted"), (Handler, "Discarded")]
    );
    assert_eq!(
        positive(Command::Bdat),
        [
            (Handler, "ChunkTaken"),
            (Handler, "Accepted"),
            (Handler, "Discarded")
        ]
    );
}

#[test]
fn the_250_names_the_queue_id_and_a_discard_is_told_apart_by_nobody_else() {
    let queue_id = QueueId::from_parts(1_790_000_000_000, 0, 1);
    let accepted = EndOfDataReply::Accepted(Receipt::mint(TransactionId(1), queue_id));
    let reply = Reply::from(accepted);
    assert_eq!(reply.code().number(), 250);
    assert_eq!(reply.enhanced_on_wire(), Enhanced::parse("2.0.0"));
    let lines: Vec<_> = reply.lines().collect();
    assert_eq!(
        lines,
        [format!(
            "Requested mail action okay, completed, queued as {queue_id}"
        )]
    );

    let discarded = Reply::from(EndOfDataReply::Discarded(Rule(Text::new("no-newsletters"))));
    assert_eq!(discarded.code().number(), 250);
    assert!(discarded.lines().all(|line| !line.contains("newsletters")));
}

#[test]
fn a_forward_path_stands_after_the_words_and_lines_stand_for_themselves() {
    let lines = |reply: Reply| -> Vec<String> { reply.lines().map(str::to_owned).collect() };
    let moved = RcptReply::MovedTo(Text::new("<bob@example.org>"));
    assert_eq!(
        lines(moved.into()),
        ["User not local; please try <bob@example.org>"]
    );
    let challenge = AuthReply::Challenge(Text::new("VXNlcm5hbWU6"));
    assert_eq!(lines(challenge.into()), ["VXNlcm5hbWU6"]);
    let members = ["<a@example.org>", "<b@example.org>"].map(Text::new);
    let expanded = ExpnReply::Expanded(members.into_iter().collect());
    assert_eq!(
        lines(expanded.into()),
        ["<a@example.org>", "<b@example.org>"]
    );
}

#[test]
fn the_longest_path_is_told_whole() {
    // RFC 5321 4.5.3.1.3: 256 octets with its brackets.
    let path = format!("<{}@{}.example>", "l".repeat(64), "d".repeat(181));
    assert_eq!(path.len(), 256);
    let reply = Reply::from(RcptReply::WillForward(Text::new(&path)));
    assert!(reply.lines().next().unwrap().ends_with(&path));
}

#[test]
fn own_words_and_an_own_enhanced_code_replace_those_of_the_table() {
    let answer = Answer::from(RcptReply::PolicyRefused)
        .text(Text::new("listed by bl.example"))
        .enhanced(Enhanced::parse("5.7.25").unwrap())
        .unwrap();
    let reply = Reply::from(answer);
    assert_eq!(reply.code().number(), 550);
    assert_eq!(reply.enhanced(), Enhanced::parse("5.7.25"));
    assert_eq!(reply.lines().collect::<Vec<_>>(), ["listed by bl.example"]);
}

#[test]
fn greetings_and_3yz_carry_no_enhanced_code_on_the_wire() {
    assert_eq!(
        Reply::from(HeloReply::Refused).enhanced(),
        Enhanced::parse("5.7.1")
    );
    assert_eq!(Reply::from(HeloReply::Refused).enhanced_on_wire(), None);
    assert_eq!(
        Reply::from(ConnectReply::LimitReached).enhanced_on_wire(),
        None
    );
    assert_eq!(Reply::from(DataReply::GoAhead).enhanced(), None);
    for closing in [Closing::Stopping, Closing::TimedOut, Closing::LimitPassed] {
        assert_eq!(closing.reply(Command::Lhlo).enhanced_on_wire(), None);
    }
}

/// Every situation of a whole message has one of the same class as BDAT's last reply, and its
/// words and enhanced code go with it.
#[test]
fn what_is_said_of_a_message_can_be_said_to_its_last_chunk() {
    use EndOfDataReply as End;
    let receipt = || Receipt::mint(TransactionId(7), QueueId(7));
    let all = [
        End::Accepted(receipt()),
        End::Discarded(Rule(Text::new("rule"))),
        End::QuotaPassed,
        End::TooBigForMailbox,
        End::MailLoop,
        End::Malformed,
        End::NotConvertible,
        End::HeaderNotAscii,
        End::ContentRefused,
        End::DmarcRejected,
        End::LocalError,
        End::LookupFailed,
        End::SpfError,
        End::StorageShort,
        End::Deferred,
        End::PolicyRefused,
        End::AuthenticationFailed,
        End::TlsNotKept,
    ];
    assert_eq!(
        all.len(),
        End::situations().len(),
        "a situation is missing here"
    );
    for said in all {
        let from = said.situation();
        let answer = Answer::<BdatReply>::from(Answer::from(said));
        let reply = Reply::from(answer);
        assert_eq!(reply.situation().command, Command::Bdat);
        assert_eq!(
            reply.code().severity(),
            from.code.severity(),
            "{}",
            from.name
        );
        assert_eq!(
            reply.enhanced(),
            from.enhanced.first().copied(),
            "{}",
            from.name
        );
        assert!(
            reply.lines().next().unwrap().starts_with(from.text),
            "{}",
            from.name
        );
        assert!(!reply.closes());
    }
    let deferred = Reply::from(BdatReply::from(End::Deferred));
    assert_eq!(deferred.code().number(), 451);
    let refused = Reply::from(BdatReply::from(End::PolicyRefused));
    assert_eq!(
        (refused.code().number(), refused.enhanced()),
        (554, Enhanced::parse("5.7.1"))
    );
}

/// The session asks before the first chunk what it asks before 354.
#[test]
fn what_is_said_to_data_can_be_said_to_a_chunk() {
    let all = [
        DataReply::GoAhead,
        DataReply::LocalError,
        DataReply::Misconfigured,
        DataReply::TransactionRefused,
        DataReply::Deferred,
        DataReply::Refused,
    ];
    assert_eq!(
        all.len(),
        DataReply::situations().len(),
        "a situation is missing here"
    );
    for said in all {
        let from = said.situation();
        let reply = Reply::from(Answer::<BdatReply>::from(Answer::from(said)));
        let words = reply.lines().collect::<Vec<_>>();
        if from.code.severity() == Severity::Intermediate {
            assert_eq!(
                (reply.code().number(), words),
                (250, vec!["Octets received"])
            );
        } else {
            assert_eq!(reply.code().severity(), from.code.severity());
            assert_eq!(words, [from.text]);
            assert_eq!(reply.enhanced(), from.enhanced.first().copied());
        }
    }
}

#[test]
fn a_peers_code_is_read_by_the_table_and_else_by_its_first_digit() {
    let meaning = |command: Command, code: u16| command.meaning(Code::new(code).unwrap());
    let names = |m: Meaning| m.situations().map(|s| s.name).collect::<Vec<_>>();
    assert_eq!(names(meaning(Command::Rcpt, 551)), ["MovedTo"]);
    assert!(names(meaning(Command::Starttls, 421)).contains(&"Stopping"));
    let odd = meaning(Command::Mail, 299);
    assert!(!odd.is_known());
    assert_eq!(odd.severity(), Severity::Completed);
    assert_eq!(meaning(Command::Noop, 200).severity(), Severity::Completed);
}

proptest! {
    #[test]
    fn a_text_cannot_forge_a_reply(words in any::<String>()) {
        for text in [Text::new(&words), Text::with_utf8(&words)] {
            prop_assert!(text.as_str().len() <= Text::MAX_OCTETS);
            prop_assert!(text.as_str().chars().all(|c| !c.is_control()));
        }
        prop_assert!(Text::new(&words).as_str().is_ascii());
        prop_assert!(!Text::new(&words).needs_utf8());
    }

    #[test]
    fn a_hostile_text_stays_one_line_in_every_reply(
        words in "[a-z\r\n\t\0\u{85}\u{2028} 0-9é-]{0,600}",
    ) {
        let text = || Text::with_utf8(&words);
        let replies = [
            Reply::from(Answer::from(RcptReply::MailboxUnknown).text(text())),
            RcptReply::MovedTo(text()).into(),
            VrfyReply::Verified(text().into()).into(),
        ];
        for reply in replies {
            for line in reply.lines() {
                prop_assert!(4 + 10 + line.len() + 2 <= 512, "with codes and CRLF");
                let forges = line.contains(['\r', '\n', '\0', '\u{85}', '\u{2028}']);
                prop_assert!(!forges, "{line:?}");
            }
            prop_assert_eq!(reply.needs_utf8(), reply.lines().any(|l| !l.is_ascii()));
        }
    }

    #[test]
    fn lines_are_bounded(count in 0usize..1000) {
        let lines: Lines = (0..count).map(|_| Text::new("x")).collect();
        prop_assert!(lines.iter().len() == count.clamp(1, Lines::MAX));
        prop_assert_eq!(lines.iter().count(), count.clamp(1, Lines::MAX));
    }

    #[test]
    fn an_enhanced_code_of_another_class_is_refused(
        class in prop::sample::select(vec!['2', '4', '5']), subject in 0u16..8, detail in 0u16..30,
    ) {
        let enhanced = Enhanced::parse(&format!("{class}.{subject}.{detail}")).unwrap();
        let transient = Answer::from(RcptReply::Deferred).enhanced(enhanced);
        let permanent = Answer::from(RcptReply::MailboxUnknown).enhanced(enhanced);
        let intermediate = Answer::from(DataReply::GoAhead).enhanced(enhanced);
        prop_assert_eq!(transient.is_ok(), class == '4');
        prop_assert_eq!(permanent.is_ok(), class == '5');
        prop_assert!(intermediate.is_err());
    }

    #[test]
    fn reading_an_enhanced_code_never_panics(words in "[0-9.]{0,14}") {
        if let Some(enhanced) = Enhanced::parse(&words) {
            prop_assert_eq!(enhanced.to_string(), words);
        }
    }
}
