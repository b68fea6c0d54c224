//! Names every event once, and writes it as log, metric and message history.
