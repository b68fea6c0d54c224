//! Asks what a domain says of its mail, and what that comes to.

use std::time::Duration;

use postroad_clock::Mono;
use postroad_directory::ascii_domain;
use postroad_host::dns::{MailExchange, Resolver, Unresolved};
use postroad_policy::{Reason, Verdict};
use postroad_wire::address::Host;

/// How long one question may take.
const ONE: Duration = Duration::from_secs(5);
/// How long those of one run of RCPTs may take together: its client waits five minutes (RFC 5321
/// 4.5.3.2.3), and would wait for each of 64.
pub(crate) const RUN: Duration = Duration::from_secs(20);

/// Whether a sender's domain is there and takes mail, so that a reply could reach it (RFC 7505 4.2).
pub(crate) async fn sender(
    resolver: &Resolver,
    host: &Host,
    now: Mono,
) -> Result<Verdict, Unresolved> {
    Ok(match exchange(resolver, host, now, now + ONE).await? {
        MailExchange::Hosts | MailExchange::Unsaid => Verdict::Accept,
        MailExchange::NullMx => Verdict::Permanent(Reason::SenderNullMx, None),
        MailExchange::NoDomain => Verdict::Permanent(Reason::SenderDomainUnknown, None),
    })
}

/// Whether a recipient's domain takes mail (RFC 7505 4.1). That there is none, its next hop may know
/// better.
pub(crate) async fn recipient(
    resolver: &Resolver,
    host: &Host,
    now: Mono,
    until: Mono,
) -> Result<Verdict, Unresolved> {
    Ok(match exchange(resolver, host, now, until).await? {
        MailExchange::NullMx => Verdict::Permanent(Reason::DomainMailless, None),
        MailExchange::Hosts | MailExchange::Unsaid | MailExchange::NoDomain => Verdict::Accept,
    })
}

/// What becomes of a command for which a domain couldn't be looked up: the client tries again.
pub(crate) fn unresolved() -> Verdict {
    Verdict::Temporary(Reason::LookupFailed, None)
}

async fn exchange(
    resolver: &Resolver,
    host: &Host,
    now: Mono,
    until: Mono,
) -> Result<MailExchange, Unresolved> {
    match host {
        Host::Domain(domain) => {
            let within = until.since(now).min(ONE);
            resolver.mail_exchange(&ascii_domain(domain), within).await
        }
        // There is nothing to ask about an address.
        Host::Literal(_) => Ok(MailExchange::Unsaid),
    }
}
