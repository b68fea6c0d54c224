//! How many files and sockets the process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Takes as many descriptors as the system allows. The limit a process begins with is often 1,024,
/// for programs that use select(2); a thousand connections and the files of their messages need more.
///
/// Where it can't be raised the server runs with what it has, and says so when it runs out:
/// a connection waits, a message is refused with 4yz or its delivery tried again.
pub(crate) fn take_all() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
