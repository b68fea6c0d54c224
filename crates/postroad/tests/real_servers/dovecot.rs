//! Dovecot's LMTP with folders of its own (version 2.3).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Process, free_port, make_for, user_named};

/// Its domain; `box`, `second` and `full` have mailboxes, and `full` has no room.
pub const DOMAIN: &str = "dovecot.test";

/// A running Dovecot.
pub struct Dovecot {
    folder: PathBuf,
    _process: Process,
    port: u16,
}

impl Dovecot {
    /// Starts it, with settings of the test at the end.
    pub fn start(folder: &Path, more: &str) -> Dovecot {
        let folder = folder.join("dovecot");
        fs::create_dir_all(&folder).expect("make a folder");
        make_for("nobody", &folder.join("mail"));
        let port = free_port();
        let configuration = folder.join("dovecot.conf");
        let place = folder.display();
        let text = format!(
            "base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/log
instance_name = test
protocols = lmtp
ssl = no
listen = 127.0.0.1
hostname = {DOMAIN}
postmaster_address = postmaster@{DOMAIN}
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_plugins = quota
passdb {{
  driver = passwd-file
  args = {place}/users
}}
userdb {{
  driver = passwd-file
  args = {place}/users
}}
plugin {{
  quota = maildir:User quota
}}
service lmtp {{
  unix_listener {place}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
{more}
"
        );
        fs::write(&configuration, text).expect("write its configuration");
        write_users(&folder, 100);
        let mut command = Command::new("dovecot");
        command.arg("-F").arg("-c").arg(&configuration);
        Dovecot {
            _process: Process::start(command, port),
            folder,
            port,
        }
    }

    /// Gives `full` room for so many octets.
    pub fn give_room(&self, octets: u64) {
        write_users(&self.folder, octets);
    }

    /// Its TCP port as next hop.
    pub fn by_tcp(&self) -> String {
        format!("lmtp://127.0.0.1:{}", self.port)
    }

    /// Its Unix socket as next hop.
    pub fn by_unix_socket(&self) -> String {
        format!("lmtp:{}", self.folder.join("lmtp").display())
    }

    /// The Maildir of a mailbox of its own.
    pub fn mailbox(&self, name: &str) -> PathBuf {
        self.folder.join("mail").join(name).join("Maildir")
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// Writes who there is, in the format of passwd(5) with fields of Dovecot behind.
fn write_users(folder: &Path, room: u64) {
    let nobody = user_named("nobody");
    let ids = format!("{}:{}", nobody.uid, nobody.gid);
    let mail = folder.join("mail");
    let mut text = String::new();
    for (name, field) in [
        ("box", String::new()),
        ("second", String::new()),
        ("full", format!("userdb_quota_rule=*:bytes={room}")),
    ] {
        let home = mail.join(name);
        text.push_str(&format!(
            "{name}@{DOMAIN}:{{PLAIN}}x:{ids}::{}::{field}\n",
            home.display()
        ));
    }
    // It is read anew at a change, which must not be seen half done.
    let fresh = folder.join("users.new");
    fs::write(&fresh, text).expect("write the users");
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o644)).expect("let it be read");
    fs::rename(&fresh, folder.join("users")).expect("put it in place");
}
