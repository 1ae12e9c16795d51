//! Files that the process may have open: a connection each, and those of databases, objects and model servers.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files beside those of connections.
const OTHERS: u64 = 512;

/// Asks for as many files as the machine lets this process have open, and says in the log where they may be too few.
pub(super) fn allow(max_connections: u32) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    // No more than are of use: programs of jobs inherit it, and some close each that there could be.
    let needed = u64::from(max_connections) * 2 + OTHERS;
    let wanted = needed.max(soft).min(hard);
    let allowed = if wanted > soft && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() { wanted } else { soft };
    if allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "the machine lets this process have few files open: raise its limit (ulimit -n), or lower server.max_connections"
        );
    }
}
