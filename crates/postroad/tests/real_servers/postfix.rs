//! A whole Postfix with folders of its own (postconf(5), master(5)).

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::program::{Process, free_port, make_for, user_named, wait_until};

/// Its domain; mail for `box`, `bin` and `jörg` there goes into Maildirs.
pub const DOMAIN: &str = "postfix.test";

/// The services of master.cf behind the one that listens.
const SERVICES: &str = "
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
";

/// A Postfix that may run.
pub struct Postfix {
    folder: PathBuf,
    process: Option<Process>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Postfix {
    /// Configures one that doesn't run yet; mail for `here.test` goes to `back`.
    pub fn configure(folder: &Path, back: u16, more: &str) -> Postfix {
        let folder = folder.join("postfix");
        for part in ["etc", "queue"] {
            fs::create_dir_all(folder.join(part)).expect("make a folder");
        }
        make_for("postfix", &folder.join("data"));
        make_for("nobody", &folder.join("mail"));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let postfix = Postfix {
            folder,
            process: None,
            address,
        };
        let nobody = user_named("nobody");
        postfix.write(
            "boxes",
            &format!("box@{DOMAIN} box/\nbin@{DOMAIN} bin/\njörg@{DOMAIN} joerg/\n"),
        );
        postfix.write("transport", &format!("here.test smtp:[127.0.0.1]:{back}\n"));
        postfix.write("access", "");
        postfix.write(
            "checks",
            "/^X-Mail: refused/ REJECT that is not read here\n",
        );
        postfix.write(
            "master.cf",
            &format!("{address} inet n - n - - smtpd{SERVICES}"),
        );
        let place = postfix.folder.display();
        postfix.write(
            "main.cf",
            &format!(
                "compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
maillog_file = {place}/maillog
maillog_file_prefixes = {place}
myhostname = {DOMAIN}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtputf8_enable = yes
default_process_limit = 200
local_header_rewrite_clients =
message_size_limit = 52428800
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {place}/mail
virtual_mailbox_maps = texthash:{place}/etc/boxes
virtual_uid_maps = static:{}
virtual_gid_maps = static:{}
transport_maps = texthash:{place}/etc/transport
header_checks = regexp:{place}/etc/checks
smtpd_recipient_restrictions = check_recipient_access texthash:{place}/etc/access,
    permit_mynetworks, reject
{more}\n",
                nobody.uid, nobody.gid
            ),
        );
        postfix
    }

    /// Writes a file of its configuration.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join("etc").join(name), text).expect("write its configuration");
    }

    /// Starts it.
    pub fn start(mut self) -> Postfix {
        self.start_again();
        self
    }

    /// Starts it after [`stop`](Postfix::stop).
    pub fn start_again(&mut self) {
        let mut command = self.command("postfix", "-c");
        command.arg("start-fg");
        self.process = Some(Process::start(command, self.address.port()));
    }

    /// Stops it: its master ends all of it, and then the script that started the master ends.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            self.tell("stop");
            process.end();
        }
    }

    /// Runs `postfix` with a command, such as `reload`.
    pub fn tell(&self, what: &str) {
        let _ = self.command("postfix", "-c").arg(what).status();
    }

    /// A program of Postfix with its configuration.
    pub fn command(&self, program: &str, option: &str) -> Command {
        let mut command = Command::new(program);
        command
            .arg(option)
            .arg(self.folder.join("etc"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The Maildir of a mailbox of its own.
    pub fn mailbox(&self, name: &str) -> PathBuf {
        self.folder.join("mail").join(name)
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.join("maillog")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until a line of its log has all of these words, and gives it.
    pub fn wait_for_line(&self, words: &[&str]) -> String {
        let mut found = None;
        wait_until(&format!("{words:?} in the log of Postfix"), || {
            let log = self.log();
            let mut lines = log.lines();
            found = lines
                .find(|line| words.iter().all(|word| line.contains(word)))
                .map(str::to_owned);
            found.is_some()
        });
        found.expect("it was waited for")
    }

    /// How many lines of the log have all of these words.
    pub fn count_lines(&self, words: &[&str]) -> usize {
        let log = self.log();
        log.lines()
            .filter(|line| words.iter().all(|word| line.contains(word)))
            .count()
    }

    /// How often clients said a command, by what its sessions sum up at their end.
    pub fn count_commands(&self, command: &str) -> usize {
        let log = self.log();
        let ends = log.lines().filter(|line| line.contains("disconnect from"));
        let words = ends.flat_map(str::split_whitespace);
        words
            .filter_map(|word| word.strip_prefix(command)?.strip_prefix('='))
            // Where some failed, it is those that were taken, a slash, and all.
            .filter_map(|count| count.rsplit('/').next()?.parse::<usize>().ok())
            .sum()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.stop();
    }
}
