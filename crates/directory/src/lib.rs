//! Answers who the domains, mailboxes, aliases and users are.
