//! Owns listeners and moves events between sessions, policy and the store.
