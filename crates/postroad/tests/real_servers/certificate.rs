//! A certificate of the test's own, in files as servers want them.

use std::fs;
use std::path::{Path, PathBuf};

/// Where it is.
pub struct Certificate {
    /// The certificate.
    pub chain: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one for a name.
    pub fn make(folder: &Path, name: &str) -> Certificate {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("make it");
        let certificate = Certificate {
            chain: folder.join("chain.pem"),
            key: folder.join("key.pem"),
        };
        fs::write(&certificate.chain, made.cert.pem()).expect("write it");
        fs::write(&certificate.key, made.signing_key.serialize_pem()).expect("write its key");
        certificate
    }

    /// Gives the key to the user that a server runs as from its start.
    pub fn for_user(self, user: &str) -> Certificate {
        let user = crate::program::user_named(user);
        let given = nix::unistd::chown(&self.key, Some(user.uid), Some(user.gid));
        given.expect("give it away");
        self
    }

    /// Lets nobody else read the key.
    pub fn kept(self) -> Certificate {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&self.key, mode).expect("close it");
        self
    }
}
