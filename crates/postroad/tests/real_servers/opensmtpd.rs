//! An OpenSMTPD with a folder of its own (version 6.8).
//!
//! Its folders, and the users it runs as, are fixed when it is built. So it gets a mount namespace of its own
//! (unshare(1)), in which they are there, and the machine isn't touched.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::{Process, program_named};

/// Its domain; `probe` has a mailbox there.
pub const DOMAIN: &str = "opensmtpd.test";

/// What happens before it starts: $1 is the folder, $2 the program.
const NAMESPACE: &str = r"
set -e
for folder in /var/spool /var/lib /run; do mount -t tmpfs none $folder; done
mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/spool/smtpd
for file in passwd group; do cat /etc/$file $1/$file > $1/$file.all; mount --bind $1/$file.all /etc/$file; done
exec $2 -F -f $1/smtpd.conf
";

/// An OpenSMTPD that runs.
pub struct OpenSmtpd {
    _process: Process,
}

impl OpenSmtpd {
    /// Starts one at a port. It offers no TLS: set up as here it ended each session with an alert behind the handshake.
    pub fn start(folder: &Path, port: u16) -> OpenSmtpd {
        let folder = folder.join("opensmtpd");
        fs::create_dir_all(&folder).expect("make a folder");
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("write it");
        write(
            "passwd",
            "opensmtpd:x:64901:64901::/var/lib/opensmtpd/empty:/usr/sbin/nologin\n\
             opensmtpq:x:64902:64902::/var/lib/opensmtpd/empty:/usr/sbin/nologin\n",
        );
        write("group", "opensmtpd:x:64901:\nopensmtpq:x:64902:\n");
        write(
            "smtpd.conf",
            &format!(
                "listen on 127.0.0.1 port {port} hostname {DOMAIN}\n\
                 table boxes {{ \"probe\" = \"nobody\", \"postmaster\" = \"nobody\" }}\n\
                 action \"keep\" maildir \"{}/mail\" virtual <boxes>\n\
                 match from any for domain \"{DOMAIN}\" action \"keep\"\n",
                folder.display()
            ),
        );
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            NAMESPACE,
            "sh",
        ]);
        command.arg(&folder).arg(program_named("smtpd"));
        OpenSmtpd {
            _process: Process::start(command, port),
        }
    }

    /// Its version.
    pub fn version() -> String {
        let said = Command::new(program_named("smtpd"))
            .arg("-h")
            .output()
            .expect("run it");
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        let version = text.lines().find_map(|line| line.strip_prefix("version: "));
        version
            .unwrap_or("OpenSMTPD")
            .trim_end_matches("-portable")
            .to_owned()
    }
}
