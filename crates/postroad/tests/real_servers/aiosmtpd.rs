//! An aiosmtpd, the server of Python (version 1.4).

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::certificate::Certificate;
use crate::program::Process;

/// Its domain; `probe` has a mailbox there.
pub const DOMAIN: &str = "aiosmtpd.test";

/// It takes mail for two mailboxes, and throws it away.
const SCRIPT: &str = r#"
import ssl, sys, time
from aiosmtpd.controller import Controller

class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.split("@")[0].lower() not in ("probe", "postmaster"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        return "250 OK"

tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(sys.argv[3], sys.argv[4])
Controller(Handler(), hostname="127.0.0.1", port=int(sys.argv[1]), server_hostname=sys.argv[2],
           tls_context=tls).start()
while True:
    time.sleep(60)
"#;

/// An aiosmtpd that runs.
pub struct Aiosmtpd {
    _process: Process,
}

impl Aiosmtpd {
    /// Starts one at a port.
    pub fn start(folder: &Path, port: u16, certificate: &Certificate) -> Aiosmtpd {
        // Another name would hide the library.
        let script = folder.join("server.py");
        fs::write(&script, SCRIPT).expect("write its script");
        let mut command = Command::new("python3");
        command.arg(&script).arg(port.to_string()).arg(DOMAIN);
        command.arg(&certificate.chain).arg(&certificate.key);
        Aiosmtpd {
            _process: Process::start(command, port),
        }
    }

    /// Its version.
    pub fn version() -> String {
        let ask = "import aiosmtpd; print('aiosmtpd', aiosmtpd.__version__)";
        let said = Command::new("python3")
            .args(["-c", ask])
            .output()
            .expect("run it");
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }
}
