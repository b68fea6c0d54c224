//! An Exim with a folder of its own (version 4.96).

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::certificate::Certificate;
use crate::program::{Process, make_for, program_named, user_named};

/// Its domain; all of its mail goes into one Maildir.
pub const DOMAIN: &str = "exim.test";

/// The user it has in Debian's packages.
pub const USER: &str = "Debian-exim";

/// An Exim that may run.
pub struct Exim {
    folder: PathBuf,
    _process: Process,
}

/// Its settings, but for names, folders and ports.
const CONFIGURATION: &str = r#"
exim_path = PROGRAM
primary_hostname = DOMAIN
spool_directory = FOLDER/spool
log_file_path = FOLDER/log/%s
pid_file_path = FOLDER/spool/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = PORT
deliver_drop_privilege = true
acl_smtp_rcpt = recipient
acl_smtp_data = data
host_lookup =
rfc1413_query_timeout = 0s
chunking_advertise_hosts = CHUNKING
dsn_advertise_hosts = *
tls_advertise_hosts =
smtp_accept_max = 0
smtp_accept_max_per_connection = 10
message_size_limit = 50M
keep_environment =

begin acl
recipient:
  deny local_parts = bounce
       message = 5.1.6 moved without a trace
  defer local_parts = later
        condition = ${if !exists{FOLDER/spool/open}}
        message = 4.7.1 come back later
  accept domains = DOMAIN
  deny message = no relay

data:
  deny condition = ${if match{$h_x-mail:}{refused}}
       message = 5.7.1 that is not read here
  accept

begin routers
own:
  driver = accept
  domains = DOMAIN
  transport = maildir
back:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = back

begin transports
maildir:
  driver = appendfile
  directory = FOLDER/mail
  maildir_format
  create_directory
  return_path_add
  envelope_to_add
back:
  driver = smtp
  port = BACK
  allow_localhost
"#;

impl Exim {
    /// Starts one at a port, which sends what isn't its own to the port `back`.
    pub fn start(folder: &Path, port: u16, back: u16, chunking: bool) -> Exim {
        let chunking = if chunking { "*" } else { "" };
        let configuration = CONFIGURATION
            .replace("BACK", &back.to_string())
            .replace("CHUNKING", chunking);
        Exim::run(folder, port, &configuration)
    }

    /// Starts one at a port that offers all it has, TLS too, and takes mail for `probe` and `postmaster` alone.
    pub fn probed(folder: &Path, port: u16, certificate: &Certificate) -> Exim {
        let tls = format!(
            "tls_advertise_hosts = *\ntls_certificate = {}\ntls_privatekey = {}\n",
            certificate.chain.display(),
            certificate.key.display()
        );
        let configuration = CONFIGURATION
            .replace("tls_advertise_hosts =\n", &tls)
            .replace(
                "accept domains = DOMAIN",
                "accept domains = DOMAIN\n         local_parts = probe : postmaster",
            )
            .replace("BACK", "9")
            .replace("CHUNKING", "*");
        Exim::run(folder, port, &configuration)
    }

    fn run(folder: &Path, port: u16, text: &str) -> Exim {
        let folder = folder.join("exim");
        for part in ["spool", "log", "mail"] {
            make_for(USER, &folder.join(part));
        }
        let configuration = folder.join("exim.conf");
        // It starts itself again for what it sends, and would look for itself where Debian has it; and its
        // user can't enter every folder of ours.
        let program = folder.join("exim4");
        fs::copy(program_named("exim4"), &program).expect("copy it");
        let text = text
            .replace("DOMAIN", DOMAIN)
            .replace("PROGRAM", &program.display().to_string())
            .replace("FOLDER", &folder.display().to_string())
            .replace("PORT", &port.to_string());
        fs::write(&configuration, text).expect("write its configuration");
        // As its own user from the start: as root it would trust only configurations that it knows.
        let user = user_named(USER);
        let mut command = Command::new(program);
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        command.arg("-C").arg(&configuration).arg("-bdf");
        Exim {
            _process: Process::start(command, port),
            folder,
        }
    }

    /// From now on `later` is taken.
    pub fn open(&self) {
        fs::write(self.folder.join("spool/open"), "").expect("write a file");
    }

    /// Its Maildir.
    pub fn mailbox(&self) -> PathBuf {
        self.folder.join("mail")
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.join("log/main")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// How many lines of its log have these words.
    pub fn count_lines(&self, words: &str) -> usize {
        let log = self.log();
        log.lines().filter(|line| line.contains(words)).count()
    }
}
