//! Each reason at each row: a reply of the verdict's class, and the words that were asked for.
#![allow(clippy::unwrap_used)] // A test may fail.

use postroad_policy::{Decision, Judged, Reason, Verdict};
use postroad_reply::*;

/// The replies of a row to every reason, as (code, enhanced) pairs.
fn replies<S: Judged>(verdict: impl Fn(Reason) -> Verdict) -> Vec<(Reason, Option<Reply>)> {
    Reason::ALL
        .into_iter()
        .map(|reason| match verdict(reason).on::<S>() {
            Decision::Refuse(answer) => (reason, Some(answer.into())),
            Decision::Disconnect(_) => (reason, None),
            other => panic!("{reason:?} is {:?}", matches!(other, Decision::Pass)),
        })
        .collect()
}

fn keeps_its_class<S: Judged>(command: Command) {
    let temporary = replies::<S>(|reason| Verdict::Temporary(reason, None));
    let permanent = replies::<S>(|reason| Verdict::Permanent(reason, None));
    for (class, replies) in [
        (Severity::Transient, temporary),
        (Severity::Permanent, permanent),
    ] {
        for (reason, reply) in replies {
            let reply = reply.unwrap_or_else(|| panic!("{command:?}: {reason:?} disconnects"));
            assert_eq!(reply.code().severity(), class, "{command:?}: {reason:?}");
            assert_eq!(reply.answers(), command);
            assert_eq!(reply.closes(), reply.code().number() == 421);
        }
    }
}

#[test]
fn each_reason_keeps_its_class_in_each_row() {
    keeps_its_class::<ConnectReply>(Command::Connect);
    keeps_its_class::<MailReply>(Command::Mail);
    keeps_its_class::<RcptReply>(Command::Rcpt);
    keeps_its_class::<DataReply>(Command::Data);
    keeps_its_class::<EndOfDataReply>(Command::EndOfData);
}

/// The rows of HELO and EHLO have no 4yz, that of LHLO no refusal at all: what can't be said
/// there ends the session.
#[test]
fn what_a_hello_has_no_reply_for_disconnects() {
    let later = |reason| Verdict::Temporary(reason, None);
    let never = |reason| Verdict::Permanent(reason, None);
    for (_, reply) in replies::<EhloReply>(later)
        .into_iter()
        .chain(replies::<HeloReply>(later))
        .chain(replies::<LhloReply>(later))
        .chain(replies::<LhloReply>(never))
    {
        assert_eq!(reply, None);
    }
    for (reason, reply) in replies::<EhloReply>(never)
        .into_iter()
        .chain(replies::<HeloReply>(never))
    {
        assert_eq!(reply.unwrap().code().number(), 550, "{reason:?}");
    }
}

#[test]
fn the_reasons_a_first_server_has_get_their_replies() {
    fn said<S: Judged>(verdict: Verdict) -> String {
        match verdict.on::<S>() {
            Decision::Refuse(answer) => {
                let reply = Reply::from(answer);
                format!("{} {}", reply.code(), reply.enhanced().unwrap())
            }
            _ => panic!("no refusal"),
        }
    }
    use Reason as R;
    let later = |reason| Verdict::Temporary(reason, None);
    let never = |reason| Verdict::Permanent(reason, None);
    assert_eq!(said::<ConnectReply>(later(R::ConnectionLimit)), "421 4.7.0");
    assert_eq!(said::<ConnectReply>(later(R::StoreFull)), "421 4.3.2");
    assert_eq!(said::<MailReply>(later(R::StoreFull)), "452 4.3.1");
    assert_eq!(said::<MailReply>(later(R::StoreReadOnly)), "451 4.3.0");
    assert_eq!(said::<MailReply>(later(R::NoMemory)), "452 4.3.1");
    assert_eq!(said::<RcptReply>(later(R::NoMemory)), "452 4.3.1");
    let parameters = later(R::NoMemoryForParameters);
    assert_eq!(said::<MailReply>(parameters.clone()), "455 4.3.3");
    assert_eq!(said::<RcptReply>(parameters), "455 4.3.3");
    assert_eq!(said::<RcptReply>(never(R::MailboxUnknown)), "550 5.1.1");
    assert_eq!(said::<RcptReply>(never(R::RelayDenied)), "550 5.7.1");
    assert_eq!(said::<RcptReply>(never(R::AmbiguousName)), "553 5.1.4");
    assert_eq!(said::<RcptReply>(later(R::AliasBroken)), "451 4.3.5");
    assert_eq!(said::<RcptReply>(later(R::DirectoryFailed)), "451 4.4.3");
    assert_eq!(said::<RcptReply>(later(R::MailboxLimit)), "452 4.3.1");
    assert_eq!(said::<RcptReply>(later(R::MailboxBusy)), "450 4.2.1");
    assert_eq!(said::<MailReply>(never(R::NameNotAllowed)), "553 5.1.7");
    assert_eq!(said::<MailReply>(never(R::SenderNotOwned)), "553 5.7.1");
    assert_eq!(said::<MailReply>(never(R::SenderNullMx)), "550 5.7.27");
    assert_eq!(
        said::<MailReply>(never(R::SenderDomainUnknown)),
        "550 5.1.8"
    );
    assert_eq!(said::<MailReply>(never(R::SenderAllocation)), "552 5.2.2");
    assert_eq!(said::<MailReply>(later(R::SenderAllocation)), "450 4.7.0");
    assert_eq!(said::<MailReply>(later(R::LookupFailed)), "450 4.4.3");
    assert_eq!(said::<RcptReply>(later(R::LookupFailed)), "450 4.4.3");
    assert_eq!(said::<RcptReply>(never(R::NameNotAllowed)), "553 5.1.3");
    assert_eq!(said::<RcptReply>(never(R::Moved)), "550 5.1.6");
    assert_eq!(said::<RcptReply>(never(R::MailboxDisabled)), "550 5.2.1");
    assert_eq!(said::<RcptReply>(never(R::ListClosed)), "550 5.7.2");
    assert_eq!(said::<RcptReply>(later(R::ListClosed)), "450 4.2.4");
    assert_eq!(said::<RcptReply>(later(R::MailboxFull)), "452 4.2.2");
    assert_eq!(said::<RcptReply>(never(R::MailboxFull)), "552 5.2.2");
    assert_eq!(said::<RcptReply>(never(R::TooBigForMailbox)), "552 5.2.3");
    assert_eq!(said::<RcptReply>(never(R::DomainMailless)), "556 5.1.10");
    assert_eq!(said::<VrfyReply>(never(R::PolicyRefused)), "550 5.7.1");
    assert_eq!(said::<ExpnReply>(never(R::PolicyRefused)), "550 5.7.1");
    assert_eq!(said::<ExpnReply>(never(R::ListClosed)), "550 5.7.2");
    let too_big = never(R::TooBigForMailbox);
    assert_eq!(said::<EndOfDataReply>(too_big), "552 5.2.3");
    assert_eq!(said::<EndOfDataReply>(never(R::MailLoop)), "554 5.4.6");
    assert_eq!(said::<EndOfDataReply>(never(R::Malformed)), "554 5.6.0");
    assert_eq!(said::<EndOfDataReply>(later(R::StoreFull)), "452 4.3.1");
    assert_eq!(said::<EndOfDataReply>(later(R::StoreFailed)), "451 4.3.0");
    assert_eq!(said::<EndOfDataReply>(later(R::RateLimit)), "450 4.7.0");
    assert_eq!(said::<EndOfDataReply>(never(R::PolicyRefused)), "550 5.7.1");
}

#[test]
fn a_note_replaces_the_words_and_nothing_else() {
    let note = Some(Text::new("write to postmaster"));
    let refused: Verdict = Verdict::Permanent(Reason::PolicyRefused, note);
    let Decision::Refuse(answer) = refused.on::<RcptReply>() else {
        panic!("no refusal");
    };
    assert_eq!(answer.said(), &RcptReply::PolicyRefused);
    let reply = Reply::from(answer);
    assert_eq!(reply.lines().collect::<Vec<_>>(), ["write to postmaster"]);
    assert_eq!(
        (reply.code().number(), reply.enhanced()),
        (550, Enhanced::parse("5.7.1"))
    );
}

#[test]
fn what_is_no_refusal_is_passed_on_as_it_is() {
    let why = Text::new("harvesting");
    let accept: Verdict = Verdict::Accept;
    assert_eq!(accept.on::<MailReply>(), Decision::Pass);
    let disconnect: Verdict = Verdict::Disconnect(why.clone());
    assert_eq!(disconnect.on::<RcptReply>(), Decision::Disconnect(why));
    let rule = Rule(Text::new("no-newsletters"));
    assert_eq!(
        Verdict::Discard(rule.clone()).on::<EndOfDataReply>(),
        Decision::Discard(rule)
    );
}

#[test]
fn the_first_rule_that_speaks_decides() {
    let loops: Verdict = Verdict::Permanent(Reason::MailLoop, None);
    let refuse = || loops.clone().on::<EndOfDataReply>();
    assert_eq!(Decision::Pass.or_else(refuse), refuse());
    assert_eq!(refuse().or_else(|| panic!("asked in vain")), refuse());
}
