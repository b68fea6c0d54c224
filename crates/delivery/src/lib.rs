//! Carries one dispatch to its outcome.
