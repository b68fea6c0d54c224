//! Holds every setting once: type, default, check, how it reloads, documentation.
