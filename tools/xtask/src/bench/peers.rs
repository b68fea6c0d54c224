//! The servers that are compared, each with the settings that docs/benchmarks.md lists.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::processes::Family;
use super::stop;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Postfix,
    Postroad,
    Floor,
}

pub(crate) const PEERS: [Peer; 3] = [Peer::Postfix, Peer::Postroad, Peer::Floor];

/// Postfix's own programs, as Debian has them.
const MASTER: &str = "/usr/lib/postfix/sbin/master";
/// Its services, as Debian ships them.
const SERVICES: &str = "/usr/share/postfix/master.cf.dist";

/// Where the mail goes that a server accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nowhere: it stays in the queue.
    Held,
    /// To the sink at this address.
    Sink(SocketAddr),
    /// To that sink, but for the mail to [`DEAD`]: its next hop refuses connections.
    SinkOrDead(SocketAddr),
}

/// A domain whose mail waits, if there is one.
pub(crate) const DEAD: &str = "dead.invalid";

/// The programs that were built.
pub(crate) struct Programs {
    pub(crate) postroad: PathBuf,
    pub(crate) load: PathBuf,
}

/// A server that runs until this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) at: SocketAddr,
    /// A next hop that accepts connections and never says a word, so that mail for it stays.
    _silent: Option<TcpListener>,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Postfix => "Postfix",
            Peer::Postroad => "Postroad",
            Peer::Floor => "floor",
        }
    }

    /// Why it can't run here.
    pub(crate) fn is_missing(self) -> Option<&'static str> {
        match self {
            Peer::Postfix if !Path::new(MASTER).exists() => Some("it is not installed"),
            Peer::Postfix if !crate::packages::is_root() => Some("it wants to be started by root"),
            _ => None,
        }
    }

    /// Starts it in an empty folder and waits until it listens.
    pub(crate) fn start(
        self,
        folder: &Path,
        programs: &Programs,
        next: Next,
    ) -> Result<Server, String> {
        let at = free_address()?;
        let silent = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
        let hole = silent.local_addr().map_err(|e| e.to_string())?;
        let command = match self {
            Peer::Postfix => postfix(folder, at, next)?,
            Peer::Postroad => postroad(folder, at, next, hole, &programs.postroad)?,
            Peer::Floor => floor(folder, at, next, &programs.load),
        };
        let log = folder.join("stderr.log");
        let log = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let mut command = ends_with_us(&command);
        // A group of its own: Postfix's master stops its whole group when it is told to stop.
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().map_err(|e| format!("{command:?}: {e}"))?;
        let mut server = Server {
            child,
            at,
            _silent: Some(silent),
        };
        server.wait_until_it_listens(folder)?;
        Ok(server)
    }
}

/// The same command, killed when this process ends before it, as by Ctrl-C.
fn ends_with_us(command: &Command) -> Command {
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "KILL", "--"]);
    tied.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            tied.env(name, value);
        }
    }
    tied
}

impl Server {
    pub(crate) fn family(&self) -> Family {
        Family::of(self.child.id())
    }

    fn wait_until_it_listens(&mut self, folder: &Path) -> Result<(), String> {
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.at).is_err() {
            let ended = self.child.try_wait().is_ok_and(|status| status.is_some());
            if ended || Instant::now() > until {
                let said = fs::read_to_string(folder.join("stderr.log")).unwrap_or_default();
                return Err(format!("it does not listen: {said}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        stop(&mut self.child, "TERM");
    }
}

/// An address that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    listener.local_addr().map_err(|e| e.to_string())
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
}

fn floor(folder: &Path, at: SocketAddr, next: Next, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["floor", "--listen", &at.to_string(), "--file"]);
    command.arg(folder.join("log"));
    if let Next::Sink(sink) | Next::SinkOrDead(sink) = next {
        command.args(["--relay", &sink.to_string(), "--connections", "50"]);
    }
    command
}

fn postroad(
    folder: &Path,
    at: SocketAddr,
    next: Next,
    hole: SocketAddr,
    program: &Path,
) -> Result<Command, String> {
    let (next, dead) = match next {
        Next::Held => (hole, String::new()),
        Next::Sink(sink) => (sink, String::new()),
        Next::SinkOrDead(sink) => {
            let nobody = free_address()?;
            let route = format!("[[route]]\ndomain = {DEAD:?}\nnext_hop = \"smtp://{nobody}\"\n");
            (sink, route)
        }
    };
    let user = if crate::packages::is_root() {
        "user = \"root\"\n"
    } else {
        ""
    };
    let data = folder.join("data");
    let configuration = folder.join("postroad.toml");
    let text = format!(
        "hostname = \"bench.invalid\"\ndata_dir = {data:?}\n{user}\
         [[listener]]\naddress = \"{at}\"\n\
         [limits]\nconnections = 20000\nconnections_per_address = 20000\n\
         connections_per_network = 20000\ntransactions = 1000000\n\
         [[route]]\ndomain = \"*\"\nnext_hop = \"smtp://{next}\"\n{dead}\
         [relay]\ntrusted_networks = [\"127.0.0.0/8\"]\n\
         [timeouts]\ndrain = \"1s\"\n\
         [delivery]\nconnections_per_site = 50\n"
    );
    write(&configuration, &text)?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(configuration);
    Ok(command)
}

fn postfix(folder: &Path, at: SocketAddr, next: Next) -> Result<Command, String> {
    let settings = folder.join("conf");
    for name in ["conf", "queue", "data"] {
        let folder = folder.join(name);
        fs::create_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    write(&settings.join("main.cf"), &main_cf(folder, next))?;
    let services = fs::read_to_string(SERVICES).map_err(|e| format!("{SERVICES}: {e}"))?;
    write(&settings.join("master.cf"), &master_cf(&services, at))?;
    let data = folder.join("data");
    let own = Command::new("chown").arg("postfix").arg(&data).status();
    own.map_err(|e| format!("chown: {e}"))?;
    // Makes the folders of the queue.
    let check = Command::new("postfix")
        .arg("-c")
        .arg(&settings)
        .arg("check")
        .output();
    let check = check.map_err(|e| format!("postfix check: {e}"))?;
    if !check.status.success() {
        let said = String::from_utf8_lossy(&check.stderr);
        return Err(format!("postfix check: {said}"));
    }
    let mut command = Command::new(MASTER);
    // -d: it stays a child of this process.
    command.arg("-c").arg(&settings).arg("-d");
    command.env("MAIL_CONFIG", &settings);
    Ok(command)
}

fn main_cf(folder: &Path, next: Next) -> String {
    let folder = folder.display();
    let way = match next {
        Next::Held => "smtpd_client_restrictions = check_client_access static:HOLD\n".to_owned(),
        Next::Sink(sink) | Next::SinkOrDead(sink) => {
            format!("relayhost = [{}]:{}\n", sink.ip(), sink.port())
        }
    };
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {folder}/queue\ndata_directory = {folder}/data\n\
         maillog_file = {folder}/mail.log\nmaillog_file_prefixes = {folder}\n\
         myhostname = bench.invalid\nmydestination =\nmynetworks = 127.0.0.0/8\nalias_maps =\n\
         inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
         smtpd_peername_lookup = no\ndisable_dns_lookups = yes\nsmtp_host_lookup = native\n\
         smtpd_tls_security_level = none\nsmtp_tls_security_level = none\n\
         default_process_limit = 1000\nsmtpd_client_connection_count_limit = 0\n\
         smtp_destination_concurrency_limit = 50\nin_flow_delay = 0\n\
         smtpd_relay_restrictions = permit_mynetworks, reject\n{way}"
    )
}

/// Debian's services, with ours in place of port 25, and none in a jail: a jail has to be furnished.
fn master_cf(shipped: &str, at: SocketAddr) -> String {
    let mut text = String::new();
    for line in shipped.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let line = match fields.as_slice() {
            ["smtp", "inet", ..] => format!("{at} inet n - n - - smtpd"),
            [
                name,
                kind,
                private,
                unprivileged,
                "y",
                wake,
                most,
                command @ ..,
            ] => {
                let command = command.join(" ");
                format!("{name} {kind} {private} {unprivileged} n {wake} {most} {command}")
            }
            _ => line.to_owned(),
        };
        text += &line;
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postfix_gets_its_own_port_and_no_jail() {
        let shipped = "# service\nsmtp      inet  n       -       y       -       -       smtpd\n\
                       cleanup   unix  n       -       y       -       0       cleanup\n\
                       qmgr      unix  n       -       n       300     1       qmgr\n\
                       relay     unix  -       -       y       -       -       smtp\n        -o a=b\n";
        let expected = "127.0.0.1:99 inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\n\
                        qmgr      unix  n       -       n       300     1       qmgr\n\
                        relay unix - - n - - smtp\n        -o a=b\n";
        let at = SocketAddr::from(([127, 0, 0, 1], 99));
        assert_eq!(master_cf(shipped, at), expected);
    }

    #[test]
    fn postfix_holds_or_relays() {
        let held = main_cf(Path::new("/x"), Next::Held);
        assert!(held.contains("static:HOLD") && !held.contains("relayhost"));
        let sink = Next::Sink(SocketAddr::from(([127, 0, 0, 1], 99)));
        let relayed = main_cf(Path::new("/x"), sink);
        assert!(relayed.contains("relayhost = [127.0.0.1]:99\n") && !relayed.contains("HOLD"));
    }
}
