//! Answers who the domains, mailboxes, aliases and users are.
//!
//! A [`Directory`] is a snapshot that never changes: a transaction keeps the one it began with.
//! What does change, which mailboxes there are and which of them take no mail at the moment, is in
//! [`Mailboxes`], shared by all snapshots. [`Customers`] says who may call for mail,
//! and [`users`] what is kept of the passwords of those who can log in.
//!
//! Domains are compared without regard to case, U-labels and A-labels being the same (RFC 5321
//! 2.4, RFC 6531 3.2). Local-parts of local domains are compared in lower case, which RFC 5321
//! 2.4 leaves to the host that owns them. The lower case is Unicode's own, without regard to
//! language; nothing else is folded, so names that look alike but differ in composition differ.

mod customers;
mod directory;
mod domains;
mod failing;
mod identity;
mod mailboxes;
mod name;
mod owners;
mod problem;
mod quota;
mod routes;
pub mod users;
mod walk;

pub use customers::{Called, Customer, Customers, Told};
pub use directory::{Directory, LocalDomain, Moved, NextHop, Resolution};
pub use domains::{DomainSet, ascii_domain};
pub use identity::Identity;
pub use mailboxes::{Mailboxes, Reservation};
pub use name::is_same_domain;
pub use problem::{DirectoryProblem, Fault, Place};
pub use quota::{Quota, Quotas, Usage};
pub use routes::{RouteFor, RoutedTwice, Routes, Way};
pub use walk::MAX_TARGETS;
