//! Turns facts about a session or message into a verdict.
