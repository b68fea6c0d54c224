//! Gives async crates time, chance, tasks, sockets and files, real or simulated.

pub mod disk;
