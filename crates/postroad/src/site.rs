//! Makes the rules of a site from its tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use postroad_config::settings::Access;
use postroad_config::{
    AccessAction, AccessReason, AccessStep, AuthSenders, Config, ExpnInquiry, Inquiry, WhenFull,
};
use postroad_directory::DomainSet;
use postroad_directory::users::prepared;
use postroad_host::terminal::Terminals;
use postroad_policy::Reason;
use postroad_policy::access::{AccessRule, AccessRules, Action, Pattern, Step};
use postroad_reply::Text;
use postroad_server::{Inquiries, Logins, Lookups, Rules, Senders, SendingLimits};

use crate::wiring;

/// What a site's own tables say.
pub(crate) fn rules(config: &Config) -> Rules {
    let access = config.access.iter().enumerate();
    Rules {
        access: AccessRules::new(
            access
                .map(|(index, rule)| access_rule(index, rule))
                .collect(),
        ),
        inquiries: Inquiries {
            vrfy_for_all: config.smtp.vrfy == Inquiry::Everybody,
            expn_for_all: config.smtp.expn == ExpnInquiry::Everybody,
            status_for_all: config.smtp.status == Inquiry::Everybody,
            networks: config.smtp.inquiry_networks.clone(),
        },
        mailless: DomainSet::new(config.relay.no_mail_domains.iter().map(wiring::route_for)),
        logins: logins(config),
        sending_to_terminals: SendingLimits {
            per_user: Some(config.terminals.messages_an_hour),
            per_network: Some(config.terminals.messages_an_hour),
            is_final: false,
        },
        senders: Senders {
            any: config.auth.senders == AuthSenders::Any,
            granted: granted(config),
        },
        full_is_final: config.mailboxes.when_full == WhenFull::Refuse,
        sending: SendingLimits {
            per_user: config.sending.messages_per_user,
            per_network: config.sending.messages_per_network,
            is_final: config.sending.when_spent == WhenFull::Refuse,
        },
        lookups: Lookups {
            senders: config.dns.check_senders,
            recipients: config.dns.check_recipients,
        },
    }
}

/// Whose terminals messages can go to.
fn logins(config: &Config) -> Logins {
    let terminals = &config.terminals;
    Logins {
        terminals: Arc::new(Terminals {
            utmp: terminals.logins.clone(),
            devices: "/dev".into(),
        }),
        domains: DomainSet::new(terminals.domains.iter().map(wiring::route_for)),
    }
}

/// Which addresses users may send as beside their own.
fn granted(config: &Config) -> BTreeMap<String, Vec<Pattern>> {
    let mut granted = BTreeMap::<String, Vec<Pattern>>::new();
    for sender in &config.sender {
        // As names are when somebody logs in; one that can't be prepared is nobody's.
        let user = prepared(&sender.user).unwrap_or_default();
        let patterns = sender.addresses.iter().map(|text| Pattern::new(text));
        granted.entry(user).or_default().extend(patterns);
    }
    granted
}

fn access_rule(index: usize, rule: &Access) -> AccessRule {
    let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::new(text)).collect();
    let reason = match rule.reason {
        AccessReason::Policy => Reason::PolicyRefused,
        AccessReason::Name => Reason::NameNotAllowed,
        AccessReason::Disabled => Reason::MailboxDisabled,
        AccessReason::ClosedList => Reason::ListClosed,
    };
    AccessRule {
        name: rule
            .name
            .clone()
            .unwrap_or_else(|| format!("access[{index}]")),
        at: match rule.step() {
            AccessStep::Connect => Step::Connect,
            AccessStep::Hello => Step::Hello,
            AccessStep::Mail => Step::Mail,
            AccessStep::Rcpt => Step::Rcpt,
            AccessStep::Data => Step::Data,
            AccessStep::Message => Step::Message,
            AccessStep::Inquiry => Step::Inquiry,
        },
        networks: rule.networks.clone(),
        hello: patterns(&rule.hello),
        senders: patterns(&rule.senders),
        recipients: patterns(&rule.recipients),
        // Every text is an identity.
        users: rule.users.iter().flat_map(|user| user.parse()).collect(),
        header: patterns(&rule.header),
        then: match rule.then {
            AccessAction::Accept => Action::Accept,
            AccessAction::Refuse => Action::Refuse(reason),
            AccessAction::Defer => Action::Defer(reason),
            AccessAction::Disconnect => Action::Disconnect,
        },
        text: rule.text.as_deref().map(Text::new),
    }
}
