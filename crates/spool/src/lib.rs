//! Keeps the queue safe on the local disk.
