//! Runs the project's own chores: tests, checks of documents, the crate arrows.

fn main() {}
